"""What a guard sees of a small world, the facts that it gathers, and what the rule says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import msgspec

from messages.ledger import BookedFill, LastSeen
from messages.settings import VerdictSettings
from messages.values import LegKey, OrderSide, Side
from messages.venue import Fill, Scope, Snapshot, VenuePosition
from messages.verdict import Absent, Unknown, Verdict, Want
from rules.explanation import explain, history_from
from rules.leg_records import Account, ClosedRow, History, OwnFill, with_closed_rows
from rules.verdict import LegFacts
from tests.rules.build import BROKEN, BTC, T0, USDT, D
from tests.rules.worlds.world import (
    LAG,
    Listed,
    Named,
    Sight,
    State,
    Told,
    Trade,
    Was,
    advance,
    ended,
)

LEG = LegKey("main", BTC, Side.LONG)
MINUTE = timedelta(minutes=1)
SETTINGS = VerdictSettings(confirm_after=MINUTE, settle=2 * MINUTE, stale_after=MINUTE)
BY_NAME = Scope(frozenset({"USDT"}), frozenset({BTC}))
NOTHING = Unknown(why="no row, and nothing was seen")

Judge = Callable[[LegFacts, VerdictSettings], Verdict]


class Look(NamedTuple):
    """What the venue's three witnesses do at one look."""

    listed: Listed = Listed.TRUE
    named: Named = Named.TRUE
    told: Told = Told.COMPLETE

    def __str__(self) -> str:
        return f"look: list {self.listed}, by name {self.named}, history {self.told}"


class Judged(NamedTuple):
    """A look's verdict and the world after it, and how many looks come to the same.

    `called_absent` is the world that was called absent, before its rows were closed for that.
    """

    look: Look
    looks: int
    verdict: Verdict
    state: State
    called_absent: State | None = None


class Facts(NamedTuple):
    """What has been gathered at one look. `shown` is by the newest read, zero: it shows nothing."""

    state: State
    shown: Was = Was()
    by_name: bool = False
    damaged: bool = False
    told: Told | None = None
    wallet: bool = False


def looked(judge: Judge, state: State) -> Iterator[Judged]:
    """Every look at the next minute, those that come to the same together."""
    names = tuple(Named) if state.venue.asks else (Named.TRUE,)
    for listed in Listed:
        yield from _looked(judge, state, listed, names, tuple(Told))


def look(judge: Judge, state: State, how: Look) -> Judged:
    """One look at the next minute."""
    (judged,) = _looked(judge, state, how.listed, (how.named,), (how.told,))
    return judged._replace(look=how)


def _looked(
    judge: Judge, before: State, listed: Listed, names: Sequence[Named], tolds: Sequence[Told]
) -> Iterator[Judged]:
    """Read the list, and ask for all that the verdict wants."""
    state, look = advance(before), Look(listed, names[0], tolds[0])
    looks = len(names) * len(tolds)
    if listed is Listed.DAMAGED:
        verdict = judge(facts_of(Facts(state, damaged=True)), SETTINGS)
        yield Judged(look, looks, verdict, state)
        return
    facts = Facts(state, wallet=listed is Listed.OTHER_WALLET)
    shown = _answer(state, listed)
    if shown.quantity:
        yield Judged(look, looks, *_shown(judge, facts, shown, by_name=False))
    elif not state.watched:
        yield Judged(look, looks, NOTHING, state)
    else:
        reads = (*state.reads, (state.minute, False))
        facts = facts._replace(state=state._replace(reads=reads))
        yield from _asked(judge, facts, look, looks, names, tolds)


def _asked(
    judge: Judge,
    facts: Facts,
    look: Look,
    looks: int,
    names: Sequence[Named],
    tolds: Sequence[Told],
) -> Iterator[Judged]:
    """Judge, and where the verdict wants more, ask for it in each way that it may be answered."""
    state, verdict = facts.state, judge(facts_of(facts), SETTINGS)
    match verdict:
        case Unknown(wants=Want.NAME):
            asked = state._replace(reads=(*state.reads, (state.minute, True)))
            for named in names:
                shown = Was() if facts.wallet else _answer(state, named)
                one, share = look._replace(named=named), looks // len(names)
                if shown.quantity:
                    yield Judged(one, share, *_shown(judge, facts, shown, by_name=True))
                else:
                    with_name = facts._replace(state=asked)
                    yield from _asked(judge, with_name, one, share, names[:1], tolds)
        case Unknown(wants=Want.HISTORY):
            assert facts.told is None, "the history was read, and is wanted again"
            for told in tolds:
                one, share = look._replace(told=told), looks // len(tolds)
                read = facts._replace(told=told)
                yield from _asked(judge, read, one, share, names, tolds[:1])
        case Absent():
            yield Judged(look, looks, verdict, _buried(state, verdict), state)
        case _:
            yield Judged(look, looks, verdict, state)


def _shown(judge: Judge, facts: Facts, shown: Was, *, by_name: bool) -> tuple[Verdict, State]:
    state = facts.state._replace(seen=Sight(facts.state.minute, shown), reads=())
    facts = facts._replace(state=state, shown=shown, by_name=by_name)
    return judge(facts_of(facts), SETTINGS), state


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
    others = {str(order) for order in state.others}
    for fill in reversed(verdict.evidence.fills):
        number = int(fill.fill_id)
        free = min(int(fill.quantity) - booked.get(number, 0), left)
        if fill.order_id not in others and free > 0:
            booked[number] = booked.get(number, 0) + free
            left -= free
    return ended(
        state._replace(
            rows=tuple(row if row.by else row._replace(by="guard") for row in state.rows),
            reads=(),
            own=(),
            others=(*state.others, *(one.order for one in state.own)),
            booked=tuple(sorted(booked.items())),
        )
    )


def truly_explained(state: State) -> bool:
    """Whether the history as it truly is explains that the leg is gone."""
    return explain(_account(Facts(state, told=Told.COMPLETE))).explained_by is not None


def facts_of(facts: Facts) -> LegFacts:
    """The facts of the rule, at 35 seconds past the minute."""
    state = facts.state
    reads = [read_of(minute, by_name, Was()) for minute, by_name in state.reads]
    since = reads[0].started_at if reads else None
    if facts.damaged:
        reads.append(_damaged(state.minute))
    elif facts.shown.quantity:
        reads.append(read_of(state.minute, facts.by_name, facts.shown))
    return LegFacts(
        account=_account(facts),
        now=at(state.minute, 35),
        snapshots=tuple(reads),
        changed_at=max((at(state.rows[n].updated, 1) for n in state.active), default=None),
        own_fill_at=max((at(one.at, 1) for one in state.own), default=None),
        can_query_symbol=state.venue.asks,
        absent_since=since,
    )


def _account(facts: Facts) -> Account:
    state, told = facts.state, facts.told
    active = [state.rows[n] for n in state.active]
    closed = [
        ClosedRow(quantity=D(row.quantity), opened_at=at(row.opened), closed_at=at(row.updated))
        for row in state.rows
        if row.by == "bot"
    ]
    account = Account(
        key=LEG,
        last_seen=_last_seen(state),
        rows_quantity=D(sum(row.quantity for row in active)) if active else None,
        opened_at=at(min(row.opened for row in active)) if active else None,
        own=tuple(map(_own, state.own)),
        booked=tuple(BookedFill(fill_id=str(one), quantity=D(q)) for one, q in state.booked),
        other_orders=frozenset(map(str, state.others)),
        unread="timed out" if told is Told.UNREADABLE else "",
    )
    if closed:
        account = with_closed_rows(account, closed)
    start = history_from(account)
    if told in (None, Told.UNREADABLE) or start is None:
        return account
    return msgspec.structs.replace(account, history=_history(facts, start))


def _history(facts: Facts, start: datetime) -> History:
    minute, told = facts.state.minute, facts.told
    cut = at(minute - 1)
    known = [
        trade
        for trade in facts.state.trades
        if at(trade.at) >= start
        and not facts.wallet
        and not (told is Told.LATE and trade.at > minute - LAG)
        and not (told in (Told.CUT, Told.TORN) and at(trade.at) < cut)
    ]
    since = max(start, cut) if told is Told.CUT else start
    return History(since=since, fills=tuple(map(_fill, known)), records=())


@cache
def _own(order: Trade) -> OwnFill:
    return OwnFill(
        order_id=str(order.order),
        quantity=D(order.quantity),
        sent_at=at(order.at, -1),
        filled_at=at(order.at, 1),
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
def read_of(minute: int, by_name: bool, was: Was) -> Snapshot:
    """A complete read that began half a minute after the minute's trade."""
    second = 31 if by_name else 30
    shown = VenuePosition(key=LEG, contracts=D(was.quantity), quantity=D(was.quantity))
    return Snapshot(
        account=LEG.account,
        scope=BY_NAME if by_name else USDT,
        started_at=at(minute, second),
        finished_at=at(minute, second + 0.1),
        positions=(shown,) if was.quantity else (),
    )


@cache
def _damaged(minute: int) -> Snapshot:
    return msgspec.structs.replace(read_of(minute, False, Was()), problems=(BROKEN,))


@cache
def at(minute: int, second: float = 0) -> datetime:
    return T0 + timedelta(minutes=minute, seconds=second)
