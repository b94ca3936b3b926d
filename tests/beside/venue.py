"""The simulated venue as a process: `python -m tests.beside.venue PORT CA`.

SIGUSR1 makes it leave its port, SIGUSR2 return to it: the market goes on meanwhile, as an
exchange's does while its servers are restarted.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from simulator import SimulatedVenue


async def serve(port: int, ca_file: Path) -> None:
    stopped = asyncio.Event()
    wanted: asyncio.Queue[bool] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGUSR1, wanted.put_nowait, False)
    loop.add_signal_handler(signal.SIGUSR2, wanted.put_nowait, True)
    venue = SimulatedVenue(seed=7, port=port, ca_file=ca_file, volatility=0.0)
    await venue.start()
    coming_and_going = asyncio.create_task(_come_and_go(venue, wanted))
    await stopped.wait()
    coming_and_going.cancel()
    await venue.stop()


async def _come_and_go(venue: SimulatedVenue, wanted: asyncio.Queue[bool]) -> None:
    while True:
        if await wanted.get():
            await venue.start()
        else:
            await venue.stop()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
