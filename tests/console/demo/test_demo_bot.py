"""The demo's bot: what it draws is repeatable, and its trouble is real trouble of the market."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from console.demo.bot import DemoBot, Habit
from messages.values import Secret
from simulator import Market, demo_market
from storage import open_ledger

NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)


def now() -> datetime:
    return NOW


async def traded(folder: Path, seed: int) -> tuple[Market, DemoBot, list[tuple[str, ...]]]:
    """A bot that has used up all symbols, and the rows that it wrote."""
    database = folder / f"{random.getrandbits(40)}.db"
    ledger = await open_ledger(Secret(f"sqlite:///{database}"), now=now)
    await ledger.close()
    market = demo_market(now, seed, volatility=0)
    bot = DemoBot(market, database, now=now, seed=seed)
    await bot.trade(until=lambda: False, pace=0.0)
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT account, symbol, side, quantity, entry_price, opened_at, status FROM positions"
            " ORDER BY account, symbol"
        ).fetchall()
    return market, bot, rows


def open_legs(market: Market) -> Iterator[tuple[str, str]]:
    for account in market.accounts.values():
        for position in account.positions.values():
            if position.size:
                yield account.name, position.listing.instrument.symbol


def test_the_same_seed_makes_the_same_trouble_and_another_seed_makes_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        _, first, rows = await traded(tmp_path, 1)
        _, second, again = await traded(tmp_path, 1)
        _, _, others = await traded(tmp_path, 2)
        assert rows == again
        assert first.did == second.did
        assert rows != others

    asyncio.run(scenario())


def test_every_habit_shows_and_leaves_ledger_and_market_in_disagreement(tmp_path: Path) -> None:
    market, bot, rows = asyncio.run(traded(tmp_path, 3))
    assert set(bot.did) == set(Habit)
    believed = {(row[0], row[1]) for row in rows}
    held = {(name, symbol.partition(":")[0].replace("/", "")) for name, symbol in open_legs(market)}
    assert len(held - believed) == bot.did[Habit.FORGOT_ROW]
    assert len(believed - held) == bot.did[Habit.CLOSED_BY_HAND]
    ages = [NOW - datetime.fromisoformat(row[5]) for row in rows]
    aged = [age for age in ages if age.total_seconds() > 3 * 3600]
    assert len(aged) == sum(bot.did[habit] for habit in Habit if habit.startswith("aged"))
