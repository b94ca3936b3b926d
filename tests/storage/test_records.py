"""Aged legs, orphans, counters and retention: what outlives an incarnation, and for how long."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from messages.ledger import AgedRecord, Event, OrphanRecord
from messages.values import LegKey, Side
from storage import StatementRefused
from tests.storage.build import KEY, alert, event
from tests.storage.conftest import START, Clock, OpenLedger

OTHER = LegKey("binance", "ETH/USDT:USDT", Side.SHORT)


async def test_an_aged_legs_tries_and_needs_are_kept_until_it_is_dropped(
    opened: OpenLedger,
) -> None:
    first = AgedRecord(key=KEY, row_ids=(1,), phase="grace", updated_at=START)
    later = AgedRecord(
        key=KEY,
        row_ids=(1, 2),
        phase="market",
        attempts=4,
        operator_needed="not tradable",
        updated_at=START + timedelta(hours=1),
    )
    other = AgedRecord(key=OTHER, row_ids=(3,), phase="grace", updated_at=START)
    async with opened() as ledger:
        for record in (first, later, other):
            await ledger.save_aged(record)
    async with opened() as ledger:
        assert await ledger.aged_record(KEY) == later
        assert await ledger.aged_records() == (other, later)
        assert await ledger.aged_records("binance") == (other,)
        await ledger.drop_aged(KEY)
        assert await ledger.aged_record(KEY) is None
        assert await ledger.aged_records() == (other,)


async def test_what_was_done_about_orphans_stays_counted_when_they_are_gone(
    opened: OpenLedger,
) -> None:
    seen = OrphanRecord(key=KEY, first_seen_at=START)
    acted = OrphanRecord(
        key=KEY, first_seen_at=START, action="close", acted_at=START + timedelta(minutes=1)
    )
    async with opened() as ledger:
        await ledger.save_orphan(seen)
        assert await ledger.orphan_record(KEY) == seen
        await ledger.save_orphan(acted)
        await ledger.save_orphan(acted)
        assert await ledger.orphan_records("bybit-main") == (acted,)
        assert await ledger.orphan_records("binance") == ()
        await ledger.drop_orphan(KEY)
        assert await ledger.orphan_record(KEY) is None
        minute = timedelta(minutes=1)
        assert await ledger.orphan_actions_since("bybit-main", START + minute) == 1
        assert await ledger.orphan_actions_since("bybit-main", START + 2 * minute) == 0
        assert await ledger.orphan_actions_since("binance", START) == 0


async def test_counters_add_up_under_concurrent_writers(opened: OpenLedger) -> None:
    async with opened() as ledger, opened() as second:
        await asyncio.gather(
            *(
                (ledger, second)[n % 2].bump("bybit-main", {"ghosts": 1, "closes": 2})
                for n in range(10)
            ),
            ledger.bump("binance", {"ghosts": 5}),
        )
        assert await second.counters() == {
            "binance": {"ghosts": 5},
            "bybit-main": {"closes": 20, "ghosts": 10},
        }


async def test_old_events_are_on_the_disk_before_they_leave_the_ledger(
    opened: OpenLedger, tmp_path: Path
) -> None:
    day = timedelta(days=1)
    drafts = [event(f"e{n}", at=START + n * day) for n in range(5)]
    file = tmp_path / "events.jsonl"
    async with opened() as ledger:
        written = await ledger.append_events(drafts)
        assert await ledger.prune(START + 2 * day, file) == 2
        assert await ledger.prune(START + 3 * day, file) == 1
        assert await ledger.events() == written[3:]
        fresh = await ledger.append_event(event("after"))
        assert fresh.seq > written[-1].seq
    lines = file.read_bytes().splitlines()
    assert tuple(msgspec.json.decode(line, type=Event) for line in lines) == written[:3]


async def test_an_export_that_cannot_be_written_removes_nothing(
    opened: OpenLedger, tmp_path: Path
) -> None:
    async with opened() as ledger:
        kept = await ledger.append_event(event())
        with pytest.raises(OSError, match="missing"):
            await ledger.prune(START + timedelta(days=1), tmp_path / "missing" / "file")
        assert await ledger.events() == (kept,)


async def test_retention_leaves_alone_what_is_open_or_not_yet_delivered(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        still_open = (await ledger.raise_alert(alert("open"))).alert
        await ledger.raise_alert(alert("settled", lasting=False))
        ledger.use_channels(["mail"])
        unsent = (await ledger.raise_alert(alert("unsent", lasting=False))).alert
        clock.advance(days=90)
        await ledger.prune(clock.time)
        assert [one.id for one in await ledger.alerts()] == [unsent.id, still_open.id]
        assert len(await ledger.pending_deliveries()) == 1


async def test_what_the_database_does_not_take_is_told_in_the_ledgers_own_words(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        with pytest.raises(StatementRefused, match=r"refuses a statement: .*(large|range)"):
            await ledger.bump("bybit-main", {"closes": 2**70})
        assert await ledger.counters() == {}
