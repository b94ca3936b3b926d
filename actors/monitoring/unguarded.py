"""Rows that nobody guards: they name an account that no configuration has (F6).

Spelled otherwise, perhaps, or with a blank. Passed over in silence, their positions would look
like orphans of the account that is meant.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from difflib import get_close_matches

from actors.context import Context
from actors.ledger_client import ask_ledger
from actors.monitoring.standing_alerts import StandingAlerts
from messages.ledger import AlertType, PositionRow
from messages.to_ledger import ActiveRows
from rules.absence_alerts import unjudged, unjudged_key

NO_ACCOUNT = "no account of the configuration"
"""How the reason begins, by which these alerts are known."""


class UnguardedRows:
    """Since when each such row has been seen, and which were told of."""

    def __init__(self, context: Context, after: timedelta) -> None:
        self._context = context
        self._after = after
        self._since: dict[int, datetime] = {}
        self._told = StandingAlerts(
            context,
            lambda alert: alert.type is AlertType.UNJUDGED and NO_ACCOUNT in alert.seen,
        )

    @property
    def look_every(self) -> timedelta:
        """Often enough that a row is told of soon after its time."""
        return self._after / 4

    async def look(self, known: Collection[str]) -> None:
        """Tell of rows that have named an unknown account for too long; end what is over."""
        await self._told.recall()
        now = self._context.now()
        rows = await ask_ledger(self._context, ActiveRows())
        lost = {row.id: row for row in rows if row.account not in known}
        self._since = {row_id: self._since.get(row_id, now) for row_id in lost}
        standing = {unjudged_key(row.account, _name(row)) for row in lost.values()}
        for row in lost.values():
            late = now - self._since[row.id] >= self._after
            if late and unjudged_key(row.account, _name(row)) not in self._told:
                self._tell(row, known)
        for dedup_key in self._told.all().keys() - standing:
            self._told.end(dedup_key, "its account is known, or it ended")

    def _tell(self, row: PositionRow, known: Collection[str]) -> None:
        close = get_close_matches(row.account.strip().lower(), list(known), n=1)
        meant = f"; is {close[0]} meant?" if close else ""
        why = f"{NO_ACCOUNT} is called {row.account!r}{meant}"
        draft = unjudged(
            row.account,
            _name(row),
            why,
            since=self._since[row.id],
            after=self._after,
            symbol=row.symbol,
        )
        self._context.log.warning("{}: {}", draft.title, why)
        self._told.tell(draft)


def _name(row: PositionRow) -> str:
    return f"row {row.id} ({row.symbol} {row.side})"
