"""An aged leg that needed an operator ends while no guard runs: nobody is asked for it any more."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from messages.ledger import AgedRecord, AlertDraft, AlertLevel, AlertType
from messages.values import LegKey, Side
from tests.scenarios.world import XRP, World, now, scenario, until, world

KEY = LegKey("bybit-main", XRP, Side.LONG)
OTHER_ROW = 999
KINDS = {
    "operator": AlertType.OPERATOR_NEEDED,
    "close_failed": AlertType.CLOSE_FAILED,
    "insufficient": AlertType.INSUFFICIENT_BALANCE,
}


async def as_an_earlier_guard_left_it(guard: World, *, young_row: bool, same_row: bool) -> None:
    """A leg that could not be closed, its record and its alerts; perhaps there is a row again."""
    row_id = OTHER_ROW
    if young_row:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        row_id = row.id if same_row else OTHER_ROW
    await guard.ledger.save_aged(
        AgedRecord(
            key=KEY,
            row_ids=(row_id,),
            phase="market",
            attempts=8,
            operator_needed="refused",
            updated_at=now(),
        )
    )
    for prefix, kind in KINDS.items():
        await guard.ledger.raise_alert(
            AlertDraft(
                type=kind,
                level=AlertLevel.CRITICAL,
                dedup_key=f"{prefix}:{KEY}",
                title="it cannot be closed",
                account=KEY.account,
                symbol=KEY.symbol,
                side=KEY.side.value,
                seen="refused",
                done="8 attempts",
                next_step="close it by hand",
                details={"position_ids": [row_id]},
            )
        )


@pytest.mark.parametrize("young_row", [False, True])
@scenario
async def test_the_first_scan_forgets_a_leg_that_ended_meanwhile_and_resolves_its_alerts(
    tmp_path: Path, young_row: bool
) -> None:
    before = partial(as_an_earlier_guard_left_it, young_row=young_row, same_row=False)
    async with world(tmp_path, before=before) as guard:

        async def resolved() -> bool:
            return not await guard.ledger.open_alerts()

        await until(resolved, "the alerts are resolved")
        assert await guard.ledger.aged_record(KEY) is None
        told = {alert.resolution for alert in await guard.alerts()}
        assert told == {"the leg ended while nobody watched it"}


@scenario
async def test_what_is_remembered_of_a_leg_that_still_has_its_row_is_kept(tmp_path: Path) -> None:
    before = partial(as_an_earlier_guard_left_it, young_row=True, same_row=True)
    async with world(tmp_path, before=before) as guard:
        await guard.scan("aged/scan")
        assert await guard.ledger.aged_record(KEY) is not None
        assert len(await guard.ledger.open_alerts()) == len(KINDS)
