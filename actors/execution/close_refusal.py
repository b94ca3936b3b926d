"""What a close does when the venue refuses an order (`mission.md` B5): ask, and only then judge.

The meaning of a refusal is `rules.refusals`; this gathers what it needs to know.
"""

from __future__ import annotations

from actors.execution.close_context import CloseContext, Progress
from actors.execution.evidence import verdict_text
from actors.ledger_client import note
from messages.budget import Lane
from messages.execution import ExecutionResult
from messages.venue import OpenOrders, PriceKind, VenueError
from messages.verdict import Absent
from rules.ladder import Attempt, Send
from rules.leftovers import reserving_orders
from rules.refusals import answer_refusal
from venues.limits.priority import asking

MAX_FREED = 3
"""How often the size that resting orders reserve is freed in one close."""


async def after_refusal(
    context: CloseContext, progress: Progress, step: Send, error: VenueError
) -> ExecutionResult | None:
    """The end of the close, or None where the ladder goes on.

    A refusal is a question: the leg is read again before it is called anything.
    """
    answer = answer_refusal(error, None)
    if answer.ask_venue:
        judgement = await progress.judge_leg(not_before=context.actor.now())
        gone = isinstance(judgement.verdict, Absent)
        if answer.cancel_resting and not gone and await _free_reserved_size(context, progress):
            progress.history.append(
                Attempt(type=step.type, sent_price=step.price, error=error, excused=True)
            )
            return None
        answer = answer_refusal(error, judgement.verdict)
        await note(
            context.actor,
            "refusal_judged",
            progress.order.key,
            verdict=verdict_text(judgement.verdict),
            answer=str(error),
            code=answer.code.value,
            text=answer.text,
        )
    progress.history.append(Attempt(type=step.type, sent_price=step.price, error=error))
    if answer.permanent:
        return progress.failed(answer.code, answer.text, permanent=True)
    return None


async def _free_reserved_size(context: CloseContext, progress: Progress) -> bool:
    """Cancel the resting reduce-only orders that hold the size; the protective stop stays.

    False as well where that was done so often that something else must be in the way.
    """
    key = progress.order.key
    if progress.freed >= MAX_FREED:
        return False
    resting = await context.venue.open_orders(key.symbol)
    if not isinstance(resting, OpenOrders):
        return False
    price = await context.price(key.symbol, frozenset((PriceKind.MARK,)))
    mark = None if price is None else price.mark
    freed = False
    resting_of_leg = reserving_orders(
        key, resting, hedged=progress.hedged, mark=mark, own=context.orders.own_ids
    )
    for record in resting_of_leg:
        with asking(Lane.ORDER):
            cancelled = await context.venue.cancel(
                key.symbol, record.order_id, trigger=record.trigger_price is not None
            )
        if not isinstance(cancelled, VenueError):
            freed = True
            await note(
                context.actor,
                "resting_order_cancelled",
                key,
                order_id=record.order_id,
                why="it reserved the size of the close",
            )
    progress.freed += freed
    return freed
