"""From ledger rows, as the bot wrote them, to legs. Leaves the venue's view to diff.py.

A row that cannot be used is named with its reason and never dropped: dropped, its position at
the venue would look like an orphan.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from messages.ledger import LedgerLeg, PositionRow, RowStatus
from messages.values import ZERO, LegKey, Side
from rules.symbols import SymbolIndex

_V = TypeVar("_V")

_SIDES = {"long": Side.LONG, "buy": Side.LONG, "short": Side.SHORT, "sell": Side.SHORT}


class UnusableRow(msgspec.Struct, frozen=True, kw_only=True):
    """An active row that says too little. `key` is known where symbol and side are."""

    row: PositionRow
    why: str
    key: LegKey | None = None


class LedgerView(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of one account. Reports of unusable rows come in the rows' order."""

    legs: dict[LegKey, LedgerLeg]
    unusable: tuple[UnusableRow, ...] = ()

    @property
    def unclear_legs(self) -> frozenset[LegKey]:
        """Legs that an unusable row speaks of: known to the ledger, though not how much."""
        return frozenset(bad.key for bad in self.unusable if bad.key is not None)

    def has_opposite(self, key: LegKey) -> bool:
        """Whether the ledger has a row for the symbol's other side as well, usable or not."""
        opposite = LegKey(key.account, key.symbol, key.side.opposite)
        return opposite in self.legs or opposite in self.unclear_legs

    def unlisted_row(self, side: Side, quantity: Decimal) -> PositionRow | None:
        """A row of this side and size (base units) for a symbol that the venue does not list."""
        rows = (bad.row for bad in self.unusable if bad.key is None)
        return next((r for r in rows if side_of(r) is side and r.quantity == quantity), None)

    @property
    def has_unidentified_row(self) -> bool:
        """Whether an unusable row speaks of a leg that nobody can name."""
        return any(bad.key is None for bad in self.unusable)


def ledger_legs(rows: Iterable[PositionRow], account: str, index: SymbolIndex) -> LedgerView:
    """The legs of an account's active rows; rows of other accounts or states are passed over.

    Sides may be spelled long/short or buy/sell, in any case. Quantities are base units.
    """
    legs: dict[LegKey, LedgerLeg] = {}
    several: dict[LegKey, list[PositionRow]] = {}
    unusable: list[UnusableRow] = []
    active = RowStatus.ACTIVE
    for row in rows:
        if row.account != account or (row.status != active and row.status.lower() != active):
            continue
        symbol = index.find(row.symbol)
        side = side_of(row)
        key = LegKey(account, symbol, side) if symbol is not None and side is not None else None
        # Nearly every leg is one row, and there may be 100,000 of them: no list for each.
        leg = None if key is None else _leg_of_one(key, row)
        if key is None or leg is None:
            unusable.append(UnusableRow(row=row, why=_reasons(row, symbol, side), key=key))
        elif (first := legs.setdefault(key, leg)) is not leg:
            several.setdefault(key, [*first.rows]).append(row)
    legs.update((key, _leg(key, rows)) for key, rows in several.items())
    return LedgerView(legs=legs, unusable=tuple(unusable))


def side_of(row: PositionRow) -> Side | None:
    """The side of a row, however its bot spells it; None where it is neither."""
    return _SIDES.get(row.side) or _SIDES.get(row.side.strip().lower())


def _reasons(row: PositionRow, symbol: str | None, side: Side | None) -> str:
    """All that makes a row unusable, in words."""
    reasons = []
    if symbol is None:
        reasons.append(f"symbol {row.symbol!r} is unknown or ambiguous at this venue")
    if side is None:
        reasons.append(f"side {row.side!r} is neither long nor short")
    if not _positive(row.quantity):
        reasons.append(f"quantity {row.quantity} is not a positive number")
    if not _positive(row.entry_price):
        reasons.append(f"entry price {row.entry_price} is not a positive number")
    if row.opened_at is None:
        reasons.append("it does not say when it was opened")
    if any(at is not None and at.tzinfo is None for at in (row.opened_at, row.updated_at)):
        reasons.append("a time of it has no time zone")
    return "; ".join(reasons)


def _positive(number: Decimal | None) -> bool:
    return number is not None and number.is_finite() and number > ZERO


def _leg(key: LegKey, rows: Sequence[PositionRow]) -> LedgerLeg:
    quantity = sum((_known(row.quantity) for row in rows), ZERO)
    paid = sum((_known(row.quantity) * _known(row.entry_price) for row in rows), ZERO)
    opened = [_known(row.opened_at) for row in rows]
    changed = [row.updated_at for row in rows if row.updated_at is not None]
    return LedgerLeg(
        key=key,
        rows=tuple(rows),
        quantity=quantity,
        entry_price=paid / quantity,
        opened_at=min(opened),
        updated_at=max(opened + changed),
        stop_price=_furthest_stop(key.side, rows),
        trailing_active=any(row.trailing_active for row in rows),
        held=any(row.held for row in rows),
    )


def _leg_of_one(key: LegKey, row: PositionRow) -> LedgerLeg | None:
    """The leg that a row makes alone, None if it is unusable. Nothing is summed, or rounded."""
    quantity, price, opened, changed = row.quantity, row.entry_price, row.opened_at, row.updated_at
    if (
        quantity is None
        or not (quantity.is_finite() and quantity > ZERO)
        or price is None
        or not (price.is_finite() and price > ZERO)
        or opened is None
        or opened.tzinfo is None
        or (changed is not None and changed.tzinfo is None)
    ):
        return None
    return LedgerLeg(
        key=key,
        rows=(row,),
        quantity=quantity,
        entry_price=price,
        opened_at=opened,
        updated_at=opened if changed is None or changed < opened else changed,
        stop_price=row.stop_price,
        trailing_active=row.trailing_active,
        held=row.held,
    )


def _furthest_stop(side: Side, rows: Sequence[PositionRow]) -> Decimal | None:
    """The stop beyond which no row is left unprotected; None if any row has none."""
    stops = [row.stop_price for row in rows if row.stop_price is not None]
    if len(stops) < len(rows):
        return None
    return min(stops) if side is Side.LONG else max(stops)


def _known(value: _V | None) -> _V:
    """A field of a row that makes a leg by itself."""
    if value is None:
        raise ValueError("a row without this field is unusable and belongs to no leg")
    return value
