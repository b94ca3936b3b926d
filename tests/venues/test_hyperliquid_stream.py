"""The private stream of the simulated Hyperliquid, followed through the real ccxt.pro."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from messages.values import LegKey
from messages.venue import (
    Accepted,
    Canceled,
    OrderHint,
    OrderStatus,
    OrderType,
    PositionHint,
    VenueErrorKind,
)
from simulator import Fault, FaultKind
from tests.venues.conftest import run
from tests.venues.hyperliquid import BTC, hyperliquid
from tests.venues.simulated import FIRST_ID, LONG, SHORT
from tests.venues.test_order_stream import Followed, final, followed, states

WITHIN = 20.0


async def leg(stream: Followed, key: LegKey, quantity: str) -> None:
    """Wait until the stream has told that a leg is of this size."""
    wanted = (key, Decimal(quantity))
    told = None
    while told != wanted:
        hint = await asyncio.wait_for(stream.hints.get(), WITHIN)
        told = (hint.key, hint.quantity) if isinstance(hint, PositionHint) else None


def test_a_leg_that_grows_shrinks_turns_and_ends_is_told_each_time() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            # What was there before is not told as if it happened now.
            at.hold("0.3", symbol=BTC)
            async with followed(at) as stream:
                at.hold("0.2", symbol=BTC)
                await leg(stream, LegKey("main", BTC, LONG), "0.5")
                at.market.close_by_hand("main", BTC, LONG, Decimal("0.1"))
                await leg(stream, LegKey("main", BTC, LONG), "0.4")
                at.hold("1", SHORT, BTC)
                await leg(stream, LegKey("main", BTC, LONG), "0")
                await leg(stream, LegKey("main", BTC, SHORT), "0.6")
                at.market.liquidate("main", BTC, SHORT)
                await leg(stream, LegKey("main", BTC, SHORT), "0")

    run(scenario())


def test_our_orders_fill_is_told_with_its_client_order_id() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            async with followed(at) as stream:
                placed = await at.venue.place(at.order("0.2", symbol=BTC))
                assert isinstance(placed, Accepted), placed
                told = await stream.until(lambda it: it.client_order_id == FIRST_ID and final(it))
                ours = [it for it in told if it.order_id == placed.order_id]
                assert {(it.symbol, it.client_order_id) for it in ours} == {(BTC, FIRST_ID)}
                assert states(ours) == [("open", "0.0"), ("filled", "0.2")]

    run(scenario())


def test_a_stops_life_is_told() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            async with followed(at) as stream:
                order = at.order(
                    "0.5", OrderType.STOP_MARKET, symbol=BTC, trigger_price=Decimal(61000)
                )
                assert isinstance(await at.venue.place(order), Accepted)
                at.market.set_price(BTC, Decimal(60900))
                told = await stream.until(final)
                assert states(told)[0] == ("open", "0.0")
                assert states(told)[-1] == ("filled", "0.5")

    run(scenario())


def test_a_cancelled_order_is_told() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            async with followed(at) as stream:
                order = at.order("0.5", OrderType.LIMIT_MAKER, symbol=BTC, price=Decimal(65000))
                placed = await at.venue.place(order)
                assert isinstance(placed, Accepted), placed
                assert isinstance(await at.venue.cancel(BTC, placed.order_id), Canceled)
                told = await stream.until(final)
                assert told[-1].status is OrderStatus.CANCELED

    run(scenario())


def test_another_accounts_legs_are_not_told() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at, followed(at) as stream:
            at.market.open_position("other", BTC, LONG, Decimal("0.7"))
            at.hold("0.5", symbol=BTC)
            hint = await asyncio.wait_for(stream.hints.get(), WITHIN)
            while isinstance(hint, OrderHint):
                assert hint.filled in (Decimal(0), Decimal("0.5"))
                hint = await asyncio.wait_for(stream.hints.get(), WITHIN)
            assert hint.quantity == Decimal("0.5")

    run(scenario())


def test_a_cut_socket_ends_the_watch_and_says_why() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at, followed(at) as stream:
            at.sim.faults.order(Fault(kind=FaultKind.CUT_STREAM, account="main"))
            ended = await asyncio.wait_for(stream.watching, WITHIN)
            assert ended.kind is VenueErrorKind.NETWORK

    run(scenario())
