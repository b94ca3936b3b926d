"""Drops the records of aged legs whose rows were closed while no guard ran, or by another guard.

A leg's own actor does so when it sees the leg end; legs that still exist are left to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger
from messages.ledger import Alert
from messages.to_alerts import ResolveAlert
from messages.to_ledger import DropAged, FindAlerts
from messages.values import LegKey, Side
from rules.alerts import is_of_aged_leg
from rules.legs import LedgerView

RESOLUTION = "the leg ended while nobody watched it"


async def forget_the_ended(context: Context, account: str, view: LedgerView) -> None:
    """Drop the records of legs that have none of their rows any more, and resolve their alerts."""
    if view.has_unidentified_row:
        return
    alerts = await ask_ledger(context, FindAlerts(open_only=True, account=account))
    ended = tuple(_of_ended(alerts, view))
    for key in dict.fromkeys(key for key, _ in ended):
        await ask_ledger(context, DropAged(key=key))
        context.log.info("{} ended while nobody watched it", key)
    for _, dedup_key in ended:
        context.tell(paths.ALERTS, ResolveAlert(dedup_key=dedup_key, resolution=RESOLUTION))


def _of_ended(alerts: tuple[Alert, ...], view: LedgerView) -> Iterator[tuple[LegKey, str]]:
    """Legs that have ended, with the keys of the alerts that speak of them."""
    for alert in alerts:
        if not is_of_aged_leg(alert):
            continue
        key = LegKey(alert.account, alert.symbol, Side(alert.side))
        leg = view.legs.get(key)
        row_ids = alert.details.get("position_ids")
        if key in view.unclear_legs:
            continue
        if leg is None or (isinstance(row_ids, list) and set(leg.row_ids).isdisjoint(row_ids)):
            yield key, alert.dedup_key
