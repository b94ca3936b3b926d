"""Gate's own Python SDK drives the simulated venue.

The SDK is made from Gate's OpenAPI documents. It takes a reply that lacks fields; here that fails:
every field that its models name has to be there. The exceptions are listed, each with its reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import gate_api
import pytest
from gate_api.exceptions import GateApiException

from messages.values import Side
from simulator import Exchange, SimulatedVenue
from simulator.gate_quotas import PLACING
from simulator.instruments import quarter_end
from tests.simulator.conftest import BTC, dec, still_venue
from tests.simulator.judges.loopback import hosts_lead_to

ACCOUNT = "gate-main"
NAME = "BTC_USDT"
OF_REQUESTS_ONLY = {"close", "reduce_only", "auto_size", "stp_act", "action_mode"}
"""Sent with an order; its record says `is_close` and `is_reduce_only`."""
ONCE_ENDED = {"finish_time", "finish_as"}
"""Not returned of an order that is open."""
DELTA_NEUTRAL = {"hedge_status", "hedged_size", "unhedged_size"}
"""Of accounts in the delta-neutral strategy."""
WHERE_THERE_IS_ONE = {"close_order"}
"""Null where no order closes the position, in the documentation's own examples."""
NEW_BEST_OFFER = {"tpsl_tp_bbo_type", "tpsl_sl_bbo_type"}
"""Of orders at the best offer."""
OF_FAILURES_ONLY = {"label", "detail"}
"""Told of a batch's member that failed."""
OPTIONAL = (
    OF_REQUESTS_ONLY
    | ONCE_ENDED
    | DELTA_NEUTRAL
    | WHERE_THERE_IS_ONE
    | NEW_BEST_OFFER
    | OF_FAILURES_ONLY
)


def lacking(told: Any, path: str = "") -> Iterator[str]:
    """The documented fields that a decoded reply lacks."""
    if isinstance(told, list):
        for each in told:
            yield from lacking(each, path)
        return
    if isinstance(told, dict):
        for name, each in told.items():
            yield from lacking(each, f"{path}{name}.")
        return
    for name in getattr(told, "openapi_types", {}):
        value = getattr(told, name)
        if value is None and name not in OPTIONAL:
            yield f"{path}{name}"
        elif value is not None:
            yield from lacking(value, f"{path}{name}.")


class Judge:
    """The SDK, asked from a thread of its own, and every reply of it checked."""

    def __init__(self, venue: SimulatedVenue, client: Any) -> None:
        self.venue = venue
        self.market = venue.market
        self.apis = (
            gate_api.FuturesApi(client),
            gate_api.DeliveryApi(client),
            gate_api.AccountApi(client),
            gate_api.WalletApi(client),
            gate_api.SpotApi(client),
        )

    async def __call__(self, method: str, *args: Any, **params: Any) -> Any:
        """The decoded reply. A whole one: no documented field is missing."""
        told = await self.reply(method, *args, **params)
        assert not list(lacking(told)), method
        return told

    async def reply(self, method: str, *args: Any, **params: Any) -> Any:
        call = next(getattr(it, method) for it in self.apis if hasattr(it, method))
        return await asyncio.to_thread(call, *args, **params)

    async def refused(self, method: str, *args: Any, **params: Any) -> str:
        """The label by which a request is refused."""
        with pytest.raises(GateApiException) as refusal:
            await self.reply(method, *args, **params)
        return str(refusal.value.label)

    async def order(self, size: int, price: str = "0", tif: str = "ioc", **more: Any) -> Any:
        return await self("create_futures_order", "usdt", order(size, price, tif, **more))


def order(size: int, price: str = "0", tif: str = "ioc", **more: Any) -> Any:
    told = {"contract": NAME, "size": str(size), "price": price, "tif": tif}
    return gate_api.FuturesOrder(**(told | more))


def trigger(size: int, price: str, rule: int, kind: str = "", **more: Any) -> Any:
    initial = {"contract": NAME, "size": size, "price": "0", "tif": "ioc", "reduce_only": True}
    return gate_api.FuturesPriceTriggeredOrder(
        initial=gate_api.FuturesInitialOrder(**(initial | more)),
        trigger=gate_api.FuturesPriceTrigger(
            strategy_type=0, price_type=0, price=price, rule=rule, expiration=86400
        ),
        order_type=kind or None,
    )


@asynccontextmanager
async def judging(
    *, hedged: bool = False, secret: str = "", **options: Any
) -> AsyncIterator[Judge]:
    async with still_venue(**options) as venue:
        if ACCOUNT not in venue.market.accounts:
            venue.market.add_account(ACCOUNT, Exchange.GATE, key="judge-key", secret="judge-secret")
        venue.market.set_mode(ACCOUNT, hedged=hedged)
        owner = venue.market.accounts[ACCOUNT]
        with hosts_lead_to(venue, ".gateio.ws"):
            told = gate_api.Configuration(key=owner.key, secret=secret or owner.secret.reveal())
            told.ssl_ca_cert = str(venue.ca_file)
            client = gate_api.ApiClient(told)
            yield Judge(venue, client)
            client.close()


async def test_contracts_and_prices() -> None:
    async with judging() as judge:
        listed = await judge("list_futures_contracts", "usdt")
        by_name = {it.name: it for it in listed}
        assert by_name[NAME].quanto_multiplier == "0.0001"
        assert by_name[NAME].order_price_round == "0.1"
        (inverse,) = await judge("list_futures_contracts", "btc")
        assert (inverse.name, inverse.type, inverse.quanto_multiplier) == (
            "BTC_USD",
            "inverse",
            "0",
        )
        assert (await judge("get_futures_contract", "usdt", NAME)).status == "trading"
        (dated,) = await judge("list_delivery_contracts", "usdt")
        assert dated.cycle == "QUARTERLY"
        assert (await judge("get_delivery_contract", "usdt", dated.name)).name == dated.name
        assert {it.contract for it in await judge("list_futures_tickers", "usdt")} == set(by_name)
        (ticker,) = await judge("list_futures_tickers", "usdt", contract=NAME)
        assert (ticker.last, ticker.lowest_ask, ticker.highest_bid) == (
            "64250",
            "64250.1",
            "64249.9",
        )
        await judge("list_delivery_tickers", "usdt")
        book = await judge("list_futures_order_book", "usdt", NAME, limit=5)
        assert (book.bids[0].p, book.asks[0].p) == ("64249.9", "64250.1")
        candles = await judge("list_futures_candlesticks", "usdt", NAME, interval="1m", limit=3)
        assert len(candles) == 3
        assert await judge("list_futures_funding_rate_history", "usdt", NAME, limit=3)
        assert await judge("list_futures_risk_limit_tiers", "usdt", contract=NAME)
        await judge("get_system_time")
        assert await judge.refused("get_futures_contract", "usdt", "NO_SUCH") == (
            "CONTRACT_NOT_FOUND"
        )


async def test_the_account_its_mode_and_its_leverage() -> None:
    async with judging() as judge:
        detail = await judge("get_account_detail")
        assert detail.user_id == judge.market.accounts[ACCOUNT].uid
        account = await judge("list_futures_accounts", "usdt")
        assert (account.total, account.in_dual_mode) == ("1000000", False)
        await judge("list_delivery_accounts", "usdt")
        assert await judge.refused("list_futures_accounts", "eth") == "USER_NOT_FOUND"
        assert (await judge("get_futures_fee", "usdt", contract=NAME))[NAME].taker_fee == "0.0005"
        assert (await judge("update_position_leverage", "usdt", NAME, "20")).leverage == "20"
        crossed = await judge(
            "update_position_leverage", "usdt", NAME, "0", cross_leverage_limit="15"
        )
        assert (crossed.leverage, crossed.cross_leverage_limit) == ("0", "15")
        assert await judge.refused("update_position_leverage", "usdt", NAME, "500") == (
            "LEVERAGE_TOO_HIGH"
        )
        alone = gate_api.FuturesPositionCrossMode(mode="ISOLATED", contract=NAME)
        position = await judge("update_position_cross_mode", "usdt", alone)
        assert position.pos_margin_mode == "isolated"
        judge.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        await judge("update_position_margin", "usdt", NAME, "100")
        assert await judge.refused("set_dual_mode", "usdt", True) == "POSITION_HOLDING"
        judge.market.close_by_hand(ACCOUNT, BTC, Side.LONG)
        assert (await judge("set_dual_mode", "usdt", True)).in_dual_mode is True
        assert await judge.refused("set_dual_mode", "usdt", True) == "NO_CHANGE"


async def test_a_position_is_opened_read_reduced_and_closed() -> None:
    async with judging() as judge:
        opened = await judge.order(10_000, text="t-judge.1")
        assert (opened.status, opened.finish_as, opened.left) == ("finished", "filled", "0")
        (position,) = await judge("list_positions", "usdt", holding=True)
        assert (position.size, position.mode) == ("10000", "single")
        assert (await judge("get_position", "usdt", NAME)).entry_price == "64250.1"
        reduced = await judge.order(-4000, reduce_only=True, text="t-judge.2")
        assert (reduced.size, reduced.is_reduce_only) == ("-4000", True)
        by_text = await judge("get_futures_order", "usdt", "t-judge.2")
        assert by_text.id == (await judge("get_futures_order", "usdt", str(reduced.id))).id
        await judge.order(0, close=True)
        assert await judge("list_positions", "usdt", holding=True) == []
        fills = await judge("get_my_trades", "usdt", contract=NAME)
        assert [it.size for it in fills] == ["-6000", "-4000", "10000"]
        assert [it.close_size for it in fills] == ["-6000", "-4000", "0"]
        of_range = await judge("get_my_trades_with_time_range", "usdt", contract=NAME, limit=2)
        assert [it.trade_id for it in of_range] == [str(it.id) for it in fills[:2]]
        (ended,) = await judge("list_position_close", "usdt", contract=NAME)
        assert (ended.side, ended.accum_size, ended.max_size) == ("long", "10000", "10000")
        assert (ended.long_price, ended.text) == ("64250.1", "api")
        book = await judge("list_futures_account_book", "usdt", type="fee")
        assert len(book) == 3
        listed = await judge("list_futures_orders", "usdt", "finished", contract=NAME)
        assert [it.text for it in listed] == ["api", "t-judge.2", "t-judge.1"]
        ranged = await judge("get_orders_with_time_range", "usdt", contract=NAME, limit=1)
        assert [it.id for it in ranged] == [listed[0].id]


async def test_hedge_legs_are_apart() -> None:
    async with judging(hedged=True) as judge:
        await judge.order(5000)
        await judge.order(-3000)
        both = await judge("get_dual_mode_position", "usdt", NAME)
        assert [(it.mode, it.size) for it in both] == [
            ("dual_long", "5000"),
            ("dual_short", "-3000"),
        ]
        await judge.order(1000, reduce_only=True)
        await judge.order(0, reduce_only=True, auto_size="close_long")
        both = await judge("get_dual_mode_position", "usdt", NAME)
        assert [it.size for it in both] == ["0", "-2000"]
        stop = trigger(0, "70000", 1, "close-short-position", auto_size="close_short")
        placed = await judge("create_price_triggered_order", "usdt", stop)
        (listed,) = await judge("list_price_triggered_orders", "usdt", "open")
        assert (listed.id, listed.initial.auto_size) == (placed.id, "close_short")
        judge.market.set_price(BTC, dec("70010"))
        fired = await judge("get_price_triggered_order", "usdt", str(placed.id))
        assert fired.finish_as == "succeeded"
        assert (await judge("get_futures_order", "usdt", str(fired.trade_id))).size == "2000"


async def test_resting_orders_are_changed_and_cancelled() -> None:
    async with judging() as judge:
        first = await judge.order(100, "60000", "gtc", text="t-first")
        assert (first.status, first.left) == ("open", "100")
        changed = gate_api.FuturesOrderAmendment(size="200", price="61000", amend_text="t-more")
        amended = await judge("amend_futures_order", "usdt", str(first.id), changed)
        assert (amended.size, amended.price) == ("200", "61000")
        assert await judge.refused(
            "create_futures_order", "usdt", order(100, "60000", "gtc", text="t-first")
        ) == ("REPEATED_CREATION")
        (resting,) = await judge("list_futures_orders", "usdt", "open", contract=NAME)
        assert resting.id == first.id
        ended = await judge("cancel_futures_order", "usdt", str(first.id))
        assert (ended.status, ended.finish_as) == ("finished", "cancelled")
        assert await judge.refused("cancel_futures_order", "usdt", str(first.id)) == (
            "ORDER_FINISHED"
        )
        assert await judge.refused("cancel_futures_order", "usdt", "123") == "ORDER_NOT_FOUND"
        batch = [order(100, "60000", "gtc", text=f"t-{it}") for it in range(2)]
        batch.append(order(100, "60000", "gtc", text="wrong"))
        told = await judge("create_batch_futures_order", "usdt", batch[:2])
        assert [it.succeeded for it in told] == [True, True]
        failed = (await judge.reply("create_batch_futures_order", "usdt", batch[2:]))[0]
        assert (failed.succeeded, failed.label) == (False, "INVALID_PARAM_VALUE")
        done = await judge("cancel_batch_future_orders", "usdt", [str(told[0].id), "123"])
        assert [it.succeeded for it in done] == [True, False]
        assert len(await judge("cancel_futures_orders", "usdt", contract=NAME)) == 1


async def test_price_triggered_orders_are_apart_and_become_orders() -> None:
    async with judging() as judge:
        await judge.order(10_000)
        placed = await judge(
            "create_price_triggered_order", "usdt", trigger(-4000, "60000", 2, text="t-stop")
        )
        waiting = await judge("get_price_triggered_order", "usdt", str(placed.id))
        assert (waiting.status, waiting.initial.size, waiting.trigger.rule) == ("open", -4000, 2)
        assert await judge("list_futures_orders", "usdt", "open") == []
        gone = await judge("cancel_price_triggered_order", "usdt", str(placed.id))
        assert (gone.status, gone.finish_as) == ("finished", "cancelled")
        assert await judge.refused("cancel_price_triggered_order", "usdt", str(placed.id)) == (
            "AUTO_ORDER_NOT_FOUND"
        )
        whole = trigger(0, "60000", 2, close=True)
        placed = await judge("create_price_triggered_order", "usdt", whole)
        judge.market.set_price(BTC, dec("59990"))
        (ended,) = [
            it
            for it in await judge("list_price_triggered_orders", "usdt", "finished")
            if it.id == placed.id
        ]
        assert (ended.status, ended.finish_as) == ("finished", "succeeded")
        became = await judge("get_futures_order", "usdt", str(ended.trade_id))
        assert (became.finish_as, became.size) == ("filled", "-10000")
        assert await judge("list_positions", "usdt", holding=True) == []
        wrong = trigger(-1, "70000", 2)
        assert await judge.refused("create_price_triggered_order", "usdt", wrong) == (
            "AUTO_TRIGGER_PRICE_GREATE_LAST"
        )
        late = trigger(-1, "50000", 2)
        placed = await judge("create_price_triggered_order", "usdt", late)
        judge.market.set_price(BTC, dec("49990"))
        failed = await judge("get_price_triggered_order", "usdt", str(placed.id))
        assert (failed.finish_as, failed.trade_id) == ("failed", 0)
        assert await judge("cancel_price_triggered_order_list", "usdt", contract=NAME) == []


async def test_dated_futures_have_an_api_of_their_own() -> None:
    async with judging() as judge:
        name = f"BTC_USDT_{quarter_end(judge.market.now()).strftime('%Y%m%d')}"
        told = gate_api.DeliveryOrder(contract=name, size=100, price="0", tif="ioc")
        opened = await judge("create_delivery_order", "usdt", told)
        assert opened.finish_as == "filled"
        (position,) = await judge("list_delivery_positions", "usdt")
        assert (position.contract, position.size) == (name, 100)
        assert (await judge("get_delivery_position", "usdt", name)).size == 100
        (fill,) = await judge("get_my_delivery_trades", "usdt", contract=name)
        assert fill.size == 100
        assert await judge.refused("get_futures_order", "usdt", str(opened.id)) == (
            "ORDER_NOT_FOUND"
        )
        assert (await judge("get_delivery_order", "usdt", str(opened.id))).id == opened.id


@pytest.mark.parametrize(
    ("told", "label"),
    [
        (order(-100, reduce_only=True), "INCREASE_POSITION"),
        (order(0, close=True), "POSITION_EMPTY"),
        (order(0), "SIZE_TOO_SMALL"),
        (order(2_000_000), "SIZE_TOO_LARGE"),
        (order(900_000), "INSUFFICIENT_AVAILABLE"),
        (order(100, "90000", "gtc"), "PRICE_TOO_DEVIATED"),
        (order(100, "64300", "poc"), "ORDER_POC_IMMEDIATE"),
        (order(100, "64250.05", "gtc"), "INVALID_PARAM_VALUE"),
        (order(100, "0", "gtc"), "INVALID_PARAM_VALUE"),
        (order(100, text="judge"), "INVALID_PARAM_VALUE"),
        (order(100, text="t-" + "x" * 29), "INVALID_PARAM_VALUE"),
        (order(100, contract="NO_SUCH"), "CONTRACT_NOT_FOUND"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
async def test_what_is_wrong_with_an_order_is_told_by_its_label(told: Any, label: str) -> None:
    async with judging() as judge:
        judge.market.accounts[ACCOUNT].wallet["USDT"] = dec("100000")
        assert await judge.refused("create_futures_order", "usdt", told) == label


async def test_who_may_ask() -> None:
    async with judging(secret="wrong") as judge:
        assert await judge.refused("get_account_detail") == "INVALID_SIGNATURE"
    async with judging() as judge:
        judge.market.accounts[ACCOUNT].can_trade = False
        assert await judge.refused("create_futures_order", "usdt", order(1)) == "READ_ONLY"
        judge.market.logins.revoke(judge.market.accounts[ACCOUNT].key)
        assert await judge.refused("get_account_detail") == "INVALID_KEY"


async def test_the_hundred_and_first_order_of_a_second_is_refused() -> None:
    assert "order.create" in PLACING
    async with judging(limits=True) as judge:
        at = judge.market.now()
        judge.market.now = lambda: at
        for _ in range(100):
            await judge.order(1)
        assert await judge.refused("create_futures_order", "usdt", order(1)) == (
            "TOO_MANY_REQUESTS"
        )
        assert judge.market.quantity(ACCOUNT, BTC, Side.LONG) == dec("0.01")
