"""What each venue is told: always reduce-only, the right leg, the right time in force, our id.

ccxt's unified parameters do not do the same everywhere, so the request itself is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from messages.venue import OrderType, OutcomeUnknown, Refused, VenueErrorKind
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened, run
from tests.venues.test_errors import ID, ORDERS, close_order

REDUCE: dict[str, dict[str, Any]] = {
    "bybit": {"reduceOnly": True, "side": "Sell", "category": "linear"},
    "binanceusdm": {"reduceOnly": "true", "side": "SELL"},
    "okx": {"reduceOnly": True, "side": "sell", "tdMode": "cross"},
    "bitget": {"reduceOnly": "YES", "side": "sell"},
    "gate": {"reduce_only": True, "size": -15},
    "kucoinfutures": {"reduceOnly": True, "side": "sell", "size": 3},
    "hyperliquid": {"r": True, "b": False},
    "krakenfutures": {"reduceOnly": "true", "side": "sell"},
    "mexc": {"side": 4, "vol": 15.0},
    "bingx": {"reduceOnly": "true", "side": "SELL", "positionSide": "BOTH"},
}
HEDGED: dict[str, dict[str, Any]] = {
    "bybit": {"reduceOnly": True, "positionIdx": 1, "side": "Sell"},
    "binanceusdm": {"positionSide": "LONG", "side": "SELL"},
    "okx": {"posSide": "long", "side": "sell"},
    # Bitget names the leg that is closed, not the way in which the order trades.
    "bitget": {"tradeSide": "Close", "side": "buy"},
    "gate": {"reduce_only": True, "size": -15},
    "kucoinfutures": {"reduceOnly": True, "positionSide": "LONG", "side": "sell"},
    "mexc": {"side": 4, "positionMode": 1},
    "bingx": {"positionSide": "LONG", "side": "SELL"},
}
CLIENT_ID = {
    "bybit": "orderLinkId",
    "binanceusdm": "newClientOrderId",
    "okx": "clOrdId",
    "bitget": "clientOid",
    "gate": "text",
    "kucoinfutures": "clientOid",
    "hyperliquid": "c",
    "krakenfutures": "cliOrdId",
    "mexc": "externalOid",
    "bingx": "clientOrderID",
}
IOC: dict[str, dict[str, Any]] = {
    "bybit": {"orderType": "Limit", "timeInForce": "IOC"},
    "binanceusdm": {"type": "LIMIT", "timeInForce": "IOC"},
    "okx": {"ordType": "ioc"},
    "bitget": {"orderType": "limit", "force": "ioc"},
    "gate": {"tif": "ioc", "price": "51000"},
    "kucoinfutures": {"type": "limit", "timeInForce": "IOC"},
    "hyperliquid": {"t": {"limit": {"tif": "Ioc"}}, "p": "51000"},
    "krakenfutures": {"orderType": "ioc", "limitPrice": "51000"},
    "mexc": {"type": 3, "price": 51000.0},
    "bingx": {"type": "LIMIT", "timeInForce": "IOC"},
}
MAKER: dict[str, dict[str, Any]] = {
    "bybit": {"orderType": "Limit", "timeInForce": "PostOnly"},
    "binanceusdm": {"type": "LIMIT", "timeInForce": "GTX"},
    "okx": {"ordType": "post_only"},
    "bitget": {"orderType": "limit", "force": "post_only"},
    "gate": {"tif": "poc"},
    "kucoinfutures": {"type": "limit", "postOnly": True},
    "hyperliquid": {"t": {"limit": {"tif": "Alo"}}},
    "krakenfutures": {"orderType": "post"},
    "mexc": {"type": 2},
    "bingx": {"type": "LIMIT", "timeInForce": "PostOnly"},
}
MARKET: dict[str, dict[str, Any]] = {
    "bybit": {"orderType": "Market"},
    "binanceusdm": {"type": "MARKET"},
    "okx": {"ordType": "market"},
    "bitget": {"orderType": "market"},
    "gate": {"price": "0", "tif": "ioc"},
    "kucoinfutures": {"type": "market"},
    "hyperliquid": {"t": {"limit": {"tif": "Ioc"}}, "p": "48450"},
    "krakenfutures": {"orderType": "mkt"},
    "mexc": {"type": 6},
    "bingx": {"type": "MARKET"},
}


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a stop goes, and what it says."""

    path: str
    says: dict[str, Any] = field(default_factory=dict)


STOPS = {
    "bybit": Stop(
        "/v5/order/create",
        {"triggerPrice": "45000", "triggerDirection": 2, "reduceOnly": True, "orderLinkId": ID},
    ),
    "binanceusdm": Stop(
        "/fapi/v1/algoOrder",
        {"triggerPrice": "45000", "type": "STOP_MARKET", "reduceOnly": "true", "clientAlgoId": ID},
    ),
    "okx": Stop(
        "/api/v5/trade/order-algo",
        {"slTriggerPx": "45000", "slOrdPx": "-1", "reduceOnly": True, "algoClOrdId": ID},
    ),
    "bitget": Stop(
        "/api/v2/mix/order/place-tpsl-order",
        {"triggerPrice": "45000", "planType": "pos_loss", "clientOid": ID},
    ),
    "gate": Stop(
        "/futures/usdt/price_orders",
        {
            "initial": {
                "contract": "BTC_USDT",
                "size": -15,
                "price": "0",
                "reduce_only": True,
                "tif": "ioc",
                "text": f"t-{ID}",
            },
            "trigger": {"price_type": 0, "price": "45000", "rule": 2},
        },
    ),
    "kucoinfutures": Stop(
        "/api/v1/orders", {"stop": "down", "stopPrice": "45000", "reduceOnly": True}
    ),
    "hyperliquid": Stop(
        "/exchange",
        {
            "r": True,
            "p": "42750",
            "t": {"trigger": {"isMarket": True, "triggerPx": "45000", "tpsl": "sl"}},
        },
    ),
    "krakenfutures": Stop(
        "/sendorder", {"orderType": "stp", "stopPrice": "45000", "reduceOnly": "true"}
    ),
    "bingx": Stop(
        "/swap/v2/trade/order",
        {"type": "STOP_MARKET", "stopPrice": "45000", "reduceOnly": "true"},
    ),
}

every_venue = pytest.mark.parametrize("exchange", list(ORDERS))


def told(request: Seen) -> dict[str, Any]:
    params = request.params
    if "action" in params:
        (order,) = params["action"]["orders"]
        assert "builder" not in params["action"]
        return dict(order)
    return params


async def sent(opened: Opened, exchange: str, path: str, **order: Any) -> dict[str, Any]:
    async with opened(exchange) as (canned, venue):
        canned.on("POST", path, Answer(body={}))
        one_way = {"code": "200000", "data": {"positionMode": 0}}
        canned.on("GET", "/api/v2/position/getPositionMode", one_way)
        placed = await venue.place(close_order(exchange, **order))
        assert isinstance(placed, OutcomeUnknown), placed
        signed = [seen for seen in canned.seen if seen.method == "POST" and seen.path != "/info"]
        (request,) = signed
        assert request.path.endswith(path)
        return told(request)


def holds(request: dict[str, Any], *wanted: dict[str, Any]) -> None:
    for part in wanted:
        assert {key: request.get(key) for key in part} == part


@every_venue
def test_every_close_is_reduce_only_under_our_id(exchange: str, opened: Opened) -> None:
    async def scenario() -> None:
        market = await sent(opened, exchange, ORDERS[exchange], type=OrderType.MARKET, price=None)
        ioc = await sent(opened, exchange, ORDERS[exchange], type=OrderType.LIMIT_AGGRESSIVE)
        maker = await sent(opened, exchange, ORDERS[exchange], type=OrderType.LIMIT_MAKER)
        holds(market, REDUCE[exchange], MARKET[exchange])
        holds(ioc, REDUCE[exchange], IOC[exchange])
        holds(maker, REDUCE[exchange], MAKER[exchange])
        written = {"gate": f"t-{ID}", "hyperliquid": f"0x{ID}0000"}.get(exchange, ID)
        for request in (market, ioc, maker):
            assert request[CLIENT_ID[exchange]] == written

    run(scenario())


@pytest.mark.parametrize("exchange", list(HEDGED))
def test_in_hedge_mode_the_order_names_its_leg(exchange: str, opened: Opened) -> None:
    async def scenario() -> None:
        request = await sent(
            opened, exchange, ORDERS[exchange], type=OrderType.MARKET, price=None, hedged=True
        )
        holds(request, HEDGED[exchange])

    run(scenario())


@pytest.mark.parametrize("exchange", list(STOPS))
def test_a_stop_carries_its_trigger_and_only_reduces(exchange: str, opened: Opened) -> None:
    async def scenario() -> None:
        stop = STOPS[exchange]
        request = await sent(
            opened,
            exchange,
            stop.path,
            type=OrderType.STOP_MARKET,
            price=None,
            trigger_price=Decimal(45000),
        )
        holds(request, stop.says)

    run(scenario())


def test_where_a_stop_would_go_out_as_a_market_close_nothing_is_sent(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("mexc") as (canned, venue):
            stop = close_order(
                "mexc", type=OrderType.STOP_MARKET, price=None, trigger_price=Decimal(45000)
            )
            placed = await venue.place(stop)
            assert isinstance(placed, Refused)
            assert placed.error.kind is VenueErrorKind.UNSUPPORTED
            assert [seen for seen in canned.seen if seen.method == "POST"] == []

    run(scenario())


def test_a_key_that_signs_for_hyperliquid_signs_nothing_but_orders(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("hyperliquid") as (canned, venue):
            await venue.connect()
            assert {seen.path for seen in canned.seen} == {"/info"}

    run(scenario())
