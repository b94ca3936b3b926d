"""Legs that are gone without a record: told once, or together as a suspect account.

Reconciliation has them judged; this decides with the rules what people are told and what the
account may still do, and ends what was told when the evidence turns up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from actors import paths
from actors.context import Context
from actors.ledger_client import note
from actors.monitoring.account_view import AccountView
from actors.monitoring.row_closing import ACCEPTED, RowsLeft, close_rows_of
from actors.monitoring.standing_alerts import StandingAlerts
from actors.monitoring.verdicts import Judged, Outcome
from messages.ledger import LedgerLeg
from messages.settings import OnUnexplained, Settings
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_exchange import Judgement, Markets, SetSuspect
from messages.values import LegKey, Side
from messages.venue import VenuePosition
from messages.verdict import Unexplained
from rules.absence_alerts import (
    account_suspect,
    is_unexplained,
    suspect_key,
    unexplained_absence,
    unexplained_key,
)
from rules.diff import same_quantity
from rules.suspicion import LegsJudged, may_be_suspect, suspicion, undecided
from rules.verdict import accepted


class Absences:
    """What one account's unexplained absences have led to so far."""

    def __init__(self, context: Context, account: str, settings: Settings) -> None:
        self._context = context
        self._account = account
        self._settings = settings
        self._told = StandingAlerts(context, is_unexplained, account=account)
        self.suspect = ""
        self.undecided = "no read of it has been complete yet"

    async def review(self, view: AccountView, judged: Sequence[Judged], markets: Markets) -> None:
        """After a pass: who must know, and is this the right account at all?"""
        for alert in await self._told.recall():
            if alert.dedup_key == suspect_key(self._account):
                self.suspect = alert.seen
        unexplained = {one.leg.key: one for one in judged if one.unexplained is not None}
        legs = _counted(view, judged)
        suspect = suspicion(legs)
        if not suspect and self.suspect and may_be_suspect(legs):
            suspect = self.suspect
        if view.snapshot.complete:
            self.undecided = undecided(_waited_for(legs, judged))
        await self._set_suspect(suspect, tuple(unexplained), view.snapshot.started_at)
        now = set[str]()
        for one in unexplained.values():
            if one.unexplained is None:
                continue
            if await self._accept_if_old(one.leg, one.unexplained, markets):
                continue
            dedup_key = unexplained_key(one.leg)
            if not suspect and dedup_key not in self._told:
                if may_be_suspect(legs) and self._is_new(one.unexplained):
                    continue
                await self._tell(one.leg, one.unexplained, view)
            now.add(dedup_key)
        self._resolve(now, view, judged)

    def _is_new(self, verdict: Unexplained) -> bool:
        """Whether the other legs have time yet to be judged: it may be the account's trouble."""
        return self._context.now() - verdict.since < 2 * self._settings.verdict.settle

    async def accept(
        self, leg: LedgerLeg, verdict: Unexplained, markets: Markets, *, reason: str = ACCEPTED
    ) -> str:
        """Close the leg's rows with an unknown exit. Returns why not, or an empty string."""
        closed = await close_rows_of(
            self._context,
            self._settings,
            leg,
            accepted(verdict),
            Judgement(verdict=verdict),
            instrument=markets.instruments[leg.key.symbol],
            ghost_reason=reason,
        )
        return closed.why if isinstance(closed, RowsLeft) else ""

    async def _set_suspect(self, why: str, legs: Sequence[LegKey], seen_at: datetime) -> None:
        """Tell the exchange actor whether it may do more than read, and people once."""
        self._context.tell(
            paths.exchange(self._account),
            SetSuspect(why=why, undecided=self.undecided, seen_at=seen_at),
        )
        if why and why != self.suspect:
            self._context.log.critical("{} is suspect: {}", self._account, why)
            self._context.tell(
                paths.ALERTS, RaiseAlert(draft=account_suspect(self._account, why, legs))
            )
        if not why and self.suspect:
            self._context.tell(
                paths.ALERTS,
                ResolveAlert(
                    dedup_key=suspect_key(self._account),
                    resolution="the venue shows the ledger's legs, or records explain their ends",
                ),
            )
        self.suspect = why

    async def _accept_if_old(self, leg: LedgerLeg, verdict: Unexplained, markets: Markets) -> bool:
        """Where the settings say so, and after their time, take it for closed."""
        rule = self._settings.verdict
        if rule.unexplained is not OnUnexplained.ACCEPT or self.suspect:
            return False
        if self._context.now() - verdict.since < rule.accept_after:
            return False
        return not await self.accept(leg, verdict, markets)

    async def _tell(self, leg: LedgerLeg, verdict: Unexplained, view: AccountView) -> None:
        draft = unexplained_absence(leg, verdict, twin=_twin_of(leg, view))
        self._context.log.critical("{}: {}", draft.title, draft.seen)
        await note(self._context, "unexplained_absence", leg.key, draft.details)
        self._told.tell(draft)

    def _resolve(self, now: Collection[str], view: AccountView, judged: Sequence[Judged]) -> None:
        """End what was told of legs that are shown again, explained, or closed in the ledger."""
        outcomes = {one.leg.key: one.outcome for one in judged}
        for dedup_key, alert in self._told.all().items():
            if dedup_key in now:
                continue
            key = LegKey(alert.account, alert.symbol, Side(alert.side))
            resolution = _resolution(dedup_key, key, view, outcomes.get(key))
            if resolution:
                self._told.end(dedup_key, resolution)


def _counted(view: AccountView, judged: Sequence[Judged]) -> LegsJudged:
    """How the ledger's legs came out in one pass, as far as its read covers them.

    Of what an incomplete read does not show, nothing came out.
    """
    outcomes = [one.outcome for one in judged]
    explained = outcomes.count(Outcome.CLOSED) + outcomes.count(Outcome.ENDED)
    unexplained = outcomes.count(Outcome.UNEXPLAINED)
    at_the_venue = {position.key for position in view.snapshot.positions}
    shown = len(at_the_venue.intersection(view.ledger.legs))
    return LegsJudged(
        shown=shown,
        explained=explained,
        unexplained=unexplained,
        undecided=(len(outcomes) if view.snapshot.complete else len(view.ledger.legs) - shown)
        - explained
        - unexplained,
    )


def _waited_for(legs: LegsJudged, judged: Sequence[Judged]) -> LegsJudged:
    """The same without the legs that are for a person to decide, or turned out to be there."""
    waited_for = sum(one.outcome in (Outcome.WAITING, Outcome.UNKNOWN) for one in judged)
    return msgspec.structs.replace(legs, undecided=waited_for)


def _twin_of(leg: LedgerLeg, view: AccountView) -> VenuePosition | None:
    """A position that no row knows, of the same side and size: what a rename leaves behind."""
    instrument = view.markets.instruments.get(leg.key.symbol)
    return next(
        (
            position
            for position in view.comparison.orphans
            if position.key.side is leg.key.side
            and same_quantity(position.quantity, leg.quantity, instrument)
        ),
        None,
    )


def _resolution(dedup_key: str, key: LegKey, view: AccountView, outcome: Outcome | None) -> str:
    """Why an absence needs nobody any more; empty where it may still."""
    leg = view.ledger.legs.get(key)
    if leg is None or unexplained_key(leg) != dedup_key:
        return "its row is no longer active"
    if view.snapshot.find(key) is not None:
        return "the exchange shows it again"
    if outcome in (Outcome.CLOSED, Outcome.ENDED):
        return "a record says how it ended"
    return ""
