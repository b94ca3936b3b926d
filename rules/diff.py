"""Two views of an account's legs, side by side: the ledger's and one read's.

Pure comparison. That a leg is not shown makes it a suspect, no ghost: verdict.py decides that.
Leaves what to do about a finding to the monitors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Decimal

import msgspec

from messages.ledger import LedgerLeg
from messages.values import ZERO, LegKey, Side
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


class NetMismatch(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of both sides on an account that holds their net, which is not what the venue holds.

    `expected` is the ledger's net and `held` the venue's, in base units, positive for long.
    """

    long: LedgerLeg
    short: LedgerLeg
    expected: Decimal
    held: Decimal


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Every leg of either view in exactly one place.

    `agreed` counts legs that are equal to less than a step. `missing` are in scope and not shown
    by a complete read. Legs of `net` are never missing: no read can tell of either of them.
    `unknown` are legs that this read can say nothing of. `unclear` are positions that an unusable
    ledger row speaks of: no orphans, and not comparable.
    """

    agreed: int = 0
    missing: tuple[LedgerLeg, ...] = ()
    orphans: tuple[VenuePosition, ...] = ()
    quantity: tuple[QuantityMismatch, ...] = ()
    side: tuple[SideMismatch, ...] = ()
    net: tuple[NetMismatch, ...] = ()
    unknown: tuple[LegKey, ...] = ()
    unclear: tuple[VenuePosition, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the two views agree in all that could be compared."""
        differences = (self.missing, self.orphans, self.quantity, self.side, self.net)
        return not (any(differences) or self.unclear)


def compare(
    legs: Mapping[LegKey, LedgerLeg],
    snapshot: Snapshot,
    instruments: Mapping[str, Instrument],
    *,
    unclear_legs: Collection[LegKey] = (),
    hedged: bool | None = None,
) -> Comparison:
    """Compare one account's ledger legs with one read of it, in linear time.

    Quantities differ where they do by a `quantity_step` of the instrument or more; an instrument
    that is not listed compares exactly. `unclear_legs` is that of `LedgerView`. In hedge mode
    (`hedged`, or the position says so) the sides of a symbol are two legs. In one-way mode rows of
    both sides are compared by their net, and a long in the ledger beside a short at the venue,
    neither with a counterpart, is one side mismatch.
    Raises ValueError for a leg of another account.
    """
    account = snapshot.account
    shown = {position.key: position for position in snapshot.positions}
    agreed = 0
    missing: list[LedgerLeg] = []
    quantity: list[QuantityMismatch] = []
    side: list[SideMismatch] = []
    unknown: list[LegKey] = []
    unsure: list[VenuePosition] = []
    net: list[NetMismatch] = []
    netted = frozenset[str]() if hedged else netted_symbols(legs, snapshot)
    for symbol in netted:
        long, short = (legs[LegKey(snapshot.account, symbol, side)] for side in Side)
        held = [p for p in (shown.pop(long.key, None), shown.pop(short.key, None)) if p is not None]
        if not held and not (snapshot.complete and snapshot.scope.covers(symbol)):
            unknown += [long.key, short.key]
            continue
        pair = _netted(long, short, held)
        if same_quantity(pair.expected, pair.held, instruments.get(symbol)):
            agreed += 2
        else:
            net.append(pair)
    for key, leg in legs.items():
        if key.account != account:
            raise ValueError(f"{key} is compared with a read of {account}")
        if netted and key.symbol in netted:
            continue
        position = shown.pop(key, None)
        if position is not None:
            if unclear_legs and key in unclear_legs:
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
        known = other is not None and (other.key in legs or other.key in unclear_legs)
        if other is not None and not other.hedged and not known:
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
        net=tuple(net),
        unknown=tuple(unknown),
        unclear=tuple(unsure),
    )


def netted_symbols(legs: Collection[LegKey], snapshot: Snapshot) -> frozenset[str]:
    """Symbols of which the ledger has both sides while the account holds one net position.

    Not such of which the venue shows a leg in hedge mode, or both. Only legs of the read's account
    count.
    """
    ours = [key for key in legs if key.account == snapshot.account]
    shorts = {key.symbol for key in ours if key.side is Side.SHORT}
    both = {key.symbol for key in ours if key.side is Side.LONG and key.symbol in shorts}
    if not both:
        return frozenset()
    # In hedge mode that is every symbol, and nothing is left to be looked at closely.
    both.difference_update([p.key.symbol for p in snapshot.positions if p.hedged])
    if not both:
        return frozenset()
    legs_shown = {p.key for p in snapshot.positions if p.key.symbol in both}
    shown = Counter(key.symbol for key in legs_shown)
    return frozenset(symbol for symbol in both if shown[symbol] < len(Side))


def _netted(long: LedgerLeg, short: LedgerLeg, held: Collection[VenuePosition]) -> NetMismatch:
    return NetMismatch(
        long=long,
        short=short,
        expected=long.quantity - short.quantity,
        held=sum((p.quantity * p.key.side.sign for p in held), ZERO),
    )


def same_quantity(one: Decimal, other: Decimal, instrument: Instrument | None) -> bool:
    """Whether two quantities in base units differ by less than the instrument can express."""
    if one == other:
        return True
    step = ZERO if instrument is None else instrument.quantity_step
    return abs(one - other) < step
