"""Two views of an account's legs, side by side: the ledger's and one read's.

Pure comparison. That a leg is not shown makes it a suspect, no ghost: verdict.py decides that.
Leaves what to do about a finding to the monitors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

import msgspec

from messages.ledger import LedgerLeg
from messages.values import ZERO, LegKey
from messages.venue import Instrument, Snapshot, VenuePosition


class QuantityMismatch(msgspec.Struct, frozen=True, kw_only=True):
    """Open in both with other quantities. `difference` is venue minus ledger, in base units."""

    leg: LedgerLeg
    position: VenuePosition
    difference: Decimal


class SideMismatch(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's only leg of a symbol is on one side, the venue's only one on the other."""

    leg: LedgerLeg
    position: VenuePosition


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Every leg of either view in exactly one place.

    `agreed` counts legs that are equal to less than a step. `missing` are in scope and not shown
    by a complete read. `unknown` are legs that this read can say nothing of. `unclear` are
    positions that an unusable ledger row speaks of: no orphans, and not comparable.
    """

    agreed: int = 0
    missing: tuple[LedgerLeg, ...] = ()
    orphans: tuple[VenuePosition, ...] = ()
    quantity: tuple[QuantityMismatch, ...] = ()
    side: tuple[SideMismatch, ...] = ()
    unknown: tuple[LegKey, ...] = ()
    unclear: tuple[VenuePosition, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the two views agree in all that could be compared."""
        return not (self.missing or self.orphans or self.quantity or self.side or self.unclear)


def compare(
    legs: Mapping[LegKey, LedgerLeg],
    snapshot: Snapshot,
    instruments: Mapping[str, Instrument],
    *,
    unclear_legs: Collection[LegKey] = (),
) -> Comparison:
    """Compare one account's ledger legs with one read of it, in linear time.

    Quantities differ where they do by a `quantity_step` of the instrument or more; an instrument
    that is not listed compares exactly. `unclear_legs` is that of `LedgerView`. Sides are never
    netted: in one-way mode a long in the ledger and a short at the venue, neither with a
    counterpart, is one side mismatch; in hedge mode they are two legs, missing and orphan.
    Raises ValueError for a leg of another account.
    """
    shown = {position.key: position for position in snapshot.positions}
    agreed = 0
    missing: list[LedgerLeg] = []
    quantity: list[QuantityMismatch] = []
    side: list[SideMismatch] = []
    unknown: list[LegKey] = []
    unsure: list[VenuePosition] = []
    known = legs.keys() | set(unclear_legs)
    for key, leg in legs.items():
        if key.account != snapshot.account:
            raise ValueError(f"{key} is compared with a read of {snapshot.account}")
        position = shown.pop(key, None)
        if position is not None:
            if key in unclear_legs:
                unsure.append(position)
            elif same_quantity(leg.quantity, position.quantity, instruments.get(key.symbol)):
                agreed += 1
            else:
                difference = position.quantity - leg.quantity
                quantity.append(QuantityMismatch(leg=leg, position=position, difference=difference))
            continue
        other = shown.get(LegKey(key.account, key.symbol, key.side.opposite))
        judged = snapshot.complete and snapshot.scope.covers(key.symbol)
        # In hedge mode the other side is another leg, with a life of its own.
        if other is not None and not other.hedged and other.key not in known:
            del shown[other.key]
            side.append(SideMismatch(leg=leg, position=other))
        elif judged:
            missing.append(leg)
        else:
            unknown.append(key)
    orphans: list[VenuePosition] = []
    for key, position in shown.items():
        (unsure if key in unclear_legs else orphans).append(position)
    return Comparison(
        agreed=agreed,
        missing=tuple(missing),
        orphans=tuple(orphans),
        quantity=tuple(quantity),
        side=tuple(side),
        unknown=tuple(unknown),
        unclear=tuple(unsure),
    )


def same_quantity(one: Decimal, other: Decimal, instrument: Instrument | None) -> bool:
    """Whether two quantities in base units differ by less than the instrument can express."""
    if one == other:
        return True
    step = ZERO if instrument is None else instrument.quantity_step
    return abs(one - other) < step
