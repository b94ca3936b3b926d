"""Bybit's orders: what they attach, what is refused, amended, cancelled and batched."""

from __future__ import annotations

from typing import Any

import pytest

from messages.values import Side
from tests.simulator.bybit import ACCOUNT, LINEAR, Bybit, Refused, bybit, code
from tests.simulator.conftest import BTC, ETH, dec

PARTIAL = {"tpslMode": "Partial"}


async def refused(call: Any) -> int:
    """The code that a call is refused with."""
    with pytest.raises(Refused) as raised:
        await call
    return code(raised.value)


async def triggers(one: Bybit, **params: object) -> list[tuple[str, str, str]]:
    rows = await one.open_orders(orderFilter="StopOrder", **params)
    return sorted((it["stopOrderType"], it["triggerPrice"], it["qty"]) for it in rows)


async def test_a_stop_and_a_take_profit_come_with_the_order_that_opens() -> None:
    async with bybit() as one:
        await one.order("Buy", "1", stopLoss="60000", takeProfit="70000")
        row = await one.position()
        assert (row["stopLoss"], row["takeProfit"]) == ("60000", "70000")
        assert await triggers(one) == [("StopLoss", "60000", "1"), ("TakeProfit", "70000", "1")]
        one.price("59999")
        assert one.held() == 0
        assert await triggers(one) == []


async def test_what_an_order_would_attach_is_told_while_it_rests_and_comes_with_its_fill() -> None:
    async with bybit() as one:
        resting = await one.limit(
            "Buy", "1", "64000", stopLoss="60000", takeProfit="70000", slTriggerBy="MarkPrice"
        )
        row = await one.found(resting)
        assert (row["stopLoss"], row["takeProfit"]) == ("60000", "70000")
        assert (row["slTriggerBy"], row["tpTriggerBy"]) == ("MarkPrice", "LastPrice")
        assert (await one.position())["stopLoss"] == ""
        one.price("63990")
        assert (await one.position())["stopLoss"] == "60000"


async def test_partial_stops_of_an_order_cover_each_fill_by_itself() -> None:
    async with bybit() as one:
        one.market.matching.fill_parts = 2
        await one.order(
            "Buy",
            "1",
            stopLoss="60000",
            takeProfit="70000",
            tpOrderType="Limit",
            tpLimitPrice="70010",
            **PARTIAL,
        )
        assert await triggers(one) == [
            ("PartialStopLoss", "60000", "0.5"),
            ("PartialStopLoss", "60000", "0.5"),
            ("PartialTakeProfit", "70000", "0.5"),
            ("PartialTakeProfit", "70000", "0.5"),
        ]
        # What covers only some of a position is no stop of the position.
        assert (await one.position())["stopLoss"] == ""


@pytest.mark.parametrize(
    ("side", "attached"),
    [
        ("Buy", {"stopLoss": "65000"}),
        ("Buy", {"takeProfit": "64000"}),
        ("Sell", {"stopLoss": "64000"}),
        ("Sell", {"takeProfit": "65000"}),
    ],
)
async def test_a_stop_on_the_wrong_side_refuses_the_whole_order(
    side: str, attached: dict[str, str]
) -> None:
    async with bybit() as one:
        assert await refused(one.order(side, "1", **attached)) == 10001
        assert not one.market.accounts[ACCOUNT].orders


async def test_a_limit_order_s_stop_is_measured_from_its_own_price() -> None:
    async with bybit() as one:
        assert await refused(one.limit("Buy", "1", "62000", stopLoss="63000")) == 10001
        await one.limit("Buy", "1", "62000", takeProfit="63000")


@pytest.mark.parametrize(
    "params",
    [
        {"stopLoss": "60000", "slOrderType": "Limit", "slLimitPrice": "59900"},
        {"stopLoss": "60000", "slOrderType": "Limit", "tpslMode": "Partial"},
        {"stopLoss": "60000", "slTriggerBy": "Whim"},
        {"stopLoss": "60000", "tpslMode": "Whole"},
        {"timeInForce": "GTD"},
        {"positionIdx": 3},
        {"triggerPrice": "60000"},
        {"triggerPrice": "60000", "triggerDirection": 2, "triggerBy": "Whim"},
    ],
)
async def test_what_bybit_does_not_know_is_refused(params: dict[str, object]) -> None:
    async with bybit() as one:
        assert await refused(one.order("Buy", "1", **params)) == 10001
        assert not one.market.accounts[ACCOUNT].orders


async def test_a_reduce_only_order_attaches_nothing() -> None:
    async with bybit() as one:
        await one.order("Buy", "1")
        assert await refused(one.order("Sell", "1", reduceOnly=True, stopLoss="65000")) == 10001


async def test_a_quantity_of_zero_with_close_on_trigger_closes_the_whole_position() -> None:
    async with bybit() as one:
        await one.order("Buy", "1.5")
        closing = await one.order("Sell", "0", reduceOnly=True, closeOnTrigger=True)
        assert (await one.found(closing))["qty"] == "1.5"
        assert one.held() == 0


async def test_a_conditional_order_of_zero_closes_what_is_there_when_it_fires() -> None:
    async with bybit() as one:
        await one.order("Buy", "1")
        await one.order(
            "Sell",
            "0",
            reduceOnly=True,
            closeOnTrigger=True,
            triggerPrice="60000",
            triggerDirection=2,
        )
        await one.order("Buy", "0.5")
        one.price("59990")
        assert one.held() == 0
        assert one.held(Side.SHORT) == 0


@pytest.mark.parametrize("params", [{}, {"reduceOnly": True}, {"closeOnTrigger": True}])
async def test_a_quantity_of_zero_is_refused_otherwise(params: dict[str, object]) -> None:
    async with bybit() as one:
        await one.order("Buy", "1")
        assert await refused(one.order("Sell", "0", **params)) == 10001


@pytest.mark.parametrize("by", ["MarkPrice", "IndexPrice", "LastPrice"])
async def test_what_triggers_an_order_is_said_back(by: str) -> None:
    async with bybit() as one:
        stop = {"triggerPrice": "60000", "triggerDirection": 2, "triggerBy": by}
        resting = await one.order("Sell", "1", **stop)
        assert (await one.found(resting))["triggerBy"] == by


async def test_an_order_by_mark_price_does_not_look_at_the_last_price() -> None:
    async with bybit() as one:
        await one.order("Buy", "1")
        stop = {"triggerPrice": "60000", "triggerDirection": 2, "reduceOnly": True}
        await one.order("Sell", "1", triggerBy="MarkPrice", **stop)
        one.market.set_price(BTC, dec("59000"), mark=dec("61000"))
        assert one.held() == 1
        one.market.set_price(BTC, dec("61500"), mark=dec("59990"))
        assert one.held() == 0


@pytest.mark.parametrize("client_id", ["a" * 37, "with space", "dot.dot", "ä"])
async def test_an_id_that_is_too_long_or_has_other_characters_is_refused(client_id: str) -> None:
    async with bybit() as one:
        assert await refused(one.order("Buy", "1", orderLinkId=client_id)) == 10001
        await one.order("Buy", "1", orderLinkId="a-B_9" * 7 + "x")


async def test_an_amended_order_has_its_new_price_and_quantity_and_fills_at_once_if_it_can() -> (
    None
):
    async with bybit() as one:
        resting = await one.limit("Buy", "1", "64000")
        ids = await one.post("OrderAmend", **LINEAR, orderId=resting, price="64100", qty="2")
        assert ids["orderId"] == resting
        row = await one.found(resting)
        assert (row["price"], row["qty"], row["orderStatus"]) == ("64100", "2", "New")
        await one.post("OrderAmend", **LINEAR, orderId=resting, price="64300")
        assert one.held() == 2


async def test_a_conditional_order_s_trigger_and_stops_can_be_amended() -> None:
    async with bybit() as one:
        stop = {"triggerPrice": "66000", "triggerDirection": 1}
        resting = await one.order("Buy", "1", orderLinkId="enter", **stop)
        await one.post(
            "OrderAmend", **LINEAR, orderLinkId="enter", triggerPrice="65000", stopLoss="60000"
        )
        row = await one.found(resting)
        assert (row["triggerPrice"], row["stopLoss"]) == ("65000", "60000")
        one.price("65000")
        assert one.held() == 1
        assert (await one.position())["stopLoss"] == "60000"


async def test_an_attached_stop_is_amended_under_its_own_id() -> None:
    async with bybit() as one:
        await one.order("Buy", "1", stopLoss="60000")
        (stop,) = await one.open_orders(orderFilter="StopOrder")
        await one.post("OrderAmend", **LINEAR, orderId=stop["orderId"], triggerPrice="61000")
        assert (await one.position())["stopLoss"] == "61000"


async def test_amendments_that_change_nothing_or_find_nothing_are_refused() -> None:
    async with bybit() as one:
        resting = await one.limit("Buy", "1", "64000")
        named = LINEAR | {"orderId": resting}
        assert await refused(one.post("OrderAmend", **named, price="64000")) == 10001
        assert await refused(one.post("OrderAmend", **named, price="64000.05")) == 10001
        assert await refused(one.post("OrderAmend", **LINEAR, price="64100")) == 10001
        gone = LINEAR | {"orderId": "nobody's"}
        assert await refused(one.post("OrderAmend", **gone, price="64100")) == 110001
        assert (await one.found(resting))["price"] == "64000"


async def test_cancel_all_by_settle_coin_takes_what_it_names_and_nothing_else() -> None:
    async with bybit() as one:
        await one.limit("Buy", "1", "64000")
        await one.order("Buy", "1", symbol="ETHUSDT", stopLoss="3000")
        await one.limit("Buy", "1", "60000", symbol="BTCPERP")
        ended = await one.post("OrderCancelAll", category="linear", settleCoin="USDT")
        assert (len(ended["list"]), ended["success"]) == (2, "1")
        left = one.market.accounts[ACCOUNT].live
        assert [it for it, orders in left.items() if orders] == ["BTCPERP"]


@pytest.mark.parametrize(
    ("params", "left"),
    [
        ({}, []),
        ({"orderFilter": "Order"}, ["Stop", "StopLoss"]),
        ({"orderFilter": "StopOrder"}, [""]),
        ({"orderFilter": "StopOrder", "stopOrderType": "Stop"}, ["", "StopLoss"]),
    ],
)
async def test_cancel_all_takes_the_kinds_that_its_filter_names(
    params: dict[str, str], left: list[str]
) -> None:
    async with bybit() as one:
        await one.order("Buy", "1", stopLoss="60000")
        await one.limit("Buy", "1", "64000")
        await one.order("Sell", "1", triggerPrice="61000", triggerDirection=2)
        await one.post("OrderCancelAll", **LINEAR, **params)
        assert sorted(it["stopOrderType"] for it in await one.open_orders()) == left


async def test_a_linear_list_or_sweep_without_a_scope_is_refused() -> None:
    async with bybit() as one:
        one.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        linear = {"category": "linear"}
        assert await refused(one.get("OrderRealtime", **linear)) == 10001
        assert await refused(one.get("PositionList", **linear)) == 10001
        assert await refused(one.post("OrderCancelAll", **linear)) == 10001
        assert await refused(one.get("OrderRealtime", settleCoin="USDT")) == 10001
        # Histories, and the inverse ones, need none.
        await one.get("OrderHistory", **linear)
        await one.get("ExecutionList", **linear)
        await one.get("OrderRealtime", category="inverse")
        await one.get("PositionList", category="inverse")


async def test_open_orders_can_be_asked_for_by_base_coin_and_with_the_recently_closed() -> None:
    async with bybit() as one:
        await one.limit("Buy", "1", "64000")
        await one.limit("Buy", "1", "3000", symbol="ETHUSDT")
        await one.order("Buy", "1")
        linear = {"category": "linear"}
        by_base = await one.get("OrderRealtime", **linear, baseCoin="ETH")
        assert [it["symbol"] for it in by_base] == ["ETHUSDT"]
        closed = await one.open_orders(openOnly=1)
        assert [it["orderStatus"] for it in closed] == ["Filled"]


async def test_a_batch_does_each_order_by_itself_and_says_how_each_went() -> None:
    async with bybit() as one:
        good = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "1"}
        told = await one.exchange.privatePostV5OrderCreateBatch(
            {
                "category": "linear",
                "request": [
                    good | {"price": "64000", "orderLinkId": "first"},
                    good | {"price": "64000", "qty": "0.0001"},
                    good | {"price": "63000", "orderLinkId": "third"},
                ],
            }
        )
        assert [it["code"] for it in told["retExtInfo"]["list"]] == [0, 10001, 0]
        assert [bool(it["orderId"]) for it in told["result"]["list"]] == [True, False, True]
        told = await one.exchange.privatePostV5OrderAmendBatch(
            {
                "category": "linear",
                "request": [{"symbol": "BTCUSDT", "orderLinkId": "first", "price": "63500"}],
            }
        )
        assert [it["code"] for it in told["retExtInfo"]["list"]] == [0]
        told = await one.exchange.privatePostV5OrderCancelBatch(
            {
                "category": "linear",
                "request": [
                    {"symbol": "BTCUSDT", "orderLinkId": name} for name in ("first", "second")
                ],
            }
        )
        assert [it["code"] for it in told["retExtInfo"]["list"]] == [0, 110001]
        assert [it["orderLinkId"] for it in await one.open_orders()] == ["third"]


@pytest.mark.parametrize("request_", [[], [{}] * 21, "nonsense"])
async def test_a_batch_of_nothing_or_too_much_is_refused(request_: object) -> None:
    async with bybit() as one:
        batch = {"category": "linear", "request": request_}
        assert await refused(one.exchange.privatePostV5OrderCreateBatch(batch)) == 10001


async def test_more_than_ten_conditional_orders_of_a_symbol_are_refused() -> None:
    async with bybit() as one:
        stop = {"triggerDirection": 2, "triggerPrice": "60000"}
        for _ in range(10):
            await one.order("Sell", "0.1", **stop)
        assert await refused(one.order("Sell", "0.1", **stop)) == 110009
        await one.order("Sell", "0.1", symbol="ETHUSDT", triggerDirection=2, triggerPrice="3000")


async def test_the_history_tells_trades_by_settlement_but_no_order_of_them() -> None:
    async with bybit() as one:
        one.market.open_position(ACCOUNT, ETH, Side.LONG, dec("1"))
        await one.order("Sell", "1", symbol="ETHUSDT", reduceOnly=True)
        history = await one.get("OrderHistory", category="linear", symbol="ETHUSDT")
        assert [it["side"] for it in history] == ["Sell", "Buy"]


async def test_a_history_is_of_seven_days_at_most_and_by_default() -> None:
    async with bybit() as one:
        now = int(one.market.now().timestamp() * 1000)
        linear = {"category": "linear"}
        wide = linear | {"startTime": now - 8 * 86_400_000, "endTime": now}
        for method in ("OrderHistory", "PositionClosedPnl", "ExecutionList"):
            assert await refused(one.get(method, **wide)) == 10001


async def test_hedge_mode_needs_a_side_and_each_side_has_its_own_stops() -> None:
    async with bybit(hedged=True) as one:
        assert await refused(one.order("Buy", "1")) == 10001
        await one.order("Buy", "1", positionIdx=1, stopLoss="60000")
        await one.order("Sell", "2", positionIdx=2, stopLoss="70000")
        long, short = await one.position(index=1), await one.position(index=2)
        assert (long["side"], long["stopLoss"]) == ("Buy", "60000")
        assert (short["side"], short["stopLoss"]) == ("Sell", "70000")
        one.price("70001")
        assert one.held(Side.LONG) == 1
        assert one.held(Side.SHORT) == 0
