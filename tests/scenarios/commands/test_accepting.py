"""An operator accepts that a leg is gone although no record says how (`docs/spec/truth.md`, 3)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from actors import paths
from messages.ledger import Command, CommandState, PositionRow
from messages.settings import VerdictSettings
from messages.values import Side
from tests.scenarios.commands.kit import ACCOUNTS, BYBIT, accept, outcome
from tests.scenarios.world import BTC, ETH, XRP, World, ago, scenario, until, world

QUICK = VerdictSettings(
    confirm_after=timedelta(seconds=0.3),
    settle=timedelta(seconds=2),
    fresh=timedelta(seconds=0.1),
)


def state(guard: World, account: str = BYBIT) -> dict[str, object]:
    return guard.state(paths.reconciliation(account))


async def unexplained(guard: World, *rows: PositionRow) -> None:
    """Reconcile until every one of these rows is told to be gone without a record."""
    account = rows[0].account

    async def all_told() -> bool:
        await guard.scan("reconciliation", account)
        found = state(guard, account)["unexplained"]
        return isinstance(found, list) and len(found) == len(rows)

    await until(all_told, "they are unexplained")


async def given(guard: World, account: str = BYBIT) -> Command:
    answer = await accept(guard, account)
    assert isinstance(answer, Command), answer
    return answer


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_an_unexplained_absence_that_is_accepted_is_closed_with_an_unknown_exit(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=QUICK) as guard:
        row = await guard.row(XRP, Side.LONG, "10", hours=1, account=account)
        await unexplained(guard, row)
        await guard.alerted("unexplained_absence")
        ended = await outcome(guard, await given(guard, account))
        assert ended.state is CommandState.DONE, ended.outcome
        assert "exit price and PnL are unknown" in ended.outcome
        closed = await guard.closed(row)
        assert closed.exit_reason is not None
        assert closed.exit_reason.startswith("accepted: ")
        assert closed.exit_source == "unknown"
        (told,) = await guard.events("operator_accept")
        assert (told.details["by"], told.details["why"]) == ("ann", "closed at the desk")

        async def over() -> bool:
            return all(a.resolved_at for a in await guard.alerts("unexplained_absence"))

        await until(over, "the alert is over")
        assert guard.orders(account) == []


@scenario
async def test_what_is_open_at_the_exchange_is_not_accepted(tmp_path: Path) -> None:
    async with world(tmp_path, verdict=QUICK) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        ended = await outcome(guard, await given(guard))
        assert ended.state is CommandState.FAILED
        assert "it is open at the exchange, 10" in ended.outcome
        assert await guard.same(row)


@scenario
async def test_what_a_record_explains_is_not_accepted_and_closes_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path, verdict=QUICK) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        await guard.scan("reconciliation")
        guard.market.close_by_hand(BYBIT, XRP, Side.LONG, closed_at=ago(0.0))
        ended = await outcome(guard, await given(guard))
        assert ended.state is CommandState.FAILED
        assert "not accepted: a record says how it ended (fills)" in ended.outcome
        closed = await guard.closed(row)
        assert closed.exit_source == "venue_history"


@scenario
async def test_what_is_not_yet_known_to_be_gone_is_not_accepted(tmp_path: Path) -> None:
    slow = VerdictSettings(
        confirm_after=timedelta(seconds=0.3),
        settle=timedelta(minutes=5),
        fresh=timedelta(seconds=0.1),
    )
    async with world(tmp_path, verdict=slow) as guard:
        row = await guard.row(XRP, Side.LONG, "10", hours=1)
        ended = await outcome(guard, await given(guard))
        assert ended.state is CommandState.FAILED
        assert "is not known yet" in ended.outcome
        assert "try again after" in ended.outcome
        assert await guard.same(row)


@scenario
async def test_a_leg_of_a_suspect_account_is_accepted_and_no_other(tmp_path: Path) -> None:
    async with world(tmp_path, verdict=QUICK) as guard:
        rows = [await guard.row(symbol, Side.LONG, "1", hours=1) for symbol in (XRP, BTC, ETH)]
        await unexplained(guard, *rows)
        assert state(guard)["suspect"]
        ended = await outcome(guard, await given(guard))
        assert ended.state is CommandState.DONE, ended.outcome
        await guard.closed(rows[0])
        assert await guard.same(rows[1])
        assert await guard.same(rows[2])
        assert guard.venue.requests.count("order.cancel") == 0


@scenario
async def test_an_accepted_command_survives_a_crash_of_the_actor(tmp_path: Path) -> None:
    async with world(tmp_path, verdict=QUICK) as guard:
        row = await guard.row(XRP, Side.LONG, "10", hours=1)
        await unexplained(guard, row)
        command = await given(guard)
        guard.system.kill(paths.reconciliation(BYBIT))
        ended = await outcome(guard, command)
        assert ended.state is CommandState.DONE, ended.outcome
        await guard.closed(row)


@scenario
async def test_a_position_that_is_opened_again_is_not_accepted_away(tmp_path: Path) -> None:
    async with world(tmp_path, verdict=QUICK) as guard:
        row = await guard.row(XRP, Side.LONG, "10", hours=1)
        await unexplained(guard, row)
        guard.market.open_position(BYBIT, XRP, Side.LONG, Decimal(10))
        ended = await outcome(guard, await given(guard))
        assert ended.state is CommandState.FAILED
        assert await guard.same(row)
