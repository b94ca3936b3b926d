"""After a leg is flat: cancel what is left of it, if it is ours or proven to belong to it."""

from __future__ import annotations

from actors.context import Context
from actors.execution.shared_orders import SharedOrders
from actors.execution.shared_reads import SharedReads
from actors.ledger_client import note
from messages.budget import Lane
from messages.to_exchange import CleanedUp, CleanUp, Markets
from messages.venue import OpenOrders, VenueError
from rules.ids import OwnIds
from rules.leftovers import leftover_orders
from venues.limits.priority import asking
from venues.port import Venue


async def clean_up(
    context: Context,
    reads: SharedReads,
    orders: SharedOrders,
    venue: Venue,
    markets: Markets,
    message: CleanUp,
    *,
    own: OwnIds,
    only_own: bool,
) -> CleanedUp:
    """Cancel the flat leg's leftovers. A leg that is there again keeps all its orders.

    `own` are the ids of our orders; `only_own` leaves those of everybody else alone.
    """
    key = message.key
    resting = await orders.of(key.symbol)
    if not isinstance(resting, OpenOrders) or not resting.orders:
        return CleanedUp()
    snapshot = await reads.snapshot(context.now())
    if not snapshot.complete or snapshot.find(key) is not None:
        return CleanedUp()
    others = tuple(p.key for p in snapshot.positions if p.key.symbol == key.symbol)
    cancelled: list[str] = []
    left: list[str] = []
    leftovers = leftover_orders(
        key, resting, others=others, hedged=bool(markets.hedged), own=own, only_own=only_own
    )
    for record in leftovers:
        with asking(Lane.ORDER):
            answer = await venue.cancel(
                key.symbol, record.order_id, trigger=record.trigger_price is not None
            )
        # A failed cancel is never "cancelled": the order is named as left.
        (left if isinstance(answer, VenueError) else cancelled).append(record.order_id)
    if cancelled or left:
        await note(context, "leftovers_cancelled", key, cancelled=cancelled, left=left)
    return CleanedUp(cancelled=tuple(cancelled), left=tuple(left))
