"""`venue`: the simulated Bybit and Binance USD-M alone, until SIGTERM or Ctrl-C.

The market and its protocols are in `simulator`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from loguru import logger

from console.cli.exit_codes import ExitCode
from console.service.logs import human_terminal
from simulator import SimulatedVenue


def venue_from_cli(*, host: str, port: int, ca_file: Path, seed: int) -> ExitCode:
    """Run the venue and say on stderr where it listens and what leads to it."""
    human_terminal(sys.stderr)
    try:
        ca_file.parent.mkdir(parents=True, exist_ok=True)
        venue = SimulatedVenue(seed=seed, host=host, port=port, ca_file=ca_file)
        asyncio.run(_run(venue))
    except ValueError as error:
        logger.error(str(error))
        return ExitCode.USAGE
    except OSError as error:
        logger.error(f"The venue can't listen at {host}:{port}: {error.strerror}")
        return ExitCode.FAILED
    return ExitCode.OK


async def _run(venue: SimulatedVenue) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with venue:
        logger.info(f"The simulated venue is ready at {venue.connect}, CA in {venue.ca_file}")
        for account in venue.market.accounts.values():
            logger.info(
                f'[accounts.{account.name}]  exchange = "{account.exchange}"  '
                f'key = "{account.key}"  connect = "{venue.connect}"  '
                f'ca_file = "{venue.ca_file.absolute()}"'
            )
        await stop.wait()
    logger.info("The simulated venue has stopped")
