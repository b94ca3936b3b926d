"""Rows and legs that could not be judged for too long: nothing stays unknown in silence (F6).

A helper of reconciliation, which has looked at both sides and asked for verdicts already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from actors.context import Context
from actors.monitoring.account_view import AccountView
from actors.monitoring.standing_alerts import StandingAlerts
from actors.monitoring.verdicts import Judged, Outcome
from messages.ledger import AlertType, LedgerLeg
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
        prefix = unjudged_key(account, "")
        self._told = StandingAlerts(
            context,
            lambda alert: alert.type is AlertType.UNJUDGED and alert.dedup_key.startswith(prefix),
            account=account,
        )

    @property
    def next_at(self) -> datetime | None:
        """When the next of them will have waited too long; None where none waits."""
        waiting = [
            since
            for what, since in self._since.items()
            if unjudged_key(self._account, what) not in self._told
        ]
        return min(waiting) + self._after if waiting else None

    async def review(self, view: AccountView, judged: Sequence[Judged]) -> None:
        """Tell of what has waited too long, and end what was told of the rest."""
        await self._told.recall()
        now = self._context.now()
        found = _not_judged(view, judged, now)
        self._since = {what: self._since.get(what, now) for what in found}
        for what, (leg, why) in found.items():
            since = self._since[what]
            if unjudged_key(self._account, what) in self._told or now - since < self._after:
                continue
            draft = unjudged(
                self._account, what, why, since=since, after=self._after, symbol=leg.key.symbol
            )
            self._context.log.warning("{}: {}", draft.title, why)
            self._told.tell(draft)
        standing = {unjudged_key(self._account, what) for what in found}
        for dedup_key in self._told.all().keys() - standing:
            self._told.end(dedup_key, "it is judged again")


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
