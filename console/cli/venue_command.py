"""`venue`: the simulated Bybit and Binance USD-M alone, until SIGTERM or Ctrl-C.

The market and its protocols are in `simulator`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from console.cli.exit_codes import ExitCode
from console.config.values import Refused, duration
from console.service.logs import human_terminal
from simulator import SimulatedVenue


@dataclass(frozen=True, kw_only=True)
class VenueOptions:
    """What `venue` was asked for. `latency` is a duration as it was typed."""

    host: str
    port: int
    ca_file: Path
    seed: int
    hedge: bool = False
    limits: bool = False
    latency: str = "0s"


def venue_from_cli(options: VenueOptions) -> ExitCode:
    """Run the venue: logs on stderr, and on stdout a configuration that leads to it."""
    human_terminal(sys.stderr)
    latency = duration(options.latency)
    if isinstance(latency, Refused):
        logger.error(f"--latency must be {latency.allowed}, not {options.latency!r}")
        return ExitCode.USAGE
    try:
        options.ca_file.parent.mkdir(parents=True, exist_ok=True)
        venue = SimulatedVenue(
            seed=options.seed,
            host=options.host,
            port=options.port,
            ca_file=options.ca_file,
            limits=options.limits,
            latency=latency.total_seconds(),
        )
        for account in venue.market.accounts:
            venue.market.set_mode(account, hedged=options.hedge)
        asyncio.run(_run(venue))
    except ValueError as error:
        logger.error(str(error))
        return ExitCode.USAGE
    except OSError as error:
        logger.error(f"The venue can't listen at {options.host}:{options.port}: {error.strerror}")
        return ExitCode.FAILED
    return ExitCode.OK


async def _run(venue: SimulatedVenue) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with venue:
        logger.info(f"The simulated venue is ready at {venue.connect}, CA in {venue.ca_file}")
        sys.stdout.write(configuration(venue))
        sys.stdout.flush()
        await stop.wait()
    logger.info("The simulated venue has stopped")


def configuration(venue: SimulatedVenue) -> str:
    """A configuration that `run --config FILE` takes as it is. Its keys open only this venue."""
    lines = [
        "# Leads to a simulated venue on this machine; its keys open nothing else.",
        'mode = "observe"',
        'data_dir = "var"',
        "",
        "[storage]",
        'url = "sqlite:///var/sexton.db"',
        "",
        "[control]",
        'socket = "var/sexton.sock"',
    ]
    for account in venue.market.accounts.values():
        lines += [
            "",
            f"[accounts.{account.name}]",
            f'exchange = "{account.exchange}"',
            f'key = "{account.key}"',
            f'secret = "{account.secret.reveal()}"',
            f'connect = "{venue.connect}"',
            f'ca_file = "{venue.ca_file.absolute()}"',
        ]
    return "\n".join(lines) + "\n"
