"""Copies of another program's open positions, on both databases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec

from messages.ledger import PositionRow, RowStatus
from messages.values import Side
from storage.mirror import LEFT
from tests.storage.build import close, event
from tests.storage.conftest import START, Clock, OpenLedger


def original(number: int, **changes: object) -> PositionRow:
    row = PositionRow(
        id=number,
        account="bybit-main",
        symbol="BTC/USDT:USDT",
        side=Side.LONG,
        quantity=Decimal("0.5"),
        entry_price=Decimal(65000),
        opened_at=START - timedelta(hours=1),
        updated_at=START - timedelta(hours=1),
    )
    return msgspec.structs.replace(row, **changes)


async def test_copies_follow_their_originals_and_an_equal_one_is_not_touched(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        assert await ledger.mirror("bot", [original(7), original(8)]) == ()
        first, second = await ledger.active_rows()
        assert (first.side, first.quantity, first.updated_at) == ("long", Decimal("0.5"), START)
        clock.advance(minutes=1)
        await ledger.mirror("bot", [original(7), original(8, quantity=Decimal(2))])
        assert await ledger.row(first.id) == first
        (changed,) = [row for row in await ledger.active_rows() if row.id == second.id]
        assert (changed.quantity, changed.updated_at) == (Decimal(2), clock.time)
        await ledger.mirror("bot", [original(8, quantity=Decimal(2))])
        left = await ledger.row(first.id)
        assert left is not None
        assert (left.status, left.exit_reason) == (RowStatus.CLOSED, LEFT)
        await ledger.mirror("bot", [original(7)])
        assert [row.id for row in await ledger.active_rows()] == [first.id]


async def test_a_copy_that_the_guard_closed_stays_closed_until_its_original_changes(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        await ledger.mirror("bot", [original(7)])
        (copy,) = await ledger.active_rows()
        closing = close(copy.id)
        await ledger.close_rows([closing], event=event("e1"))
        for _ in range(2):
            (ended,) = await ledger.mirror("bot", [original(7)])
            assert (ended.row_id, ended.reason) == (7, closing.reason)
            assert await ledger.active_rows() == ()
        later = closing.closed_at + timedelta(seconds=1)
        assert await ledger.mirror("bot", [original(7, updated_at=later)]) == ()
        (again,) = await ledger.active_rows()
        assert (again.id, again.exit_reason, again.realized_pnl) == (copy.id, None, None)


async def test_a_hold_of_ours_outlives_a_read_and_one_of_the_source_is_taken(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        await ledger.mirror("bot", [original(7), original(8)])
        first, _ = await ledger.active_rows()
        await ledger.set_held((first.id,), True, event=event("hold"))
        await ledger.mirror("bot", [original(7), original(8, held=True)])
        assert [row.held for row in await ledger.active_rows()] == [True, True]


async def test_rows_of_the_guards_own_and_of_another_source_are_no_copies(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        await ledger.mirror("one", [original(7)])
        await ledger.mirror("other", [])
        assert len(await ledger.active_rows()) == 1
