"""Bybit's private stream in its own words: what can be followed, and what is told when."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from messages.values import Side
from simulator import SimulatedVenue
from simulator.market import Market
from tests.simulator.conftest import BTC, dec, still_venue
from tests.simulator.orders import placed, sell
from venues.transport import loopback_session

ACCOUNT = "bybit-main"
URL = "wss://stream.bybit.com/v5/private"


class Socket:
    """One private socket of the account."""

    def __init__(self, venue: SimulatedVenue, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.venue = venue
        self.market: Market = venue.market
        self._socket = socket

    async def say(self, op: str, *args: object) -> Any:
        """Send a command and read its answer."""
        await self._socket.send_json({"op": op, "args": list(args), "req_id": "7"})
        return await self.heard()

    async def heard(self) -> Any:
        return json.loads((await self._socket.receive(timeout=5)).data)

    async def until(self, topic: str) -> Any:
        """The next row that is told under a topic."""
        while True:
            told = await self.heard()
            if told["topic"] == topic:
                (row,) = told["data"]
                return row

    async def log_in(self, secret: str = "demo-bybit-secret", ahead: int = 5000) -> Any:
        expires = int(self.market.now().timestamp() * 1000) + ahead
        signed = hmac.new(secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256)
        return await self.say("auth", "demo-bybit-key", expires, signed.hexdigest())


@asynccontextmanager
async def socket() -> AsyncIterator[Socket]:
    async with (
        still_venue() as venue,
        loopback_session(venue.connect, venue.ca_file) as session,
        session.ws_connect(URL) as opened,
    ):
        yield Socket(venue, opened)


async def test_only_who_proves_a_key_in_time_may_follow_anything() -> None:
    async with socket() as one:
        assert (await one.say("subscribe", "order"))["success"] is False
        assert (await one.log_in("wrong"))["success"] is False
        assert (await one.log_in(ahead=-1))["success"] is False
        assert (await one.log_in())["success"] is True
        told = await one.say("subscribe", "order")
        assert (told["success"], told["op"], told["req_id"]) == (True, "subscribe", "7")


async def test_a_topic_that_nothing_would_be_told_under_is_refused() -> None:
    async with socket() as one:
        await one.log_in()
        told = await one.say("subscribe", "order", "greeks")
        assert (told["success"], told["ret_msg"]) == (
            False,
            "error:handler not found,topic:greeks",
        )


async def test_a_ping_is_answered_as_on_private_streams() -> None:
    async with socket() as one:
        told = await one.say("ping")
        assert (told["op"], len(told["args"])) == ("pong", 1)


@pytest.mark.parametrize("suffix", ["", ".linear"])
async def test_a_fill_is_told_as_order_execution_wallet_and_position(suffix: str) -> None:
    async with socket() as one:
        await one.log_in()
        topics = [f"{it}{suffix}" for it in ("order", "execution", "position")]
        await one.say("subscribe", *topics, "wallet")
        one.market.open_position(ACCOUNT, BTC, Side.LONG, dec("2"), dec("64000"))
        order = await one.until(topics[0])
        execution = await one.until(topics[1])
        wallet = await one.until("wallet")
        position = await one.until(topics[2])
        assert (order["orderStatus"], order["cumExecQty"]) == ("Filled", "2")
        assert (execution["execQty"], execution["execType"]) == ("2", "Trade")
        assert execution["orderId"] == order["orderId"]
        (coin,) = wallet["coin"]
        assert dec(coin["walletBalance"]) == one.market.accounts[ACCOUNT].wallet["USDT"]
        assert (position["size"], position["entryPrice"]) == ("2", "64000")


async def test_an_execution_tells_its_kind_and_what_it_closed() -> None:
    async with socket() as one:
        one.market.open_position(ACCOUNT, BTC, Side.LONG, dec("2"), dec("64000"))
        await one.log_in()
        await one.say("subscribe", "execution")
        one.market.liquidate(ACCOUNT, BTC, Side.LONG)
        row = await one.until("execution")
        assert (row["execType"], row["closedSize"], row["execPnl"]) == ("BustTrade", "2", "500")


async def test_a_position_is_told_at_each_change_of_an_order_changed_or_not() -> None:
    async with socket() as one:
        await one.log_in()
        await one.say("subscribe", "position")
        placed(one.market, ACCOUNT, sell("1", price=dec("66000"), reduce_only=False))
        row = await one.until("position")
        assert (row["size"], row["side"]) == ("0", "")


async def test_topics_of_another_category_stay_silent_and_left_ones_too() -> None:
    async with socket() as one:
        await one.log_in()
        await one.say("subscribe", "execution.inverse", "wallet")
        await one.say("unsubscribe", "wallet")
        one.market.open_position(ACCOUNT, BTC, Side.LONG, dec("2"))
        one.market.open_position(ACCOUNT, "BTC/USD:BTC", Side.LONG, dec("100"))
        told = await one.heard()
        assert (told["topic"], told["data"][0]["symbol"]) == ("execution.inverse", "BTCUSD")
