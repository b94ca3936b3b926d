"""The simulated venue as a process of its own, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from loguru import logger

from simulator.server import SimulatedVenue


def run_forever(
    host: str = "127.0.0.1",
    port: int = 8443,
    ca_file: Path = Path("var/venue-ca.pem"),
    seed: int = 0,
    *,
    volatility: float = 0.03,
) -> None:
    """Serve the default world and log where. Port 0 takes any free one.

    Raises ValueError for a host that is not loopback, OSError where the port is taken.
    """
    asyncio.run(_serve(host, port, ca_file, seed, volatility))


async def _serve(host: str, port: int, ca_file: Path, seed: int, volatility: float) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    venue = SimulatedVenue(seed=seed, host=host, port=port, ca_file=ca_file, volatility=volatility)
    async with venue:
        logger.info("Simulated venue at {}, CA certificate in {}", venue.connect, venue.ca_file)
        for account in venue.market.accounts.values():
            logger.info("Account {} at {}, key {}", account.name, account.exchange, account.key)
        await stopped.wait()
    logger.info("Simulated venue stopped")
