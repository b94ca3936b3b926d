"""Operators' commands: durable, given once, ended once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from messages.ledger import CommandKind, CommandState, NewCommand
from messages.values import LegKey, Side
from tests.storage.build import KEY, event
from tests.storage.conftest import START, Clock, OpenLedger


def ordered(**changes: object) -> NewCommand:
    new = NewCommand(
        kind=CommandKind.CLOSE,
        key=KEY,
        row_ids=(2, 1),
        expires_at=START + timedelta(seconds=60),
        by="anna",
        why="looks wrong",
    )
    return msgspec.structs.replace(new, **changes)


async def test_a_command_outlives_a_crash_and_ends_with_its_outcome(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        given = await ledger.store_command(ordered(), event=event("given"))
    assert (given.row_ids, given.by, given.why, given.given_at) == (
        (2, 1),
        "anna",
        "looks wrong",
        START,
    )
    async with opened() as ledger:
        assert await ledger.commands(open_only=True) == (given,)
        clock.advance(seconds=1)
        begun = await ledger.update_command(given.id, CommandState.BEGUN, event=event("begun"))
        assert (begun.state, begun.begun_at, begun.ended_at) == ("begun", clock.time, None)
        clock.advance(seconds=1)
        done = await ledger.update_command(
            given.id, CommandState.DONE, "closed at 64000.5", event=event("done")
        )
        assert done.begun_at == begun.begun_at
        assert (done.state, done.ended_at, done.outcome) == (
            "done",
            clock.time,
            "closed at 64000.5",
        )
        assert await ledger.commands(open_only=True) == ()
        assert await ledger.commands(command_id=given.id) == (done,)
        assert [it.event_id for it in await ledger.events()] == ["given", "begun", "done"]


async def test_a_command_given_twice_is_one(opened: OpenLedger) -> None:
    async with opened() as ledger:
        answers = [
            await ledger.store_command(
                ordered(request_id="r1", why=why), event=event(f"given {why}")
            )
            for why in ("first", "second")
        ]
        assert answers[0] == answers[1]
        without = [await ledger.store_command(ordered()) for _ in range(2)]
        assert without[0].id != without[1].id
        assert len(await ledger.commands()) == 3
        assert [it.event_id for it in await ledger.events()] == ["given first"]


@pytest.mark.parametrize("final", [state for state in CommandState if state.final])
async def test_a_command_that_has_ended_never_begins_or_ends_again(
    opened: OpenLedger, clock: Clock, final: CommandState
) -> None:
    async with opened() as ledger:
        given = await ledger.store_command(ordered())
        ended = await ledger.update_command(given.id, final, "so it ended", event=event("end"))
        clock.advance(hours=1)
        for state in CommandState:
            late = await ledger.update_command(given.id, state, "late", event=event(f"{state}"))
            assert late == ended
        assert [it.event_id for it in await ledger.events()] == ["end"]


async def test_a_command_that_has_begun_does_not_wait_again(opened: OpenLedger) -> None:
    async with opened() as ledger:
        given = await ledger.store_command(ordered())
        begun = await ledger.update_command(given.id, CommandState.BEGUN)
        assert await ledger.update_command(given.id, CommandState.WAITING) == begun


async def test_of_two_who_end_a_command_at_once_one_does(opened: OpenLedger) -> None:
    async with opened() as first, opened() as second:
        given = await first.store_command(ordered())
        answers = await asyncio.gather(
            first.update_command(given.id, CommandState.BEGUN),
            second.update_command(given.id, CommandState.WITHDRAWN, "held"),
            first.update_command(given.id, CommandState.EXPIRED, "too late"),
        )
        (stored,) = await second.commands()
        assert stored.state.final
        assert stored in answers
        assert {it.state for it in answers} <= {CommandState.BEGUN, stored.state}


async def test_commands_are_found_by_account_and_leg(opened: OpenLedger) -> None:
    short = LegKey(KEY.account, KEY.symbol, Side.SHORT)
    elsewhere = LegKey("binance", KEY.symbol, Side.LONG)
    async with opened() as ledger:
        one, two, three = [
            await ledger.store_command(ordered(key=key)) for key in (KEY, short, elsewhere)
        ]
        assert await ledger.commands(account="bybit-main") == (one, two)
        assert await ledger.commands(key=short) == (two,)
        assert await ledger.commands() == (one, two, three)
        with pytest.raises(LookupError, match="no command 99"):
            await ledger.update_command(99, CommandState.DONE)


async def test_commands_that_have_ended_leave_with_age_and_open_ones_stay(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        still_open = await ledger.store_command(ordered())
        ended = await ledger.store_command(ordered())
        await ledger.update_command(ended.id, CommandState.DONE)
        clock.advance(days=90)
        await ledger.prune(clock.time)
        assert await ledger.commands() == (still_open,)
