"""Leases: one guard at a time writes for an account, and one that lost it writes nothing."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from messages.ledger import AgedRecord, HeldBy, Lease, OrphanRecord
from storage import Ledger, StaleLease, open_ledger
from storage.engine import parse
from tests.storage import guard_process
from tests.storage.build import KEY, alert, close, event, intent, position
from tests.storage.conftest import START, Clock, OpenLedger

TERM = timedelta(seconds=15)
ACCOUNT = "bybit-main"


async def taken(ledger: Ledger, holder: str, duration: timedelta = TERM) -> Lease:
    lease = await ledger.acquire_lease(ACCOUNT, holder, duration)
    assert isinstance(lease, Lease)
    return lease


async def test_a_second_guard_learns_who_holds_the_account_and_until_when(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as first, opened() as second:
        lease = await taken(first, "one")
        assert lease == Lease(account=ACCOUNT, holder="one", token=1, expires_at=clock.time + TERM)
        held = await second.acquire_lease(ACCOUNT, "two", TERM)
        assert isinstance(held, HeldBy)
        assert held.holder == "one"
        assert abs(held.expires_at - lease.expires_at) < timedelta(seconds=5)
        assert isinstance(await second.acquire_lease("another", "two", TERM), Lease)


async def test_a_released_lease_is_free_at_once_and_its_token_is_spent(
    opened: OpenLedger,
) -> None:
    async with opened() as first, opened() as second:
        lease = await taken(first, "one")
        await first.release_lease(lease)
        await first.release_lease(lease)
        assert await first.renew_lease(lease, TERM) is None
        with pytest.raises(StaleLease):
            await first.append_event(event(), lease=lease)
        assert (await taken(second, "two")).token == 2
        await first.release_lease(lease)
        with pytest.raises(StaleLease):
            await first.append_event(event(), lease=lease)


async def test_the_same_holder_may_ask_again_after_a_lost_reply(opened: OpenLedger) -> None:
    async with opened() as ledger:
        first = await taken(ledger, "one")
        second = await taken(ledger, "one")
        assert second.token == first.token + 1
        await ledger.append_event(event(), lease=second)
        with pytest.raises(StaleLease, match="another guard has taken"):
            await ledger.append_event(event("e2"), lease=first)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - another process brings it about
            await asyncio.sleep(0.02)


async def test_an_expired_lease_is_taken_over_and_the_old_one_is_stale(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as first, opened() as second:
        old = await taken(first, "one", timedelta(seconds=0.2))
        assert await first.renew_lease(old, timedelta(seconds=0.3)) is not None

        async def over() -> bool:
            clock.advance(seconds=0.02)
            return isinstance(await second.acquire_lease(ACCOUNT, "two", TERM), Lease)

        await until(over)
        assert await first.renew_lease(old, TERM) is None
        with pytest.raises(StaleLease):
            await first.append_event(event(), lease=old)


async def test_an_expired_lease_that_nobody_took_is_still_its_holders(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        lease = await taken(ledger, "one", timedelta(0))
        clock.advance(minutes=1)
        await ledger.append_event(event(), lease=lease)
        renewed = await ledger.renew_lease(lease, TERM)
        assert renewed is not None
        assert renewed.token == lease.token


WRITES: dict[str, Callable[[Ledger, Lease], Awaitable[object]]] = {
    "add_position": lambda ledger, lease: ledger.add_position(position(), lease=lease),
    "set_held": lambda ledger, lease: ledger.set_held([1], True, event=event("h"), lease=lease),
    "set_stop": lambda ledger, lease: ledger.set_stop([1], Decimal(1), lease=lease),
    "close_rows": lambda ledger, lease: ledger.close_rows(
        [close(1)], event=event("c"), settles=[intent("settled")], lease=lease
    ),
    "commit_intent": lambda ledger, lease: ledger.commit_intent(intent(), lease=lease),
    "update_intent": lambda ledger, lease: ledger.update_intent(
        intent("known", attempt=2), lease=lease
    ),
    "append_event": lambda ledger, lease: ledger.append_event(event(), lease=lease),
    "raise_alert": lambda ledger, lease: ledger.raise_alert(alert("new"), lease=lease),
    "resolve_alert": lambda ledger, lease: ledger.resolve_alert("old", "done", lease=lease),
    "reminded_alert": lambda ledger, lease: ledger.reminded_alert(1, lease=lease),
    "bump": lambda ledger, lease: ledger.bump(ACCOUNT, {"ghosts": 1}, lease=lease),
    "save_aged": lambda ledger, lease: ledger.save_aged(
        AgedRecord(key=KEY, row_ids=(), phase="market", updated_at=START), lease=lease
    ),
    "drop_aged": lambda ledger, lease: ledger.drop_aged(KEY, lease=lease),
    "save_orphan": lambda ledger, lease: ledger.save_orphan(
        OrphanRecord(key=KEY, first_seen_at=START, action="close", acted_at=START), lease=lease
    ),
    "drop_orphan": lambda ledger, lease: ledger.drop_orphan(KEY, lease=lease),
}


async def everything(ledger: Ledger) -> tuple[object, ...]:
    return (
        await ledger.rows(),
        await ledger.intents(),
        await ledger.events(),
        await ledger.alerts(),
        await ledger.counters(),
        await ledger.aged_records(),
        await ledger.orphan_records(),
        await ledger.orphan_actions_since(ACCOUNT, START),
    )


async def test_no_write_of_any_kind_gets_past_a_stale_lease(opened: OpenLedger) -> None:
    async with opened() as ledger:
        await ledger.add_position(position())
        await ledger.commit_intent(intent("known"))
        await ledger.raise_alert(alert("old"))
        await ledger.save_aged(AgedRecord(key=KEY, row_ids=(1,), phase="grace", updated_at=START))
        await ledger.save_orphan(OrphanRecord(key=KEY, first_seen_at=START))
        stale = await taken(ledger, "one")
        fresh = await taken(ledger, "one")
        before = await everything(ledger)
        for name, write in WRITES.items():
            with pytest.raises(StaleLease):
                await write(ledger, stale)
            assert await everything(ledger) == before, name
        for name, write in WRITES.items():
            await write(ledger, fresh)
            after = await everything(ledger)
            assert after != before, name
            before = after


class Guards:
    """Guard processes of a test; whatever still runs is killed at its end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, holder: str, seconds: float = 1.5) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", guard_process.__name__, self.url, holder, str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def guards(url: str) -> Iterator[Guards]:
    made = Guards(url)
    yield made
    made.end()


def heard(process: subprocess.Popen[str], word: str) -> str:
    """Read a guard's lines up to the first that begins with this word."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return line.split()[1]
    raise AssertionError(f"the guard ended without saying {word!r}")


async def paused(process: subprocess.Popen[str], url: str) -> None:
    """Stop a guard between two writes: in the middle of one it would keep the database locked."""
    engine = create_async_engine(parse(url))
    sqlite = engine.dialect.name == "sqlite"
    probe = "BEGIN IMMEDIATE" if sqlite else "SELECT token FROM leases FOR UPDATE NOWAIT"

    async def free() -> bool:
        process.send_signal(signal.SIGSTOP)
        try:
            async with engine.connect() as connection:
                if sqlite:
                    await connection.exec_driver_sql("PRAGMA busy_timeout = 0")
                await connection.exec_driver_sql(probe)
        except sa.exc.OperationalError:
            process.send_signal(signal.SIGCONT)
            return False
        return True

    await until(free)
    await engine.dispose()


async def tokens(url: str) -> list[int]:
    """The tokens under which events were written, in the order of the trail."""
    async with await open_ledger(url, now=guard_process.now) as ledger:
        return [int(found.kind) for found in await ledger.events(limit=100_000)]


async def test_a_guard_that_is_killed_is_replaced_within_the_lease_time(
    guards: Guards, url: str
) -> None:
    first = guards.start("one")
    heard(first, "wrote")
    second = guards.start("two")
    assert heard(second, "waits") == "one"
    first.kill()
    first.wait()
    killed_at = guard_process.now()
    assert heard(second, "held") == "2"
    assert guard_process.now() - killed_at < timedelta(seconds=3)
    heard(second, "wrote")
    written = await tokens(url)
    assert written == sorted(written)
    assert set(written) == {1, 2}


async def test_a_guard_that_was_paused_past_its_lease_wakes_up_and_writes_nothing(
    guards: Guards, url: str
) -> None:
    first = guards.start("one")
    heard(first, "wrote")
    await paused(first, url)
    second = guards.start("two")
    assert heard(second, "held") == "2"
    heard(second, "wrote")
    first.send_signal(signal.SIGCONT)
    heard(first, "stale")
    assert first.wait(timeout=20) == 0
    heard(second, "wrote")
    written = await tokens(url)
    assert written == sorted(written)
    assert set(written) == {1, 2}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_with_sqlite_a_dead_holder_is_replaced_at_once_and_a_live_one_is_not(
    guards: Guards, url: str
) -> None:
    first = guards.start("one", 3600)
    heard(first, "wrote")
    second = guards.start("two", 3600)
    assert heard(second, "waits") == "one"
    first.kill()
    first.wait()
    assert heard(second, "held") == "2"
    third = guards.start("three", 3600)
    assert heard(third, "waits") == "two"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_paused_holders_late_death_says_nothing_about_its_successor(
    guards: Guards, url: str
) -> None:
    first = guards.start("one", 0.5)
    heard(first, "wrote")
    await paused(first, url)
    second = guards.start("two", 3600)
    assert heard(second, "held") == "2"
    first.kill()
    first.wait()
    third = guards.start("three", 3600)
    assert heard(third, "waits") == "two"
    heard(second, "wrote")
