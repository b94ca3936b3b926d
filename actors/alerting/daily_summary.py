"""The daily summary: proof of life, with what there is and what happened since the last one.

Used by the delivery actor. The event that notes a summary keeps a restart from repeating it, and
one that was missed while nobody ran is told at the next start.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, time, timedelta
from typing import Any

from actors import paths
from actors.ledger_client import ask_ledger, event
from actors.runtime import Actor
from messages.ledger import AlertDraft, AlertLevel, AlertType, Event
from messages.settings import Settings
from messages.to_alerts import RaiseAlert
from messages.to_ledger import ActiveRows, AppendEvent, FindAlerts, FindEvents, ReadCounters

KIND = "daily_summary"
CHECK_EVERY = timedelta(minutes=10)
"""The longest wait at a time: the wall clock may jump, the loop's own does not."""


class Summaries:
    """Raises the summary when its hour has come."""

    def __init__(self, actor: Actor[Any], settings: Settings) -> None:
        self._actor = actor
        self._settings = settings

    async def tend(self) -> timedelta:
        """Raise the summary if it is due; how long until the next look."""
        at = self._settings.alerts.daily_summary
        if at is None:
            return CHECK_EVERY
        now = self._actor.now()
        due = last_due(now, at)
        found = await ask_ledger(self._actor, FindEvents(kind=KIND, newest_first=True, limit=1))
        if not found or found[0].at < due:
            await self._raise(now, due, found[0] if found else None)
        return min(due + timedelta(days=1) - now, CHECK_EVERY)

    async def _raise(self, now: datetime, due: datetime, last: Event | None) -> None:
        rows = await ask_ledger(self._actor, ActiveRows())
        alerts = await ask_ledger(self._actor, FindAlerts(open_only=True))
        counters = await ask_ledger(self._actor, ReadCounters())
        total: Counter[str] = Counter()
        for statistics in counters.values():
            total.update(statistics)
        moved = _since(total, last)
        kinds = Counter(alert.type.value for alert in alerts)
        open_now = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        names = ", ".join(account.name for account in self._settings.accounts)
        draft = AlertDraft(
            type=AlertType.DAILY_SUMMARY,
            level=AlertLevel.INFO,
            dedup_key=f"{KIND}:{due.isoformat()}",
            title=f"Sexton is on guard: {len(rows)} positions, {len(alerts)} open alerts",
            seen=f"open alerts: {open_now or 'none'}",
            done=f"{self._settings.mode.value} mode, accounts {names}",
            next_step="acknowledge what is open" if alerts else "nothing",
            details=dict(sorted(moved.items())),
            lasting=False,
        )
        self._actor.tell(paths.ALERTS, RaiseAlert(draft=draft))
        noted = event(
            KIND,
            now,
            actor=self._actor.path,
            event_id=f"{KIND}:{due.isoformat()}",
            details={"counters": dict(total)},
        )
        await ask_ledger(self._actor, AppendEvent(draft=noted))


def last_due(now: datetime, at: time) -> datetime:
    """The latest instant, not after `now`, at which it was this time of day (UTC)."""
    today = now.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
    return today if today <= now else today - timedelta(days=1)


def _since(total: Counter[str], last: Event | None) -> dict[str, int]:
    """What the statistics moved by since the last summary; what stood still is left out."""
    before = last.details.get("counters") if last is not None else None
    known = before if isinstance(before, dict) else {}
    moved = {name: count - int(known.get(name, 0)) for name, count in total.items()}
    return {name: count for name, count in moved.items() if count}
