"""Documented fills of ten venues, read by the gateway and by an independent reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from messages.values import OrderSide, Side
from messages.venue import Fills, VenueError
from tests.venues.bodies import binance_instrument
from tests.venues.canned import Answer, CannedVenue
from tests.venues.conftest import Opened, run
from tests.venues.payloads import (
    Json,
    Market,
    adapted,
    avax,
    here,
    inverse_kucoin,
    kraken,
    market_row,
    payload,
    usdc_bybit,
)

pytestmark = here


@dataclass(frozen=True, slots=True)
class FillCase:
    """A payload of fills, and its first fill: side, base quantity, price, fee."""

    exchange: str
    name: str
    path: str
    symbol: str
    first: tuple[OrderSide, str, str, str]
    market: Market
    settles: tuple[str, ...] = ("USDT",)
    method: str = "GET"
    since: datetime = datetime(2019, 9, 1, tzinfo=UTC)
    leg: Side | None = None
    changes: dict[str, Json] = field(default_factory=dict)


FILL_CASES = (
    FillCase(
        "bybit",
        "GetUserTrades",
        "/v5/execution/list",
        "ETH/USDC:USDC",
        (OrderSide.BUY, "0.1", "1190.15", "0.071409"),
        usdc_bybit,
        ("USDC",),
    ),
    FillCase(
        "binanceusdm",
        "GetUserTrades",
        "/fapi/v1/userTrades",
        "BTC/USDT:USDT",
        (OrderSide.SELL, "0.002", "7819.01", "-0.07819010"),
        lambda: ("GET", "/fapi/v1/exchangeInfo", {"symbols": [binance_instrument()]}),
    ),
    FillCase(
        "bitget",
        "GetUserTrades",
        "/api/v2/mix/order/fills",
        "ETH/USDT:USDT",
        # In hedge mode Bitget's side names the leg: "buy" that closes sells a long one.
        (OrderSide.SELL, "1", "1900", "0.017118519726"),
        lambda: market_row("bitget", symbol="ETHUSDT", baseCoin="ETH"),
        leg=Side.LONG,
    ),
    FillCase(
        "bitget",
        "GetHistoricalUserTrades",
        "/api/v2/mix/order/fills",
        "ETH/USDT:USDT",
        (OrderSide.SELL, "0.02", "1801.33", "0.02161596"),
        lambda: market_row("bitget", symbol="ETHUSDT", baseCoin="ETH"),
    ),
    FillCase(
        "okx",
        "GetUserTrades",
        "/api/v5/trade/fills-history",
        "BTC/USDT:USDT",
        (OrderSide.BUY, "0.0000192834", "51858", "0.00000192834"),
        lambda: market_row("okx"),
        changes={"instId": "BTC-USDT-SWAP", "instType": "SWAP"},
    ),
    FillCase(
        "okx",
        "GetUserTradesArchive",
        "/api/v5/trade/fills-history",
        "BTC/USDT:USDT",
        (OrderSide.BUY, "0.0000192834", "51858", "0.00000192834"),
        lambda: market_row("okx"),
        changes={"instId": "BTC-USDT-SWAP", "instType": "SWAP"},
    ),
    FillCase(
        "kucoinfutures",
        "GetUserTrades",
        "/api/v1/fills",
        "BTC/USD:BTC",
        (OrderSide.SELL, "10", "8302", "0.0000012022"),
        inverse_kucoin,
        ("BTC",),
        since=datetime(2019, 5, 1, tzinfo=UTC),
        # The documented page is one of many; here it is all that there is.
        changes={"totalNum": 1, "totalPage": 1},
    ),
    FillCase(
        "mexc",
        "GetOrderTrades",
        "/order/list/order_deals",
        "ETH/USDT:USDT",
        # Side 2 closes a short leg.
        (OrderSide.BUY, "0.01", "1208.35", "0.0072501"),
        lambda: market_row("mexc", symbol="ETH_USDT", baseCoin="ETH", contractSize=0.01),
        leg=Side.SHORT,
    ),
    FillCase(
        "gate",
        "GetUserTradesByTimestamp",
        "/futures/usdt/my_trades_timerange",
        "BTC/USDT:USDT",
        (OrderSide.BUY, "0.01", "100.123", "0.01"),
        lambda: market_row("gate"),
        since=datetime(2014, 12, 1, tzinfo=UTC),
    ),
    FillCase(
        "gate",
        "GetUserTrades",
        "/futures/usdt/my_trades_timerange",
        "BTC/USDT:USDT",
        (OrderSide.BUY, "0.01", "100.123", "0.01"),
        lambda: market_row("gate"),
        since=datetime(2014, 12, 1, tzinfo=UTC),
    ),
    FillCase(
        "hyperliquid",
        "GetUserTrades",
        "/info#userFillsByTime",
        "AVAX/USDC:USDC",
        (OrderSide.BUY, "93.53", "18.435", "0.01"),
        avax,
        ("USDC",),
        "POST",
    ),
    FillCase(
        "krakenfutures",
        "GetUserTrades",
        "/fills",
        "BTC/USD:BTC",
        (OrderSide.BUY, "5000", "9456", "0"),
        kraken,
        ("BTC",),
    ),
)


def _one_page(body: Json) -> Callable[[Any], Answer]:
    """The payload once, and then its venue's empty page: documented cursors lead nowhere."""

    def answer(request: Any) -> Answer:
        if request.query.get("cursor"):
            done = {"retCode": 0, "result": {"list": [], "nextPageCursor": ""}}
            return Answer(body=done)
        stamp = (body[0].get("time") if isinstance(body, list) else None) or 0
        start, end = (int(request.query.get(key) or 0) for key in ("startTime", "endTime"))
        if stamp and end and not start <= stamp <= end:
            return Answer(body=[])
        return Answer(body=body)

    return answer


@pytest.mark.parametrize("case", FILL_CASES, ids=lambda case: f"{case.exchange} {case.name}")
def test_documented_fills_are_read_as_their_raw_bodies_say(case: FillCase, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened(case.exchange, settles=case.settles) as (canned, venue):
            install(canned, case)
            told = await venue.fetch_fills(case.symbol, case.since)
            assert isinstance(told, Fills), told
            first = told.fills[0]
            side, quantity, price, fee = case.first
            assert first.side is side
            assert first.quantity == Decimal(quantity)
            assert first.price == Decimal(price)
            assert first.fee == Decimal(fee)
            assert first.at > case.since
            if case.leg is not None:
                assert first.position_side is case.leg

    run(scenario())


def install(canned: CannedVenue, case: FillCase) -> None:
    body = adapted(payload(case.exchange, case.name), **case.changes)
    canned.on(*case.market())
    canned.on(case.method, case.path, _one_page(body))
    canned.on("GET", "/fapi/v1/allOrders", [])


def test_bingx_documented_fills_tell_no_side_and_so_tell_nothing(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bingx") as (canned, venue):
            canned.on(*market_row("bingx", symbol="WLD-USDT", asset="WLD"))
            body = payload("bingx", "GetUserTrades")
            canned.on("GET", "/swap/v2/trade/allFillOrders", Answer(body=body))
            told = await venue.fetch_fills("WLD/USDT:USDT", datetime(2023, 12, 1, tzinfo=UTC))
            assert isinstance(told, VenueError)
            assert "lacks side" in told.message

    run(scenario())
