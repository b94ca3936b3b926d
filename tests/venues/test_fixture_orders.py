"""Documented orders of ten venues, read by the gateway and by an independent reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from messages.values import OrderSide
from messages.venue import OpenOrders, OrderRecord, OrderStatus, VenueError
from tests.venues.bodies import BY_EXCHANGE, binance_instrument
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened, run
from tests.venues.payloads import (
    Json,
    Market,
    adapted,
    exact,
    here,
    inverse_kucoin,
    kraken,
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


Row = tuple[str, str, Decimal, Decimal]
"""Order id, side, and quantity and fill in base units."""


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A payload of resting orders, at the place where its venue lists them.

    `asked` names the one question of several that is answered with it; `changes` are values
    that the example needs so that its orders rest on a derivative; `empty` the other lists.
    """

    exchange: str
    name: str
    path: str
    symbol: str
    market: Market
    read: Callable[[Json], list[Row]]
    settles: tuple[str, ...] = ("USDT",)
    asked: tuple[str, str] | None = None
    changes: dict[str, Json] = field(default_factory=dict)
    empty: tuple[tuple[str, Json], ...] = ()
    method: str = "GET"


_SWAP = {"instId": "BTC-USDT-SWAP", "instType": "SWAP"}
_NO_PLANS = ("/orders-plan-pending", {"code": "00000", "data": {"entrustedList": None}})
_NO_BITGET = ("/orders-pending", {"code": "00000", "data": {"entrustedList": None}})
_NO_OKX = {"code": "0", "msg": "", "data": []}
_NO_KUCOIN = {"code": "200000", "data": {"items": [], "totalPage": 0}}


def _bitget(name: str, base: str) -> Market:
    return lambda: market_row("bitget", symbol=name, baseCoin=base)


def _binance_market(name: str, base: str) -> Market:
    body = {"symbols": [binance_instrument(name, base)]}
    return lambda: ("GET", "/fapi/v1/exchangeInfo", body)


def _hype() -> tuple[str, str, Json]:
    universe = {"universe": [{"name": "HYPE", "szDecimals": 2, "maxLeverage": 10}]}
    prices = [{"markPx": "21.4", "midPx": "21.4", "oraclePx": "21.4"}]
    return "POST", "/info#metaAndAssetCtxs", [universe, prices]


OPEN_CASES = (
    OpenCase(
        "bybit",
        "GetOrders",
        "/v5/order/realtime",
        "ETH/USDT:USDT",
        lambda: BY_EXCHANGE["bybit"].markets[0],
        lambda body: [
            (row["orderId"], row["side"].lower(), exact(row["qty"]), exact(row["cumExecQty"]))
            for row in body["result"]["list"]
        ],
    ),
    OpenCase(
        "binanceusdm",
        "GetOpenOrders",
        "/fapi/v1/openOrders",
        "BTC/USDT:USDT",
        _binance_market("BTCUSDT", "BTC"),
        lambda body: [
            (str(row["orderId"]), row["side"].lower(), exact(row["origQty"]), Decimal(0))
            for row in body
        ],
        empty=(("/fapi/v1/openAlgoOrders", []),),
    ),
    OpenCase(
        "binanceusdm",
        "GetOpenConditionalOrders",
        "/fapi/v1/openAlgoOrders",
        "BNB/USDT:USDT",
        _binance_market("BNBUSDT", "BNB"),
        lambda body: [
            (str(row["algoId"]), row["side"].lower(), exact(row["quantity"]), Decimal(0))
            for row in body
        ],
        empty=(("/fapi/v1/openOrders", []),),
    ),
    OpenCase(
        "okx",
        "GetOrders",
        "/api/v5/trade/orders-pending",
        "BTC/USDT:USDT",
        lambda: BY_EXCHANGE["okx"].markets[0],
        lambda body: [
            (row["ordId"], row["side"], exact(row["sz"]) / 100, exact(row["accFillSz"]) / 100)
            for row in body["data"]
        ],
        changes=_SWAP,
        empty=(("/api/v5/trade/orders-algo-pending", _NO_OKX),),
    ),
    OpenCase(
        "okx",
        "GetAlgoOrderList",
        "/api/v5/trade/orders-algo-pending",
        "BTC/USDT:USDT",
        lambda: BY_EXCHANGE["okx"].markets[0],
        lambda body: [
            (row["algoId"], row["side"], exact(row["sz"]) / 100, Decimal(0)) for row in body["data"]
        ],
        asked=("ordType", "trigger"),
        changes=_SWAP,
        empty=(("/api/v5/trade/orders-pending", _NO_OKX),),
    ),
    OpenCase(
        "okx",
        "GetAlgoOrder",
        "/api/v5/trade/orders-algo-pending",
        "BTC/USDT:USDT",
        lambda: BY_EXCHANGE["okx"].markets[0],
        lambda body: [
            (row["algoId"], row["side"], exact(row["sz"]) / 100, Decimal(0)) for row in body["data"]
        ],
        asked=("ordType", "move_order_stop"),
        changes=_SWAP,
        empty=(("/api/v5/trade/orders-pending", _NO_OKX),),
    ),
    OpenCase(
        "bitget",
        "GetOpenOrders",
        "/orders-pending",
        "ETH/USDT:USDT",
        _bitget("ETHUSDT", "ETH"),
        lambda body: [
            (row["orderId"], row["side"], exact(row["size"]), exact(row["baseVolume"]))
            for row in body["data"]["entrustedList"]
        ],
        empty=(_NO_PLANS,),
    ),
    OpenCase(
        "bitget",
        "GetOpenOrders2",
        "/orders-pending",
        "BLUR/USDT:USDT",
        _bitget("BLURUSDT", "BLUR"),
        lambda body: [
            (row["orderId"], row["side"], exact(row["size"]), exact(row["baseVolume"]))
            for row in body["data"]["entrustedList"]
        ],
        empty=(_NO_PLANS,),
    ),
    OpenCase(
        "bitget",
        "GetOpenTriggerOrders",
        "/orders-plan-pending",
        "ETH/USDT:USDT",
        _bitget("ETHUSDT", "ETH"),
        lambda body: [
            (row["orderId"], row["side"], exact(row["size"]), Decimal(0))
            for row in body["data"]["entrustedList"]
        ],
        asked=("planType", "normal_plan"),
        empty=(_NO_BITGET,),
    ),
    OpenCase(
        "bitget",
        "GetOpenTriggerOrders2",
        "/orders-plan-pending",
        "BNB/USDT:USDT",
        _bitget("BNBUSDT", "BNB"),
        # The take-profit of a whole long leg: in hedge mode the side names the leg.
        lambda body: [
            (row["orderId"], "sell", Decimal(0), Decimal(0))
            for row in body["data"]["entrustedList"]
        ],
        asked=("planType", "profit_loss"),
        empty=(_NO_BITGET,),
    ),
    OpenCase(
        "gate",
        "GetOrders",
        "/futures/usdt/orders",
        "BTC/USDT:USDT",
        lambda: market_row("gate"),
        lambda body: [
            (str(row["id"]), "buy", exact(row["size"]) / 10000, Decimal(0)) for row in body
        ],
        changes={"status": "open", "finish_as": ""},
        empty=(("/futures/usdt/price_orders", []),),
    ),
    OpenCase(
        "gate",
        "GetTriggerOrders",
        "/futures/usdt/price_orders",
        "BTC/USDT:USDT",
        lambda: market_row("gate"),
        # It closes a long leg, whatever the sign of its size.
        lambda body: [
            (str(row["id"]), "sell", exact(row["initial"]["size"]) / 10000, Decimal(0))
            for row in body
        ],
        changes={"status": "open", "finish_as": None},
        empty=(("/futures/usdt/orders", []),),
    ),
    OpenCase(
        "kucoinfutures",
        "GetOrders",
        "/api/v1/orders",
        "BTC/USD:BTC",
        inverse_kucoin,
        lambda body: [
            (row["id"], row["side"], exact(row["size"]), exact(row["filledSize"]))
            for row in body["data"]["items"]
        ],
        settles=("BTC",),
        changes={"isActive": True, "status": "open", "filledSize": 5, "dealSize": 5},
        empty=(("/api/v1/stopOrders", _NO_KUCOIN),),
    ),
    OpenCase(
        "kucoinfutures",
        "GetUntriggeredStopOrders",
        "/api/v1/stopOrders",
        "BTC/USDT:USDT",
        lambda: market_row("kucoinfutures"),
        lambda body: [
            (row["id"], row["side"], exact(row["size"]) / 1000, exact(row["filledSize"]))
            for row in body["data"]["items"]
        ],
        empty=(("/api/v1/orders", _NO_KUCOIN),),
    ),
    OpenCase(
        "krakenfutures",
        "GetOpenOrders",
        "/openorders",
        "BTC/USD:BTC",
        kraken,
        lambda body: [
            (row["order_id"], row["side"], exact(row["unfilledSize"]), exact(row["filledSize"]))
            for row in body["openOrders"]
        ],
        settles=("BTC",),
    ),
    OpenCase(
        "mexc",
        "GetOrderHistory",
        "/order/list/open_orders",
        "BTC/USDT:USDT",
        lambda: market_row("mexc"),
        lambda body: [
            (str(row["orderId"]), "buy", exact(row["vol"]) / 10000, Decimal(0))
            for row in body["data"]
        ],
        # The example is a form without values.
        changes={
            "success": True,
            "symbol": "BTC_USDT",
            "orderId": "102015012431820288",
            "side": 2,
            "vol": 3,
            "state": 2,
            "createTime": 1609992674000,
            "updateTime": 1609992674000,
        },
        empty=(("/planorder/list/orders", {"success": True, "code": 0, "data": []}),),
    ),
    OpenCase(
        "bingx",
        "GetOpenOrders",
        "/swap/v2/trade/openOrders",
        "BTC/USDT:USDT",
        lambda: market_row("bingx"),
        # Both examples have one id.
        lambda body: [
            (str(row["orderId"]), row["side"].lower(), exact(row["origQty"]), Decimal(0))
            for row in body["data"]["orders"][-1:]
        ],
    ),
    OpenCase(
        "hyperliquid",
        "GetOpenOrdersExtended",
        "/info#frontendOpenOrders",
        "HYPE/USDC:USDC",
        _hype,
        lambda body: [
            (
                str(row["oid"]),
                {"A": "sell", "B": "buy"}[row["side"]],
                exact(row["origSz"]),
                exact(row["origSz"]) - exact(row["sz"]),
            )
            for row in body
        ],
        settles=("USDC",),
        method="POST",
    ),
)


@pytest.mark.parametrize("case", OPEN_CASES, ids=lambda case: f"{case.exchange} {case.name}")
def test_documented_resting_orders_are_read_as_their_raw_bodies_say(
    case: OpenCase, opened: Opened
) -> None:
    body = adapted(payload(case.exchange, case.name), **case.changes)
    nothing = adapted(body, list=[], data=[], entrustedList=[], nextPageCursor="")

    def answer(request: Seen) -> Answer:
        if case.asked is not None and request.query.get(case.asked[0]) != case.asked[1]:
            return Answer(body=_NO_OKX if case.exchange == "okx" else _NO_PLANS[1])
        return Answer(body=nothing if request.query.get("cursor") else body)

    async def scenario() -> None:
        async with opened(case.exchange, settles=case.settles) as (canned, venue):
            canned.on(*case.market())
            canned.on(case.method, case.path, answer)
            for path, empty in case.empty:
                canned.on("GET", path, Answer(body=empty))
            told = await venue.open_orders(case.symbol)
            assert isinstance(told, OpenOrders), told
            read = [(o.order_id, o.side.value, o.quantity, o.filled) for o in told.orders]
            assert sorted(read) == sorted(case.read(body))
            assert {order.status for order in told.orders} == {OrderStatus.OPEN}

    run(scenario())


def test_mexcs_envelope_without_success_is_no_empty_list(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("mexc") as (canned, venue):
            for name, path in (
                ("GetOpenOrders", "/order/list/open_orders"),
                ("GetTriggerOrders", "/planorder/list/orders"),
            ):
                canned.on("GET", path, Answer(body=payload("mexc", name)))
            assert isinstance(await venue.open_orders("BTC/USDT:USDT"), VenueError)
            canned.on("GET", "/stoporder/open_orders", payload("mexc", "GetTpSlOrders"))
            told = await venue.fetch_protection(("BTC/USDT:USDT",))
            assert told.problems
            canned.on("GET", "/stoporder/open_orders", payload("mexc", "GetOpenTpSlOrders"))
            canned.on("GET", "/planorder/list/orders", {"success": True, "code": 0, "data": []})
            told = await venue.fetch_protection(("BTC/USDT:USDT",))
            # The example has been executed.
            assert (told.orders, told.problems) == ((), ())

    run(scenario())
