"""Opens the gateway on the simulated venue: real ccxt over TLS to a market in memory."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from messages.settings import AccountSettings
from messages.values import LegKey, Secret, Side
from messages.venue import Connected, OrderRequest, OrderType
from simulator import Exchange, Market, SimulatedVenue
from simulator.logins import PASSPHRASE
from tests.venues.conftest import now
from venues.gateway import open_venue
from venues.port import Venue

BTC = "BTC/USDT:USDT"
LONG, SHORT = Side.LONG, Side.SHORT
FIRST_ID = "5e70" + "0" * 23 + "1"


@dataclass(frozen=True, slots=True)
class Opened:
    """An account `main` at one simulated exchange, and the gateway to it."""

    exchange: Exchange
    sim: SimulatedVenue
    venue: Venue
    hedged: bool
    settings: AccountSettings

    @property
    def market(self) -> Market:
        return self.sim.market

    def hold(
        self,
        quantity: str,
        side: Side = LONG,
        symbol: str = BTC,
        *,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
    ) -> None:
        """Open a leg as if the bot had traded. `quantity` is base units."""
        self.market.open_position(
            "main", symbol, side, Decimal(quantity), stop_loss=stop_loss, take_profit=take_profit
        )

    def order(
        self,
        quantity: str,
        kind: OrderType = OrderType.MARKET,
        side: Side = LONG,
        symbol: str = BTC,
        client_order_id: str = FIRST_ID,
        *,
        price: Decimal | None = None,
        trigger_price: Decimal | None = None,
    ) -> OrderRequest:
        return OrderRequest(
            key=LegKey("main", symbol, side),
            client_order_id=client_order_id,
            type=kind,
            quantity=Decimal(quantity),
            hedged=self.hedged,
            price=price,
            trigger_price=trigger_price,
        )


@asynccontextmanager
async def simulated(
    exchange: Exchange,
    *,
    hedged: bool = False,
    settles: tuple[str, ...] = ("USDT",),
    timeout: timedelta = timedelta(seconds=20),
    limits: bool = False,
    latency: float = 0.0,
) -> AsyncIterator[Opened]:
    """A still market, so that prices are the test's own.

    With `limits` the venue enforces its own, and the gateway waits for them.
    """
    market = Market(now=now, rng=random.Random(1), volatility=0.0)
    market.add_account(
        "main", exchange, key="test-key-of-main", secret="test-secret", hedged=hedged
    )
    async with SimulatedVenue(market, limits=limits, latency=latency) as sim:
        settings = AccountSettings(
            name="main",
            exchange=exchange.value,
            key=Secret("test-key-of-main"),
            secret=Secret("test-secret"),
            password=Secret(PASSPHRASE),
            connect=sim.connect,
            ca_file=sim.ca_file,
            settles=settles,
            request_timeout=timeout,
            options={} if limits else {"enableRateLimit": "false"},
        )
        venue = open_venue(settings, now=now)
        try:
            connected = await venue.connect()
            assert isinstance(connected, Connected), connected
            yield Opened(exchange, sim, venue, hedged, settings)
        finally:
            await venue.close()
