"""A fill ends one row: it explains no other's end, and is nobody else's profit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from messages.values import Side
from storage.bot import Book
from tests.scenarios.explained.looking import ACCOUNTS, scanned_until_alerted
from tests.scenarios.world import SETTLED_AT_ONCE, XRP, ago, now, scenario, world

UNEXPLAINED = "unexplained_absence"


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_fill_of_ours_that_is_booked_for_one_row_is_no_exit_of_the_next(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        first = await guard.both(XRP, Side.LONG, "10", account=account)
        await guard.scan("aged/scan", account)
        assert (await guard.closed(first)).exit_source == "fill"
        book = Book(guard.ledger, account, now)
        price = guard.price(XRP, account) / 2
        second = await book.open(XRP, Side.LONG, Decimal(10), price, opened_at=ago(0.5))
        await scanned_until_alerted(guard, UNEXPLAINED, account, "reconciliation")
        assert await guard.same(second)
        (alert,) = await guard.alerts(UNEXPLAINED)
        assert alert.details["position_ids"] == [second.id]
        assert len(guard.orders(account)) == 1


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_sale_by_hand_that_ended_one_row_is_no_exit_of_the_next(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        first = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        guard.by_hand(account, XRP, Side.LONG)
        await guard.scan("reconciliation", account)
        assert (await guard.closed(first)).exit_source == "venue_history"
        book = Book(guard.ledger, account, now)
        price = guard.price(XRP, account) / 2
        second = await book.open(XRP, Side.LONG, Decimal(10), price, opened_at=ago(0.5))
        await scanned_until_alerted(guard, UNEXPLAINED, account, "reconciliation")
        assert await guard.same(second)
