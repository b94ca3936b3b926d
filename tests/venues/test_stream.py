"""The position stream against the simulated venue's sockets."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest

from messages.values import LegKey
from messages.venue import Hint, PositionHint, VenueError, VenueErrorKind
from simulator import Exchange, Fault, FaultKind
from simulator.instruments import WHOLE
from tests.venues.conftest import Opened, run
from tests.venues.simulated import BTC, LONG, SHORT, simulated

both = pytest.mark.parametrize("exchange", WHOLE, ids=lambda exchange: exchange.value)
WITHIN = 10.0


@both
@pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])
def test_a_close_by_hand_is_told_within_a_second(exchange: Exchange, hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(exchange, hedged=hedged) as at:
            at.hold("0.5")
            hints: asyncio.Queue[Hint] = asyncio.Queue()
            stands = asyncio.Event()
            watching = asyncio.create_task(at.venue.watch(hints.put_nowait, stands.set))
            await asyncio.wait_for(stands.wait(), WITHIN)
            closed = time.monotonic()
            at.market.close_by_hand("main", BTC, LONG, Decimal("0.2"))
            at.market.close_by_hand("main", BTC, LONG)
            leg = LegKey("main", BTC, LONG)
            told: list[Decimal] = []
            while Decimal(0) not in told:
                hint = await asyncio.wait_for(hints.get(), WITHIN)
                if not isinstance(hint, PositionHint):
                    continue
                assert hint.key.side is LONG or hint.quantity == 0
                if hint.key == leg:
                    told.append(hint.quantity)
            assert time.monotonic() - closed < 1
            assert told == [Decimal("0.3"), Decimal(0)]
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    run(scenario())


@both
def test_a_flip_says_that_the_old_side_is_flat(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            hints: asyncio.Queue[Hint] = asyncio.Queue()
            stands = asyncio.Event()
            watching = asyncio.create_task(at.venue.watch(hints.put_nowait, stands.set))
            await asyncio.wait_for(stands.wait(), WITHIN)
            at.hold("0.7", SHORT)
            told: dict[LegKey, Decimal] = {}
            while len(told) < 2:
                hint = await asyncio.wait_for(hints.get(), WITHIN)
                if not isinstance(hint, PositionHint):
                    continue
                told[hint.key] = hint.quantity
            assert told == {
                LegKey("main", BTC, LONG): Decimal(0),
                LegKey("main", BTC, SHORT): Decimal("0.2"),
            }
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    run(scenario())


@both
def test_a_socket_that_the_venue_ends_ends_the_watch_with_a_reason(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            stands = asyncio.Event()
            watching = asyncio.create_task(at.venue.watch(lambda hint: None, stands.set))
            await asyncio.wait_for(stands.wait(), WITHIN)
            at.sim.faults.order(Fault(kind=FaultKind.CUT_STREAM))
            ended = await asyncio.wait_for(watching, WITHIN)
            assert isinstance(ended, VenueError)
            assert ended.message

    run(scenario())


def test_a_venue_without_a_stream_says_so_at_once(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("krakenfutures") as (canned, venue):
            ended = await venue.watch(lambda hint: None, lambda: None)
            assert "no position stream" in ended.message
            assert ended.kind is VenueErrorKind.UNSUPPORTED
            assert canned.seen == []

    run(scenario())
