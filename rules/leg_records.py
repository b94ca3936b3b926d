"""What is known of one leg when it is accounted for, and whose fills are whose.

A fill that is booked for another row, or is of an order of ours for another row, ends no second
one (`docs/spec/truth.md`, rule 2). Whether all of it explains an absence is `rules.explanation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from messages.ledger import BookedFill, LastSeen
from messages.values import ZERO, LegKey, Side
from messages.venue import ClosedPosition, Fill


class OwnFill(msgspec.Struct, frozen=True, kw_only=True):
    """What an order of ours for these rows is known to have filled, in base units.

    `sent_at` is when its intent was committed, `filled_at` when its end was known. `priced` is
    false where nobody told at what price.
    """

    order_id: str
    quantity: Decimal
    sent_at: datetime
    filled_at: datetime
    priced: bool = True


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The account's executions of the leg's symbol, whole from `since` on.

    `records` is the venue's own list of closed positions; None where it was not read.
    """

    since: datetime
    fills: tuple[Fill, ...]
    records: tuple[ClosedPosition, ...] | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What an accounting of one leg is made from.

    `rows_quantity` is what all active rows of the leg have together (None: it has no row), and
    `opened_at` the oldest's opening. `closed_rows` is what rows of the leg had that others closed
    since then, and `closed_from` the oldest of their openings (`with_closed_rows`). `booked` are
    fills and records that ended other rows, by their ids, `other_orders` the ids of our orders
    for other rows. `step` is the smallest quantity that the instrument can express. `turned` is
    what the account's one net position now has on the other side. `history` None: it was not read,
    `unread` says why it could not be.
    """

    key: LegKey
    last_seen: LastSeen | None = None
    rows_quantity: Decimal | None = None
    opened_at: datetime | None = None
    closed_rows: Decimal = ZERO
    closed_from: datetime | None = None
    own: tuple[OwnFill, ...] = ()
    booked: tuple[BookedFill, ...] = ()
    other_orders: frozenset[str] = frozenset()
    turned: Decimal = ZERO
    history: History | None = None
    unread: str = ""
    step: Decimal = ZERO


class ClosedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the leg that was closed by its bot or by a person. `quantity` is in base units."""

    quantity: Decimal
    opened_at: datetime
    closed_at: datetime


def with_closed_rows(account: Account, closed: Iterable[ClosedRow]) -> Account:
    """The account with the rows counted whose closings may be among those of its active rows.

    Those are the rows that were closed since the oldest active row was opened, those that were
    closed since the oldest of these was, and so on: a bot may write a closing late.
    """
    left, counted, start = list(closed), list[ClosedRow](), account.opened_at
    while start is not None:
        more = [row for row in left if row.closed_at >= start]
        if not more:
            break
        counted += more
        left = [row for row in left if row.closed_at < start]
        start = min(start, *(row.opened_at for row in more))
    return msgspec.structs.replace(
        account,
        closed_rows=sum((row.quantity for row in counted), ZERO),
        closed_from=min((row.opened_at for row in counted), default=None),
    )


def free_fills(account: Account) -> tuple[Fill, ...]:
    """The closing fills, or the parts of them, that ended no other row; oldest first.

    Of a fill that is booked in part, the rest has its share of fee and PnL.
    """
    key = account.key
    free = []
    for fill in sorted(account.history.fills if account.history else (), key=lambda one: one.at):
        whole = closed_by(fill, key.side)
        if fill.symbol != key.symbol or whole <= ZERO:
            continue
        rest = whole - taken_of(account, fill.fill_id, fill.order_id, whole)
        if rest > ZERO:
            free.append(fill if rest == whole else _part_of(fill, rest))
    return tuple(free)


def free_records(account: Account) -> tuple[ClosedPosition, ...]:
    """The venue's records of the leg, or the parts of them, that ended no other row."""
    key = account.key
    free = []
    for record in (account.history.records if account.history else None) or ():
        whole = record.quantity
        rest = whole - taken_of(account, record.record_id, record.order_id, whole)
        if (record.symbol, record.side) == (key.symbol, key.side) and rest > ZERO:
            free.append(msgspec.structs.replace(record, quantity=rest))
    return tuple(sorted(free, key=lambda record: record.ended_at))


def _part_of(fill: Fill, quantity: Decimal) -> Fill:
    share = quantity / fill.quantity
    pnl = fill.realized_pnl
    return msgspec.structs.replace(
        fill,
        quantity=quantity,
        closed_quantity=quantity,
        fee=fill.fee * share,
        realized_pnl=None if pnl is None else pnl * share,
    )


def closed_by(fill: Fill, side: Side) -> Decimal:
    """How much of a leg of this side a fill may have closed, in base units.

    Without the venue's `closed_quantity` the whole fill is taken to close: in one-way mode a fill
    that flips a leg then counts for more than it closed.
    """
    if fill.side is not side.closing or fill.position_side is side.opposite:
        return ZERO
    if fill.closed_quantity is None:
        return fill.quantity
    return min(fill.closed_quantity, fill.quantity)


def opened_by(fill: Fill, side: Side) -> Decimal:
    """How much of a leg of this side a fill opened, in base units."""
    if fill.side is side.closing or fill.position_side is side.opposite:
        return ZERO
    return fill.quantity - (fill.closed_quantity or ZERO)


def taken_of(account: Account, id_: str, order_id: str, quantity: Decimal) -> Decimal:
    """How much of one fill or record belongs to other rows."""
    if order_id in account.other_orders:
        return quantity
    return min(_parts(account.booked).get(id_, ZERO), quantity)


def _parts(booked: Iterable[BookedFill]) -> dict[str, Decimal]:
    parts: dict[str, Decimal] = {}
    for part in booked:
        parts[part.fill_id] = parts.get(part.fill_id, ZERO) + part.quantity
    return parts
