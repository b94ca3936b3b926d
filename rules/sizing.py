"""How much of a leg to close. Leaves the price and the kind of order to ladder.py."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from messages.values import ZERO
from messages.venue import Instrument
from messages.verdict import Absent, Present, Unexplained, Verdict
from rules.diff import same_quantity
from rules.rounding import floor_to


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """Close `quantity` base units. `mismatch` is venue minus ledger, None where they agree."""

    quantity: Decimal
    mismatch: Decimal | None = None


class Dust(msgspec.Struct, frozen=True, kw_only=True):
    """There is `quantity`, in base units, but the venue takes no order below `minimum`."""

    quantity: Decimal
    minimum: Decimal
    mismatch: Decimal | None = None


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to close."""

    why: str


def size_close(
    leg_quantity: Decimal,
    verdict: Verdict,
    instrument: Instrument,
    already_filled: Decimal = ZERO,
    *,
    price: Decimal | None = None,
) -> Sized | Dust | Nothing:
    """The quantity of a reduce-only close, rounded down to the instrument's step (A3, B1).

    Present: the venue's quantity, of a read that began after our last fill (`judge` sees to
    that). Unknown: what the ledger has less `already_filled`, our fills that its rows do not
    count yet. `price` is given only for a venue that holds reduce-only orders to its minimum
    notional; most do not.
    """
    expected = leg_quantity - already_filled
    mismatch: Decimal | None = None
    if isinstance(verdict, Absent | Unexplained):
        return Nothing(why="the venue does not show the leg")
    if isinstance(verdict, Present):
        there = verdict.quantity
        if not same_quantity(expected, there, instrument):
            mismatch = there - expected
    else:
        there = expected
    if there <= ZERO:
        return Nothing(why="our own fills have closed all of it")
    quantity = floor_to(there, instrument.quantity_step)
    minimum = smallest_order(instrument, price)
    if quantity < minimum or quantity <= ZERO:
        return Dust(quantity=there, minimum=minimum, mismatch=mismatch)
    return Sized(quantity=quantity, mismatch=mismatch)


def smallest_order(instrument: Instrument, price: Decimal | None = None) -> Decimal:
    """The least quantity that an order may have, in base units; with a price, by notional too."""
    least = max(instrument.min_quantity, instrument.quantity_step)
    if price is None or price <= ZERO:
        return least
    return max(least, instrument.min_notional / price)
