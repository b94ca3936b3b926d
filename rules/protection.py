"""Does a working stop cover a position? (`docs/spec/mission.md` C2). Places none.

"Cannot check" is another answer than "missing".
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from messages.values import ZERO, Side
from messages.venue import Protection, ProtectionKind, ProtectiveOrder, VenuePosition

FURTHEST = Decimal("0.5")
"""A trigger further from the market than this share of its price protects nobody."""


class Cover(StrEnum):
    COVERED = "covered"
    PARTLY = "partly"
    NAKED = "naked"
    CANNOT_TELL = "cannot_tell"


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far stops cover a position. `quantity` is base units, at most the position's.

    `stop_price` is the one that the market meets first, `by` the stops that count, nearest
    first.
    """

    level: Cover
    quantity: Decimal = ZERO
    stop_price: Decimal | None = None
    by: tuple[ProtectiveOrder, ...] = ()


def coverage(position: VenuePosition, protection: Protection, *, step: Decimal = ZERO) -> Coverage:
    """How far a position is covered by the stop attached to it and by stops resting as orders.

    A stop counts on the side that closes the leg, for this position side where the venue says
    one, at a plausible price. Take-profits do not count. With `step` (base units) a shortfall
    of less than a step is none.
    """
    stops = [stop for stop in _stops(position, protection) if _counts(stop, position)]
    stops.sort(key=lambda stop: stop.trigger_price, reverse=position.key.side is Side.LONG)
    quantity = ZERO
    for stop in stops:
        quantity += position.quantity if stop.quantity is None else stop.quantity
    quantity = min(quantity, position.quantity)
    short = position.quantity - quantity
    if short == ZERO or short < step:
        level = Cover.COVERED
    elif protection.problems:
        level = Cover.CANNOT_TELL
    else:
        level = Cover.PARTLY if quantity > ZERO else Cover.NAKED
    return Coverage(
        level=level,
        quantity=quantity,
        stop_price=stops[0].trigger_price if stops else None,
        by=tuple(stops),
    )


def plausible(trigger: Decimal, position: VenuePosition) -> bool:
    """Whether a stop at `trigger` would end the position before the venue does, or ruin.

    It must lie on the losing side of the mark price (the entry price where there is no mark),
    no further than half of it, and before the liquidation price.
    """
    if trigger <= ZERO:
        return False
    side = position.key.side
    reference = position.mark_price or position.entry_price
    if reference is not None and reference > ZERO:
        away = (reference - trigger) * side.sign
        # Without a mark price, a stop beyond the entry may have locked a profit in.
        if (away <= ZERO and position.mark_price) or abs(away) > reference * FURTHEST:
            return False
    liquidation = position.liquidation_price
    return not liquidation or (trigger - liquidation) * side.sign > ZERO


def _stops(position: VenuePosition, protection: Protection) -> list[ProtectiveOrder]:
    stops = [
        order
        for order in protection.orders
        if order.symbol == position.key.symbol and order.is_stop
    ]
    if position.stop_loss is not None:
        stops.append(
            ProtectiveOrder(
                kind=ProtectionKind.ATTACHED,
                symbol=position.key.symbol,
                side=position.key.side.closing,
                trigger_price=position.stop_loss,
                position_side=position.key.side,
            )
        )
    return stops


def _counts(stop: ProtectiveOrder, position: VenuePosition) -> bool:
    key = position.key
    if stop.side is not key.side.closing or stop.position_side is key.side.opposite:
        return False
    # In hedge mode a sell that is neither reduce-only nor the long leg's would open a short.
    if position.hedged and stop.position_side is None and not stop.reduce_only:
        return False
    return plausible(stop.trigger_price, position)
