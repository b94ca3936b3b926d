"""Tests of exits where the fills are not plain: flips, other currencies, inverse contracts."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.ledger import ExitSource
from messages.values import LegKey, OrderSide, Side
from messages.venue import Fill, Kind
from rules.pnl import exit_of, fees_apart, kind_of, mean_price
from tests.rules.build import BTC, LONG, SHORT, T0, D, decimals, fill, leg, prove

NO_FEE = D(0)


def told(at: float, quantity: str, price: str, pnl: str, side: OrderSide = OrderSide.SELL) -> Fill:
    """A fill of one-way mode, of a venue that tells its PnL and not what of it closed."""
    return msgspec.structs.replace(
        fill(at, quantity, price, side=side), closed_quantity=None, realized_pnl=D(pnl)
    )


def test_after_a_flip_the_exit_is_the_closing_fill_and_not_the_one_that_opened_the_other_side() -> (
    None
):
    fills = [told(1, "1", "110", "10"), told(2, "1", "90", "0")]
    found = exit_of(leg(), fills, T0, entry_fee=NO_FEE)
    assert (found.price, found.pnl, found.at) == (D(110), D(10), fills[0].at)


def test_of_one_fill_that_flips_a_short_only_the_shorts_part_counts() -> None:
    flipping = told(1, "3", "90", "10", OrderSide.BUY)
    more = told(2, "1", "70", "0", OrderSide.BUY)
    found = exit_of(leg(SHORT), [flipping, more], T0, entry_fee=NO_FEE)
    assert (found.price, found.quantity, found.pnl) == (D(90), D(1), D(10))


def test_a_part_that_left_at_the_entry_price_is_a_part_of_the_exit() -> None:
    """The venue calls its PnL zero, as it does of the short that was opened afterwards."""
    fills = [told(1, "1", "110", "10"), told(2, "1", "100", "0"), told(3, "1", "90", "0")]
    found = exit_of(leg(quantity="2"), fills, T0, entry_fee=NO_FEE)
    assert (found.price, found.pnl) == (D(105), D(10))
    assert found.source is ExitSource.VENUE_HISTORY


def test_in_hedge_mode_a_fill_names_its_leg_and_a_pnl_of_zero_says_nothing_else() -> None:
    last = msgspec.structs.replace(told(2, "1", "100", "0"), position_side=Side.LONG)
    fills = [msgspec.structs.replace(told(1, "1", "90", "-10"), position_side=Side.LONG), last]
    assert exit_of(leg(), fills, T0, entry_fee=NO_FEE).at == last.at


def test_of_an_inverse_leg_several_prices_make_the_mean_that_gives_the_same_coins() -> None:
    """1000 USD each: in at 100, out at 125 and at 200: 10 - 8 and 10 - 5 coins."""
    key = LegKey("main", "BTC/USD:BTC", Side.LONG)
    fills = [
        fill(1, "1000", "125", symbol=key.symbol),
        fill(2, "1000", "200", symbol=key.symbol),
    ]
    found = exit_of(leg(key, "2000"), fills, T0, kind=Kind.INVERSE, entry_fee=NO_FEE)
    assert found.pnl == 7
    assert found.price == 2000 / D(13)


def test_a_mean_of_no_fills_is_an_error() -> None:
    with pytest.raises(ArithmeticError):
        mean_price([], Kind.LINEAR)


sizes = decimals("0.1", "99", 1)


@given(st.lists(st.tuples(sizes, sizes), min_size=1, max_size=6), st.sampled_from(Kind))
@prove
def test_a_mean_lies_between_its_prices_and_gives_the_same_worth(
    pairs: list[tuple[Decimal, Decimal]], kind: Kind
) -> None:
    mean, slack = mean_price(pairs, kind), D("1e-15")
    assert min(p for _, p in pairs) - slack <= mean <= max(p for _, p in pairs) + slack
    total = sum((q for q, _ in pairs), D(0))
    if kind is Kind.LINEAR:
        assert abs(total * mean - sum((q * p for q, p in pairs), D(0))) < slack
    else:
        assert abs(total / mean - sum((q / p for q, p in pairs), D(0))) < slack


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        (BTC, Kind.LINEAR),
        ("BTC/USDC:USDC", Kind.LINEAR),
        ("BTC/USDT:USDT-261225", Kind.LINEAR),
        ("BTC/USD:BTC", Kind.INVERSE),
        ("BTC/USD:BTC-261225", Kind.INVERSE),
    ],
)
def test_a_contract_that_is_settled_in_its_own_base_is_inverse(symbol: str, kind: Kind) -> None:
    assert kind_of(symbol) is kind


def test_fees_are_added_in_the_settle_currency_and_named_in_any_other() -> None:
    fees = [(None, D(1)), ("USDT", D("0.5")), ("BNB", D("0.2")), ("BNB", D("0.1"))]
    assert fees_apart(LONG, fees) == (D("1.5"), (("BNB", D("0.3")),))
