"""Scenario 6.7 at length: the database is away for minutes, and nobody takes that for a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import detangle
import pytest
from loguru import logger

from actors import paths
from messages.to_monitors import CloseByOrder, ScanNow
from messages.values import Side
from tests.simulation.scene import BYBIT
from tests.simulation.sqlite_on_loop import aiosqlite_on_loop
from tests.simulation.templates import Template
from tests.simulation.world import World, sim_settings, until

HOUR = timedelta(hours=1)
SOON = timedelta(seconds=10)
AWAY = 200.0
"""Seconds: longer than any ask waits that was not told to be more patient."""


async def reached(condition: Callable[[], bool]) -> None:
    """Look at each turn of the loop, where a second would be too coarse."""
    turn = asyncio.Event()
    while not condition():
        asyncio.get_running_loop().call_later(0.001, turn.set)
        await turn.wait()
        turn.clear()


@pytest.fixture
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template(tmp_path_factory.mktemp("away"))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger.disable("actors")
    yield
    logger.enable("actors")


@pytest.mark.parametrize("calls_before", range(0, 240, 12))
def test_a_close_waits_for_the_database_wherever_it_went_away(
    template: Template, calls_before: int
) -> None:
    """`calls_before`: how many of the close's calls to the database still succeed."""

    async def story() -> None:
        path = template.copy()
        settings = sim_settings(path, every=HOUR, check=SOON, lease=HOUR, streams=())
        world = World(path, settings, seed=1, volatility=0)
        detangle.invariant(world.watch.check_step)
        trade = world.open(BYBIT, "XRP/USDT:USDT", Side.LONG, hours=1.0)
        await world.start_guard()
        process = world.process
        assert process is not None
        await asyncio.sleep(20.0)
        # It holds for longer than the database is away.
        late = world.system.now() + timedelta(hours=1)
        order = CloseByOrder(key=trade.key, expires_at=late)
        world.system.tell(paths.aged_scan(BYBIT), order)
        gone_at = process.disk.jobs + calls_before
        disk = process.disk
        await reached(lambda: disk.jobs >= gone_at or not world.active_rows())
        process.disk.outage = "disk I/O error"
        await asyncio.sleep(AWAY)
        process.disk.outage = ""
        await until(lambda: not world.active_rows(), 900, "the leg is closed")
        assert world.crashes == [], "\n".join(world.crashes)
        assert len(world.watch.orders) >= 1
        await world.system.ask(paths.reconciliation(BYBIT), ScanNow(), timeout=600.0)
        assert not world.watch.unsettled()
        await world.stop_guard()

    with aiosqlite_on_loop():
        detangle.run(partial(story), seed=1)
