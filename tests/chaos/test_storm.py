"""Short storms in the test suite; `python -m tests.chaos.long` blows for as long as it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from tests.chaos.small_disk import SmallDisk, mountable
from tests.chaos.storm import storm
from tests.storage.postgres import Server

SECONDS = 10.0

pytestmark = pytest.mark.timeout(200)


async def blow(folder: Path, database: Server | SmallDisk, url: str, seed: int) -> None:
    async with storm(folder, database, url, seed) as blowing:
        await blowing.blow(SECONDS)
        await blowing.calm_down()
        assert not blowing.broken, blowing.report()
        assert len(blowing.troubles) >= 6
        assert blowing.bot.counts["due"] >= 2
        assert blowing.figures["orders"] >= 2


def test_after_a_storm_of_kills_cuts_and_outages_all_eight_invariants_hold(tmp_path: Path) -> None:
    server = Server()
    server.start()
    try:
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
            admin.execute('CREATE DATABASE "storm"')
        asyncio.run(blow(tmp_path, server, server.url("storm"), seed=11))
    finally:
        server.stop()


@pytest.mark.skipif(not mountable(), reason="only root may mount a disk that fills up")
def test_a_disk_that_runs_full_in_the_storm_loses_nothing_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    with SmallDisk(tmp_path / "disk") as disk:
        asyncio.run(blow(tmp_path, disk, f"sqlite:///{disk.folder}/sexton.db", seed=12))
