"""One leg, asked for by name: named flat where the venue does so, never absent by a bad reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from messages.values import LegKey, Side
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer, CannedVenue
from tests.venues.conftest import Opened, run
from venues.exchanges import EXCHANGES
from venues.port import Venue


@dataclass(frozen=True, slots=True)
class Named:
    """Where a venue is asked for one symbol, and what of its reply is around the rows."""

    exchange: str
    path: str
    around: str

    def body(self, rows: list[Any]) -> Any:
        if self.around == "one row":
            return rows[0]
        if self.around == "one row in data":
            return {"code": "200000", "data": rows[0]}
        return BY_EXCHANGE[self.exchange].listed(rows)


NAMED = (
    Named("bybit", "/v5/position/list", "as the list"),
    Named("binanceusdm", "/fapi/v2/positionRisk", "as the list"),
    Named("okx", "/api/v5/account/positions", "as the list"),
    Named("bitget", "/api/v2/mix/position/single-position", "as the list"),
    Named("gate", "/futures/usdt/positions/BTC_USDT", "one row"),
    Named("kucoinfutures", "/api/v1/position", "one row in data"),
    Named("mexc", "/position/open_positions", "as the list"),
    Named("bingx", "/swap/v2/user/positions", "as the list"),
)
HELD_ONLY = tuple(it for it in NAMED if not EXCHANGES[it.exchange].facts.names_flat)
NAMES_FLAT = tuple(it for it in NAMED if EXCHANGES[it.exchange].facts.names_flat)


def exchange_of(named: Named) -> str:
    return named.exchange


def key_of(exchange: str) -> LegKey:
    return LegKey("main", BY_EXCHANGE[exchange].symbol, Side.LONG)


def test_every_venue_that_can_be_asked_is_tried_here() -> None:
    asked = {known.facts.exchange for known in EXCHANGES.values() if known.facts.by_symbol}
    assert asked == {named.exchange for named in NAMED}


@pytest.mark.parametrize("named", NAMED, ids=exchange_of)
def test_a_leg_that_is_held_is_shown_by_name(named: Named, opened: Opened) -> None:
    bodies = BY_EXCHANGE[named.exchange]

    async def scenario() -> None:
        async with opened(named.exchange) as (canned, venue):
            assert venue.can_query_symbol
            canned.on("GET", named.path, Answer(body=named.body([bodies.row(bodies.size)])))
            snapshot = await venue.fetch_position(key_of(named.exchange))
            assert snapshot.complete, snapshot.problems
            found = snapshot.find(key_of(named.exchange))
            assert found is not None
            assert str(found.quantity) == bodies.quantity
            assert snapshot.scope.symbols == frozenset({bodies.symbol})
            assert len(canned.asked(named.path)) == 1

    run(scenario())


@pytest.mark.parametrize("named", NAMES_FLAT, ids=exchange_of)
def test_a_flat_leg_is_named_with_a_size_of_zero(named: Named, opened: Opened) -> None:
    bodies = BY_EXCHANGE[named.exchange]

    async def scenario() -> None:
        async with opened(named.exchange) as (canned, venue):
            canned.on("GET", named.path, Answer(body=named.body([bodies.row("0")])))
            snapshot = await venue.fetch_position(key_of(named.exchange))
            assert snapshot.complete, snapshot.problems
            assert key_of(named.exchange) in snapshot.flat

    run(scenario())


@pytest.mark.parametrize("named", HELD_ONLY, ids=exchange_of)
def test_where_only_held_legs_are_listed_an_empty_list_is_an_answer(
    named: Named, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(named.exchange) as (canned, venue):
            canned.on("GET", named.path, Answer(body=named.body([])))
            snapshot = await venue.fetch_position(key_of(named.exchange))
            assert snapshot.complete, snapshot.problems
            assert snapshot.positions == ()
            assert not snapshot.flat

    run(scenario())


@pytest.mark.parametrize("named", NAMED, ids=exchange_of)
def test_a_wrong_answer_by_name_is_a_damaged_read(named: Named, opened: Opened) -> None:
    bodies = BY_EXCHANGE[named.exchange]

    async def wrong(canned: CannedVenue, venue: Venue, answer: Answer) -> None:
        canned.on("GET", named.path, answer)
        snapshot = await venue.fetch_position(key_of(named.exchange))
        assert not snapshot.complete, answer
        assert not snapshot.flat

    async def scenario() -> None:
        async with opened(named.exchange) as (canned, venue):
            stranger = bodies.stranger(bodies.row("0"))
            for answer in (
                Answer(text=""),
                Answer(text="<html>busy</html>"),
                Answer(body={}),
                Answer(status=502, text="bad gateway"),
                Answer(body=named.body([stranger])),
            ):
                await wrong(canned, venue, answer)

    run(scenario())


@pytest.mark.parametrize(
    ("exchange", "path", "answer"),
    [
        (
            "gate",
            "/futures/usdt/positions/BTC_USDT",
            Answer(body={"label": "POSITION_NOT_FOUND", "message": "no position"}, status=400),
        ),
        (
            "kucoinfutures",
            "/api/v1/position",
            Answer(body={"code": "200000", "msg": "Position does not exist"}),
        ),
    ],
)
def test_a_venue_that_says_that_there_is_no_such_position_has_answered(
    exchange: str, path: str, answer: Answer, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            canned.on("GET", path, answer)
            snapshot = await venue.fetch_position(key_of(exchange))
            assert snapshot.complete, snapshot.problems
            assert snapshot.positions == ()
            assert not snapshot.flat

    run(scenario())


def test_both_sides_of_gates_dual_mode_are_named(opened: Opened) -> None:
    bodies = BY_EXCHANGE["gate"]
    rows = [
        bodies.row("0") | {"mode": "dual_long"},
        bodies.row("0") | {"mode": "dual_short", "size": -3},
    ]

    async def scenario() -> None:
        async with opened("gate") as (canned, venue):
            path = "/futures/usdt/positions/BTC_USDT"
            canned.on("GET", path, Answer(body=rows))
            snapshot = await venue.fetch_position(key_of("gate"))
            assert snapshot.complete, snapshot.problems
            assert snapshot.flat == {key_of("gate")}
            assert [found.key.side for found in snapshot.positions] == [Side.SHORT]
            canned.on("GET", path, Answer(body=rows[1:]))
            assert not (await venue.fetch_position(key_of("gate"))).complete

    run(scenario())
