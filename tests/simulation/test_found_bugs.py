"""Bugs that drawn schedules found, each told again as the shortest story that shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial

import detangle
import pytest
from loguru import logger

from actors import paths
from messages.requests import ScanNow
from messages.values import Side
from tests.simulation.sqlite_on_loop import aiosqlite_on_loop
from tests.simulation.world import BYBIT, Template, World, coarse_ticks, sim_settings, until
from venues.simulator import Exchange, Fault, FaultKind

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template(tmp_path_factory.mktemp("found"))


def told(template: Template, story: Callable[[World], Awaitable[None]]) -> None:
    """Run a story in a world of its own, whose monitors run when they are asked to."""

    async def in_world() -> None:
        path = template.copy()
        settings = sim_settings(path, every=HOUR, check=HOUR, lease=HOUR, streams=())
        world = World(path, settings, seed=1)
        detangle.invariant(world.watch.check_step)
        await story(world)
        await world.stop_guard()

    logger.disable("actors")
    try:
        with aiosqlite_on_loop(), coarse_ticks(timedelta(minutes=5)):
            detangle.run(partial(in_world), seed=1)
    finally:
        logger.enable("actors")


def test_a_mismatch_that_a_damaged_look_did_not_show_is_not_called_over(
    template: Template,
) -> None:
    async def story(world: World) -> None:
        halved = world.open(BYBIT, "BTC/USDT:USDT", Side.LONG, hours=0.5)
        world.hand_closes(halved, Decimal("0.5"))
        orphan = world.open(BYBIT, "AVL/USDT:USDT", Side.LONG, row=False)
        await world.start_guard()
        wanted = {f"mismatch:{halved.key}", f"orphan:{orphan.key}"}
        await until(lambda: wanted <= {key for _, key, _ in world.alerts()}, 60, "both are alerted")
        # The next look shows the orphan only, and the look after it everything.
        world.faults.order(Fault(kind=FaultKind.TRUNCATED, endpoint="positions"))
        for _ in range(2):
            await world.system.ask(paths.reconciliation(BYBIT), ScanNow())
            await asyncio.sleep(1.0)
        raised = [(key, still) for _, key, still in world.alerts() if key.startswith("mismatch:")]
        assert raised == [(f"mismatch:{halved.key}", True)]

    told(template, story)


def test_fills_of_a_close_that_failed_hide_no_other_difference_of_its_leg(
    template: Template,
) -> None:
    async def story(world: World) -> None:
        market = world.market
        trade = world.open(BYBIT, "XRP/USDT:USDT", Side.SHORT, hours=40.0, quantity=Decimal(4000))
        market.set_book_depth(Exchange.BYBIT, trade.key.symbol, Decimal(100))
        # After a first fill of a part, the venue refuses and the close is given up.
        world.faults.order(
            Fault(kind=FaultKind.ERROR_CODE, endpoint="order.create", code="110017", skip=1)
        )
        await world.start_guard()
        await until(
            lambda: any(key == f"operator:{trade.key}" for _, key, _ in world.alerts()),
            120,
            "the close is given up",
        )
        mismatch = f"mismatch:{trade.key}"
        await world.system.ask(paths.reconciliation(BYBIT), ScanNow())
        await asyncio.sleep(1.0)
        assert mismatch not in {key for _, key, _ in world.alerts()}
        world.hand_closes(trade, Decimal("0.5"))
        await world.system.ask(paths.reconciliation(BYBIT), ScanNow())
        await asyncio.sleep(1.0)
        assert mismatch in {key for _, key, still in world.alerts() if still}

    told(template, story)
