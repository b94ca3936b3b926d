"""Writes that come together share a transaction, and each asker has an answer of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from messages.ledger import AgedRecord, Intent, Lease
from messages.values import LegKey, Side
from storage import Ledger, LedgerUnavailable, StaleLease, StatementRefused, open_ledger
from tests.storage import wave_process
from tests.storage.build import event, intent
from tests.storage.conftest import START, Clock, OpenLedger
from tests.storage.statements import Statements

MINUTE = timedelta(minutes=1)


async def lease_of(ledger: Ledger, account: str) -> Lease:
    taken = await ledger.acquire_lease(account, "me", MINUTE)
    assert isinstance(taken, Lease)
    return taken


async def ids(ledger: Ledger) -> set[str]:
    return {it.client_order_id for it in await ledger.intents()}


async def test_what_comes_together_is_one_transaction_with_every_lease_checked_and_intents_first(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        lease = await lease_of(ledger, "bybit-main")
        heard = Statements(ledger)
        answers = await asyncio.gather(
            *(ledger.append_event(event(f"e{n}"), lease=lease) for n in range(20)),
            *(ledger.commit_intent(intent(f"i{n}"), lease=lease) for n in range(20)),
        )
        assert heard.commits == 1
        assert len(heard.naming("FROM leases")) == 40
        inserts = heard.naming("INSERT")
        assert ["intents" in line for line in inserts] == [True] * 20 + [False] * 20
        found = [it.client_order_id for it in answers if isinstance(it, Intent)]
        assert found == [f"i{n}" for n in range(20)]
        assert len(await ledger.events()) == 20


async def test_an_intent_waits_for_no_more_than_one_transaction_of_a_round(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        round_ = [asyncio.create_task(ledger.append_event(event(f"e{n}"))) for n in range(300)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await ledger.commit_intent(intent())
        assert sum(task.done() for task in round_) <= 50
        await asyncio.gather(*round_)
        assert len(await ledger.events(limit=1000)) == 300


async def refused(ledger: Ledger) -> None:
    record = AgedRecord(
        key=LegKey("bybit-main", "X", Side.LONG), row_ids=(), phase="", attempts=2**70,
        updated_at=START,
    )  # fmt: skip
    await ledger.save_aged(record)


async def bug(ledger: Ledger) -> None:
    await ledger.update_intent(intent("never committed"))


@pytest.mark.parametrize(("fails", "error"), [(refused, StatementRefused), (bug, LookupError)])
@pytest.mark.parametrize("at", [0, 4, 9])
async def test_one_failing_write_among_ten_fails_alone(
    opened: OpenLedger,
    fails: Callable[[Ledger], Awaitable[object]],
    error: type[Exception],
    at: int,
) -> None:
    async with opened() as ledger:
        heard = Statements(ledger)
        answers = await asyncio.gather(
            *(fails(ledger) if n == at else ledger.append_event(event(f"e{n}")) for n in range(10)),
            ledger.bump("bybit-main", {"closes": 1}),
            return_exceptions=True,
        )
        assert heard.commits == 1
        assert [type(it) for it in answers if isinstance(it, Exception)] == [error]
        assert isinstance(answers[at], error)
        assert {it.event_id for it in await ledger.events()} == {
            f"e{n}" for n in range(10) if n != at
        }
        assert await ledger.counters() == {"bybit-main": {"closes": 1}}


async def test_a_lease_that_is_lost_in_mid_batch_fails_all_of_its_account_and_no_other(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger, opened() as other:
        leases = {f"a{n}": await lease_of(ledger, f"a{n}") for n in range(3)}
        held = ledger.append_event(event("e0", account="a0"), lease=leases["a0"])
        busy = asyncio.create_task(held)
        await ledger.release_lease(leases["a1"])
        assert isinstance(await other.acquire_lease("a1", "another", MINUTE), Lease)
        answers = await asyncio.gather(
            *(
                ledger.commit_intent(
                    intent(f"{account}-{n}", key=LegKey(account, f"C{n}", Side.LONG)), lease=lease
                )
                for n in range(5)
                for account, lease in leases.items()
            ),
            return_exceptions=True,
        )
        await busy
        assert [isinstance(it, StaleLease) for it in answers] == [False, True, False] * 5
        expected = {f"{account}-{n}" for account in ("a0", "a2") for n in range(5)}
        assert await ids(ledger) == expected


async def test_nobody_is_answered_before_the_commit(opened: OpenLedger) -> None:
    committing: list[int] = []
    answered: list[int] = []
    async with opened() as ledger:

        async def write(number: int) -> None:
            await ledger.commit_intent(intent(f"{number}"))
            answered.append(number)

        engine = ledger._db.engines.write.sync_engine
        sa.event.listen(engine, "commit", lambda _: committing.append(len(answered)))
        await asyncio.gather(*(write(number) for number in range(10)))
    assert committing == [0]
    assert sorted(answered) == list(range(10))


async def test_a_connection_that_is_lost_in_mid_batch_has_written_nothing_for_anybody(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        lost = False

        def lose(*call: Any) -> None:
            nonlocal lost
            lost = lost or "fifth" in str(call[3])
            if lost:
                raise OSError(104, "Connection reset by peer")

        engine = ledger._db.engines.write.sync_engine
        sa.event.listen(engine, "before_cursor_execute", lose)
        names = ("first", "second", "third", "fourth", "fifth", "sixth")
        writes = [ledger.commit_intent(intent(name)) for name in names]
        answers = await asyncio.gather(*writes, return_exceptions=True)
        sa.event.remove(engine, "before_cursor_execute", lose)
        assert all(isinstance(it, LedgerUnavailable) for it in answers)
        assert await ids(ledger) == set()
        await asyncio.gather(*(ledger.commit_intent(intent(name)) for name in names))
        assert await ids(ledger) == set(names)


async def test_a_statement_that_ends_the_transaction_costs_the_others_nothing(
    tmp_path: Path, clock: Clock
) -> None:
    """A bot's own trigger may roll the whole transaction back, savepoints and all."""
    async with await open_ledger(f"sqlite:///{tmp_path}/l.db", now=clock) as ledger:
        async with ledger._db.engines.write.begin() as connection:
            await connection.exec_driver_sql(
                "CREATE TRIGGER no BEFORE INSERT ON events WHEN new.event_id = 'e4'"
                " BEGIN SELECT raise(ROLLBACK, 'not here'); END"
            )
        answers = await asyncio.gather(
            *(ledger.append_event(event(f"e{n}")) for n in range(10)), return_exceptions=True
        )
        failed = [n for n, it in enumerate(answers) if isinstance(it, Exception)]
        assert failed == [4]
        assert isinstance(answers[4], StatementRefused)
        assert len(await ledger.events()) == 9


async def test_what_waits_when_the_ledger_closes_is_written(opened: OpenLedger) -> None:
    async with opened() as ledger:
        writes = [asyncio.create_task(ledger.append_event(event(f"e{n}"))) for n in range(250)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*writes)) == 250
    async with opened() as ledger:
        assert len(await ledger.events(limit=1000)) == 250


async def test_an_asker_that_is_cancelled_takes_no_other_with_it(opened: OpenLedger) -> None:
    async with opened() as ledger:
        writes = [asyncio.create_task(ledger.append_event(event(f"e{n}"))) for n in range(10)]
        reads = [asyncio.create_task(ledger.active_rows("bybit-main")) for _ in range(10)]
        await asyncio.sleep(0)
        writes[3].cancel()
        reads[3].cancel()
        answers = await asyncio.gather(*writes, *reads, return_exceptions=True)
        failed = [n for n, it in enumerate(answers) if isinstance(it, BaseException)]
        assert failed == [3, 13]
        assert len(await ledger.events()) == 10


@pytest.mark.parametrize("after", [1, 120, 401])
async def test_after_a_kill_whoever_was_answered_finds_what_was_written(
    url: str, clock: Clock, after: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", wave_process.__name__, url,
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    answered = [await process.stdout.readline() for _ in range(after)]
    process.kill()
    answered += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    told = {line.decode().strip() for line in answered if line.endswith(b"\n")}
    async with await open_ledger(url, now=clock) as ledger:
        stored = await ids(ledger)
    assert len(told) >= after
    assert told <= stored
    # All of a transaction or nothing of it.
    assert len(stored) % wave_process.TOGETHER == 0
