"""When a leg was opened, from its fills."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.values import OrderSide, Side
from messages.venue import Fill
from rules.opening import opened_when
from tests.rules.build import LONG, SHORT, D, after, fill

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def buy(seconds: float, quantity: str) -> Fill:
    return fill(seconds, quantity, side=BUY)


def sell(seconds: float, quantity: str, closed: str | None = None) -> Fill:
    return fill(seconds, quantity, side=SELL, closed=closed)


def test_additions_and_partial_closes_do_not_make_a_leg_younger() -> None:
    fills = [buy(1, "1"), sell(2, "1"), buy(10, "2"), buy(20, "1"), sell(30, "0.5")]
    assert opened_when(fills, LONG, D("2.5"), hedged=False) == after(10)


def test_a_fill_that_flipped_the_other_side_opened_the_leg() -> None:
    for closed in (None, "1"):
        fills = [buy(1, "1"), sell(5, "3", closed)]
        assert opened_when(fills, SHORT, D(2), hedged=False) == after(5)


def test_the_other_hedge_legs_fills_do_not_count() -> None:
    other = fill(9, "5", side=SELL, position_side=Side.SHORT)
    fills = [fill(3, "1", side=BUY, position_side=Side.LONG), other]
    assert opened_when(fills, LONG, D(1), hedged=True) == after(3)


@pytest.mark.parametrize(
    ("fills", "why"),
    [
        ([], "no fills"),
        ([buy(3, "0.4")], "the history begins after the opening"),
        ([buy(3, "0.4"), sell(4, "0.1")], "and so it does with a close in it"),
    ],
)
def test_an_opening_that_the_fills_do_not_show_whole_is_not_known(
    fills: list[Fill], why: str
) -> None:
    assert opened_when(fills, LONG, D(1), hedged=False) is None, why


def test_in_hedge_mode_fills_that_open_more_than_is_held_do_not_add_up() -> None:
    fills = [fill(3, "3", side=BUY, position_side=Side.LONG)]
    assert opened_when(fills, LONG, D(2), hedged=True) is None


@given(steps=st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=30))
def test_replaying_any_trades_finds_the_last_instant_at_which_nothing_was_held(
    steps: list[tuple[int, bool]],
) -> None:
    held, opened, fills = Decimal(0), None, []
    for number, (size, adds) in enumerate(steps):
        quantity = Decimal(size) if adds else min(Decimal(size), held)
        if not quantity:
            continue
        opened = after(number) if held == 0 else opened
        held += quantity if adds else -quantity
        fills.append(fill(number, str(quantity), side=BUY if adds else SELL))
    if held:
        assert opened_when(fills, LONG, held, hedged=False) == opened
