"""A read says nothing of what it does not cover, so nothing is called over by it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from messages.ledger import AlertDraft, AlertLevel, AlertType, OrphanRecord
from messages.values import LegKey, Side
from tests.scenarios.world import World, ago, scenario, until, world

ACCOUNT = "bybit-main"
USDC = "BTC/USDC:USDC"
LONG, SHORT = (LegKey(ACCOUNT, USDC, side) for side in (Side.LONG, Side.SHORT))
STANDING = {f"orphan:{SHORT}", f"naked:{LONG}", f"mismatch:{LONG}"}


async def found_by_an_earlier_guard(guard: World) -> None:
    """One that covered USDC too: an orphan, and a leg that is naked and of another quantity."""
    await guard.gone(USDC, Side.LONG, "0.01", price=Decimal(64_000), hours=1)
    await guard.ledger.save_orphan(OrphanRecord(key=SHORT, first_seen_at=ago(2)))
    for kind, prefix, key in (
        (AlertType.ORPHANED_POSITION, "orphan", SHORT),
        (AlertType.NAKED_POSITION, "naked", LONG),
        (AlertType.RECONCILIATION_MISMATCH, "mismatch", LONG),
    ):
        await guard.ledger.raise_alert(
            AlertDraft(
                type=kind,
                level=AlertLevel.CRITICAL,
                dedup_key=f"{prefix}:{key}",
                title="as an earlier guard saw it",
                account=ACCOUNT,
                symbol=USDC,
                side=key.side.value,
                seen="another guard's",
                done="nothing",
                next_step="look at it",
            )
        )


@pytest.mark.parametrize("settles", [("USDT",), ("USDT", "USDC")])
@scenario
async def test_only_a_read_of_a_settle_currency_says_that_its_positions_are_gone(
    tmp_path: Path, settles: tuple[str, ...]
) -> None:
    account = {"settles": settles}
    async with world(tmp_path, account=account, before=found_by_an_earlier_guard) as guard:
        await guard.scan("orphans")
        await guard.scan("reconciliation")
        expected = set() if "USDC" in settles else STANDING

        async def left() -> bool:
            open_alerts = await guard.ledger.open_alerts()
            return {alert.dedup_key for alert in open_alerts} & STANDING == expected

        await until(left, f"{expected} still stand")
        records = await guard.ledger.orphan_records(ACCOUNT)
        assert [record.key for record in records] == ([SHORT] if expected else [])
