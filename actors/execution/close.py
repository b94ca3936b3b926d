"""The close of one leg: judged, sized, sent down the ladder, verified flat.

Read `Close.run` for the whole story. Sizes, rungs and the meaning of refusals are rules; orders
themselves are `actors.execution.orders`. Nothing here opens, and nothing is sent while an earlier
order of the leg has no known outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from actors.execution.evidence import LegJudge, verdict_text
from actors.execution.orders import Orders, Unresolved
from actors.ledger_client import ask_ledger, note
from actors.runtime import Actor
from messages.execution import ErrorCode, ExecutionResult
from messages.ledger import Intent, PositionRow
from messages.settings import OnUnknown, OrderSettings
from messages.to_exchange import CloseLeg, JudgeLeg, Markets
from messages.to_ledger import ActiveRows, FindIntents
from messages.values import ZERO
from messages.venue import Fill, OpenOrders, Quote, Refused, VenueError
from messages.verdict import Absent, Present, Unknown
from rules.ids import client_order_id
from rules.ladder import Attempt, LadderFacts, Send, Stop, next_order
from rules.leftovers import reserving_orders
from rules.pnl import mean_price
from rules.refusals import Answer, answer_refusal
from rules.sizing import Dust, Nothing, Sized, size_close
from venues.port import Venue

VERIFY_LIMIT = timedelta(seconds=30)
"""How long the snapshot may contradict a filled order before somebody must look."""

MAX_ORDERS = 40
"""A bound on the orders of one close, far above what the ladder allows."""

MAX_FREED = 3
"""How often the size that resting orders reserve is freed in one close."""


class Close:
    """One execution of `CloseLeg`. Runs in a worker of the exchange actor."""

    def __init__(
        self,
        owner: Actor[Any],
        venue: Venue,
        leg_judge: LegJudge,
        orders: Orders,
        markets: Markets,
        settings: OrderSettings,
        on_unknown: OnUnknown,
        now: Callable[[], datetime],
        order: CloseLeg,
    ) -> None:
        self._owner = owner
        self._venue = venue
        self._leg_judge = leg_judge
        self._orders = orders
        self._markets = markets
        self._settings = settings
        self._on_unknown = on_unknown
        self._now = now
        self._order = order
        self._begun = now()
        self._history: list[Attempt] = []
        self._done: list[Intent] = []
        self._budget: Decimal | None = None
        self._next_attempt = 1
        self._seen = ZERO
        self._before = ZERO
        self._freed = 0
        self._hedged = bool(markets.hedged)

    async def run(self) -> ExecutionResult:
        order = self._order
        settled = await self._orders.settle_open(order.key, order.key.account)
        if settled.unresolved:
            return self._failed(
                ErrorCode.NETWORK, "an earlier order of this leg has no known outcome yet"
            )
        closed_before = await self._remember_earlier_orders()
        if closed_before is not None:
            return closed_before
        waited = False
        for _ in range(MAX_ORDERS):
            sized = await self._size()
            if isinstance(sized, ExecutionResult):
                return sized
            step = await self._next_step(sized.quantity)
            if isinstance(step, ExecutionResult):
                return step
            if step.wait_first > timedelta(0) and not waited:
                # The facts may change while the rung waits, so they are gathered again after.
                await asyncio.sleep(step.wait_first.total_seconds())
                waited = True
                continue
            waited = False
            changed = await self._rows_changed()
            if changed is not None:
                return changed
            stop = await self._send(step, sized.quantity)
            if stop is not None:
                return stop
        return self._failed(ErrorCode.UNKNOWN, "the ladder did not end", permanent=True)

    async def _remember_earlier_orders(self) -> ExecutionResult | None:
        """Attempts are numbered across restarts, so that no client order id is used twice.

        A result where orders of ours have closed all that was there already: if the venue shows a
        leg all the same, it is another one, or a person must look.
        """
        earlier = await ask_ledger(
            self._owner, FindIntents(account=self._order.key.account, key=self._order.key)
        )
        mine = [
            i
            for i in earlier
            if i.row_ids == self._order.row_ids and i.purpose == self._order.purpose
        ]
        self._next_attempt = 1 + max((i.attempt for i in mine), default=0)
        waiting = [i for i in mine if i.filled > ZERO and not i.booked and i.seen_quantity > ZERO]
        filled = sum((i.filled for i in waiting), ZERO)
        self._before = filled
        if not waiting or filled < max(i.seen_quantity for i in waiting):
            return None
        judgement = await self._leg_judge.judge(self._question(), ignore_live=True)
        match judgement.verdict:
            case Absent():
                return None
            case Unknown(why=why):
                return self._failed(
                    ErrorCode.NETWORK, f"our orders have closed {filled}, and now: {why}"
                )
            case Present(quantity=again):
                return self._failed(
                    ErrorCode.UNKNOWN,
                    f"our orders have closed {filled}, all that was there, and the venue shows "
                    f"{again} again: it is not closed a second time",
                    permanent=True,
                )

    async def _rows_changed(self) -> ExecutionResult | None:
        """Before each order: are the rows still those that the close was decided for?

        The bot may have closed or rewritten them since, and an operator may hold them. An orphan
        has none.
        """
        order = self._order
        if not order.row_ids:
            return None
        rows = await ask_ledger(self._owner, ActiveRows(account=order.key.account))
        mine = [row for row in rows if row.id in order.row_ids]
        if len(mine) < len(order.row_ids):
            why = "a row of it is no longer active"
        elif any(row.held for row in mine):
            why = "an operator holds it"
        elif order.changed_at != max(at for row in mine for at in _instants(row)):
            why = "a row of it has changed"
        else:
            return None
        return self._failed(ErrorCode.ROW_CHANGED, f"not closed as decided: {why} since")

    async def _size(self) -> Sized | ExecutionResult:
        """How much may be closed now, or the end of the close."""
        order = self._order
        instrument = self._markets.instruments.get(order.key.symbol)
        if instrument is None:
            return self._failed(
                ErrorCode.NOT_TRADABLE, f"{order.key.symbol} is not listed", permanent=True
            )
        executed = self._executed()
        if executed > ZERO and self._budget is not None and executed >= self._budget:
            return await self._verify()
        judgement = await self._leg_judge.judge(
            self._question(), own=self._own_fills(), ignore_live=True
        )
        verdict = judgement.verdict
        self._seen = verdict.quantity if isinstance(verdict, Present) else ZERO
        if isinstance(verdict, Present):
            self._hedged = verdict.position.hedged
        match verdict:
            case Absent():
                if executed > ZERO:
                    return self._succeeded()
                return self._failed(
                    ErrorCode.POSITION_NOT_FOUND, "the leg is not on the exchange", permanent=True
                )
            case Unknown(other_side=True):
                return self._failed(ErrorCode.UNKNOWN, verdict.why, permanent=True)
            case Unknown() if self._on_unknown is OnUnknown.WAIT or executed > ZERO:
                return self._failed(ErrorCode.NETWORK, f"the leg cannot be judged: {verdict.why}")
            case Present() if self._budget is None:
                self._budget = verdict.quantity
            case _:
                pass
        if self._budget is None:
            self._budget = order.quantity
        sized = size_close(
            order.quantity, verdict, instrument, already_filled=self._executed() + self._before
        )
        match sized:
            case Nothing(why=why):
                if executed > ZERO:
                    return self._succeeded()
                return self._failed(ErrorCode.POSITION_NOT_FOUND, why, permanent=True)
            case Dust(quantity=quantity, minimum=minimum):
                return self._failed(
                    ErrorCode.MIN_SIZE,
                    f"{quantity} is below the smallest order of {minimum}",
                    permanent=True,
                )
            case Sized():
                return msgspec.structs.replace(
                    sized, quantity=min(sized.quantity, self._budget - executed)
                )

    async def _next_step(self, remaining: Decimal) -> Send | ExecutionResult:
        order = self._order
        quote = await self._venue.fetch_quote(order.key.symbol)
        step = next_order(
            LadderFacts(
                history=tuple(self._history),
                remaining=remaining,
                quote=quote if isinstance(quote, Quote) else None,
                instrument=self._markets.instruments[order.key.symbol],
                side=order.key.side,
                settings=self._settings,
                worst_price=order.worst_price,
            )
        )
        if isinstance(step, Stop):
            return self._failed(step.code, step.why, permanent=step.permanent)
        return step

    async def _send(self, step: Send, quantity: Decimal) -> ExecutionResult | None:
        order = self._order
        number, self._next_attempt = self._next_attempt, self._next_attempt + 1
        intent = Intent(
            client_order_id=client_order_id(
                order.key.account,
                order.key.symbol,
                order.key.side,
                order.row_ids,
                order.purpose,
                number,
            ),
            key=order.key,
            purpose=order.purpose,
            row_ids=order.row_ids,
            attempt=number,
            type=step.type,
            quantity=min(quantity, step.quantity),
            seen_quantity=min(quantity, self._seen),
            created_at=self._now(),
            price=step.price,
            hedged=self._hedged,
            phase=order.phase,
        )
        outcome = await self._orders.send(intent)
        match outcome:
            case Unresolved(why=why):
                return self._failed(ErrorCode.NETWORK, f"the order's outcome is unknown: {why}")
            case Refused(error=error):
                return await self._refused(step, error)
            case Intent():
                self._history.append(
                    Attempt(
                        type=step.type,
                        sent_price=step.price,
                        filled=outcome.filled,
                        complete=outcome.filled >= outcome.quantity,
                    )
                )
                if outcome.filled > ZERO:
                    self._done.append(outcome)
                    self._leg_judge.own_fill_at[order.key] = self._now()
                return None

    async def _refused(self, step: Send, error: VenueError) -> ExecutionResult | None:
        """B5: a refusal is a question. The leg is read again before it is called anything."""
        answer = answer_refusal(error, None)
        if answer.ask_venue:
            judgement = await self._leg_judge.judge(
                self._question(not_before=self._now()), own=self._own_fills(), ignore_live=True
            )
            gone = isinstance(judgement.verdict, Absent)
            if answer.cancel_resting and not gone and await self._free_reserved_size():
                self._history.append(
                    Attempt(type=step.type, sent_price=step.price, error=error, excused=True)
                )
                return None
            answer = answer_refusal(error, judgement.verdict)
            await self._note(
                "refusal_judged", error, answer, verdict=verdict_text(judgement.verdict)
            )
        self._history.append(Attempt(type=step.type, sent_price=step.price, error=error))
        if answer.permanent:
            return self._failed(answer.code, answer.text, permanent=True)
        return None

    async def _free_reserved_size(self) -> bool:
        """Cancel the resting reduce-only orders that hold the size; the protective stop stays.

        False as well where that was done so often that something else must be in the way.
        """
        order = self._order
        if self._freed >= MAX_FREED:
            return False
        resting = await self._venue.open_orders(order.key.symbol)
        if not isinstance(resting, OpenOrders):
            return False
        quote = await self._venue.fetch_quote(order.key.symbol)
        mark = quote.mark if isinstance(quote, Quote) else None
        freed = False
        for record in reserving_orders(order.key, resting, hedged=self._hedged, mark=mark):
            answer = await self._venue.cancel(
                order.key.symbol, record.order_id, trigger=record.trigger_price is not None
            )
            if not isinstance(answer, VenueError):
                freed = True
                await note(
                    self._owner,
                    "resting_order_cancelled",
                    order.key,
                    order_id=record.order_id,
                    why="it reserved the size of the close",
                )
        self._freed += freed
        return freed

    async def _verify(self) -> ExecutionResult:
        """B6: the order says filled; wait until a source of positions says flat as well."""
        order = self._order
        deadline = self._now() + VERIFY_LIMIT
        filled_at = self._leg_judge.own_fill_at.get(order.key, self._now())
        delay = 0.2
        while True:
            hint = self._leg_judge.hints.get(order.key)
            if hint is not None and hint.at >= filled_at and hint.quantity == ZERO:
                return self._succeeded(verified_by="stream")
            judgement = await self._leg_judge.judge(
                self._question(), own=self._own_fills(), ignore_live=True
            )
            if isinstance(judgement.verdict, Absent):
                return self._succeeded(verified_by="snapshot")
            if self._now() >= deadline:
                return self._failed(
                    ErrorCode.UNKNOWN,
                    "the order is filled, but the venue still does not show the leg flat: "
                    + verdict_text(judgement.verdict),
                )
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

    def _question(self, not_before: datetime | None = None) -> JudgeLeg:
        # Once an order of ours has filled, that is the leg's last change, whatever its row says.
        untouched = not self._done
        return JudgeLeg(
            key=self._order.key,
            changed_at=self._order.changed_at if untouched else None,
            since=self._order.since if untouched else None,
            quantity=self._budget if self._budget is not None else self._order.quantity,
            not_before=not_before,
        )

    async def _note(self, kind: str, error: VenueError, answer: Answer, **details: object) -> None:
        await note(
            self._owner,
            kind,
            self._order.key,
            details,
            answer=str(error),
            code=answer.code.value,
            text=answer.text,
        )

    def _executed(self) -> Decimal:
        return sum((i.filled for i in self._done), ZERO)

    def _own_fills(self) -> tuple[Fill, ...]:
        return tuple(
            Fill(
                fill_id=i.client_order_id,
                order_id=i.order_id,
                client_order_id=i.client_order_id,
                symbol=i.key.symbol,
                side=i.key.side.closing,
                position_side=i.key.side,
                quantity=i.filled,
                price=i.average if i.average is not None else ZERO,
                at=i.settled_at or self._now(),
                fee=i.fee,
            )
            for i in self._done
        )

    def _succeeded(self, verified_by: str = "snapshot") -> ExecutionResult:
        self._owner.log.info(
            "Closed {}: {} at {}, verified by {}",
            self._order.key,
            self._executed(),
            self._average(),
            verified_by,
        )
        return self._result(success=True)

    def _failed(self, code: ErrorCode, message: str, *, permanent: bool = False) -> ExecutionResult:
        return self._result(
            success=False, error_code=code, error_message=message, permanent=permanent
        )

    def _average(self) -> Decimal | None:
        executed = self._executed()
        prices = [(i.filled, i.average) for i in self._done if i.average is not None]
        if executed == ZERO or len(prices) < len(self._done):
            return None
        return mean_price(prices, self._markets.instruments[self._order.key.symbol].kind)

    def _result(
        self,
        *,
        success: bool,
        error_code: ErrorCode | None = None,
        error_message: str = "",
        permanent: bool = False,
    ) -> ExecutionResult:
        last = self._done[-1] if self._done else None
        return ExecutionResult(
            key=self._order.key,
            success=success,
            requested=self._budget if self._budget is not None else self._order.quantity,
            executed=self._executed(),
            order_id=last.order_id if last else "",
            client_order_ids=tuple(i.client_order_id for i in self._done),
            order_type=last.type if last else None,
            average_price=self._average(),
            fee=sum((i.fee for i in self._done), ZERO),
            error_code=error_code,
            error_message=error_message,
            permanent=permanent,
            attempts=len(self._history),
            execution_time=max((self._now() - self._begun).total_seconds(), 0.0),
        )


def _instants(row: PositionRow) -> tuple[datetime, ...]:
    """When a row was opened and last changed, as far as it says."""
    return tuple(at for at in (row.opened_at, row.updated_at) if at is not None)
