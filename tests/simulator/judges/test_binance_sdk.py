"""Binance's own Python SDK for USD-M futures drives the simulated venue.

The SDK is made from Binance's OpenAPI documents. It takes a reply that lacks fields, and one with
wrong types after a warning; here both fail: every field that its models name has to be there with
the type that they give it. The exceptions are listed, each with its reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from binance_common import utils
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_common.errors import (
    BadRequestError,
    RateLimitBanError,
    TooManyRequestsError,
    UnauthorizedError,
)
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import (
    ModifyMultipleOrdersBatchOrdersParameterInner as Change,
)
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import (
    PlaceMultipleOrdersBatchOrdersParameterInner as Member,
)
from pydantic import BaseModel

from messages.values import Side
from simulator import SimulatedVenue
from simulator.binance_quotas import REFUSALS_BEFORE_BAN
from tests.simulator.conftest import BTC, dec, still_venue, until
from tests.simulator.judges.loopback import hosts_lead_to

ACCOUNT = "binance-main"
SYMBOL = {"symbol": "BTCUSDT"}
TRAILING_ONLY = {"activatePrice", "priceRate", "callbackRate"}
"""Told of trailing stops only, says the page "Query Order"."""
COIN_MARGINED_ONLY = {"baseQty", "marginAsset", "pair", "cumBase"}
"""Told of coin-margined contracts, which share these endpoints since 2026-06-30."""
ON_REQUEST = {"modifyId"}
"""Told where the request named one."""
FAILED_ONLY = {"code", "msg"}
"""Told of a batch's member in place of all else."""
NULL = {"icebergQuantity"}
"""Null in the documentation's own examples."""
BY_KIND = {"filters", "adlQuantile", "indicators"}
"""What has other fields for each kind of filter, for each position mode, for each symbol."""
OPTIONAL = TRAILING_ONLY | COIN_MARGINED_ONLY | ON_REQUEST | FAILED_ONLY | NULL | BY_KIND


def lacking(told: Any, path: str = "") -> Iterator[str]:
    """The documented fields that a decoded reply lacks."""
    if isinstance(told, list):
        for each in told:
            yield from lacking(each, path)
        return
    actual = getattr(told, "actual_instance", None)
    if actual is not None:
        told = actual
    if not isinstance(told, BaseModel):
        return
    if getattr(told, "code", None) and set(told.model_fields) & {"orderId", "order_id"}:
        return
    for name, field in type(told).model_fields.items():
        shown, value = field.alias or name, getattr(told, name)
        if name == "additional_properties" or shown in OPTIONAL:
            continue
        if value is None:
            yield f"{path}{shown}"
        else:
            yield from lacking(value, f"{path}{shown}.")


class Judge:
    """The SDK, asked from a thread of its own, and every reply of it checked."""

    def __init__(self, venue: SimulatedVenue, client: DerivativesTradingUsdsFutures) -> None:
        self.venue = venue
        self.market = venue.market
        self.client = client

    async def __call__(self, method: str, **params: Any) -> Any:
        """The decoded reply. A whole one: no documented field is missing."""
        reply = await self.reply(method, **params)
        told = reply.data()
        assert not list(lacking(told)), method
        return getattr(told, "actual_instance", None) or told

    async def reply(self, method: str, **params: Any) -> Any:
        return await asyncio.to_thread(getattr(self.client.rest_api, method), **params)

    async def refused(self, method: str, **params: Any) -> int:
        """The code by which a request is refused."""
        with pytest.raises((BadRequestError, UnauthorizedError)) as refusal:
            await self.reply(method, **params)
        return int(getattr(refusal.value, "status_code", 0))

    async def order(self, side: str, kind: str, **params: Any) -> Any:
        told = SYMBOL | {"side": side, "type": kind, "new_order_resp_type": "RESULT"}
        return await self("new_order", **(told | params))

    async def algo(self, side: str, kind: str, **params: Any) -> Any:
        told = SYMBOL | {"algo_type": "CONDITIONAL", "side": side, "type": kind}
        return await self("new_algo_order", **(told | params))


@pytest.fixture(autouse=True)
def types_as_documented(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The SDK only warns of values of another type than its models say; here that fails."""
    with caplog.at_level(logging.WARNING):
        yield
    warnings = [it.getMessage() for it in caplog.records if "response" in it.getMessage()]
    assert not [it for it in warnings if "did not match" in it or "Failed to parse" in it]


@asynccontextmanager
async def judging(secret: str = "", **options: Any) -> AsyncIterator[Judge]:
    async with still_venue(**options) as venue:
        owner = venue.market.accounts[ACCOUNT]
        with hosts_lead_to(venue, ".binance.com") as context:
            rest = ConfigurationRestAPI(
                api_key=owner.key,
                api_secret=secret or owner.secret.reveal(),
                https_agent=context,  # type: ignore[arg-type]  # taken, though not annotated
                timeout=10_000,
                retries=0,
            )
            streams = ConfigurationWebSocketStreams(https_agent=context)
            yield Judge(
                venue,
                DerivativesTradingUsdsFutures(config_rest_api=rest, config_ws_streams=streams),
            )


async def test_instruments_and_prices() -> None:
    async with judging() as judge:
        info = await judge("exchange_information")
        (btc,) = [it for it in info.symbols if it.symbol == "BTCUSDT"]
        by_kind = {it.filter_type: it for it in btc.filters}
        assert by_kind["PRICE_FILTER"].tick_size == "0.1"
        assert by_kind["LOT_SIZE"].step_size == by_kind["MARKET_LOT_SIZE"].min_qty == "0.001"
        assert by_kind["MIN_NOTIONAL"].notional == "5"
        assert by_kind["PERCENT_PRICE"].multiplier_up == "1.05"
        assert {it.limit for it in info.rate_limits} == {2400, 1200, 300}
        await judge("check_server_time")
        await judge("test_connectivity")
        ticker = await judge("ticker24hr_price_change_statistics", **SYMBOL)
        assert ticker.last_price == "64250"
        for method in (
            "symbol_price_ticker",
            "symbol_price_ticker_v2",
            "symbol_order_book_ticker",
            "mark_price",
            "ticker24hr_price_change_statistics",
        ):
            await judge(method, **SYMBOL)
            await judge(method)
        book = await judge("order_book", **SYMBOL, limit=20)
        assert (book.bids[0][0], book.asks[0][0]) == ("64249.9", "64250.1")
        await judge("open_interest", **SYMBOL)
        assert await judge("get_funding_rate_history", **SYMBOL, limit=3)
        await judge("get_funding_rate_info")


async def test_candles() -> None:
    async with judging() as judge:
        told = {"interval": "1m", "limit": 3}
        for method in (
            "kline_candlestick_data",
            "mark_price_kline_candlestick_data",
            "premium_index_kline_data",
        ):
            assert len(await judge(method, **SYMBOL, **told)) == 3
        assert len(await judge("index_price_kline_candlestick_data", pair="BTCUSDT", **told)) == 3
        kind = {"pair": "BTCUSDT", "contract_type": "PERPETUAL"}
        assert len(await judge("continuous_contract_kline_candlestick_data", **kind, **told)) == 3


async def test_the_account_its_balances_and_its_configuration() -> None:
    async with judging() as judge:
        judge.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"), dec("64250"))
        for version in (2, 3):
            account = await judge(f"account_information_v{version}")
            assert account.total_wallet_balance == "999967.875"
            held = [it for it in account.positions if it.position_amt != "0"]
            assert [(it.symbol, it.position_amt) for it in held] == [("BTCUSDT", "1")]
            balances = await judge(f"futures_account_balance_v{version}")
            assert {it.asset for it in balances} >= {"USDT"}
            (position,) = await judge(f"position_information_v{version}", **SYMBOL)
            assert (position.position_amt, position.entry_price) == ("1", "64250")
        config = await judge("futures_account_configuration")
        assert config.dual_side_position is False
        (symbol,) = await judge("symbol_configuration", **SYMBOL)
        assert (symbol.leverage, symbol.margin_type) == (10, "CROSSED")
        rate = await judge("user_commission_rate", **SYMBOL)
        assert rate.taker_commission_rate == "0.0005"
        await judge("query_user_rate_limit")
        await judge("get_current_multi_assets_mode")
        await judge("get_bnb_burn_status")
        await judge("futures_trading_quantitative_rules_indicators")
        brackets = await judge("notional_and_leverage_brackets", **SYMBOL)
        assert brackets


async def test_leverage_margin_and_position_mode() -> None:
    async with judging() as judge:
        changed = await judge("change_initial_leverage", **SYMBOL, leverage=20)
        assert (changed.leverage, changed.symbol) == (20, "BTCUSDT")
        assert await judge.refused("change_initial_leverage", **SYMBOL, leverage=126) == -4028
        done = await judge("change_margin_type", **SYMBOL, margin_type="ISOLATED")
        assert done.code == 200
        assert await judge.refused("change_margin_type", **SYMBOL, margin_type="ISOLATED") == -4046
        judge.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        added = await judge("modify_isolated_position_margin", **SYMBOL, amount=100.0, type=1)
        assert (added.code, added.type) == (200, 1)
        (change,) = await judge("get_position_margin_change_history", **SYMBOL)
        assert change.amount == "100"
        assert await judge.refused("change_position_mode", dual_side_position="true") == -4068
        judge.market.close_by_hand(ACCOUNT, BTC, Side.LONG)
        await judge("change_position_mode", dual_side_position="true")
        assert (await judge("get_current_position_mode")).dual_side_position is True


async def test_plain_orders_their_queries_and_their_ends() -> None:
    async with judging() as judge:
        opened = await judge.order("BUY", "MARKET", quantity=1.0, new_client_order_id="judge-1")
        assert (opened.status, opened.executed_qty) == ("FILLED", "1")
        limit = {"quantity": 1.0, "price": 66000.0, "time_in_force": "GTC", "reduce_only": "true"}
        resting = await judge.order("SELL", "LIMIT", **limit)
        assert (resting.status, resting.reduce_only) == ("NEW", True)
        named = SYMBOL | {"order_id": resting.order_id}
        assert (await judge("query_order", **named)).price == "66000"
        assert (await judge("query_current_open_order", **named)).status == "NEW"
        (listed,) = await judge("current_all_open_orders", **SYMBOL)
        assert listed.order_id == resting.order_id
        by_client = await judge("query_order", **SYMBOL, orig_client_order_id="judge-1")
        assert by_client.order_id == opened.order_id
        assert (await judge("cancel_order", **named)).status == "CANCELED"
        assert await judge.refused("cancel_order", **named) == -2011
        assert await judge.refused("query_current_open_order", **named) == -2013
        for in_force in ("IOC", "FOK", "GTX"):
            away = limit | {"time_in_force": in_force}
            ended = await judge.order("SELL", "LIMIT", **away)
            assert ended.status == ("NEW" if in_force == "GTX" else "EXPIRED")
        assert (await judge("cancel_all_open_orders", **SYMBOL)).code == 200
        assert await judge("current_all_open_orders") == []
        assert len(await judge("all_orders", **SYMBOL)) == 5
        tested = {"side": "BUY", "type": "MARKET", "quantity": 1.0}
        await judge.reply("test_order", **SYMBOL, **tested)


async def test_a_close_goes_through_beside_a_resting_one_and_by_position_side() -> None:
    async with judging() as judge:
        judge.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        limit = {"quantity": 1.0, "price": 66000.0, "time_in_force": "GTC", "reduce_only": "true"}
        resting = await judge.order("SELL", "LIMIT", **limit)
        part = SYMBOL | {"side": "SELL", "type": "MARKET", "quantity": 0.5, "reduce_only": "true"}
        assert await judge.refused("new_order", **part) == -4118
        closed = await judge.order("SELL", "MARKET", quantity=1.0, reduce_only="true")
        assert closed.status == "FILLED"
        knocked_out = await judge("query_order", **SYMBOL, order_id=resting.order_id)
        assert knocked_out.status == "EXPIRED"
        assert await judge.refused("new_order", **part) == -2022
        await judge("change_position_mode", dual_side_position="true")
        await judge.order("BUY", "MARKET", quantity=1.0, position_side="LONG")
        assert await judge.refused("new_order", **part, position_side="LONG") == -1106
        hedged = await judge.order("SELL", "MARKET", quantity=1.0, position_side="LONG")
        assert (hedged.status, hedged.position_side) == ("FILLED", "LONG")


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("STOP_MARKET", {"trigger_price": 60000.0, "quantity": 1.0, "reduce_only": "true"}),
        ("STOP_MARKET", {"trigger_price": 60000.0, "close_position": "true"}),
        ("STOP", {"trigger_price": 60000.0, "price": 59900.0, "quantity": 1.0}),
        ("TAKE_PROFIT_MARKET", {"trigger_price": 70000.0, "close_position": "true"}),
        ("TAKE_PROFIT", {"trigger_price": 70000.0, "price": 70000.0, "quantity": 1.0}),
        (
            "TRAILING_STOP_MARKET",
            {"callback_rate": 1.5, "activate_price": 65000.0, "quantity": 1.0},
        ),
    ],
)
async def test_every_kind_of_conditional_order(kind: str, params: dict[str, Any]) -> None:
    async with judging() as judge:
        judge.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        placed = await judge.algo("SELL", kind, **params, client_algo_id="judge-stop")
        assert (placed.order_type, placed.algo_status) == (kind, "NEW")
        found = await judge("query_algo_order", client_algo_id="judge-stop")
        assert found.algo_id == placed.algo_id
        (listed,) = await judge("current_all_algo_open_orders", **SYMBOL)
        assert listed.algo_id == placed.algo_id
        assert await judge("current_all_open_orders") == []
        ended = await judge("cancel_algo_order", algo_id=placed.algo_id)
        assert (ended.code, ended.msg) == ("200", "success")
        (past,) = await judge("query_all_algo_orders", **SYMBOL)
        assert past.algo_status == "CANCELED"
        await judge.algo("SELL", kind, **params)
        assert (await judge("cancel_all_algo_open_orders", **SYMBOL)).code == 200
        assert await judge("current_all_algo_open_orders") == []


async def test_a_stop_fires_and_tells_what_it_became() -> None:
    async with judging() as judge:
        judge.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        stop = {"trigger_price": 60000.0, "close_position": "true"}
        placed = await judge.algo("SELL", "STOP_MARKET", **stop)
        twin = SYMBOL | {"algo_type": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET"}
        assert await judge.refused("new_algo_order", **twin, **stop) == -4130
        both = stop | {"reduce_only": "true"}
        assert await judge.refused("new_algo_order", **twin, **both) == -1106
        judge.market.set_price(BTC, dec("59990"))
        fired = await judge("query_algo_order", algo_id=placed.algo_id)
        assert (fired.algo_status, fired.actual_price) == ("FINISHED", "59989.9")
        became = await judge("query_order", **SYMBOL, order_id=int(fired.actual_order_id))
        assert became.status == "FILLED"
        trades = await judge("account_trade_list", **SYMBOL)
        assert [it.side for it in trades] == ["BUY", "SELL"]
        incomes = await judge("get_income_history", **SYMBOL)
        assert {it.income_type for it in incomes} == {"COMMISSION", "REALIZED_PNL"}


async def test_orders_are_changed_and_sent_in_batches() -> None:
    async with judging() as judge:
        told: dict[str, Any] = SYMBOL | {"side": "BUY", "type": "LIMIT"}
        told |= {"quantity": 1.0, "price": 64000.0}
        lasting = Member(**told, timeInForce="GTC")
        batch = [lasting, Member(**told), lasting]
        placed = await judge("place_multiple_orders", batch_orders=batch)
        assert [it.code or it.status for it in placed] == ["NEW", -1102, "NEW"]
        ids = [it.order_id for it in placed if it.order_id]
        change = {"side": "BUY", "quantity": 1.0, "price": 63000.0}
        changed = await judge("modify_order", **SYMBOL, **change, order_id=ids[0], modify_id=7)
        assert (changed.price, changed.modify_id) == ("63000", 7)
        (past,) = await judge("get_order_modify_history", **SYMBOL, order_id=ids[0])
        assert (past.amendment.price.before, past.amendment.price.after) == ("64000", "63000")
        changes = [
            Change(symbol="BTCUSDT", orderId=it, side="BUY", quantity=1.0, price=62000.0)
            for it in ids
        ]
        moved = await judge("modify_multiple_orders", batch_orders=changes)
        assert [it.price for it in moved] == ["62000", "62000"]
        ended = await judge("cancel_multiple_orders", **SYMBOL, order_id_list=[*ids, 1])
        assert [it.code or it.status for it in ended] == ["CANCELED", "CANCELED", -2011]


async def test_forced_orders() -> None:
    async with judging() as judge:
        judge.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        assert await judge("position_adl_quantile_estimation", **SYMBOL)
        judge.market.liquidate(ACCOUNT, BTC, Side.LONG)
        (forced,) = await judge("users_force_orders", auto_close_type="LIQUIDATION")
        assert forced.side == "SELL"


async def test_a_wrong_secret_and_a_wrong_clock_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with judging(secret="wrong") as judge:
        assert await judge.refused("futures_account_balance_v3") == -1022
    async with judging() as judge:
        now = utils.get_timestamp
        for off in (-6000, 2000):
            monkeypatch.setattr(utils, "get_timestamp", lambda off=off: now() + off)
            assert await judge.refused("futures_account_balance_v3") == -1021
        monkeypatch.setattr(utils, "get_timestamp", lambda: now() - 6000)
        assert (await judge.reply("futures_account_balance_v3", recv_window=20000)).status == 200


async def test_limits_are_told_and_refuse() -> None:
    async with judging(limits=True) as judge:
        # The venue's minute is the clock's, and a new one would take what was used of the old.
        await until(lambda: judge.market.now().second < 40, "the minute is young", 30)
        reply = await judge.reply("ticker24hr_price_change_statistics")
        (used,) = reply.rate_limits
        assert (used.rateLimitType, used.interval, used.count) == ("REQUEST_WEIGHT", "MINUTE", 40)
        order = SYMBOL | {"side": "BUY", "type": "MARKET", "quantity": 1.0}
        kinds = {it.rateLimitType for it in (await judge.reply("new_order", **order)).rate_limits}
        assert kinds == {"REQUEST_WEIGHT", "ORDERS"}
        with pytest.raises(TooManyRequestsError) as refused:
            await ask_until_refused(judge, 140)
        assert 0 < (refused.value.retry_after or 0) <= 60
        for _ in range(REFUSALS_BEFORE_BAN - 1):
            with pytest.raises(TooManyRequestsError):
                await judge.reply("check_server_time")
        with pytest.raises(RateLimitBanError) as banned:
            await judge.reply("check_server_time")
        assert 60 < (banned.value.retry_after or 0) <= 120


async def ask_until_refused(judge: Judge, times: int) -> None:
    for _ in range(times):
        await judge.reply("ticker24hr_price_change_statistics")


async def test_the_user_data_stream() -> None:
    async with judging() as judge:
        key = (await judge("start_user_data_stream")).listen_key
        streams = judge.client.websocket_streams
        await streams.create_connection()  # type: ignore[no-untyped-call]  # the SDK's own
        told: list[Any] = []
        try:
            handle = await streams.user_data(key)
            handle.on("message", told.append)
            await until(lambda: judge.venue.streams.connected(ACCOUNT), "the subscription")
            await judge.order("BUY", "MARKET", quantity=1.0)
            await judge.algo("SELL", "STOP_MARKET", trigger_price=60000.0, close_position="true")
            await judge("change_initial_leverage", **SYMBOL, leverage=20)
            judge.market.set_price(BTC, dec("59990"))
            kinds = {
                "TradeLite",
                "OrderTradeUpdate",
                "AccountUpdate",
                "AlgoUpdate",
                "AccountConfigUpdate",
            }
            await until(lambda: kinds <= names(told), "all kinds of events")
            events = [getattr(it, "actual_instance", it) for it in told]
            # Told of trailing stops only (AP, cr), of funding (S), of amendments (M), of the
            # multi-assets mode (ai).
            not_here = {"o.AP", "o.cr", "o.M", "a.S", "ai"}
            assert {it for event in events for it in lacking(event)} <= not_here
            assert (await judge.reply("keepalive_user_data_stream")).status == 200
            assert (await judge.reply("close_user_data_stream")).status == 200
            assert await judge.refused("keepalive_user_data_stream") == -1125
        finally:
            await streams.close_connection(close_session=True)


async def test_the_market_streams() -> None:
    async with judging() as judge:
        streams = judge.client.websocket_streams
        await streams.create_connection()  # type: ignore[no-untyped-call]  # the SDK's own
        told: list[Any] = []
        try:
            for method in (
                "individual_symbol_book_ticker_streams",
                "mark_price_stream",
                "individual_symbol_mini_ticker_stream",
                "individual_symbol_ticker_streams",
            ):
                (await getattr(streams, method)("btcusdt")).on("message", told.append)
            for method in (
                "all_book_tickers_stream",
                "mark_price_stream_for_all_market",
                "all_market_mini_tickers_stream",
                "all_market_tickers_streams",
            ):
                (await getattr(streams, method)()).on("message", told.append)
            # Those of all symbols but the book's are lists.
            kinds = {
                "IndividualSymbolBookTickerStreamsResponse",
                "MarkPriceStreamResponse",
                "IndividualSymbolMiniTickerStreamResponse",
                "IndividualSymbolTickerStreamsResponse",
                "AllBookTickersStreamResponse",
            }
            await until(lambda: kinds <= names(told), "a message of each stream", 30)
            lists = {"markPriceUpdate", "24hrMiniTicker", "24hrTicker"}
            await until(lambda: lists <= listed(told), "a list of each stream", 30)
            assert {it for event in told for it in lacking(event)} == set()
        finally:
            await streams.close_connection(close_session=True)


def listed(told: Iterable[Any]) -> set[str]:
    """The types of events that came as lists."""
    lists = [getattr(it, "actual_instance", it) for it in told]
    return {str(it[0].e) for it in lists if isinstance(it, list)}


def names(told: Iterable[Any]) -> set[str]:
    return {type(getattr(it, "actual_instance", it)).__name__ for it in told}
