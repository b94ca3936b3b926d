"""Reads that are late, histories that are late or cut, bans that grow, streams that fall silent."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import ccxt.async_support as ccxt
import pytest

from messages.values import LegKey, Side
from messages.venue import Fills, Hint, VenueError, VenueErrorKind
from simulator import Fault, FaultBook, FaultKind, Market, MemoryVenue
from tests.simulator.conftest import (
    ACCOUNTS,
    BTC,
    Clock,
    client,
    connected,
    dec,
    still_venue,
    until,
)
from tests.simulator.operators import done
from tests.simulator.test_streams import follower
from venues.transport import loopback_session

LATE = timedelta(minutes=2)


async def opened_two_minutes_ago(venue: Any, account: str) -> None:
    at = venue.market.now() - LATE
    venue.market.open_position(account, BTC, Side.LONG, dec("1"), dec("64000"), at)


async def listed(exchange: Any) -> float:
    return sum(float(it["contracts"]) for it in await exchange.fetch_positions())


async def named(exchange: Any) -> float:
    if exchange.id == "bybit":
        return sum(float(it["contracts"]) for it in await exchange.fetch_positions([BTC]))
    rows = await exchange.fapiPrivateV2GetPositionRisk({"symbol": "BTCUSDT"})
    return sum(float(row["positionAmt"]) for row in rows)


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize(
    ("endpoint", "late_list", "late_name"),
    [
        ("positions", True, True),
        ("positions.list", True, False),
        ("positions.named", False, True),
    ],
)
async def test_positions_lag_while_the_trade_history_is_true(
    account: str, endpoint: str, late_list: bool, late_name: bool
) -> None:
    async with connected(account) as (venue, exchange):
        await opened_two_minutes_ago(venue, account)
        fault = {"kind": "stale", "endpoint": endpoint, "seconds": 300, "count": None}
        await done(venue, "POST", "faults", **fault)
        assert (await listed(exchange) == 0) is late_list
        assert (await named(exchange) == 0) is late_name
        assert len(await exchange.fetch_my_trades(BTC)) == 1
        await done(venue, "DELETE", "faults")
        assert await listed(exchange) == await named(exchange) == 1


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_history_that_is_late_leaves_out_what_is_younger(account: str) -> None:
    async with connected(account) as (venue, exchange):
        await opened_two_minutes_ago(venue, account)
        venue.market.close_by_hand(account, BTC, Side.LONG)
        fault = {"kind": "stale", "endpoint": "fills", "seconds": 60, "count": 1}
        await done(venue, "POST", "faults", **fault)
        assert [it["side"] for it in await exchange.fetch_my_trades(BTC)] == ["buy"]
        assert len(await exchange.fetch_my_trades(BTC)) == 2
        assert await listed(exchange) == 0


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_history_that_is_cut_leaves_out_what_is_older(account: str) -> None:
    async with connected(account) as (venue, exchange):
        await opened_two_minutes_ago(venue, account)
        venue.market.close_by_hand(account, BTC, Side.LONG)
        fault = {"kind": "cut_history", "endpoint": "fills", "seconds": 60, "count": 1}
        await done(venue, "POST", "faults", **fault)
        assert [it["side"] for it in await exchange.fetch_my_trades(BTC)] == ["sell"]
        assert len(await exchange.fetch_my_trades(BTC)) == 2


async def test_the_record_of_ends_can_be_late_by_itself() -> None:
    async with connected("bybit-main") as (venue, exchange):
        await opened_two_minutes_ago(venue, "bybit-main")
        venue.market.close_by_hand("bybit-main", BTC, Side.LONG)
        await done(venue, "POST", "faults", kind="stale", endpoint="closed", seconds=60)
        assert await exchange.fetch_positions_history([BTC]) == []
        assert len(await exchange.fetch_positions_history([BTC])) == 1


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_history_can_be_unreadable_while_positions_are_not(account: str) -> None:
    async with connected(account) as (venue, exchange):
        await opened_two_minutes_ago(venue, account)
        await done(venue, "POST", "faults", kind="status", status=503, endpoint="fills", count=None)
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await exchange.fetch_my_trades(BTC)
        assert await listed(exchange) == 1


async def asked(venue: Any, url: str) -> tuple[int, Any, Any]:
    async with (
        loopback_session(venue.connect, venue.ca_file) as session,
        session.get(url) as reply,
    ):
        return reply.status, await reply.json(content_type=None), reply.headers


BINANCE_TIME = "https://fapi.binance.com/fapi/v1/time"
BYBIT_TIME = "https://api.bybit.com/v5/market/time"


async def test_a_binance_ban_is_418_and_names_its_end() -> None:
    async with still_venue() as venue:
        await done(venue, "POST", "faults", kind="ban", status=418, seconds=60, count=None)
        status, body, headers = await asked(venue, BINANCE_TIME)
        until_ms = int(body["msg"].split("banned until ")[1].split(".")[0])
        assert (status, body["code"], headers["Retry-After"]) == (418, -1003, "60")
        assert 55_000 < until_ms - time.time() * 1000 <= 60_000
        async with client(venue, "binance-main") as exchange:
            with pytest.raises(ccxt.DDoSProtection):
                await exchange.fetch_time()


async def test_a_ban_of_an_account_leaves_the_others_alone() -> None:
    async with still_venue() as venue:
        fault = {"kind": "ban", "status": 429, "seconds": 60, "account": "binance-main"}
        await done(venue, "POST", "faults", **fault)
        assert (await asked(venue, BINANCE_TIME))[0] == 200
        async with client(venue, "binance-main") as exchange:
            with pytest.raises(ccxt.DDoSProtection, match="-1003"):
                await exchange.fapiPrivateV3GetPositionRisk()


async def test_a_bybit_ban_of_the_address_is_403_and_names_no_end() -> None:
    async with still_venue() as venue:
        await done(venue, "POST", "faults", kind="ban", status=403, seconds=60)
        status, body, headers = await asked(venue, BYBIT_TIME)
        assert (status, "X-Bapi-Limit-Reset-Timestamp" in headers) == (403, False)
        assert str(body).lower().count("too frequent") == 1


async def test_a_bybit_rate_limit_is_10006_and_its_header_names_the_end() -> None:
    async with still_venue() as venue:
        await done(venue, "POST", "faults", kind="ban", status=200, seconds=60)
        status, body, headers = await asked(venue, BYBIT_TIME)
        assert (status, body["retCode"]) == (200, 10006)
        left = int(headers["X-Bapi-Limit-Reset-Timestamp"]) - body["time"]
        assert 55_000 < left <= 60_000


def test_a_ban_ends_at_the_instant_that_it_named(faults: FaultBook, clock: Clock) -> None:
    faults.now = clock
    faults.order(Fault(kind=FaultKind.BAN, seconds=60))
    (first,) = faults.strike("positions", "a")
    assert first.until == clock() + timedelta(seconds=60)
    clock.advance(seconds=59.9)
    assert faults.strike("positions", "a")
    clock.advance(seconds=0.1)
    assert not faults.strike("positions", "a")
    assert faults.standing() == []


def test_each_call_into_a_growing_ban_makes_it_longer(faults: FaultBook, clock: Clock) -> None:
    faults.now = clock
    faults.order(Fault(kind=FaultKind.BAN, seconds=60, growth=2))
    faults.strike("positions", "a")
    clock.advance(seconds=30)
    (second,) = faults.strike("fills", "b")
    assert second.until == clock() + timedelta(seconds=60)
    clock.advance(seconds=60)
    assert not faults.strike("positions", "a")


async def test_in_process_a_ban_is_a_rate_limit_that_names_its_end(
    venue: MemoryVenue, faults: FaultBook, market: Market
) -> None:
    faults.order(Fault(kind=FaultKind.BAN, seconds=60, status=418))
    refused = await venue.fetch_quote(BTC)
    assert isinstance(refused, VenueError)
    ends = int((market.now() + timedelta(seconds=60)).timestamp() * 1000)
    assert (refused.kind, refused.http_status) == (VenueErrorKind.RATE_LIMIT, 418)
    assert str(ends) in refused.message


async def test_an_operator_s_ban_without_a_clock_says_so(faults: FaultBook) -> None:
    faults.order(Fault(kind=FaultKind.BAN, seconds=60))
    with pytest.raises(RuntimeError, match="clock"):
        faults.strike("positions", "a")


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_silent_stream_stays_open_and_tells_nothing(account: str) -> None:
    async with follower(account) as (venue, exchange):
        market = venue.market
        await done(venue, "POST", "faults", kind="silent_stream", account=account, count=None)
        waiting = asyncio.create_task(exchange.watch_positions())
        await until(lambda: venue.streams.connected(account), "the subscription")
        market.open_position(account, BTC, Side.LONG, dec("1"))
        await done(venue, "DELETE", "faults")
        assert venue.streams.connected(account)
        market.close_by_hand(account, BTC, Side.LONG)
        # Only what came after the silence is told.
        (closed,) = await asyncio.wait_for(waiting, 5)
        assert closed["contracts"] == 0


async def test_in_process_a_silent_stream_stays_open_and_tells_nothing(
    market: Market, faults: FaultBook
) -> None:
    venue = MemoryVenue(market, "bybit-main", faults=faults)
    heard: list[Hint] = []
    stands = asyncio.Event()
    watching = asyncio.create_task(venue.watch(heard.append, stands.set))
    await stands.wait()
    faults.order(Fault(kind=FaultKind.SILENT_STREAM, account="bybit-main", count=None))
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    await asyncio.sleep(0)
    assert not watching.done()
    await venue.close()
    await watching
    assert heard == []


async def test_in_process_positions_lag_by_list_or_by_name_and_fills_are_true(
    market: Market, faults: FaultBook, clock: Clock
) -> None:
    venue = MemoryVenue(market, "bybit-main", faults=faults)
    key = LegKey("bybit-main", BTC, Side.LONG)
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    clock.advance(seconds=120)
    for endpoint, late_list, late_name in (
        ("positions", True, True),
        ("positions.list", True, False),
        ("positions.named", False, True),
    ):
        faults.order(Fault(kind=FaultKind.STALE, endpoint=endpoint, seconds=300, count=None))
        assert bool((await venue.fetch_positions()).positions) is not late_list
        assert bool((await venue.fetch_position(key)).positions) is not late_name
        fills = await venue.fetch_fills(BTC, clock() - timedelta(days=1))
        assert isinstance(fills, Fills)
        assert len(fills.fills) == 1
        faults.clear()


async def test_in_process_a_history_can_be_late_or_cut(
    market: Market, faults: FaultBook, clock: Clock
) -> None:
    venue = MemoryVenue(market, "bybit-main", faults=faults)
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    clock.advance(seconds=120)
    market.close_by_hand("bybit-main", BTC, Side.LONG)

    async def seen() -> list[str]:
        fills = await venue.fetch_fills(BTC, clock() - timedelta(days=1))
        assert isinstance(fills, Fills)
        return [str(it.side) for it in fills.fills]

    faults.order(Fault(kind=FaultKind.STALE, endpoint="fills", seconds=60))
    assert await seen() == ["buy"]
    faults.order(Fault(kind=FaultKind.CUT_HISTORY, endpoint="fills", seconds=60))
    assert await seen() == ["sell"]
    assert await seen() == ["buy", "sell"]
