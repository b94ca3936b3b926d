"""Scenario 6.10: two guards on one PostgreSQL. One guards; when it goes, the other takes over."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from multiprocessing.process import BaseProcess
from pathlib import Path

import ccxt.async_support  # noqa: F401  # imported once, before guards are forked
import msgspec
import pytest

from messages.ledger import NewPosition, PositionRow
from messages.settings import Settings
from messages.values import Secret, Side
from simulator.server import SimulatedVenue
from storage import Ledger, open_ledger
from tests.chaos.guard_process import start_guard
from tests.scenarios.world import ago, now, settings_for, until

XRP = "XRP/USDT:USDT"
ACCOUNT = "bybit-main"
LEASE = timedelta(seconds=2)

pytestmark = pytest.mark.timeout(120)


class Pair:
    """Two guards, one ledger, one venue."""

    def __init__(self, venue: SimulatedVenue, ledger: Ledger, url: str, folder: Path) -> None:
        self.venue = venue
        self.ledger = ledger
        self._url = url
        self._folder = folder

    def start(self, name: str) -> BaseProcess:
        folder = self._folder / name
        folder.mkdir()
        return start_guard(self._settings(folder), sites=folder / "sites")

    def says(self, name: str, words: str) -> bool:
        log = self._folder / name / "guard.log"
        return log.exists() and words in log.read_text(encoding="utf-8")

    def _settings(self, folder: Path) -> Settings:
        settings = settings_for(folder, self.venue, (ACCOUNT,))
        return msgspec.structs.replace(
            settings,
            storage=msgspec.structs.replace(settings.storage, url=Secret(self._url), lease=LEASE),
            aged=msgspec.structs.replace(settings.aged, scan_every=timedelta(seconds=0.5)),
            orders=msgspec.structs.replace(settings.orders, arrival_limit=timedelta(seconds=2)),
        )

    async def due(self) -> PositionRow:
        """A position that must be closed at once, at the venue and in the ledger."""
        price = self.venue.market.price(self.venue.market.accounts[ACCOUNT].exchange, XRP)
        self.venue.market.open_position(ACCOUNT, XRP, Side.LONG, Decimal(10), price, ago(40))
        return await self.ledger.add_position(
            NewPosition(
                account=ACCOUNT,
                symbol=XRP,
                side=Side.LONG,
                quantity=Decimal(10),
                entry_price=price * 2,
                opened_at=ago(40),
            )
        )

    async def closed(self, row: PositionRow) -> None:
        async def is_closed() -> bool:
            found = await self.ledger.row(row.id)
            return found is not None and found.status == "closed"

        await until(is_closed, f"row {row.id} is closed", 30)

    def orders(self) -> int:
        return len(self.venue.requests.orders(ACCOUNT))


@asynccontextmanager
async def pair(tmp_path: Path, url: str) -> AsyncIterator[Pair]:
    async with SimulatedVenue(seed=3, volatility=0) as venue:
        ledger = await open_ledger(Secret(url), now=now)
        try:
            yield Pair(venue, ledger, url, tmp_path)
        finally:
            await ledger.close()


async def gone(process: BaseProcess) -> None:
    await until(lambda: not process.is_alive(), "the guard is gone", 30)


def test_the_second_guard_waits_and_takes_over_when_the_first_is_killed(
    tmp_path: Path, shared_ledger: str
) -> None:
    async def story() -> None:
        async with pair(tmp_path, shared_ledger) as guards:
            first = guards.start("first")
            await until(lambda: guards.says("first", "Guarding bybit-main"), "the first guards")
            second = guards.start("second")
            await until(lambda: guards.says("second", "waiting for it"), "the second waits")
            await guards.closed(await guards.due())
            assert guards.orders() == 1
            assert not guards.says("second", "Guarding bybit-main")
            assert first.pid is not None
            os.kill(first.pid, signal.SIGKILL)
            row = await guards.due()
            await guards.closed(row)
            assert guards.says("second", "Guarding bybit-main")
            assert guards.orders() == 2
            second.terminate()
            await gone(second)

    asyncio.run(story())


def test_a_guard_that_was_paused_and_lost_its_lease_sends_and_writes_nothing_more(
    tmp_path: Path, shared_ledger: str
) -> None:
    async def story() -> None:
        async with pair(tmp_path, shared_ledger) as guards:
            first = guards.start("first")
            await until(lambda: guards.says("first", "Guarding bybit-main"), "the first guards")
            assert first.pid is not None
            os.kill(first.pid, signal.SIGSTOP)
            second = guards.start("second")
            await guards.closed(await guards.due())
            assert guards.says("second", "Guarding bybit-main")
            os.kill(first.pid, signal.SIGCONT)
            await until(lambda: guards.says("first", "was lost"), "the first knows that it lost")
            await guards.closed(await guards.due())
            assert guards.orders() == 2
            intents = await guards.ledger.intents(account=ACCOUNT)
            assert [i.filled for i in intents] == [Decimal(10), Decimal(10)]
            for process in (first, second):
                process.terminate()
                await gone(process)

    asyncio.run(story())


def test_a_guard_that_stops_in_order_hands_over_at_once(tmp_path: Path, shared_ledger: str) -> None:
    async def story() -> None:
        async with pair(tmp_path, shared_ledger) as guards:
            first = guards.start("first")
            await until(lambda: guards.says("first", "Guarding bybit-main"), "the first guards")
            second = guards.start("second")
            await until(lambda: guards.says("second", "waiting for it"), "the second waits")
            first.terminate()
            await gone(first)
            await guards.closed(await guards.due())
            second.terminate()
            await gone(second)
            assert guards.orders() == 1

    asyncio.run(story())
