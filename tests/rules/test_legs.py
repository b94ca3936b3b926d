"""Tests of ledger rows becoming legs, and of those that cannot."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.ledger import PositionRow
from messages.values import LegKey, Side
from messages.venue import Kind
from rules.legs import ledger_legs
from rules.symbols import SymbolIndex
from tests.rules.build import (
    BTC,
    LONG,
    SHORT,
    T0,
    D,
    after,
    decimals,
    instrument,
    listing,
    prove,
    row,
)

INDEX = SymbolIndex(
    listing(instrument(BTC), instrument("BTC/USD:BTC", venue_id="BTCUSD", kind=Kind.INVERSE))
)


def test_spellings_of_one_leg_are_one_leg_and_another_contract_is_another() -> None:
    rows = [
        row(1, symbol="BTCUSDT"),
        row(2, symbol=BTC, side="Buy"),
        row(3, symbol="BTC-USDT-SWAP", side="LONG"),
        row(4, symbol="BTCUSD"),
        row(5, side="sell"),
    ]
    view = ledger_legs(rows, "main", INDEX)
    assert view.unusable == ()
    assert view.legs[LONG].row_ids == (1, 2, 3)
    assert view.legs[SHORT].row_ids == (5,)
    assert view.legs[LegKey("main", "BTC/USD:BTC", Side.LONG)].row_ids == (4,)


def test_a_legs_rows_are_taken_together() -> None:
    rows = [
        row(1, quantity="1", entry="100", opened_at=after(50), stop="90"),
        row(2, quantity="3", entry="200", opened_at=after(10), updated_at=after(99), stop="80"),
    ]
    leg = ledger_legs(rows, "main", INDEX).legs[LONG]
    assert (leg.quantity, leg.entry_price) == (D(4), D(175))
    assert (leg.opened_at, leg.updated_at) == (after(10), after(99))
    assert leg.stop_price == 80
    assert not leg.held
    assert not leg.trailing_active


def test_a_leg_is_held_or_trailing_if_any_row_is_and_has_no_stop_if_any_row_has_none() -> None:
    rows = [row(1, stop="90"), row(2, held=True), row(3, trailing=True, stop="80")]
    leg = ledger_legs(rows, "main", INDEX).legs[LONG]
    assert leg.held
    assert leg.trailing_active
    assert leg.stop_price is None


def test_the_furthest_stop_of_a_short_is_the_highest() -> None:
    rows = [row(1, side="short", stop="110"), row(2, side="short", stop="120")]
    assert ledger_legs(rows, "main", INDEX).legs[SHORT].stop_price == 120


def test_a_leg_of_one_row_is_that_row_and_a_change_before_its_opening_counts_for_nothing() -> None:
    only = row(1, quantity="2", opened_at=after(50), updated_at=after(10), stop="90", held=True)
    leg = ledger_legs([only], "main", INDEX).legs[LONG]
    assert (leg.rows, leg.quantity, leg.entry_price) == ((only,), D(2), D(100))
    assert (leg.opened_at, leg.updated_at, leg.stop_price) == (after(50), after(50), D(90))
    assert leg.held
    assert not leg.trailing_active


def test_other_accounts_and_closed_rows_are_passed_over() -> None:
    rows = [row(1, account="second"), row(2, status="closed"), row(3, status="Active")]
    view = ledger_legs(rows, "main", INDEX)
    assert view.legs[LONG].row_ids == (3,)
    assert view.unusable == ()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (row(quantity=None), "quantity"),
        (row(quantity="0"), "quantity"),
        (row(quantity="-1"), "quantity"),
        (row(quantity="NaN"), "quantity"),
        (row(quantity="Infinity"), "quantity"),
        (row(entry=None), "entry price"),
        (row(entry="-5"), "entry price"),
        (row(opened_at=None), "opened"),
        (row(opened_at=T0.replace(tzinfo=None)), "time zone"),
        (row(updated_at=T0.replace(tzinfo=None)), "time zone"),
    ],
)
def test_a_row_that_says_too_little_is_named_with_its_leg(bad: PositionRow, why: str) -> None:
    view = ledger_legs([bad], "main", INDEX)
    assert view.legs == {}
    assert view.unusable[0].key == LONG
    assert why in view.unusable[0].why
    assert view.unclear_legs == {LONG}
    assert not view.has_unidentified_row


@pytest.mark.parametrize("bad", [row(symbol="WHAT"), row(side="both")])
def test_a_row_of_an_unknown_symbol_or_side_is_nameless(bad: PositionRow) -> None:
    view = ledger_legs([bad], "main", INDEX)
    assert view.unusable[0].key is None
    assert view.has_unidentified_row
    assert not view.unclear_legs


def test_every_reason_is_told() -> None:
    why = ledger_legs([row(symbol="WHAT", side="?", quantity=None)], "main", INDEX).unusable[0].why
    assert "'WHAT'" in why
    assert "'?'" in why
    assert "quantity" in why


optional_amount = st.sampled_from([None, D(0), D(-1), D("NaN"), D("Infinity"), D("0.5"), D(3)])


@given(
    st.lists(
        st.builds(
            PositionRow,
            id=st.integers(1, 99),
            account=st.sampled_from(["main", "second"]),
            symbol=st.sampled_from(["BTCUSDT", "btc_usdt", "BTCUSD", "??"]),
            side=st.sampled_from(["long", "SELL", "", "both"]),
            quantity=optional_amount,
            entry_price=optional_amount,
            opened_at=st.sampled_from([None, T0, T0.replace(tzinfo=None)]),
            status=st.sampled_from(["active", "closed"]),
        ),
        max_size=12,
    )
)
@prove
def test_every_active_row_of_the_account_is_in_one_leg_or_named_as_unusable(
    rows: list[PositionRow],
) -> None:
    view = ledger_legs(rows, "main", INDEX)
    expected = [one for one in rows if one.account == "main" and one.status == "active"]
    told = [one for leg in view.legs.values() for one in leg.rows]
    told += [bad.row for bad in view.unusable]
    assert sorted(map(repr, told)) == sorted(map(repr, expected))
    assert all(leg.quantity > 0 and leg.entry_price > 0 for leg in view.legs.values())


@given(
    st.lists(st.tuples(decimals("0.001", "99"), decimals("0.01", "9999")), min_size=1, max_size=6)
)
@prove
def test_a_legs_entry_price_lies_between_its_rows(pairs: list[tuple[Decimal, Decimal]]) -> None:
    rows = [
        msgspec.structs.replace(row(number), quantity=quantity, entry_price=entry)
        for number, (quantity, entry) in enumerate(pairs)
    ]
    leg = ledger_legs(rows, "main", INDEX).legs[LONG]
    entries = [entry for _, entry in pairs]
    slack = D("1e-20")
    assert min(entries) - slack <= leg.entry_price <= max(entries) + slack
    assert leg.quantity == sum(quantity for quantity, _ in pairs)
