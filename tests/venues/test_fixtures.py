"""Documented payloads of ten venues, read by the gateway and by an independent reading.

The folder is outside the repository; without it these tests are skipped. Markets are made for
the instruments that the payloads name.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.values import OrderSide, Side
from messages.venue import Fills, OrderRecord, OrderStatus
from tests.venues.bodies import BY_EXCHANGE, binance_instrument, bybit_instrument
from tests.venues.canned import Answer, CannedVenue
from tests.venues.conftest import Opened, run

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the payloads are not here")

Json = Any
Leg = tuple[str, Side, Decimal]
FILES = {"binanceusdm": "binance"}


def payload(exchange: str, name: str) -> Json:
    entries = json.loads((FIXTURES / f"{FILES.get(exchange, exchange)}.json").read_text())
    return next(entry["body"] for entry in entries if entry["name"] == name)


def market_row(exchange: str, **changes: Json) -> Json:
    """The venue's own market body of `bodies.py`, with another instrument in it."""
    method, path, body = copy.deepcopy(BY_EXCHANGE[exchange].markets[0])
    rows = body if isinstance(body, list) else body.get("data") or body.get("instruments")
    rows[0].update(changes)
    return method, path, body


def exact(value: Json) -> Decimal:
    return Decimal(str(value))


def long_if(condition: bool) -> Side:
    return Side.LONG if condition else Side.SHORT


@dataclass(frozen=True, slots=True)
class Positions:
    """A positions payload: its market, and what a reader with the documentation makes of it."""

    exchange: str
    name: str
    market: Callable[[], tuple[str, str, Json]]
    read: Callable[[Json], list[Leg]]
    settles: tuple[str, ...] = ("USDT",)


def _inverse_bybit() -> tuple[str, str, Json]:
    row = {
        **bybit_instrument("BTCUSD", "BTC"),
        "contractType": "InversePerpetual",
        "quoteCoin": "USD",
        "settleCoin": "BTC",
        # A least order of its own, so that it is not taken for the size of a contract.
        "lotSizeFilter": {"minOrderQty": "5", "maxOrderQty": "1000000", "qtyStep": "1"},
    }
    body = {"retCode": 0, "result": {"category": "inverse", "list": [row]}}
    return "GET", "/v5/market/instruments-info", body


def _kraken() -> tuple[str, str, Json]:
    method, path, body = market_row("krakenfutures")
    (flexible,) = body["instruments"]
    inverse = {**flexible, "symbol": "PI_XBTUSD", "type": "futures_inverse"}
    dated = {
        **inverse,
        "symbol": "FI_XBTUSD_201225",
        "lastTradingTime": "2020-12-25T16:00:00.000Z",
    }
    body["instruments"] = [inverse, dated, {**flexible, "symbol": "PF_DEFIUSD"}]
    return method, path, body


_KRAKEN_SYMBOLS = {
    "PI_XBTUSD": "BTC/USD:BTC",
    "FI_XBTUSD_201225": "BTC/USD:BTC-201225",
    "PF_DEFIUSD": "DEFI/USD:USD",
}

POSITIONS = (
    Positions(
        "bybit",
        "GetPositions",
        _inverse_bybit,
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
        _kraken,
        lambda body: [
            (_KRAKEN_SYMBOLS[row["symbol"]], Side(row["side"]), exact(row["size"]))
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


@pytest.mark.parametrize("case", POSITIONS, ids=lambda case: case.exchange)
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


@dataclass(frozen=True, slots=True)
class OrderCase:
    """An order payload under the client id that it carries."""

    exchange: str
    name: str
    path: str
    symbol: str
    client_id: str
    side: OrderSide
    status: OrderStatus
    quantity: str
    filled: str
    market: Callable[[], tuple[str, str, Json]]
    settles: tuple[str, ...] = ("USDT",)


ORDER_CASES = (
    OrderCase(
        "bybit",
        "GetOrderHistory",
        "/v5/order/history",
        "BTC/USDT:USDT",
        "YLxaWKMiHU",
        OrderSide.BUY,
        OrderStatus.CANCELED,
        "0.003",
        "0",
        lambda: BY_EXCHANGE["bybit"].markets[0],
    ),
    OrderCase(
        "binanceusdm",
        "GetOrder",
        "/fapi/v1/order",
        "BTC/USDT:USDT",
        "abc",
        OrderSide.BUY,
        OrderStatus.OPEN,
        "0.40",
        "0",
        lambda: ("GET", "/fapi/v1/exchangeInfo", {"symbols": [binance_instrument()]}),
    ),
    OrderCase(
        "bitget",
        "GetOrder",
        "/api/v2/mix/order/detail",
        "ETH/USDT:USDT",
        "77777",
        OrderSide.BUY,
        OrderStatus.FILLED,
        "2",
        "2",
        lambda: market_row("bitget", symbol="ETHUSDT", baseCoin="ETH"),
    ),
    OrderCase(
        "gate",
        "GetOrder",
        "/futures/usdt/orders/t-my-custom-id",
        "BTC/USDT:USDT",
        "my-custom-id",
        OrderSide.BUY,
        OrderStatus.CANCELED,
        "0.6024",
        "0",
        lambda: market_row("gate"),
    ),
    OrderCase(
        "kucoinfutures",
        "GetOrderByClientOrderId",
        "/api/v1/orders/byClientOid",
        "BTC/USD:BTC",
        "5ce24c16b210233c36ee321d",
        OrderSide.BUY,
        OrderStatus.FILLED,
        "20000",
        "20000",
        lambda: market_row(
            "kucoinfutures",
            symbol="XBTUSDM",
            quoteCurrency="USD",
            settleCurrency="XBT",
            multiplier=-1.0,
            isInverse=True,
        ),
    ),
    OrderCase(
        "mexc",
        "GetOrderByClientOrderId",
        "/order/external/ETH_USDT/_m_f95eb99b061d4eef8f64a04e9ac4dad3",
        "ETH/USDT:USDT",
        "_m_f95eb99b061d4eef8f64a04e9ac4dad3",
        OrderSide.BUY,
        OrderStatus.FILLED,
        "0.01",
        "0.01",
        lambda: market_row("mexc", symbol="ETH_USDT", baseCoin="ETH", contractSize=0.01),
    ),
    OrderCase(
        "bingx",
        "GetOrder",
        "/swap/v2/trade/order",
        "OP/USDT:USDT",
        "l*****e",
        OrderSide.SELL,
        OrderStatus.OPEN,
        "1",
        "0",
        lambda: market_row("bingx", symbol="OP-USDT", asset="OP"),
    ),
)


@pytest.mark.parametrize("case", ORDER_CASES, ids=lambda case: case.exchange)
def test_documented_orders_are_found_and_read_as_their_raw_bodies_say(
    case: OrderCase, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(case.exchange, settles=case.settles) as (canned, venue):
            canned.on(*case.market())
            canned.on("GET", case.path, Answer(body=payload(case.exchange, case.name)))
            empty = {"retCode": 0, "retMsg": "OK", "result": {"list": [], "nextPageCursor": ""}}
            canned.on("GET", "/v5/order/realtime", empty)
            record = await venue.find_order(case.symbol, case.client_id)
            assert isinstance(record, OrderRecord), record
            assert record.client_order_id == case.client_id
            assert record.side is case.side
            assert record.status is case.status
            assert record.quantity == Decimal(case.quantity)
            assert record.filled == Decimal(case.filled)

    run(scenario())


@dataclass(frozen=True, slots=True)
class FillCase:
    """A payload of fills, and its first fill: side, base quantity, price, fee."""

    exchange: str
    name: str
    path: str
    symbol: str
    first: tuple[OrderSide, str, str, str]
    market: Callable[[], tuple[str, str, Json]]
    settles: tuple[str, ...] = ("USDT",)
    method: str = "GET"
    since: datetime = datetime(2019, 9, 1, tzinfo=UTC)


def _usdc_bybit() -> tuple[str, str, Json]:
    row = {
        **bybit_instrument("ETHPERP", "ETH"),
        "quoteCoin": "USDC",
        "settleCoin": "USDC",
    }
    body = {"retCode": 0, "result": {"category": "linear", "list": [row]}}
    return "GET", "/v5/market/instruments-info", body


def _avax() -> tuple[str, str, Json]:
    universe = {"universe": [{"name": "AVAX", "szDecimals": 2, "maxLeverage": 10}]}
    prices = [{"markPx": "18.4", "midPx": "18.4", "oraclePx": "18.4"}]
    return "POST", "/info#metaAndAssetCtxs", [universe, prices]


FILL_CASES = (
    FillCase(
        "bybit",
        "GetUserTrades",
        "/v5/execution/list",
        "ETH/USDC:USDC",
        (OrderSide.BUY, "0.1", "1190.15", "0.071409"),
        _usdc_bybit,
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
        (OrderSide.BUY, "1", "1900", "0.017118519726"),
        lambda: market_row("bitget", symbol="ETHUSDT", baseCoin="ETH"),
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
        _avax,
        ("USDC",),
        "POST",
    ),
    FillCase(
        "krakenfutures",
        "GetUserTrades",
        "/fills",
        "BTC/USD:BTC",
        (OrderSide.BUY, "5000", "9456", "0"),
        _kraken,
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


@pytest.mark.parametrize("case", FILL_CASES, ids=lambda case: case.exchange)
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

    run(scenario())


def install(canned: CannedVenue, case: FillCase) -> None:
    body = payload(case.exchange, case.name)
    canned.on(*case.market())
    canned.on(case.method, case.path, _one_page(body))
    canned.on("GET", "/fapi/v1/allOrders", [])
