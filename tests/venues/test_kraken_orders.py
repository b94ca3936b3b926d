"""Kraken Futures' orders: looked for in every place by our id, and told absent after all of them.

Bodies are those of the venue's documentation (orders/status, openorders, history) in shape.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from messages.values import OrderSide
from messages.venue import NoSuchOrder, OrderRecord, OrderStatus, VenueError
from tests.venues.canned import Answer, CannedVenue, Seen
from tests.venues.conftest import Opened, run
from tests.venues.test_errors import ID, close_order

SYMBOL = "BTC/USD:USD"
OPEN, STATUS = "/derivatives/api/v3/openorders", "/derivatives/api/v3/orders/status"
HISTORY, TRIGGERS = "/api/history/v3/orders", "/api/history/v3/triggers"
FILLS = "/derivatives/api/v3/fills"
UID = "a111f276-95fd-47fc-b77b-709c5ab2e9e1"
OTHER = "b222f276-95fd-47fc-b77b-709c5ab2e9e2"
AT = 1_770_000_000_000


def resting(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": UID,
        "cliOrdId": ID,
        "symbol": "PF_XBTUSD",
        "side": "sell",
        "orderType": "lmt",
        "limitPrice": 51000,
        "unfilledSize": 0.3,
        "receivedTime": "2026-02-02T17:01:17.410Z",
        "status": "partiallyFilled",
        "filledSize": 0.2,
        "reduceOnly": True,
        "lastUpdateTime": "2026-02-02T17:01:17.410Z",
        **changes,
    }


def status_row(status: str, quantity: str, filled: str) -> dict[str, Any]:
    return {
        "order": {
            "type": "ORDER",
            "orderId": UID,
            "cliOrdId": ID,
            "symbol": "PF_XBTUSD",
            "side": "sell",
            "quantity": quantity,
            "filled": filled,
            "limitPrice": "51000",
            "reduceOnly": True,
            "timestamp": "2026-02-02T12:09:03.738Z",
            "lastUpdateTimestamp": "2026-02-02T12:09:03.738Z",
        },
        "status": status,
        "updateReason": None,
        "error": None,
    }


def event(name: str, quantity: str, filled: str, at: int = AT, **changes: Any) -> dict[str, Any]:
    order = {
        "uid": UID,
        "accountUid": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "tradeable": "PF_XBTUSD",
        "direction": "Sell",
        "quantity": quantity,
        "filled": filled,
        "timestamp": AT,
        "limitPrice": "51000",
        "orderType": "Limit",
        "clientId": ID,
        "reduceOnly": True,
        "lastUpdateTimestamp": at,
        **changes,
    }
    key = "newOrder" if name == "OrderUpdated" else "order"
    return {"uid": f"{name}-{at}", "timestamp": at, "event": {name: {key: order, "reason": "x"}}}


def fill(size: float, price: float, order_id: str = UID) -> dict[str, Any]:
    return {
        "fill_id": f"fill-{size}",
        "symbol": "PF_XBTUSD",
        "side": "sell",
        "order_id": order_id,
        "size": size,
        "price": price,
        "fillTime": "2026-02-02T13:37:27.077Z",
        "fillType": "taker",
    }


@dataclass
class Places:
    """What each place answers; all of them know nothing of the order at first."""

    resting: list[Any] = field(default_factory=list)
    status: list[Any] = field(default_factory=list)
    pages: list[list[Any]] = field(default_factory=lambda: [[]])
    triggers: list[Any] = field(default_factory=list)
    fills: list[Any] = field(default_factory=list)

    def install(self, canned: CannedVenue) -> None:
        good = {"result": "success", "serverTime": "2026-02-02T17:08:18.138Z"}
        canned.on("GET", OPEN, {**good, "openOrders": self.resting})
        canned.on("POST", STATUS, {**good, "orders": self.status})
        canned.on("GET", FILLS, {**good, "fills": self.fills})
        canned.on("GET", TRIGGERS, {"len": 0, "elements": self.triggers})

        def history(seen: Seen) -> Answer:
            number = int(seen.query.get("continuation_token", "0"))
            body: dict[str, Any] = {"len": 1, "elements": self.pages[number]}
            if number + 1 < len(self.pages):
                body["continuationToken"] = str(number + 1)
            return Answer(body=body)

        canned.on("GET", HISTORY, history)


async def look(opened: Opened, places: Places) -> Any:
    async with opened("krakenfutures") as (canned, venue):
        places.install(canned)
        return await venue.find_order(SYMBOL, ID)


@pytest.mark.parametrize("spelling", ["cliOrdId", "cli_ord_id"])
def test_a_resting_order_is_found_by_our_id(spelling: str, opened: Opened) -> None:
    async def scenario() -> None:
        row = resting()
        row[spelling] = row.pop("cliOrdId")
        record = await look(opened, Places(resting=[resting(cliOrdId=None, order_id=OTHER), row]))
        assert isinstance(record, OrderRecord), record
        assert (record.order_id, record.client_order_id) == (UID, ID)
        assert record.status is OrderStatus.OPEN
        assert (record.quantity, record.filled) == (Decimal("0.5"), Decimal("0.2"))

    run(scenario())


@pytest.mark.parametrize(
    ("row", "status", "quantity", "filled"),
    [
        (("FULLY_EXECUTED", "0.5", "0.5"), OrderStatus.FILLED, "0.5", "0.5"),
        (("FULLY_EXECUTED", "0", "0.5"), OrderStatus.FILLED, "0.5", "0.5"),
        (("CANCELLED", "0.5", "0.2"), OrderStatus.CANCELED, "0.5", "0.2"),
        (("REJECTED", "0.5", "0"), OrderStatus.REJECTED, "0.5", "0"),
        (("ENTERED_BOOK", "0.5", "0"), OrderStatus.OPEN, "0.5", "0"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_an_order_of_the_last_seconds_is_asked_for_by_our_id(
    row: tuple[str, str, str],
    status: OrderStatus,
    quantity: str,
    filled: str,
    opened: Opened,
) -> None:
    async def scenario() -> None:
        async with opened("krakenfutures") as (canned, venue):
            Places(status=[status_row(*row)]).install(canned)
            record = await venue.find_order(SYMBOL, ID)
            (asked,) = canned.asked(STATUS)
            assert asked.method == "POST"
            assert asked.params == {"cliOrdIds": ID}
            assert isinstance(record, OrderRecord), record
            assert (record.order_id, record.client_order_id) == (UID, ID)
            assert (record.side, record.status) == (OrderSide.SELL, status)
            assert (record.quantity, record.filled) == (Decimal(quantity), Decimal(filled))

    run(scenario())


@pytest.mark.parametrize(
    ("pages", "fills", "status", "filled"),
    [
        # An immediate order that filled at once: quantity is what remains.
        (
            [[event("OrderPlaced", "0", "0.5", orderType="IoC")]],
            [],
            OrderStatus.FILLED,
            "0.5",
        ),
        # One that found nobody, and one whose fills alone tell of it.
        ([[event("OrderPlaced", "0.5", "0", orderType="IoC")]], [], OrderStatus.CANCELED, "0"),
        (
            [[event("OrderPlaced", "0.5", "0", orderType="IoC")]],
            [fill(0.2, 50000), fill(0.9, 50000, OTHER)],
            OrderStatus.CANCELED,
            "0.2",
        ),
        (
            [
                [event("OrderUpdated", "0", "0.5", AT + 9)],
                [event("OrderUpdated", "0.3", "0.2", AT + 5), event("OrderPlaced", "0.5", "0")],
            ],
            [fill(0.2, 50000), fill(0.3, 51000)],
            OrderStatus.FILLED,
            "0.5",
        ),
        (
            [[event("OrderCancelled", "0.3", "0.2", AT + 9), event("OrderPlaced", "0.5", "0")]],
            [],
            OrderStatus.CANCELED,
            "0.2",
        ),
        ([[event("OrderRejected", "0.5", "0")]], [], OrderStatus.REJECTED, "0"),
        (
            [
                [event("OrderRejected", "0.5", "0", AT + 9, uid=OTHER)],
                [event("OrderPlaced", "0", "0.5", orderType="IoC")],
            ],
            [],
            OrderStatus.FILLED,
            "0.5",
        ),
    ],
    ids=["filled", "unfilled", "by fills", "two pages", "cancelled", "rejected", "id used again"],
)
def test_an_order_that_ended_is_found_in_the_history(
    pages: list[list[Any]],
    fills: list[Any],
    status: OrderStatus,
    filled: str,
    opened: Opened,
) -> None:
    async def scenario() -> None:
        stranger = event("OrderCancelled", "9", "9", uid=OTHER, clientId="")
        record = await look(opened, Places(pages=[[stranger], *pages], fills=fills))
        assert isinstance(record, OrderRecord), record
        assert (record.order_id, record.client_order_id) == (UID, ID)
        assert (record.side, record.status) == (OrderSide.SELL, status)
        assert (record.quantity, record.filled) == (Decimal("0.5"), Decimal(filled))
        if len(fills) == 2 and status is OrderStatus.FILLED:
            assert record.average == Decimal(50600)

    run(scenario())


def test_a_stop_that_was_cancelled_is_found_among_the_triggers(opened: Opened) -> None:
    async def scenario() -> None:
        row = event("OrderTriggerCancelled", "0.5", "0")
        del row["event"]["OrderTriggerCancelled"]["order"]["filled"]
        record = await look(opened, Places(triggers=[row]))
        assert isinstance(record, OrderRecord), record
        assert (record.status, record.filled) == (OrderStatus.CANCELED, Decimal(0))

    run(scenario())


@pytest.mark.parametrize(
    "told",
    [{"triggerPrice": "49000"}, {"triggerOptions": {"triggerPrice": "49000"}}],
    ids=["in the order", "among its options"],
)
def test_a_stop_that_was_cancelled_keeps_its_price(told: dict[str, Any], opened: Opened) -> None:
    async def scenario() -> None:
        row = event("OrderTriggerCancelled", "0.5", "0", **told)
        record = await look(opened, Places(triggers=[row]))
        assert isinstance(record, OrderRecord), record
        assert record.trigger_price == Decimal(49000)
        options = {"triggerPrice": 49000, "triggerSide": "trigger_below"}
        recent = status_row("CANCELLED", "0.5", "0")
        recent["order"] |= {"type": "TRIGGER_ORDER", "priceTriggerOptions": options}
        just_ended = await look(opened, Places(status=[recent]))
        assert isinstance(just_ended, OrderRecord), just_ended
        assert just_ended.trigger_price == Decimal(49000)

    run(scenario())


@pytest.mark.parametrize("spelling", ["cliOrdId", "cli_ord_id", "clientId", "clientOrderId"])
def test_an_ended_order_is_found_under_each_spelling_of_our_id(
    spelling: str, opened: Opened
) -> None:
    async def scenario() -> None:
        row = event("OrderCancelled", "0.5", "0")
        order = row["event"]["OrderCancelled"]["order"]
        order[spelling] = order.pop("clientId")
        record = await look(opened, Places(pages=[[row]]))
        assert isinstance(record, OrderRecord), record
        assert record.client_order_id == ID

    run(scenario())


def test_an_average_is_never_that_of_a_part(opened: Opened) -> None:
    async def scenario() -> None:
        ended = event("OrderCancelled", "0", "0.5")
        whole = await look(opened, Places(pages=[[ended]], fills=[fill(0.5, 50600)]))
        assert isinstance(whole, OrderRecord)
        assert whole.average == Decimal(50600)
        part = await look(opened, Places(pages=[[ended]], fills=[fill(0.2, 50000)]))
        assert isinstance(part, OrderRecord)
        assert (part.filled, part.average) == (Decimal("0.5"), None)

    run(scenario())


def test_an_order_that_nobody_saw_end_is_not_called_absent(opened: Opened) -> None:
    async def scenario() -> None:
        placed = Places(pages=[[event("OrderPlaced", "0.5", "0")]])
        assert isinstance(await look(opened, placed), VenueError)
        fired = Places(triggers=[event("OrderTriggerActivated", "0.5", "0")])
        assert isinstance(await look(opened, fired), VenueError)

    run(scenario())


def test_only_when_every_place_was_read_there_is_no_such_order(opened: Opened) -> None:
    places = {
        ("GET", OPEN),
        ("POST", STATUS),
        ("GET", HISTORY),
        ("GET", TRIGGERS),
    }
    damaged = (
        Answer(text=""),
        Answer(text="<html>"),
        Answer(text="", status=502),
        Answer(body={"result": "error", "error": "apiLimitExceeded"}),
        Answer(body={"result": "success", "orders": {}, "elements": None}),
    )

    async def scenario() -> None:
        async with opened("krakenfutures") as (canned, venue):
            Places().install(canned)
            assert isinstance(await venue.find_order(SYMBOL, ID), NoSuchOrder)
            asked = {(seen.method, seen.path) for seen in canned.seen}
            assert places <= asked
            for method, path in places:
                for answer in damaged:
                    Places().install(canned)
                    canned.on(method, path, answer)
                    found = await venue.find_order(SYMBOL, ID)
                    assert isinstance(found, VenueError), (path, answer, found)

    run(scenario())


def test_history_is_read_from_when_the_order_was_sent_where_that_is_known(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("krakenfutures") as (canned, venue):
            Places().install(canned)
            await venue.find_order(SYMBOL, ID)
            canned.on("POST", "/sendorder", Answer(text=""))
            await venue.place(close_order("krakenfutures"))
            await venue.find_order(SYMBOL, ID)
            long_ago, lately = (int(seen.query["since"]) for seen in canned.asked(HISTORY))
            assert lately - long_ago > 6 * 86_400_000

    run(scenario())


def test_a_cancelled_order_is_read_by_the_venue_s_id(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("krakenfutures") as (canned, venue):
            Places(status=[status_row("CANCELLED", "0.5", "0.2")]).install(canned)
            canned.on(
                "POST",
                "/cancelorder",
                {"result": "success", "cancelStatus": {"status": "cancelled", "order_id": UID}},
            )
            gone = await venue.cancel(SYMBOL, UID)
            record = getattr(gone, "record", None)
            assert isinstance(record, OrderRecord), gone
            assert record.filled == Decimal("0.2")
            (asked,) = canned.asked(STATUS)
            assert asked.params == {"orderIds": UID}

    run(scenario())


def test_bingx_is_asked_for_our_id_alone(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bingx") as (canned, venue):
            body = {"code": 109421, "msg": "order not exist", "data": {}}
            canned.on("GET", "/swap/v2/trade/order", body)
            assert isinstance(await venue.find_order("BTC/USDT:USDT", ID), NoSuchOrder)
            (asked,) = canned.asked("/swap/v2/trade/order")
            assert asked.query["clientOrderId"] == ID
            assert "orderId" not in asked.query

    run(scenario())
