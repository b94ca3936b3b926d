"""Opens the gateway on the simulated Hyperliquid, where addresses and wallets stand for keys."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from messages.settings import AccountSettings
from messages.values import Secret
from messages.venue import Connected
from simulator import Exchange, Market, SimulatedVenue
from simulator.hyperliquid_keys import address_of
from tests.venues.conftest import now
from tests.venues.simulated import Opened
from venues.gateway import open_venue

BTC = "BTC/USDC:USDC"
ADDRESS = "0x" + "a1" * 20
WALLET_KEY = "0x" + "22" * 32
WALLET = address_of(WALLET_KEY)
OTHER = "0x" + "b2" * 20
OTHER_KEY = "0x" + "33" * 32
SUB = "0x" + "c3" * 20
OWN_KEY = "0x" + "55" * 32
OWN = address_of(OWN_KEY)


def market_of_two() -> Market:
    """`main` and `other` with an API wallet each, `sub` of `main`, and `own` with its own key."""
    market = Market(now=now, rng=random.Random(1), volatility=0.0)
    for name, key, secret, master in (
        ("main", ADDRESS, WALLET_KEY, None),
        ("other", OTHER, OTHER_KEY, None),
        ("sub", SUB, WALLET_KEY, "main"),
        ("own", OWN, OWN_KEY, None),
    ):
        market.add_account(name, Exchange.HYPERLIQUID, key=key, secret=secret, master=master)
    return market


@asynccontextmanager
async def hyperliquid(
    key: str = ADDRESS,
    secret: str = WALLET_KEY,
    *,
    timeout: timedelta = timedelta(seconds=20),
    limits: bool = False,
) -> AsyncIterator[Opened]:
    async with SimulatedVenue(market_of_two(), limits=limits) as sim:
        settings = AccountSettings(
            name="main",
            exchange="hyperliquid",
            key=Secret(key),
            secret=Secret(secret),
            connect=sim.connect,
            ca_file=sim.ca_file,
            settles=("USDC",),
            request_timeout=timeout,
            options={} if limits else {"enableRateLimit": "false"},
        )
        venue = open_venue(settings, now=now)
        try:
            connected = await venue.connect()
            assert isinstance(connected, Connected), connected
            yield Opened(Exchange.HYPERLIQUID, sim, venue, False, settings)
        finally:
            await venue.close()
