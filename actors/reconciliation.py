"""Reconciliation: row by row, does the ledger agree with the venue?

A row without a position is fixed by itself, on confirmed and explained absence. One that is gone
without a record is for a person, and so is a difference in quantity or side. Many that are gone
without a record make the account suspect. Where all agrees, one summary line is all that is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from actors import paths
from actors.commands import begin, end, end_by_rows, give
from actors.ledger_client import ask_ledger, note
from actors.monitoring.absences import Absences
from actors.monitoring.account_view import (
    AccountReader,
    Differences,
    LedgerLegs,
    ViewUnavailable,
    wake_leg,
)
from actors.monitoring.observed_ghosts import end_observed_ghosts
from actors.monitoring.rounds import Rounds
from actors.monitoring.row_closing import RECONCILED
from actors.monitoring.unjudged import Unjudged
from actors.monitoring.verdicts import Judged, MissingLegs, Outcome, ask_verdict
from actors.runtime import Actor, Timer, handles
from messages.budget import Lane
from messages.ledger import Command, CommandKind, CommandState, LedgerLeg
from messages.settings import AccountSettings, Settings
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_exchange import Markets, NotReady
from messages.to_ledger import Count, FindAlerts, FindCommands
from messages.to_monitors import AcceptAbsence, LookAt, Ordered, ScanNow, ScanReport
from messages.values import LegKey, Side
from messages.verdict import Unexplained
from rules.alerts import (
    is_of_mismatch,
    mismatch,
    mismatch_key,
    mismatch_text,
    net_key,
    net_mismatch,
    net_text,
)
from rules.commands import not_accepted, refusal, withdrawal
from rules.diff import Comparison, NetMismatch, QuantityMismatch, SideMismatch
from rules.legs import LedgerView

Mismatch = QuantityMismatch | SideMismatch | NetMismatch

SOONEST = timedelta(seconds=0.2)
"""How soon at the earliest a leg that waits is judged again."""


class Reconcile(msgspec.Struct, frozen=True):
    """Sent to itself: compare both views."""


class LookAgain(msgspec.Struct, frozen=True):
    """Sent to itself: a leg that could not be decided on can be now."""


class CarryOut(msgspec.Struct, frozen=True):
    """Sent to itself: an operator's command that is stored and not begun."""

    command: Command


class ReconciliationState(msgspec.Struct):
    """`ended` are legs that are gone and whose rows are still their bot's to close."""

    account: str
    passes: int = 0
    agreed: int = 0
    mismatches: list[str] = []
    fixed: int = 0
    ended: list[str] = []
    unexplained: list[str] = []
    suspect: str = ""
    last_problem: str = ""


class Reconciliation(Actor[ReconciliationState]):
    """One account's reconciliation."""

    def __init__(self, account: AccountSettings, settings: Settings, legs: LedgerLegs) -> None:
        super().__init__(ReconciliationState(account=account.name))
        self._account = account
        self._settings = settings
        self._reported: dict[LegKey, str] | None = None
        self._reader = AccountReader(self, account.name, legs)
        self._missing = MissingLegs(self, settings, self._wake)
        self._absences = Absences(self, account.name, settings)
        self._unjudged = Unjudged(self, account.name, settings.verdict.unjudged_after)
        self._rounds = Rounds(account.name, settings.reconciliation.every)
        self._waiting: dict[LegKey, datetime] = {}
        self._ended: set[LegKey] = set()
        self._again: Timer | None = None

    def on_start(self) -> None:
        self.tell_self(Reconcile())

    @handles
    async def reconcile(self, message: Reconcile) -> None:
        report = await self._reconcile()
        await self._resume()
        # Until a first pass succeeds the account is still connecting.
        ready = self.state.passes > 0 or not report.problem
        self.after(self._rounds.next_in(ready=ready), Reconcile())

    @handles
    async def scan_now(self, message: ScanNow) -> ScanReport:
        return await self._reconcile(self.now())

    @handles
    async def look_at(self, message: LookAt) -> None:
        """The stream says that a leg went flat: judge that one now."""
        await self._look_at([message.key])

    @handles
    async def look_again(self, message: LookAgain) -> None:
        """What was waited for is due."""
        self._again = None
        late = self._unjudged.next_at
        if late is not None and late <= self.now():
            await self._reconcile(self.now())
            return
        due = [key for key, at in self._waiting.items() if at <= self.now()]
        await self._look_at(due)
        self._plan()

    # --- what operators accept ------------------------------------------------------------------

    @handles
    async def accept(self, message: AcceptAbsence) -> Ordered | NotReady:
        """An operator takes an unexplained absence for closed: stored first, then judged again."""
        markets = await self._reader.markets()
        if isinstance(markets, ViewUnavailable):
            return NotReady(why=markets.why)
        leg = (await self._reader.ledger(markets)).legs.get(message.key)
        if leg is None:
            return NotReady(why=f"the ledger has no usable active row for {message.key}")
        if why := refusal(leg, message.row_ids):
            return NotReady(why=why)
        if message.expires_at is not None and message.expires_at <= self.now():
            return NotReady(why="the command came too late: it has expired")
        command = await give(self, CommandKind.ACCEPT, message, leg)
        self.tell_self(CarryOut(command))
        return Ordered(command=command)

    @handles
    async def carry_out(self, message: CarryOut) -> None:
        await self._carry_out(message.command)

    async def _resume(self) -> None:
        """Take up what an earlier incarnation was given and did not end."""
        found = await ask_ledger(self, FindCommands(account=self._account.name, open_only=True))
        for command in found:
            if command.kind is CommandKind.ACCEPT:
                await self._carry_out(command)

    async def _carry_out(self, command: Command) -> None:
        """Judge once more; only what is still unexplained is taken for closed."""
        if command.state is CommandState.WAITING and command.expires_at <= self.now():
            late = "not begun in time; nothing was closed"
            await end(self, command, CommandState.EXPIRED, late)
            return
        if (await begin(self, command)).state.final:
            return
        markets = await self._reader.markets()
        if isinstance(markets, ViewUnavailable):
            await end(self, command, CommandState.FAILED, f"nothing was closed: {markets.why}")
            return
        view = await self._reader.ledger(markets)
        leg = view.legs.get(command.key)
        if leg is None or not set(leg.row_ids) & set(command.row_ids):
            await end_by_rows(self, command)
            return
        if why := withdrawal(command, leg):
            await end(self, command, CommandState.WITHDRAWN, why)
            return
        verdict = (await ask_verdict(self, leg, view, not_before=self.now())).verdict
        if not isinstance(verdict, Unexplained):
            await end(self, command, CommandState.FAILED, not_accepted(verdict))
        elif why := await self._absences.accept(leg, verdict, markets):
            await end(self, command, CommandState.FAILED, f"nothing was closed: {why}")
        else:
            await end_by_rows(self, command)
            self._wake(leg.key)
        # What people were told of it, and of the account, may be over.
        await self._reconcile(self.now())

    async def _look_at(self, keys: Sequence[LegKey]) -> None:
        """Judge these legs now, and the whole account where they speak against it."""
        markets = await self._reader.markets()
        if isinstance(markets, ViewUnavailable):
            return
        view = await self._reader.ledger(markets)
        legs = [view.legs[key] for key in keys if key in view.legs]
        for key in keys:
            self._waiting.pop(key, None)
            self._ended.discard(key)
        judged = await self._judge(legs, view, markets, self.now())
        outcomes = {one.outcome for one in judged}
        speak_against_it = {Outcome.OTHER_SIDE, Outcome.NETTED, Outcome.UNEXPLAINED}
        if self._absences.undecided or outcomes & speak_against_it:
            await self._reconcile(self.now())

    async def _reconcile(self, not_before: datetime | None = None) -> ScanReport:
        # What stands is over only when two looks say so, as it began.
        standing = bool(self._reported is None or self._reported)
        found = await self._reader.differences(
            self._settings.verdict.confirm_after,
            not_before=not_before,
            twice=standing,
            lane=Lane.ROUND if not_before is None else Lane.ANSWER,
        )
        if isinstance(found, ViewUnavailable):
            self.state.last_problem = found.why
            return ScanReport(problem=found.why, errors=1)
        view = found.view
        self._waiting.clear()
        self._ended.clear()
        judged = await self._judge(
            found.missing, view.ledger, view.markets, view.snapshot.started_at
        )
        await self._absences.review(view, judged, view.markets)
        self.state.suspect = self._absences.suspect
        self.state.unexplained = sorted(
            f"{one.leg.key}: {one.why}" for one in judged if one.outcome is Outcome.UNEXPLAINED
        )
        await self._review(found)
        await end_observed_ghosts(self, self._account.name, view)
        await self._unjudged.review(view, judged)
        self._plan()
        return self._passed(found, judged)

    def _passed(self, found: Differences, judged: Sequence[Judged]) -> ScanReport:
        """Say and remember how a pass went."""
        view = found.view
        outcomes = [one.outcome for one in judged]
        fixed = outcomes.count(Outcome.CLOSED)
        mismatched = len(found.quantity) + len(found.side) + len(found.net)
        self.state.passes += 1
        self.state.agreed = view.comparison.agreed
        self.state.last_problem = "; ".join(str(p) for p in view.snapshot.problems)
        self.log.info(
            "Reconciliation complete: checked={} agreed={} fixed={} for review={} unexplained={} "
            "unknown={}",
            len(view.ledger.legs),
            view.comparison.agreed,
            fixed,
            mismatched,
            outcomes.count(Outcome.UNEXPLAINED),
            len(view.comparison.unknown),
        )
        return ScanReport(
            checked=len(view.ledger.legs),
            found=len(found.missing) + mismatched,
            acted=fixed,
            errors=outcomes.count(Outcome.UNKNOWN),
            problem=self.state.last_problem,
        )

    # --- legs that are not shown ----------------------------------------------------------------

    async def _judge(
        self,
        legs: Iterable[LedgerLeg],
        view: LedgerView,
        markets: Markets,
        not_before: datetime | None,
    ) -> list[Judged]:
        """Side by side, so that all of them are judged by the same read."""
        judged = await asyncio.gather(
            *(
                self._missing.close_if_absent(
                    leg, view, markets, reason=RECONCILED, not_before=not_before
                )
                for leg in legs
            )
        )
        for one in judged:
            if one.outcome is Outcome.CLOSED:
                self.state.fixed += 1
                self.log.info("Auto-fixed: the rows of {} are closed ({})", one.leg.key, RECONCILED)
            if one.again_at is not None:
                self._waiting[one.leg.key] = one.again_at
            if one.outcome is Outcome.ENDED:
                self._ended.add(one.leg.key)
        self.state.ended = sorted(map(str, self._ended))
        self._plan()
        return list(judged)

    def _plan(self) -> None:
        """Look again by itself when the first of the waiting legs can be decided on."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        due = list(self._waiting.values())
        if self._unjudged.next_at is not None:
            due.append(self._unjudged.next_at)
        if due:
            wait = max(min(due) - self.now(), SOONEST)
            self._again = self.after(wait, LookAgain())

    def _wake(self, key: LegKey) -> None:
        wake_leg(self.system, key)

    # --- what differs, for a person -------------------------------------------------------------

    async def _review(self, found: Differences) -> None:
        mismatches: tuple[Mismatch, ...] = (*found.quantity, *found.side, *found.net)
        now = {_key_of(one): _text_of(one) for one in mismatches}
        before = self._reported
        if before is None:
            before = await self._reported_earlier()
        for one in mismatches:
            said = now[_key_of(one)]
            if before.get(_key_of(one)) != said:
                await self._report(one, said)
        for key in before:
            if self._is_over(key, found):
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

    @staticmethod
    def _is_over(key: LegKey, found: Differences) -> bool:
        """Whether a difference stands no more: neither look shows it, and both could have.

        A leg that neither look shows is missing, which has a verdict of its own.
        """
        if key in _standing(found.first.comparison) | _standing(found.view.comparison):
            return False
        ledger = found.view.ledger
        if key not in ledger.legs and key not in ledger.unclear_legs:
            return True
        return found.two_looks and all(
            look.snapshot.find(key) is not None or look.ledger.has_opposite(key)
            for look in (found.first, found.view)
        )

    async def _reported_earlier(self) -> dict[LegKey, str]:
        """What an earlier incarnation has alerted: its legs have an open alert."""
        alerts = await ask_ledger(self, FindAlerts(open_only=True, account=self._account.name))
        return {
            LegKey(a.account, a.symbol, Side(a.side)): a.seen for a in alerts if is_of_mismatch(a)
        }

    async def _report(self, found: Mismatch, said: str) -> None:
        key = _key_of(found)
        self.log.warning("RECONCILIATION MISMATCH {}: {}", key, said)
        if isinstance(found, QuantityMismatch):
            self.tell(
                paths.LEDGER,
                Count(account=self._account.name, counters={"quantity_mismatches": 1}),
            )
        if isinstance(found, NetMismatch):
            await note(
                self,
                "reconciliation_mismatch",
                key,
                ledger_net=found.expected,
                venue_net=found.held,
                position_id=[*found.long.row_ids, *found.short.row_ids],
            )
            self.tell(paths.ALERTS, RaiseAlert(draft=net_mismatch(found)))
            return
        leg, position = found.leg, found.position
        await note(
            self,
            "reconciliation_mismatch",
            key,
            ledger_side=leg.key.side.value,
            venue_side=position.key.side.value,
            ledger_quantity=leg.quantity,
            venue_quantity=position.quantity,
            position_id=list(leg.row_ids),
        )
        self.tell(paths.ALERTS, RaiseAlert(draft=mismatch(found)))


def _key_of(found: Mismatch) -> LegKey:
    return net_key(found) if isinstance(found, NetMismatch) else found.leg.key


def _text_of(found: Mismatch) -> str:
    return net_text(found) if isinstance(found, NetMismatch) else mismatch_text(found)


def _standing(comparison: Comparison) -> set[LegKey]:
    """Legs of which a single look shows a difference, also one that was not told of yet."""
    mismatches: tuple[Mismatch, ...] = (*comparison.quantity, *comparison.side, *comparison.net)
    return {_key_of(one) for one in mismatches}
