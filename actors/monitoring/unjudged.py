"""Rows and legs that could not be judged for too long: nothing stays unknown in silence (F6).

A helper of reconciliation, which has looked at both sides and asked for verdicts already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from actors import paths
from actors.context import Context
from actors.ledger_client import ask_ledger
from actors.monitoring.account_view import AccountView
from actors.monitoring.verdicts import Judged, Outcome
from messages.ledger import AlertType, LedgerLeg
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_ledger import FindAlerts
from rules.absence_alerts import unjudged, unjudged_key

AHEAD = timedelta(minutes=1)
"""How far a row may be dated ahead before its date is called wrong."""


class Unjudged:
    """Since when each row of one account could not be judged, and which were told of."""

    def __init__(self, context: Context, account: str, after: timedelta) -> None:
        self._context = context
        self._account = account
        self._after = after
        self._since: dict[str, datetime] = {}
        self._told: set[str] | None = None

    @property
    def next_at(self) -> datetime | None:
        """When the next of them will have waited too long; None where none waits."""
        told = self._told or set()
        waiting = [since for what, since in self._since.items() if what not in told]
        return min(waiting) + self._after if waiting else None

    async def review(self, view: AccountView, judged: Sequence[Judged]) -> None:
        """Tell of what has waited too long, and end what was told of the rest."""
        if self._told is None:
            self._told = await self._recall()
        told = self._told
        now = self._context.now()
        found = _not_judged(view, judged, now)
        self._since = {what: self._since.get(what, now) for what in found}
        for what, (leg, why) in found.items():
            since = self._since[what]
            if what in told or now - since < self._after:
                continue
            draft = unjudged(
                self._account, what, why, since=since, after=self._after, symbol=leg.key.symbol
            )
            self._context.log.warning("{}: {}", draft.title, why)
            self._context.tell(paths.ALERTS, RaiseAlert(draft=draft))
            told.add(what)
        for what in told - found.keys():
            dedup_key = unjudged_key(self._account, what)
            self._context.tell(
                paths.ALERTS, ResolveAlert(dedup_key=dedup_key, resolution="it is judged again")
            )
        self._told = told & found.keys()

    async def _recall(self) -> set[str]:
        """What an earlier incarnation has told of."""
        alerts = await ask_ledger(
            self._context, FindAlerts(open_only=True, account=self._account, limit=1000)
        )
        prefix = unjudged_key(self._account, "")
        return {
            a.dedup_key.removeprefix(prefix)
            for a in alerts
            if a.type is AlertType.UNJUDGED and a.dedup_key.startswith(prefix)
        }


def _not_judged(
    view: AccountView, judged: Sequence[Judged], now: datetime
) -> dict[str, tuple[LedgerLeg, str]]:
    """By row, what could not be judged in this pass, and why."""
    found: dict[str, tuple[LedgerLeg, str]] = {}
    # That an account cannot be read is told as such, and not leg by leg.
    readable = view.snapshot.complete
    for key in view.comparison.unknown if readable else ():
        leg = view.ledger.legs[key]
        settle = key.symbol.partition(":")[2].partition("-")[0]
        why = f"positions settled in {settle} are not read (accounts.NAME.settles)"
        found[_name(leg)] = (leg, why)
    for one in judged:
        if readable and one.outcome in (Outcome.UNKNOWN, Outcome.WAITING):
            found[_name(one.leg)] = (one.leg, one.why)
    for leg in view.ledger.legs.values():
        dated = max(leg.opened_at, leg.updated_at)
        if dated > now + AHEAD:
            found[_name(leg)] = (leg, f"it is dated ahead, {dated:%Y-%m-%d %H:%M} UTC")
    return found


def _name(leg: LedgerLeg) -> str:
    rows = ", ".join(map(str, leg.row_ids))
    return f"row {rows} ({leg.key.symbol} {leg.key.side})"
