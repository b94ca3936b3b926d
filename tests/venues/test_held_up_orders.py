"""An order that its rate limiter held up for too long is never sent."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from messages.venue import OutcomeUnknown, Refused, VenueErrorKind
from tests.venues.canned import Answer
from tests.venues.conftest import Opened, now, run
from tests.venues.test_errors import ORDERS, close_order


@pytest.mark.parametrize("exchange", list(ORDERS))
def test_past_its_last_instant_an_order_is_not_sent(exchange: str, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            canned.on("POST", ORDERS[exchange], Answer(body={}))
            order = close_order(exchange)
            late = msgspec.structs.replace(order, not_after=now() - timedelta(seconds=1))
            placed = await venue.place(late)
            assert isinstance(placed, Refused), placed
            assert placed.error.kind is VenueErrorKind.RATE_LIMIT
            assert "nothing was sent" in placed.error.message
            assert canned.asked(ORDERS[exchange]) == []
            in_time = msgspec.structs.replace(order, not_after=now() + timedelta(minutes=5))
            assert isinstance(await venue.place(in_time), OutcomeUnknown)
            assert len(canned.asked(ORDERS[exchange])) == 1

    run(scenario())


def test_of_many_orders_at_once_those_at_the_queues_end_are_refused_unsent(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit", options={"enableRateLimit": "true"}) as (canned, venue):
            canned.on("POST", ORDERS["bybit"], Answer(body={}))
            await venue.connect()
            # The venue takes ten orders a second.
            last = now() + timedelta(seconds=0.9)
            order = msgspec.structs.replace(close_order("bybit"), not_after=last)
            placed = await asyncio.gather(*(venue.place(order) for _ in range(12)))
            refused = [answer for answer in placed if isinstance(answer, Refused)]
            assert refused
            assert {answer.error.kind for answer in refused} == {VenueErrorKind.RATE_LIMIT}
            assert len(canned.asked(ORDERS["bybit"])) == len(placed) - len(refused) == 10

    run(scenario())
