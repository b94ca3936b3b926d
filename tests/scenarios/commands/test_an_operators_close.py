"""Scenario 9.9: an operator's close belongs to the rows that he saw, and has an outcome.

Refused by the venue, position gone, bot re-enters: the new position is not closed. Hold, release,
crash between: not closed. Crash right after Done: closed.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from actors import paths
from messages.ledger import CommandState
from messages.settings import AgedSettings, Mode, OnUnknown
from messages.to_exchange import NotReady
from messages.to_monitors import CloseByOrder
from messages.values import Side
from simulator.faults import FaultKind
from storage.bot import Book
from tests.scenarios.commands.kit import (
    ACCOUNTS,
    BYBIT,
    LEG,
    bot_closes,
    leg,
    order_close,
    outcome,
    set_held,
)
from tests.scenarios.world import NEVER, XRP, World, ago, now, scenario, until, world

SLOW = AgedSettings(scan_every=NEVER, validate_every=NEVER, check_every=timedelta(seconds=2))
REFUSALS = {"bybit-main": "30208", "binance-main": "-4016"}
"""The price is out of its band: refused at once, and perhaps not the next time."""


def refusing(guard: World, account: str = BYBIT) -> int:
    """The venue takes no order for now."""
    code = REFUSALS[account]
    return guard.fault(FaultKind.ERROR_CODE, "order.create", code=code, count=None, account=account)


def path(account: str) -> str:
    return paths.aged_leg(leg(account))


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_9_refused_then_gone_then_the_bot_enters_again_and_is_not_closed(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), aged=SLOW) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        fault = refusing(guard, account)
        given = await order_close(guard, row, account=account)
        await until(
            lambda: guard.state(path(account)).get("failures", 0) >= 1, "a round has failed"
        )
        await bot_closes(guard, row)
        guard.market.open_position(account, XRP, Side.LONG, Decimal(7))
        book = Book(guard.ledger, account, now)
        fresh = await book.open(XRP, Side.LONG, Decimal(7), guard.price(XRP, account))
        guard.venue.faults.clear(fault)
        ended = await outcome(guard, given)
        assert ended.state is CommandState.WITHDRAWN
        assert f"row {row.id}" in ended.outcome
        await until(lambda: not guard.alive(path(account)), "a young leg has no actor")
        assert guard.held(XRP, Side.LONG, account) == 7
        assert await guard.same(fresh)


@scenario
async def test_9_9_a_row_that_joins_the_leg_is_another_position(tmp_path: Path) -> None:
    async with world(tmp_path, aged=SLOW) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        fault = refusing(guard)
        given = await order_close(guard, row)
        await until(lambda: guard.state(LEG).get("failures", 0) >= 1, "a round has failed")
        guard.market.open_position(BYBIT, XRP, Side.LONG, Decimal(5))
        second = await guard.row(XRP, Side.LONG, "5", hours=0.01)
        guard.venue.faults.clear(fault)
        ended = await outcome(guard, given)
        assert ended.state is CommandState.WITHDRAWN
        assert f"row {second.id}" in ended.outcome
        assert guard.held(XRP, Side.LONG) == 15


@scenario
async def test_9_9_what_was_not_seen_is_not_ordered_closed(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        late = await guard.row(XRP, Side.LONG, "5", hours=0.5)
        request = CloseByOrder(key=leg(), row_ids=(row.id,))
        answer = await guard.system.ask(paths.aged_scan(BYBIT), request, timeout=60.0)
        assert isinstance(answer, NotReady)
        assert f"row {late.id}" in answer.why
        assert await guard.ledger.commands() == ()


@scenario
async def test_9_9_held_released_and_crashed_between_is_not_closed(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        price = guard.price(XRP)
        row = await guard.both(XRP, Side.LONG, "10", hours=4)
        # Under water: in the grace phase the policy alone would not close it.
        await guard.ledger.amend_position(BYBIT, row.id, entry_price=price * 2)
        fault = refusing(guard)
        given = await order_close(guard, row)
        await until(lambda: guard.state(LEG).get("failures", 0) >= 1, "a round has failed")
        await set_held(guard, row, True)
        ended = await outcome(guard, given)
        assert (ended.state, ended.outcome) == (
            CommandState.WITHDRAWN,
            "taken back: the leg is held",
        )
        guard.venue.faults.clear(fault)
        await set_held(guard, row, False)
        await until(lambda: "holding for" in guard.state(LEG).get("status", ""), "it holds")
        sent = len(guard.orders())
        guard.system.kill(LEG)
        await until(lambda: "holding for" in guard.state(LEG).get("status", ""), "it holds again")
        await guard.scan("aged/scan")
        assert len(guard.orders()) == sent
        assert guard.held(XRP, Side.LONG) == 10
        assert await guard.same(row)


@scenario
async def test_9_9_a_crash_right_after_done_does_not_forget_it(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        given = await order_close(guard, row)
        guard.system.kill(LEG)
        ended = await outcome(guard, given)
        assert ended.state is CommandState.DONE
        assert (await guard.closed(row)).exit_source == "fill"
        assert guard.held(XRP, Side.LONG) == 0


@scenario
async def test_9_9_a_running_leg_that_crashes_with_an_order_goes_on_with_it(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        price = guard.price(XRP)
        row = await guard.both(XRP, Side.LONG, "10", hours=4)
        await guard.ledger.amend_position(BYBIT, row.id, entry_price=price * 2)
        await guard.scan("aged/scan")
        await until(lambda: "holding for" in guard.state(LEG).get("status", ""), "it holds")
        fault = refusing(guard)
        given = await order_close(guard, row)
        await until(lambda: guard.state(LEG).get("failures", 0) >= 1, "a round has failed")
        guard.system.kill(LEG)
        guard.venue.faults.clear(fault)
        ended = await outcome(guard, given)
        assert ended.state is CommandState.DONE
        assert ended.outcome.startswith(f"row {row.id} is closed (aged_close_market): exit ")
        assert guard.held(XRP, Side.LONG) == 0


@scenario
async def test_9_9_an_order_that_the_scan_lost_is_taken_up_by_the_next(tmp_path: Path) -> None:
    """The guard ended between the record and the leg's actor."""
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        guard.system.suspend(paths.aged(BYBIT))
        request = CloseByOrder(key=leg(), row_ids=(row.id,))
        guard.system.tell(paths.aged_scan(BYBIT), request)

        async def stored() -> bool:
            return bool(await guard.ledger.commands())

        await until(stored, "the command is stored")
        guard.system.kill(paths.aged_scan(BYBIT))
        guard.system.resume(paths.aged(BYBIT))
        (given,) = await guard.ledger.commands()
        assert (await outcome(guard, given)).state is CommandState.DONE
        assert guard.held(XRP, Side.LONG) == 0


@scenario
async def test_9_9_what_is_not_begun_in_its_time_expires_and_says_why(tmp_path: Path) -> None:
    async with world(tmp_path, account={"on_unknown": OnUnknown.WAIT}) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        guard.fault(FaultKind.STATUS, "positions", status=503, count=None)
        given = await order_close(guard, row, expires_at=now() + timedelta(seconds=3))
        ended = await outcome(guard, given)
        assert ended.state is CommandState.EXPIRED
        assert "not begun within 3 s" in ended.outcome
        assert "waiting for a verdict" in ended.outcome
        guard.venue.faults.clear()
        await until(lambda: not guard.alive(LEG), "a young leg has no actor")
        assert guard.orders() == []
        assert await guard.same(row)


@scenario
async def test_9_9_what_the_venue_refuses_to_the_end_has_failed_and_says_how(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        fault = refusing(guard)
        given = await order_close(guard, row, expires_at=now() + timedelta(seconds=4))
        ended = await outcome(guard, given)
        assert ended.state is CommandState.FAILED
        assert "PRICE_BAND" in ended.outcome
        assert "0 of 10 are closed" in ended.outcome
        sent = len(guard.orders())
        guard.venue.faults.clear(fault)
        await until(lambda: not guard.alive(LEG), "a young leg has no actor")
        assert len(guard.orders()) == sent
        assert guard.held(XRP, Side.LONG) == 10


@scenario
async def test_9_9_a_permanent_refusal_needs_an_operator_for_these_rows_only(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, aged=SLOW) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        fault = guard.fault(FaultKind.ERROR_CODE, "order.create", code="110007", count=None)
        given = await order_close(guard, row)
        ended = await outcome(guard, given)
        assert ended.state is CommandState.FAILED
        await until(lambda: bool(guard.state(LEG).get("operator_needed")), "an operator is needed")
        guard.venue.faults.clear(fault)
        await bot_closes(guard, row)
        guard.market.open_position(BYBIT, XRP, Side.LONG, Decimal(7))
        book = Book(guard.ledger, BYBIT, now)
        fresh = await book.open(XRP, Side.LONG, Decimal(7), guard.price(XRP), opened_at=ago(40))
        await guard.scan("aged/scan")
        # The next position is aged as well, and barred by nothing.
        assert (await guard.closed(fresh)).exit_source == "fill"
        assert guard.held(XRP, Side.LONG) == 0


@scenario
async def test_9_9_an_order_overrules_the_need_for_an_operator(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        fault = guard.fault(FaultKind.ERROR_CODE, "order.create", code="110007", count=None)
        await guard.scan("aged/scan")
        await until(lambda: bool(guard.state(LEG).get("operator_needed")), "an operator is needed")
        guard.venue.faults.clear(fault)
        ended = await outcome(guard, await order_close(guard, row))
        assert ended.state is CommandState.DONE
        assert guard.held(XRP, Side.LONG) == 0


@scenario
async def test_9_9_observe_mode_says_what_it_would_have_done(tmp_path: Path) -> None:
    async with world(tmp_path, mode=Mode.OBSERVE) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        ended = await outcome(guard, await order_close(guard, row))
        assert ended.state is CommandState.FAILED
        assert "in observe mode nothing is sent" in ended.outcome
        assert guard.orders() == []


@scenario
async def test_9_9_who_when_and_why_are_in_the_audit_trail(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        given = await order_close(guard, row)
        await outcome(guard, given)
        (told,) = await guard.events("operator_close")
        assert told.details == {"by": "ann", "why": "before the news", "row_ids": [row.id]}
        (over,) = await guard.events("command_ended")
        assert (over.details["state"], over.details["by"]) == ("done", "ann")
        assert told.seq < over.seq


@scenario
async def test_9_9_a_request_that_is_repeated_is_one_command(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        request = CloseByOrder(key=leg(), row_ids=(row.id,), request_id="r1")
        for _ in range(2):
            await guard.system.ask(paths.aged_scan(BYBIT), request, timeout=60.0)
        (given,) = await guard.ledger.commands()
        assert (await outcome(guard, given)).state is CommandState.DONE
        assert len(guard.orders()) == 1


@scenario
async def test_9_9_a_position_that_has_ended_already_is_said_to_have(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        await guard.scan("reconciliation")
        guard.market.close_by_hand(BYBIT, XRP, Side.LONG)
        ended = await outcome(guard, await order_close(guard, row))
        assert ended.state is CommandState.DONE
        assert "it has ended; its bot has until" in ended.outcome
        assert guard.held(XRP, Side.LONG) == 0
        assert await guard.same(row)
