"""9.17: what stands is over only on as much evidence as it began with."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from messages.values import Side
from tests.scenarios.explained.looking import ACCOUNTS, lists_lie
from tests.scenarios.world import AVL, ETH, SETTLED_AT_ONCE, SOL, World, ago, scenario, world

STANDING = ("naked_position", "orphaned_position", "reconciliation_mismatch")
MONITORS = ("orphans", "reconciliation")


async def three_alerts(guard: World, account: str) -> None:
    """An orphan, a leg without a stop, and one with twice the size of its row."""
    market = guard.market
    market.open_position(account, AVL, Side.LONG, Decimal(86), opened_at=ago(1))
    market.open_position(account, ETH, Side.LONG, Decimal("0.1"), opened_at=ago(1))
    await guard.row(ETH, Side.LONG, "0.1", hours=1, account=account)
    await guard.both(SOL, Side.LONG, "1", hours=1, account=account)
    market.open_position(account, SOL, Side.LONG, Decimal(1), opened_at=ago(0.5))
    for monitor in MONITORS:
        await guard.scan(monitor, account)
    for type_ in STANDING:
        await guard.alerted(type_)


@pytest.mark.parametrize("liar", MONITORS)
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_17_one_lying_list_resolves_nothing_that_stands(
    tmp_path: Path, account: str, liar: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        await three_alerts(guard, account)
        before = {a.dedup_key: a.raised_at for a in await guard.alerts()}
        lists_lie(guard, account, 1)
        await guard.scan(liar, account)
        for monitor in MONITORS:
            await guard.scan(monitor, account)
        after = await guard.alerts()
        assert {a.dedup_key: a.raised_at for a in after} == before
        assert [a.dedup_key for a in after if a.resolved_at is not None] == []
        assert await guard.events("orphan_resolved") == ()
