"""A guard that serves its page on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
from aiohttp import ClientResponse, ClientSession

from console.service.run import Running, serving, utc_now
from messages.ledger import NewPosition
from messages.settings import ControlSettings, OrphanSettings
from messages.values import Side
from simulator.instruments import Exchange
from simulator.server import SimulatedVenue
from storage import open_ledger
from tests.scenarios.world import BTC, ETH, settings_for, until

SIZE = Decimal("0.5")


class Site:
    """A running guard, its venue and a browser without a screen."""

    def __init__(self, running: Running, venue: SimulatedVenue, session: ClientSession) -> None:
        self.running = running
        self.venue = venue
        self.session = session

    @property
    def url(self) -> str:
        return f"http://{self.running.system.dump('metrics')['state']['address']}"

    async def get(self, path: str, **more: str) -> tuple[ClientResponse, str]:
        async with self.session.get(f"{self.url}{path}", headers=more) as answer:
            return answer, await answer.text()

    async def is_ready(self) -> bool:
        return (await self.get("/readyz"))[0].status == 200

    async def metrics_with(self, line: str) -> str:
        """The metrics, once they have this line."""
        text = ""

        async def has_it() -> bool:
            nonlocal text
            text = (await self.get("/metrics"))[1]
            return line in text.splitlines()

        await until(has_it, line)
        return text


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    """One account: a position that ledger and venue agree on, and an orphan."""
    async with SimulatedVenue(seed=7) as venue, ClientSession() as session:
        settings = msgspec.structs.replace(
            settings_for(folder, venue, ("bybit-main",)),
            control=ControlSettings(socket=folder / "s.sock", http="127.0.0.1:0"),
            orphans=OrphanSettings(every=timedelta(seconds=1)),
        )
        opened = datetime.now(UTC) - timedelta(hours=1)
        price = venue.market.price(Exchange.BYBIT, BTC)
        venue.market.open_position(
            "bybit-main", BTC, Side.LONG, SIZE, price, opened, stop_loss=price * Decimal("0.95")
        )
        venue.market.open_position("bybit-main", ETH, Side.SHORT, Decimal(2), Decimal(2500), opened)
        row = NewPosition(
            account="bybit-main",
            symbol=BTC,
            side=Side.LONG,
            quantity=SIZE,
            entry_price=price,
            opened_at=opened,
        )
        async with await open_ledger(settings.storage.url, now=utc_now) as ledger:
            if not await ledger.active_rows():
                await ledger.add_position(row)
        async with serving(settings) as running:
            found = Site(running, venue, session)
            await until(found.is_ready, "the guard is ready")
            yield found
