"""Order records: what lacks is an error, half-filled is not filled, ids go both ways."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from messages.venue import (
    Canceled,
    FillKind,
    Fills,
    NoSuchOrder,
    OpenOrders,
    OrderRecord,
    OrderStatus,
    Protection,
    Quote,
    VenueError,
    VenueErrorKind,
)
from tests.venues.canned import Answer, Seen
from tests.venues.conftest import Opened, now, run
from venues.exchanges import EXCHANGES
from venues.numbers import instant_or_none

BTC = "BTC/USDT:USDT"
ID = "5e70" + "cd" * 12
REALTIME, HISTORY = "/v5/order/realtime", "/v5/order/history"


def bybit_order(**changes: Any) -> dict[str, Any]:
    return {
        "orderId": "o-1",
        "orderLinkId": ID,
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderType": "Market",
        "orderStatus": "Filled",
        "qty": "0.5",
        "cumExecQty": "0.5",
        "cumExecValue": "25000",
        "cumExecFee": "13.75",
        "avgPrice": "50000",
        "price": "0",
        "timeInForce": "IOC",
        "reduceOnly": True,
        "positionIdx": 0,
        "triggerPrice": "",
        "createdTime": "1700000000000",
        "updatedTime": "1700000001000",
        **changes,
    }


def listed(*rows: dict[str, Any], cursor: str = "") -> Answer:
    result = {"list": list(rows), "nextPageCursor": cursor, "category": "linear"}
    return Answer(body={"retCode": 0, "retMsg": "OK", "result": result})


async def found(opened: Opened, row: dict[str, Any]) -> Any:
    async with opened("bybit") as (canned, venue):
        canned.on("GET", REALTIME, listed())
        canned.on("GET", HISTORY, listed(row))
        return await venue.find_order(BTC, ID)


def test_a_record_has_the_venues_own_fill_fee_and_times(opened: Opened) -> None:
    async def scenario() -> None:
        record = await found(opened, bybit_order())
        assert isinstance(record, OrderRecord), record
        assert record.filled == record.quantity == Decimal("0.5")
        assert record.average == Decimal(50000)
        assert record.fee == Decimal("13.75")
        assert record.fee_currency == "USDT"
        assert record.reduce_only is True
        assert record.created_at == instant_or_none(1700000000000)

    run(scenario())


@pytest.mark.parametrize(
    "row",
    [
        bybit_order(side=""),
        bybit_order(qty=""),
        bybit_order(orderStatus=""),
        bybit_order(orderStatus="SomethingNew"),
        {k: v for k, v in bybit_order().items() if k != "cumExecQty"},
        {k: v for k, v in bybit_order().items() if k != "orderStatus"},
        bybit_order(orderId=""),
    ],
    ids=["side", "amount", "status", "unknown status", "no fill", "no status", "id"],
)
def test_a_record_that_lacks_something_fails_at_once(row: dict[str, Any], opened: Opened) -> None:
    async def scenario() -> None:
        record = await found(opened, row)
        assert isinstance(record, VenueError), record
        assert record.kind is VenueErrorKind.MALFORMED

    run(scenario())


@pytest.mark.parametrize(
    ("status", "filled", "meant"),
    [
        ("New", "0", OrderStatus.OPEN),
        ("Untriggered", "0", OrderStatus.OPEN),
        ("PartiallyFilled", "0.2", OrderStatus.OPEN),
        ("PartiallyFilledCanceled", "0.2", OrderStatus.CANCELED),
        ("Cancelled", "0.2", OrderStatus.CANCELED),
        ("Cancelled", "0", OrderStatus.CANCELED),
        ("Rejected", "0", OrderStatus.REJECTED),
        ("Deactivated", "0", OrderStatus.CANCELED),
        ("Filled", "0.5", OrderStatus.FILLED),
    ],
)
def test_bybits_states_are_told_apart_by_what_is_filled(
    status: str, filled: str, meant: OrderStatus, opened: Opened
) -> None:
    async def scenario() -> None:
        record = await found(opened, bybit_order(orderStatus=status, cumExecQty=filled))
        assert isinstance(record, OrderRecord), record
        assert record.status is meant
        assert record.filled == Decimal(filled)

    run(scenario())


def test_an_order_that_ends_between_two_look_ups_is_found_by_the_third(opened: Opened) -> None:
    def realtime(request: Seen) -> Answer:
        return listed(bybit_order()) if request.query.get("openOnly") == "1" else listed()

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", REALTIME, realtime)
            canned.on("GET", HISTORY, listed())
            assert isinstance(await venue.find_order(BTC, ID), OrderRecord)
            canned.on("GET", REALTIME, listed())
            assert await venue.find_order(BTC, ID) == NoSuchOrder(client_order_id=ID)
            canned.on("GET", HISTORY, Answer(text=""))
            assert isinstance(await venue.find_order(BTC, ID), VenueError)

    run(scenario())


def test_all_pages_of_open_orders_are_read_or_none(opened: Opened) -> None:
    pages = {
        "": [bybit_order(orderId=f"o-{n}", orderStatus="New", cumExecQty="0") for n in range(50)],
        "2": [bybit_order(orderId="o-50", orderStatus="New", cumExecQty="0")],
    }

    def realtime(request: Seen) -> Answer:
        cursor = request.query.get("cursor", "")
        return listed(*pages[cursor], cursor="2" if not cursor else "")

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", REALTIME, realtime)
            resting = await venue.open_orders(BTC)
            assert isinstance(resting, OpenOrders), resting
            assert len(resting.orders) == 51
            pages["2"] = [bybit_order(side="")]
            assert isinstance(await venue.open_orders(BTC), VenueError)

    run(scenario())


def test_a_stop_for_the_whole_position_rests_without_a_size(opened: Opened) -> None:
    row = bybit_order(
        orderStatus="Untriggered", cumExecQty="0", qty="0", closeOnTrigger=True, triggerPrice="4"
    )

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", REALTIME, listed(row))
            resting = await venue.open_orders(BTC)
            assert isinstance(resting, OpenOrders), resting
            (order,) = resting.orders
            assert order.quantity == 0
            assert order.status is OrderStatus.OPEN
            assert order.trigger_price == 4

    run(scenario())


def test_a_failed_cancel_is_an_error_and_no_cancel(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("POST", "/v5/order/cancel", Answer(text="", status=502))
            assert isinstance(await venue.cancel(BTC, "o-1"), VenueError)
            taken = Answer(body={"retCode": 0, "result": {"orderId": "o-1", "orderLinkId": ID}})
            canned.on("POST", "/v5/order/cancel", taken)
            canned.on("GET", REALTIME, Answer(text="<html>"))
            assert isinstance(await venue.cancel(BTC, "o-1"), VenueError)
            canned.on("GET", REALTIME, listed(bybit_order(orderStatus="New", cumExecQty="0")))
            still_open = await venue.cancel(BTC, "o-1")
            assert isinstance(still_open, VenueError)
            assert "still open" in still_open.message
            canned.on("GET", REALTIME, listed(bybit_order()))
            ended = await venue.cancel(BTC, "o-1")
            assert isinstance(ended, Canceled)
            assert ended.record is not None
            assert ended.record.status is OrderStatus.FILLED

    run(scenario())


@pytest.mark.parametrize(
    "answer",
    [Answer(text=""), Answer(body={}), Answer(body={"retCode": 0, "result": {}})],
    ids=["empty", "no envelope", "no list"],
)
def test_protection_that_cannot_be_read_is_a_problem_and_not_missing(
    answer: Answer, opened: Opened
) -> None:
    async def scenario() -> None:
        for exchange, path in (
            ("bybit", REALTIME),
            ("binanceusdm", "/fapi/v1/openAlgoOrders"),
            ("okx", "/api/v5/trade/orders-algo-pending"),
            ("gate", "/price_orders"),
            ("kucoinfutures", "/api/v1/stopOrders"),
            ("bitget", "/api/v2/mix/order/orders-plan-pending"),
        ):
            async with opened(exchange) as (canned, venue):
                canned.on("GET", path, answer)
                told = await venue.fetch_protection((BTC,))
                assert isinstance(told, Protection)
                assert told.problems, exchange
                assert told.orders == ()

    run(scenario())


@pytest.mark.parametrize(
    ("exec_type", "kinds"),
    [
        ("Trade", [FillKind.TRADE]),
        ("BustTrade", [FillKind.LIQUIDATION]),
        ("AdlTrade", [FillKind.ADL]),
        ("Funding", []),
    ],
)
def test_bybits_forced_closes_are_fills_and_its_funding_is_none(
    exec_type: str, kinds: list[FillKind], opened: Opened
) -> None:
    row = {
        "symbol": "BTCUSDT",
        "execId": "e-1",
        "orderId": "o-1",
        "orderLinkId": "",
        "side": "Sell",
        "execQty": "0.5",
        "execPrice": "50000",
        "execFee": "13.75",
        "execType": exec_type,
        "execTime": str(int(now().timestamp() * 1000)),
        "closedSize": "0.5",
    }

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", "/v5/execution/list", listed(row))
            told = await venue.fetch_fills(BTC, now() - timedelta(hours=1))
            assert isinstance(told, Fills), told
            assert [fill.kind for fill in told.fills] == kinds
            assert "execType" not in canned.asked("/v5/execution/list")[0].query

    run(scenario())


@pytest.mark.parametrize(
    ("sub_type", "kind"),
    [("6", FillKind.TRADE), ("104", FillKind.LIQUIDATION), ("126", FillKind.ADL)],
)
def test_okx_tells_forced_closes_by_sub_type(sub_type: str, kind: FillKind, opened: Opened) -> None:
    row = {
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "tradeId": "1",
        "ordId": "2",
        "clOrdId": "",
        "side": "sell",
        "posSide": "net",
        "fillSz": "3",
        "fillPx": "50000",
        "fee": "-0.5",
        "feeCcy": "USDT",
        "subType": sub_type,
        "ts": str(int(now().timestamp() * 1000)),
    }

    async def scenario() -> None:
        async with opened("okx") as (canned, venue):
            canned.on("GET", "/fills-history", {"code": "0", "msg": "", "data": [row]})
            canned.on("GET", "/fills", {"code": "0", "msg": "", "data": [row]})
            told = await venue.fetch_fills(BTC, now() - timedelta(hours=1))
            assert isinstance(told, Fills), told
            (fill,) = told.fills
            assert fill.kind is kind
            assert fill.quantity == Decimal("0.03")
            assert fill.fee == Decimal("0.5")

    run(scenario())


@pytest.mark.parametrize(
    ("changes", "is_stop", "quantity"),
    [
        ({"triggerDirection": 2}, True, "0.5"),
        ({"triggerDirection": 1}, False, "0.5"),
        ({"triggerDirection": 1, "side": "Buy"}, True, "0.5"),
        ({"triggerDirection": 0, "stopOrderType": "StopLoss", "qty": "0"}, True, None),
        ({"triggerDirection": 1, "stopOrderType": "TakeProfit", "qty": "0"}, False, None),
        ({"triggerDirection": 2, "stopOrderType": "PartialStopLoss"}, True, "0.5"),
    ],
)
def test_a_trigger_order_is_a_stop_where_it_fires_against_the_leg(
    changes: dict[str, Any], is_stop: bool, quantity: str | None, opened: Opened
) -> None:
    row = bybit_order(
        orderStatus="Untriggered", cumExecQty="0", triggerPrice="45000", orderLinkId=""
    )

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", REALTIME, listed({**row, **changes}))
            told = await venue.fetch_protection((BTC,))
            assert told.problems == ()
            (order,) = told.orders
            assert order.is_stop is is_stop
            assert order.quantity == (None if quantity is None else Decimal(quantity))
            assert order.trigger_price == Decimal(45000)

    run(scenario())


def test_a_quote_is_whole_or_an_error(opened: Opened) -> None:
    ticker = {
        "symbol": "BTCUSDT",
        "lastPrice": "50000.1",
        "bid1Price": "50000",
        "ask1Price": "50000.2",
        "markPrice": "50001",
    }

    async def scenario() -> None:
        async with opened("bybit") as (canned, venue):
            canned.on("GET", "/v5/market/tickers", listed(ticker))
            quote = await venue.fetch_quote(BTC)
            assert isinstance(quote, Quote), quote
            assert (quote.last, quote.mark) == (Decimal("50000.1"), Decimal(50001))
            assert quote.at <= now()
            canned.on("GET", "/v5/market/tickers", listed({**ticker, "markPrice": ""}))
            assert isinstance(await venue.fetch_quote(BTC), VenueError)
            assert isinstance(await venue.fetch_quote("NO/USDT:USDT"), VenueError)

    run(scenario())


@pytest.mark.parametrize(
    ("exchange", "written"),
    [("bybit", ID), ("binanceusdm", ID), ("gate", f"t-{ID}"), ("hyperliquid", f"0x{ID}0000")],
)
def test_our_ids_go_to_the_venue_and_come_back(exchange: str, written: str) -> None:
    assert EXCHANGES[exchange].to_venue_id(ID) == written
    assert EXCHANGES[exchange].from_venue_id(written) == ID


@pytest.mark.parametrize("stranger", ["", "web_abc", "0x" + "ff" * 16, "t-1"])
def test_a_strangers_id_is_never_one_of_ours(stranger: str) -> None:
    for exchange in ("bybit", "gate", "hyperliquid"):
        assert not EXCHANGES[exchange].from_venue_id(stranger).startswith("5e70")
