"""A protective stop that the guard places, where something comes in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import detangle
import pytest

from actors import paths
from messages.to_exchange import PlaceStop, StopPlaced
from messages.values import LegKey, Side
from simulator import Fault, FaultKind
from tests.simulation.mutations import WALL_CLOCK
from tests.simulation.scene import BYBIT
from tests.simulation.templates import Template
from tests.simulation.test_found_bugs import an_order_under_way, told
from tests.simulation.world import World, until

XRP = "XRP/USDT:USDT"
Story = Callable[[World], Awaitable[None]]


def a_stop(world: World, key: LegKey) -> PlaceStop:
    away = Decimal("0.9") if key.side is Side.LONG else Decimal("1.1")
    trigger = (world.price(BYBIT, key.symbol) * away).quantize(Decimal("0.01"))
    return PlaceStop(key=key, trigger_price=trigger)


async def protect(world: World, key: LegKey) -> StopPlaced:
    return await world.system.ask(paths.exchange(BYBIT), a_stop(world, key), timeout=120.0)


async def a_stop_arrives_late_and_the_clock_jumps(world: World) -> None:
    key = world.open(BYBIT, XRP, Side.LONG, stop=False).key
    await world.start_guard()
    await asyncio.sleep(10.0)
    world.faults.order(Fault(kind=FaultKind.DELAY, endpoint="order.create", seconds=14.0))
    placing = asyncio.ensure_future(protect(world, key))
    await until(lambda: bool(world.watch.open_ids(BYBIT)), 30, "the stop has been sent")
    await asyncio.sleep(6.0)
    world.clock.off = timedelta(seconds=19)
    placed = await placing
    assert placed.success, placed.error
    assert not world.watch.unsettled()


def test_a_stop_under_way_is_followed_to_its_end_while_the_clock_jumps(template: Template) -> None:
    told(template, a_stop_arrives_late_and_the_clock_jumps)
    with WALL_CLOCK.applied(), pytest.raises((AssertionError, detangle.DetangleError)):
        told(template, a_stop_arrives_late_and_the_clock_jumps)


def test_no_stop_is_placed_for_a_leg_that_is_being_closed(template: Template) -> None:
    async def story(world: World) -> None:
        key = (await an_order_under_way(world)).key
        placed = await protect(world, key)
        assert placed == StopPlaced(success=False, error="a close of the leg is under way")
        await until(lambda: not world.active_rows(), 60, "the leg is closed")

    told(template, story)


def test_a_stop_is_placed_for_a_leg_once_its_close_has_been_given_up(template: Template) -> None:
    async def story(world: World) -> None:
        key = world.open(BYBIT, XRP, Side.SHORT, hours=40.0, stop=False).key
        world.faults.order(
            Fault(kind=FaultKind.ERROR_CODE, endpoint="order.create", code="110017", count=2)
        )
        await world.start_guard()
        await until(
            lambda: any(kind == f"operator:{key}" for _, kind, _ in world.alerts()),
            120,
            "the close is given up",
        )
        world.faults.clear()
        placed = await protect(world, key)
        assert placed.success, placed.error

    told(template, story)
