"""Every small world of one leg, and what the rule makes of it (`docs/spec/truth.md`).

A world is a sequence of events, one a minute: trades, renames and moves that change what is truly
there, each with a bot that writes it at once, late or never; and looks, each with a list, an
answer by name and a history that may lie. From it the facts are gathered as the guard would, and
judged. Worlds that have come to the same state have the same future, so they are counted together
and continued once.

Left to test_worlds.py: what must hold, how many events, and what is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import msgspec

from messages.ledger import BookedFill, LastSeen
from messages.settings import VerdictSettings
from messages.values import LegKey, OrderSide, Side
from messages.venue import Fill, Scope, Snapshot, VenuePosition
from messages.verdict import Absent, ExplainedBy, Present, Unexplained, Unknown, Verdict, Want
from rules.explanation import Account, History, OwnFill, explain, history_from
from rules.verdict import LegFacts
from tests.rules.build import BROKEN, BTC, T0, USDT, D

LEG = LegKey("main", BTC, Side.LONG)
MINUTE = timedelta(minutes=1)
SETTINGS = VerdictSettings(confirm_after=MINUTE, settle=2 * MINUTE, stale_after=MINUTE)
LAG = 3
"""What lags tells how things were so many minutes ago."""
LATE = 2
"""So many minutes after its trade writes a bot that is late."""
SIZE = 2
"""What each opening buys. A partial sale sells one."""
BY_NAME = Scope(frozenset({"USDT"}), frozenset({BTC}))


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

    `renamed`: the position lives on under another name. `lost` are lives whose end no record
    tells. `reads` are the complete reads since the leg was last shown that did not show it, as
    (minute, by name). `own` are orders of ours for the rows that are active, `others` those for
    rows that are closed.
    """

    venue: Venue
    minute: int = 0
    was: Was = Was()
    past: tuple[Was, ...] = (Was(),) * LAG
    renamed: bool = False
    lost: tuple[int, ...] = ()
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


class Look(NamedTuple):
    listed: Listed
    named: Named
    told: Told

    def __str__(self) -> str:
        return f"look: list {self.listed}, by name {self.named}, history {self.told}"


HONEST = Look(Listed.TRUE, Named.TRUE, Told.COMPLETE)
VENUES = tuple(Venue(asks, tells) for asks in (True, False) for tells in (True, False))


@cache
def looks(asks: bool) -> tuple[Look, ...]:
    names = tuple(Named) if asks else (Named.TRUE,)
    return tuple(Look(one, name, told) for one in Listed for name in names for told in Told)


# What happens at the venue and in the ledger.


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
        lost=tuple(sorted({*state.lost, state.was.life})),
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
    return _ended(state._replace(rows=(*state.rows[: one.row], row, *state.rows[one.row + 1 :])))


def _ended(state: State) -> State:
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


# What the guard sees, and the facts that it makes of it.


class Judged(NamedTuple):
    """A look's verdict and the world after it. `judged` is the world that was called absent."""

    state: State
    verdict: Verdict
    judged: State | None = None


class Rule:
    """The rule that is tried: the real one, or one with a fault planted in it."""

    def __init__(self, judge: Callable[[LegFacts, VerdictSettings], Verdict]) -> None:
        self._judge = judge
        self._memo: dict[object, Verdict] = {}

    def judge(
        self, state: State, read: Snapshot | None, told: Told | None, wallet: bool
    ) -> Verdict:
        key = (
            state.venue, state.minute, state.rows, state.seen, state.reads, state.own,
            state.others, state.booked, state.trades, read is not None, told, wallet,
        )  # fmt: skip
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = self._judge(facts_of(state, read, told, wallet), SETTINGS)
        return found

    def explained(self, state: State) -> bool:
        """Whether the history as it truly is explains that the leg is gone."""
        return explain(account_of(state, Told.COMPLETE, False)).explained_by is not None

    def look(self, state: State, look: Look) -> Judged:
        """Look, ask for all that the verdict wants, and act on it as the guard does."""
        now = advance(state)
        wallet = look.listed is Listed.OTHER_WALLET
        if look.listed is Listed.DAMAGED:
            verdict = self.judge(now, DAMAGED, None, False)
            return Judged(now, verdict)
        shown = _answer(now, look.listed)
        if shown.quantity:
            now = now._replace(seen=Sight(now.minute, shown), reads=())
            return Judged(now, self.judge(now, read_of(now.minute, False, shown), None, False))
        if not now.watched:
            return Judged(now, NOTHING)
        now = now._replace(reads=(*now.reads, (now.minute, False)))
        told: Told | None = None
        verdict = self.judge(now, None, told, wallet)
        while isinstance(verdict, Unknown) and verdict.wants is not None:
            if verdict.wants is Want.NAME:
                shown = Was() if wallet else _answer(now, look.named)
                if shown.quantity:
                    now = now._replace(seen=Sight(now.minute, shown), reads=())
                    read = read_of(now.minute, True, shown)
                    return Judged(now, self.judge(now, read, told, wallet))
                now = now._replace(reads=(*now.reads, (now.minute, True)))
            else:
                assert told is None, verdict
                told = look.told
            verdict = self.judge(now, None, told, wallet)
        if isinstance(verdict, Absent):
            return Judged(_buried(now, verdict), verdict, now)
        return Judged(now, verdict)


NOTHING = Unknown(why="no row, and nothing was seen")
DAMAGED = Snapshot(
    account=LEG.account, scope=USDT, started_at=T0, finished_at=T0, problems=(BROKEN,)
)


def _answer(state: State, how: Listed | Named) -> Was:
    """What is answered: a quantity of zero shows nothing."""
    match how.value:
        case "true":
            return state.was
        case "lagging":
            return state.past[0]
        case _:
            return Was()


def _buried(state: State, verdict: Absent) -> State:
    """The rows are closed by the guard, once their bot has had its time, and fills booked."""
    if verdict.due_at is not None and verdict.due_at > at(state.minute, 35):
        return state
    booked, left = dict(state.booked), sum(state.rows[n].quantity for n in state.active)
    for fill in reversed(verdict.evidence.fills):
        free = int(fill.quantity) - booked.get(int(fill.fill_id), 0)
        if fill.order_id not in {str(order) for order in state.others} and min(free, left) > 0:
            booked[int(fill.fill_id)] = booked.get(int(fill.fill_id), 0) + min(free, left)
            left -= min(free, left)
    rows = tuple(
        row if row.by else row._replace(by="guard", updated=state.minute) for row in state.rows
    )
    others = (*state.others, *(one.order for one in state.own))
    buried = state._replace(
        rows=rows, reads=(), own=(), others=others, booked=tuple(sorted(booked.items()))
    )
    return _ended(buried)


def facts_of(state: State, read: Snapshot | None, told: Told | None, wallet: bool) -> LegFacts:
    """The facts that a guard would have at this minute; `read` is the newest, if it counts."""
    active = [state.rows[n] for n in state.active]
    reads = [read_of(minute, named, Was()) for minute, named in state.reads]
    if read is DAMAGED:
        read = msgspec.structs.replace(
            read, started_at=at(state.minute, 30), finished_at=at(state.minute, 30.1)
        )
    return LegFacts(
        account=account_of(state, told, wallet),
        now=at(state.minute, 35),
        snapshots=tuple(reads if read is None else [*reads, read]),
        changed_at=max((at(row.updated, 1) for row in active), default=None),
        own_fill_at=max((at(one.at, 1) for one in state.own), default=None),
        can_query_symbol=state.venue.asks,
        absent_since=reads[0].started_at if reads else None,
    )


def account_of(state: State, told: Told | None, wallet: bool) -> Account:
    active = [state.rows[n] for n in state.active]
    opened = min((row.opened for row in active), default=None)
    account = Account(
        key=LEG,
        last_seen=None if state.seen is None else _last_seen(state),
        rows_quantity=D(sum(row.quantity for row in active)) if active else None,
        opened_at=None if opened is None else at(opened),
        closed_rows=D(
            sum(r.quantity for r in state.rows if r.by == "bot" and r.updated >= (opened or 0))
        ),
        own=tuple(
            OwnFill(
                order_id=str(one.order),
                quantity=D(one.quantity),
                sent_at=at(one.at, -1),
                filled_at=at(one.at, 1),
            )
            for one in state.own
        ),
        booked=tuple(BookedFill(fill_id=str(one), quantity=D(q)) for one, q in state.booked),
        other_orders=frozenset(map(str, state.others)),
        unread="timed out" if told is Told.UNREADABLE else "",
    )
    start = history_from(account)
    if told in (None, Told.UNREADABLE) or start is None:
        return account
    return msgspec.structs.replace(account, history=_history(state, start, told, wallet))


def _history(state: State, start: datetime, told: Told | None, wallet: bool) -> History:
    cut = at(state.minute - 1)
    known = [
        one
        for one in state.trades
        if at(one.at) >= start
        and not wallet
        and not (told is Told.LATE and one.at > state.minute - LAG)
        and not (told in (Told.CUT, Told.TORN) and at(one.at) < cut)
    ]
    return History(
        since=max(start, cut) if told is Told.CUT else start, fills=tuple(map(_fill, known))
    )


@cache
def _fill(trade: Trade) -> Fill:
    return Fill(
        fill_id=str(trade.at),
        order_id=str(trade.order or f"bot-{trade.at}"),
        symbol=BTC,
        side=OrderSide.BUY if trade.quantity > 0 else OrderSide.SELL,
        quantity=D(abs(trade.quantity)),
        price=D(100),
        at=at(trade.at),
    )


def _last_seen(state: State) -> LastSeen | None:
    if state.seen is None:
        return None
    minute, was, _ = state.seen
    return LastSeen(
        key=LEG,
        started_at=at(minute, 30),
        finished_at=at(minute, 30.1),
        quantity=D(was.quantity),
        changed_at=at(was.changed) if state.venue.tells_change else None,
    )


@cache
def read_of(minute: int, named: bool, was: Was) -> Snapshot:
    second = 31 if named else 30
    shown = VenuePosition(key=LEG, contracts=D(was.quantity), quantity=D(was.quantity))
    return Snapshot(
        account=LEG.account,
        scope=BY_NAME if named else USDT,
        started_at=at(minute, second),
        finished_at=at(minute, second + 0.1),
        positions=(shown,) if was.quantity else (),
    )


@cache
def at(minute: int, second: float = 0) -> datetime:
    return T0 + timedelta(minutes=minute, seconds=second)


# All worlds.


class Class(StrEnum):
    """What a verdict of absence comes to where the leg is there all the same.

    ALL_LIED: list, answer by name (where there is one) and history. OWN: our own fills reached
    what was seen before them, and somebody had opened more. UNSEEN: no read ever showed it, and
    it held more than its rows say, from before they were opened. FALSE: anything else, which must
    never be.
    """

    ALL_LIED = "list, answer by name and history all lied"
    OWN = "our own fills had closed all that was seen"
    UNSEEN = "never seen, and more than its rows from the first"
    FALSE = "a living leg was called absent"


def classify(rule: Rule, judged: Judged) -> Class | None:
    """None: no verdict of absence, or a true one."""
    state = judged.judged
    if state is None or not state.living:
        return None
    assert isinstance(judged.verdict, Absent)
    if judged.verdict.evidence.accounting.explained_by is ExplainedBy.OWN_ORDERS:
        return Class.OWN
    if state.seen is None and state.held_before_rows:
        return Class.UNSEEN
    # Of a renamed position list and answer by name say the truth: its old name holds nothing.
    if state.renamed or rule.explained(state):
        return Class.FALSE
    return Class.ALL_LIED


def last_word(rule: Rule, state: State) -> str:
    """What is wrong with the verdict after an interval in which everything tells the truth."""
    for _ in range(INTERVAL):
        judged = rule.look(state, HONEST)
        if classify(rule, judged) in (Class.FALSE, Class.ALL_LIED):
            return "absent, and it is there"
        state = judged.state
    verdict = judged.verdict
    if not state.watched:
        return ""
    if state.was.quantity:
        return "" if isinstance(verdict, Present) else f"there, but {verdict}"
    lives = {state.rows[n].life for n in state.active}
    if state.seen is not None:
        lives.add(state.seen.was.life)
    if any(lost >= min(lives) for lost in state.lost):
        return "" if isinstance(verdict, Unexplained | Absent) else f"lost, but {verdict}"
    return "" if isinstance(verdict, Absent) else f"gone, with a record, but {verdict}"


INTERVAL = 7
"""Minutes of truth at the end: a late bot has written, and settle is over, twice."""
