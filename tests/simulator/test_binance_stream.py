"""Binance USD-M's user data stream: every way to open it, a listen key's life, the events.

Source: the pages "User Data Streams" and "Websocket Market Streams: Connect" of Binance's USD-M
futures documentation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from messages.values import Side
from tests.simulator.binance import ACCOUNT, Asker, asking
from tests.simulator.conftest import BTC, Clock, dec, until

SPELLINGS = ("/ws/{}", "/ws?listenKey={}", "/stream?streams={}")


@asynccontextmanager
async def following(
    ask: Asker, spelling: str = "/ws/{}"
) -> AsyncIterator[tuple[aiohttp.ClientWebSocketResponse, str]]:
    """A socket on the account's stream, and its listen key."""
    key = (await ask("POST", "/fapi/v1/listenKey")).body["listenKey"]
    url = f"wss://fstream.binance.com{spelling.format(key)}"
    async with ask.session.ws_connect(url) as socket:
        await until(lambda: ask.venue.streams.connected(ACCOUNT), "the socket")
        yield socket, key


async def next_of(socket: aiohttp.ClientWebSocketResponse, *kinds: str) -> list[dict[str, Any]]:
    """The next events of these kinds, in this order; others between them are passed over."""
    found = []
    for kind in kinds:
        while True:
            told = await socket.receive_json(timeout=5)
            if told.get("e") == kind:
                found.append(told)
                break
    return found


@pytest.mark.parametrize("prefix", ["", "/private"])
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_each_spelling_of_the_address_opens_the_stream(prefix: str, spelling: str) -> None:
    async with asking() as ask, following(ask, prefix + spelling) as (socket, key):
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        told = await socket.receive_json(timeout=5)
        if "stream" in spelling:
            assert told["stream"] == key
            told = told["data"]
        assert told["e"] == "TRADE_LITE"


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_key_that_was_never_given_opens_nothing(spelling: str) -> None:
    async with asking() as ask:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await ask.session.ws_connect(f"wss://fstream.binance.com{spelling.format('made-up')}")


async def test_a_socket_can_subscribe_to_its_key_later() -> None:
    async with asking() as ask:
        key = (await ask("POST", "/fapi/v1/listenKey")).body["listenKey"]
        url = "wss://fstream.binance.com/private/stream"
        async with ask.session.ws_connect(url) as socket:
            await socket.send_json({"method": "SUBSCRIBE", "params": [key], "id": 1})
            assert await socket.receive_json(timeout=5) == {"result": None, "id": 1}
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
            assert await socket.receive_json(timeout=5) == {"result": [key], "id": 2}
            ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
            assert (await socket.receive_json(timeout=5))["stream"] == key
            await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 9})
            while "id" not in (told := await socket.receive_json(timeout=5)):
                pass
            assert told["error"]["msg"] == "not simulated, or no valid key: ['btcusdt@trade']"
            await socket.send_json({"method": "SHOUT", "id": 3})
            while "id" not in (told := await socket.receive_json(timeout=5)):
                pass
            assert told["error"]["code"] == 2


async def test_a_listen_key_lasts_an_hour_unless_it_is_kept_alive(clock: Clock) -> None:
    async with asking(clock) as ask, following(ask) as (socket, key):
        clock.advance(minutes=50)
        assert (await ask("POST", "/fapi/v1/listenKey")).body["listenKey"] == key
        clock.advance(minutes=50)
        assert (await ask("PUT", "/fapi/v1/listenKey")).body["listenKey"] == key
        clock.advance(minutes=61)
        (ended,) = await next_of(socket, "listenKeyExpired")
        assert ended["listenKey"] == key
        assert (await ask("PUT", "/fapi/v1/listenKey")).code == -1125
        # The socket stays open, and says nothing any more.
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive_json(timeout=0.2)
        assert (await ask("POST", "/fapi/v1/listenKey")).body["listenKey"] != key


async def test_a_listen_key_that_is_closed_tells_no_more() -> None:
    async with asking() as ask, following(ask) as (socket, key):
        assert (await ask("DELETE", "/fapi/v1/listenKey")).body == {}
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive_json(timeout=0.2)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await ask.session.ws_connect(f"wss://fstream.binance.com/ws/{key}")


async def test_a_stop_s_life_is_told_from_its_placing_to_the_end_of_its_order() -> None:
    async with asking() as ask, following(ask) as (socket, _):
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        await next_of(socket, "ACCOUNT_UPDATE")
        stop = await ask.algo("SELL", "STOP_MARKET", closePosition="true", triggerPrice=60000)
        (placed,) = await next_of(socket, "ALGO_UPDATE")
        assert (placed["o"]["X"], placed["o"]["f"], placed["o"]["aid"]) == (
            "NEW",
            "GTE_GTC",
            stop.body["algoId"],
        )
        ask.market.set_price(BTC, dec("59990"))
        fired, trade, ended, account = await next_of(
            socket, "ALGO_UPDATE", "ORDER_TRADE_UPDATE", "ALGO_UPDATE", "ACCOUNT_UPDATE"
        )
        assert (fired["o"]["X"], ended["o"]["X"]) == ("TRIGGERED", "FINISHED")
        assert (trade["o"]["x"], trade["o"]["X"], trade["o"]["ot"]) == ("TRADE", "FILLED", "MARKET")
        assert ended["o"]["ai"] == str(trade["o"]["i"])
        assert (ended["o"]["ap"], ended["o"]["aq"]) == ("59989.9", "1")
        assert account["a"]["P"][0]["pa"] == "0"


async def test_a_stop_that_is_rejected_when_it_fires_is_told_so() -> None:
    async with asking() as ask, following(ask) as (socket, _):
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        await ask.algo("SELL", "STOP_MARKET", quantity=1, reduceOnly="true", triggerPrice=60000)
        await next_of(socket, "ALGO_UPDATE")
        ask.market.close_by_hand(ACCOUNT, BTC, Side.LONG)
        ask.market.set_price(BTC, dec("59990"))
        algo, reject = await next_of(socket, "ALGO_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT")
        assert (algo["o"]["X"], algo["o"]["rm"]) == ("REJECTED", "ReduceOnly Order is rejected.")
        assert reject["or"]["s"] == "BTCUSDT"


async def test_an_order_that_is_knocked_out_names_its_reason() -> None:
    async with asking() as ask, following(ask) as (socket, _):
        ask.market.open_position(ACCOUNT, BTC, Side.LONG, dec("1"))
        await next_of(socket, "ACCOUNT_UPDATE")
        told = {"price": 66000, "quantity": 1, "reduceOnly": "true", "timeInForce": "GTC"}
        await ask.order("SELL", "LIMIT", **told)
        await ask.order("SELL", "MARKET", quantity=1, reduceOnly="true")
        new, ended = await next_of(socket, "ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE")
        assert (new["o"]["x"], ended["o"]["x"], ended["o"]["er"]) == ("NEW", "EXPIRED", "4")


async def test_changes_of_leverage_and_of_orders_are_told() -> None:
    async with asking() as ask, following(ask) as (socket, _):
        await ask("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=20)
        (config,) = await next_of(socket, "ACCOUNT_CONFIG_UPDATE")
        assert config["ac"] == {"s": "BTCUSDT", "l": 20}
        order = await ask.order("BUY", "LIMIT", price=64000, quantity=1, timeInForce="GTC")
        named = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order.body["orderId"]}
        await ask("PUT", "/fapi/v1/order", **named, price=63000, quantity=1)
        new, amended = await next_of(socket, "ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE")
        assert (new["o"]["x"], amended["o"]["x"], amended["o"]["p"]) == (
            "NEW",
            "AMENDMENT",
            "63000",
        )
