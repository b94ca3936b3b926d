"""Alerts of one kind that stand: told once, and ended once, whoever of the incarnations told them.

What must be told, and what ends it, is its owner's to know.
"""

from __future__ import annotations

from collections.abc import Callable

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger
from messages.ledger import Alert, AlertDraft
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_ledger import FindAlerts


class StandingAlerts:
    """Those of `account` (None: of all) that `mine` says are of the kind."""

    def __init__(
        self, context: Context, mine: Callable[[Alert], bool], *, account: str | None = None
    ) -> None:
        self._context = context
        self._mine = mine
        self._account = account
        self._recalled = False
        self._standing: dict[str, Alert | AlertDraft] = {}

    async def recall(self) -> tuple[Alert, ...]:
        """Take over, once, what earlier incarnations told of. Returns all alerts that were open."""
        if self._recalled:
            return ()
        question = FindAlerts(open_only=True, account=self._account, limit=1000)
        alerts = await ask_ledger(self._context, question)
        self._standing.update((alert.dedup_key, alert) for alert in alerts if self._mine(alert))
        self._recalled = True
        return alerts

    def __contains__(self, dedup_key: str) -> bool:
        return dedup_key in self._standing

    def all(self) -> dict[str, Alert | AlertDraft]:
        """By dedup key, as they were told."""
        return dict(self._standing)

    def tell(self, draft: AlertDraft) -> None:
        """People are told, unless they were."""
        if draft.dedup_key in self._standing:
            return
        self._standing[draft.dedup_key] = draft
        self._context.tell(paths.ALERTS, RaiseAlert(draft=draft))

    def end(self, dedup_key: str, resolution: str) -> None:
        """It is over, and why."""
        self._standing.pop(dedup_key, None)
        self._context.tell(paths.ALERTS, ResolveAlert(dedup_key=dedup_key, resolution=resolution))
