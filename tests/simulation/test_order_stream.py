"""What the order stream is good for: an order's record is read when there is something to read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import detangle
import pytest
from loguru import logger

from messages.values import Side
from rules.ids import is_ours
from tests.simulation.scene import BYBIT
from tests.simulation.sqlite_on_loop import aiosqlite_on_loop
from tests.simulation.templates import Template
from tests.simulation.world import World, coarse_ticks, sim_settings, until

HOUR = timedelta(hours=1)
FILLED_AFTER = timedelta(seconds=5.0)
"""Just after a poll of the open order's record, and two seconds before the next one."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template(tmp_path_factory.mktemp("orders"))


async def ticks(world: World) -> None:
    """The market fills what is due when it is looked at, so it is looked at all the time."""
    while True:
        world.market.tick()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("streams", "at_once"), [((BYBIT,), True), ((), False)])
def test_a_fill_that_the_stream_tells_of_is_read_at_once_and_else_at_the_next_poll(
    template: Template, streams: Sequence[str], at_once: bool
) -> None:
    waited: list[timedelta] = []

    async def story() -> None:
        path = template.copy()
        settings = sim_settings(path, every=HOUR, check=HOUR, lease=HOUR, streams=tuple(streams))
        world = World(path, settings, seed=1)
        world.market.set_fill_delay(FILLED_AFTER)
        world.open(BYBIT, "XRP/USDT:USDT", Side.LONG, hours=40.0)
        await world.start_guard()
        ticking = asyncio.create_task(ticks(world))
        await until(lambda: not world.active_rows(), 120, "its row is closed")
        (fill,) = [
            it for it in world.market.accounts[BYBIT].executions["XRPUSDT"] if is_ours(it.client_id)
        ]
        ((read_at,),) = world.truth.execute("SELECT at FROM events WHERE kind = 'order_final'")
        waited.append(datetime.fromisoformat(read_at) - fill.at)
        ticking.cancel()
        await world.stop_guard()

    logger.disable("actors")
    try:
        with aiosqlite_on_loop(), coarse_ticks(timedelta(minutes=5)):
            detangle.run(partial(story), seed=1)
    finally:
        logger.enable("actors")
    assert (waited[0] < timedelta(seconds=0.5)) is at_once, waited
