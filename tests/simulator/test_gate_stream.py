"""Gate's private channels in their own words: what can be followed, and what is told when."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from messages.values import Side
from simulator import Exchange, SimulatedVenue
from tests.simulator.conftest import BTC, dec, still_venue
from venues.transport import loopback_session

ACCOUNT, SECRET = "gate", "gate-stream-secret"
URL = "wss://fx-ws.gateio.ws/v4/ws/"


class Socket:
    """One private socket of the account."""

    def __init__(self, venue: SimulatedVenue, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.market = venue.market
        self._socket = socket

    async def heard(self) -> Any:
        return json.loads((await self._socket.receive(timeout=5)).data)

    async def follow(
        self,
        channel: str,
        *names: str,
        event: str = "subscribe",
        secret: str = SECRET,
        user: int | None = None,
        late: int = 0,
    ) -> Any:
        at = int(self.market.now().timestamp()) - late
        signed = f"channel={channel}&event={event}&time={at}"
        sign = hmac.new(secret.encode(), signed.encode(), hashlib.sha512).hexdigest()
        uid = self.market.accounts[ACCOUNT].uid if user is None else user
        await self._socket.send_json(
            {
                "time": at,
                "id": 7,
                "channel": channel,
                "event": event,
                "payload": [str(uid), *names],
                "auth": {"method": "api_key", "KEY": "gate-stream-key", "SIGN": sign},
            }
        )
        return await self.heard()

    async def say(self, **message: Any) -> Any:
        await self._socket.send_json(message)
        return await self.heard()

    async def told(self, channel: str) -> Any:
        """The next row that is told under a channel."""
        while True:
            message = await self.heard()
            if message["channel"] == channel:
                (row,) = message["result"]
                return row


@asynccontextmanager
async def socket(place: str = "usdt") -> AsyncIterator[Socket]:
    async with still_venue() as venue:
        venue.market.add_account(ACCOUNT, Exchange.GATE, key="gate-stream-key", secret=SECRET)
        async with (
            loopback_session(venue.connect, venue.ca_file) as session,
            session.ws_connect(URL + place) as opened,
        ):
            yield Socket(venue, opened)


async def test_each_subscription_proves_the_key_that_it_is_for() -> None:
    async with socket() as one:
        assert (
            "INVALID_SIGN"
            in (await one.follow("futures.orders", "!all", secret="wrong"))["error"]["message"]
        )
        assert (await one.follow("futures.orders", "!all", late=90))["error"]["code"] == 4
        assert (await one.follow("futures.orders", "!all", user=1))["error"]["code"] == 2
        assert (await one.follow("futures.orders", "NO_SUCH"))["error"]["code"] == 2
        assert (await one.follow("futures.funding", "!all"))["error"]["code"] == 2
        told = await one.follow("futures.orders", "!all")
        assert (told["id"], told["event"], told["result"]) == (
            7,
            "subscribe",
            {"status": "success"},
        )


async def test_a_ping_is_answered_and_nonsense_is_refused() -> None:
    async with socket() as one:
        told = await one.say(channel="futures.ping", time=1)
        assert (told["channel"], told["error"]) == ("futures.pong", None)
        assert (await one.say(time="x"))["error"]["code"] == 1


async def test_fills_and_conditional_orders_have_channels_of_their_own() -> None:
    async with socket() as one:
        for channel in ("futures.usertrades", "futures.autoorders", "futures.positions"):
            await one.follow(channel, "BTC_USDT")
        one.market.open_position(
            ACCOUNT, BTC, Side.LONG, dec("0.5"), dec("64000"), stop_loss=dec("60000")
        )
        fill = await one.told("futures.usertrades")
        assert (fill["size"], fill["price"], fill["close_size"]) == (5000, "64000", 0)
        position = await one.told("futures.positions")
        assert (position["size"], position["mode"], position["entry_price"]) == (
            5000,
            "single",
            64000,
        )
        stop = await one.told("futures.autoorders")
        assert (stop["status"], stop["order_type"]) == ("open", "close-long-position")


async def test_a_socket_of_one_settle_currency_tells_nothing_of_another() -> None:
    async with socket("btc") as one:
        await one.follow("futures.positions", "!all")
        one.market.open_position(ACCOUNT, BTC, Side.LONG, dec("0.5"))
        one.market.open_position(ACCOUNT, "BTC/USD:BTC", Side.SHORT, dec("300"))
        told = await one.told("futures.positions")
        assert (told["contract"], told["size"]) == ("BTC_USD", -300)
        assert (await one.follow("futures.positions", event="unsubscribe"))["error"] is None
