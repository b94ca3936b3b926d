"""Rows that cannot be judged are told of by their id, and hold nothing up (scenario 9.15)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from messages.settings import OrphanPolicy, VerdictSettings
from messages.values import Side
from tests.scenarios.world import XRP, World, ago, scenario, until, world

QUICK = VerdictSettings(
    confirm_after=timedelta(seconds=0.3),
    settle=timedelta(seconds=1),
    fresh=timedelta(seconds=0.2),
    unjudged_after=timedelta(seconds=1),
)


async def told_of(guard: World, row_id: int) -> None:
    """Wait for the alert that names a row."""

    async def named() -> bool:
        return any(f"row {row_id} " in alert.title for alert in await guard.alerts("unjudged"))

    await until(named, f"row {row_id} is told of")


@pytest.mark.parametrize("name", ["Bybit-Main", "bybit-main ", "nobody"])
@scenario
async def test_a_row_of_an_unknown_account_is_told_of_and_its_position_is_not_closed(
    tmp_path: Path, name: str
) -> None:
    policy = {"orphans": OrphanPolicy.CLOSE}
    async with world(tmp_path, verdict=QUICK, account=policy) as guard:
        price = guard.price(XRP)
        guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(10), price, ago(1))
        row_id = await guard.row_as_written("XRPUSDT", "10", account=name)
        await told_of(guard, row_id)
        for _ in range(3):
            await guard.scan("orphans")
        assert guard.orders() == []
        assert guard.held(XRP, Side.LONG) == 10


@scenario
async def test_rows_dated_ahead_and_of_a_settle_currency_that_is_not_read_are_told_of(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, verdict=QUICK) as guard:
        fine = await guard.both(XRP, Side.LONG, "10", hours=1)
        ahead = await guard.row("ETH/USDT:USDT", Side.LONG, "0.1", hours=-8)
        unread = await guard.row("BTC/USDC:USDC", Side.LONG, "0.01", price="64000", hours=1)
        await guard.scan("reconciliation")
        await told_of(guard, ahead.id)
        await told_of(guard, unread.id)
        reasons = {a.title.split()[1]: a.seen for a in await guard.alerts("unjudged")}
        assert "dated ahead" in reasons[str(ahead.id)]
        assert "USDC" in reasons[str(unread.id)]
        for row in (fine, ahead, unread):
            assert await guard.same(row)


@scenario
async def test_a_row_of_a_contract_that_is_off_the_list_is_told_of(tmp_path: Path) -> None:
    async with world(tmp_path, verdict=QUICK) as guard:
        row_id = await guard.row_as_written("GONEUSDT", "10")
        await guard.scan("aged/scan")
        (alert,) = await guard.alerted("unusable_row")
        assert str(row_id) in alert.title
