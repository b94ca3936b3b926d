"""Rows that nobody guards: they name an account that no configuration has (F6).

Spelled otherwise, perhaps, or with a blank. Passed over in silence, their positions would look
like orphans of the account that is meant.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from difflib import get_close_matches

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger
from messages.ledger import AlertType, PositionRow
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_ledger import ActiveRows, FindAlerts
from rules.absence_alerts import unjudged, unjudged_key


class UnguardedRows:
    """Since when each such row has been seen, and which were told of."""

    def __init__(self, context: Context, after: timedelta) -> None:
        self._context = context
        self._after = after
        self._since: dict[int, datetime] = {}
        self._told: dict[str, str] | None = None

    @property
    def look_every(self) -> timedelta:
        """Often enough that a row is told of soon after its time."""
        return self._after / 4

    async def look(self, known: Collection[str]) -> None:
        """Tell of rows that have named an unknown account for too long; end what is over."""
        if self._told is None:
            self._told = await self._recall()
        now = self._context.now()
        rows = await ask_ledger(self._context, ActiveRows())
        lost = {row.id: row for row in rows if row.account not in known}
        self._since = {row_id: self._since.get(row_id, now) for row_id in lost}
        standing = dict[str, str]()
        for row in lost.values():
            dedup_key = unjudged_key(row.account, _name(row))
            if now - self._since[row.id] >= self._after or dedup_key in self._told:
                standing[dedup_key] = row.account
                if dedup_key not in self._told:
                    self._tell(row, known)
        for dedup_key in self._told.keys() - standing.keys():
            self._context.tell(
                paths.ALERTS,
                ResolveAlert(dedup_key=dedup_key, resolution="its account is known, or it ended"),
            )
        self._told = standing

    def _tell(self, row: PositionRow, known: Collection[str]) -> None:
        close = get_close_matches(row.account.strip().lower(), list(known), n=1)
        meant = f"; is {close[0]} meant?" if close else ""
        why = f"no account of the configuration is called {row.account!r}{meant}"
        draft = unjudged(
            row.account,
            _name(row),
            why,
            since=self._since[row.id],
            after=self._after,
            symbol=row.symbol,
        )
        self._context.log.warning("{}: {}", draft.title, why)
        self._context.tell(paths.ALERTS, RaiseAlert(draft=draft))

    async def _recall(self) -> dict[str, str]:
        """What an earlier incarnation has told of."""
        alerts = await ask_ledger(self._context, FindAlerts(open_only=True, limit=1000))
        return {
            a.dedup_key: a.account
            for a in alerts
            if a.type is AlertType.UNJUDGED and "no account of the configuration" in a.seen
        }


def _name(row: PositionRow) -> str:
    return f"row {row.id} ({row.symbol} {row.side})"
