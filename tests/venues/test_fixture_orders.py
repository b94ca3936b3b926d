"""Documented orders of ten venues, read by the gateway and by an independent reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from messages.values import OrderSide
from messages.venue import OrderRecord, OrderStatus
from tests.venues.bodies import BY_EXCHANGE, binance_instrument
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened, run
from tests.venues.payloads import (
    Json,
    Market,
    adapted,
    here,
    inverse_kucoin,
    market_row,
    payload,
)

pytestmark = here


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
    market: Market
    settles: tuple[str, ...] = ("USDT",)
    changes: dict[str, Json] = field(default_factory=dict)


ORDER_CASES = (
    OrderCase(
        "okx",
        "GetOrderDetails",
        "/api/v5/trade/order",
        "BTC/USDT:USDT",
        "b15",
        OrderSide.BUY,
        OrderStatus.FILLED,
        "1",
        "1",
        lambda: BY_EXCHANGE["okx"].markets[0],
        changes={
            "instId": "BTC-USDT-SWAP",
            "instType": "SWAP",
            "clOrdId": "b15",
            "sz": "100",
            "accFillSz": "100",
        },
    ),
    OrderCase(
        "kucoinfutures",
        "GetOrder",
        "/api/v1/orders/byClientOid",
        "BTC/USD:BTC",
        "5ce24c16b210233c36ee321d",
        OrderSide.BUY,
        OrderStatus.FILLED,
        "20000",
        "20000",
        inverse_kucoin,
    ),
    OrderCase(
        "mexc",
        "GetOrder",
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
        inverse_kucoin,
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


@pytest.mark.parametrize("case", ORDER_CASES, ids=lambda case: f"{case.exchange} {case.name}")
def test_documented_orders_are_found_and_read_as_their_raw_bodies_say(
    case: OrderCase, opened: Opened
) -> None:
    async def scenario() -> None:
        async with opened(case.exchange, settles=case.settles) as (canned, venue):
            canned.on(*case.market())
            body = adapted(payload(case.exchange, case.name), **case.changes)
            canned.on("GET", case.path, Answer(body=body))
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


def test_an_algo_order_that_fired_is_read_by_the_order_that_it_became(opened: Opened) -> None:
    algo = payload("binanceusdm", "GetConditionalOrder")
    became = payload("binanceusdm", "GetOrder") | {
        "orderId": int(algo["actualOrderId"]),
        "status": "FILLED",
        "origQty": algo["quantity"],
        "executedQty": algo["actualQty"],
    }

    def plain(request: Seen) -> Answer:
        if request.query.get("orderId") == algo["actualOrderId"]:
            return Answer(body=became)
        return Answer(body={"code": -2013, "msg": "Order does not exist."}, status=400)

    async def scenario() -> None:
        async with opened("binanceusdm") as (canned, venue):
            canned.on("GET", "/fapi/v1/order", plain)
            canned.on("GET", "/fapi/v1/algoOrder", Answer(body=algo))
            record = await venue.find_order("BTC/USDT:USDT", algo["clientAlgoId"])
            assert isinstance(record, OrderRecord), record
            assert record.client_order_id == algo["clientAlgoId"]
            assert record.order_id == algo["actualOrderId"]
            assert record.side is OrderSide.BUY
            assert record.status is OrderStatus.FILLED
            assert record.quantity == record.filled == Decimal("0.002")
            assert record.trigger_price == Decimal("69080.20")

    run(scenario())
