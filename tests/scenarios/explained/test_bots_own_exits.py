"""9.7: the bot's own exit fills, and its ledger says so a moment later, or never."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from messages.settings import VerdictSettings
from messages.values import Side
from storage.bot import Book
from tests.scenarios.explained.looking import ACCOUNTS, STREAMS, sent, stream_stands
from tests.scenarios.world import SETTLED_AT_ONCE, XRP, now, scenario, until, world

SETTLE = 6.0
"""Seconds, a tenth of what a bot has by default."""


def settling(seconds: float) -> VerdictSettings:
    return msgspec.structs.replace(SETTLED_AT_ONCE, settle=timedelta(seconds=seconds))


@pytest.mark.parametrize("late", [1, 5, 30])
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_7_a_bot_that_writes_its_exit_late_hears_nothing_of_it(
    tmp_path: Path, account: str, late: int
) -> None:
    """It writes `late` of the sixty seconds that it has, at ten times the speed."""
    settings = settling(SETTLE)
    async with world(tmp_path, accounts=(account,), account=STREAMS, verdict=settings) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await stream_stands(guard, account)
        await guard.scan("reconciliation", account)
        monitor = f"accounts/{account}/reconciliation"
        guard.market.close_by_hand(account, XRP, Side.LONG)
        filled = asyncio.get_running_loop().time()
        # The stream has it looked at; it is seen at once, and kept to itself.
        await until(lambda: bool(guard.state(monitor)["ended"]), "its end is seen", SETTLE)
        await asyncio.sleep(filled + late * SETTLE / 60 - asyncio.get_running_loop().time())
        book = Book(guard.ledger, account, now)
        assert await book.close(row.id, exit_price=Decimal("0.5"), realized_pnl=Decimal(1))
        for _ in range(2):
            await guard.scan("reconciliation", account)
        assert await guard.alerts() == ()
        (closed,) = await guard.ledger.rows(account=account)
        assert (closed.exit_price, closed.realized_pnl) == (Decimal("0.5"), Decimal(1))
        told = [e.kind for e in await guard.events() if "ghost" in e.kind or "absence" in e.kind]
        assert told == []
        assert (await guard.counters(account)).get("ghost_positions_detected", 0) == 0
        assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_7_an_exit_that_the_bot_never_writes_is_a_ghost_after_settle(
    tmp_path: Path, account: str
) -> None:
    settings = settling(2.0)
    async with world(tmp_path, accounts=(account,), account=STREAMS, verdict=settings) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await stream_stands(guard, account)
        await guard.scan("reconciliation", account)
        filled = now()
        guard.market.close_by_hand(account, XRP, Side.LONG)
        # Nobody scans: the guard looks again by itself when settle is over.
        closed = await guard.closed(row)
        (event,) = await guard.events("reconciliation_ghost_closed")
        # The venue gives whole milliseconds.
        assert event.at - filled >= timedelta(seconds=1.99)
        assert closed.exit_source == "venue_history"
        assert closed.exit_price is not None
        assert row.entry_price is not None
        assert closed.realized_pnl is not None
        gross = (closed.exit_price - row.entry_price) * 10
        fees = (closed.exit_price + row.entry_price) * 10 * Decimal("0.001")
        assert gross - fees <= closed.realized_pnl < gross
        assert len(await guard.alerted("reconciliation_mismatch")) == 1
