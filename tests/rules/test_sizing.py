"""Tests of how much a close may take (scenarios 1.2, 1.3, 6.4, 6.5)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given

from messages.verdict import (
    Absent,
    Accounting,
    Evidence,
    EvidenceKind,
    Present,
    Unexplained,
    Unknown,
)
from rules.rounding import ceil_to, floor_to, to_places
from rules.sizing import Dust, Nothing, Sized, size_close
from tests.rules.build import D, after, decimals, instrument, position, prove

BY_CENT = instrument(step="0.01", least="0.05", notional="5")
GONE = Accounting(since=None, needed=D(100), closed=D(100))
ABSENT = Absent(evidence=Evidence(kind=EvidenceKind.TWO_READS, reads=(), accounting=GONE))
UNKNOWN = Unknown(why="a test")


def present(quantity: str | Decimal) -> Present:
    return Present(position=position(quantity=quantity), seen_at=after(0))


def test_a_leg_that_was_half_closed_by_hand_is_closed_for_the_venues_half() -> None:
    assert size_close(D(100), present("50"), BY_CENT) == Sized(quantity=D(50), mismatch=D(-50))


def test_a_venue_that_has_more_than_the_ledger_is_closed_for_all_of_it() -> None:
    assert size_close(D(100), present("150"), BY_CENT) == Sized(quantity=D(150), mismatch=D(50))


@pytest.mark.parametrize(("there", "mismatch"), [("100.009", None), ("100.01", "0.01")])
def test_less_than_a_step_is_no_mismatch(there: str, mismatch: str | None) -> None:
    sized = size_close(D(100), present(there), BY_CENT)
    assert isinstance(sized, Sized)
    assert sized.mismatch == (None if mismatch is None else D(mismatch))


def test_an_unknown_leg_is_closed_for_what_the_ledger_has_less_our_own_fills() -> None:
    assert size_close(D(100), UNKNOWN, BY_CENT) == Sized(quantity=D(100))
    assert size_close(D(100), UNKNOWN, BY_CENT, D(60)) == Sized(quantity=D(40))


def test_after_a_partial_fill_the_venues_rest_is_closed_and_is_no_mismatch() -> None:
    assert size_close(D(100), present("40"), BY_CENT, D(60)) == Sized(quantity=D(40))


def test_what_the_venue_does_not_show_is_not_closed_blindly_though_nothing_explains_it() -> None:
    unexplained = Unexplained(why="no record", since=after(0), reads=(), accounting=GONE)
    sized = size_close(D(100), unexplained, BY_CENT)
    assert sized == Nothing(why="the venue does not show the leg")


def test_dust_that_the_ledger_does_not_know_of_says_both() -> None:
    dust = size_close(D(100), present("0.04"), BY_CENT)
    assert isinstance(dust, Dust)
    assert dust.mismatch == D("-99.96")


def test_an_absent_leg_and_one_that_we_closed_leave_nothing() -> None:
    assert isinstance(size_close(D(100), ABSENT, BY_CENT), Nothing)
    assert isinstance(size_close(D(100), UNKNOWN, BY_CENT, D(100)), Nothing)
    assert isinstance(size_close(D(100), UNKNOWN, BY_CENT, D(101)), Nothing)


def test_a_rest_below_the_smallest_order_is_dust_and_says_how_much_would_be_needed() -> None:
    dust = size_close(D("0.049"), present("0.049"), BY_CENT)
    assert dust == Dust(quantity=D("0.049"), minimum=D("0.05"))
    assert isinstance(size_close(D("0.05"), present("0.05"), BY_CENT), Sized)


def test_the_smallest_notional_counts_only_where_a_price_is_given() -> None:
    assert isinstance(size_close(D(1), present("1"), BY_CENT), Sized)
    dust = size_close(D(1), present("1"), BY_CENT, price=D(4))
    assert dust == Dust(quantity=D(1), minimum=D("1.25"))
    assert isinstance(size_close(D("1.25"), present("1.25"), BY_CENT, price=D(4)), Sized)


def test_a_step_in_contracts_is_rounded_in_base_units() -> None:
    okx = instrument(size="0.01", step="1", least="1")
    assert size_close(D("0.035"), UNKNOWN, okx) == Sized(quantity=D("0.03"))
    assert size_close(D("0.009"), UNKNOWN, okx) == Dust(quantity=D("0.009"), minimum=D("0.01"))


@given(
    decimals("0", "1000"), decimals("0.0001", "1000", 6), decimals("0", "1000"),
    decimals("0.001", "3", 3), decimals("0.01", "10", 2),
)  # fmt: skip
@prove
def test_a_close_is_never_above_what_is_there_and_always_whole_steps(
    ledger: Decimal, there: Decimal, filled: Decimal, step: Decimal, size: Decimal
) -> None:
    one = instrument(step=str(step), size=str(size), least=str(step))
    for verdict, most in ((present(there), there), (UNKNOWN, ledger - filled)):
        sized = size_close(ledger, verdict, one, filled)
        if isinstance(sized, Sized):
            assert 0 < sized.quantity <= most
            assert sized.quantity % one.quantity_step == 0
            assert most - sized.quantity < one.quantity_step
        elif isinstance(sized, Dust):
            assert 0 < sized.quantity < sized.minimum
        else:
            assert most <= 0


@given(decimals("-1000", "1000", 8), decimals("0.00000001", "50", 8))
@prove
def test_rounding_is_to_the_nearest_step_on_its_own_side(value: Decimal, step: Decimal) -> None:
    low, high = floor_to(value, step), ceil_to(value, step)
    assert low <= value <= high
    assert value - low < step
    assert high - value < step
    assert low % step == 0
    assert floor_to(low, step) == low == ceil_to(low, step)


def test_huge_quantities_of_tiny_steps_are_rounded_exactly() -> None:
    value = D("123456789012345678901234.123456789")
    assert floor_to(value, D("0.00000001")) == D("123456789012345678901234.12345678")
    assert ceil_to(value, D("0.00000001")) == D("123456789012345678901234.12345679")


def test_a_step_of_zero_rounds_nothing_and_places_round_halves_to_even() -> None:
    assert floor_to(D("1.23"), D(0)) == ceil_to(D("1.23"), D(0)) == D("1.23")
    assert (to_places(D("0.125"), 2), to_places(D("0.135"), 2)) == (D("0.12"), D("0.14"))
