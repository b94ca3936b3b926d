"""The ledger has a leg on one side and the venue holds the other: that is for a person (D2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from actors import paths
from actors.aged_scan import Validate
from messages.settings import AgedSettings
from messages.to_monitors import LookAt
from messages.values import LegKey, Side
from tests.scenarios.world import NEVER, XRP, World, ago, scenario, until, world

ACCOUNTS = ["bybit-main", "binance-main"]


async def reconciled(guard: World, account: str) -> None:
    await guard.scan("reconciliation", account)


async def hinted(guard: World, account: str) -> None:
    key = LegKey(account, XRP, Side.LONG)
    guard.system.tell(paths.reconciliation(account), LookAt(key=key))
    await guard.alerted("reconciliation_mismatch")


async def watched(guard: World, account: str) -> None:
    """The leg's own actor asks for a verdict, and asks again."""
    await guard.scan("aged/scan", account)
    leg = str(paths.aged_leg(LegKey(account, XRP, Side.LONG)))
    await until(lambda: "other side" in str(guard.state(leg).get("status")), "it has asked")
    await guard.scan("reconciliation", account)


async def validated(guard: World, account: str) -> None:
    scan = paths.aged_scan(account)
    guard.system.tell(scan, Validate())
    await until(lambda: guard.state(scan)["validations"] > 0, "the aged legs are validated")
    await guard.scan("reconciliation", account)


@pytest.mark.parametrize("path", [reconciled, hinted, watched, validated])
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_leg_that_is_on_the_other_side_is_left_for_review_whoever_looks(
    tmp_path: Path, account: str, path: Callable[[World, str], Awaitable[None]]
) -> None:
    aged = AgedSettings(scan_every=NEVER, validate_every=NEVER, check_every=timedelta(seconds=0.2))
    async with world(tmp_path, accounts=(account,), aged=aged) as guard:
        guard.market.open_position(account, XRP, Side.SHORT, Decimal(10), opened_at=ago(1))
        row = await guard.row(XRP, Side.LONG, "10", account=account)
        await path(guard, account)
        (alert,) = await guard.alerted("reconciliation_mismatch")
        assert alert.seen == "ledger long 10, venue short 10"
        assert await guard.same(row)
        assert guard.orders(account) == []
        assert await guard.alerts("ghost_position") == ()
        assert await guard.alerts("orphaned_position") == ()
