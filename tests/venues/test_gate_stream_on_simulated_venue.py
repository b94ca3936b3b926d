"""Gate's stream of positions and orders, followed by the real ccxt.pro over TLS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from messages.values import LegKey, OrderSide
from messages.venue import (
    Accepted,
    Hint,
    OrderHint,
    OrderStatus,
    OrderType,
    PositionHint,
    VenueError,
)
from simulator import Exchange, Fault, FaultKind
from tests.venues.conftest import run
from tests.venues.simulated import BTC, FIRST_ID, LONG, SHORT, Opened, simulated

WITHIN = 10.0
Next = Callable[[], Awaitable[Hint]]
both_modes = pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])


def following(
    test: Callable[[Opened, Next], Awaitable[None]], *, hedged: bool = False, held: str = "0.5"
) -> None:
    async def scenario() -> None:
        async with simulated(Exchange.GATE, hedged=hedged) as at:
            at.hold(held)
            hints: asyncio.Queue[Hint] = asyncio.Queue()
            stands = asyncio.Event()
            watching = asyncio.create_task(at.venue.watch(hints.put_nowait, stands.set))
            stood = asyncio.create_task(stands.wait())
            await asyncio.wait(
                (watching, stood), timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED
            )
            assert stands.is_set(), watching

            async def heard() -> Hint:
                return await asyncio.wait_for(hints.get(), WITHIN)

            await test(at, heard)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    run(scenario())


@both_modes
def test_a_close_by_hand_is_told_within_a_second(hedged: bool) -> None:
    async def test(at: Opened, heard: Next) -> None:
        closed = time.monotonic()
        at.market.close_by_hand("main", BTC, LONG, Decimal("0.2"))
        at.market.close_by_hand("main", BTC, LONG)
        leg = LegKey("main", BTC, LONG)
        told: list[Decimal] = []
        while Decimal(0) not in told:
            hint = await heard()
            if isinstance(hint, PositionHint) and hint.key == leg:
                told.append(hint.quantity)
        assert time.monotonic() - closed < 1
        assert told == [Decimal("0.3"), Decimal(0)]

    following(test, hedged=hedged)


def test_a_flip_says_that_the_old_side_is_flat() -> None:
    async def test(at: Opened, heard: Next) -> None:
        at.hold("0.7", SHORT)
        told: dict[LegKey, Decimal] = {}
        while len(told) < 2:
            hint = await heard()
            if isinstance(hint, PositionHint):
                told[hint.key] = hint.quantity
        assert told == {
            LegKey("main", BTC, LONG): Decimal(0),
            LegKey("main", BTC, SHORT): Decimal("0.2"),
        }

    following(test)


def test_an_order_of_ours_is_told_with_its_end() -> None:
    async def test(at: Opened, heard: Next) -> None:
        assert isinstance(await at.venue.place(at.order("0.2")), Accepted)
        while True:
            hint = await heard()
            if isinstance(hint, OrderHint) and hint.status.final:
                break
        assert hint.client_order_id == FIRST_ID
        assert hint.status is OrderStatus.FILLED
        assert hint.filled == Decimal("0.2")
        assert hint.end is not None
        assert hint.end.side is OrderSide.SELL
        assert hint.end.average is not None

    following(test)


def test_an_order_that_the_venue_ended_is_told_as_cancelled() -> None:
    async def test(at: Opened, heard: Next) -> None:
        price = (at.market.price(Exchange.GATE, BTC) * Decimal("1.01")).quantize(Decimal("0.1"))
        order = at.order("0.5", OrderType.LIMIT_MAKER, price=price)
        assert isinstance(await at.venue.place(order), Accepted)
        at.market.close_by_hand("main", BTC, LONG)
        statuses = []
        while OrderStatus.CANCELED not in statuses:
            hint = await heard()
            if isinstance(hint, OrderHint) and hint.client_order_id == FIRST_ID:
                statuses.append(hint.status)
        assert statuses == [OrderStatus.OPEN, OrderStatus.CANCELED]

    following(test)


def test_a_socket_that_the_venue_ends_ends_the_watch_with_a_reason() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.GATE) as at:
            stands = asyncio.Event()
            watching = asyncio.create_task(at.venue.watch(lambda hint: None, stands.set))
            await asyncio.wait_for(stands.wait(), WITHIN)
            at.sim.faults.order(Fault(kind=FaultKind.CUT_STREAM))
            ended = await asyncio.wait_for(watching, WITHIN)
            assert isinstance(ended, VenueError)
            assert ended.message

    run(scenario())


def test_a_key_that_proves_nothing_follows_nothing() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.GATE) as at:
            at.market.logins.revoke("test-key-of-main")
            stood: list[bool] = []
            ended = await asyncio.wait_for(
                at.venue.watch(lambda hint: None, lambda: stood.append(True)), WITHIN
            )
            assert ended.message
            assert stood == []

    run(scenario())
