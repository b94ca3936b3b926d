"""The private streams, followed by the real ccxt.pro classes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
import ccxt.pro as pro
import pytest

from messages.values import Side
from simulator import Fault, FaultKind, SimulatedVenue
from tests.simulator.conftest import ACCOUNTS, BTC, dec, still_venue, until
from venues.transport import loopback_session

PRO = {"bybit-main": pro.bybit, "binance-main": pro.binanceusdm}


@asynccontextmanager
async def follower(account: str, **changes: Any) -> AsyncIterator[tuple[SimulatedVenue, Any]]:
    """A still venue and a ccxt.pro client that takes no REST snapshot first."""
    async with still_venue() as venue:
        owner = venue.market.accounts[account]
        session = loopback_session(venue.connect, venue.ca_file)
        config = {
            "session": session,
            "apiKey": owner.key,
            "secret": owner.secret.reveal(),
            "enableRateLimit": False,
            "newUpdates": True,
            "options": {
                "defaultType": "swap",
                "fetchMarkets": {"types": ["linear"]},
                "fetchCurrencies": False,
                "watchPositions": {
                    "fetchPositionsSnapshot": False,
                    "awaitPositionsSnapshot": False,
                },
            },
        }
        exchange = PRO[account](config | changes)
        exchange.timeout_on_exit = 0
        exchange.has["fetchCurrencies"] = False
        try:
            await exchange.load_markets()
            yield venue, exchange
        finally:
            await exchange.close()
            await session.close()


async def told(venue: SimulatedVenue, account: str, exchange: Any, act: Any) -> Any:
    """What the stream says of an act that happens once the subscription stands."""
    waiting = asyncio.create_task(exchange.watch_positions())
    await until(lambda: venue.streams.connected(account), "the subscription")
    act()
    return await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_opening_and_closing_by_hand_come_over_the_stream(account: str) -> None:
    async with follower(account) as (venue, exchange):
        market = venue.market
        (opened,) = await told(
            venue,
            account,
            exchange,
            lambda: market.open_position(account, BTC, Side.SHORT, dec("0.5"), dec("64000")),
        )
        assert (opened["symbol"], opened["side"]) == (BTC, "short")
        assert (opened["contracts"], opened["entryPrice"]) == (0.5, 64000)
        (closed,) = await told(
            venue, account, exchange, lambda: market.close_by_hand(account, BTC, Side.SHORT)
        )
        assert closed["contracts"] == 0


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_orders_come_over_the_stream_with_their_fill(account: str) -> None:
    async with follower(account) as (venue, exchange):
        venue.market.open_position(account, BTC, Side.LONG, dec("1"))
        waiting = asyncio.create_task(exchange.watch_orders())
        await until(lambda: venue.streams.followers(account, "order") > 0, "the subscription")
        await exchange.create_order(BTC, "market", "sell", 1, None, {"reduceOnly": True})
        seen = list(await asyncio.wait_for(waiting, 5))
        while seen[-1]["status"] != "closed":
            seen += await asyncio.wait_for(exchange.watch_orders(), 5)
        assert (seen[-1]["filled"], seen[-1]["side"]) == (1, "sell")


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_cut_stream_raises_and_can_be_opened_again(account: str) -> None:
    async with follower(account) as (venue, exchange):
        waiting = asyncio.create_task(exchange.watch_positions())
        await until(lambda: venue.streams.connected(account), "the subscription")
        venue.faults.order(Fault(kind=FaultKind.CUT_STREAM, account=account))
        with pytest.raises(ccxt.NetworkError):
            await asyncio.wait_for(waiting, 5)
        await until(lambda: not venue.streams.connected(account), "the end of the socket")
        (opened,) = await told(
            venue,
            account,
            exchange,
            lambda: venue.market.open_position(account, BTC, Side.LONG, dec("1")),
        )
        assert opened["contracts"] == 1


async def test_a_wrong_secret_is_not_let_onto_bybit_s_stream() -> None:
    async with follower("bybit-main", secret="wrong") as (venue, exchange):
        with pytest.raises(ccxt.AuthenticationError):
            await asyncio.wait_for(exchange.watch_positions(), 5)
        assert not venue.streams.connected("bybit-main")


async def test_a_listen_key_that_was_never_given_opens_nothing() -> None:
    async with still_venue() as venue, loopback_session(venue.connect, venue.ca_file) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect("wss://fstream.binance.com/ws/made-up")


async def test_an_account_sees_nothing_of_another_account() -> None:
    async with follower("bybit-main") as (venue, exchange):
        waiting = asyncio.create_task(exchange.watch_positions())
        await until(lambda: venue.streams.connected("bybit-main"), "the subscription")
        venue.market.open_position("binance-main", BTC, Side.LONG, dec("1"))
        venue.market.open_position("bybit-main", BTC, Side.LONG, dec("2"))
        (position,) = await asyncio.wait_for(waiting, 5)
        assert position["contracts"] == 2
