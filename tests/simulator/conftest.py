"""A venue on loopback, real ccxt clients of it, and a still market under a clock of the test's.

Tests that are coroutines are run to their end on a stock asyncio loop.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from messages.values import Side
from simulator import FaultBook, Market, MemoryVenue, SimulatedVenue, demo_market
from venues.transport import loopback_session

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"
CCXT = {"bybit-main": ccxt.bybit, "binance-main": ccxt.binanceusdm}
ACCOUNTS = tuple(CCXT)


class Clock:
    """A market's clock: it stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **units: float) -> None:
        self.at += timedelta(**units)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def market(clock: Clock) -> Market:
    """The default world with prices that only move when they are told to."""
    return demo_market(clock, seed=7, volatility=0.0)


@pytest.fixture
def rng() -> random.Random:
    return random.Random(11)


@pytest.fixture
def faults(rng: random.Random) -> FaultBook:
    return FaultBook(rng)


@pytest.fixture
def venue(market: Market, faults: FaultBook) -> MemoryVenue:
    """An in-process venue whose account holds one bitcoin, long."""
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"), dec("64000"))
    return MemoryVenue(market, "bybit-main", faults=faults, timeout=0.2)


@asynccontextmanager
async def still_venue(**options: Any) -> AsyncIterator[SimulatedVenue]:
    """A served default world whose prices only move when they are told to."""
    async with SimulatedVenue(seed=7, volatility=0.0, **options) as venue:
        yield venue


@asynccontextmanager
async def client(
    venue: SimulatedVenue, account: str, ccxt_class: Any = None, **changes: Any
) -> AsyncIterator[Any]:
    """The real ccxt class with an account's keys, its URLs untouched, its limiter off."""
    owner = venue.market.accounts[account]
    session = loopback_session(venue.connect, venue.ca_file)
    config = {
        "session": session,
        "apiKey": owner.key,
        "secret": owner.secret.reveal(),
        "enableRateLimit": False,
        "options": {
            "defaultType": "swap",
            "fetchMarkets": {"types": ["linear", "inverse"] if "bybit" in account else ["linear"]},
            "fetchCurrencies": False,
        },
    }
    exchange = (ccxt_class or CCXT[account])(config | changes)
    # ccxt sleeps this many milliseconds when it is closed, for connections that it does not own.
    exchange.timeout_on_exit = 0
    if "bybit" in account:
        exchange.has["fetchCurrencies"] = False
    try:
        yield exchange
    finally:
        await exchange.close()
        await session.close()


@asynccontextmanager
async def connected(account: str) -> AsyncIterator[tuple[SimulatedVenue, Any]]:
    """A still venue and a client of one account with loaded markets."""
    async with still_venue() as venue, client(venue, account) as exchange:
        await exchange.load_markets()
        yield venue, exchange


async def until(condition: Callable[[], bool], what: str, within: float = 5.0) -> None:
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {within} s"
        await asyncio.sleep(0.005)


def dec(text: str) -> Decimal:
    return Decimal(text)
