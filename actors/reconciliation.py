"""Reconciliation: row by row, does the ledger agree with the venue?

A row without a position is fixed by itself, on confirmed absence. A difference in quantity or
side is alerted and left for review. Where all agrees, one summary line is all that is said.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec

from actors import paths
from actors.ledger_client import ask_ledger, note
from actors.monitoring.account_view import (
    AccountReader,
    Differences,
    LedgerLegs,
    ViewUnavailable,
    wake_leg,
)
from actors.monitoring.rounds import Rounds
from actors.monitoring.row_closing import RECONCILED
from actors.monitoring.verdicts import MissingLegs, Outcome
from actors.runtime import Actor, handles
from messages.ledger import LedgerLeg
from messages.settings import AccountSettings, Settings
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_exchange import Markets
from messages.to_ledger import Count, FindAlerts
from messages.to_monitors import LookAt, ScanNow, ScanReport
from messages.values import LegKey, Side
from rules.alerts import is_of_mismatch, mismatch, mismatch_key, mismatch_text
from rules.diff import QuantityMismatch, SideMismatch


class Reconcile(msgspec.Struct, frozen=True):
    """Sent to itself: compare both views."""


class ReconciliationState(msgspec.Struct):
    account: str
    passes: int = 0
    agreed: int = 0
    mismatches: list[str] = []
    fixed: int = 0
    last_problem: str = ""


class Reconciliation(Actor[ReconciliationState]):
    """One account's reconciliation."""

    def __init__(self, account: AccountSettings, settings: Settings, legs: LedgerLegs) -> None:
        super().__init__(ReconciliationState(account=account.name))
        self._account = account
        self._settings = settings
        self._reported: dict[LegKey, str] | None = None
        self._reader = AccountReader(self, account.name, legs)
        self._missing = MissingLegs(self, self._reader, settings, self._wake)
        self._rounds = Rounds(account.name, settings.reconciliation.every)

    def on_start(self) -> None:
        self.tell_self(Reconcile())

    @handles
    async def reconcile(self, message: Reconcile) -> None:
        report = await self._reconcile()
        # Until a first pass succeeds the account is still connecting.
        ready = self.state.passes > 0 or not report.problem
        self.after(self._rounds.next_in(ready=ready), Reconcile())

    @handles
    async def scan_now(self, message: ScanNow) -> ScanReport:
        return await self._reconcile(self.now())

    @handles
    async def look_at(self, message: LookAt) -> None:
        """The stream says that a leg went flat: judge that one now."""
        markets = await self._reader.markets()
        if isinstance(markets, ViewUnavailable):
            return
        view = await self._reader.ledger(markets)
        leg = view.legs.get(message.key)
        if leg is None:
            return
        if await self._fix_if_gone(leg, markets, self.now()) is Outcome.OTHER_SIDE:
            await self._reconcile(self.now())

    async def _reconcile(self, not_before: datetime | None = None) -> ScanReport:
        found = await self._reader.differences(
            self._settings.verdict.confirm_after, not_before=not_before
        )
        if isinstance(found, ViewUnavailable):
            self.state.last_problem = found.why
            return ScanReport(problem=found.why, errors=1)
        read_at = found.view.snapshot.started_at
        # Side by side, so that all of them are judged by the same read.
        outcomes = await asyncio.gather(
            *(self._fix_if_gone(leg, found.view.markets, read_at) for leg in found.missing)
        )
        fixed = outcomes.count(Outcome.CLOSED)
        errors = outcomes.count(Outcome.UNKNOWN)
        await self._review(found)
        self.state.passes += 1
        self.state.agreed = found.view.comparison.agreed
        self.state.fixed += fixed
        self.state.last_problem = "; ".join(str(p) for p in found.view.snapshot.problems)
        mismatched = len(found.quantity) + len(found.side)
        self.log.info(
            "Reconciliation complete: checked={} agreed={} fixed={} for review={} unknown={}",
            len(found.view.ledger.legs),
            found.view.comparison.agreed,
            fixed,
            mismatched,
            len(found.view.comparison.unknown),
        )
        return ScanReport(
            checked=len(found.view.ledger.legs),
            found=len(found.missing) + mismatched,
            acted=fixed,
            errors=errors,
            problem=self.state.last_problem,
        )

    async def _fix_if_gone(
        self, leg: LedgerLeg, markets: Markets, read_at: datetime | None = None
    ) -> Outcome:
        outcome = await self._missing.close_if_absent(
            leg, markets, reason=RECONCILED, not_before=read_at
        )
        if outcome is Outcome.CLOSED:
            self.log.info("Auto-fixed: the rows of {} are closed ({})", leg.key, RECONCILED)
        return outcome

    def _wake(self, key: LegKey) -> None:
        wake_leg(self.system, key)

    # --- what needs a person --------------------------------------------------------------------

    async def _review(self, found: Differences) -> None:
        mismatches: tuple[QuantityMismatch | SideMismatch, ...] = (*found.quantity, *found.side)
        now = {m.leg.key: mismatch_text(m) for m in mismatches}
        before = self._reported
        if before is None:
            before = await self._reported_earlier()
        for difference in mismatches:
            said = now[difference.leg.key]
            if before.get(difference.leg.key) != said:
                await self._report(difference, said)
        # One look is enough to see that a difference stands, if not to report one.
        standing = {m.leg.key for m in found.view.comparison.quantity}
        standing |= {m.leg.key for m in found.view.comparison.side}
        for key in before:
            if key not in standing and found.view.is_conclusive_for(key):
                self.tell(
                    paths.ALERTS,
                    ResolveAlert(
                        dedup_key=mismatch_key(key), resolution="ledger and venue agree again"
                    ),
                )
            elif key not in now:
                now[key] = before[key]
        self._reported = now
        self.state.mismatches = [f"{key}: {said}" for key, said in sorted(now.items())]

    async def _reported_earlier(self) -> dict[LegKey, str]:
        """What an earlier incarnation has alerted: its legs have an open alert."""
        alerts = await ask_ledger(self, FindAlerts(open_only=True, account=self._account.name))
        return {
            LegKey(a.account, a.symbol, Side(a.side)): a.seen for a in alerts if is_of_mismatch(a)
        }

    async def _report(self, found: QuantityMismatch | SideMismatch, said: str) -> None:
        leg, position = found.leg, found.position
        self.log.warning("RECONCILIATION MISMATCH {}: {}", leg.key, said)
        if isinstance(found, QuantityMismatch):
            self.tell(
                paths.LEDGER,
                Count(account=self._account.name, counters={"quantity_mismatches": 1}),
            )
        await note(
            self,
            "reconciliation_mismatch",
            leg.key,
            ledger_side=leg.key.side.value,
            venue_side=position.key.side.value,
            ledger_quantity=leg.quantity,
            venue_quantity=position.quantity,
            position_id=list(leg.row_ids),
        )
        self.tell(paths.ALERTS, RaiseAlert(draft=mismatch(found)))
