"""Bybit's own Python SDK drives the simulated venue: what it sends is taken, what it expects comes.

pybit decodes replies to plain dictionaries and checks no field of them, so the fields of the
documentation's own examples are asked for here (`test_bybit_reads.py` has them). Where the two
differ the documentation goes; each such place names its page.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP, WebSocket

from messages.values import Side
from simulator import Fault, FaultKind, SimulatedVenue
from simulator.market import Market
from tests.simulator.conftest import BTC, dec, still_venue, until
from tests.simulator.judges.loopback import hosts_lead_to
from tests.simulator.test_bybit_reads import FIELDS, PUBLIC

ACCOUNT = "bybit-main"
KEYS = {"api_key": "demo-bybit-key", "api_secret": "demo-bybit-secret"}
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}
NEVER_RETRIED = {99999}
"""For `retry_codes`: no code is answered by waiting and asking again."""


class Judge:
    """The SDK, asked from a thread of its own. BTC stands at 64250.0, the book one step beside."""

    def __init__(self, venue: SimulatedVenue, session: HTTP) -> None:
        self.venue = venue
        self.market: Market = venue.market
        self.session = session

    async def __call__(self, method: str, **params: Any) -> Any:
        """The result of one of the SDK's methods."""
        told = await asyncio.to_thread(getattr(self.session, method), **params)
        assert (told["retCode"], told["retMsg"]) == (0, "OK")
        return told["result"]

    async def rows(self, method: str, documented: str = "", **params: Any) -> list[Any]:
        """The list in a result, each row of it with the documented fields."""
        found = list((await self(method, **params))["list"])
        for row in found:
            assert set(documented.split()) <= set(row)
        return found

    async def refused(self, method: str, **params: Any) -> int:
        with pytest.raises(InvalidRequestError) as refusal:
            await self(method, **params)
        return int(refusal.value.status_code)

    async def order(self, side: str, qty: str, kind: str = "Market", **params: Any) -> str:
        asked = LINEAR | {"side": side, "qty": qty, "orderType": kind} | params
        return str((await self("place_order", **asked))["orderId"])

    async def found(self, order_id: str) -> Any:
        (row,) = await self.rows(
            "get_open_orders", FIELDS["OrderRealtime"], **LINEAR, orderId=order_id
        )
        return row

    async def position(self, **params: Any) -> Any:
        rows = await self.rows("get_positions", FIELDS["PositionList"], **(LINEAR | params))
        return rows[0]

    async def price(self, price: str) -> None:
        self.market.set_price(BTC, dec(price))


def session_of(venue: SimulatedVenue, **changes: Any) -> HTTP:
    options: dict[str, Any] = {"retry_codes": NEVER_RETRIED, "max_retries": 1, **KEYS}
    session = HTTP(**(options | changes))
    session.client.verify = str(venue.ca_file)
    session.client.trust_env = False
    return session


@asynccontextmanager
async def judging(*, hedged: bool = False, **changes: Any) -> AsyncIterator[Judge]:
    async with still_venue() as venue:
        venue.market.set_mode(ACCOUNT, hedged=hedged)
        with hosts_lead_to(venue, ".bybit.com"):
            yield Judge(venue, session_of(venue, **changes))


async def test_instruments_and_prices_are_read() -> None:
    async with judging() as judge:
        (instrument,) = await judge.rows(
            "get_instruments_info", PUBLIC["MarketInstrumentsInfo"], **LINEAR
        )
        assert instrument["lotSizeFilter"]["qtyStep"] == "0.001"
        (ticker,) = await judge.rows("get_tickers", PUBLIC["MarketTickers"], **LINEAR)
        assert ticker["lastPrice"] == "64250"
        book = await judge("get_orderbook", **LINEAR, limit=2)
        assert (book["b"][0][0], book["a"][0][0]) == ("64249.9", "64250.1")
        assert len(await judge.rows("get_kline", **LINEAR, interval=60, limit=5)) == 5
        for method in ("get_mark_price_kline", "get_index_price_kline"):
            assert len((await judge.rows(method, **LINEAR, interval="D", limit=2))[0]) == 5
        assert await judge.rows("get_risk_limit", PUBLIC["MarketRiskLimit"], **LINEAR)
        funding = "get_funding_rate_history"
        assert await judge.rows(funding, PUBLIC["MarketFundingHistory"], **LINEAR, limit=3)
        assert await judge.rows("get_open_interest", **LINEAR, intervalTime="1h")
        trades = "get_public_trade_history"
        assert await judge.rows(trades, PUBLIC["MarketRecentTrade"], **LINEAR)
        assert (await judge("get_price_limit", **LINEAR))["buyLmt"] == "67462.5"
        assert int((await judge("get_server_time"))["timeSecond"]) > 0


async def test_the_account_is_read() -> None:
    async with judging() as judge:
        (wallet,) = await judge.rows(
            "get_wallet_balance", FIELDS["AccountWalletBalance"], accountType="UNIFIED"
        )
        assert {it["coin"] for it in wallet["coin"]} == {"USDT", "USDC", "BTC"}
        info = await judge("get_account_info")
        assert (info["unifiedMarginStatus"], info["marginMode"]) == (6, "REGULAR_MARGIN")
        key = await judge("get_api_key_information")
        assert key["userID"] == judge.market.accounts[ACCOUNT].uid
        assert key["permissions"]["ContractTrade"] == ["Order", "Position"]
        (fee,) = await judge.rows("get_fee_rates", **LINEAR)
        assert fee["makerFeeRate"] == "0.0002"
        assert await judge.rows("get_collateral_info", currency="BTC")
        assert await judge("get_smp_group") == {"smpGroup": 0}
        assert "dcpInfos" in await judge("query_dcp_info")
        assert "lpaPerp" in await judge("get_user_setting_config")


async def test_leverage_position_mode_and_margin_mode_are_set() -> None:
    async with judging() as judge:
        await judge("set_leverage", **LINEAR, buyLeverage="25", sellLeverage="25")
        assert (await judge.position())["leverage"] == "25"
        again = LINEAR | {"buyLeverage": "25", "sellLeverage": "25"}
        assert await judge.refused("set_leverage", **again) == 110043
        await judge("switch_position_mode", category="linear", coin="USDT", mode=3)
        rows = await judge.rows("get_positions", **LINEAR)
        assert [it["positionIdx"] for it in rows] == [1, 2]
        await judge("switch_position_mode", category="linear", coin="USDT", mode=0)
        await judge("set_margin_mode", setMarginMode="ISOLATED_MARGIN")
        assert (await judge("get_account_info"))["marginMode"] == "ISOLATED_MARGIN"
        # The page "Switch Cross/Isolated Margin": not supported by unified accounts of today.
        old = LINEAR | {"tradeMode": 1, "buyLeverage": "25", "sellLeverage": "25"}
        assert await judge.refused("switch_margin_mode", **old) == 100028


@pytest.mark.parametrize(
    ("params", "status", "filled"),
    [
        ({"kind": "Market"}, "Filled", "1"),
        ({"kind": "Limit", "price": "64000"}, "New", "0"),
        ({"kind": "Limit", "price": "64300"}, "Filled", "1"),
        ({"kind": "Limit", "price": "64000", "timeInForce": "PostOnly"}, "New", "0"),
        ({"kind": "Limit", "price": "64300", "timeInForce": "PostOnly"}, "Cancelled", "0"),
        ({"kind": "Limit", "price": "64000", "timeInForce": "IOC"}, "Cancelled", "0"),
        ({"kind": "Limit", "price": "64300", "timeInForce": "FOK"}, "Filled", "1"),
        ({"triggerPrice": "65000", "triggerDirection": 1}, "Untriggered", "0"),
        (
            {"kind": "Limit", "price": "64000", "triggerPrice": "63900", "triggerDirection": 2},
            "Untriggered",
            "0",
        ),
    ],
)
async def test_each_type_of_order_is_taken_and_told(
    params: dict[str, Any], status: str, filled: str
) -> None:
    async with judging() as judge:
        row = await judge.found(await judge.order("Buy", "1", **params))
        assert (row["orderStatus"], row["cumExecQty"]) == (status, filled)


async def test_numbers_may_be_sent_as_numbers_or_text() -> None:
    async with judging() as judge:
        numbers = {"qty": 1.0, "price": 64000, "positionIdx": "0", "stopLoss": 60000.5}
        told = await judge("place_order", **LINEAR, side="Buy", orderType="Limit", **numbers)
        row = await judge.found(told["orderId"])
        assert (row["qty"], row["price"], row["stopLoss"]) == ("1", "64000", "60000.5")


async def test_a_position_is_opened_protected_reduced_and_closed() -> None:
    async with judging() as judge:
        await judge.order("Buy", "2", stopLoss="60000", takeProfit="70000")
        row = await judge.position()
        assert (row["side"], row["size"], row["stopLoss"]) == ("Buy", "2", "60000")
        await judge("set_trading_stop", **LINEAR, tpslMode="Full", stopLoss="61000", positionIdx=0)
        await judge(
            "set_trading_stop",
            **LINEAR,
            tpslMode="Partial",
            takeProfit="66000",
            stopLoss="62000",
            tpSize="0.5",
            slSize="0.5",
            tpOrderType="Limit",
            tpLimitPrice="65900",
            positionIdx=0,
        )
        await judge(
            "set_trading_stop", **LINEAR, tpslMode="Full", trailingStop="900", positionIdx=0
        )
        stops = await judge.rows(
            "get_open_orders", FIELDS["OrderRealtime"], **LINEAR, orderFilter="StopOrder"
        )
        assert sorted(it["stopOrderType"] for it in stops) == [
            "PartialStopLoss",
            "PartialTakeProfit",
            "StopLoss",
            "TakeProfit",
            "TrailingStop",
        ]
        await judge.order("Sell", "0.5", reduceOnly=True)
        assert (await judge.position())["size"] == "1.5"
        # The page "Place Order": quantity zero with both flags closes the position.
        await judge.order("Sell", "0", reduceOnly=True, closeOnTrigger=True)
        assert (await judge.position())["size"] == "0"
        assert await judge.rows("get_open_orders", **LINEAR) == []


async def test_refusals_carry_bybit_s_own_codes() -> None:
    async with judging() as judge:
        market = LINEAR | {"orderType": "Market"}
        sell = market | {"side": "Sell", "qty": "1"}
        assert await judge.refused("place_order", **sell, reduceOnly=True) == 110017
        assert await judge.refused("place_order", **sell, stopLoss="64000") == 10001
        assert await judge.refused("place_order", **(sell | {"qty": "0.0001"})) == 10001
        assert await judge.refused("place_order", **sell, orderLinkId="x" * 37) == 10001
        assert await judge.refused("cancel_order", **LINEAR, orderId="nobody's") == 110001
        assert await judge.refused("get_positions", category="linear") == 10001
        await judge.order("Buy", "1", orderLinkId="once")
        again = market | {"side": "Buy", "qty": "1", "orderLinkId": "once"}
        assert await judge.refused("place_order", **again) == 110072
        falling = sell | {"triggerPrice": "65000", "triggerDirection": 2}
        assert await judge.refused("place_order", **falling) == 110093
        rising = sell | {"triggerPrice": "64000", "triggerDirection": 1}
        assert await judge.refused("place_order", **rising) == 110092


async def test_orders_are_amended_cancelled_and_swept() -> None:
    async with judging() as judge:
        resting = await judge.order("Buy", "1", "Limit", price="64000")
        await judge("amend_order", **LINEAR, orderId=resting, price="63900", qty="2")
        assert (await judge.found(resting))["price"] == "63900"
        told = await judge("cancel_order", **LINEAR, orderId=resting)
        assert told["orderId"] == resting
        assert (await judge.found(resting))["orderStatus"] == "Cancelled"
        for price in ("64000", "63900"):
            await judge.order("Buy", "1", "Limit", price=price)
        swept = await judge("cancel_all_orders", category="linear", settleCoin="USDT")
        assert (len(swept["list"]), swept["success"]) == (2, "1")


async def test_batches_say_how_each_of_their_orders_went() -> None:
    async with judging() as judge:
        good = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "1"}
        told = await asyncio.to_thread(
            judge.session.place_batch_order,
            category="linear",
            request=[good | {"price": "64000", "orderLinkId": "a"}, good | {"price": "1"}],
        )
        assert [it["code"] for it in told["retExtInfo"]["list"]] == [0, 110094]
        assert set(told["result"]["list"][0]) == {
            "category",
            "symbol",
            "orderId",
            "orderLinkId",
            "createAt",
        }
        named = {"symbol": "BTCUSDT", "orderLinkId": "a"}
        batch = {"category": "linear"}
        await judge("amend_batch_order", **batch, request=[named | {"price": "63900"}])
        await judge("cancel_batch_order", **batch, request=[named])
        history = await judge.rows("get_order_history", FIELDS["OrderHistory"], **LINEAR)
        assert [it["price"] for it in history if it["orderLinkId"] == "a"] == ["63900"]


async def test_histories_are_paged_to_their_end() -> None:
    async with judging() as judge:
        for _ in range(3):
            await judge.order("Buy", "1")
            await judge.order("Sell", "1", reduceOnly=True)
        for method, fields, expected in (
            ("get_executions", "ExecutionList", 6),
            ("get_order_history", "OrderHistory", 6),
            ("get_closed_pnl", "PositionClosedPnl", 3),
        ):
            seen: list[Any] = []
            cursor = None
            while cursor != "":
                page = await judge(method, **LINEAR, limit=2, cursor=cursor)
                assert all(set(FIELDS[fields].split()) <= set(row) for row in page["list"])
                seen += page["list"]
                cursor = page["nextPageCursor"]
            assert len({it.get("execId") or it["orderId"] for it in seen}) == expected
        log = await judge.rows(
            "get_transaction_log", FIELDS["AccountTransactionLog"], accountType="UNIFIED"
        )
        assert {it["type"] for it in log} == {"TRADE"}


async def test_a_hedged_account_is_traded_by_position_index() -> None:
    async with judging(hedged=True) as judge:
        await judge.order("Buy", "1", positionIdx=1)
        await judge.order("Sell", "2", positionIdx=2)
        stop = {"tpslMode": "Full", "stopLoss": "70000", "positionIdx": 2}
        await judge("set_trading_stop", **LINEAR, **stop)
        rows = await judge.rows("get_positions", FIELDS["PositionList"], **LINEAR)
        assert [(it["side"], it["size"], it["stopLoss"]) for it in rows] == [
            ("Buy", "1", ""),
            ("Sell", "2", "70000"),
        ]
        await judge.order("Buy", "2", positionIdx=2, reduceOnly=True)
        assert judge.market.quantity(ACCOUNT, BTC, Side.SHORT) == 0
        assert judge.market.quantity(ACCOUNT, BTC, Side.LONG) == 1


async def test_a_wrong_key_or_signature_is_refused() -> None:
    async with judging(api_secret="wrong") as judge:
        assert await judge.refused("get_positions", **LINEAR) == 10004
        stranger = Judge(judge.venue, session_of(judge.venue, api_key="stranger"))
        assert await stranger.refused("get_positions", **LINEAR) == 10003


async def test_a_clock_that_is_off_is_refused_and_a_key_that_may_only_read_too() -> None:
    async with judging() as judge:
        judge.market.accounts[ACCOUNT].can_trade = False
        order = LINEAR | {"side": "Buy", "orderType": "Market", "qty": "1"}
        assert await judge.refused("place_order", **order) == 10005
        judge.venue.desk.skew = timedelta(seconds=30)
        assert await judge.refused("get_positions", **LINEAR) == 10002


async def test_the_sdk_waits_as_a_refusal_says_and_gets_through() -> None:
    options: dict[str, Any] = {"retry_codes": {10006}, "max_retries": 3, "recv_window": 60_000}
    async with judging(return_response_headers=True, **options) as judge:
        judge.venue.limits = True
        # Ahead of this machine, so that the SDK learns of the wait before it is over.
        ahead = judge.market.now() + timedelta(seconds=5)
        judge.market.now = lambda: max(ahead, datetime.now(UTC))
        left: list[int] = []
        for _ in range(11):
            body, _, headers = await asyncio.to_thread(judge.session.get_api_key_information)
            assert (body["retCode"], headers["X-Bapi-Limit"]) == (0, "10")
            left.append(int(headers["X-Bapi-Limit-Status"]))
        assert left == [*range(9, -1, -1), 9]
        assert judge.venue.requests.count("rights", ACCOUNT) == 12


async def test_the_sdk_takes_a_ban_of_its_address_for_one() -> None:
    async with judging() as judge:
        judge.venue.faults.order(Fault(kind=FaultKind.BAN, status=403, seconds=60))
        with pytest.raises(FailedRequestError) as refusal:
            await judge("get_server_time")
        assert refusal.value.status_code == 403
        assert "ip rate limit" in str(refusal.value)


class Awaited(dict[str, str]):
    """The SDK's subscriptions by request. It notes one only after it has sent it: a venue whose
    answer is there before the note kills its reading thread, by a KeyError.
    """

    def __missing__(self, request: str) -> str:
        deadline = time.monotonic() + 10
        while request not in self and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.get(request, "")


class Following:
    """The SDK's private stream, and what it told of each topic."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self._told: dict[str, queue.Queue[Any]] = {}

    def follow(self, topic: str) -> None:
        told: queue.Queue[Any] = queue.Queue()
        self._told[topic] = told
        getattr(self.socket, f"{topic}_stream")(told.put)

    async def row(self, topic: str, fitting: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next row of a topic that fits."""
        while True:
            message = await asyncio.to_thread(self._told[topic].get, timeout=10)
            (row,) = message["data"]
            if fitting(row):
                return row


@asynccontextmanager
async def following(*topics: str) -> AsyncIterator[tuple[Judge, Following]]:
    async with judging() as judge:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(judge.venue.ca_file))
            # A signature of the SDK's is good for a second, which a busy machine may need.
            options: dict[str, Any] = {
                "channel_type": "private",
                "testnet": False,
                "private_auth_expire": 30,
            }
            socket = await asyncio.to_thread(WebSocket, **options, **KEYS)
            socket.subscriptions = Awaited()
            try:
                stream = Following(socket)
                for topic in topics:
                    await asyncio.to_thread(stream.follow, topic)
                    await until(
                        lambda topic=topic: (  # type: ignore[misc]  # bound at each turn
                            judge.venue.streams.followers(ACCOUNT, topic) > 0
                        ),
                        topic,
                    )
                yield judge, stream
            finally:
                # Its own `exit` waits without an end where the venue has closed the socket.
                socket.exited = True
                await asyncio.to_thread(socket.ws.close)
                await asyncio.to_thread(socket.wst.join, 10)


async def test_the_private_streams_tell_of_orders_executions_positions_and_the_wallet() -> None:
    async with following("order", "execution", "position", "wallet") as (judge, stream):
        bought = await judge.order("Buy", "1", stopLoss="60000")
        filled = await stream.row("order", lambda it: it["orderStatus"] == "Filled")
        assert (filled["orderId"], filled["category"]) == (bought, "linear")
        execution = await stream.row("execution")
        assert set(FIELDS["ExecutionList"].split()) <= set(execution)
        assert (execution["orderId"], execution["execQty"]) == (bought, "1")
        held = await stream.row("position", lambda it: it["stopLoss"] != "")
        assert (held["size"], held["stopLoss"]) == ("1", "60000")
        (coin,) = (await stream.row("wallet"))["coin"]
        assert (coin["coin"], coin["walletBalance"]) == (
            "USDT",
            str(judge.market.accounts[ACCOUNT].wallet["USDT"].normalize()),
        )
        await judge.price("59990")
        stopped = await stream.row("execution", lambda it: it["side"] == "Sell")
        assert (stopped["stopOrderType"], stopped["closedSize"]) == ("StopLoss", "1")
        flat = await stream.row("position", lambda it: it["size"] == "0")
        assert flat["stopLoss"] == ""


async def test_the_market_streams_tell_prices_and_the_best_of_the_book() -> None:
    async with judging() as judge:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(judge.venue.ca_file))
            socket = await asyncio.to_thread(WebSocket, channel_type="linear", testnet=False)
            socket.subscriptions = Awaited()
            tickers: queue.Queue[Any] = queue.Queue()
            books: queue.Queue[Any] = queue.Queue()
            try:
                await asyncio.to_thread(socket.ticker_stream, "BTCUSDT", tickers.put)
                await asyncio.to_thread(socket.orderbook_stream, 1, "BTCUSDT", books.put)
                ticker = await asyncio.to_thread(tickers.get, timeout=10)
                assert set(PUBLIC["MarketTickers"].split()) <= set(ticker["data"])
                await judge.price("65000")
                while ticker["data"]["lastPrice"] != "65000":
                    # The SDK puts what changed into the snapshot that came first.
                    ticker = await asyncio.to_thread(tickers.get, timeout=10)
                book = await asyncio.to_thread(books.get, timeout=10)
                while book["data"]["b"][0][0] != "64999.9":
                    book = await asyncio.to_thread(books.get, timeout=10)
                assert len(book["data"]["b"]) == 1
            finally:
                socket.exited = True
                await asyncio.to_thread(socket.ws.close)
                await asyncio.to_thread(socket.wst.join, 10)
