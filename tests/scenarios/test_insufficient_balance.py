"""Scenario 2: "insufficient balance" is a question, and the venue is asked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from messages.values import Side
from simulator.faults import FaultKind
from tests.scenarios.world import XRP, World, scenario, until, world

LEG = "accounts/bybit-main/aged/XRPUSDT.long"


async def refuse_once_closed_by_hand(guard: World, code: str) -> None:
    """The trader closes the leg after validation: the order meets a venue that holds nothing."""
    guard.fault(FaultKind.DELAY, "order.create", seconds=0.3)
    guard.fault(FaultKind.ERROR_CODE, "order.create", code=code, message="Insufficient balance.")
    await guard.scan("aged/scan")
    await until(lambda: bool(guard.orders()), "the close is on its way")
    guard.by_hand("bybit-main", XRP, Side.LONG)


@pytest.mark.parametrize("code", ["170131", "110017", "110007"])
@scenario
async def test_a_refused_close_of_a_leg_that_is_gone_is_a_ghost_after_one_attempt(
    tmp_path: Path, code: str
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        await refuse_once_closed_by_hand(guard, code)
        closed = await guard.closed(row)
        assert closed.exit_reason == "ghost_detected_aged_close"
        assert len(guard.orders()) == 1
        (result,) = await guard.events("close_result")
        assert result.details["error_code"] == "POSITION_NOT_FOUND"
        assert result.details["attempts"] == 1
        assert await guard.alerts("insufficient_balance") == ()
        assert await guard.alerts("operator_needed") == ()


@pytest.mark.parametrize("code", ["170131", "110017", "110012"])
@scenario
async def test_a_refused_close_of_a_leg_that_is_there_needs_an_operator(
    tmp_path: Path, code: str
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        guard.fault(FaultKind.ERROR_CODE, "order.create", code=code, count=None)
        await guard.scan("aged/scan")
        (alert,) = await guard.alerted("insufficient_balance")
        assert alert.level == "critical"
        assert "real insufficient balance" in alert.title
        await guard.alerted("operator_needed")
        await until(
            lambda: "INSUFFICIENT_BALANCE" in guard.state(LEG)["operator_needed"],
            "the leg waits for an operator",
        )
        assert len(guard.orders()) == 1
        assert await guard.same(row)
        assert guard.held(XRP, Side.LONG) == 10
        assert (await guard.counters()).get("ghost_positions_detected", 0) == 0


@scenario
async def test_a_refused_close_and_a_read_that_fails_stop_the_retries_with_an_alert(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        guard.fault(FaultKind.ERROR_CODE, "order.create", code="170131", count=None)
        guard.fault(FaultKind.STATUS, "positions", status=502, count=None, skip=1)
        await guard.scan("aged/scan")
        (alert,) = await guard.alerted("operator_needed")
        assert "170131" in alert.seen
        assert len(guard.orders()) == 1
        assert await guard.same(row)
        assert guard.held(XRP, Side.LONG) == Decimal(10)


@scenario
async def test_a_close_that_binance_filled_unseen_is_found_by_its_id_and_recorded_once(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=("binance-main",)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account="binance-main")
        guard.fault(FaultKind.DROP_AFTER, "order.create")
        await guard.scan("aged/scan", "binance-main")
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert closed.exit_reason == "aged_close_market"
        assert len(guard.orders("binance-main")) == 1
        intents = await guard.ledger.intents(account="binance-main")
        assert [(i.state, i.filled, i.booked) for i in intents] == [("done", Decimal(10), True)]
