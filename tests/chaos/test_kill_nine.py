"""Scenario 6.2: `kill -9` at every await of a close ends with one close, one row, the right PnL.

The venue lives in this process and outlives every guard; each guard is a real process. A first,
undisturbed close shows where the path waits; then one guard dies at each of those places, and
another one takes over.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import ccxt.async_support  # noqa: F401  # imported once, before guards are forked
import msgspec
import pytest

from messages.ledger import NewPosition, PositionRow
from messages.settings import Settings
from messages.values import Secret, Side
from simulator.server import SimulatedVenue
from storage import open_ledger
from tests.chaos.guard_process import start_guard
from tests.scenarios.world import ago, now, settings_for, until

XRP = "XRP/USDT:USDT"
ACCOUNT = "bybit-main"
QUANTITY = Decimal(10)
ATTEMPTS = 3
"""A guard may close its row and never come by a site: reconciliation, say, was first."""


@dataclass
class Outcome:
    """What stands after the last guard has gone."""

    rows: tuple[PositionRow, ...]
    orders: int
    fills: Decimal
    held: Decimal
    states: list[str]
    killed: bool


async def one_close(
    tmp_path: Path, name: str, kill_at: str | None, sites: Path, opening: asyncio.Lock
) -> Outcome:
    """A leg that is due, a guard that may die on the way, and a second one that must not."""
    folder = tmp_path / name
    folder.mkdir()
    async with SimulatedVenue(seed=3, volatility=0) as venue:
        settings = prepared(folder, venue)
        # Alembic keeps its context in globals: two migrations of one process must not overlap.
        async with opening:
            ledger = await open_ledger(settings.storage.url, now=now, data_dir=folder)
        price = venue.market.price(venue.market.accounts[ACCOUNT].exchange, XRP)
        venue.market.open_position(ACCOUNT, XRP, Side.LONG, QUANTITY, price, ago(40))
        row = await ledger.add_position(
            NewPosition(
                account=ACCOUNT,
                symbol=XRP,
                side=Side.LONG,
                quantity=QUANTITY,
                entry_price=price * 2,
                opened_at=ago(40),
            )
        )

        async def closed() -> bool:
            found = await ledger.row(row.id)
            return found is not None and found.status == "closed"

        try:
            killed = False
            if kill_at is not None:
                first = start_guard(settings, sites=folder / "first", kill_at=kill_at)

                async def over() -> bool:
                    return not first.is_alive() or await closed()

                await until(over, f"the guard dies at {kill_at}, or closes the row", 40)
                # Some sites come after the row is closed.
                with suppress(AssertionError):
                    await until(lambda: not first.is_alive(), "the guard dies", 2)
                first.terminate()
                await until(lambda: not first.is_alive(), f"the guard ends after {kill_at}", 30)
                killed = first.exitcode == -9
            second = start_guard(settings, sites=sites)

            await until(closed, f"the row is closed after dying at {kill_at}", 40)
            second.terminate()
            await until(lambda: not second.is_alive(), "the second guard stops", 30)
            intents = await ledger.intents(account=ACCOUNT)
            return Outcome(
                rows=await ledger.rows(),
                orders=len(venue.requests.orders(ACCOUNT)),
                fills=sum((i.filled for i in intents), Decimal(0)),
                held=venue.market.quantity(ACCOUNT, XRP, Side.LONG),
                states=[i.state for i in intents],
                killed=killed,
            )
        finally:
            await ledger.close()


def prepared(folder: Path, venue: SimulatedVenue) -> Settings:
    settings = settings_for(folder, venue, (ACCOUNT,))
    return msgspec.structs.replace(
        settings,
        storage=msgspec.structs.replace(
            settings.storage,
            url=Secret(f"sqlite:///{folder}/sexton.db"),
            lease=timedelta(seconds=1),
        ),
        # Each verdict takes its own read, however fast the machine is: the same path each time.
        verdict=msgspec.structs.replace(settings.verdict, fresh=timedelta(0)),
        orders=msgspec.structs.replace(
            settings.orders, arrival_limit=timedelta(seconds=2), fill_wait=timedelta(seconds=1)
        ),
    )


def stands(outcome: Outcome) -> None:
    """One close, one row, right quantity and PnL, and no order of ours in doubt."""
    (row,) = outcome.rows
    assert row.status == "closed"
    assert row.exit_reason == "aged_close_market"
    assert row.exit_source == "fill"
    assert outcome.fills == QUANTITY
    assert outcome.held == 0
    assert outcome.orders == 1, outcome.states
    assert set(outcome.states) <= {"done", "never_arrived"}
    assert outcome.states.count("done") == 1
    assert row.exit_price is not None
    assert row.entry_price is not None
    assert row.realized_pnl is not None
    gross = (row.exit_price - row.entry_price) * QUANTITY
    assert gross - abs(gross) / 100 < row.realized_pnl < gross


def test_a_close_survives_kill_nine_at_every_await(tmp_path: Path) -> None:
    async def all_sites() -> None:
        opening, found = asyncio.Lock(), list[str]()
        for attempt in range(ATTEMPTS):
            sites = tmp_path / f"sites{attempt}"
            stands(await one_close(tmp_path, f"undisturbed{attempt}", None, sites, opening))
            # Where reconciliation was first, the leg's own closing of its rows was not met.
            found += [site for site in sites.read_text().split("\n")[:-1] if site not in found]
            if any("_close_rows" in site for site in found):
                break
        assert len(found) > 15, found
        failures: list[str] = []
        gate = asyncio.Semaphore(4)

        async def die_at(number: int, site: str) -> None:
            async with gate:
                for attempt in range(ATTEMPTS):
                    name = f"{number}-{attempt}"
                    outcome = await one_close(tmp_path, name, site, tmp_path / f"s{name}", opening)
                    if outcome.killed:
                        break
                assert outcome.killed, f"the guard did not die at {site}"
                try:
                    stands(outcome)
                except AssertionError as error:
                    failures.append(f"{site}: {error}")

        async with asyncio.TaskGroup() as group:
            for number, site in enumerate(found):
                group.create_task(die_at(number, site))
        assert failures == []

    asyncio.run(all_sites())


pytestmark = pytest.mark.timeout(400)
