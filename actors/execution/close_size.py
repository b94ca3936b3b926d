"""The first part of a close: may an order go out for these rows, and for how much?

Asked anew before each order: the leg is judged again, and the rows are read again. What a verdict
and an instrument allow is `rules.sizing`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from actors.execution.close_context import CloseContext, Progress
from actors.execution.close_verify import verify
from actors.ledger_client import ask_ledger
from messages.execution import ErrorCode, ExecutionResult
from messages.ledger import IntentState, PositionRow
from messages.settings import OnUnknown
from messages.to_ledger import ActiveRows, FindIntents
from messages.values import ZERO
from messages.venue import InstrumentStatus
from messages.verdict import Absent, Present, Unexplained, Unknown, Verdict
from rules.sizing import Dust, Nothing, Sized, size_close


async def recall_earlier_orders(
    context: CloseContext, progress: Progress
) -> ExecutionResult | None:
    """What orders of ours have done for these rows before, in this life of the actor or another.

    Attempts are numbered across restarts, so that no client order id is used twice. A result where
    orders of ours have closed all that was there already: if the venue shows a leg all the same, it
    is another one, or a person must look.
    """
    order = progress.order
    earlier = await ask_ledger(context.actor, FindIntents(account=order.key.account, key=order.key))
    mine = [i for i in earlier if i.row_ids == order.row_ids and i.purpose == order.purpose]
    progress.next_attempt = 1 + max((i.attempt for i in mine), default=0)
    rows = set(order.row_ids)
    for_rows = [i for i in earlier if rows.intersection(i.row_ids) and not i.booked]
    progress.blind = any(i.seen_quantity == ZERO and i.state is IntentState.DONE for i in for_rows)
    waiting = [i for i in for_rows if i.filled > ZERO]
    if not waiting:
        return None
    filled = progress.before = sum((i.filled for i in waiting), ZERO)
    # A read that began before the last of them ended says nothing of what they left.
    ended = max(i.settled_at or i.created_at for i in waiting)
    context.leg_judge.filled(order.key, ended)
    # A blind order was for all that the rows have.
    if filled < max(i.seen_quantity or i.quantity for i in waiting):
        return None
    judgement = await progress.judge_leg()
    match judgement.verdict:
        case Absent():
            return None
        case Unknown(why=why) | Unexplained(why=why):
            return progress.failed(
                ErrorCode.NETWORK, f"our orders have closed {filled}, and now: {why}"
            )
        case Present(quantity=again):
            return progress.failed(
                ErrorCode.UNKNOWN,
                f"our orders have closed {filled}, all that was there, and the venue shows "
                f"{again} again: it is not closed a second time",
                permanent=True,
            )


async def size_now(context: CloseContext, progress: Progress) -> Sized | ExecutionResult:
    """How much may be closed now, or the end of the close."""
    order, executed = progress.order, progress.executed
    instrument = context.markets.instruments.get(order.key.symbol)
    if instrument is None:
        return progress.failed(
            ErrorCode.NOT_TRADABLE, f"{order.key.symbol} is not listed", permanent=True
        )
    if instrument.status is InstrumentStatus.HALTED:
        return progress.failed(ErrorCode.NOT_TRADABLE, f"trading in {order.key.symbol} is halted")
    if executed > ZERO and progress.budget is not None and executed >= progress.budget:
        return await verify(context, progress)
    verdict = (await progress.judge_leg()).verdict
    # The read behind the verdict may have left out all the others.
    if doubt := context.doubt():
        return progress.failed(*doubt)
    progress.seen = verdict.quantity if isinstance(verdict, Present) else ZERO
    if isinstance(verdict, Present):
        progress.hedged = verdict.position.hedged
    ended = _ended_by(verdict, context.on_unknown, progress)
    if ended is not None:
        return ended
    if progress.budget is None:
        progress.budget = verdict.quantity if isinstance(verdict, Present) else order.quantity
    progress.blind = progress.blind or not isinstance(verdict, Present)
    sized = size_close(
        order.quantity, verdict, instrument, already_filled=executed + progress.before
    )
    return _within(sized, progress.budget - executed, progress)


def _ended_by(
    verdict: Verdict, on_unknown: OnUnknown, progress: Progress
) -> ExecutionResult | None:
    """The end of the close where a verdict forbids another order; None where it allows one."""
    executed = progress.executed
    # One order may leave without a look at the leg, and none after anything was filled.
    spent = executed > ZERO or progress.before > ZERO or progress.blind
    match verdict:
        case Absent():
            if executed > ZERO:
                return progress.succeeded()
            return progress.failed(
                ErrorCode.POSITION_NOT_FOUND, "the leg is not on the exchange", permanent=True
            )
        case Unknown(other_side=True) | Unknown(netted=True):
            return progress.failed(ErrorCode.UNKNOWN, verdict.why, permanent=True)
        case Unexplained():
            return progress.failed(
                ErrorCode.NETWORK, f"the leg is gone and nothing says how: {verdict.why}"
            )
        case Unknown(banned_until=datetime(), why=why):
            return progress.failed(ErrorCode.RATE_LIMITED, why)
        case Unknown() if verdict.not_shown or on_unknown is OnUnknown.WAIT or spent:
            return progress.failed(ErrorCode.NETWORK, f"the leg cannot be judged: {verdict.why}")
        case _:
            return None


def _within(
    sized: Sized | Dust | Nothing, left: Decimal, progress: Progress
) -> Sized | ExecutionResult:
    """What the rules allow, and of that no more than is `left` of the budget."""
    match sized:
        case Nothing(why=why):
            if progress.executed > ZERO:
                return progress.succeeded()
            return progress.failed(ErrorCode.POSITION_NOT_FOUND, why, permanent=True)
        case Dust(quantity=quantity, minimum=minimum):
            return progress.failed(
                ErrorCode.MIN_SIZE,
                f"{quantity} is below the smallest order of {minimum}",
                permanent=True,
            )
        case Sized():
            return msgspec.structs.replace(sized, quantity=min(sized.quantity, left))


async def rows_changed(context: CloseContext, progress: Progress) -> ExecutionResult | None:
    """The end of the close where its rows are no longer those that it was decided for.

    The bot may have closed or rewritten them since, and an operator may hold them. An orphan has
    none.
    """
    order = progress.order
    if not order.row_ids:
        return None
    rows = await ask_ledger(context.actor, ActiveRows(account=order.key.account))
    mine = [row for row in rows if row.id in order.row_ids]
    if len(mine) < len(order.row_ids):
        why = "a row of it is no longer active"
    elif any(row.held for row in mine):
        why = "an operator holds it"
    elif order.changed_at != max(at for row in mine for at in _instants(row)):
        why = "a row of it has changed"
    else:
        return None
    return progress.failed(ErrorCode.ROW_CHANGED, f"not closed as decided: {why} since")


def _instants(row: PositionRow) -> tuple[datetime, ...]:
    """When a row was opened and last changed, as far as it says."""
    return tuple(at for at in (row.opened_at, row.updated_at) if at is not None)
