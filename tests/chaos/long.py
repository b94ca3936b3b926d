"""A long storm: `python -m tests.chaos.long --minutes 30 --seed 7`. Exits 1 if anything broke."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import ccxt.async_support  # noqa: F401  # imported once, before guards are forked
import psycopg
from loguru import logger

from tests.chaos.storm import Storm, storm
from tests.storage.postgres import Server

ROUND = 20.0
"""Seconds that one world is stormed before it must come to rest and a fresh one follows."""


async def _round(folder: Path, server: Server, seed: int) -> Storm:
    async with storm(folder, server, server.url(f"storm{seed}"), seed) as blowing:
        await blowing.blow(ROUND)
        await blowing.calm_down()
        return blowing


def main() -> int:
    parser = argparse.ArgumentParser(description="Chaos for minutes, from a seed.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logger.remove()
    server = Server()
    server.start()
    end, seed, broken = time.monotonic() + given.minutes * 60, given.seed, 0
    try:
        while time.monotonic() < end:
            with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE storm{seed}".encode())
            with tempfile.TemporaryDirectory() as folder:
                blown = asyncio.run(_round(Path(folder), server, seed))
            print(f"seed {seed}: {dict(blown.trades)}, {dict(blown.troubles)}", flush=True)
            if blown.broken:
                broken += 1
                print(blown.report(), flush=True)
            seed += 1
    finally:
        server.stop()
    print(f"{seed - given.seed} storms, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
