"""The daily summary: proof of life, with what there is and what happened since the last one.

Used by the delivery actor. The event that notes a summary keeps a restart from repeating it, and
one that was missed while the guard was down is sent at the next start.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, time, timedelta

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger, event
from messages.ledger import Event
from messages.settings import Settings
from messages.to_alerts import RaiseAlert
from messages.to_ledger import ActiveRows, AppendEvent, FindAlerts, FindEvents, ReadCounters
from rules.guard_alerts import SUMMARY, daily_summary, summary_key

CHECK_EVERY = timedelta(minutes=10)
"""The longest wait at a time: the wall clock may jump, the loop's own does not."""


class Summaries:
    """Raises the summary when its hour has come."""

    def __init__(self, context: Context, settings: Settings) -> None:
        self._context = context
        self._settings = settings

    async def tend(self) -> timedelta:
        """Raise the summary if it is due; how long until the next look."""
        at = self._settings.alerts.daily_summary
        if at is None:
            return CHECK_EVERY
        now = self._context.now()
        due = last_due(now, at)
        found = await ask_ledger(
            self._context, FindEvents(kind=SUMMARY, newest_first=True, limit=1)
        )
        if not found or found[0].at < due:
            await self._raise(now, due, found[0] if found else None)
        return min(due + timedelta(days=1) - now, CHECK_EVERY)

    async def _raise(self, now: datetime, due: datetime, last: Event | None) -> None:
        rows = await ask_ledger(self._context, ActiveRows())
        alerts = await ask_ledger(self._context, FindAlerts(open_only=True))
        counters = await ask_ledger(self._context, ReadCounters())
        total: Counter[str] = Counter()
        for statistics in counters.values():
            total.update(statistics)
        moved = _since(total, last)
        draft = daily_summary(due, self._settings, positions=len(rows), alerts=alerts, moved=moved)
        self._context.tell(paths.ALERTS, RaiseAlert(draft=draft))
        noted = event(
            SUMMARY,
            now,
            actor=self._context.path,
            event_id=summary_key(due),
            details={"counters": dict(total)},
        )
        await ask_ledger(self._context, AppendEvent(draft=noted))


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
