"""Does a record say how a leg ended? The accounting behind every absence (`docs/spec/truth.md`).

Two reads that agree explain nothing: a wrong key, a lagging replica, a renamed contract and a
netted account all give two flat reads for ever. What explains is a record of closings, net of
openings, since the leg was last seen, that reaches the quantity last seen. Pure; reading the
records is the caller's work, and `history_from` tells from where.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from messages.ledger import BookedFill, LastSeen
from messages.values import ZERO, LegKey, Side
from messages.venue import ClosedPosition, Fill
from messages.verdict import Accounting, ExplainedBy

BEFORE_OPENING = timedelta(minutes=1)
"""A bot writes its row after its fill: so much earlier may a leg have been opened."""


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
    since then. `booked` are fills that ended other rows, `other_orders` the ids of our orders for
    other rows. `step` is the smallest quantity that the instrument can express. `history` None:
    it was not read, `unread` says why it could not be.
    """

    key: LegKey
    last_seen: LastSeen | None = None
    rows_quantity: Decimal | None = None
    opened_at: datetime | None = None
    closed_rows: Decimal = ZERO
    own: tuple[OwnFill, ...] = ()
    booked: tuple[BookedFill, ...] = ()
    other_orders: frozenset[str] = frozenset()
    history: History | None = None
    unread: str = ""
    step: Decimal = ZERO


def history_from(account: Account) -> datetime | None:
    """From when on the executions must be read. None where nobody knows when the leg began."""
    starts = []
    if account.last_seen is not None:
        starts.append(_seen_at(account.last_seen))
    if _rows_exceed_sight(account) and account.opened_at is not None:
        starts.append(account.opened_at - BEFORE_OPENING)
    return min(starts, default=None)


def explain(account: Account) -> Accounting:
    """What the records add up to; `explained_by` is None where they do not explain the absence.

    Own verified fills explain by themselves. Else the executions must reach back to when the leg
    was last seen, and the closings since, net of openings, must reach what was seen. Where the
    rows say more than was ever seen, the executions must also account for the rows, from their
    opening on, without what ended other rows.
    """
    own = _by_own_orders(account)
    if own is not None:
        return own
    needed = _needed(account)
    start = history_from(account)
    if needed is None or start is None:
        return Accounting(
            since=start, needed=needed or ZERO, closed=ZERO, why="its quantity was never known"
        )
    history = account.history
    if history is None:
        why = account.unread or "the executions were not read"
        return Accounting(since=start, needed=needed, closed=ZERO, why=why)
    if history.since > start:
        return Accounting(
            since=start,
            needed=needed,
            closed=ZERO,
            why=f"the executions are known only from {history.since:%Y-%m-%d %H:%M} UTC on",
        )
    seen = _since_last_seen(account, history)
    rows = _since_opening(account, history)
    for one in (seen, rows):
        if one is not None and one.explained_by is None:
            return one
    found = seen or rows
    return found if found is not None else Accounting(since=start, needed=needed, closed=ZERO)


def free_fills(account: Account) -> tuple[Fill, ...]:
    """The closing fills, or the parts of them, that ended no other row; oldest first.

    Of a fill that is booked in part, the rest has its share of fee and PnL.
    """
    if account.history is None:
        return ()
    parts = _parts(account.booked)
    free = []
    for fill in sorted(account.history.fills, key=lambda fill: fill.at):
        whole = closed_by(fill, account.key.side)
        if fill.symbol != account.key.symbol or whole <= ZERO:
            continue
        if fill.order_id in account.other_orders:
            continue
        rest = whole - min(parts.get(fill.fill_id, ZERO), whole)
        if rest == whole:
            free.append(fill)
        elif rest > ZERO:
            free.append(_part_of(fill, rest))
    return tuple(free)


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


def _by_own_orders(account: Account) -> Accounting | None:
    """Whether our own verified fills are all that had to be closed."""
    needed = _needed(account)
    if needed is None or not account.own:
        return None
    seen = account.last_seen
    counted = [o for o in account.own if seen is None or o.sent_at >= seen.finished_at]
    closed = sum((o.quantity for o in counted), ZERO)
    if closed <= ZERO or not _reaches(closed, needed, account.step):
        return None
    return Accounting(
        since=None if seen is None else seen.finished_at,
        needed=needed,
        closed=closed,
        explained_by=ExplainedBy.OWN_ORDERS,
        ended_at=max(o.filled_at for o in counted),
    )


def _since_last_seen(account: Account, history: History) -> Accounting | None:
    """What left the leg since it was last seen, against what was seen; None if it never was."""
    seen = account.last_seen
    if seen is None or seen.quantity <= ZERO:
        return None
    start = _seen_at(seen)
    unbooked = min(account.rows_quantity or seen.quantity, seen.quantity)
    return _counted(account, history, start, base=seen.quantity, least=unbooked)


def _since_opening(account: Account, history: History) -> Accounting | None:
    """What left the leg since its rows were opened; None where its last sight says as much."""
    rows = account.rows_quantity
    if not _rows_exceed_sight(account) or rows is None or account.opened_at is None:
        return None
    start = account.opened_at - BEFORE_OPENING
    return _counted(account, history, start, base=ZERO, least=rows + account.closed_rows)


def _counted(
    account: Account, history: History, start: datetime, *, base: Decimal, least: Decimal
) -> Accounting:
    """Count from `start`, when `base` was there. Fills of no other row must close `least`."""
    key = account.key
    fills = [
        fill
        for fill in sorted(history.fills, key=lambda fill: fill.at)
        if fill.symbol == key.symbol and fill.at > start
    ]
    opened = sum((opened_by(fill, key.side) for fill in fills), ZERO)
    closing = tuple(fill for fill in fills if closed_by(fill, key.side) > ZERO)
    by_fills = sum((closed_by(fill, key.side) for fill in closing), ZERO)
    records = tuple(
        record
        for record in history.records or ()
        if (record.symbol, record.side) == (key.symbol, key.side) and record.ended_at > start
    )
    by_records = sum((record.quantity for record in records), ZERO)
    closed = max(by_fills, by_records)
    # A record tells of all closings, those that ended other rows among them.
    free = closed - _taken(account, closing)
    needed = max(base + opened, least)
    by = ExplainedBy.FILLS if by_fills >= by_records else ExplainedBy.VENUE_RECORD
    enough = (
        closed > ZERO
        and _reaches(closed, base + opened, account.step)
        and _reaches(free, least, account.step)
    )
    ends = [fill.at for fill in closing] + [record.ended_at for record in records]
    return Accounting(
        since=start,
        needed=needed,
        closed=closed,
        opened=opened,
        explained_by=by if enough else None,
        ended_at=max(ends, default=None),
        fills=closing,
        records=records,
        why="" if enough else _shortage(closed, free, opened, needed),
    )


def _taken(account: Account, closing: Sequence[Fill]) -> Decimal:
    """How much of these fills belongs to other rows."""
    parts = _parts(account.booked)
    taken = ZERO
    for fill in closing:
        whole = closed_by(fill, account.key.side)
        if fill.order_id in account.other_orders:
            taken += whole
        else:
            taken += min(parts.get(fill.fill_id, ZERO), whole)
    return taken


def _parts(booked: Iterable[BookedFill]) -> dict[str, Decimal]:
    parts: dict[str, Decimal] = {}
    for part in booked:
        parts[part.fill_id] = parts.get(part.fill_id, ZERO) + part.quantity
    return parts


def _needed(account: Account) -> Decimal | None:
    """The largest quantity known of the leg: seen, or where nothing was, in its rows."""
    seen = account.last_seen
    known = [account.rows_quantity] if account.rows_quantity else []
    if seen is not None and seen.quantity > ZERO:
        return max(seen.quantity, *known) if _rows_exceed_sight(account) else seen.quantity
    return max(known, default=None)


def _rows_exceed_sight(account: Account) -> bool:
    """Whether the rows speak of more than was ever seen, so that the sight is not all of it."""
    rows, seen = account.rows_quantity, account.last_seen
    if rows is None:
        return False
    if seen is None or seen.quantity <= ZERO:
        return True
    return rows > seen.quantity and not _reaches(seen.quantity, rows, account.step)


def _seen_at(seen: LastSeen) -> datetime:
    """From when on executions are not in what was seen.

    Executions bear the venue's clock, so its word for the position's last change is taken where
    it has one; else the end of the read, by our own clock.
    """
    return seen.changed_at or seen.finished_at


def _reaches(amount: Decimal, needed: Decimal, step: Decimal) -> bool:
    """Equal to less than what the instrument can express."""
    return amount >= needed or needed - amount < step


def _shortage(closed: Decimal, free: Decimal, opened: Decimal, needed: Decimal) -> str:
    if closed <= ZERO:
        return "the executions were read whole and show no closing"
    also = f" and opened {opened}" if opened else ""
    others = f", {closed - free} of it for other rows" if free < closed else ""
    return f"the executions closed {closed}{others}{also}, which leaves part of {needed} open"
