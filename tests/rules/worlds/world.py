"""What is truly there in a small world of one leg, what its bot writes, and what a venue answers.

One event a minute. Worlds that can have no other future are one state (`merged`).
Left to others: what the guard remembers of it and judges (`guard.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

LAG = 3
"""What lags tells how things were so many minutes ago."""
LATE = 2
"""So many minutes after its trade writes a bot that is late."""
SIZE = 2
"""What each opening buys. A partial sale sells one."""


class Bot(StrEnum):
    """When the bot writes into its ledger what has happened. NEVER: it was done by hand."""

    ONCE = "at once"
    LATE = "late"
    NEVER = "never"


class Listed(StrEnum):
    """What the list of positions tells."""

    TRUE = "true"
    LAGGING = "lagging"
    OMITTING = "omitting"
    OTHER_WALLET = "of another wallet"
    DAMAGED = "damaged"


class Told(StrEnum):
    """The history. CUT: it is known only from a later instant. TORN: as CUT, and it says whole."""

    COMPLETE = "complete"
    LATE = "late"
    CUT = "cut"
    TORN = "torn"
    UNREADABLE = "unreadable"


class Named(StrEnum):
    """The answer to a question for the leg by name."""

    TRUE = "true"
    LAGGING = "lagging"
    OMITTING = "omitting"


class Venue(NamedTuple):
    """Whether it can be asked by name, and whether it tells when a position last changed."""

    asks: bool
    tells_change: bool


class Row(NamedTuple):
    """A row of the ledger. `life` is the position's that it stands for; `by` who closed it."""

    quantity: int
    opened: int
    updated: int
    life: int
    by: str = ""


class Was(NamedTuple):
    """What was truly there at the end of a minute."""

    quantity: int = 0
    changed: int = 0
    life: int = 0


class Sight(NamedTuple):
    """The newest complete read that showed the leg. `over`: its last row has been closed since."""

    at: int
    was: Was
    over: bool = False


class Trade(NamedTuple):
    """`order` is 0 for another's, else the minute in which the guard sent it."""

    at: int
    quantity: int
    order: int = 0


class Pending(NamedTuple):
    """A writing of the bot that is due: a row opened (-1: a new one), reduced or closed (0)."""

    due: int
    row: int
    quantity: int
    opened: int = 0
    life: int = 0


class State(NamedTuple):
    """A world so far: what is true, what the ledger says, and what the guard remembers.

    `renamed`: the position lives on under another name. `lost` is when one last went away and no
    record tells it. `reads` are the complete reads since the leg was last shown that did not show
    it, as (minute, by name). `own` are orders of ours for the rows that are active, `others`
    those for rows that are closed.
    """

    venue: Venue
    minute: int = 0
    was: Was = Was()
    past: tuple[Was, ...] = (Was(),) * LAG
    renamed: bool = False
    lost: int = 0
    rows: tuple[Row, ...] = ()
    pending: tuple[Pending, ...] = ()
    trades: tuple[Trade, ...] = ()
    seen: Sight | None = None
    reads: tuple[tuple[int, bool], ...] = ()
    own: tuple[Trade, ...] = ()
    others: tuple[int, ...] = ()
    booked: tuple[tuple[int, int], ...] = ()

    @property
    def active(self) -> tuple[int, ...]:
        return tuple(n for n, row in enumerate(self.rows) if not row.by)

    @property
    def held_before_rows(self) -> bool:
        """Whether something was there before the executions that its rows make us read."""
        opened = min((self.rows[n].opened for n in self.active), default=0)
        return sum(one.quantity for one in self.trades if one.at < opened) > 0

    @property
    def watched(self) -> bool:
        """Whether there is anything to judge."""
        return bool(self.active) or (self.seen is not None and not self.seen.over)

    @property
    def living(self) -> bool:
        """Whether the life that is judged goes on: its rows', or without rows that last seen."""
        if not (self.was.quantity or self.renamed):
            return False
        active = self.active
        if active:
            return any(self.rows[n].life == self.was.life for n in active)
        return self.seen is not None and self.seen.was.life == self.was.life


VENUES = tuple(Venue(asks, tells) for asks in (True, False) for tells in (True, False))


def happenings(state: State) -> Iterator[tuple[str, State]]:
    """Each thing that may happen next, looks apart, and the world after it."""
    now = advance(state)
    there = now.was.quantity
    if not now.renamed:
        for bot in Bot:
            if there < 2 * SIZE and len(now.rows) + len(now.pending) < 2:
                yield f"opened, the bot writes {bot}", _opened(now, bot)
            if there > 1:
                yield f"partly closed, the bot writes {bot}", _reduced(now, bot)
            if there:
                yield f"closed, the bot writes {bot}", _closed(now, bot)
            if _has_other(now):
                yield f"other row closed, the bot writes {bot}", _other_closed(now, bot)
        if _has_other(now):
            yield "other row closed by us", _other_closed_by_us(now)
        if there and now.active:
            yield "closed by us", _closed_by_us(now)
    if there:
        yield "renamed", _off(now)._replace(renamed=True)
        yield "moved away, no record", _off(now)
        yield "moved away, with a record", _traded(now, -there)


def advance(state: State) -> State:
    """The next minute: what the bot had still to write, it writes."""
    minute = state.minute + 1
    now = state._replace(minute=minute, past=(*state.past[1:], state.was))
    for one in state.pending:
        if one.due == minute:
            now = _written(now, one)
    return now._replace(pending=tuple(one for one in state.pending if one.due > minute))


def _traded(state: State, quantity: int, order: int = 0) -> State:
    was = state.was
    born = was.quantity == 0
    return state._replace(
        was=Was(was.quantity + quantity, state.minute, was.life + born),
        trades=(*state.trades, Trade(state.minute, quantity, order)),
    )


def _off(state: State) -> State:
    """Away without a record."""
    return state._replace(
        was=state.was._replace(quantity=0, changed=state.minute),
        lost=state.minute,
    )


def _written(state: State, one: Pending) -> State:
    if one.row < 0:
        row = Row(one.quantity, one.opened, state.minute, one.life)
        return state._replace(rows=(*state.rows, row))
    row = state.rows[one.row]
    if row.by:
        return state
    left = row.quantity - one.quantity if one.quantity else 0
    if left > 0:
        row = row._replace(quantity=left, updated=state.minute)
    else:
        row = row._replace(updated=state.minute, by="bot")
    return ended(state._replace(rows=(*state.rows[: one.row], row, *state.rows[one.row + 1 :])))


def ended(state: State) -> State:
    """A leg whose last row has been closed is looked at again when it is shown again."""
    if state.active or state.seen is None:
        return state
    return state._replace(seen=state.seen._replace(over=True), reads=(), own=())


def _noted(state: State, bot: Bot, *writings: Pending) -> State:
    for one in writings:
        if bot is Bot.ONCE:
            state = _written(state, one)
        elif bot is Bot.LATE:
            late = one._replace(due=state.minute + LATE)
            state = state._replace(pending=(*state.pending, late))
    return state


def _opened(state: State, bot: Bot) -> State:
    after = _traded(state, SIZE)
    return _noted(after, bot, Pending(0, -1, SIZE, after.minute, after.was.life))


def _reduced(state: State, bot: Bot) -> State:
    rows = [n for n in state.active if state.rows[n].quantity > 1]
    return _noted(_traded(state, -1), bot, *(Pending(0, n, 1) for n in rows[:1]))


def _closed(state: State, bot: Bot) -> State:
    after = _traded(state, -state.was.quantity)
    if bot is Bot.ONCE:
        # What it has not written yet it need not write any more.
        after = after._replace(pending=tuple(one for one in after.pending if one.row >= 0))
    unwritten = sum(one.row < 0 for one in after.pending)
    rows = (*after.active, *range(len(after.rows), len(after.rows) + unwritten))
    return _noted(after, bot, *(Pending(0, n, 0) for n in rows))


def _has_other(state: State) -> bool:
    """Whether a row beside the first can be sold, and leaves something of the leg."""
    return len(state.active) == 2 and state.rows[state.active[1]].quantity < state.was.quantity


def _other_closed(state: State, bot: Bot) -> State:
    other = state.active[1]
    return _noted(_traded(state, -state.rows[other].quantity), bot, Pending(0, other, 0))


def _other_closed_by_us(state: State) -> State:
    other = state.active[1]
    quantity = state.rows[other].quantity
    after = _traded(state, -quantity, state.minute)
    row = state.rows[other]._replace(by="guard", updated=state.minute)
    return after._replace(
        rows=(*state.rows[:other], row),
        others=(*after.others, state.minute),
        booked=(*after.booked, (state.minute, quantity)),
        reads=(),
    )


def _closed_by_us(state: State) -> State:
    """For what was last seen, or blindly for what the rows say; never more than is there."""
    rows = sum(state.rows[n].quantity for n in state.active)
    wanted = state.seen.was.quantity if state.seen is not None else rows
    quantity = min(wanted, state.was.quantity)
    after = _traded(state, -quantity, state.minute)
    own = Trade(state.minute, quantity, state.minute)
    # A read that began before our own fill says nothing any more.
    return after._replace(own=(*after.own, own), reads=())


def merged(state: State) -> State:
    """The world without what can change nothing any more, so that equal futures are one state."""
    active = state.active
    opened = [state.rows[n].opened for n in active]
    opened += [one.opened for one in state.pending if one.row < 0]
    oldest = min(opened, default=state.minute)
    rows = tuple(
        FORGOTTEN if row.by and (row.by != "bot" or row.updated < oldest) else row
        for row in state.rows
    )
    trades, lost = state.trades, state.lost
    if state.venue.tells_change and state.seen is not None:
        # No history is read from before these, nor asked whether more was there then.
        began = min([oldest, *(row.opened for row in rows if row.by == "bot")])
        kept = min(state.seen.was.changed, state.past[0].changed, began - 2)
        trades = tuple(one for one in trades if one.at > kept)
        lost = lost if lost > kept else 0
    held = {one.at for one in trades}
    lives = {rows[n].life for n in active} | {one.life for one in state.pending if one.row < 0}
    if state.seen is not None and not state.seen.over:
        lives.add(state.seen.was.life)
    first = min(lives, default=state.was.life)
    told = state.venue.tells_change
    names = {
        life: number
        for number, life in enumerate(
            sorted({first, state.was.life, *(one.life for one in state.past), *lives})
        )
    }

    def renamed(was: Was) -> Was:
        return Was(was.quantity, was.changed if told else 0, names.get(was.life, -1))

    seen = state.seen
    return state._replace(
        was=renamed(state.was),
        past=tuple(map(renamed, state.past)),
        lost=lost,
        rows=tuple(row._replace(life=-1 if row.by else names[row.life]) for row in rows),
        pending=tuple(
            one if one.row >= 0 else one._replace(life=names[one.life]) for one in state.pending
        ),
        trades=trades,
        seen=None if seen is None else seen._replace(was=renamed(seen.was)),
        others=tuple(order for order in state.others if order in held),
        booked=tuple(one for one in state.booked if one[0] in held),
    )


FORGOTTEN = Row(0, 0, 0, -1, "guard")
