"""Ghosts that were only told of, in observe mode: their alerts end with what they speak of.

Where the guard closes a ghost's row itself, its alert is of something done and never stands.
"""

from __future__ import annotations

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger
from actors.monitoring.account_view import AccountView
from messages.ledger import Alert
from messages.to_alerts import ResolveAlert
from messages.to_ledger import FindAlerts
from messages.values import LegKey, Side
from rules.alerts import is_of_ghost


async def end_observed_ghosts(context: Context, account: str, view: AccountView) -> None:
    """Resolve those whose rows somebody has closed, or whose leg the exchange shows again."""
    alerts = await ask_ledger(context, FindAlerts(open_only=True, account=account, limit=1000))
    ledger = view.ledger
    active = {row_id for leg in ledger.legs.values() for row_id in leg.row_ids}
    active.update(entry.row.id for entry in ledger.unusable)
    for alert in alerts:
        if not is_of_ghost(alert):
            continue
        resolution = _resolution(alert, active, view)
        if resolution:
            context.tell(
                paths.ALERTS, ResolveAlert(dedup_key=alert.dedup_key, resolution=resolution)
            )


def _resolution(alert: Alert, active: set[int], view: AccountView) -> str:
    rows = alert.details.get("position_ids")
    if isinstance(rows, list) and not active.intersection(rows):
        return "its row is no longer active"
    if view.snapshot.find(LegKey(alert.account, alert.symbol, Side(alert.side))) is not None:
        return "the exchange shows it again"
    return ""
