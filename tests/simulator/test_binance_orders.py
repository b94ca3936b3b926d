"""Binance USD-M's orders: what is taken, what is refused and by which code, and what becomes of it.

Source: the pages "New Order", "New Algo Order", "Modify Order" and "Error Codes" of Binance's
USD-M futures documentation, unless a test names another.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from messages.values import Side
from tests.simulator.binance import ACCOUNT, Asker, asking
from tests.simulator.conftest import BTC, Clock, dec

LIMIT = {"timeInForce": "GTC"}


def hold(ask: Asker, quantity: str = "1", side: Side = Side.LONG) -> None:
    ask.market.open_position(ACCOUNT, BTC, side, dec(quantity))


def held(ask: Asker, side: Side = Side.LONG) -> str:
    return str(ask.market.quantity(ACCOUNT, BTC, side))


async def test_a_full_size_reduce_only_market_order_goes_before_what_rests() -> None:
    # binance.com/en/support/faq "Summary of Failed Orders in Binance Futures": reduce-only market
    # orders of the position's size or more have the highest priority.
    async with asking() as ask:
        hold(ask)
        resting = await ask.order(
            "SELL", "LIMIT", price=66000, quantity=1, reduceOnly="true", **LIMIT
        )
        part = await ask.order("SELL", "MARKET", quantity="0.5", reduceOnly="true")
        assert (part.status, part.code) == (400, -4118)
        whole = await ask.order("SELL", "MARKET", quantity=1, reduceOnly="true")
        assert whole.body["status"] == "FILLED"
        assert (await ask.found(resting))["status"] == "EXPIRED"


async def test_what_rests_is_knocked_out_even_if_the_book_fills_only_some() -> None:
    async with asking() as ask:
        hold(ask)
        resting = await ask.order(
            "SELL", "LIMIT", price=66000, quantity=1, reduceOnly="true", **LIMIT
        )
        ask.market.set_book_depth(ask.owner.exchange, BTC, dec("0.4"))
        sold = await ask.order("SELL", "MARKET", quantity=1, reduceOnly="true")
        assert (sold.body["status"], sold.body["executedQty"]) == ("EXPIRED", "0.4")
        assert (await ask.found(resting))["status"] == "EXPIRED"
        assert held(ask) == "0.6"


async def test_only_one_close_position_stop_stands_in_a_direction() -> None:
    # Seen on the testnet: a second one of the same type is -4130, a take-profit beside it is taken.
    async with asking() as ask:
        hold(ask)
        stop = {"closePosition": "true", "triggerPrice": 60000}
        assert (await ask.algo("SELL", "STOP_MARKET", **stop)).status == 200
        assert (
            await ask.algo("SELL", "STOP_MARKET", **stop | {"triggerPrice": 61000})
        ).code == -4130
        profit = await ask.algo(
            "SELL", "TAKE_PROFIT_MARKET", closePosition="true", triggerPrice=70000
        )
        assert profit.status == 200
        by_size = await ask.algo(
            "SELL", "STOP_MARKET", triggerPrice=61000, quantity=1, reduceOnly="true"
        )
        assert by_size.status == 200


async def test_a_close_position_stop_needs_a_position_and_ends_with_it() -> None:
    # Seen live: -4509 without a position; such an order's time in force is GTE_GTC.
    async with asking() as ask:
        stop = {"closePosition": "true", "triggerPrice": 60000}
        assert (await ask.algo("SELL", "STOP_MARKET", **stop)).code == -4509
        hold(ask)
        placed = await ask.algo("SELL", "STOP_MARKET", **stop)
        assert placed.body["timeInForce"] == "GTE_GTC"
        await ask.order("SELL", "MARKET", quantity=1, reduceOnly="true")
        assert (await ask.found(placed))["algoStatus"] == "EXPIRED"


@pytest.mark.parametrize(
    ("kind", "params", "code"),
    [
        ("STOP_MARKET", {"closePosition": "true", "reduceOnly": "true"}, -1106),
        ("STOP_MARKET", {"closePosition": "true", "quantity": "1"}, -4137),
        ("STOP", {"closePosition": "true", "price": "60000"}, -4136),
        ("STOP_MARKET", {}, -1102),
        ("STOP", {"quantity": "1"}, -1102),
        ("STOP_MARKET", {"quantity": "1", "triggerPrice": ""}, -1102),
        ("STOP_MARKET", {"quantity": "1", "triggerPrice": "70000"}, -2021),
        ("TRAILING_STOP_MARKET", {"quantity": "1"}, -1102),
        ("TRAILING_STOP_MARKET", {"quantity": "1", "callbackRate": "11"}, -2007),
        (
            "TRAILING_STOP_MARKET",
            {"quantity": "1", "callbackRate": "1", "activatePrice": "60000"},
            -2021,
        ),
        ("STOP_MARKET", {"quantity": "1", "algoType": "VP"}, -1102),
        ("STOP_MARKET", {"quantity": "1", "clientAlgoId": "x" * 37}, -4015),
        ("NONSENSE", {"quantity": "1"}, -1116),
    ],
)
async def test_conditional_orders_that_break_a_rule_are_refused_by_its_code(
    kind: str, params: dict[str, Any], code: int
) -> None:
    async with asking() as ask:
        hold(ask)
        refused = await ask.algo("SELL", kind, **{"triggerPrice": 60000, **params})
        assert (refused.status, refused.code) == (400, code), refused.body


@pytest.mark.parametrize(
    ("kind", "params", "code"),
    [
        ("LIMIT", {"price": "64000", "quantity": "1"}, -1102),
        ("MARKET", {"quantity": "1", "timeInForce": "GTC"}, -1106),
        ("MARKET", {}, -1102),
        ("MARKET", {"closePosition": "true"}, -4136),
        ("LIMIT", {"quantity": "1", "timeInForce": "GTC"}, -1102),
        ("LIMIT", {"quantity": "1", "price": "64000", "timeInForce": "DAY"}, -1115),
        ("LIMIT", {"quantity": "1", "price": "64000", "timeInForce": "GTD"}, -1102),
        (
            "LIMIT",
            {"quantity": "1", "price": "64000", "timeInForce": "GTD", "goodTillDate": "1"},
            -5040,
        ),
        ("MARKET", {"quantity": "1", "newClientOrderId": "a b"}, -1100),
        ("MARKET", {"quantity": "1", "newClientOrderId": "x" * 37}, -4015),
        ("MARKET", {"quantity": "1", "positionSide": "UP"}, -4060),
        ("MARKET", {"quantity": "1", "positionSide": "LONG"}, -4061),
        ("MARKET", {"quantity": "1", "side": "HOLD"}, -1117),
        ("MARKET", {"quantity": "1", "symbol": "NOSUCH"}, -1121),
        ("MARKET", {"quantity": "1", "newOrderRespType": "FULL"}, -1136),
        ("MARKET", {"quantity": "1", "priceMatch": "QUEUE"}, -5038),
        ("STOP_MARKET", {"quantity": "1", "stopPrice": "60000"}, -4120),
    ],
)
async def test_plain_orders_that_break_a_rule_are_refused_by_its_code(
    kind: str, params: dict[str, Any], code: int
) -> None:
    async with asking() as ask:
        refused = await ask.order(params.pop("side", "BUY"), kind, **params)
        assert (refused.status, refused.code) == (400, code), refused.body


async def test_hedge_mode_refuses_reduce_only_and_closes_by_position_side() -> None:
    async with asking() as ask:
        ask.owner.hedged = True
        hold(ask)
        hold(ask, "2", Side.SHORT)
        assert (await ask.order("SELL", "MARKET", quantity=1, reduceOnly="true")).code == -1106
        assert (await ask.order("SELL", "MARKET", quantity=1)).code == -4061
        assert (await ask.order("SELL", "MARKET", quantity=2, positionSide="LONG")).code == -2022
        stop = {"closePosition": "true", "triggerPrice": 70000, "positionSide": "LONG"}
        assert (await ask.algo("BUY", "STOP_MARKET", **stop)).code == -2022
        closed = await ask.order("SELL", "MARKET", quantity=1, positionSide="LONG")
        assert closed.body["status"] == "FILLED"
        assert (held(ask), held(ask, Side.SHORT)) == ("0", "2")


async def test_an_order_good_till_a_date_ends_by_itself(clock: Clock) -> None:
    async with asking(clock) as ask:
        till = int(clock.at.timestamp() * 1000) + 601_000
        order = await ask.order(
            "BUY", "LIMIT", price=64000, quantity=1, timeInForce="GTD", goodTillDate=till
        )
        assert (order.body["timeInForce"], order.body["goodTillDate"]) == ("GTD", till)
        clock.advance(seconds=600)
        assert (await ask.found(order))["status"] == "NEW"
        clock.advance(seconds=2)
        ask.market.set_price(BTC, dec("64250"))
        assert (await ask.found(order))["status"] == "EXPIRED"


async def test_a_trailing_stop_follows_the_price_and_fires_behind_it() -> None:
    async with asking() as ask:
        hold(ask)
        stop = await ask.algo(
            "SELL",
            "TRAILING_STOP_MARKET",
            quantity=1,
            callbackRate=2,
            activatePrice=65000,
            reduceOnly="true",
        )
        assert (stop.body["callbackRate"], stop.body["activatePrice"]) == ("2", "65000")
        # Not active yet: 3 % below where it was placed, and nothing happens.
        ask.market.set_price(BTC, dec("62400"))
        assert held(ask) == "1"
        for price in ("65000", "70000", "68700"):
            ask.market.set_price(BTC, dec(price))
            assert held(ask) == "1"
        ask.market.set_price(BTC, dec("68500"))
        assert held(ask) == "0"
        assert (await ask.found(stop))["algoStatus"] == "FINISHED"


async def test_an_algo_order_tells_what_became_of_it() -> None:
    async with asking() as ask:
        hold(ask)
        stop = await ask.algo(
            "SELL", "STOP_MARKET", triggerPrice=60000, quantity=1, reduceOnly="true"
        )
        limit = await ask.algo(
            "BUY",
            "TAKE_PROFIT",
            triggerPrice=59000,
            price=58000,
            quantity=1,
            workingType="MARK_PRICE",
        )
        waiting = await ask.found(stop)
        assert (waiting["algoStatus"], waiting["actualOrderId"], waiting["triggerTime"]) == (
            "NEW",
            "",
            0,
        )
        ask.market.set_price(BTC, dec("59990"))
        fired = await ask.found(stop)
        assert (
            fired["algoStatus"],
            fired["actualPrice"],
            fired["actualQty"],
            fired["actualType"],
        ) == (
            "FINISHED",
            "59989.9",
            "1",
            "MARKET",
        )
        assert fired["triggerTime"] > 0
        child = await ask("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=fired["actualOrderId"])
        assert (child.body["status"], child.body["avgPrice"]) == ("FILLED", "59989.9")
        ask.market.set_price(BTC, dec("58990"))
        rests = await ask.found(limit)
        assert (rests["algoStatus"], rests["actualQty"], rests["workingType"]) == (
            "TRIGGERED",
            "0",
            "MARK_PRICE",
        )
        ask.market.set_price(BTC, dec("58000"))
        assert (await ask.found(limit))["algoStatus"] == "FINISHED"


async def test_a_stop_that_fires_with_nothing_to_reduce_is_rejected() -> None:
    async with asking() as ask:
        hold(ask)
        stop = await ask.algo(
            "SELL", "STOP_MARKET", triggerPrice=60000, quantity=1, reduceOnly="true"
        )
        ask.market.close_by_hand(ACCOUNT, BTC, Side.LONG)
        assert (await ask.found(stop))["algoStatus"] == "NEW"
        ask.market.set_price(BTC, dec("59990"))
        told = await ask.found(stop)
        assert (told["algoStatus"], told["actualOrderId"]) == ("REJECTED", "")


async def test_a_stop_by_mark_price_does_not_look_at_the_last_price() -> None:
    async with asking() as ask:
        hold(ask)
        by = {"triggerPrice": 60000, "closePosition": "true", "workingType": "MARK_PRICE"}
        stop = await ask.algo("SELL", "STOP_MARKET", **by)
        assert (await ask.found(stop))["workingType"] == "MARK_PRICE"
        ask.market.set_price(BTC, dec("59000"), mark=dec("61000"))
        assert held(ask) == "1"
        ask.market.set_price(BTC, dec("61500"), mark=dec("59990"))
        assert held(ask) == "0"


async def test_a_trailing_stop_by_mark_price_follows_the_mark_price() -> None:
    async with asking() as ask:
        hold(ask)
        by = {"quantity": 1, "callbackRate": 2, "reduceOnly": "true", "workingType": "MARK_PRICE"}
        await ask.algo("SELL", "TRAILING_STOP_MARKET", **by)
        ask.market.set_price(BTC, dec("70000"), mark=dec("65000"))
        # Behind the last price, but not behind the mark price.
        ask.market.set_price(BTC, dec("66000"), mark=dec("64000"))
        assert held(ask) == "1"
        ask.market.set_price(BTC, dec("66000"), mark=dec("63600"))
        assert held(ask) == "0"


async def test_a_stop_by_mark_price_that_would_fire_at_once_is_refused_by_that_price() -> None:
    async with asking() as ask:
        hold(ask)
        ask.market.set_price(BTC, dec("64000"), mark=dec("59000"))
        by = {"triggerPrice": 60000, "closePosition": "true"}
        refused = await ask.algo("SELL", "STOP_MARKET", workingType="MARK_PRICE", **by)
        assert refused.code == -2021
        assert (await ask.algo("SELL", "STOP_MARKET", **by)).status == 200


async def test_an_order_is_acknowledged_only_unless_its_result_is_asked_for() -> None:
    async with asking() as ask:
        order = await ask.order("BUY", "MARKET", quantity=1, newOrderRespType="ACK")
        assert (order.body["status"], order.body["executedQty"], order.body["avgPrice"]) == (
            "NEW",
            "0",
            "0.00",
        )
        assert (await ask.found(order))["status"] == "FILLED"


async def test_a_price_can_be_taken_from_the_book() -> None:
    async with asking() as ask:
        queued = await ask.order("BUY", "LIMIT", priceMatch="QUEUE_5", quantity=1, **LIMIT)
        assert (queued.body["price"], queued.body["priceMatch"]) == ("64249.5", "QUEUE_5")
        taken = await ask.order("BUY", "LIMIT", priceMatch="OPPONENT", quantity=1, **LIMIT)
        assert taken.body["status"] == "FILLED"


async def test_a_limit_order_is_changed_and_its_changes_are_kept() -> None:
    async with asking() as ask:
        order = await ask.order("BUY", "LIMIT", price=64000, quantity=1, **LIMIT)
        named = {"symbol": "BTCUSDT", "orderId": order.body["orderId"], "side": "BUY"}
        assert (await ask("PUT", "/fapi/v1/order", **named, price=64000, quantity=1)).code == -5027
        assert (await ask("PUT", "/fapi/v1/order", **named, price=63000)).code == -1102
        nonsense = await ask("PUT", "/fapi/v1/order", **named, price="64000.05", quantity=1)
        assert nonsense.code == -4014
        only = await ask(
            "PUT", "/fapi/v1/order", **named, price=63000, quantity=1, reduceOnly="true"
        )
        assert only.code == -5047
        changed = await ask("PUT", "/fapi/v1/order", **named, price=63000, quantity=2)
        assert (changed.body["price"], changed.body["origQty"]) == ("63000", "2")
        assert (await ask.found(order))["status"] == "NEW"
        (past,) = (await ask("GET", "/fapi/v1/orderAmendment", **named)).body
        assert past["amendment"]["price"] == {"before": "64000", "after": "63000"}
        filled = await ask("PUT", "/fapi/v1/order", **named, price=64300, quantity=2)
        assert (filled.body["status"], held(ask)) == ("FILLED", "2")
        assert (await ask("PUT", "/fapi/v1/order", **named, price=63000, quantity=2)).code == -2013


async def test_some_changes_cancel_the_order_in_place_of_changing_it() -> None:
    async with asking() as ask:
        maker = await ask.order("BUY", "LIMIT", price=64000, quantity=1, timeInForce="GTX")
        named = {"symbol": "BTCUSDT", "orderId": maker.body["orderId"], "side": "BUY"}
        crossed = await ask("PUT", "/fapi/v1/order", **named, price=64300, quantity=1)
        assert crossed.body["status"] == "CANCELED"
        part = await ask.order("BUY", "LIMIT", price=64000, quantity=1, **LIMIT)
        ask.market.set_book_depth(ask.owner.exchange, BTC, dec("0.4"))
        ask.market.set_price(BTC, dec("64000"))
        named["orderId"] = part.body["orderId"]
        smaller = await ask("PUT", "/fapi/v1/order", **named, price=63000, quantity="0.4")
        assert (smaller.body["status"], smaller.body["executedQty"]) == ("CANCELED", "0.4")


async def test_a_batch_answers_each_of_its_orders() -> None:
    async with asking() as ask:
        good = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "quantity": "1",
            "price": "64000",
            "timeInForce": "GTC",
        }
        sent = json.dumps([good, good | {"type": "MARKET", "reduceOnly": "true"}, good])
        placed = (await ask("POST", "/fapi/v1/batchOrders", batchOrders=sent)).body
        assert [row.get("code", row.get("status")) for row in placed] == ["NEW", -1106, "NEW"]
        ids = [row["orderId"] for row in placed if "orderId" in row]
        change = [
            {"symbol": "BTCUSDT", "side": "BUY", "orderId": it, "quantity": "1", "price": "63000"}
            for it in ids
        ]
        changed = (await ask("PUT", "/fapi/v1/batchOrders", batchOrders=json.dumps(change))).body
        assert [row["price"] for row in changed] == ["63000", "63000"]
        listed = json.dumps([*ids, 1])
        ended = (
            await ask("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", orderIdList=listed)
        ).body
        assert [row.get("code", row.get("status")) for row in ended] == [
            "CANCELED",
            "CANCELED",
            -2011,
        ]
        many = json.dumps([good] * 6)
        assert (await ask("POST", "/fapi/v1/batchOrders", batchOrders=many)).code == -4082


async def test_a_test_order_is_read_and_not_placed() -> None:
    async with asking() as ask:
        told = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}
        assert (await ask("POST", "/fapi/v1/order/test", **told)).code == -1102
        assert (await ask("POST", "/fapi/v1/order/test", **told, quantity=1)).body == {}
        assert ask.owner.orders == {}


async def test_old_orders_are_forgotten_unfilled_ones_after_three_days(clock: Clock) -> None:
    async with asking(clock) as ask:
        gone = await ask.order("BUY", "LIMIT", price=64000, quantity=1, **LIMIT)
        named = {"symbol": "BTCUSDT", "orderId": gone.body["orderId"]}
        await ask("DELETE", "/fapi/v1/order", **named)
        filled = await ask.order("BUY", "MARKET", quantity=1)
        clock.advance(days=4)
        assert (await ask("GET", "/fapi/v1/order", **named)).code == -2013
        listed = (await ask("GET", "/fapi/v1/allOrders")).body
        assert [row["orderId"] for row in listed] == [filled.body["orderId"]]
        clock.advance(days=4)
        assert (await ask("GET", "/fapi/v1/allOrders", symbol="BTCUSDT")).body == []
        by_id = await ask("GET", "/fapi/v1/allOrders", symbol="BTCUSDT", orderId=named["orderId"])
        assert len(by_id.body) == 1
