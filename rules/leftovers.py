"""Which resting orders may be cancelled: those in a close's way, and those a flat leg left.

Only the guard's own, or such as are proven to belong to the leg. Never an order that might be
another leg's, or that might open something.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from messages.values import LegKey, Side
from messages.venue import OpenOrders, OrderRecord
from rules.ids import OwnIds


def reserving_orders(
    key: LegKey,
    resting: OpenOrders,
    *,
    hedged: bool,
    mark: Decimal | None = None,
    own: OwnIds = OwnIds(),
) -> tuple[OrderRecord, ...]:
    """Orders that reserve the size of a close and may be cancelled before it, plain ones first.

    Never a stop: it protects until the close is filled. A trigger order is told from a stop by
    the mark price; without one, every trigger order is taken for a stop.
    """
    orders = [
        order
        for order in resting.orders
        if _belongs(order, key, own, hedged=hedged) and not is_stop(order, key.side, mark)
    ]
    return tuple(sorted(orders, key=lambda order: order.trigger_price is not None))


def leftover_orders(
    key: LegKey,
    resting: OpenOrders,
    *,
    others: Collection[LegKey] = (),
    hedged: bool,
    own: OwnIds = OwnIds(),
    only_own: bool = False,
) -> tuple[OrderRecord, ...]:
    """Orders that a flat leg left and that may be cancelled: plain ones first, triggers last.

    `only_own`: no order of anybody else, whatever it can do.
    `others` are the legs open now. In one-way mode any open leg of the symbol stays every order
    that does not carry the guard's own id, since it may be that leg's; if the leg itself is open
    again, nothing is a leftover. While an order rests that may open the leg anew, an order that
    is not the guard's may be there for that: a bot places the stop of its next entry with it.
    """
    if key in others:
        return ()
    taken = any(_may_open(order, key) for order in resting.orders) or (
        not hedged
        and any(other.account == key.account and other.symbol == key.symbol for other in others)
    )
    orders = [
        order
        for order in resting.orders
        if _belongs(order, key, own, hedged=hedged)
        and (order.client_order_id in own or not (taken or only_own))
    ]
    return tuple(sorted(orders, key=lambda order: order.trigger_price is not None))


def is_stop(order: OrderRecord, side: Side, mark: Decimal | None) -> bool:
    """Whether a closing order's trigger lies on the losing side of the mark price, or may."""
    if order.trigger_price is None:
        return False
    return mark is None or (mark - order.trigger_price) * side.sign >= 0


def _belongs(order: OrderRecord, key: LegKey, own: OwnIds, *, hedged: bool) -> bool:
    """Proof that a working order can do nothing but reduce this leg.

    An order of the guard is reduce-only by construction, so its side is proof enough, also where
    the venue's record leaves the rest out.
    """
    if order.status.final or order.symbol != key.symbol or order.side is not key.side.closing:
        return False
    if order.position_side is key.side.opposite:
        return False
    if order.client_order_id in own:
        return True
    if hedged and order.position_side is None:
        return False
    return order.reduce_only is True or (hedged and order.position_side is key.side)


def _may_open(order: OrderRecord, key: LegKey) -> bool:
    """Whether a working order can bring the leg back, as far as its record tells."""
    return (
        not order.status.final
        and order.symbol == key.symbol
        and order.side is not key.side.closing
        and order.position_side is not key.side.opposite
        and order.reduce_only is not True
    )
