"""Forgets aged legs whose rows were closed while no guard ran, or by another one.

A leg's own actor does it where it lives to see the end. Leaves legs that still live to that actor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from actors import paths
from actors.ledger_client import ask_ledger
from actors.runtime import Actor
from messages.ledger import Alert, AlertType
from messages.to_alerts import ResolveAlert
from messages.to_ledger import DropAged, FindAlerts
from messages.values import LegKey, Side
from rules.legs import LedgerView

RESOLUTION = "the leg ended while nobody watched it"

_PREFIXES = {
    AlertType.OPERATOR_NEEDED: "operator",
    AlertType.CLOSE_FAILED: "close_failed",
    AlertType.INSUFFICIENT_BALANCE: "insufficient",
}
"""The alerts of an aged leg, and how their keys begin."""


async def forget_the_ended(actor: Actor[Any], account: str, view: LedgerView) -> None:
    """Drop what is remembered of legs that have none of their rows any more; resolve its alerts."""
    if view.has_unidentified_row:
        return
    alerts = await ask_ledger(actor, FindAlerts(open_only=True, account=account))
    ended = tuple(_of_ended(alerts, view))
    for key in dict.fromkeys(key for key, _ in ended):
        await ask_ledger(actor, DropAged(key=key))
        actor.log.info("{} ended while nobody watched it", key)
    for _, dedup_key in ended:
        actor.tell(paths.ALERTS, ResolveAlert(dedup_key=dedup_key, resolution=RESOLUTION))


def _of_ended(alerts: tuple[Alert, ...], view: LedgerView) -> Iterator[tuple[LegKey, str]]:
    """Legs that have ended, with the keys of the alerts that speak of them."""
    for alert in alerts:
        prefix = _PREFIXES.get(alert.type)
        if prefix is None or not alert.dedup_key.startswith(f"{prefix}:"):
            continue
        key = LegKey(alert.account, alert.symbol, Side(alert.side))
        leg = view.legs.get(key)
        told = alert.details.get("position_ids")
        if key in view.unclear_legs:
            continue
        if leg is None or (isinstance(told, list) and set(leg.row_ids).isdisjoint(told)):
            yield key, alert.dedup_key
