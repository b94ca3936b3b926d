"""Documented positions of nine venues, read by the gateway and by an independent reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest

from messages.values import LegKey, Side
from tests.venues.bodies import BY_EXCHANGE, binance_instrument
from tests.venues.canned import Answer
from tests.venues.conftest import Opened, run
from tests.venues.payloads import (
    KRAKEN_SYMBOLS,
    Json,
    Market,
    exact,
    here,
    inverse_bybit,
    inverse_kucoin,
    kraken,
    long_if,
    market_row,
    payload,
)

pytestmark = here
Leg = tuple[str, Side, Decimal]


@dataclass(frozen=True, slots=True)
class Positions:
    """A positions payload: its market, and what a reader with the documentation makes of it."""

    exchange: str
    name: str
    market: Market
    read: Callable[[Json], list[Leg]]
    settles: tuple[str, ...] = ("USDT",)


POSITIONS = (
    Positions(
        "bybit",
        "GetPositions",
        inverse_bybit,
        lambda body: [
            ("BTC/USD:BTC", long_if(row["side"] == "Buy"), exact(row["size"]))
            for row in body["result"]["list"]
        ],
        ("BTC",),
    ),
    Positions(
        "binanceusdm",
        "GetPositions",
        lambda: ("GET", "/fapi/v1/exchangeInfo", {"symbols": [binance_instrument()]}),
        lambda body: [
            ("BTC/USDT:USDT", Side(row["positionSide"].lower()), exact(row["positionAmt"]))
            for row in body
            if exact(row["positionAmt"])
        ],
    ),
    Positions(
        "okx",
        "GetAccountPositions",
        lambda: market_row(
            "okx",
            instId="ETH-USD-210430",
            instType="FUTURES",
            uly="ETH-USD",
            settleCcy="ETH",
            ctVal="10",
            expTime="1619769600000",
        ),
        lambda body: [
            ("ETH/USD:ETH-210430", Side(row["posSide"]), exact(row["pos"]) * 10)
            for row in body["data"]
        ],
    ),
    Positions(
        "bitget",
        "GetPositions",
        lambda: market_row("bitget"),
        lambda body: [
            ("BTC/USDT:USDT", Side(row["holdSide"]), exact(row["total"])) for row in body["data"]
        ],
    ),
    Positions(
        "gate",
        "GetPositions",
        lambda: market_row("gate"),
        lambda body: [
            ("BTC/USDT:USDT", long_if(row["size"] > 0), abs(exact(row["size"])) / 10000)
            for row in body
        ],
    ),
    Positions(
        "gate",
        "GetDualModePositions",
        lambda: market_row("gate"),
        lambda body: [
            ("BTC/USDT:USDT", long_if(row["size"] > 0), abs(exact(row["size"])) / 10000)
            for row in body
        ],
    ),
    Positions(
        "kucoinfutures",
        "GetPositions",
        lambda: market_row("kucoinfutures"),
        lambda body: [
            ("BTC/USDT:USDT", long_if(row["currentQty"] > 0), exact(row["currentQty"]) / 1000)
            for row in body["data"]
        ],
    ),
    Positions(
        "krakenfutures",
        "GetOpenPositions",
        kraken,
        lambda body: [
            (KRAKEN_SYMBOLS[row["symbol"]], Side(row["side"]), exact(row["size"]))
            for row in body["openPositions"]
        ],
    ),
    Positions(
        "mexc",
        "GetPositions",
        lambda: market_row("mexc", symbol="ETH_USDT", baseCoin="ETH", contractSize=0.01),
        lambda body: [
            ("ETH/USDT:USDT", long_if(row["positionType"] == 1), exact(row["holdVol"]) / 100)
            for row in body["data"]
        ],
    ),
    Positions(
        "bingx",
        "GetPositions",
        lambda: market_row("bingx", symbol="BNB-USDT", asset="BNB"),
        lambda body: [
            ("BNB/USDT:USDT", Side(row["positionSide"].lower()), exact(row["positionAmt"]))
            for row in body["data"]
        ],
    ),
)


@pytest.mark.parametrize("case", POSITIONS, ids=lambda case: f"{case.exchange} {case.name}")
def test_documented_positions_are_read_as_their_raw_bodies_say(
    case: Positions, opened: Opened
) -> None:
    body = payload(case.exchange, case.name)

    async def scenario() -> None:
        async with opened(case.exchange, settles=case.settles) as (canned, venue):
            canned.on(*case.market())
            canned.on("GET", BY_EXCHANGE[case.exchange].positions, Answer(body=body))
            snapshot = await venue.fetch_positions()
            assert snapshot.problems == ()
            told = [(p.key.symbol, p.key.side, p.quantity) for p in snapshot.positions]
            assert sorted(told) == sorted(case.read(body))

    run(scenario())


def test_binances_flat_row_by_symbol_is_a_complete_read_without_a_leg(opened: Opened) -> None:
    key = LegKey("main", "BTC/USDT:USDT", Side.LONG)

    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            body = payload("binanceusdm", "GetPositionInformation")
            canned.on("GET", "/fapi/v2/positionRisk", Answer(body=body))
            snapshot = await venue.fetch_position(key)
            assert snapshot.problems == ()
            assert snapshot.positions == ()
            assert snapshot.scope.covers(key.symbol)

    run(scenario())


@pytest.mark.parametrize(
    ("quantity", "side"), [(20000, Side.LONG), (-20000, Side.SHORT)], ids=["long", "short"]
)
def test_kucoins_documented_row_of_an_inverse_contract_counts_quote_units(
    quantity: int, side: Side, opened: Opened
) -> None:
    body = payload("kucoinfutures", "GetPositions")
    changes = {"symbol": "XBTUSDM", "currentQty": quantity, "settleCurrency": "XBT"}
    body["data"][0] |= {**changes, "isInverse": True}

    async def scenario() -> None:
        async with opened("kucoinfutures", settles=("BTC",)) as (canned, venue):
            canned.on(*inverse_kucoin())
            canned.on("GET", BY_EXCHANGE["kucoinfutures"].positions, Answer(body=body))
            snapshot = await venue.fetch_positions()
            assert snapshot.problems == ()
            (position,) = snapshot.positions
            assert position.key == LegKey("main", "BTC/USD:BTC", side)
            assert position.quantity == Decimal(20000)

    run(scenario())
