"""The real ledger runs under the simulated loop, and the same seed gives the same history."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import aiosqlite.core
import detangle
import pytest

from messages.ledger import EventDraft, NewPosition
from messages.values import Side
from storage import open_ledger
from tests.simulation.sqlite_on_loop import aiosqlite_on_loop

START = datetime(2026, 1, 1, tzinfo=UTC)


def virtual_now() -> datetime:
    return START + timedelta(seconds=detangle.now())


async def _three_writers(url: str) -> tuple[list[str], str]:
    """Three tasks that write at once. Returns the order of their events, and a row's stamp."""
    async with await open_ledger(url, now=virtual_now) as ledger:

        async def writer(name: str) -> None:
            for number in range(4):
                await ledger.append_event(
                    EventDraft(event_id=f"{name}{number}", at=virtual_now(), kind="tick")
                )
                await ledger.events()

        await asyncio.gather(*map(writer, "abc"))
        row = await ledger.add_position(
            NewPosition(
                account="sim",
                symbol="BTCUSDT",
                side=Side.LONG,
                quantity=Decimal(1),
                entry_price=Decimal(100),
                opened_at=START,
            )
        )
        await ledger.set_stop([row.id], Decimal(90))
        stored = await ledger.row(row.id)
        assert stored is not None
        return [event.event_id for event in await ledger.events()], str(stored.updated_at)


@pytest.mark.parametrize("place", ["memory", "file"])
def test_the_ledger_runs_in_virtual_time_and_a_seed_repeats_its_history(
    place: str, tmp_path: Path
) -> None:
    histories = []
    with aiosqlite_on_loop():
        for turn, seed in enumerate((1, 1, 2, 3)):
            url = "sqlite://" if place == "memory" else f"sqlite:///{tmp_path}/{turn}.db"
            histories.append(detangle.run(partial(_three_writers, url), seed=seed))
    first, again, *others = histories
    assert first == again
    assert sorted(first[0]) == sorted(f"{name}{number}" for name in "abc" for number in range(4))
    assert any(other != first for other in others)
    assert first[1].startswith("2026-01-01 00:00")


def test_no_thread_is_started_while_sqlite_runs_on_the_loop(tmp_path: Path) -> None:
    seen: list[int] = []

    async def main() -> None:
        before = threading.active_count()
        async with await open_ledger(f"sqlite:///{tmp_path}/t.db", now=virtual_now) as ledger:
            await ledger.events()
            seen.append(threading.active_count() - before)

    with aiosqlite_on_loop():
        detangle.run(main)
    assert seen == [0]


def test_aiosqlite_is_as_it_was_afterwards() -> None:
    core = vars(aiosqlite.core)
    before = core["SimpleQueue"], core["Thread"]
    with aiosqlite_on_loop():
        assert core["SimpleQueue"] is not before[0]
        assert core["Thread"] is not before[1]
    assert (core["SimpleQueue"], core["Thread"]) == before
