"""9.2 and 9.6: positions that are there are not shown, and the history does not say otherwise."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from messages.ledger import PositionRow
from messages.values import Side
from simulator.faults import FaultKind
from storage.bot import Book
from tests.scenarios.explained.looking import (
    ACCOUNTS,
    lists_lie,
    scanned_until_alerted,
    scanned_until_over,
    sent,
    types_of_alerts,
)
from tests.scenarios.world import SETTLED_AT_ONCE, XRP, World, ago, now, scenario, world

UNEXPLAINED = "unexplained_absence"
TWO_MINUTES = 2 / 60


async def nothing_was_done(guard: World, row: PositionRow, account: str) -> None:
    assert await guard.same(row)
    assert sent(guard) == []
    assert (await guard.counters(account)).get("ghost_positions_detected", 0) == 0
    assert await guard.events("leftovers_cancelled") == ()


def live_stops(guard: World, account: str) -> int:
    owner = guard.market.accounts[account]
    listing = guard.market.listing(owner.exchange, XRP)
    return sum(o.spec.trigger_price is not None for o in owner.live_orders(listing.id))


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_2_a_leg_younger_than_the_replicas_lag_is_not_buried_and_keeps_its_stop(
    tmp_path: Path, account: str
) -> None:
    """Five minutes of lag in the list and by name; the history shows the entry and no exit."""
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        lag = guard.fault(FaultKind.STALE, "positions", seconds=300, count=None)
        row = await guard.both(XRP, Side.LONG, "10", hours=TWO_MINUTES, account=account)
        await scanned_until_alerted(guard, UNEXPLAINED, account, "reconciliation")
        await guard.scan("reconciliation", account)
        await guard.scan("orphans", account)
        (alert,) = await guard.alerts(UNEXPLAINED)
        assert alert.level == "critical"
        await nothing_was_done(guard, row, account)
        assert live_stops(guard, account) == 1
        guard.venue.faults.clear(lag)
        await scanned_until_over(guard, UNEXPLAINED, account, "reconciliation")
        (alert,) = await guard.alerts(UNEXPLAINED)
        assert alert.resolution == "the exchange shows it again"
        assert await types_of_alerts(guard) == [UNEXPLAINED]
        await nothing_was_done(guard, row, account)


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_2_a_lag_that_is_over_before_settle_is_not_even_told(
    tmp_path: Path, account: str
) -> None:
    longer = msgspec.structs.replace(SETTLED_AT_ONCE, settle=timedelta(seconds=60))
    async with world(tmp_path, accounts=(account,), verdict=longer) as guard:
        lag = guard.fault(FaultKind.STALE, "positions", seconds=300, count=None)
        row = await guard.both(XRP, Side.LONG, "10", hours=TWO_MINUTES, account=account)
        for _ in range(2):
            await guard.scan("reconciliation", account)
        guard.venue.faults.clear(lag)
        report = await guard.scan("reconciliation", account)
        assert report.found == 0
        assert await guard.alerts() == ()
        await nothing_was_done(guard, row, account)


@pytest.mark.parametrize("lies", [1, 2, None], ids=["once", "twice", "for long"])
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_6_a_partial_sale_is_not_taken_for_the_end_of_the_leg(
    tmp_path: Path, account: str, lies: int | None
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await guard.scan("reconciliation", account)
        guard.by_hand(account, XRP, Side.LONG, Decimal(4))
        rewritten = await guard.ledger.amend_position(account, row.id, quantity=Decimal(6))
        assert rewritten is not None
        await guard.scan("reconciliation", account)
        lists_lie(guard, account, lies)
        if lies is None:
            await scanned_until_alerted(guard, UNEXPLAINED, account, "reconciliation")
        for _ in range(2):
            await guard.scan("reconciliation", account)
        await nothing_was_done(guard, row, account)
        assert guard.held(XRP, Side.LONG, account) == 6


@pytest.mark.parametrize("lies", [1, 2, None], ids=["once", "twice", "for long"])
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_6_the_sale_of_another_row_of_the_leg_is_not_taken_for_the_end_of_this_one(
    tmp_path: Path, account: str, lies: int | None
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        sold = await guard.both(XRP, Side.LONG, "10", hours=1.5, account=account)
        kept = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await guard.scan("reconciliation", account)
        guard.by_hand(account, XRP, Side.LONG, Decimal(10))
        book = Book(guard.ledger, account, now)
        assert await book.close(sold.id, exit_price=Decimal("2.5"), realized_pnl=Decimal(0))
        lists_lie(guard, account, lies)
        if lies is None:
            await scanned_until_alerted(guard, UNEXPLAINED, account, "reconciliation")
        for _ in range(2):
            await guard.scan("reconciliation", account)
        await nothing_was_done(guard, kept, account)
        assert guard.held(XRP, Side.LONG, account) == 10


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_6_a_size_that_was_corrected_by_hand_is_not_the_end_of_the_leg(
    tmp_path: Path, account: str
) -> None:
    """20 are there and 10 in the row; a person sells 10 as the alert advised; then lists lie."""
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        guard.market.open_position(account, XRP, Side.LONG, Decimal(10), opened_at=ago(0.5))
        await guard.scan("reconciliation", account)
        await guard.alerted("reconciliation_mismatch")
        guard.market.close_by_hand(account, XRP, Side.LONG, Decimal(10))
        await guard.scan("reconciliation", account)
        lists_lie(guard, account, None)
        await scanned_until_alerted(guard, UNEXPLAINED, account, "reconciliation")
        await nothing_was_done(guard, row, account)
