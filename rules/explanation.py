"""Does a record say how a leg ended? The accounting behind every absence (`docs/spec/truth.md`).

Two reads that agree explain nothing: a wrong key, a lagging replica, a renamed contract and a
netted account all give two flat reads for ever. What explains is a record of closings, net of
openings, since the leg was last seen, that reaches the quantity last seen. Pure; reading the
records is the caller's work, and `history_from` tells from where. What an accounting is made from,
and whose fills are whose, is `rules.leg_records`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from messages.ledger import LastSeen
from messages.values import ZERO, LegKey
from messages.venue import ClosedPosition, Fill
from messages.verdict import Accounting, ExplainedBy
from rules.leg_records import Account, History, closed_by, opened_by, taken_of

BEFORE_OPENING = timedelta(minutes=1)
"""A bot writes its row after its fill: so much earlier may a leg have been opened."""

REPLICA_LAG = timedelta(minutes=10)
"""So much older than its read may a list of positions be. Lags of 5 minutes were seen."""

CHANGE_ROUNDING = timedelta(seconds=1)
"""Some venues tell the instant of a position's last change in whole seconds only."""

CLOCK_SKEW = timedelta(seconds=5)
"""So far a venue's clock may be ahead of ours: most take no signed request that is further off."""

REPLAY_LIMIT = timedelta(days=7)
"""So far before its last sight a leg's opening is read: one request reaches that far at most venues
(their histories take windows of 7 days)."""


def history_from(account: Account) -> datetime | None:
    """From when on the executions must be read. None where nobody knows when the leg began.

    From when what was last seen may have been so; from the leg's opening where that is needed,
    or is near enough to be worth reading.
    """
    opening = _opening(account)
    if account.last_seen is None:
        return opening
    first, _ = _sight(account.last_seen)
    if opening is None or opening >= first:
        return first
    far = first - opening > REPLAY_LIMIT
    return first if far and not _rows_exceed_sight(account) else opening


def explain(account: Account) -> Accounting:
    """What the records add up to; `explained_by` is None where they do not explain the absence.

    Own verified fills of a leg that was seen explain by themselves. Else the closings since the
    leg was last seen, net of openings, must reach what was seen. Nobody knows how old a list is,
    so they must from every instant at which that may have been so; or, from the leg's opening
    on, the executions must first add up to what was seen, and then to nothing. Where the rows
    say more than was ever seen, the executions must also account for the rows, from their
    opening on. What ended other rows does not count.
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
    found = [
        one for one in (_since_last_seen(account, history), _since_opening(account, history)) if one
    ]
    # Where one of them is missing something, that is what is told.
    return next((one for one in found if one.explained_by is None), found[0])


def _by_own_orders(account: Account) -> Accounting | None:
    """Whether our own verified fills are all that had to be closed.

    Only of a leg that was seen before them: an order that was sent blindly knows of no more than
    the rows do, and more may have been there.
    """
    needed, seen = _needed(account), account.last_seen
    if needed is None or seen is None or seen.quantity <= ZERO:
        return None
    if account.opened_at is not None and seen.finished_at < account.opened_at:
        return None
    counted = [o for o in account.own if o.sent_at >= seen.finished_at]
    closed = sum((o.quantity for o in counted), ZERO)
    if closed <= ZERO or not _reaches(closed, seen.quantity, account.step):
        return None
    # What the rows have beyond the sight, earlier orders of ours must have closed: a close whose
    # orders fill in part is seen in between.
    opening = account.opened_at
    of_this_life = [o for o in account.own if opening is None or o.sent_at >= opening]
    closed = max(closed, sum((o.quantity for o in of_this_life), ZERO))
    if not _reaches(closed, needed, account.step):
        return None
    return Accounting(
        since=seen.finished_at,
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
    rows = account.rows_quantity
    # Nothing is booked for a leg without rows, so it does not matter whose fills ended it.
    least = ZERO if rows is None else min(rows, seen.quantity)
    first, last = _sight(seen)
    if history.since > first:
        return _out_of_reach(history, first, seen.quantity)
    instants = [first] + [fill.at for fill in _of(account.key, history, first) if fill.at <= last]
    counts = [
        _counted(account, history, instant, base=seen.quantity, least=least) for instant in instants
    ]
    missing = [one for one in counts if one.explained_by is None]
    if not missing:
        return counts[-1]
    replayed = [
        _counted(account, history, history.since, base=base, least=least)
        for base in _bases(account, history, seen.quantity, first, last)
    ]
    if replayed and all(one.explained_by is not None for one in replayed):
        return replayed[-1]
    return missing[-1]


def _bases(
    account: Account, history: History, seen: Decimal, first: datetime, last: datetime
) -> list[Decimal]:
    """What was there before all executions, where they show the opening of what was seen.

    They do where, walked back from an instant at which `seen` may have been there, they come to
    exactly nothing. That rules out the other instants: what was held is not found by accident.
    """
    fills = _of(account.key, history, history.since)
    held = [ZERO]
    for fill in fills:
        change = opened_by(fill, account.key.side) - closed_by(fill, account.key.side)
        held.append(held[-1] + change)
    bases: list[Decimal] = []
    for number in range(len(held)):
        begun = fills[number - 1].at if number else None
        over = fills[number].at if number < len(fills) else None
        if (begun is not None and begun > last) or (over is not None and over <= first):
            continue
        base = seen - held[number]
        if _same(base, ZERO, account.step):
            bases.append(ZERO)
        elif base > ZERO and _same(base + min(held[: number + 1]), ZERO, account.step):
            bases.append(base)
    return bases


def _since_opening(account: Account, history: History) -> Accounting | None:
    """What left the leg since its rows were opened; None where its last sight says as much."""
    rows, opening = account.rows_quantity, _opening(account)
    if rows is None or not _rows_exceed_sight(account):
        return None
    if opening is None:
        why = "its rows say more than was seen, and nobody knows when they were opened"
        return Accounting(since=None, needed=rows, closed=ZERO, why=why)
    if history.since > opening:
        return _out_of_reach(history, opening, rows)
    counted = _counted(account, history, opening, base=ZERO, least=rows + account.closed_rows)
    seen = account.last_seen
    if counted.explained_by is None and seen is not None and _began_empty(account, history, seen):
        # No more was ever there than was seen: it is the rows that say too much.
        least = min(rows, seen.quantity) + account.closed_rows
        return _counted(account, history, history.since, base=ZERO, least=least)
    return counted


def _began_empty(account: Account, history: History, seen: LastSeen) -> bool:
    """Whether the executions, from nothing on, come by exactly what was seen."""
    if seen.quantity <= ZERO:
        return False
    bases = _bases(account, history, seen.quantity, *_sight(seen))
    return bool(bases) and all(_same(base, ZERO, account.step) for base in bases)


def _out_of_reach(history: History, start: datetime, needed: Decimal) -> Accounting:
    why = f"the executions are known only from {history.since:%Y-%m-%d %H:%M} UTC on"
    return Accounting(since=start, needed=needed, closed=ZERO, why=why)


def _of(key: LegKey, history: History, start: datetime) -> list[Fill]:
    """The fills of the leg's symbol after `start`, oldest first."""
    return [
        fill
        for fill in sorted(history.fills, key=lambda fill: fill.at)
        if fill.symbol == key.symbol and fill.at > start
    ]


def _counted(
    account: Account, history: History, start: datetime, *, base: Decimal, least: Decimal
) -> Accounting:
    """Count from `start`, when `base` was there. Fills of no other row must close `least`."""
    key = account.key
    fills = _of(key, history, start)
    opened, by_fills = _moved(account, fills)
    closing = tuple(fill for fill in fills if closed_by(fill, key.side) > ZERO)
    records = tuple(
        record
        for record in history.records or ()
        if (record.symbol, record.side) == (key.symbol, key.side) and record.ended_at > start
    )
    by_records = sum((record.quantity for record in records), ZERO)
    in_part = sum((record.quantity for record in records if not record.whole), ZERO)
    needed = max(base + opened, least)
    counted = max(by_fills, in_part)
    balanced = counted > ZERO and _reaches(counted, base + opened, account.step)
    whole = max((record.ended_at for record in records if record.whole), default=None)
    if whole is not None and not balanced:
        # By the venue's word nothing was left then; the record tells of the position's whole life.
        opened_later, closed_later = _moved(account, _of(key, history, whole))
        needed, counted = max(base + opened_later, least), by_records
        balanced = _reaches(by_records, base, account.step) and _reaches(
            closed_later, opened_later, account.step
        )
    closed = max(counted, by_fills)
    # A record tells of all closings, those that ended other rows among them.
    free = closed - _taken(account, closing, records)
    enough = closed > ZERO and balanced and _reaches(free, least, account.step)
    by = ExplainedBy.FILLS if by_fills >= counted else ExplainedBy.VENUE_RECORD
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


def _moved(account: Account, fills: Sequence[Fill]) -> tuple[Decimal, Decimal]:
    """How much of the leg these fills opened, and closed."""
    side = account.key.side
    opened = sum((opened_by(fill, side) for fill in fills), ZERO)
    closed = sum((closed_by(fill, side) for fill in fills), ZERO)
    closing = [fill for fill in fills if closed_by(fill, side) > ZERO]
    return opened, closed - min(_opened_the_other_side(account, closing), closed)


def _opened_the_other_side(account: Account, closing: Sequence[Fill]) -> Decimal:
    """How much of these fills opened what is now held on the other side, and closed nothing.

    Only where the venue does not say itself how much of a fill closed.
    """
    untold = sum((fill.quantity for fill in closing if fill.closed_quantity is None), ZERO)
    return min(untold, account.turned)


def _taken(account: Account, closing: Sequence[Fill], records: Sequence[ClosedPosition]) -> Decimal:
    """How much of these closings belongs to other rows, by whichever telling of them is whole."""
    by_fills = sum(
        (
            taken_of(account, fill.fill_id, fill.order_id, closed_by(fill, account.key.side))
            for fill in closing
        ),
        ZERO,
    )
    by_records = sum(
        (taken_of(account, one.record_id, one.order_id, one.quantity) for one in records), ZERO
    )
    return max(by_fills, by_records)


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
    return not _reaches(seen.quantity, rows, account.step)


def _opening(account: Account) -> datetime | None:
    if account.opened_at is None:
        return None
    return min(account.opened_at, account.closed_from or account.opened_at) - BEFORE_OPENING


def _sight(seen: LastSeen) -> tuple[datetime, datetime]:
    """The first and the last instant at which what was seen may have been so.

    Executions bear the venue's clock, so its word for the position's last change is taken where
    it has one. Else a list may be a replica's, and older than its read.
    """
    if seen.changed_at is not None:
        whole = seen.changed_at.microsecond == 0
        return seen.changed_at, seen.changed_at + (CHANGE_ROUNDING if whole else timedelta(0))
    return seen.started_at - REPLICA_LAG, seen.finished_at + CLOCK_SKEW


def _same(one: Decimal, other: Decimal, step: Decimal) -> bool:
    return one == other or abs(one - other) < step


def _reaches(amount: Decimal, needed: Decimal, step: Decimal) -> bool:
    """Equal to less than what the instrument can express."""
    return amount >= needed or needed - amount < step


def _shortage(closed: Decimal, free: Decimal, opened: Decimal, needed: Decimal) -> str:
    if closed <= ZERO:
        return "the executions were read whole and show no closing"
    also = f" and opened {opened}" if opened else ""
    others = f", {closed - free} of it for other rows" if free < closed else ""
    return f"the executions closed {closed}{others}{also}, which leaves part of {needed} open"
