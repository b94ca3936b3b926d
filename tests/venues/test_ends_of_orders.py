"""What became of an order: triggers that fired or ended, and cancels that came too late."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from messages.venue import Canceled, NoSuchOrder, OrderRecord, OrderStatus, VenueError
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened, run
from venues.exchanges import EXCHANGES

BTC = "BTC/USDT:USDT"
ID = "5e70" + "ab" * 12
AT = "1770000000000"


def okx_algo(**changes: Any) -> dict[str, Any]:
    return {
        "algoId": "9",
        "algoClOrdId": ID,
        "clOrdId": "",
        "ordId": "",
        "ordIdList": [],
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "ordType": "conditional",
        "state": "effective",
        "side": "sell",
        "posSide": "net",
        "sz": "10",
        "slTriggerPx": "49000",
        "slOrdPx": "-1",
        "actualSz": "10",
        "actualPx": "48990",
        "reduceOnly": "true",
        "cTime": AT,
        "uTime": AT,
        **changes,
    }


def okx_order(number: str, size: str, filled: str, price: str) -> dict[str, Any]:
    return {
        "ordId": number,
        "algoId": "9",
        "algoClOrdId": ID,
        "clOrdId": "",
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "ordType": "market",
        "state": "filled" if filled == size else "canceled",
        "side": "sell",
        "posSide": "net",
        "sz": size,
        "accFillSz": filled,
        "avgPx": price,
        "px": "",
        "fee": "-0.1",
        "feeCcy": "USDT",
        "reduceOnly": "true",
        "cTime": AT,
        "uTime": AT,
    }


def okx_says(*rows: dict[str, Any]) -> Answer:
    return Answer(body={"code": "0", "msg": "", "data": list(rows)})


def test_an_algo_order_that_became_several_is_read_from_all_of_them(opened: Opened) -> None:
    orders = {"1": okx_order("1", "6", "6", "48990"), "2": okx_order("2", "4", "2", "48950")}

    def answer(seen: Seen) -> Answer:
        found = orders.get(seen.query.get("ordId", ""))
        return (
            Answer(body={"code": "51603", "msg": "", "data": []})
            if found is None
            else okx_says(found)
        )

    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            contract = Decimal(BY_EXCHANGE["okx"].contract_size)
            canned.on("GET", "/trade/order", answer)
            canned.on("GET", "/trade/order-algo", okx_says(okx_algo(ordIdList=["1", "2"])))
            record = await venue.find_order(BTC, ID)
            assert isinstance(record, OrderRecord), record
            assert record.client_order_id == ID
            assert (record.quantity, record.filled) == (10 * contract, 8 * contract)
            assert record.average == (6 * Decimal(48990) + 2 * Decimal(48950)) / 8
            assert record.status is OrderStatus.CANCELED
            del orders["2"]
            assert not isinstance(await venue.find_order(BTC, ID), OrderRecord)

    run(scenario())


def test_an_algo_order_that_fired_and_names_no_order_is_an_error(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            canned.on("GET", "/trade/order", Answer(body={"code": "51603", "msg": "", "data": []}))
            canned.on("GET", "/trade/order-algo", okx_says(okx_algo()))
            assert isinstance(await venue.find_order(BTC, ID), VenueError)

    run(scenario())


@pytest.mark.parametrize("state", ["canceled", "order_failed"])
def test_an_algo_order_that_never_fired_has_no_fill(state: str, opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            canned.on("GET", "/trade/order", Answer(body={"code": "51603", "msg": "", "data": []}))
            canned.on("GET", "/trade/order-algo", okx_says(okx_algo(state=state, actualSz="")))
            record = await venue.find_order(BTC, ID)
            assert isinstance(record, OrderRecord), record
            assert record.status.final
            assert record.filled == 0
            assert record.trigger_price == 49000

    run(scenario())


def gate_trigger(**changes: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "trigger": {"strategy_type": 0, "price_type": 0, "price": "49000", "rule": 2},
        "initial": {
            "contract": "BTC_USDT",
            "size": -3,
            "price": "0",
            "tif": "ioc",
            "text": f"t-{ID}",
            "is_reduce_only": True,
        },
        "status": "finished",
        "finish_as": "succeeded",
        "trade_id": 13566,
        "create_time": 1770000000,
        "finish_time": 1770000001,
        **changes,
    }


GATE_ORDER = {
    "id": 13566,
    "contract": "BTC_USDT",
    "size": -3,
    "left": -1,
    "price": "0",
    "fill_price": "48990",
    "tif": "ioc",
    "status": "finished",
    "finish_as": "ioc",
    "text": "-",
    "is_reduce_only": True,
    "create_time": 1770000001,
}


@pytest.mark.parametrize(
    ("changes", "status", "filled"),
    [
        ({}, OrderStatus.CANCELED, 2),
        ({"finish_as": "cancelled", "trade_id": 0}, OrderStatus.CANCELED, 0),
        ({"finish_as": "failed", "trade_id": 0}, OrderStatus.REJECTED, 0),
        ({"finish_as": "expired", "trade_id": 0}, OrderStatus.EXPIRED, 0),
        ({"trade_id": 0}, None, 0),
    ],
    ids=["fired", "cancelled", "failed", "expired", "fired as nothing"],
)
def test_a_trigger_order_that_has_ended_is_followed_to_what_it_became(
    changes: dict[str, Any], status: OrderStatus | None, filled: int, opened: Opened
) -> None:
    missing = Answer(body={"label": "ORDER_NOT_FOUND", "message": "no"}, status=404)

    def triggers(seen: Seen) -> Answer:
        ended = seen.query.get("status") == "finished"
        return Answer(body=[gate_trigger(**changes)] if ended else [])

    async def scenario() -> None:
        async with opened("gate") as (canned, venue):
            canned.on("GET", f"/futures/usdt/orders/t-{ID}", missing)
            canned.on("GET", "/futures/usdt/orders/13566", GATE_ORDER)
            canned.on("GET", "/futures/usdt/orders", [])
            canned.on("GET", "/futures/usdt/price_orders", triggers)
            record = await venue.find_order(BTC, ID)
            if status is None:
                assert isinstance(record, VenueError)
                return
            assert isinstance(record, OrderRecord), record
            contract = Decimal(BY_EXCHANGE["gate"].contract_size)
            assert record.status is status
            assert record.filled == filled * contract
            assert record.trigger_price == 49000
            assert record.client_order_id == ID

    run(scenario())


def test_an_order_that_a_schedule_cancelled_has_ended(opened: Opened) -> None:
    order = {
        "coin": "BTC",
        "side": "A",
        "limitPx": "51000",
        "sz": "0.3",
        "origSz": "0.5",
        "oid": 91490942,
        "timestamp": int(AT),
        "orderType": "Limit",
        "tif": "Gtc",
        "reduceOnly": True,
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "cloid": f"0x{ID}0000",
    }
    status = {"order": order, "status": "scheduledCancel", "statusTimestamp": int(AT)}

    async def scenario() -> None:
        async with opened("hyperliquid") as (canned, venue):
            body = {"status": "order", "order": status}
            canned.on("POST", "/info#orderStatus", body)
            record = await venue.find_order("BTC/USDC:USDC", ID)
            assert isinstance(record, OrderRecord), record
            assert record.status is OrderStatus.CANCELED

    run(scenario())


def _coded(code: str) -> Answer:
    return Answer(body={"code": code, "msg": "too late", "data": None}, status=400)


LATE: dict[str, tuple[str, str, Callable[[str], Answer]]] = {
    "bybit": (
        "POST",
        "/v5/order/cancel",
        lambda code: Answer(body={"retCode": int(code), "retMsg": "too late", "result": {}}),
    ),
    "bitget": ("POST", "/mix/order/cancel-plan-order", _coded),
    "kucoinfutures": (
        "DELETE",
        "/api/v1/orders/123",
        lambda code: Answer(body={"code": code, "msg": "cannot be canceled"}),
    ),
    "gate": (
        "DELETE",
        "/futures/usdt/orders/123",
        lambda code: Answer(body={"label": code, "message": "too late"}, status=400),
    ),
}
"""How a late cancel is refused, where no record is left to be read."""


@pytest.mark.parametrize(
    ("exchange", "code"),
    [
        (exchange, code)
        for exchange in LATE
        for code in sorted(EXCHANGES[exchange].facts.late_cancel)
    ],
)
def test_a_cancel_that_comes_too_late_asks_for_the_record(
    exchange: str, code: str, opened: Opened
) -> None:
    method, path, refused = LATE[exchange]
    empty = {"code": "200000", "data": {"items": [], "currentPage": 1, "totalPage": 0}}
    plans = {"code": "00000", "msg": "", "data": {"entrustedList": None, "endId": None}}

    async def scenario() -> None:
        async with opened(exchange) as (canned, venue):
            canned.on(method, path, refused(code))
            none = Answer(body={"retCode": 0, "retMsg": "", "result": {"list": []}})
            canned.on("GET", "/v5/order/realtime", none)
            canned.on("GET", "/v5/order/history", none)
            canned.on("GET", "/mix/order/orders-plan-pending", plans)
            canned.on("GET", "/mix/order/orders-plan-history", plans)
            canned.on(
                "GET", "/api/v1/orders/123", Answer(body={"code": "100001", "msg": "not exist"})
            )
            canned.on("GET", "/api/v1/stopOrders", empty)
            missing = Answer(body={"label": "ORDER_NOT_FOUND", "message": "no"}, status=404)
            canned.on("GET", "/futures/usdt/orders/123", missing)
            canned.on("GET", "/futures/usdt/orders", [])
            gone = await venue.cancel(BTC, "123", trigger=exchange == "bitget")
            assert isinstance(gone, NoSuchOrder), gone
            assert len(canned.asked(path)) >= 1

    run(scenario())


def test_a_late_cancel_of_an_order_that_still_rests_stays_a_refusal(opened: Opened) -> None:
    resting = {
        "id": "123",
        "symbol": "XBTUSDTM",
        "type": "limit",
        "side": "sell",
        "price": "51000",
        "size": 5,
        "dealSize": 0,
        "filledSize": 0,
        "isActive": True,
        "cancelExist": False,
        "status": "open",
        "reduceOnly": True,
        "clientOid": ID,
        "createdAt": int(AT),
    }

    async def scenario() -> None:
        async with opened("kucoinfutures") as (canned, venue):
            refused = Answer(body={"code": "100004", "msg": "cannot be canceled"})
            canned.on("DELETE", "/api/v1/orders/123", refused)
            canned.on("GET", "/api/v1/orders/123", {"code": "200000", "data": resting})
            told = await venue.cancel(BTC, "123")
            assert isinstance(told, VenueError), told
            assert told.code == "100004"
            filled = {
                **resting,
                "isActive": False,
                "filledSize": 5,
                "dealSize": 5,
                "status": "done",
            }
            canned.on("GET", "/api/v1/orders/123", {"code": "200000", "data": filled})
            ended = await venue.cancel(BTC, "123")
            assert isinstance(ended, Canceled), ended
            assert ended.record is not None
            assert ended.record.status is OrderStatus.FILLED

    run(scenario())


def test_a_busy_system_is_no_refusal_of_an_order() -> None:
    assert EXCHANGES["okx"].meaning_of("50013") == "maintenance"
