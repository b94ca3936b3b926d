"""Stops as ten venues write them, through the real ccxt classes to what they cover.

A stop that cannot be read leaves a problem, so that a leg is never called naked because of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from messages.values import LegKey, OrderSide, Side
from messages.venue import VenuePosition
from rules.protection import Cover, coverage
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.conftest import Opened, run
from tests.venues.stop_bodies import PATHS, STOPS, install
from venues.port import Venue

Json = Any
SHORT = Side.SHORT
STOP = Decimal(45000)
HELD = Decimal("0.03")


def leg(exchange: str, side: Side, *, hedged: bool) -> VenuePosition:
    """A leg that the stop of `stop_bodies.py`, or its mirror image at 57000, covers."""
    key = LegKey("main", BY_EXCHANGE[exchange].symbol, side)
    return VenuePosition(
        key=key, contracts=HELD, quantity=HELD, mark_price=Decimal(51000), hedged=hedged
    )


async def cover(venue: Venue, exchange: str, side: Side = Side.LONG, *, hedged: bool) -> Cover:
    told = await venue.fetch_protection((BY_EXCHANGE[exchange].symbol,))
    return coverage(leg(exchange, side, hedged=hedged), told).level


@pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])
@pytest.mark.parametrize("exchange", list(STOPS))
def test_a_working_stop_covers_its_leg_and_not_the_other(
    exchange: str, hedged: bool, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            install(canned, exchange, [STOPS[exchange]], asked=ASKED.get(exchange))
            told = await venue.fetch_protection((BY_EXCHANGE[exchange].symbol,))
            assert told.problems == ()
            (stop,) = told.orders
            assert stop.side is OrderSide.SELL
            assert (stop.trigger_price, stop.quantity) == (STOP, HELD)
            assert stop.is_stop
            assert stop.reduce_only
            assert stop.order_id
            assert coverage(leg(exchange, Side.LONG, hedged=hedged), told).level is Cover.COVERED
            assert coverage(leg(exchange, SHORT, hedged=hedged), told).level is Cover.NAKED

    run(scenario())


@pytest.mark.parametrize("exchange", list(STOPS))
def test_where_a_venue_lists_no_stop_a_leg_is_naked(exchange: str, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            install(canned, exchange, [])
            assert await cover(venue, exchange, hedged=False) is Cover.NAKED

    run(scenario())


ASKED = {"okx": ("ordType", "conditional"), "bitget": ("planType", "profit_loss")}
"""The one question of several that is answered with the stop."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Another way to write a stop. `asked` as in `ASKED`, if it is another question here."""

    name: str
    exchange: str
    changes: dict[str, Json]
    cover: Cover
    side: Side = Side.LONG
    hedged: bool = True
    asked: tuple[str, str] | None = None
    gone: tuple[str, ...] = field(default=())

    @property
    def row(self) -> dict[str, Json]:
        row = {**STOPS[self.exchange], **self.changes}
        return {key: value for key, value in row.items() if key not in self.gone}


_PLAN = ("planType", "normal_plan")
_INITIAL: dict[str, Json] = STOPS["gate"]["initial"]
_WHOLE_GATE = {**_INITIAL, "size": 0, "is_close": True}

VARIANTS = (
    # The whole position, in the words of each venue.
    Variant("whole", "bybit", {"qty": "0", "closeOnTrigger": True}, Cover.COVERED),
    Variant("whole", "binanceusdm", {"closePosition": True, "quantity": "0"}, Cover.COVERED),
    Variant("whole", "okx", {"closeFraction": "1", "sz": ""}, Cover.COVERED),
    Variant("whole", "bitget", {"planType": "pos_loss", "size": ""}, Cover.COVERED),
    Variant(
        "whole",
        "gate",
        {"initial": _WHOLE_GATE, "order_type": "close-long-position"},
        Cover.COVERED,
    ),
    Variant("whole", "kucoinfutures", {"closeOrder": True, "size": None}, Cover.COVERED),
    Variant(
        "whole",
        "hyperliquid",
        {"isPositionTpsl": True, "sz": "0.0", "origSz": "0.0"},
        Cover.COVERED,
    ),
    Variant("whole", "bingx", {"closePosition": "true", "origQty": "0"}, Cover.COVERED),
    # A part of it.
    Variant("a part", "binanceusdm", {"quantity": "0.01"}, Cover.PARTLY),
    Variant("a part", "okx", {"sz": "1"}, Cover.PARTLY),
    Variant("a part", "gate", {"initial": {**_INITIAL, "size": -100}}, Cover.PARTLY),
    Variant("a part", "mexc", {"vol": 100}, Cover.PARTLY),
    # Legs that are short.
    Variant(
        "short",
        "bitget",
        {"side": "sell", "posSide": "short", "triggerPrice": "57000"},
        Cover.COVERED,
        SHORT,
    ),
    Variant(
        "short, of size 0",
        "gate",
        {
            "initial": _WHOLE_GATE,
            "trigger": {"strategy_type": 0, "price_type": 0, "price": "57000", "rule": 1},
            "order_type": "plan-close-short-position",
        },
        Cover.COVERED,
        SHORT,
    ),
    Variant("short", "mexc", {"positionType": 2, "stopLossPrice": 57000}, Cover.COVERED, SHORT),
    Variant(
        "short",
        "kucoinfutures",
        {"side": "buy", "stop": "up", "stopPrice": "57000"},
        Cover.COVERED,
        SHORT,
        False,
    ),
    # Take-profits: they protect nothing.
    Variant("profit", "bybit", {"stopOrderType": "TakeProfit"}, Cover.NAKED),
    Variant("profit", "binanceusdm", {"orderType": "TAKE_PROFIT_MARKET"}, Cover.NAKED),
    Variant(
        "profit", "okx", {"slTriggerPx": "", "slOrdPx": "", "tpTriggerPx": "45000"}, Cover.NAKED
    ),
    Variant("profit", "bitget", {"planType": "pos_profit", "size": ""}, Cover.NAKED),
    Variant("profit", "kucoinfutures", {"stop": "up"}, Cover.NAKED),
    Variant("profit", "hyperliquid", {"orderType": "Take Profit Market"}, Cover.NAKED),
    Variant("profit", "krakenfutures", {"orderType": "take_profit"}, Cover.NAKED),
    Variant("profit", "mexc", {"stopLossPrice": None, "takeProfitPrice": 57000}, Cover.NAKED),
    Variant("profit", "bingx", {"type": "TAKE_PROFIT_MARKET"}, Cover.NAKED),
    # Orders that open, and stops that work no more.
    Variant(
        "opens a short",
        "bitget",
        {"side": "sell", "posSide": "short", "tradeSide": "open"},
        Cover.NAKED,
        asked=_PLAN,
    ),
    Variant("triggered", "mexc", {"state": 3}, Cover.NAKED),
    Variant("cancelled", "gate", {"status": "finished", "finish_as": "cancelled"}, Cover.NAKED),
    # Two prices in one order: the stop counts.
    Variant(
        "both ends",
        "okx",
        {"ordType": "oco", "tpTriggerPx": "57000"},
        Cover.COVERED,
        asked=("ordType", "oco"),
    ),
    # Trailing stops: with a price they count, without one nobody can tell.
    Variant(
        "trailing",
        "okx",
        {"ordType": "move_order_stop", "slTriggerPx": "", "slOrdPx": "", "moveTriggerPx": "45000"},
        Cover.COVERED,
        asked=("ordType", "move_order_stop"),
    ),
    Variant(
        "waiting trail",
        "okx",
        {"ordType": "move_order_stop", "slTriggerPx": "", "slOrdPx": ""},
        Cover.CANNOT_TELL,
        asked=("ordType", "move_order_stop"),
    ),
    Variant(
        "waiting trail",
        "binanceusdm",
        {"orderType": "TRAILING_STOP_MARKET", "triggerPrice": "0.000"},
        Cover.CANNOT_TELL,
    ),
    Variant(
        "waiting trail",
        "bitget",
        {"planType": "track_plan", "triggerPrice": "", "stopLossTriggerPrice": None},
        Cover.CANNOT_TELL,
        asked=("planType", "track_plan"),
    ),
    Variant(
        "waiting trail",
        "bingx",
        {"type": "TRAILING_STOP_MARKET", "stopPrice": ""},
        Cover.CANNOT_TELL,
    ),
    Variant(
        "waiting trail",
        "krakenfutures",
        {"orderType": "trailing_stop"},
        Cover.CANNOT_TELL,
        gone=("stopPrice",),
    ),
    # What cannot be read says so.
    Variant("a fraction", "okx", {"closeFraction": "0.6", "sz": ""}, Cover.CANNOT_TELL),
    Variant("paused", "okx", {"state": "pause"}, Cover.CANNOT_TELL),
    Variant("new status", "bitget", {"planStatus": "dreaming"}, Cover.CANNOT_TELL),
    Variant("no size", "kucoinfutures", {"size": None}, Cover.CANNOT_TELL),
    Variant("no size", "mexc", {"vol": None}, Cover.CANNOT_TELL),
    Variant("no side", "mexc", {"positionType": 0}, Cover.CANNOT_TELL),
    Variant("no side", "binanceusdm", {"side": None}, Cover.CANNOT_TELL),
)


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: f"{case.exchange} {case.name}")
def test_a_stop_covers_what_its_venue_says(case: Variant, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(case.exchange) as (canned, venue):
            asked = case.asked or ASKED.get(case.exchange)
            install(canned, case.exchange, [case.row], asked=asked)
            found = await cover(venue, case.exchange, case.side, hedged=case.hedged)
            assert found is case.cover

    run(scenario())


@pytest.mark.parametrize("exchange", ["okx", "bitget", "gate"])
def test_a_full_page_of_stops_may_not_be_all_of_them(exchange: str, opened: Opened) -> None:
    elsewhere = {"okx": "slTriggerPx", "bitget": "triggerPrice"}.get(exchange)
    row = dict(STOPS[exchange])
    if elsewhere is None:
        row["trigger"] = {**row["trigger"], "price": "1"}
    else:
        row[elsewhere] = "1"

    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            install(canned, exchange, [row] * 99)
            assert await cover(venue, exchange, hedged=False) is Cover.NAKED
            install(canned, exchange, [row] * 100)
            assert await cover(venue, exchange, hedged=False) is Cover.CANNOT_TELL

    run(scenario())


def test_kucoins_further_pages_of_stops_are_not_taken_for_none(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("kucoinfutures") as (canned, venue):
            page = {"currentPage": 1, "pageSize": 50, "totalNum": 51, "totalPage": 2, "items": []}
            canned.on("GET", PATHS["kucoinfutures"], {"code": "200000", "data": page})
            assert await cover(venue, "kucoinfutures", hedged=False) is Cover.CANNOT_TELL
            page = {**page, "totalNum": 0, "totalPage": 0}
            canned.on("GET", PATHS["kucoinfutures"], {"code": "200000", "data": page})
            assert await cover(venue, "kucoinfutures", hedged=False) is Cover.NAKED

    run(scenario())


@pytest.mark.parametrize(
    ("algos", "stop", "profit"),
    [
        ([("45000", "57000", "1")], "45000", "57000"),
        # The last of the position is closed at the lower of two stops, the higher of two profits.
        ([("46000", "55000", "0.6"), ("45000", "57000", "0.4")], "45000", "57000"),
        ([("46000", "", "0.6"), ("", "57000", "0.4")], None, None),
        ([("46000", "", "1"), ("45000", "", "1")], "46000", None),
        ([("46000", "", "")], None, None),
        ([], None, None),
    ],
)
def test_okx_stops_attached_to_a_position_are_read_where_they_cover_all_of_it(
    algos: list[tuple[str, str, str]], stop: str | None, profit: str | None, opened: Opened
) -> None:
    bodies = BY_EXCHANGE["okx"]
    attached = [
        {
            "algoId": "123",
            "slTriggerPx": sl,
            "slTriggerPxType": "mark",
            "tpTriggerPx": tp,
            "tpTriggerPxType": "mark",
            "closeFraction": fraction,
        }
        for sl, tp, fraction in algos
    ]

    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            row = {**bodies.row("3"), "closeOrderAlgo": attached}
            canned.on("GET", bodies.positions, bodies.listed([row]))
            (position,) = (await venue.fetch_positions()).positions
            assert position.stop_loss == (None if stop is None else Decimal(stop))
            assert position.take_profit == (None if profit is None else Decimal(profit))

    run(scenario())


@pytest.mark.parametrize("broken", ["junk", {"a": 1}, ["junk"], [{"slTriggerPx": "45000"}]])
def test_damage_in_okx_attached_stops_covers_nothing(broken: Json, opened: Opened) -> None:
    bodies = BY_EXCHANGE["okx"]

    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            row = {**bodies.row("3"), "closeOrderAlgo": broken}
            canned.on("GET", bodies.positions, bodies.listed([row]))
            snapshot = await venue.fetch_positions()
            assert snapshot.complete
            assert [position.stop_loss for position in snapshot.positions] == [None]

    run(scenario())
