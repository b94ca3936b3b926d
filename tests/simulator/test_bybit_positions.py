"""Bybit's positions: what hangs on them, their settings, and what is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from messages.values import Side
from tests.simulator.bybit import ACCOUNT, LINEAR, Bybit, bybit
from tests.simulator.conftest import BTC, dec
from tests.simulator.test_bybit_orders import refused, triggers


async def opened(one: Bybit, side: str = "Buy", qty: str = "1") -> None:
    await one.order(side, qty)


async def test_a_stop_that_fired_leaves_the_position_s_row() -> None:
    async with bybit() as one:
        await opened(one)
        await one.stop(stopLoss="60000")
        one.price("59990")
        assert one.held() == 0
        assert (await one.position())["stopLoss"] == ""
        await opened(one)
        row = await one.position()
        assert (row["size"], row["stopLoss"], row["takeProfit"]) == ("1", "", "")
        assert await one.open_orders() == []


async def test_a_stop_that_fires_into_a_thin_book_leaves_the_row_with_some_still_open() -> None:
    async with bybit() as one:
        await opened(one)
        await one.stop(stopLoss="60000")
        one.market.set_book_depth(one.market.accounts[ACCOUNT].exchange, BTC, dec("0.4"))
        one.price("59990")
        row = await one.position()
        assert (row["size"], row["stopLoss"]) == ("0.6", "")


async def test_a_position_that_turns_over_takes_no_stop_of_the_other_side_along() -> None:
    async with bybit() as one:
        await opened(one)
        await one.stop(stopLoss="60000", takeProfit="70000")
        await one.order("Sell", "3")
        row = await one.position()
        assert (row["side"], row["stopLoss"], row["takeProfit"]) == ("Sell", "", "")
        assert await one.open_orders() == []


async def test_an_attached_stop_follows_the_size_of_its_position() -> None:
    async with bybit() as one:
        await opened(one)
        await one.stop(stopLoss="60000")
        await one.order("Buy", "1")
        assert await triggers(one) == [("StopLoss", "60000", "2")]
        await one.order("Sell", "0.5", reduceOnly=True)
        assert await triggers(one) == [("StopLoss", "60000", "1.5")]


@pytest.mark.parametrize(
    ("side", "params"),
    [
        ("Buy", {"stopLoss": "64250"}),
        ("Buy", {"stopLoss": "65000"}),
        ("Buy", {"takeProfit": "64000"}),
        ("Sell", {"stopLoss": "64000"}),
        ("Sell", {"takeProfit": "65000"}),
        ("Buy", {"trailingStop": "-1"}),
        ("Buy", {"trailingStop": "500", "activePrice": "64000"}),
        ("Buy", {"stopLoss": "60000", "slOrderType": "Limit", "slLimitPrice": "59000"}),
        ("Buy", {"tpslMode": "Partial", "stopLoss": "60000", "slSize": "1", "tpSize": "2"}),
    ],
)
async def test_a_trading_stop_that_cannot_be_is_refused_and_sells_nothing(
    side: str, params: dict[str, str]
) -> None:
    async with bybit() as one:
        await opened(one, side)
        assert await refused(one.stop(**params)) == 10001
        assert (await one.position())["size"] == "1"
        assert await one.open_orders() == []


async def test_a_trading_stop_by_mark_is_measured_from_the_mark_price() -> None:
    async with bybit() as one:
        await opened(one)
        one.market.set_price(BTC, dec("64250"), mark=dec("66000"))
        await one.stop(stopLoss="65000", slTriggerBy="MarkPrice")
        assert one.held() == 1
        one.market.set_price(BTC, dec("64250"), mark=dec("64900"))
        assert one.held() == 0


async def test_a_trading_stop_without_a_position_or_a_change_is_refused() -> None:
    async with bybit() as one:
        assert await refused(one.stop(stopLoss="60000")) == 10001
        await opened(one)
        assert await refused(one.stop()) == 34040
        await one.stop(stopLoss="60000")
        assert await refused(one.stop(stopLoss="60000")) == 34040
        assert await refused(one.stop(takeProfit="0")) == 34040
        await one.stop(stopLoss="0")
        assert (await one.position())["stopLoss"] == ""


async def test_partial_stops_add_up_and_each_closes_its_own_size() -> None:
    async with bybit() as one:
        await opened(one)
        partial = {"tpslMode": "Partial"}
        await one.stop(stopLoss="62000", slSize="0.3", **partial)
        await one.stop(stopLoss="60000", slSize="0.5", **partial)
        assert await triggers(one) == [
            ("PartialStopLoss", "60000", "0.5"),
            ("PartialStopLoss", "62000", "0.3"),
        ]
        assert (await one.position())["stopLoss"] == ""
        one.price("61990")
        assert one.held() == dec("0.7")
        one.price("59990")
        assert one.held() == dec("0.2")


async def test_a_partial_take_profit_can_be_a_limit_order() -> None:
    async with bybit() as one:
        await opened(one)
        await one.stop(
            tpslMode="Partial",
            takeProfit="66000",
            tpSize="0.4",
            tpOrderType="Limit",
            tpLimitPrice="66500",
        )
        one.price("66000")
        (resting,) = await one.open_orders()
        assert (resting["orderStatus"], resting["price"], resting["qty"]) == ("New", "66500", "0.4")
        one.price("66500")
        assert one.held() == dec("0.6")


async def test_at_most_twenty_partial_stops_are_taken() -> None:
    async with bybit() as one:
        await opened(one, qty="3")
        for _ in range(20):
            await one.stop(tpslMode="Partial", stopLoss="60000", slSize="0.1")
        twenty_first = one.stop(tpslMode="Partial", stopLoss="60000", slSize="0.1")
        assert await refused(twenty_first) == 110061


async def test_a_trailing_stop_follows_the_price_and_closes_when_it_turns() -> None:
    async with bybit() as one:
        await opened(one)
        await one.stop(trailingStop="500")
        assert (await one.position())["trailingStop"] == "500"
        one.price("66000")
        one.price("65600")
        assert one.held() == 1
        assert await triggers(one) == [("TrailingStop", "65500", "1")]
        one.price("65500")
        assert one.held() == 0
        assert (await one.position())["trailingStop"] == "0"


async def test_a_trailing_stop_with_an_activation_price_waits_for_it() -> None:
    async with bybit() as one:
        await opened(one)
        await one.stop(trailingStop="500", activePrice="65000")
        one.price("63000")
        assert one.held() == 1
        one.price("65000")
        one.price("64500")
        assert one.held() == 0


async def test_a_trailing_stop_is_taken_off_by_zero_and_ends_with_its_position() -> None:
    async with bybit() as one:
        await opened(one)
        await one.stop(trailingStop="500")
        await one.stop(trailingStop="0")
        assert await one.open_orders() == []
        await one.stop(trailingStop="500")
        await one.order("Sell", "1", reduceOnly=True)
        assert await one.open_orders() == []


async def test_leverage_is_set_by_symbol_once() -> None:
    async with bybit() as one:
        await opened(one)
        wanted = LINEAR | {"buyLeverage": "20", "sellLeverage": "20"}
        await one.post("PositionSetLeverage", **wanted)
        assert (await one.position())["leverage"] == "20"
        assert (await one.position("ETHUSDT"))["leverage"] == "10"
        assert await refused(one.post("PositionSetLeverage", **wanted)) == 110043
        unequal = wanted | {"sellLeverage": "5"}
        assert await refused(one.post("PositionSetLeverage", **unequal)) == 10001
        beyond = LINEAR | {"buyLeverage": "200", "sellLeverage": "200"}
        assert await refused(one.post("PositionSetLeverage", **beyond)) == 110013


async def test_the_position_mode_is_switched_while_nothing_is_open() -> None:
    async with bybit() as one:
        switch = {"category": "linear", "coin": "USDT"}
        named = {"category": "linear", "symbol": "BTCUSDT"}
        assert await refused(one.post("PositionSwitchMode", **named, mode=0)) == 110025
        await one.post("PositionSwitchMode", **switch, mode=0)
        resting = await one.limit("Buy", "1", "64000")
        assert await refused(one.post("PositionSwitchMode", **switch, mode=3)) == 110028
        await one.post("OrderCancel", **LINEAR, orderId=resting)
        await opened(one)
        assert await refused(one.post("PositionSwitchMode", **switch, mode=3)) == 110024
        await one.order("Sell", "1", reduceOnly=True)
        await one.post("PositionSwitchMode", **switch, mode=3)
        await one.order("Buy", "1", positionIdx=1)
        assert one.held() == 1


async def test_the_margin_mode_is_the_whole_account_s() -> None:
    async with bybit() as one:
        await one.exchange.set_margin_mode("isolated", BTC)
        told = await one.exchange.privateGetV5AccountInfo()
        assert told["result"]["marginMode"] == "ISOLATED_MARGIN"
        assert (await one.position())["tradeMode"] == 1
        old = LINEAR | {"tradeMode": 1, "buyLeverage": "10", "sellLeverage": "10"}
        assert await refused(one.post("PositionSwitchIsolated", **old)) == 100028


async def test_the_transaction_log_reckons_the_balance_after_each_trade() -> None:
    async with bybit() as one:
        start = one.market.accounts[ACCOUNT].wallet["USDT"]
        one.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"), dec("60000"))
        one.market.close_by_hand(ACCOUNT, BTC, Side.LONG, price=dec("61000"))
        sold, bought = await one.get("AccountTransactionLog", accountType="UNIFIED")
        assert (bought["side"], sold["side"]) == ("Buy", "Sell")
        assert dec(bought["cashBalance"]) == start + dec(bought["change"])
        assert dec(sold["cashBalance"]) == one.market.accounts[ACCOUNT].wallet["USDT"]
        assert dec(sold["change"]) == 1000 - dec(sold["fee"])
        assert (bought["size"], sold["size"]) == ("1", "0")


async def test_the_wallet_tells_its_sums_in_dollars_and_refuses_old_account_types() -> None:
    async with bybit() as one:
        one.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"), dec("64000"))
        (row,) = await one.get("AccountWalletBalance", accountType="UNIFIED")
        wallet = one.market.accounts[ACCOUNT].wallet
        worth = wallet["USDT"] + wallet["USDC"] + wallet["BTC"] * 64250
        assert dec(row["totalWalletBalance"]) == worth
        assert dec(row["totalPerpUPL"]) == 250
        assert dec(row["totalEquity"]) == worth + 250
        (coin,) = [it for it in row["coin"] if it["coin"] == "USDT"]
        assert dec(coin["unrealisedPnl"]) == 250
        assert dec(coin["totalPositionIM"]) == 6425
        (only,) = await one.get("AccountWalletBalance", accountType="UNIFIED", coin="USDC")
        assert [it["coin"] for it in only["coin"]] == ["USDC"]
        contract = one.get("AccountWalletBalance", accountType="CONTRACT")
        assert await refused(contract) == 10001


async def test_fees_are_told_by_symbol() -> None:
    async with bybit() as one:
        (row,) = await one.get("AccountFeeRate", **LINEAR)
        assert (row["symbol"], row["takerFeeRate"]) == ("BTCUSDT", "0.00055")
        fees: Any = await one.exchange.fetch_trading_fees()
        assert fees[BTC]["maker"] == 0.0002
