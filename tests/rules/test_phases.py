"""Tests of the phases of an aged leg (`docs/spec/mission.md` A2, scenarios 7.1 to 7.5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.settings import AgedSettings
from messages.values import LegKey, Side
from rules.phases import (
    AgedFacts,
    CloseNow,
    Hold,
    LeaveAlone,
    NotYet,
    Phase,
    break_even,
    closing_price,
    decide,
    loss_at,
    net_profit,
    next_change,
    phase_at,
    reaches,
    target_price,
)
from tests.rules.build import BTC, LONG, SHORT, T0, D, decimals, leg, prove, quote, sides

RULE = AgedSettings()
HOUR = timedelta(hours=1)
TICK = timedelta.resolution


def facts(
    hours: float, price: str | None, key: LegKey = LONG, *, plus: timedelta = timedelta(0)
) -> AgedFacts:
    """A leg opened at T0 for 100, so many hours after it became aged."""
    return AgedFacts(
        leg=leg(key),
        now=T0 + RULE.max_age + HOUR * hours + plus,
        quote=None if price is None else quote(price),
    )


@pytest.mark.parametrize(
    ("key", "hours", "phase", "target"),
    [
        (LONG, 0, Phase.GRACE, "100.1"),
        (SHORT, 8, Phase.GRACE, "99.9"),
        (LONG, 8.5, Phase.PROGRESSIVE, "100"),
        (LONG, 9, Phase.PROGRESSIVE, "99.5"),
        (SHORT, 9.99, Phase.PROGRESSIVE, "100.5"),
        (SHORT, 18, Phase.PROGRESSIVE, "105"),
        (LONG, 28, Phase.PROGRESSIVE, "90"),
    ],
)
def test_a_phase_holds_until_its_target(
    key: LegKey, hours: float, phase: Phase, target: str
) -> None:
    beyond = D(target) - key.side.sign * D("0.01")
    held = decide(facts(hours, str(beyond), key), RULE)
    assert isinstance(held, Hold)
    assert (held.phase, held.target, held.price) == (phase, D(target), beyond)
    closed = decide(facts(hours, target, key), RULE)
    assert isinstance(closed, CloseNow)
    assert closed.phase is phase


@pytest.mark.parametrize(
    ("hours", "phase"),
    [(0, Phase.GRACE), (8, Phase.PROGRESSIVE), (28, Phase.MARKET)],
)
def test_a_phase_begins_at_its_instant_and_not_before(hours: float, phase: Phase) -> None:
    before = decide(facts(hours, "1", plus=-TICK if hours == 0 else timedelta(0)), RULE)
    begun = decide(facts(hours, "1", plus=timedelta(0) if hours == 0 else TICK), RULE)
    assert getattr(before, "phase", None) is not phase
    assert getattr(begun, "phase", None) is phase


def test_a_leg_that_is_not_aged_is_left_until_it_is() -> None:
    decision = decide(facts(-1, "500"), RULE)
    assert decision == NotYet(until=T0 + RULE.max_age)
    assert not isinstance(decide(facts(0, "1"), RULE), NotYet)


@pytest.mark.parametrize("hours", [0, 8, 8.5, 20, 40])
@pytest.mark.parametrize(("key", "price"), [(LONG, "100.2"), (SHORT, "99.8")])
def test_a_net_profit_closes_at_once_at_any_age(key: LegKey, price: str, hours: float) -> None:
    assert isinstance(decide(facts(hours, price, key), RULE), CloseNow)


@pytest.mark.parametrize(("key", "price"), [(LONG, "100.09"), (SHORT, "99.91")])
def test_a_profit_smaller_than_the_fees_does_not_close_in_grace(key: LegKey, price: str) -> None:
    assert isinstance(decide(facts(4, price, key), RULE), Hold)


def test_the_largest_loss_stays_until_the_market_phase_takes_any_price() -> None:
    short_steps = AgedSettings(loss_step=D("0.04"))
    for hours in (11, 12, 20, 28):
        held = decide(facts(hours, "89.99"), short_steps)
        assert isinstance(held, Hold)
        assert held.target == 90
        assert held.next_change_at == T0 + RULE.max_age + 28 * HOUR + TICK
    closed = decide(facts(28, "1", plus=TICK), short_steps)
    assert isinstance(closed, CloseNow)
    assert closed.worst_price is None


def test_the_market_phase_needs_no_price_and_every_other_phase_holds_without_one() -> None:
    assert isinstance(decide(facts(29, None), RULE), CloseNow)
    held = decide(facts(10, None), RULE)
    assert isinstance(held, Hold)
    assert held.price is None


@pytest.mark.parametrize("hours", [1, 10, 100])
def test_a_held_or_trailing_leg_is_left_alone_in_every_phase_until_that_ends(hours: float) -> None:
    now = T0 + RULE.max_age + HOUR * hours
    for kept in (leg(held=True), leg(trailing=True)):
        assert isinstance(
            decide(AgedFacts(leg=kept, now=now, quote=quote("500")), RULE), LeaveAlone
        )
    assert isinstance(decide(AgedFacts(leg=leg(), now=now, quote=quote("500")), RULE), CloseNow)


def test_a_long_leaves_at_the_bid_and_a_short_at_the_ask() -> None:
    book = quote("99", "101", "100")
    assert closing_price(Side.LONG, book) == 99
    assert closing_price(Side.SHORT, book) == 101


def test_a_close_for_profit_bounds_its_price_where_nothing_is_lost() -> None:
    """A short's exact break-even lies a hair above its grace target: both are no loss."""
    closed = decide(facts(1, "99.90002", SHORT), RULE)
    assert isinstance(closed, CloseNow)
    assert closed.worst_price is not None
    assert net_profit(Side.SHORT, D(100), closed.worst_price, D(1), RULE.fee).copy_abs() < D(
        "1e-20"
    )


settings = st.builds(
    AgedSettings,
    max_age=st.integers(0, 50).map(lambda hours: HOUR * hours),
    grace=st.integers(0, 90).map(lambda tenth: HOUR * tenth / 10),
    market_after=st.integers(0, 300).map(lambda tenth: HOUR * tenth / 10),
    fee=decimals("0", "0.002"),
    loss_step=decimals("0", "0.05"),
    max_loss=decimals("0", "0.5"),
)
overs = st.integers(0, 60 * 3600).map(lambda second: timedelta(seconds=second))
prices = decimals("0.5", "100000")


@given(sides, prices, overs, overs, settings)
@prove
def test_targets_only_ever_loosen_and_never_beyond_the_largest_loss(
    side: Side, entry: Decimal, one: timedelta, other: timedelta, rule: AgedSettings
) -> None:
    early, late = sorted((one, other))
    first, second = (target_price(side, entry, over, rule) for over in (early, late))
    assert reaches(side, first, second)
    assert reaches(side, second, entry * (1 - side.sign * rule.max_loss))
    assert list(Phase).index(phase_at(early, rule)) <= list(Phase).index(phase_at(late, rule))


@given(prices, overs, settings)
@prove
def test_long_and_short_are_mirrored_around_the_entry(
    entry: Decimal, over: timedelta, rule: AgedSettings
) -> None:
    long = target_price(Side.LONG, entry, over, rule)
    short = target_price(Side.SHORT, entry, over, rule)
    assert long - entry == entry - short


@given(sides, prices, overs, settings)
@prove
def test_nothing_changes_before_the_instant_that_a_hold_names_and_something_does_then(
    side: Side, entry: Decimal, over: timedelta, rule: AgedSettings
) -> None:
    if phase_at(over, rule) is Phase.MARKET:
        return
    change = next_change(over, rule)
    assert change > over

    def told(at: timedelta) -> tuple[Phase, Decimal]:
        return phase_at(at, rule), loss_at(at, rule)

    assert told(over) == told(change - TICK)
    assert told(over) != told(change)


@given(sides, prices, prices, overs, settings)
@prove
def test_a_close_is_never_at_a_wider_loss_than_its_phase_allows(
    side: Side, entry: Decimal, price: Decimal, over: timedelta, rule: AgedSettings
) -> None:
    one = leg(LegKey("main", BTC, side), entry=entry)
    now = T0 + rule.max_age + over
    decision = decide(AgedFacts(leg=one, now=now, quote=quote(price)), rule)
    assert decide(AgedFacts(leg=one, now=now, quote=quote(price)), rule) == decision
    profit = net_profit(side, entry, price, D(1), rule.fee) > 0
    assert isinstance(decision, (Hold, CloseNow))
    if isinstance(decision, Hold):
        assert not profit
        assert not reaches(side, price, decision.target)
    elif decision.worst_price is not None:
        assert reaches(side, price, decision.worst_price)
        loss = side.sign * (entry - decision.worst_price) / entry
        assert loss <= loss_at(over, rule)


def test_a_net_profit_is_that_of_the_whole_quantity_after_both_fees() -> None:
    assert net_profit(Side.LONG, D(100), D(110), D(2), D("0.001")) == D("19.58")
    assert net_profit(Side.SHORT, D(100), D(110), D(2), D("0.001")) == D("-20.42")


def test_at_the_very_end_of_grace_the_next_change_is_an_instant_away() -> None:
    held = decide(facts(8, "90"), RULE)
    assert isinstance(held, Hold)
    assert held.next_change_at == T0 + RULE.max_age + RULE.grace + TICK


def test_exactly_nothing_after_fees_is_no_profit() -> None:
    free = AgedSettings(fee=D(0), max_loss=D(0))
    one = leg(LONG)
    held = AgedFacts(leg=one, now=T0 + free.max_age + 9 * HOUR, quote=quote("100"))
    closed = decide(held, free)
    assert isinstance(closed, CloseNow)
    assert "target" in closed.why


@given(sides, prices, prices, settings)
@prove
def test_every_life_that_nobody_holds_ends_when_the_market_phase_begins(
    side: Side, entry: Decimal, price: Decimal, rule: AgedSettings
) -> None:
    one = leg(LegKey("main", BTC, side), entry=entry)
    end = T0 + rule.max_age + rule.grace + rule.market_after + TICK
    for book in (None, quote(price)):
        closed = decide(AgedFacts(leg=one, now=end, quote=book), rule)
        assert isinstance(closed, CloseNow)
        assert (closed.phase, closed.worst_price) == (Phase.MARKET, None)


@given(sides, prices, decimals("0", "0.01"))
@prove
def test_break_even_is_where_the_profit_after_both_fees_turns(
    side: Side, entry: Decimal, fee: Decimal
) -> None:
    bound, hair = break_even(side, entry, fee), side.sign * entry * D("1e-12")
    assert net_profit(side, entry, bound + hair, D(1), fee) > 0
    assert net_profit(side, entry, bound - hair, D(1), fee) < 0
