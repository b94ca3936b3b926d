"""A long storm: `python -m tests.chaos.long --minutes 30 --seed 7`. Exits 1 if anything broke.

World after world, each from a seed of its own, in turn on PostgreSQL and on SQLite on a small disk
that runs full. Says after each what it did, and at the end what all of them did together.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psycopg
from loguru import logger

from tests.chaos.small_disk import SmallDisk, mountable
from tests.chaos.storm import Storm, storm
from tests.storage.postgres import Server

ROUND = 30.0
"""Seconds that one world is stormed before it must come to rest and a fresh one follows."""


async def _round(folder: Path, database: Server | SmallDisk, url: str, seed: int) -> Storm:
    async with storm(folder, database, url, seed) as blowing:
        await blowing.blow(ROUND)
        await blowing.calm_down()
        return blowing


def _on_a_server(folder: Path, server: Server, seed: int) -> Storm:
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE storm{seed}".encode())
    return asyncio.run(_round(folder, server, server.url(f"storm{seed}"), seed))


def _on_a_small_disk(folder: Path, seed: int, keep: Path | None) -> Storm:
    with SmallDisk(folder / "disk") as disk:
        blown = asyncio.run(_round(folder, disk, f"sqlite:///{disk.folder}/sexton.db", seed))
        if keep is not None and blown.broken:
            shutil.copytree(disk.folder, keep / f"{seed}-disk", dirs_exist_ok=True)
        return blown


def main() -> int:
    parser = argparse.ArgumentParser(description="Chaos for minutes, from a seed.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for what broken storms leave behind")
    given = parser.parse_args()
    logger.remove()
    # Stopped from outside, a storm still ends its processes and unmounts its disk.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not mountable():
        print("Only root may mount a disk that runs full: PostgreSQL alone is stormed.")
    server = Server()
    server.start()
    begun, seed, broken = time.monotonic(), given.seed, 0
    done: Counter[str] = Counter()
    try:
        while time.monotonic() - begun < given.minutes * 60:
            with tempfile.TemporaryDirectory(prefix="storm-") as name:
                if seed % 2 or not mountable():
                    blown, where = _on_a_server(Path(name), server, seed), "PostgreSQL"
                else:
                    blown, where = _on_a_small_disk(Path(name), seed, given.keep), "small disk"
                if blown.broken and given.keep is not None:
                    for file in ("record.jsonl", "guard", "watcher"):
                        _copy(Path(name) / file, given.keep / f"{seed}-{file}")
            did = blown.bot.counts + blown.troubles + blown.figures
            done += did
            print(f"{_elapsed(begun)} seed {seed} on {where}: {_words(did)}", flush=True)
            if blown.broken:
                broken += 1
                print(blown.report(), flush=True)
            seed += 1
    finally:
        server.stop()
    print(f"\n{seed - given.seed} storms in {_elapsed(begun)}, {broken} broken")
    for what, count in sorted(done.items()):
        print(f"{what.replace('_', ' '):28} {count:8}")
    return 1 if broken else 0


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _elapsed(begun: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - begun), 60)
    return f"{minutes}:{seconds:02}"


def _words(did: Counter[str]) -> str:
    return ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in sorted(did.items()))


if __name__ == "__main__":
    sys.exit(main())
