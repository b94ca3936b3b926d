"""A short storm in the test suite; `python -m tests.chaos.long` blows for as long as it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import ccxt.async_support  # noqa: F401  # imported once, before guards are forked
import psycopg
import pytest

from tests.chaos.storm import storm
from tests.storage.postgres import Server

SECONDS = 12.0

pytestmark = pytest.mark.timeout(150)


def test_after_a_storm_of_kills_cuts_and_outages_venue_and_ledger_agree(tmp_path: Path) -> None:
    server = Server()
    server.start()
    try:
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
            admin.execute('CREATE DATABASE "storm"')

        async def blow() -> None:
            async with storm(tmp_path, server, server.url("storm"), seed=11) as blowing:
                await blowing.blow(SECONDS)
                await blowing.calm_down()
                assert not blowing.broken, blowing.report()
                assert len(blowing.troubles) >= 5
                assert blowing.trades["aged"] > 0

        asyncio.run(blow())
    finally:
        server.stop()
