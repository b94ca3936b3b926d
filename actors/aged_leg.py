"""The life of one aged position, from the scan that found it to the row that is closed.

A leg's actor looks, decides by the rules, validates at the exchange, and has the exchange actor
close. Each look reads the ledger again, so a new incarnation continues where the old one stopped.
The actor ends when the leg is closed, was a ghost, or has left the ledger. A leg that needs an
operator keeps its actor, so that everybody sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from actors import paths
from actors.aged_memory import AgedState, LegMemory
from actors.backoff import backoff
from actors.commands import CloseCommands
from actors.execution.close_context import PRICE_AGE
from actors.execution.evidence import verdict_text
from actors.ledger_client import ask_ledger, note
from actors.monitoring.account_view import AccountReader, LedgerLegs, ViewUnavailable
from actors.monitoring.row_closing import AGED_GHOST, RowsClosed, RowsLeft, close_rows_of
from actors.monitoring.verdicts import ask_verdict
from actors.runtime import Actor, AskFailed, Timer, handles
from messages.base import Done
from messages.budget import Lane
from messages.execution import ErrorCode, ExecutionResult
from messages.ledger import AlertDraft, AlertType, CommandState, LedgerLeg
from messages.settings import Mode, OnUnknown, Settings
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_exchange import CloseLeg, Judgement, Markets, ReadQuote
from messages.to_ledger import Count, FindIntents
from messages.to_monitors import CommandStored, LookAt, Release
from messages.values import ZERO, LegKey
from messages.venue import Price, PriceKind
from messages.verdict import Absent, Present, Unexplained, Unknown
from rules.alerts import (
    aged_key,
    close_failed,
    insufficient_balance,
    operator_needed,
    result_details,
)
from rules.diff import same_quantity
from rules.legs import LedgerView
from rules.phases import (
    AgedFacts,
    CloseNow,
    Hold,
    LeaveAlone,
    NotYet,
    Phase,
    closing_price,
    decide,
)

PURPOSE = "close"
ROUNDS = 8
"""Failed rounds of the whole order ladder after which a person must look."""

CLOSE_TIMEOUT = 900.0
"""Seconds: above the sum of the ladder's waits, so that only a lost exchange actor reaches it."""

SOON = timedelta(seconds=1)
"""How soon to look again at what is about to change."""

RETRY_LAST = timedelta(minutes=5)
MOST_PAUSES = 32
"""The longest wait after failures: this many regular pauses, and never above `RETRY_LAST`."""

ORDERED_RETRY = timedelta(seconds=10)
"""The same while an operator waits for his command's outcome."""

CONFIRM_WITHIN = timedelta(minutes=5)
"""How long after a command's end its own fills may take to show in what the venue reads."""


class Look(msgspec.Struct, frozen=True):
    """Sent to itself: gather the facts and decide."""


class AgedLeg(Actor[AgedState]):
    """One leg's close lifecycle: it is aged, or an operator has ordered its close.

    `judged` is called with the account and the seconds that each validation before a close took.
    """

    def __init__(
        self,
        key: LegKey,
        settings: Settings,
        on_unknown: OnUnknown,
        legs: LedgerLegs,
        *,
        judged: Callable[[str, float], None] | None = None,
    ) -> None:
        super().__init__(AgedState(key=key))
        self._key = key
        self._settings = settings
        self._on_unknown = on_unknown
        self._commands = CloseCommands(self, key)
        self._judged = judged
        self._reader = AccountReader(self, key.account, legs)
        self._pause = settings.aged.check_every
        self._memory = LegMemory(self, key)
        self._next: Timer | None = None

    # --- starting, and what others send it ------------------------------------------------------

    def on_start(self) -> None:
        self.tell_self(Look())

    @handles
    async def look(self, message: Look) -> None:
        await self._look_and_plan()

    @handles
    async def look_at(self, message: LookAt) -> None:
        await self._look_and_plan()

    @handles
    async def commanded(self, message: CommandStored) -> Done:
        """An operator's command: close at market, whatever the phase."""
        await self._commands.read(again=True)
        self.tell_self(LookAt(key=self._key))
        return Done()

    @handles
    async def release(self, message: Release) -> None:
        """An operator lets the guard go on."""
        await self._go_on(f"released by {message.by}")
        self.tell_self(LookAt(key=self._key))

    async def _go_on(self, why: str) -> None:
        """No operator is needed any more."""
        self.state.operator_needed = ""
        self.state.failures = 0
        await self._memory.remember(self.state)
        dedup_key = aged_key(AlertType.OPERATOR_NEEDED, self._key)
        self.tell(paths.ALERTS, ResolveAlert(dedup_key=dedup_key, resolution=why))

    # --- looking and deciding -------------------------------------------------------------------

    async def _look_and_plan(self) -> None:
        """One look; the next when something may have changed, or when a command ends."""
        await self._commands.read()
        await self._commands.expire(self.state.status)
        stood = self._commands.stand
        again = await self._look()
        if again is None:
            return
        await self._commands.expire(self.state.status)
        end_at = self._commands.end_at
        if stood and not self._commands.stand:
            again = min(again, SOON)
        elif end_at is not None:
            again = min(again, max(end_at - self.now(), timedelta(milliseconds=1)))
        if self._next is not None:
            self._next.cancel()
        self._next = self.after(again, Look())

    async def _look(self) -> timedelta | None:
        """One look at the leg. Returns when to look again; None when the actor has ended."""
        markets = await self._reader.markets()
        if isinstance(markets, ViewUnavailable):
            return self._wait(f"waiting: {markets.why}")
        view = await self._reader.ledger(markets)
        leg = view.legs.get(self._key)
        await self._commands.review(leg)
        if leg is None:
            await self._end("its row is no longer active")
            return None
        self.state = await self._memory.recall(self.state, leg)
        self._show(leg)
        if self._commands.stand and self.state.operator_needed:
            await self._go_on("an operator has ordered its close")
        if self.state.operator_needed:
            return self._wait(f"operator needed: {self.state.operator_needed}")
        decision = await self._decide(leg)
        match decision:
            case NotYet(until=until):
                await self._end(f"not aged before {until:%Y-%m-%d %H:%M} UTC")
                return None
            case LeaveAlone(why=why):
                return self._wait(f"left alone: {why}")
            case Hold():
                self._show_decision(decision)
                until_change = decision.next_change_at - self.now()
                pause = max(min(self._pause, until_change), timedelta(milliseconds=1))
                return self._wait(f"holding for {decision.target}", pause)
            case CloseNow():
                self._show_decision(decision)
                return await self._close(leg, view, markets, decision)

    async def _decide(self, leg: LedgerLeg) -> NotYet | LeaveAlone | Hold | CloseNow:
        """The rules' decision at the current price, or the operator's order."""
        if self._commands.stand:
            return _as_ordered(leg)
        blind = decide(AgedFacts(leg=leg, now=self.now(), quote=None), self._settings.aged)
        if not isinstance(blind, Hold):
            return blind
        # Legs that look within one pause share one question to the venue.
        price = await self._read_price(self._pause, Lane.ROUND)
        return decide(AgedFacts(leg=leg, now=self.now(), quote=price), self._settings.aged)

    async def _read_price(self, max_age: timedelta, lane: Lane) -> Price | None:
        """The best of the book, asked for at most so long ago."""
        answer = await self.attempt(
            paths.exchange(self._key.account),
            ReadQuote(
                symbol=self._key.symbol,
                kinds=frozenset((PriceKind.BOOK,)),
                max_age=max_age,
                lane=lane,
            ),
        )
        return answer if isinstance(answer, Price) else None

    async def _judge(
        self, leg: LedgerLeg, view: LedgerView, decision: CloseNow
    ) -> tuple[Judgement, CloseNow]:
        """The verdict before a close. Its price is asked for beside it, and not waited for.

        A close that is bounded by a price finds it there, or waits for it itself. An operator's
        is bounded by none.
        """
        if self._commands.stand:
            return await ask_verdict(self, leg, view, lane=Lane.CLOSE), decision
        asking_price = asyncio.ensure_future(self._read_price(PRICE_AGE, Lane.CLOSE))
        # Whatever ends the wait for the verdict, nobody needs the price any more then.
        try:
            judgement = await ask_verdict(self, leg, view, lane=Lane.CLOSE)
            price = asking_price.result() if asking_price.done() else None
        finally:
            asking_price.cancel()
        if price is None:
            return judgement, decision
        now = closing_price(self._key.side, price)
        return judgement, msgspec.structs.replace(decision, price=now)

    # --- closing --------------------------------------------------------------------------------

    async def _close(
        self, leg: LedgerLeg, view: LedgerView, markets: Markets, decision: CloseNow
    ) -> timedelta | None:
        """Validate at the exchange, then close what is really there."""
        before, self.state.status = self.state.status, "validating"
        judgement, decision = await self._judge(leg, view, decision)
        if self._judged is not None:
            self._judged(self._key.account, judgement.seconds)
        self.state.verdict = verdict_text(judgement.verdict)
        match judgement.verdict:
            case Absent() as absent:
                return await self._close_rows(leg, markets, absent, judgement)
            case Unexplained(why=why):
                await self._commands.end(
                    CommandState.FAILED, f"not closed: it is gone, and nothing says how: {why}"
                )
                return self._wait_for_a_person(why, before)
            case Unknown(other_side=True, why=why) | Unknown(netted=True, why=why):
                # A mismatch of sides is for a person, whom reconciliation alerts (D2).
                await self._commands.end(CommandState.FAILED, f"not closed: {why}")
                return self._wait(f"not closed: {why}")
            case Unknown(not_shown=True, why=why) as unknown:
                if not self._commands.have_begun:
                    await self._commands.end(CommandState.FAILED, f"nothing was sent: {why}")
                return self._wait(f"not closed: {why}", self._until(unknown.look_again_at))
            case Unknown(banned_until=datetime(), why=why):
                # Nothing can be asked, so nothing can have failed; people know of the ban.
                return self._wait(f"waiting for the venue's ban to end: {why}")
            case Unknown(why=why):
                await self._report_unknown(why)
                if self._on_unknown is OnUnknown.WAIT:
                    return self._wait(f"waiting for a verdict: {why}")
            case Present(quantity=quantity):
                await self._report_present(leg, markets, quantity, judgement.seconds)
        if self._settings.mode is Mode.OBSERVE:
            await self._commands.end(
                CommandState.FAILED,
                f"in observe mode nothing is sent; it would have closed {leg.quantity}",
            )
            return await self._say_what_would_close(leg, decision)
        if self._commands.are_over:
            return await self._after_its_end(leg, judgement.verdict)
        return await self._execute(leg, view, decision)

    async def _after_its_end(self, leg: LedgerLeg, verdict: Present | Unknown) -> timedelta:
        """No order leaves for a command whose end has come; what it has filled may still show."""
        filled = await self._filled(leg)
        shown = verdict.quantity if isinstance(verdict, Present) else None
        late = self._commands.over_for() > CONFIRM_WITHIN
        if not late and (shown is None or (filled > ZERO and shown > leg.quantity - filled)):
            return self._wait(f"closed {filled}, not yet confirmed: {verdict_text(verdict)}", SOON)
        why = self.state.last_error or "it was interrupted"
        await self._commands.end(
            CommandState.FAILED,
            f"not closed in its time: {why}; {filled} of {leg.quantity} are closed, "
            f"and now it is {verdict_text(verdict)}",
        )
        return self._wait("the operator's command has failed", SOON)

    async def _filled(self, leg: LedgerLeg) -> Decimal:
        """What orders of ours have filled for these rows, in base units."""
        intents = await ask_ledger(
            self, FindIntents(account=self._key.account, key=self._key, unbooked_only=True)
        )
        rows = set(leg.row_ids)
        return sum((i.filled for i in intents if rows.intersection(i.row_ids)), ZERO)

    def _wait_for_a_person(self, why: str, before: str) -> timedelta:
        """Gone, and nothing says how: reconciliation tells people, and nothing is sent."""
        status = f"gone, and nothing says how: {why}"
        if before != status:
            self.tell(paths.reconciliation(self._key.account), LookAt(key=self._key))
        return self._wait(status, RETRY_LAST)

    def _until(self, at: datetime | None) -> timedelta:
        """The regular pause, or the longer wait for what is known to come at an instant."""
        return self._pause if at is None else max(at - self.now(), self._pause)

    async def _report_unknown(self, why: str) -> None:
        self.log.warning("Position validation FAILED for {}: {}", self._key, why)
        self._count("position_validation_failures")
        await self._note("position_validation_failed", why=why)

    async def _report_present(
        self, leg: LedgerLeg, markets: Markets, quantity: Decimal, seconds: float
    ) -> None:
        self.log.info(
            "Position validated on exchange: {} {} in {:.3f} s", self._key, quantity, seconds
        )
        if same_quantity(leg.quantity, quantity, markets.instruments[self._key.symbol]):
            return
        self.log.warning(
            "Quantity MISMATCH detected for {}: ledger {}, exchange {}",
            self._key,
            leg.quantity,
            quantity,
        )
        self._count("quantity_mismatches")
        await self._note("quantity_mismatch", ledger=leg.quantity, exchange=quantity)

    async def _say_what_would_close(self, leg: LedgerLeg, decision: CloseNow) -> timedelta:
        """Observe mode sends nothing; it records once a phase what it would have done."""
        pause = self._wait(f"observe: would close ({decision.why})")
        rows = ",".join(map(str, leg.row_ids))
        await note(
            self,
            "would_close",
            self._key,
            event_id=f"would-close:{self._key.account}:{rows}:{decision.phase.value}",
            phase=decision.phase.value,
            why=decision.why,
            target=decision.target,
            price=decision.price,
        )
        return pause

    async def _execute(
        self, leg: LedgerLeg, view: LedgerView, decision: CloseNow
    ) -> timedelta | None:
        """Have the exchange actor close the leg, and see what came of it."""
        if self._commands.stand and not await self._commands.begin():
            return self._wait("the operator's command has ended", SOON)
        self.state.status = "closing"
        await self._note(
            "close_decided",
            phase=decision.phase.value,
            why=decision.why,
            target=decision.target,
            price=decision.price,
        )
        result = await self.attempt(
            paths.exchange(self._key.account),
            CloseLeg(
                key=self._key,
                row_ids=leg.row_ids,
                quantity=leg.quantity,
                changed_at=leg.updated_at,
                since=leg.opened_at,
                purpose=PURPOSE,
                phase=decision.phase.value,
                worst_price=decision.worst_price,
                opposite_rows=view.has_opposite(self._key),
            ),
            timeout=CLOSE_TIMEOUT,
        )
        if isinstance(result, AskFailed):
            self.state.last_error = result.why
            return self._wait(f"the close has no answer: {result.why}")
        await self._note("close_result", **result_details(result))
        if result.success or result.error_code is ErrorCode.POSITION_NOT_FOUND:
            return await self._confirm_gone()
        return await self._failed(result)

    # --- ending ---------------------------------------------------------------------------------

    async def _confirm_gone(self) -> timedelta | None:
        """Close the rows on confirmed absence, by the same path as any ghost's.

        Our own fills are found there and make it a close of ours.
        """
        markets = await self._reader.markets()
        if isinstance(markets, ViewUnavailable):
            return self._pause
        view = await self._reader.ledger(markets)
        leg = view.legs.get(self._key)
        if leg is None:
            await self._end("closed")
            return None
        judgement = await ask_verdict(self, leg, view, lane=Lane.CLOSE)
        if isinstance(judgement.verdict, Absent):
            return await self._close_rows(leg, markets, judgement.verdict, judgement)
        return self._wait("closed by the order's record, not yet seen flat", SOON)

    async def _close_rows(
        self, leg: LedgerLeg, markets: Markets, verdict: Absent, judgement: Judgement
    ) -> timedelta | None:
        """The leg is absent: close its rows and end."""
        closed = await close_rows_of(
            self,
            self._settings,
            leg,
            verdict,
            judgement,
            instrument=markets.instruments[self._key.symbol],
            ghost_reason=AGED_GHOST,
        )
        match closed:
            case RowsLeft(why=why):
                if closed.again_at is not None:
                    await self._commands.end(CommandState.DONE, why)
                elif self._settings.mode is Mode.OBSERVE:
                    await self._commands.end(CommandState.FAILED, why)
                due = closed.again_at
                return self._wait(why, None if due is None else max(due - self.now(), SOON))
            case RowsClosed():
                what = "ghost" if closed.ghost else "closed"
                await self._end(what if closed.by_us else "another actor closed its row")
                return None

    async def _end(self, why: str) -> None:
        await self._commands.review(None)
        self.state.status = f"ended: {why}"
        await self._memory.forget(f"the leg ended: {why}")
        self.log.info("{} has ended: {}", self._key, why)
        self.stop()

    # --- failing --------------------------------------------------------------------------------

    async def _failed(self, result: ExecutionResult) -> timedelta:
        """Try again after ever longer waits, until a person must look."""
        code = result.error_code or ErrorCode.UNKNOWN
        if code is ErrorCode.PRICE_BAND and result.attempts == 0:
            # The price left the target before an order could go out: nothing failed.
            return self._wait(result.error_message)
        if code is ErrorCode.ACCOUNT_SUSPECT:
            # Nothing was sent, and people have been told why.
            await self._commands.end(CommandState.FAILED, result.error_message)
            return self._wait(result.error_message, self._pause * MOST_PAUSES)
        if code in (ErrorCode.ROW_CHANGED, ErrorCode.ACCOUNT_UNDECIDED):
            return self._wait(result.error_message, SOON)
        if code is ErrorCode.RATE_LIMITED:
            # Known unsent: it waits for the venue, and no person can help.
            return self._wait(f"waiting for the venue's limit: {result.error_message}")
        if code is ErrorCode.NOT_TRADABLE and not result.permanent:
            # A halt ends by itself; people are told that the leg waits for that.
            self.state.last_error = f"{code}: {result.error_message}"
            self._alert(close_failed(self._key, self.state.row_ids, result))
            return self._wait(f"waiting for trading to go on: {result.error_message}")
        self.state.failures += 1
        self.state.last_error = f"{code}: {result.error_message}"
        self._count("failed_closes")
        self.log.error("Close of {} failed: {}", self._key, self.state.last_error)
        if code is ErrorCode.INSUFFICIENT_BALANCE:
            self.log.critical("real insufficient balance on {}: the position is there", self._key)
            self._alert(insufficient_balance(self._key, self.state.row_ids, result))
        if result.permanent or self.state.failures >= ROUNDS:
            self.state.operator_needed = self.state.last_error
            self.state.status = f"operator needed: {self.state.operator_needed}"
            await self._memory.remember(self.state)
            self._alert(operator_needed(self._key, self.state.row_ids, result))
            await self._commands.end(CommandState.FAILED, f"not closed: {self.state.last_error}")
            return self._pause
        self._alert(close_failed(self._key, self.state.row_ids, result))
        await self._memory.remember(self.state)
        first, longest = self._pause * 2, min(self._pause * MOST_PAUSES, RETRY_LAST)
        if self._commands.stand:
            first, longest = min(first, SOON), ORDERED_RETRY
        pause = backoff(self.state.failures, first, longest)
        return self._wait(f"trying again after {self.state.last_error}", pause)

    # --- telling --------------------------------------------------------------------------------

    def _wait(self, status: str, pause: timedelta | None = None) -> timedelta:
        """Show why the leg waits. Without `pause` it waits for the next regular look."""
        self.state.status = status
        return self._pause if pause is None else pause

    def _show(self, leg: LedgerLeg) -> None:
        self.state.row_ids = leg.row_ids
        self.state.quantity = leg.quantity
        self.state.entry_price = leg.entry_price
        self.state.opened_at = leg.opened_at

    def _show_decision(self, decision: Hold | CloseNow) -> None:
        if self.state.phase and self.state.phase != decision.phase.value:
            self.log.info("{} enters the {} phase", self._key, decision.phase.value)
        self.state.phase = decision.phase.value
        self.state.target = decision.target
        self.state.price = decision.price

    def _alert(self, draft: AlertDraft) -> None:
        self.tell(paths.ALERTS, RaiseAlert(draft=draft))

    def _count(self, name: str) -> None:
        self.tell(paths.LEDGER, Count(account=self._key.account, counters={name: 1}))

    async def _note(self, kind: str, **details: object) -> None:
        await note(self, kind, self._key, details)


def _as_ordered(leg: LedgerLeg) -> CloseNow:
    """An operator's order to close, whatever age and price."""
    return CloseNow(
        phase=Phase.MARKET,
        target=leg.entry_price,
        price=None,
        why="an operator ordered it",
        worst_price=None,
    )
