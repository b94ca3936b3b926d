"""A wrong answer at HTTP level never yields an empty account, on any venue."""

from __future__ import annotations

from decimal import Decimal

import pytest

from messages.values import LegKey, Side
from messages.venue import VenueErrorKind
from tests.venues.bodies import ALL, VenueBodies
from tests.venues.canned import Answer
from tests.venues.conftest import Opened, run

every_venue = pytest.mark.parametrize("bodies", ALL, ids=lambda bodies: bodies.exchange)


@every_venue
def test_an_open_position_is_read_in_base_units(bodies: VenueBodies, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(bodies.exchange) as (canned, venue):
            body = bodies.listed([bodies.row(bodies.size)])
            canned.on(bodies.method, bodies.positions, Answer(body=body))
            snapshot = await venue.fetch_positions()
            assert snapshot.problems == ()
            (position,) = snapshot.positions
            assert position.key == LegKey("main", bodies.symbol, Side.LONG)
            assert position.quantity == Decimal(bodies.quantity)
            assert position.contracts * Decimal(bodies.contract_size) == position.quantity
            assert position.entry_price == Decimal("50000.5")
            assert position.hedged is False
            assert snapshot.scope.covers(bodies.symbol)
            assert venue.calls()["fetch_positions"] == bodies.reads

    run(scenario())


@every_venue
def test_a_well_formed_empty_list_is_a_complete_read(bodies: VenueBodies, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(bodies.exchange) as (canned, venue):
            canned.on(bodies.method, bodies.positions, Answer(body=bodies.listed([])))
            snapshot = await venue.fetch_positions()
            assert snapshot.problems == ()
            assert snapshot.positions == ()

    run(scenario())


_HTML = "<html><body>Service is being upgraded</body></html>"


@every_venue
def test_no_damaged_answer_is_taken_for_an_empty_account(
    bodies: VenueBodies, opened: Opened
) -> None:
    whole = Answer(body=bodies.listed([bodies.row(bodies.size)])).written
    damaged = {
        "empty body": Answer(text=""),
        "HTML": Answer(text=_HTML),
        "cut JSON": Answer(text=whole[: len(whole) // 2]),
        "missing list": Answer(body=bodies.unlisted),
        "null": Answer(text="null"),
        "empty object": Answer(body={}),
        "list of junk": Answer(body=bodies.listed(["junk"])),
        "string": Answer(text='"ok"'),
        "server error": Answer(text="", status=502),
        "forbidden": Answer(text=_HTML, status=403),
        "unknown status": Answer(body=bodies.listed([]), status=419),
        "dropped line": Answer(text=whole[:5], cut=True),
    }

    async def scenario() -> None:
        async with opened(bodies.exchange) as (canned, venue):
            for name, answer in damaged.items():
                canned.on(bodies.method, bodies.positions, answer)
                snapshot = await venue.fetch_positions()
                assert not snapshot.complete, name
                assert snapshot.positions == (), name
                assert snapshot.problems[0].message, name

    run(scenario())


@every_venue
def test_a_row_that_no_market_fits_makes_the_read_incomplete_after_one_reload(
    bodies: VenueBodies, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(bodies.exchange) as (canned, venue):
            rows = [bodies.row(bodies.size), bodies.stranger(bodies.row(bodies.size))]
            canned.on(bodies.method, bodies.positions, Answer(body=bodies.listed(rows)))
            snapshot = await venue.fetch_positions()
            assert [position.key.symbol for position in snapshot.positions] == [bodies.symbol]
            (problem,) = snapshot.problems
            assert problem.kind is VenueErrorKind.MALFORMED
            assert "NEVER" in problem.message
            # Read once more after the markets were loaded again, and then no more.
            assert venue.calls()["fetch_positions"] == 2 * bodies.reads

    run(scenario())
