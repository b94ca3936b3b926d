"""Who is let in: keys, signatures, clocks, rate limits, and operators."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
import msgspec
import pytest

from messages.values import Side
from simulator import SimulatedVenue
from simulator.desk import RateLimit
from tests.simulator.conftest import ACCOUNTS, BTC, client, connected, dec, still_venue
from tests.simulator.operators import admin
from venues.transport import loopback_session


async def read(exchange: Any) -> None:
    await exchange.load_markets()
    await exchange.fetch_positions()


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("wrong", ["apiKey", "secret"])
async def test_a_wrong_key_or_secret_is_refused(account: str, wrong: str) -> None:
    async with still_venue() as venue, client(venue, account, **{wrong: "wrong"}) as exchange:
        with pytest.raises(ccxt.AuthenticationError):
            await read(exchange)
        assert venue.requests.count("positions", account) == 0


async def test_a_key_of_one_exchange_does_not_open_the_other() -> None:
    async with still_venue() as venue:
        keys = {"apiKey": "demo-bybit-key", "secret": "demo-bybit-secret"}
        async with client(venue, "binance-main", **keys) as exchange:
            with pytest.raises(ccxt.AuthenticationError):
                await read(exchange)


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("skew", [timedelta(seconds=30), timedelta(seconds=-30)])
async def test_a_clock_that_is_off_is_refused_as_such(account: str, skew: timedelta) -> None:
    async with still_venue() as venue, client(venue, account) as exchange:
        venue.desk.skew = skew
        with pytest.raises(ccxt.InvalidNonce):
            await read(exchange)


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_more_weight_than_the_limit_is_answered_as_a_rate_limit(account: str) -> None:
    async with connected(account) as (venue, exchange):
        await exchange.fetch_positions()
        limit = RateLimit(weight=10, per=timedelta(minutes=1))
        venue.desk.limits[venue.market.accounts[account].exchange] = limit
        for _ in range(10 if exchange.id == "bybit" else 2):
            await exchange.fetch_positions()
        with pytest.raises((ccxt.RateLimitExceeded, ccxt.DDoSProtection)):
            await exchange.fetch_positions()


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_read_only_key_places_no_order(account: str) -> None:
    async with connected(account) as (venue, exchange):
        venue.market.accounts[account].can_trade = False
        venue.market.open_position(account, BTC, Side.LONG, dec("1"))
        with pytest.raises(ccxt.BaseError, match=r"10005|-2015"):
            await exchange.create_order(BTC, "market", "sell", 1, None, {"reduceOnly": True})
        assert venue.market.quantity(account, BTC, Side.LONG) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"qty": {}}', b'{"qty": "NaN"}', b"\xff"])
async def test_nonsense_in_an_order_is_refused_and_logged(body: bytes) -> None:
    async with still_venue() as venue, loopback_session(venue.connect, venue.ca_file) as session:
        stamp = str(int(venue.market.now().timestamp() * 1000))
        payload = f"{stamp}demo-bybit-key5000".encode() + body
        headers = {
            "X-BAPI-API-KEY": "demo-bybit-key",
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": "5000",
            "X-BAPI-SIGN": hmac.new(b"demo-bybit-secret", payload, hashlib.sha256).hexdigest(),
        }
        url = "https://api.bybit.com/v5/order/create"
        async with session.post(url, data=body, headers=headers) as reply:
            told = msgspec.json.decode(await reply.read())
        assert (reply.status, told["retCode"]) == (200, 10001)
        assert venue.requests.count("order.create") == 1
        assert not venue.market.accounts["bybit-main"].orders


async def test_operators_trade_look_and_order_trouble_over_http() -> None:
    async with still_venue() as venue:
        leg = {"account": "bybit-main", "symbol": "AVL/USDT:USDT", "side": "long"}
        assert (await admin(venue, "POST", "positions", **leg, quantity="86"))[0] == 200
        status, positions = await admin(venue, "GET", "positions")
        assert (status, positions[0]["quantity"], positions[0]["stop_loss"]) == (200, "86", "")
        await admin(venue, "POST", "price", symbol="AVL/USDT:USDT", price="0.25")
        await admin(venue, "POST", "close", **leg, quantity="36")
        await admin(venue, "POST", "faults", kind="html", endpoint="positions", count=2)
        assert len((await admin(venue, "GET", "faults"))[1]) == 1
        await admin(venue, "DELETE", "faults")
        state = (await admin(venue, "GET", "state"))[1]
        assert (state["faults"], state["positions"][0]["quantity"]) == ([], "50")
        await admin(venue, "POST", "liquidate", **leg)
        assert (await admin(venue, "GET", "positions"))[1] == []
        assert len((await admin(venue, "GET", "orders"))[1]) == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("positions", {"account": "nobody", "symbol": BTC, "side": "long", "quantity": "1"}),
        ("positions", {"account": "bybit-main", "symbol": "NO/SUCH", "side": "long"}),
        ("faults", {"kind": "no such kind"}),
        ("faults", {"kind": "html", "endpoind": "positions"}),
        ("close", {"account": "bybit-main", "symbol": BTC, "side": "long"}),
    ],
)
async def test_an_operator_s_mistake_is_told_and_changes_nothing(
    path: str, body: dict[str, object]
) -> None:
    async with still_venue() as venue:
        status, told = await admin(venue, "POST", path, **body)
        assert status == 400
        assert told["error"]
        assert venue.faults.standing() == []
        assert not venue.market.accounts["bybit-main"].orders


@pytest.mark.parametrize("host", ["api.bybit.com", "fapi.binance.com"])
async def test_nobody_is_an_operator_under_an_exchange_s_name(host: str) -> None:
    async with (
        still_venue() as venue,
        loopback_session(venue.connect, venue.ca_file) as session,
        session.get(f"https://{host}/admin/state") as reply,
    ):
        assert reply.status == 404


async def test_the_venue_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        SimulatedVenue(host="0.0.0.0")


async def test_stopped_and_started_again_it_keeps_its_market_ca_and_port() -> None:
    async with connected("bybit-main") as (venue, exchange):
        venue.market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
        await venue.stop()
        with pytest.raises(ccxt.NetworkError):
            await exchange.fetch_positions()
        await venue.start()
        assert len(await exchange.fetch_positions()) == 1


async def test_no_secret_and_no_signature_is_in_the_request_log() -> None:
    async with still_venue() as venue:
        for account in ACCOUNTS:
            async with client(venue, account) as exchange:
                await read(exchange)
        shown = msgspec.json.encode(list(venue.requests.requests)).decode()
        assert set(ACCOUNTS) <= {it.account for it in venue.requests.requests}
        assert "secret" not in shown
        assert "signature" not in shown


async def test_unknown_hosts_and_paths_are_not_served() -> None:
    async with still_venue() as venue, loopback_session(venue.connect, venue.ca_file) as session:
        async with session.get("https://api.bybit.com/v5/no/such") as reply:
            assert reply.status == 404
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get("https://www.bybit.com/")
