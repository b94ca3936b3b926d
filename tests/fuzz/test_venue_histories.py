"""Damaged histories, by-name answers and identities of every exchange: a value, never an exception.

And never a leg called flat, or a login called somebody, by what is only half a reply.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from messages.venue import ClosedPositions, Fills, Identity, NotTold, Snapshot, VenueError
from tests.fuzz.damage import Damage, damaged, damages
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened
from tests.venues.test_by_name import NAMED, Named, key_of
from tests.venues.test_closed_positions import KEPT, SINCE, Kept
from tests.venues.test_fill_pages import BEGUN, HISTORIES, History
from tests.venues.test_identity import TOLD, Told

LIMIT = 20
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.exchange)
def test_damaged_fills_are_values(history: History, opened: Opened) -> None:
    rows = [history.row(number) for number in range(3)]
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        canned, venue = runner.run(stack.enter_async_context(opened(history.exchange)))
        canned.on("GET", "/fapi/v1/allOrders", [])
        symbol = BY_EXCHANGE[history.exchange].symbol
        damage_now: list[Damage] = []

        def answer(seen: Seen) -> Answer:
            body = history.answer(rows, seen)
            return Answer(text=json.dumps(damaged(body, damage_now[0])[0] if damage_now else body))

        canned.on(history.method, history.path, answer)
        assert isinstance(runner.run(venue.fetch_fills(symbol, BEGUN)), Fills)

        @quick
        @given(damage=damages)
        def check(damage: Damage) -> None:
            damage_now[:] = [damage]
            told = runner.run(asyncio.wait_for(venue.fetch_fills(symbol, BEGUN), LIMIT))
            assert isinstance(told, Fills | VenueError), told
            for fill in told.fills if isinstance(told, Fills) else ():
                assert Decimal(0) < fill.quantity < Decimal("Infinity")
                assert fill.price > 0
                assert fill.at >= BEGUN

        check()
        runner.run(stack.aclose())


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.exchange)
def test_damaged_ends_of_positions_are_values(kept: Kept, opened: Opened) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        canned, venue = runner.run(stack.enter_async_context(opened(kept.exchange)))
        symbol = BY_EXCHANGE[kept.exchange].symbol
        body = kept.listed([kept.row])
        canned.on(kept.method, kept.path, Answer(body=body))
        assert isinstance(runner.run(venue.closed_positions(symbol, SINCE)), ClosedPositions)

        @quick
        @given(damage=damages)
        def check(damage: Damage) -> None:
            changed, _ = damaged(body, damage)
            canned.on(kept.method, kept.path, Answer(text=json.dumps(changed)))
            told = runner.run(asyncio.wait_for(venue.closed_positions(symbol, SINCE), LIMIT))
            assert isinstance(told, ClosedPositions | VenueError), told
            for record in told.records if isinstance(told, ClosedPositions) else ():
                assert Decimal(0) < record.quantity < Decimal("Infinity")
                assert record.ended_at >= SINCE
                assert record.record_id

        check()
        runner.run(stack.aclose())


@pytest.mark.parametrize("named", NAMED, ids=lambda named: named.exchange)
def test_a_damaged_answer_by_name_calls_no_held_leg_flat(named: Named, opened: Opened) -> None:
    bodies = BY_EXCHANGE[named.exchange]
    key = key_of(named.exchange)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        canned, venue = runner.run(stack.enter_async_context(opened(named.exchange)))
        body = named.body([bodies.row(bodies.size)])
        canned.on("GET", named.path, Answer(body=body))
        shown = runner.run(venue.fetch_position(key))
        assert shown.find(key) is not None

        @quick
        @given(damage=damages)
        def check(damage: Damage) -> None:
            changed, path = damaged(body, damage)
            canned.on("GET", named.path, Answer(text=json.dumps(changed)))
            snapshot = runner.run(asyncio.wait_for(venue.fetch_position(key), LIMIT))
            assert isinstance(snapshot, Snapshot)
            if snapshot.complete and key in snapshot.flat:
                # Only a size that was made zero, or a side that was turned, says so.
                assert _at(changed, path) in (0, "0", -1, "-1", "-0.0", -0.0), (path, damage)

        check()
        runner.run(stack.aclose())


def _at(body: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            body = body[step]
        except (KeyError, IndexError, TypeError):
            return None
    return body


@pytest.mark.parametrize("case", TOLD, ids=lambda case: f"{case.exchange} {case.told.id[-4:]}")
def test_a_damaged_identity_is_an_error_or_the_words_that_came(case: Told, opened: Opened) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        canned, venue = runner.run(stack.enter_async_context(opened(case.exchange)))

        @quick
        @given(damage=damages)
        def check(damage: Damage) -> None:
            changed, _ = damaged(case.body, damage)
            written = json.dumps(changed)
            canned.on(case.method, case.path, Answer(text=written))
            told = runner.run(asyncio.wait_for(venue.identity(), LIMIT))
            assert isinstance(told, Identity | NotTold | VenueError), told
            if isinstance(told, Identity) and case.exchange != "hyperliquid":
                assert told.id in written

        check()
        runner.run(stack.aclose())
