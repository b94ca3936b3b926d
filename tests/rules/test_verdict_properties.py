"""Properties of the verdict, over reads, hints, fills and changes in any constellation (A5)."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from messages.settings import VerdictSettings
from messages.values import OrderSide, Side
from messages.venue import PositionHint, Scope, Snapshot
from messages.verdict import Absent, EvidenceKind
from rules.verdict import LegFacts, judge
from tests.rules.build import LONG, SHORT, USDT, D, after, fill, position, prove, read

RULE = VerdictSettings()
OLD = after(-3600)

seconds = st.integers(0, 240).map(lambda tick: tick / 4)


@st.composite
def any_read(draw: st.DrawFn) -> Snapshot:
    shown = draw(st.sampled_from([(), (), (position(),), (position(SHORT),)]))
    scope = draw(st.sampled_from([USDT, USDT, USDT, Scope(frozenset({"USDC"}))]))
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
    return LegFacts(
        key=LONG,
        now=after(61),
        snapshots=tuple(draw(st.lists(any_read(), max_size=6))),
        changed_at=draw(instant),
        quantity=D(1),
        fills=tuple(draw(st.lists(fills, max_size=2))),
        hint=draw(st.none() | hints),
        order_live=draw(st.integers(0, 5)) == 0,
        own_fill_at=draw(instant),
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
    if facts.changed_at is not None:
        assert first >= facts.changed_at + RULE.settle
    if facts.hint is not None and facts.hint.quantity > 0:
        assert facts.hint.at < first
    if verdict.evidence.kind is EvidenceKind.TWO_READS:
        assert verdict.evidence.reads[1].started_at - first >= RULE.confirm_after
    else:
        total = sum((one.quantity for one in verdict.evidence.fills), Decimal(0))
        assert total >= D(1)
        assert all(one.side is OrderSide.SELL for one in verdict.evidence.fills)


@given(st.lists(any_read(), max_size=6), st.data())
@prove
def test_an_open_leg_that_complete_reads_show_is_never_called_absent(
    reads: list[Snapshot], data: st.DataObject
) -> None:
    honest = tuple(
        one
        if one.find(LONG) or not one.complete or one.scope != USDT
        else msgspec.structs.replace(one, positions=(*one.positions, position()))
        for one in reads
    )
    lie = data.draw(st.lists(seconds.map(lambda at: read(at)), max_size=1))
    verdict = judge(
        LegFacts(key=LONG, now=after(61), snapshots=(*honest, *lie), changed_at=OLD), RULE
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
