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
from actors.aged_scan import Scan
from messages.to_monitors import ScanNow
from messages.values import Side
from simulator import Exchange, Fault, FaultKind
from tests.simulation.mutations import DEAD_WORKER, WALL_CLOCK, Mutation
from tests.simulation.scene import BINANCE, BYBIT, Trade
from tests.simulation.sqlite_on_loop import aiosqlite_on_loop
from tests.simulation.templates import Template
from tests.simulation.world import World, coarse_ticks, sim_settings, until

HOUR = timedelta(hours=1)


def told(
    template: Template, story: Callable[[World], Awaitable[None]], *, lease: timedelta = HOUR
) -> None:
    """Run a story in a world of its own, whose monitors run when they are asked to."""

    async def in_world() -> None:
        path = template.copy()
        settings = sim_settings(path, every=HOUR, check=HOUR, lease=lease, streams=())
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
        orphan = world.open(BYBIT, "AVL/USDT:USDT", Side.LONG, row=False, hours=0.5)
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


async def an_order_under_way(world: World) -> Trade:
    """The guard has sent the order of a close, which is to arrive long after its time-out."""
    trade = world.open(BYBIT, "XRP/USDT:USDT", Side.LONG, hours=40.0)
    world.faults.order(Fault(kind=FaultKind.DELAY, endpoint="order.create", seconds=14.0))
    await world.start_guard()
    await until(lambda: bool(world.watch.open_ids(BYBIT)), 30, "an order has been sent")
    await asyncio.sleep(6.0)
    return trade


async def clock_jumps_meanwhile(world: World) -> None:
    await an_order_under_way(world)
    world.clock.off = timedelta(seconds=19)
    await until(lambda: not world.active_rows(), 60, "the leg is closed")
    await asyncio.sleep(20.0)  # in virtual time: whatever was under way has arrived
    assert not world.watch.unsettled()


async def worker_is_killed_meanwhile(world: World) -> None:
    trade = await an_order_under_way(world)
    worker = f"{paths.exchange(BYBIT)}/close {trade.key.actor_name}"
    world.system.kill(worker)
    await asyncio.sleep(30.0)  # in virtual time: the order has arrived and is filled
    await world.system.ask(paths.reconciliation(BYBIT), ScanNow(), timeout=600.0)
    assert not world.active_rows(), "5: the leg is gone and its row is not closed"


STORIES = [(clock_jumps_meanwhile, WALL_CLOCK), (worker_is_killed_meanwhile, DEAD_WORKER)]


@pytest.mark.parametrize(("story", "bug"), STORIES, ids=[bug.name for _, bug in STORIES])
def test_an_order_under_way_is_followed_to_its_end(
    template: Template, story: Callable[[World], Awaitable[None]], bug: Mutation
) -> None:
    told(template, story)
    with bug.applied(), pytest.raises((AssertionError, detangle.DetangleError)):
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


def test_a_guard_that_has_lost_its_account_writes_nothing_while_its_actors_stop(
    template: Template,
) -> None:
    async def story(world: World) -> None:
        await world.start_guard()
        first = world.process
        assert first is not None
        await asyncio.sleep(10.0)
        await world.writable()
        first.disk.pause()
        world.process = await world.start_second()
        await asyncio.sleep(110.0)  # in virtual time: the second takes over within 80 s
        await world.writable()
        world.open(BINANCE, "BTC/USDT:USDT", Side.LONG, hours=40.0)
        first.disk.resume()
        for guard in (first, world.process):
            guard.system.tell(f"{paths.aged(BINANCE)}/scan", Scan())
        await until(lambda: not world.active_rows(), 60, "the leg is closed")
        assert {guard for _, guard in world.watch.senders} == {world.process.name}
        await world.kill_one(first)

    told(template, story, lease=timedelta(minutes=1))
