"""The real ledger runs under the simulated loop, and the same seed gives the same history."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import aiosqlite.core
import detangle
import pytest

from messages.ledger import EventDraft, Intent, NewPosition
from messages.values import LegKey, Side
from messages.venue import OrderType
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


async def _killed_in_mid_write(folder: Path) -> None:
    """Writers that are killed at a drawn moment leave an intent with its event, or neither."""
    url = f"sqlite:///{tempfile.mkdtemp(dir=folder)}/ledger.db"
    async with await open_ledger(url, now=virtual_now) as ledger:

        async def write(number: int) -> None:
            intent = Intent(
                client_order_id=f"{number}",
                key=LegKey("sim", "BTC/USDT:USDT", Side.LONG),
                purpose="close",
                row_ids=(),
                attempt=1,
                type=OrderType.MARKET,
                quantity=Decimal(1),
                seen_quantity=Decimal(1),
                created_at=virtual_now(),
            )
            event = EventDraft(event_id=f"{number}", at=virtual_now(), kind="intent")
            with suppress(TimeoutError):
                await detangle.maybe_timeout(ledger.commit_intent(intent, event=event))

        await asyncio.gather(*map(write, range(4)))
    # Closing waits for what a killed writer left under way; now it is all in, or not.
    async with await open_ledger(url, now=virtual_now) as ledger:
        intents = {intent.client_order_id for intent in await ledger.intents()}
        events = {event.event_id for event in await ledger.events()}
        assert events == intents


def test_whatever_moment_a_writer_is_killed_at_a_transaction_is_whole(
    tmp_path: Path,
) -> None:
    with aiosqlite_on_loop():
        stats = detangle.explore(
            partial(_killed_in_mid_write, tmp_path), runs=25, seed=7, database=False
        )
    assert stats.distinct_schedules > 20


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
