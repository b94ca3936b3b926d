"""Properties of the verdict, over reads, hints, fills and changes in any constellation (A5)."""

from __future__ import annotations

from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from messages.settings import VerdictSettings
from messages.values import OrderSide, Side
from messages.venue import PositionHint, Scope, Snapshot
from messages.verdict import Absent, EvidenceKind, ExplainedBy
from rules.verdict import LegFacts, judge
from tests.rules.build import (
    LONG,
    SHORT,
    USDT,
    D,
    after,
    books,
    fill,
    history,
    own,
    position,
    prove,
    read,
    seen,
)

RULE = VerdictSettings()
OLD = after(-3600)
BY_NAME = Scope(frozenset({"USDT"}), frozenset({LONG.symbol}))

seconds = st.integers(0, 240).map(lambda tick: tick / 4)


@st.composite
def any_read(draw: st.DrawFn) -> Snapshot:
    shown = draw(st.sampled_from([(), (), (position(),), (position(SHORT),)]))
    scope = draw(st.sampled_from([USDT, USDT, BY_NAME, Scope(frozenset({"USDC"}))]))
    return read(draw(seconds), *shown, broken=draw(st.booleans()), scope=scope)


@st.composite
def any_facts(draw: st.DrawFn) -> LegFacts:
    instant = st.none() | st.integers(-80, 20).map(after)
    hints = st.builds(
        PositionHint,
        key=st.just(LONG),
        quantity=st.sampled_from([D(0), D(1)]),
        at=seconds.map(after),
    )
    fills = st.builds(
        fill,
        seconds,
        st.sampled_from(["0.5", "1"]),
        side=st.sampled_from([OrderSide.SELL, OrderSide.SELL, OrderSide.BUY]),
        position_side=st.sampled_from([None, Side.LONG, Side.SHORT]),
    )
    told = st.builds(history, fills, fills, since=st.sampled_from([-100_000, -100_000, 10]))
    account = books(
        draw(st.sampled_from(["1", "1", "2", None])),
        last=draw(st.none() | st.builds(seen, st.integers(-50, 30), st.sampled_from(["1", "2"]))),
        opened_at=draw(st.none() | st.integers(-80, 20)),
        own=tuple(draw(st.lists(st.builds(own, seconds), max_size=1))),
        history=draw(st.none() | told | told),
    )
    return LegFacts(
        account=account,
        now=after(61),
        snapshots=tuple(draw(st.lists(any_read(), max_size=6))),
        changed_at=draw(instant),
        hint=draw(st.none() | hints),
        order_live=draw(st.integers(0, 5)) == 0,
        own_fill_at=draw(instant),
        can_query_symbol=draw(st.booleans()),
    )


@given(any_facts())
@prove
def test_absence_always_stands_on_evidence_that_an_unfriendly_reader_accepts(
    facts: LegFacts,
) -> None:
    verdict = judge(facts, RULE)
    if not isinstance(verdict, Absent):
        return
    shown = [one for one in facts.snapshots if one.find(LONG)]
    used = [
        one
        for one in facts.snapshots
        if one.started_at in {seen.started_at for seen in verdict.evidence.reads}
        and one.complete
        and one.scope.covers(LONG.symbol)
        and one.find(LONG) is None
    ]
    first = verdict.evidence.reads[0].started_at
    assert used
    assert not facts.order_live
    assert not any(one.started_at > first for one in shown)
    for bound in (facts.changed_at, facts.own_fill_at):
        assert bound is None or first >= bound
    born = facts.account.opened_at or facts.changed_at
    if born is not None:
        assert first >= born + RULE.settle
    if facts.hint is not None and facts.hint.quantity > 0:
        assert facts.hint.at < first
    accounting = verdict.evidence.accounting
    assert accounting.explained_by is not None
    assert accounting.closed >= accounting.needed > 0
    last = facts.account.last_seen
    assert last is None or accounting.needed >= last.quantity
    if verdict.evidence.kind is EvidenceKind.TWO_READS:
        assert verdict.evidence.reads[1].started_at - first >= RULE.confirm_after
    else:
        assert accounting.ended_at is not None
        assert first >= accounting.ended_at
    if accounting.explained_by is ExplainedBy.OWN_ORDERS:
        assert sum((one.quantity for one in facts.account.own), D(0)) >= accounting.closed
        return
    assert sum((one.quantity for one in verdict.evidence.fills), D(0)) >= accounting.closed
    assert all(one.side is OrderSide.SELL for one in verdict.evidence.fills)
    if facts.can_query_symbol:
        assert any(
            one.complete and one.scope.symbols and one.started_at == verdict.evidence.named_at
            for one in facts.snapshots
        )


@given(any_facts())
@prove
def test_without_a_record_of_its_end_no_leg_is_absent(facts: LegFacts) -> None:
    bare = msgspec.structs.replace(facts.account, own=(), history=history())
    assert not isinstance(judge(msgspec.structs.replace(facts, account=bare), RULE), Absent)


@given(st.lists(any_read(), max_size=6), st.data())
@prove
def test_an_open_leg_that_complete_reads_show_is_never_called_absent(
    reads: list[Snapshot], data: st.DataObject
) -> None:
    honest = tuple(
        one
        if one.find(LONG) or not one.complete or not one.scope.covers(LONG.symbol)
        else msgspec.structs.replace(one, positions=(*one.positions, position()))
        for one in reads
    )
    lie = data.draw(st.lists(seconds.map(lambda at: read(at)), max_size=1))
    account = books(last=seen(-50), history=history(fill(61)))
    verdict = judge(
        LegFacts(account=account, now=after(61), snapshots=(*honest, *lie), changed_at=OLD), RULE
    )
    assert not isinstance(verdict, Absent)


@given(any_facts(), st.randoms(use_true_random=False))
@prove
def test_the_order_of_the_reads_and_a_second_look_change_nothing(
    facts: LegFacts, dice: Random
) -> None:
    shuffled = list({one.started_at: one for one in facts.snapshots}.values())
    once = judge(msgspec.structs.replace(facts, snapshots=tuple(shuffled)), RULE)
    dice.shuffle(shuffled)
    assert judge(msgspec.structs.replace(facts, snapshots=tuple(shuffled)), RULE) == once
