"""Finds aged legs and starts one actor for each; validates them all from one read.

The scan starts an actor for each leg that is old enough; periodic validation checks that the aged
legs of the ledger are still at the venue. Neither closes a position: the leg's own actor does. The
first scan drops the records of legs that ended while no guard ran.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec

from actors import paths
from actors.aged_leg import AgedLeg
from actors.commands import end_by_rows, give
from actors.ledger_client import ask_ledger
from actors.monitoring.account_view import (
    AccountReader,
    LedgerLegs,
    ViewUnavailable,
    wake_leg,
)
from actors.monitoring.aged_cleanup import forget_the_ended
from actors.monitoring.rounds import Rounds, initial_delay
from actors.monitoring.row_closing import PERIODIC_GHOST
from actors.monitoring.verdicts import MissingLegs, Outcome
from actors.runtime import (
    Actor,
    AlreadyThere,
    AskFailed,
    AskFailure,
    ChildSpec,
    Restart,
    StartChild,
    handles,
)
from messages.ledger import CommandKind, LedgerLeg
from messages.settings import AccountSettings, Settings
from messages.to_alerts import RaiseAlert
from messages.to_exchange import NotReady, RefreshMarkets
from messages.to_ledger import Count, FindCommands
from messages.to_monitors import CloseByOrder, CommandStored, Ordered, ScanNow, ScanReport
from messages.values import LegKey
from rules.alerts import unusable_row
from rules.commands import refusal
from rules.legs import LedgerView
from rules.phases import AgedFacts, LeaveAlone, NotYet, decide

HANDOVERS = 3
HANDOVER_WITHIN = 3.0
"""Seconds that a leg's actor may take to read a command; one in the middle of a close takes longer.
"""

LEG_STOP = 3.0
"""Seconds that a leg may take to stop; a close under way continues after the next start."""


class Scan(msgspec.Struct, frozen=True):
    """Sent to itself: look for aged legs."""


class Validate(msgspec.Struct, frozen=True):
    """Sent to itself: are the aged legs still there?"""


class AgedScanState(msgspec.Struct):
    """`aged` counts legs found aged at the last scan."""

    account: str
    aged: int = 0
    scans: int = 0
    validations: int = 0
    validation_errors: int = 0
    ghosts: int = 0
    last_problem: str = ""


class AgedScan(Actor[AgedScanState]):
    """One account's search for aged legs."""

    def __init__(
        self,
        account: AccountSettings,
        settings: Settings,
        legs: LedgerLegs,
        judged: Callable[[str, float], None] | None = None,
    ) -> None:
        super().__init__(AgedScanState(account=account.name))
        self._judged = judged
        self._account = account
        self._settings = settings
        self._known: frozenset[str] = frozenset()
        self._unusable: frozenset[int] = frozenset()
        self._legs = legs
        self._reader = AccountReader(self, account.name, legs)
        self._missing = MissingLegs(self, settings, self._wake)
        self._rounds = Rounds(account.name, settings.aged.scan_every)
        self._tidied = False

    def on_start(self) -> None:
        self.tell_self(Scan())
        every = self._settings.aged.validate_every
        if every is not None:
            self.after(initial_delay(self._account.name, every), Validate())

    @handles
    async def scan(self, message: Scan) -> None:
        report = await self._scan()
        self.after(self._rounds.next_in(ready=not report.problem), Scan())

    @handles
    async def scan_now(self, message: ScanNow) -> ScanReport:
        return await self._scan()

    @handles
    async def validate(self, message: Validate) -> None:
        every = self._settings.aged.validate_every
        if every is not None:
            await self._validate()
            self.after(every, Validate())

    @handles
    async def close_by_order(self, message: CloseByOrder) -> Ordered | NotReady:
        """An operator wants a leg closed, aged or not: stored before anything is done about it."""
        markets = await self._reader.markets()
        if isinstance(markets, ViewUnavailable):
            return NotReady(why=markets.why)
        view = await self._reader.ledger(markets)
        leg = view.legs.get(message.key)
        if leg is None:
            return NotReady(why=f"the ledger has no usable active row for {message.key}")
        if why := refusal(leg, message.row_ids):
            return NotReady(why=why)
        if message.expires_at is not None and message.expires_at <= self.now():
            return NotReady(why="the command came too late: it has expired")
        command = await give(self, CommandKind.CLOSE, message, leg)
        await self._hand_over(leg)
        return Ordered(command=command)

    async def _hand_over(self, leg: LedgerLeg) -> None:
        """Let the leg's actor read the command: a new one does by itself."""
        for _ in range(HANDOVERS):
            if await self._start(leg):
                return
            told = await self.attempt(
                paths.aged_leg(leg.key), CommandStored(), timeout=HANDOVER_WITHIN
            )
            # One that is busy finds the message after what it does; one that has ended never.
            if not isinstance(told, AskFailed) or told.why is AskFailure.TIMED_OUT:
                return

    async def _resume(self, view: LedgerView) -> None:
        """Take up what operators have ordered and nobody has ended."""
        found = await ask_ledger(self, FindCommands(account=self._account.name, open_only=True))
        for command in found:
            if command.kind is not CommandKind.CLOSE:
                continue
            leg = view.legs.get(command.key)
            if leg is None:
                await end_by_rows(self, command)
            else:
                await self._start(leg)

    # --- the scan -------------------------------------------------------------------------------

    async def _scan(self) -> ScanReport:
        markets = await self._reader.markets()
        if isinstance(markets, ViewUnavailable):
            self.state.last_problem = markets.why
            return ScanReport(problem=markets.why)
        view = await self._reader.ledger(markets)
        self._report_unusable(view)
        if not self._tidied:
            await forget_the_ended(self, self._account.name, view)
            self._tidied = True
        await self._resume(view)
        aged = self._aged(view)
        started = 0
        for leg in aged:
            started += await self._start(leg)
        names = frozenset(str(leg.key) for leg in aged)
        fresh = len(names - self._known)
        if fresh:
            self.tell(
                paths.LEDGER, Count(account=self._account.name, counters={"total_aged": fresh})
            )
        self._known = names
        self.state.aged = len(aged)
        self.state.scans += 1
        self.state.last_problem = ""
        if started:
            self.log.info(
                "Aged scan: {} of {} legs are aged, {} newly watched",
                len(aged),
                len(view.legs),
                started,
            )
        return ScanReport(checked=len(view.legs), found=len(aged), acted=started)

    def _aged(self, view: LedgerView) -> tuple[LedgerLeg, ...]:
        now = self.now()
        return tuple(
            leg
            for leg in view.legs.values()
            if not isinstance(
                decide(AgedFacts(leg=leg, now=now, quote=None), self._settings.aged),
                NotYet | LeaveAlone,
            )
        )

    async def _start(self, leg: LedgerLeg) -> int:
        """Start the leg's actor. Returns 0 where it was there already."""
        answer = await self.ask(
            paths.aged(self._account.name),
            StartChild(
                spec=ChildSpec(
                    name=leg.key.actor_name,
                    factory=partial(
                        AgedLeg,
                        leg.key,
                        self._settings,
                        self._account.on_unknown,
                        self._legs,
                        judged=self._judged,
                    ),
                    restart=Restart.TRANSIENT,
                    shutdown=LEG_STOP,
                )
            ),
        )
        return 0 if isinstance(answer, AlreadyThere) else 1

    def _report_unusable(self, view: LedgerView) -> None:
        bad = frozenset(entry.row.id for entry in view.unusable)
        for entry in view.unusable:
            if entry.row.id in self._unusable:
                continue
            self.log.warning("Unusable ledger row {}: {}", entry.row.id, entry.why)
            if entry.key is None:
                # Perhaps it was listed since the markets were read.
                self.tell(
                    paths.exchange(self._account.name), RefreshMarkets(symbol=entry.row.symbol)
                )
            draft = unusable_row(self._account.name, entry)
            self.tell(paths.ALERTS, RaiseAlert(draft=draft))
        self._unusable = bad

    def _wake(self, key: LegKey) -> None:
        wake_leg(self.system, key)

    # --- periodic validation --------------------------------------------------------------------

    async def _validate(self) -> ScanReport:
        """Judge all aged legs of the account from one read; close the rows of absent ones."""
        view = await self._reader.look()
        self.state.validations += 1
        if isinstance(view, ViewUnavailable):
            return self._validated(errors=1, problem=view.why)
        aged = {leg.key: leg for leg in self._aged(view.ledger)}
        if not aged:
            return self._validated()
        unseen = [key for key in view.comparison.unknown if key in aged]
        suspects = [leg for leg in view.comparison.missing if leg.key in aged]
        # Side by side, so that all of them are judged by the same read.
        judged = await asyncio.gather(
            *(
                self._missing.close_if_absent(
                    leg,
                    view.ledger,
                    view.markets,
                    reason=PERIODIC_GHOST,
                    not_before=view.snapshot.started_at,
                )
                for leg in suspects
            )
        )
        outcomes = [one.outcome for one in judged]
        ghosts = outcomes.count(Outcome.CLOSED)
        errors = outcomes.count(Outcome.UNKNOWN)
        if unseen:
            errors += 1
            self.log.warning(
                "Periodic validation: {} legs cannot be judged: {}",
                len(unseen),
                "; ".join(str(p) for p in view.snapshot.problems) or "out of the read's scope",
            )
        return self._validated(checked=len(aged), ghosts=ghosts, errors=errors)

    def _validated(
        self, *, checked: int = 0, ghosts: int = 0, errors: int = 0, problem: str = ""
    ) -> ScanReport:
        self.state.ghosts += ghosts
        self.state.validation_errors += errors
        self.state.last_problem = problem
        if errors:
            self.tell(
                paths.LEDGER,
                Count(
                    account=self._account.name,
                    counters={"position_validation_failures": errors},
                ),
            )
        self.log.info(
            "Periodic validation complete: checked={} ghosts={} errors={}",
            checked,
            ghosts,
            errors,
        )
        return ScanReport(
            checked=checked, found=ghosts, acted=ghosts, errors=errors, problem=problem
        )
