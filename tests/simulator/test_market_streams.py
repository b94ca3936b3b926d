"""The market's public streams, followed by the real ccxt.pro classes and frame by frame."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from simulator import Fault, FaultKind, SimulatedVenue
from simulator.binance_feeds import feed_of as binance_feed
from simulator.bybit_feeds import feed_of as bybit_feed
from simulator.market import Market
from tests.simulator.conftest import ACCOUNTS, BTC, ETH, Clock, dec, still_venue
from tests.simulator.test_streams import follower
from venues.transport import loopback_session


async def watched(exchange: Any, method: str, symbol: str, fits: Any) -> Any:
    """What a `watch_…` of several symbols tells of one, once it fits."""

    async def wait() -> Any:
        while True:
            told = await getattr(exchange, method)([symbol, ETH])
            if symbol in told and fits(told[symbol]):
                return told[symbol]

    return await asyncio.wait_for(wait(), 30)


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_tickers_and_books_come_at_once_and_at_every_change(account: str) -> None:
    async with follower(account) as (venue, exchange):
        for price in ("64250", "64300.5", "63999.9"):
            venue.market.set_price(BTC, dec(price))
            last = float(price)
            ticker = await watched(
                exchange, "watch_tickers", BTC, lambda it, last=last: it["last"] == last
            )
            assert ticker["timestamp"] is not None
            book = await watched(
                exchange, "watch_bids_asks", BTC, lambda it, last=last: it["bid"] == last - 0.1
            )
            assert (book["ask"], book["bidVolume"]) == (pytest.approx(last + 0.1), 50)


async def test_binance_tells_mark_prices_of_one_symbol_and_of_all() -> None:
    async with follower("binance-main") as (venue, exchange):
        venue.market.set_price(BTC, dec("64000"), mark=dec("64100"))
        told = await watched(
            exchange, "watch_mark_prices", BTC, lambda it: it["markPrice"] == 64100
        )
        assert told["info"]["e"] == "markPriceUpdate"
        every = await asyncio.wait_for(exchange.watch_mark_prices(), 30)
        assert {BTC, ETH} <= set(every)


async def test_bybit_tells_mark_prices_with_its_tickers() -> None:
    async with follower("bybit-main") as (venue, exchange):
        venue.market.set_price(BTC, dec("64000"), mark=dec("64100"))
        told = await watched(exchange, "watch_tickers", BTC, lambda it: it["markPrice"] == 64100)
        assert told["last"] == 64000


def test_bybit_s_ticker_is_a_snapshot_and_then_what_changed(market: Market, clock: Clock) -> None:
    feed = bybit_feed(market, "linear", "tickers.BTCUSDT")
    assert feed is not None
    (first,) = feed.due(clock())
    assert isinstance(first, dict)
    assert (first["topic"], first["type"]) == ("tickers.BTCUSDT", "snapshot")
    assert {"lastPrice", "markPrice", "bid1Price", "ask1Size"} <= set(first["data"])
    assert feed.due(clock()) == []
    market.set_price(BTC, dec("65000"))
    (second,) = feed.due(clock())
    assert isinstance(second, dict)
    assert second["type"] == "delta"
    assert second["data"]["lastPrice"] == "65000"
    assert "volume24h" not in second["data"]
    clock.advance(seconds=1)
    (still,) = feed.due(clock())
    assert isinstance(still, dict)
    assert set(still["data"]) == {"symbol", "markPrice", "indexPrice"}


def test_bybit_s_book_tells_levels_that_go_and_is_repeated_whole_when_still(
    market: Market, clock: Clock
) -> None:
    feed = bybit_feed(market, "linear", "orderbook.1.BTCUSDT")
    assert feed is not None
    (first,) = feed.due(clock())
    market.set_price(BTC, dec("65000"))
    (second,) = feed.due(clock())
    clock.advance(seconds=2)
    assert feed.due(clock()) == []
    clock.advance(seconds=1)
    (third,) = feed.due(clock())
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert isinstance(third, dict)
    assert [it["type"] for it in (first, second, third)] == ["snapshot", "delta", "snapshot"]
    assert second["data"]["b"] == [["64249.9", "0"], ["64999.9", "50"]]
    assert third["data"]["a"] == [["65000.1", "50"]]
    assert third["data"]["u"] == 3


def test_binance_s_streams_keep_their_pace(market: Market, clock: Clock) -> None:
    feeds = {
        name: binance_feed(market, "", name)
        for name in ("btcusdt@bookTicker", "btcusdt@markPrice@1s", "btcusdt@markPrice")
    }
    told = dict.fromkeys(feeds, 0)
    for second in range(6):
        market.set_price(BTC, dec(str(64000 + second)))
        for name, feed in feeds.items():
            assert feed is not None
            told[name] += len(feed.due(clock()))
            # Nothing is told twice in a moment.
            assert feed.due(clock()) == []
        clock.advance(seconds=1)
    assert list(told.values()) == [6, 6, 2]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("public", "btcusdt@markPrice"),
        ("market", "btcusdt@bookTicker"),
        ("private", "btcusdt@bookTicker"),
        ("", "BTCUSDT@bookTicker"),
        ("", "nonesuch@bookTicker"),
        ("", "btcusdt@bookTicker@1s"),
        ("", "btcusdt@ticker@arr"),
        ("", "!ticker"),
        ("", "btcusdt@kline_1m"),
    ],
)
def test_what_binance_does_not_serve_there_is_no_stream(
    market: Market, place: str, name: str
) -> None:
    assert binance_feed(market, place, name) is None


@pytest.mark.parametrize(
    ("category", "topic"),
    [
        ("inverse", "tickers.BTCUSDT"),
        ("linear", "tickers.BTCUSD"),
        ("linear", "orderbook.7.BTCUSDT"),
        ("linear", "tickers.1.BTCUSDT"),
        ("linear", "position"),
        ("spot", "tickers.BTCUSDT"),
    ],
)
def test_what_bybit_does_not_serve_there_is_no_stream(
    market: Market, category: str, topic: str
) -> None:
    assert bybit_feed(market, category, topic) is None


@asynccontextmanager
async def socket_at(
    venue: SimulatedVenue, url: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        loopback_session(venue.connect, venue.ca_file) as session,
        session.ws_connect(url) as socket,
    ):
        yield socket


async def heard(socket: aiohttp.ClientWebSocketResponse) -> Any:
    return json.loads((await asyncio.wait_for(socket.receive(), 10)).data)


async def test_a_combined_address_names_each_stream_and_needs_no_word() -> None:
    async with still_venue() as venue:
        url = "wss://fstream.binance.com/stream?streams=btcusdt@bookTicker/!miniTicker@arr"
        async with socket_at(venue, url) as socket:
            told = {it["stream"]: it["data"] for it in [await heard(socket), await heard(socket)]}
        assert told["btcusdt@bookTicker"]["s"] == "BTCUSDT"
        assert len(told["!miniTicker@arr"]) > 1


async def test_binance_s_subscriptions_are_listed_and_ended() -> None:
    async with (
        still_venue() as venue,
        socket_at(venue, "wss://fstream.binance.com/market/ws/0") as socket,
    ):

        async def says(method: str, *params: str) -> Any:
            await socket.send_json({"method": method, "params": list(params), "id": 3})
            while "id" not in (reply := await heard(socket)):
                pass
            return reply

        assert (await says("SUBSCRIBE", "btcusdt@markPrice"))["result"] is None
        assert (await says("LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@markPrice"]
        assert "not simulated" in (await says("SUBSCRIBE", "btcusdt@bookTicker"))["error"]["msg"]
        await says("UNSUBSCRIBE", "btcusdt@markPrice")
        assert (await says("LIST_SUBSCRIPTIONS"))["result"] == []


async def test_bybit_s_public_socket_needs_no_key_and_tells_no_account() -> None:
    async with (
        still_venue() as venue,
        socket_at(venue, "wss://stream.bybit.com/v5/public/linear") as socket,
    ):

        async def says(op: str, *args: str) -> Any:
            await socket.send_json({"op": op, "req_id": "7", "args": list(args)})
            while (reply := await heard(socket)).get("op") != op:
                pass
            return reply

        assert (await says("ping"))["ret_msg"] == "pong"
        refused = await says("subscribe", "position")
        assert (refused["success"], refused["ret_msg"]) == (
            False,
            "error:handler not found,topic:position",
        )
        assert (await says("subscribe", "tickers.BTCUSDT"))["success"]
        assert (await heard(socket))["topic"] == "tickers.BTCUSDT"
        assert (await says("unsubscribe", "tickers.BTCUSDT"))["success"]


async def test_a_silent_stream_is_silent_about_the_market_too() -> None:
    async with (
        still_venue() as venue,
        socket_at(venue, "wss://fstream.binance.com/ws/btcusdt@bookTicker") as socket,
    ):
        assert (await heard(socket))["s"] == "BTCUSDT"
        venue.faults.order(Fault(kind=FaultKind.SILENT_STREAM, count=None))
        venue.market.set_price(BTC, dec("60000"))
        venue.streams.tick()
        venue.faults.clear()
        venue.market.set_price(BTC, dec("61000"))
        assert (await heard(socket))["b"] != "59999.9"
