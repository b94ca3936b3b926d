"""The world goes on while a leg is judged or closed: the bot trades, an operator thinks again."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from messages.values import Side
from tests.scenarios.world import XRP, scenario, until, world
from venues.simulator.faults import FaultKind

ACCOUNTS = ["bybit-main", "binance-main"]


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_row_that_the_bot_rewrites_while_its_leg_is_judged_is_not_buried(
    tmp_path: Path, account: str
) -> None:
    """The bot enters again under its old row, while the guard reads how the old position ended."""
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        guard.market.close_by_hand(account, XRP, Side.LONG)
        guard.fault(FaultKind.DELAY_REPLY, "fills", seconds=1.5, count=1, account=account)
        asked = guard.venue.requests.count("fills", account)
        scanning = asyncio.create_task(guard.scan("reconciliation", account))
        await until(
            lambda: guard.venue.requests.count("fills", account) > asked, "the fills are asked for"
        )
        guard.market.open_position(account, XRP, Side.LONG, Decimal(25))
        rewritten = await guard.ledger.amend_position(account, row.id, quantity=Decimal(25))
        assert rewritten is not None
        report = await scanning
        assert report.acted == 0
        assert await guard.same(rewritten)
        assert guard.held(XRP, Side.LONG, account) == 25
        assert (await guard.counters()).get("ghost_positions_detected", 0) == 0
