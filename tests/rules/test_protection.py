"""Tests of stop coverage (`docs/spec/mission.md` C2, scenario 4.4)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.values import LegKey, OrderSide, Side
from messages.venue import Protection, ProtectionKind, ProtectiveOrder
from rules.protection import Cover, coverage, plausible
from tests.rules.build import BROKEN, BTC, SHORT, T0, D, decimals, position, prove, sides


def stop(
    trigger: str | Decimal = "95",
    *,
    kind: ProtectionKind = ProtectionKind.TRIGGER,
    side: OrderSide = OrderSide.SELL,
    quantity: str | None = None,
    position_side: Side | None = None,
    symbol: str = BTC,
    reduce_only: bool = True,
    is_stop: bool = True,
) -> ProtectiveOrder:
    return ProtectiveOrder(
        kind=kind,
        symbol=symbol,
        side=side,
        trigger_price=D(trigger),
        quantity=None if quantity is None else D(quantity),
        position_side=position_side,
        reduce_only=reduce_only,
        is_stop=is_stop,
    )


def working(*orders: ProtectiveOrder, blind: bool = False) -> Protection:
    return Protection(started_at=T0, orders=orders, problems=(BROKEN,) if blind else ())


def test_an_attached_stop_covers_the_whole_position() -> None:
    found = coverage(position(stop="95"), working())
    assert (found.level, found.quantity, found.stop_price) == (Cover.COVERED, D(1), D(95))
    assert found.by[0].kind is ProtectionKind.ATTACHED


@pytest.mark.parametrize("kind", ProtectionKind)
@pytest.mark.parametrize("quantity", [None, "1", "5"])
def test_a_stop_of_any_kind_for_at_least_the_size_covers(
    kind: ProtectionKind, quantity: str | None
) -> None:
    found = coverage(position(), working(stop(kind=kind, quantity=quantity)))
    assert (found.level, found.quantity) == (Cover.COVERED, D(1))


def test_a_stop_for_half_the_size_covers_partly_and_two_cover() -> None:
    half = stop(quantity="0.5")
    assert coverage(position(), working(half)).level is Cover.PARTLY
    assert coverage(position(), working(half)).quantity == D("0.5")
    both = coverage(position(), working(half, stop("97", quantity="0.5")))
    assert (both.level, both.stop_price) == (Cover.COVERED, D(97))


def test_a_shortfall_below_a_step_is_none() -> None:
    almost = working(stop(quantity="0.9995"))
    assert coverage(position(), almost, step=D("0.001")).level is Cover.COVERED
    assert coverage(position(), almost).level is Cover.PARTLY
    by_a_step = working(stop(quantity="0.999"))
    assert coverage(position(), by_a_step, step=D("0.001")).level is Cover.PARTLY


def test_without_any_price_of_the_venue_only_the_liquidation_price_can_object() -> None:
    assert plausible(D("0.1"), position(entry=None, mark=None))
    assert not plausible(D(0), position(entry=None, mark=None))
    assert not plausible(D(90), position(entry=None, mark=None, liquidation="95"))
    assert plausible(D("0.1"), position(entry=None, mark="0"))


def test_half_the_price_away_is_the_furthest_and_the_liquidation_price_itself_is_too_far() -> None:
    assert plausible(D(50), position())
    assert not plausible(D("49.9"), position())
    assert not plausible(D(95), position(liquidation="95"))


@pytest.mark.parametrize(
    "useless",
    [
        stop(side=OrderSide.BUY),
        stop(position_side=Side.SHORT),
        stop(symbol="ETH/USDT:USDT"),
        stop(is_stop=False),
        stop("105"),
        stop("100"),
        stop("49"),
        stop("0"),
    ],
    ids=["wrong side", "other leg", "other symbol", "take-profit", "above the market",
         "at the market", "too far", "no price"],
)  # fmt: skip
def test_a_stop_that_would_not_end_the_position_leaves_it_naked(useless: ProtectiveOrder) -> None:
    found = coverage(position(), working(useless))
    assert (found.level, found.stop_price, found.by) == (Cover.NAKED, None, ())


def test_a_stop_behind_the_liquidation_price_protects_nobody() -> None:
    assert coverage(position(liquidation="96"), working(stop("95"))).level is Cover.NAKED
    assert coverage(position(liquidation="94"), working(stop("95"))).level is Cover.COVERED


def test_a_stop_that_locks_a_profit_in_is_plausible_below_the_mark() -> None:
    assert coverage(position(entry="80", mark="100"), working(stop("95"))).level is Cover.COVERED
    assert plausible(D(105), position(entry="100", mark=None))


def test_in_hedge_mode_a_plain_sell_stop_might_open_a_short_and_does_not_count() -> None:
    plain = stop(reduce_only=False)
    assert coverage(position(hedged=True), working(plain)).level is Cover.NAKED
    assert coverage(position(), working(plain)).level is Cover.COVERED
    named = stop(reduce_only=False, position_side=Side.LONG)
    assert coverage(position(hedged=True), working(named)).level is Cover.COVERED


def test_what_cannot_be_checked_is_not_called_missing() -> None:
    assert coverage(position(), working(blind=True)).level is Cover.CANNOT_TELL
    partly = coverage(position(), working(stop(quantity="0.5"), blind=True))
    assert (partly.level, partly.quantity) == (Cover.CANNOT_TELL, D("0.5"))
    assert coverage(position(stop="95"), working(blind=True)).level is Cover.COVERED


def test_of_two_hedge_legs_each_has_its_own_stop() -> None:
    shorts = stop("105", side=OrderSide.BUY, position_side=Side.SHORT)
    assert coverage(position(SHORT, hedged=True), working(shorts)).level is Cover.COVERED
    assert coverage(position(hedged=True), working(shorts)).level is Cover.NAKED


orders = st.builds(
    stop,
    decimals("40", "160", 1),
    side=st.sampled_from(OrderSide),
    quantity=st.sampled_from([None, "0.3", "0.7", "1"]),
    position_side=st.sampled_from([None, *Side]),
    is_stop=st.booleans(),
    reduce_only=st.booleans(),
)


@given(st.lists(orders, max_size=4), orders, sides, st.booleans(), st.booleans())
@prove
def test_another_order_never_takes_cover_away_and_blindness_never_makes_a_leg_naked(
    some: list[ProtectiveOrder], more: ProtectiveOrder, side: Side, hedged: bool, blind: bool
) -> None:
    there = position(LegKey("main", BTC, side), hedged=hedged)
    less, full = (coverage(there, working(*one, blind=blind)) for one in (some, [*some, more]))
    assert less.quantity <= full.quantity <= there.quantity
    assert less.level is not Cover.COVERED or full.level is Cover.COVERED
    assert not (blind and full.level in (Cover.NAKED, Cover.PARTLY))
    assert (full.quantity == 0) == (full.by == ())


@given(st.lists(orders, max_size=4), sides)
@prove
def test_a_mirrored_market_has_mirrored_cover(some: list[ProtectiveOrder], side: Side) -> None:
    """Prices mirrored around the mark of 100, sides swapped."""
    mirrored = [
        stop(
            200 - one.trigger_price,
            side=one.side.opposite,
            quantity=None if one.quantity is None else str(one.quantity),
            position_side=None if one.position_side is None else one.position_side.opposite,
            is_stop=one.is_stop,
            reduce_only=one.reduce_only,
        )
        for one in some
    ]
    straight = coverage(position(LegKey("main", BTC, side)), working(*some))
    turned = coverage(position(LegKey("main", BTC, side.opposite)), working(*mirrored))
    assert (straight.level, straight.quantity) == (turned.level, turned.quantity)
