"""The close of one leg: judged, sized, sent down the ladder, verified flat.

Read `Close.run` for the whole story. Sizes, rungs and the meaning of refusals are rules; orders
themselves are `actors.execution.orders`. Nothing here opens, and nothing is sent while an earlier
order of the leg has no known outcome.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

from actors.execution.close_context import CloseContext, Progress
from actors.execution.close_refusal import after_refusal
from actors.execution.close_size import recall_earlier_orders, rows_changed, size_now
from actors.execution.orders import Unresolved
from messages.execution import ErrorCode, ExecutionResult
from messages.ledger import Intent
from messages.to_exchange import CloseLeg
from messages.values import ZERO
from messages.venue import Refused
from rules.ids import client_order_id
from rules.ladder import Attempt, LadderFacts, Send, Stop, next_order, prices_used

MAX_ORDERS = 40
"""A bound on the orders of one close, far above what the ladder allows."""


class Close:
    """One execution of `CloseLeg`. Runs in a worker of the exchange actor."""

    def __init__(self, context: CloseContext, order: CloseLeg) -> None:
        self._context = context
        self._progress = Progress(context, order)

    async def run(self) -> ExecutionResult:
        """Close the leg, as far as the venue and the rules allow. Never raises for what they do."""
        context, progress = self._context, self._progress
        key = progress.order.key
        settled = await context.orders.settle_open(key, key.account)
        if settled.unresolved:
            return progress.failed(
                ErrorCode.NETWORK, "an earlier order of this leg has no known outcome yet"
            )
        closed_before = await recall_earlier_orders(context, progress)
        if closed_before is not None:
            return closed_before
        waited = False
        for _ in range(MAX_ORDERS):
            sized = await size_now(context, progress)
            if isinstance(sized, ExecutionResult):
                return sized
            step = await self._next_step(sized.quantity)
            if isinstance(step, Stop):
                return progress.failed(step.code, step.why, permanent=step.permanent)
            if step.wait_first > timedelta(0) and not waited:
                # The facts may change while the rung waits, so they are gathered again after.
                await asyncio.sleep(step.wait_first.total_seconds())
                waited = True
                continue
            waited = False
            changed = await rows_changed(context, progress)
            if changed is not None:
                return changed
            ended = await self._send(step, sized.quantity)
            if ended is not None:
                return ended
        return progress.failed(ErrorCode.UNKNOWN, "the ladder did not end", permanent=True)

    async def _next_step(self, remaining: Decimal) -> Send | Stop:
        """The next rung of the ladder, at the price of now."""
        order, context = self._progress.order, self._context
        history = tuple(self._progress.history)
        used = prices_used(history, context.settings, order.worst_price)
        return next_order(
            LadderFacts(
                history=history,
                remaining=remaining,
                quote=await context.price(order.key.symbol, used) if used else None,
                instrument=context.markets.instruments[order.key.symbol],
                side=order.key.side,
                settings=context.settings,
                worst_price=order.worst_price,
            )
        )

    async def _send(self, step: Send, quantity: Decimal) -> ExecutionResult | None:
        """Send one order and follow it to its end. The end of the close, or None to go on."""
        context, progress = self._context, self._progress
        intent = self._intent(step, quantity)
        progress.next_attempt += 1
        outcome = await context.orders.send(intent, self._still_wanted)
        match outcome:
            case Unresolved(why=why):
                return progress.failed(ErrorCode.NETWORK, f"the order's outcome is unknown: {why}")
            case Refused(error=error):
                return await after_refusal(context, progress, step, error)
            case Intent():
                progress.history.append(
                    Attempt(
                        type=step.type,
                        sent_price=step.price,
                        filled=outcome.filled,
                        complete=outcome.filled >= outcome.quantity,
                    )
                )
                if outcome.filled > ZERO:
                    progress.filled.append(outcome)
                    context.leg_judge.filled(intent.key, context.actor.now())
                return None

    async def _still_wanted(self) -> bool:
        """Whether an order that rests may rest on: its rows are still those it was made for."""
        return await rows_changed(self._context, self._progress) is None

    def _intent(self, step: Send, quantity: Decimal) -> Intent:
        order, progress = self._progress.order, self._progress
        return Intent(
            client_order_id=client_order_id(
                order.key.account,
                order.key.symbol,
                order.key.side,
                order.row_ids,
                order.purpose,
                progress.next_attempt,
                ledger_id=self._context.orders.own_ids.ledger_id,
            ),
            key=order.key,
            purpose=order.purpose,
            row_ids=order.row_ids,
            attempt=progress.next_attempt,
            type=step.type,
            quantity=min(quantity, step.quantity),
            seen_quantity=min(quantity, progress.seen),
            created_at=self._context.actor.now(),
            price=step.price,
            hedged=progress.hedged,
            phase=order.phase,
        )
