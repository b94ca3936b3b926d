"""Somebody else's typed client drives the simulated Bitget: what it sends is taken, all fits.

Bitget has no Python SDK of its own for its v2. `typed-bitget` decodes every reply by the
documentation, corrected by what its author saw live, and refuses a reply that lacks a field or has
one of another kind. Where a body that others recorded differs from it the recording goes: in
one-way mode `posSide` of an order is "net", and what filled nothing has no `priceAvg`; such rows
are read without its decoder, and each such place says so.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpcore
import httpx
import pytest
from typed_bitget import Bitget
from typed_bitget.core.exc import AccountModeMismatch
from typed_core.exceptions import ApiError, AuthError, BadRequest
from typed_core.http import HttpClient

from messages.values import Side
from messages.venue import FillKind
from simulator import Exchange, SimulatedVenue
from simulator.logins import PASSPHRASE
from tests.simulator.conftest import BTC, dec, still_venue, until
from tests.simulator.judges.loopback import hosts_lead_to

ACCOUNT = "bitget-main"
USDT: dict[str, Any] = {"product_type": "USDT-FUTURES"}
NAMED: dict[str, Any] = {"symbol": "BTCUSDT", **USDT}
COIN: dict[str, Any] = {"margin_coin": "USDT"}
WITHIN = 5.0


class Judge:
    """The client, whose answers are checked. BTC stands at 64250.0, the book one step beside."""

    def __init__(self, venue: SimulatedVenue, client: Bitget) -> None:
        self.venue = venue
        self.market = venue.market
        self.client = client
        self.mix = client.classic.mix
        self.order = client.classic.mix.order

    async def place(self, side: str, size: str, price: str = "", **params: Any) -> str:
        """Send an order, at a price or at the market's, and give its id."""
        asked: dict[str, Any] = {
            "symbol": "BTCUSDT",
            "productType": "USDT-FUTURES",
            "marginMode": "crossed",
            "marginCoin": "USDT",
            "size": size,
            "side": side,
            "orderType": "limit" if price else "market",
            **({"price": price, "force": "gtc"} if price else {}),
            **params,
        }
        return (await self.order.place(asked))["orderId"]  # type: ignore[arg-type]

    async def detail(self, order_id: str) -> Any:
        return await self.order.detail(**NAMED, order_id=order_id)

    async def leg(self, side: str = "long") -> Any:
        rows = await self.mix.position.list("USDT-FUTURES", **COIN)
        return next((it for it in rows if it["holdSide"] == side), None)


class Loopback(httpcore.AnyIOBackend):
    """Carries the client's connections to the venue; its HTTP library looks no port up."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def connect_tcp(
        self, host: str, port: int, *args: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        assert (host, port) == ("api.bitget.com", 443)
        return await super().connect_tcp("127.0.0.1", self._port, *args, **options)


def client_of(venue: SimulatedVenue, **changes: str) -> Bitget:
    transport = httpx.AsyncHTTPTransport()
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=ssl.create_default_context(cafile=str(venue.ca_file)),
        network_backend=Loopback(venue.port),
    )
    http = HttpClient(_client=httpx.AsyncClient(transport=transport))
    keys: dict[str, Any] = {
        "access_key": "demo-bitget-key",
        "secret_key": "demo-bitget-secret",
        "passphrase": PASSPHRASE,
    }
    return Bitget.new(http=http, **(keys | changes))


async def closed(client: Any) -> None:
    """The client opens what it needs at its first use, and is told to close it."""
    await client.__aexit__(None, None, None)


@asynccontextmanager
async def judge(*, hedged: bool = False) -> AsyncIterator[Judge]:
    async with still_venue() as venue:
        venue.market.add_account(
            ACCOUNT,
            Exchange.BITGET,
            key="demo-bitget-key",
            secret="demo-bitget-secret",
            hedged=hedged,
        )
        with hosts_lead_to(venue, "bitget.com"), pytest.MonkeyPatch.context() as patch:
            # The client's own way to another authority than the machine's.
            patch.setenv("SSL_CERT_FILE", str(venue.ca_file))
            client = client_of(venue)
            try:
                yield Judge(venue, client)
            finally:
                await closed(client.http_client)


async def test_what_needs_no_key_is_told_in_every_field() -> None:
    async with judge() as it:
        market = it.mix.market
        for product in ("USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES"):
            assert await market.contracts(product_type=product)
            assert await market.tickers(product)
        (ticker,) = await market.ticker(**NAMED)
        assert (ticker["lastPr"], ticker["markPrice"]) == (dec("64250"), dec("64250"))
        (price,) = await market.symbol_price(**NAMED)
        assert price["price"] == dec("64250")
        book = await market.orderbook(**NAMED, limit="5")
        assert (book["asks"][0][0], len(book["bids"])) == (64250.1, 5)
        (tier,) = await market.position_tier("USDT-FUTURES", symbol="BTCUSDT")
        assert tier["level"] == 1
        (funding,) = await market.funding.current_rate(**NAMED)
        assert funding["fundingRateInterval"] == 8


async def test_the_account_says_who_it_is_and_what_it_has() -> None:
    async with judge() as it:
        info = await it.client.classic.spot.account.info()
        owner = it.market.accounts[ACCOUNT]
        assert (info["userId"], info["parentId"]) == (str(owner.uid), owner.uid)
        assert "coow" in info["authorities"]
        (one,) = await it.mix.account.list("USDT-FUTURES")
        assert (one["marginCoin"], one["available"]) == ("USDT", dec("1000000"))
        detail = await it.mix.account.get(**NAMED, **COIN)
        assert (detail["posMode"], detail["marginMode"]) == ("one_way_mode", "crossed")


async def test_settings_that_bots_send_at_start_are_taken() -> None:
    async with judge() as it:
        account = it.mix.account
        told = await account.set_leverage(**NAMED, **COIN, leverage="20")
        assert (told["longLeverage"], told["marginMode"]) == (dec("20"), "crossed")
        margin = await account.set_margin_mode(**NAMED, **COIN, margin_mode="isolated")
        assert margin["marginMode"] == "isolated"
        mode = await account.set_position_mode("USDT-FUTURES", pos_mode="hedge_mode")
        assert mode == {"posMode": "hedge_mode"}
        it.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        with pytest.raises(ApiError) as refused:
            await account.set_position_mode("USDT-FUTURES", pos_mode="one_way_mode")
        assert refused.value.args[0] == "40920"


async def test_an_order_opens_is_recorded_and_closes_in_hedge_mode() -> None:
    async with judge(hedged=True) as it:
        opened = await it.place("buy", "0.5", tradeSide="open", clientOid="mine-1")
        order = await it.detail(opened)
        assert (order["state"], order["baseVolume"], order["side"]) == ("filled", dec("0.5"), "buy")
        assert (order["tradeSide"], order["posSide"]) == ("open", "long")
        assert order["clientOid"] == "mine-1"
        leg = await it.leg()
        assert (leg["total"], leg["posMode"], leg["openPriceAvg"]) == (
            dec("0.5"),
            "hedge_mode",
            dec("64250.1"),
        )
        # The side names the leg: this sells.
        closed = await it.place("buy", "0.5", tradeSide="close")
        order = await it.detail(closed)
        assert (order["side"], order["tradeSide"], order["posSide"]) == ("buy", "close", "long")
        assert order["totalProfits"] == dec("-0.1")
        assert await it.leg() is None
        with pytest.raises(ApiError) as refused:
            await it.place("buy", "0.5", tradeSide="close")
        assert refused.value.args[0] == "22002"


async def test_a_resting_order_is_listed_cancelled_and_recorded() -> None:
    async with judge(hedged=True) as it:
        order_id = await it.place("sell", "0.5", "70000", tradeSide="open")
        page = await it.order.open(**NAMED)
        assert page["entrustedList"] is not None
        (row,) = page["entrustedList"]
        assert (row["orderId"], row["status"], row["posSide"]) == (order_id, "live", "short")
        assert page["endId"] == order_id
        told = await it.order.cancel(**NAMED, order_id=order_id)
        assert told["orderId"] == order_id
        assert await it.order.open(**NAMED) == {"entrustedList": None, "endId": None}
        # What filled nothing has no mean price: recorded rows say "", the client wants a number.
        ended = await it.order.history(**NAMED, validate=False)
        assert [it["status"] for it in ended["entrustedList"] or []] == ["canceled"]
        with pytest.raises(ApiError) as refused:
            await it.order.cancel(**NAMED, order_id=order_id)
        assert refused.value.args[0] == "22001"


async def test_one_way_orders_reduce_only_where_they_say_so() -> None:
    async with judge() as it:
        await it.place("sell", "0.5")
        closing = await it.place("buy", "0.8", reduceOnly="YES")
        order = await it.detail(closing)
        assert (order["posSide"], order["tradeSide"], order["reduceOnly"]) == (
            "net",
            "buy_single",
            "YES",
        )
        assert order["baseVolume"] == dec("0.5")
        assert await it.leg("short") is None
        ended = await it.order.history(**NAMED, validate=False)
        assert len(ended["entrustedList"] or []) == 2


async def test_fills_come_newest_first_and_page_by_their_ids() -> None:
    async with judge(hedged=True) as it:
        for _ in range(7):
            await it.place("buy", "0.1", tradeSide="open")
        it.market.liquidate(ACCOUNT, BTC, Side.LONG)
        first = await it.order.fills(**NAMED, limit=3)
        assert first["fillList"][0]["tradeSide"] == "burst_close_long"
        assert first["fillList"][0]["feeDetail"][0]["totalFee"] < 0
        rows: list[Any] = []
        async for page in it.order.fills_paged(**NAMED, limit=3):
            rows += page
        ids = [int(row["tradeId"]) for row in rows]
        assert len(ids) == 8
        assert ids == sorted(ids, reverse=True)
        now = it.market.now()
        with pytest.raises(ApiError) as refused:
            await it.order.fills(**NAMED, start_time=now - timedelta(days=8), end_time=now)
        assert refused.value.args[0] == "40408"


async def test_plan_orders_wait_apart_and_become_orders() -> None:
    async with judge(hedged=True) as it:
        await it.place("buy", "0.5", tradeSide="open")
        plan: Any = {
            "planType": "normal_plan",
            "symbol": "BTCUSDT",
            "productType": "USDT-FUTURES",
            "marginMode": "crossed",
            "marginCoin": "USDT",
            "size": "0.2",
            "triggerPrice": "60000",
            "triggerType": "mark_price",
            "side": "buy",
            "tradeSide": "close",
            "orderType": "market",
            "clientOid": "plan-1",
        }
        placed = await it.order.plan.place(plan)
        page = await it.order.plan.open(**NAMED, plan_type="normal_plan")
        assert page["entrustedList"] is not None
        (row,) = page["entrustedList"]
        assert (row["orderId"], row["clientOid"]) == (placed["orderId"], "plan-1")
        assert (row["planStatus"], row["triggerPrice"]) == ("live", "60000")
        assert (await it.order.open(**NAMED))["entrustedList"] is None
        it.market.set_price(BTC, dec("59900"))
        history = await it.order.plan.history(**NAMED, plan_type="normal_plan")
        assert history["entrustedList"] is not None
        (done,) = history["entrustedList"]
        assert (done["planStatus"], done["baseVolume"]) == ("executed", "0.2")
        became = await it.detail(done["executeOrderId"])
        assert (became["state"], became["tradeSide"]) == ("filled", "close")
        assert became["clientOid"] != "plan-1"
        (sub,) = await it.order.plan.trigger_sub_orders(
            plan_type="normal_plan", plan_order_id=placed["orderId"], **USDT
        )
        assert sub["orderId"] == done["executeOrderId"]


async def test_stops_of_a_position_are_set_listed_cancelled_and_end_with_it() -> None:
    async with judge(hedged=True) as it:
        await it.place("sell", "0.5", tradeSide="open")
        both = await it.order.tpsl.place_for_position(
            **NAMED,
            **COIN,
            hold_side="short",
            stop_surplus_trigger_price="60000",
            stop_loss_trigger_price="70000",
            stop_loss_client_oid="stop-1",
        )
        assert [row["stopLossClientOid"] for row in both] == [None, "stop-1"]
        part = await it.order.tpsl.place(
            **NAMED,
            **COIN,
            plan_type="loss_plan",
            trigger_price="69000",
            hold_side="short",
            size="0.2",
        )
        page = await it.order.plan.open(**NAMED, plan_type="profit_loss")
        kinds = {row["planType"]: row["size"] for row in page["entrustedList"] or []}
        assert kinds == {"pos_profit": "0", "pos_loss": "0", "loss_plan": "0.2"}
        gone = await it.order.plan.cancel([{"orderId": part["orderId"]}], **NAMED)
        assert [row["orderId"] for row in gone["successList"]] == [part["orderId"]]
        mixed: Any = [{"clientOid": "stop-1"}, {"orderId": "1"}]
        some = await it.order.plan.cancel(mixed, **NAMED)
        assert [row["errorMsg"] for row in some["failureList"]] == ["notExistend"]
        for code, asked in (("43026", part["orderId"]), ("43025", "1")):
            with pytest.raises(ApiError) as refused:
                await it.order.plan.cancel([{"orderId": asked}], **NAMED)
            assert refused.value.args[0] == code
        done = await it.mix.position.close("BTCUSDT", **USDT)
        assert [row["symbol"] for row in done["successList"]] == ["BTCUSDT"]
        left = await it.order.plan.open(**NAMED, plan_type="profit_loss")
        assert left["entrustedList"] is None


async def test_a_stop_on_the_wrong_side_of_the_market_is_refused() -> None:
    async with judge() as it:
        await it.place("buy", "0.5")
        stop: Any = {**NAMED, **COIN, "plan_type": "pos_loss", "size": "0.5", "hold_side": "buy"}
        with pytest.raises(ApiError) as refused:
            await it.order.tpsl.place(**stop, trigger_price="65000")
        assert refused.value.args[0] == "40917"
        stop["hold_side"] = "sell"
        with pytest.raises(ApiError) as none_such:
            await it.order.tpsl.place(**stop, trigger_price="65000")
        assert none_such.value.args[0] == "43023"


async def test_ended_positions_are_recorded_whole() -> None:
    async with judge() as it:
        for _ in range(3):
            await it.place("buy", "0.5")
            await it.place("sell", "0.2", reduceOnly="YES")
            await it.place("sell", "0.3", reduceOnly="YES")
        page = await it.mix.position.history(**NAMED, limit=2)
        assert [row["closeTotalPos"] for row in page["list"]] == [dec("0.5")] * 2
        older = await it.mix.position.history(**NAMED, id_less_than=page["endId"])
        assert len(older["list"]) == 1
        row = older["list"][0]
        assert (row["openAvgPrice"], row["closeAvgPrice"]) == (dec("64250.1"), dec("64249.9"))
        assert row["netProfit"] == row["pnl"] + row["openFee"] + row["closeFee"]
        assert await it.mix.position.history(symbol="ETHUSDT", **USDT) == {
            "list": [],
            "endId": None,
        }


async def test_coin_futures_are_sized_in_their_coin() -> None:
    async with judge() as it:
        coin: Any = {"symbol": "BTCUSD", "productType": "COIN-FUTURES", "marginCoin": "BTC"}
        await it.place("buy", "0.5", **coin)
        it.market.set_price("BTC/USD:BTC", dec("128500"))
        (row,) = await it.mix.position.list("COIN-FUTURES", margin_coin="BTC")
        assert (row["total"], row["marginCoin"]) == (dec("0.5"), "BTC")
        # Half a bitcoin that has doubled in dollars has gained a quarter of one.
        assert abs(row["unrealizedPL"] - dec("0.25")) < dec("0.001")


async def test_batches_tell_apart_what_was_done_and_what_was_not() -> None:
    async with judge(hedged=True) as it:
        order: Any = {
            "size": "0.1",
            "price": "60000",
            "side": "buy",
            "tradeSide": "open",
            "orderType": "limit",
        }
        both: Any = [order, {**order, "size": "0.00001"}]
        told = await it.order.batch_place(**NAMED, **COIN, margin_mode="crossed", order_list=both)
        assert len(told["successList"]) == 1
        assert [row["errorCode"] for row in told["failureList"]] == ["40808"]
        gone = await it.order.cancel_all(**USDT)
        assert len(gone["successList"]) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"passphrase": "another"}, "40012"),
        ({"secret_key": "another"}, "40009"),
        ({"access_key": "another"}, "40037"),
    ],
)
async def test_wrong_credentials_are_refused(changes: dict[str, str], code: str) -> None:
    async with judge() as it:
        other = client_of(it.venue, **changes)
        with pytest.raises(AuthError) as refused:
            await other.classic.mix.account.list("USDT-FUTURES")
        assert refused.value.args[0] == code
        await closed(other.http_client)
        assert it.venue.requests.count("balance", ACCOUNT) == 0


async def test_a_classic_account_says_so_to_the_unified_api() -> None:
    async with judge() as it:
        with pytest.raises(AccountModeMismatch):
            await it.client.uta.account.settings()


async def test_what_is_missing_is_refused_in_the_venues_words() -> None:
    async with judge() as it:
        with pytest.raises(BadRequest) as unknown:
            await it.mix.market.ticker(symbol="NEVERUSDT", **USDT)
        assert unknown.value.args[0] == "40034"
        with pytest.raises(ApiError) as nowhere:
            await it.detail("1")
        assert nowhere.value.args[0] == "40109"


async def test_positions_orders_and_fills_are_followed() -> None:
    async with judge(hedged=True) as it:
        streams = it.client.classic_streams
        heard: dict[str, list[Any]] = {"orders": [], "positions": [], "history": [], "fill": []}

        async def follow(name: str, manager: Any) -> None:
            async with manager as stream:
                async for frame in stream:
                    heard[name] += frame["data"]

        followed = {
            "orders": streams.orders("USDT-FUTURES", inst_id="default"),
            "positions": streams.position.updates("USDT-FUTURES", inst_id="default"),
            "history": streams.position.history("USDT-FUTURES", inst_id="default"),
            "fill": streams.fill("USDT-FUTURES", inst_id="default"),
        }
        tasks = [asyncio.create_task(follow(*each)) for each in followed.items()]
        try:
            count = it.venue.streams.followers
            await until(lambda: count(ACCOUNT, "fill USDT-FUTURES") == 1, "subscribed", WITHIN)
            await it.place("buy", "0.5", tradeSide="open")
            it.market.close_by_hand(ACCOUNT, BTC, Side.LONG, kind=FillKind.TRADE)
            await until(
                lambda: (
                    (bool(heard["history"]) and len(heard["fill"]) == 2) or any(map(_over, tasks))
                ),
                "told",
                WITHIN,
            )
            assert not any(map(_over, tasks)), [task for task in tasks if _over(task)]
            assert [row["status"] for row in heard["orders"]] == ["live", "filled", "filled"]
            assert [row["total"] for row in heard["positions"]] == ["0.5"]
            assert [row["tradeSide"] for row in heard["fill"]] == ["open", "close"]
            (ended,) = heard["history"]
            assert (ended["instId"], ended["closeSize"]) == ("BTCUSDT", Decimal("0.5"))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await closed(it.client.classic_streams_client)


def _over(task: asyncio.Task[None]) -> bool:
    return task.done()
