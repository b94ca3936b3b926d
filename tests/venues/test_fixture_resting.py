"""Documented resting orders of ten venues, read by the gateway and by an independent reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from messages.venue import OpenOrders, OrderStatus, VenueError
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
