"""Reads that come together share a query, and none shows less than its asker may expect."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import sqlalchemy as sa

from messages.ledger import AgedRecord
from messages.to_ledger import (
    ActiveRows,
    AppendEvent,
    CommitIntent,
    FindEvents,
    FindIntents,
    GetLedgerId,
    ReadAged,
    SaveAged,
    UpdateIntent,
)
from messages.values import LegKey, Side
from tests.storage.build import event, intent, position
from tests.storage.conftest import START, Clock, OpenLedger
from tests.storage.statements import Statements
from tests.storage.test_ledger_actor import actor


def leg(number: int) -> LegKey:
    return LegKey("bybit-main", f"C{number}/USDT:USDT", Side.LONG)


def aged(number: int, phase: str = "") -> AgedRecord:
    return AgedRecord(key=leg(number), row_ids=(number,), phase=phase, updated_at=START)


async def test_fifty_legs_that_ask_at_once_ask_the_database_once(opened: OpenLedger) -> None:
    async with opened() as ledger:
        row = await ledger.add_position(position())
        for number in range(50):
            await ledger.save_aged(aged(number))
            await ledger.commit_intent(intent(f"i{number}", key=leg(number)))
        heard = Statements(ledger)

        async def look(number: int) -> None:
            assert await ledger.active_rows("bybit-main") == (row,)
            assert await ledger.active_rows("another") == ()
            record = await ledger.aged_record(leg(number))
            assert record is not None
            assert record.row_ids == (number,)
            assert await ledger.aged_record(leg(number + 100)) is None
            (mine,) = await ledger.intents(key=leg(number), open_only=True)
            assert mine.client_order_id == f"i{number}"
            assert await ledger.intents(key=leg(number + 100)) == ()

        await asyncio.gather(*(look(number) for number in range(50)))
        assert len(heard.naming("FROM positions")) == 2
        assert len(heard.naming("FROM aged")) == 2
        assert len(heard.naming("FROM intents")) == 2


async def test_a_read_does_not_join_one_that_has_begun(opened: OpenLedger) -> None:
    """What a bot has committed before somebody asks, that somebody sees."""
    async with opened() as ledger, opened() as bot:
        for number in range(30):
            early = [asyncio.create_task(ledger.active_rows()) for _ in range(3)]
            for _ in range(number % 6):
                await asyncio.sleep(0)
            await bot.add_position(position(request_id=f"r{number}"))
            assert len(await ledger.active_rows()) == number + 1
            await asyncio.gather(*early)


async def test_what_was_written_first_is_seen_by_what_is_asked_next(
    opened: OpenLedger, clock: Clock
) -> None:
    """Also where the asker does not wait for the one before it asks for the other."""
    async with opened() as ledger, actor(ledger, clock) as system:

        async def life(number: int) -> None:
            for turn in range(5):
                mine = intent(f"i{number}-{turn}", key=leg(number))
                record = aged(number, phase=f"{turn}")
                _, _, found, known = await asyncio.gather(
                    system.ask("ledger", CommitIntent(intent=mine)),
                    system.ask("ledger", SaveAged(record=record)),
                    system.ask("ledger", FindIntents(key=leg(number))),
                    system.ask("ledger", ReadAged(key=leg(number))),
                )
                assert len(found) == turn + 1
                assert known == record
                told = event(f"e{number}-{turn}", symbol=f"C{number}")
                system.tell("ledger", AppendEvent(draft=told))
                trail = await system.ask("ledger", FindEvents(symbol=f"C{number}"))
                assert len(trail) == turn + 1

        await asyncio.gather(*(life(number) for number in range(12)))


def wave(system: Any) -> list[Coroutine[Any, Any, object]]:
    """Ten legs, each with a write and two reads under way."""
    return [
        system.ask("ledger", request)
        for n in range(10)
        for request in (
            CommitIntent(intent=intent(f"i{n}", key=leg(n))),
            ActiveRows(account="bybit-main"),
            FindIntents(key=leg(n)),
        )
    ]


@pytest.mark.parametrize("turns", range(30))
async def test_a_ledger_actor_that_is_killed_fails_no_more_than_one_asker(
    opened: OpenLedger, clock: Clock, turns: int
) -> None:
    async with opened() as ledger, actor(ledger, clock) as system:
        await system.ask("ledger", GetLedgerId())
        asked = [asyncio.create_task(it) for it in wave(system)]
        for _ in range(turns):
            await asyncio.sleep(0)
        system.kill("ledger")
        answers = await asyncio.gather(*asked, return_exceptions=True)
        failed = [it for it in answers if isinstance(it, BaseException)]
        assert len(failed) <= 1
        stored = {it.client_order_id for it in await system.ask("ledger", FindIntents())}
        answered = {f"i{n}" for n in range(10) if not isinstance(answers[3 * n], BaseException)}
        assert answered <= stored
        for n in range(10):
            found = answers[3 * n + 2]
            if f"i{n}" in answered and not isinstance(found, BaseException):
                assert isinstance(found, tuple)
                assert len(found) == 1


async def test_a_request_with_a_bug_crashes_the_actor_and_fails_its_own_asker_alone(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger, actor(ledger, clock) as system:
        asked = wave(system)
        asked.insert(10, system.ask("ledger", UpdateIntent(intent=intent("never committed"))))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        failed = [n for n, it in enumerate(answers) if isinstance(it, BaseException)]
        assert failed == [10]
        assert "never committed" in str(answers[10])
        assert len(await system.ask("ledger", FindIntents())) == 10
        assert system.cells["ledger"].restarts == 1


async def test_while_the_database_is_away_nobody_overtakes(
    opened: OpenLedger, clock: Clock
) -> None:
    """A killed asker's write that met the outage is there before its successor's read."""
    async with opened() as ledger, actor(ledger, clock) as system:
        away = 3
        met = asyncio.Event()

        def outage(*call: Any) -> None:
            nonlocal away
            if "INSERT INTO intents" in call[2] and away:
                met.set()
                away -= 1
                raise OSError(5, "Input/output error")

        engine = ledger._db.engines.write.sync_engine
        sa.event.listen(engine, "before_cursor_execute", outage)
        request = CommitIntent(intent=intent(key=leg(1)))
        late = asyncio.create_task(system.ask("ledger", request))
        await met.wait()
        late.cancel()
        assert len(await system.ask("ledger", FindIntents(key=leg(1)))) == 1
        state = system.dump("ledger")["state"]
        assert (state["available"], state["outages"], away) == (True, 1, 0)
