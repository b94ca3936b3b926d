"""Both exchanges, spoken to by the real ccxt classes over TLS with their URLs untouched."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import ccxt.async_support as ccxt
import pytest

from messages.values import Side
from messages.venue import FillKind
from simulator import Exchange, SimulatedVenue, linear
from tests.simulator.conftest import ACCOUNTS, BTC, ETH, client, connected, dec, still_venue

CLOSE = {"reduceOnly": True}


async def looked_up(exchange: Any, order_id: str, symbol: str = BTC) -> Any:
    params = {"acknowledged": True} if exchange.id == "bybit" else {}
    return await exchange.fetch_order(order_id, symbol, params)


async def by_client_id(exchange: Any, client_id: str) -> Any:
    if exchange.id == "bybit":
        found = await exchange.fetch_open_orders(BTC, params={"orderLinkId": client_id})
        return found[0] if found else None
    return await exchange.fetch_order(None, BTC, {"origClientOrderId": client_id})


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_markets_load_with_their_steps_and_kinds(account: str) -> None:
    async with connected(account) as (_, exchange):
        market = exchange.market(BTC)
        assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
        assert market["limits"]["cost"]["min"] == 5
        assert exchange.market("1000PEPE/USDT:USDT")["id"] == "1000PEPEUSDT"
        dated = [it for it in exchange.markets.values() if it["future"]]
        assert [it["base"] for it in dated] == ["BTC"]
        assert dated[0]["expiry"] > exchange.milliseconds()
        if exchange.id == "bybit":
            assert exchange.market("BTC/USD:BTC")["inverse"] is True


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_ccxt_as_it_comes_loads_markets_and_currencies(account: str) -> None:
    async with still_venue() as venue, client(venue, account, options={}) as exchange:
        exchange.has["fetchCurrencies"] = True
        await exchange.load_markets()
        assert BTC in exchange.markets
        assert venue.requests.count("currencies", account) > 0


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_position_opened_by_hand_is_read_with_its_figures(account: str) -> None:
    async with connected(account) as (venue, exchange):
        venue.market.open_position(account, BTC, Side.SHORT, dec("0.5"), dec("64000"))
        (position,) = await exchange.fetch_positions()
        assert (position["symbol"], position["side"]) == (BTC, "short")
        assert (position["contracts"], position["entryPrice"]) == (0.5, 64000)
        assert position["unrealizedPnl"] == pytest.approx(-125)
        assert position["hedged"] is False


async def test_bybit_tells_the_attached_stop_and_the_opening_time() -> None:
    async with connected("bybit-main") as (venue, exchange):
        opened = venue.market.now() - timedelta(hours=5)
        venue.market.open_position(
            "bybit-main", BTC, Side.LONG, dec("1"), opened_at=opened, stop_loss=dec("60000")
        )
        (position,) = await exchange.fetch_positions()
        assert position["stopLossPrice"] == 60000
        assert position["timestamp"] == int(opened.timestamp() * 1000)


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_reduce_only_market_close_fills_and_is_found_by_client_id(account: str) -> None:
    async with connected(account) as (venue, exchange):
        venue.market.open_position(account, BTC, Side.LONG, dec("0.5"))
        order = await exchange.create_order(
            BTC, "market", "sell", 0.2, None, CLOSE | {"clientOrderId": "5e70aa"}
        )
        found = await looked_up(exchange, order["id"])
        assert (found["status"], found["filled"], found["average"]) == ("closed", 0.2, 64249.9)
        assert found["reduceOnly"] is True
        assert (await by_client_id(exchange, "5e70aa"))["id"] == order["id"]
        assert venue.market.quantity(account, BTC, Side.LONG) == dec("0.3")


async def test_bybit_s_create_answers_with_ids_only() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
        order = await exchange.create_order(BTC, "market", "sell", 1, None, CLOSE)
        assert (order["status"], order["filled"], order["average"]) == (None, None, None)


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_an_immediate_order_fills_in_part_and_its_rest_is_gone(account: str) -> None:
    async with connected(account) as (venue, exchange):
        venue.market.open_position(account, BTC, Side.LONG, dec("1"))
        venue.market.set_book_depth(venue.market.accounts[account].exchange, BTC, dec("0.4"))
        order = await exchange.create_order(
            BTC, "limit", "sell", 1, 64200, CLOSE | {"timeInForce": "IOC"}
        )
        found = await looked_up(exchange, order["id"])
        assert found["filled"] == 0.4
        assert found["status"] != "open"
        assert venue.market.quantity(account, BTC, Side.LONG) == dec("0.6")


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_post_only_order_rests_and_can_be_cancelled_once(account: str) -> None:
    async with connected(account) as (venue, exchange):
        venue.market.open_position(account, BTC, Side.LONG, dec("1"))
        order = await exchange.create_order(
            BTC, "limit", "sell", 1, 64250.1, CLOSE | {"postOnly": True}
        )
        (resting,) = await exchange.fetch_open_orders(BTC)
        assert resting["id"] == order["id"]
        await exchange.cancel_order(order["id"], BTC)
        assert (await looked_up(exchange, order["id"]))["status"] == "canceled"
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.cancel_order(order["id"], BTC)


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_stop_order_rests_apart_triggers_and_closes(account: str) -> None:
    async with connected(account) as (venue, exchange):
        venue.market.open_position(account, BTC, Side.LONG, dec("1"))
        stop = {"triggerPrice": 60000, "triggerDirection": "descending", "clientOrderId": "5e70cc"}
        await exchange.create_order(BTC, "market", "sell", 1, None, CLOSE | stop)
        (resting,) = await exchange.fetch_open_orders(BTC, params={"trigger": True})
        assert (resting["triggerPrice"], resting["amount"], resting["side"]) == (60000, 1, "sell")
        assert resting["clientOrderId"] == "5e70cc"
        if exchange.id == "binanceusdm":
            assert await exchange.fetch_open_orders(BTC) == []
        venue.market.set_price(BTC, dec("59990"))
        assert venue.market.quantity(account, BTC, Side.LONG) == 0
        assert await exchange.fetch_open_orders(BTC, params={"trigger": True}) == []


async def test_a_conditional_order_at_binance_s_plain_endpoint_is_4120() -> None:
    async with connected("binance-main") as (_, exchange):
        request = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "1"}
        with pytest.raises(ccxt.BaseError, match="-4120"):
            await exchange.fapiPrivatePostOrder(request | {"stopPrice": "60000"})


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_the_trade_history_tells_a_closing_by_hand_with_its_price_and_fee(
    account: str,
) -> None:
    async with connected(account) as (venue, exchange):
        opened = venue.market.now() - timedelta(hours=5)
        venue.market.open_position(account, ETH, Side.LONG, dec("2"), dec("3000"), opened)
        venue.market.close_by_hand(account, ETH, Side.LONG, price=dec("3100"))
        since = int(opened.timestamp() * 1000) - 1
        bought, sold = await exchange.fetch_my_trades(ETH, since)
        assert (bought["side"], bought["price"], bought["amount"]) == ("buy", 3000, 2)
        assert (sold["side"], sold["price"], sold["fee"]["currency"]) == ("sell", 3100, "USDT")
        told = sold["info"]
        if exchange.id == "bybit":
            assert (told["closedSize"], told["execType"]) == ("2", "Trade")
        else:
            assert told["realizedPnl"] == "200"


async def test_a_liquidation_is_told_as_each_exchange_tells_it() -> None:
    async with connected("bybit-main") as (venue, bybit), client(venue, "binance-main") as binance:
        for account in ACCOUNTS:
            venue.market.open_position(account, BTC, Side.LONG, dec("1"))
            venue.market.close_by_hand(account, BTC, Side.LONG, kind=FillKind.LIQUIDATION)
        body = await bybit.privateGetV5ExecutionList({"category": "linear", "symbol": "BTCUSDT"})
        assert [row["execType"] for row in body["result"]["list"]] == ["BustTrade", "Trade"]
        await binance.load_markets()
        orders = await binance.fetch_orders(BTC)
        assert orders[-1]["clientOrderId"].startswith("autoclose-")


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_the_ticker_has_prices_and_the_balance_its_money(account: str) -> None:
    async with connected(account) as (venue, exchange):
        assert (await exchange.fetch_ticker(BTC))["last"] == 64250
        assert (await exchange.fetch_balance())["USDT"]["total"] == 1_000_000
        drift = await exchange.fetch_time() - venue.market.now().timestamp() * 1000
        assert abs(drift) < 5000


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_hedge_mode_closes_one_leg_and_leaves_the_other(account: str) -> None:
    venue = SimulatedVenue(seed=1, volatility=0.0)
    venue.market.accounts[account].hedged = True
    async with venue, client(venue, account) as exchange:
        await exchange.load_markets()
        for side in Side:
            venue.market.open_position(account, BTC, side, dec("1"))
        both = {it["side"]: it["hedged"] for it in await exchange.fetch_positions()}
        assert both == {"long": True, "short": True}
        await exchange.create_order(BTC, "market", "sell", 1, None, CLOSE | {"hedged": True})
        assert venue.market.quantity(account, BTC, Side.LONG) == 0
        assert venue.market.quantity(account, BTC, Side.SHORT) == 1


async def test_bybit_pages_positions_by_cursor_200_at_a_time() -> None:
    venue = SimulatedVenue(seed=1, volatility=0.0)
    for number in range(502):
        venue.market.list(linear(Exchange.BYBIT, f"T{number:03}", "10", "0.01", "1"))
        venue.market.open_position("bybit-main", f"T{number:03}/USDT:USDT", Side.LONG, dec("5"))
    async with venue, client(venue, "bybit-main") as exchange:
        await exchange.load_markets()
        assert len(await exchange.fetch_positions()) == 200
        seen, cursor = [], ""
        while True:
            request = {"category": "linear", "settleCoin": "USDT", "limit": 200}
            body = await exchange.privateGetV5PositionList(
                request | ({"cursor": cursor} if cursor else {})
            )
            seen += [row["symbol"] for row in body["result"]["list"]]
            cursor = body["result"]["nextPageCursor"]
            if not cursor:
                break
        assert len(seen) == len(set(seen)) == 502
        assert venue.requests.count("positions", "bybit-main") == 4


async def test_bybit_by_symbol_shows_a_row_even_when_flat() -> None:
    async with connected("bybit-main") as (_, exchange):
        (position,) = await exchange.fetch_positions([BTC])
        assert position["contracts"] == 0


async def test_bybit_keeps_settle_currencies_and_categories_apart() -> None:
    async with connected("bybit-main") as (venue, exchange):
        for symbol in (BTC, "BTC/USDC:USDC", "BTC/USD:BTC"):
            venue.market.open_position("bybit-main", symbol, Side.LONG, dec("100"))
        reads: tuple[dict[str, str], ...] = ({}, {"settleCoin": "USDC"}, {"subType": "inverse"})
        found = [[p["symbol"] for p in await exchange.fetch_positions(None, it)] for it in reads]
        assert found == [[BTC], ["BTC/USDC:USDC"], ["BTC/USD:BTC"]]


async def test_bybit_refuses_histories_wider_than_a_week() -> None:
    async with connected("bybit-main") as (venue, exchange):
        until = int(venue.market.now().timestamp() * 1000)
        request = {"category": "linear", "startTime": until - 8 * 86_400_000, "endTime": until}
        with pytest.raises(ccxt.BadRequest, match="7 days"):
            await exchange.privateGetV5ExecutionList(request)


async def test_a_derivative_close_that_is_routed_to_spot_is_170131_at_bybit() -> None:
    async with connected("bybit-main") as (_, exchange):
        request = {"category": "spot", "symbol": "BTCUSDT", "side": "Sell", "orderType": "Market"}
        with pytest.raises(ccxt.BaseError, match="170131"):
            await exchange.privatePostV5OrderCreate(request | {"qty": "1"})


async def test_rights_tell_whether_a_key_may_withdraw() -> None:
    async with connected("bybit-main") as (venue, bybit), client(venue, "binance-main") as binance:
        for account in ACCOUNTS:
            venue.market.accounts[account].can_withdraw = True
        told = await bybit.privateGetV5UserQueryApi()
        assert told["result"]["permissions"]["Wallet"] == ["Withdraw"]
        assert (await binance.sapiGetAccountApiRestrictions())["enableWithdrawals"] is True
