"""Placing a protective stop for a leg: sized by the venue, reduce-only, seen to rest.

Not while a close of the leg is under way: the stop would reserve the size that is being closed,
and two orders of ours would be live for one leg.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.context import Context
from actors.execution.evidence import LegJudge, verdict_text
from actors.execution.orders import Orders, Unresolved
from actors.ledger_client import ask_ledger
from messages.ledger import Intent, IntentState
from messages.to_exchange import JudgeLeg, PlaceStop, StopPlaced
from messages.to_ledger import FindIntents
from messages.values import LegKey
from messages.venue import OrderType, Refused
from messages.verdict import Present
from rules.ids import client_order_id

PURPOSE = "protect"

CLOSING = "a close of the leg is under way"


async def place_stop(
    context: Context,
    orders: Orders,
    leg_judge: LegJudge,
    message: PlaceStop,
    *,
    being_closed: Callable[[LegKey], bool],
) -> StopPlaced:
    """Place a stop over the whole leg as the venue has it now, unless it is `being_closed`."""
    key = message.key
    if being_closed(key):
        return StopPlaced(success=False, error=CLOSING)
    settled = await orders.settle_open(key, key.account)
    if settled.unresolved:
        return StopPlaced(success=False, error="an earlier order has no known outcome yet")
    judgement = await leg_judge.judge(JudgeLeg(key=key))
    verdict = judgement.verdict
    if not isinstance(verdict, Present):
        return StopPlaced(success=False, error=f"the leg is {verdict_text(verdict)}")
    earlier = await ask_ledger(context, FindIntents(account=key.account, key=key))
    number = 1 + max((i.attempt for i in earlier if i.purpose == PURPOSE), default=0)
    # A close may have begun meanwhile, and its first order may not be live yet.
    if being_closed(key):
        return StopPlaced(success=False, error=CLOSING)
    outcome = await orders.send(
        Intent(
            client_order_id=client_order_id(
                key.account,
                key.symbol,
                key.side,
                message.row_ids,
                PURPOSE,
                number,
                ledger_id=orders.own_ids.ledger_id,
            ),
            key=key,
            purpose=PURPOSE,
            row_ids=message.row_ids,
            attempt=number,
            type=OrderType.STOP_MARKET,
            quantity=verdict.quantity,
            seen_quantity=verdict.quantity,
            created_at=context.now(),
            trigger_price=message.trigger_price,
            hedged=verdict.position.hedged,
        )
    )
    match outcome:
        case Refused(error=error):
            return StopPlaced(success=False, error=str(error))
        case Unresolved(why=why):
            return StopPlaced(success=False, error=f"the stop's outcome is unknown: {why}")
        case Intent(state=IntentState.DONE, error=""):
            return StopPlaced(success=True, order_id=outcome.order_id)
        case Intent():
            return StopPlaced(success=False, error=outcome.error or outcome.state.value)
