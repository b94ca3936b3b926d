"""Tests of exits: real price, fees and PnL, or plainly unknown (scenarios 1.7, 6.6)."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.ledger import ExitSource, LedgerLeg, PositionRow
from messages.values import LegKey, OrderSide, Side
from messages.venue import ClosedPosition, Fill, FillKind, Kind
from rules.legs import ledger_legs
from rules.pnl import (
    ExitKind,
    exit_of,
    exit_of_records,
    kind_of,
    own_exit,
    settle_currency,
    split_exit,
)
from rules.symbols import SymbolIndex
from tests.rules.build import (
    BTC,
    SHORT,
    T0,
    D,
    after,
    decimals,
    fill,
    instrument,
    leg,
    listing,
    prove,
    record,
    row,
    sides,
)

NO_FEE = D(0)


def test_a_close_by_hand_is_found_with_its_price_and_a_pnl_after_both_fees() -> None:
    """10 at 1.2 in, at 1.2345 out: 0.345 gross, 0.006 estimated in, 0.0062 paid out."""
    ghost = leg(quantity="10", entry="1.2")
    found = exit_of(ghost, [fill(60, "10", "1.2345", fee="0.0062")], T0)
    assert (found.price, found.quantity) == (D("1.2345"), D(10))
    assert found.fees == D("0.0122")
    assert found.pnl == D("0.3328")
    assert (found.source, found.kind) == (ExitSource.VENUE_HISTORY, ExitKind.TRADE)
    assert found.at == after(60)


def test_a_shorts_pnl_has_the_other_sign() -> None:
    found = exit_of(leg(SHORT), [fill(60, price="90", side=OrderSide.BUY)], T0, entry_fee=NO_FEE)
    assert found.pnl == 10


def test_several_fills_make_one_mean_price() -> None:
    fills = [fill(1, "1", "100"), fill(2, "3", "120")]
    found = exit_of(leg(quantity="4"), fills, T0, entry_fee=NO_FEE)
    assert (found.price, found.pnl) == (D(115), D(60))


@pytest.mark.parametrize(
    "fills",
    [
        [],
        [fill(1, "0.5")],
        [fill(-1)],
        [fill(1, side=OrderSide.BUY)],
        [fill(1, position_side=Side.SHORT)],
        [fill(1, symbol="ETH/USDT:USDT")],
        [fill(1, closed="0.5")],
    ],
    ids=["none", "half", "before", "opening", "other leg", "other symbol", "closed half"],
)
def test_fills_that_do_not_account_for_the_leg_leave_the_exit_unknown(fills: list[Fill]) -> None:
    found = exit_of(leg(), fills, T0)
    assert (found.price, found.pnl, found.fees, found.at) == (D(100), D(0), D(0), None)
    assert found.source is ExitSource.UNKNOWN


def test_the_newest_fills_count_since_they_made_the_leg_flat() -> None:
    """The bot took 4 off earlier and its row says 6: the last 6 are this exit."""
    fills = [fill(1, "4", "500"), fill(2, "6", "110")]
    found = exit_of(leg(quantity="6"), fills, T0, entry_fee=NO_FEE)
    assert (found.price, found.pnl) == (D(110), D(60))


def test_of_a_fill_larger_than_the_leg_only_the_legs_part_and_fee_count() -> None:
    found = exit_of(leg(), [fill(1, "4", "110", fee="0.4")], T0, entry_fee=NO_FEE)
    assert (found.quantity, found.fees, found.pnl) == (D(1), D("0.1"), D("9.9"))


def test_a_ledger_finer_than_its_venue_is_accounted_for_to_less_than_a_step() -> None:
    fine = leg(quantity="1.0004")
    assert exit_of(fine, [fill(1)], T0).source is ExitSource.UNKNOWN
    found = exit_of(fine, [fill(1, price="110")], T0, entry_fee=NO_FEE, step=D("0.001"))
    assert (found.source, found.quantity, found.pnl) == (ExitSource.VENUE_HISTORY, D(1), D(10))
    assert exit_of(leg(quantity="1.001"), [fill(1)], T0, step=D("0.001")).at is None


def test_the_exit_is_dated_by_the_fill_that_ended_the_leg_and_the_first_instant_counts() -> None:
    found = exit_of(leg(quantity="2"), [fill(0), fill(7)], T0)
    assert found.at == after(7)


def test_fees_in_another_currency_are_named_and_not_converted() -> None:
    fills = [
        fill(1, "1", "110", fee="0.001", fee_currency="BNB"),
        fill(2, "1", "110", fee="0.2", fee_currency="USDT"),
    ]
    found = exit_of(leg(quantity="2"), fills, T0, entry_fee=NO_FEE)
    assert (found.fees, found.other_fees) == (D("0.2"), (("BNB", D("0.001")),))


@pytest.mark.parametrize(
    ("kinds", "ended"),
    [
        ((FillKind.TRADE, FillKind.TRADE), ExitKind.TRADE),
        ((FillKind.TRADE, FillKind.ADL), ExitKind.ADL),
        ((FillKind.ADL, FillKind.LIQUIDATION), ExitKind.LIQUIDATION),
    ],
)
def test_a_liquidation_or_adl_among_the_fills_is_what_ended_the_leg(
    kinds: tuple[FillKind, ...], ended: ExitKind
) -> None:
    fills = [
        msgspec.structs.replace(fill(number), kind=kind) for number, kind in enumerate(kinds, 1)
    ]
    assert exit_of(leg(quantity="2"), fills, T0).kind is ended


@pytest.mark.parametrize(
    ("kind", "ended"),
    [
        (FillKind.SETTLEMENT, ExitKind.SETTLEMENT),
        (FillKind.DELIVERY, ExitKind.SETTLEMENT),
        (FillKind.TRANSFER, ExitKind.TRANSFER),
    ],
)
def test_what_the_venue_did_to_a_leg_is_what_ended_it(kind: FillKind, ended: ExitKind) -> None:
    fills = [fill(1), msgspec.structs.replace(fill(2), kind=kind)]
    assert exit_of(leg(quantity="2"), fills, T0).kind is ended
    liquidated = msgspec.structs.replace(fill(3), kind=FillKind.LIQUIDATION)
    assert exit_of(leg(quantity="3"), [*fills, liquidated], T0).kind is ExitKind.LIQUIDATION


def test_an_exit_names_the_fills_that_it_is_made_of_and_how_much_of_each() -> None:
    found = exit_of(leg(quantity="3"), [fill(1, "2"), fill(2, "2")], T0)
    assert [(one.fill_id, one.order_id, one.quantity) for one in found.fills] == [
        ("f1", "o1", D(1)),
        ("f2", "o1", D(2)),
    ]
    assert exit_of(leg(), [], T0).fills == ()


def priced(at: float, quantity: str = "1", price: str | None = "110") -> ClosedPosition:
    return msgspec.structs.replace(record(at, quantity), exit_price=None if not price else D(price))


def test_a_venue_s_record_makes_an_exit_where_no_fill_does() -> None:
    """2 at 100 in, 1 at 110 and 1 at 130 out: 40 gross, 0.1 estimated in."""
    found = exit_of_records(leg(quantity="2"), [priced(1), priced(7, price="130")], T0)
    assert (found.price, found.quantity, found.pnl) == (D(120), D(2), D("39.9"))
    assert (found.source, found.at) == (ExitSource.VENUE_HISTORY, after(7))
    assert [(one.fill_id, one.quantity) for one in found.fills] == [("r7", D(1)), ("r1", D(1))]


def test_the_newest_records_count_and_of_a_larger_one_the_legs_part() -> None:
    records = [priced(1, "5", "500"), priced(7, "0.6", "110"), priced(3, "5", "130")]
    found = exit_of_records(leg(), records, T0, entry_fee=NO_FEE)
    assert (found.price, found.pnl) == (D(118), D(18))
    assert {one.fill_id: one.quantity for one in found.fills} == {"r7": D("0.6"), "r3": D("0.4")}


@pytest.mark.parametrize(
    "records",
    [
        [],
        [priced(1, "0.999")],
        [priced(-1)],
        [priced(1, price=None)],
        [msgspec.structs.replace(priced(1), side=Side.SHORT)],
        [msgspec.structs.replace(priced(1), symbol="ETH/USDT:USDT")],
    ],
    ids=["none", "less", "before", "no price", "other side", "other symbol"],
)
def test_records_that_do_not_account_for_the_leg_leave_the_exit_unknown(
    records: list[ClosedPosition],
) -> None:
    found = exit_of_records(leg(), records, T0)
    assert (found.source, found.price, found.fills) == (ExitSource.UNKNOWN, D(100), ())


def test_records_account_for_a_leg_to_less_than_a_step_from_its_first_instant_on() -> None:
    short = [priced(0, "0.9996")]
    found = exit_of_records(leg(), short, T0, step=D("0.001"))
    assert (found.source, found.quantity) == (ExitSource.VENUE_HISTORY, D("0.9996"))
    assert exit_of_records(leg(), short, T0, step=D("0.0004")).source is ExitSource.UNKNOWN


def test_a_record_says_what_ended_the_leg_and_an_inverse_one_is_paid_in_base() -> None:
    ended = msgspec.structs.replace(priced(1), kind=FillKind.LIQUIDATION)
    assert exit_of_records(leg(), [ended], T0).kind is ExitKind.LIQUIDATION
    coin = LegKey("main", "BTC/USD:BTC", Side.LONG)
    sold = msgspec.structs.replace(record(1, "1000", key=coin), exit_price=D(125))
    paid = exit_of_records(leg(coin, "1000"), [sold], T0, kind=Kind.INVERSE, entry_fee=D("0.001"))
    assert (paid.fees, paid.pnl) == (D("0.01"), D("1.99"))


def test_an_inverse_contract_is_paid_in_its_base_currency() -> None:
    """1000 USD at 100 in, at 125 out: 1000/100 - 1000/125 = 2 coins."""
    coin = leg(LegKey("main", "BTC/USD:BTC", Side.LONG), "1000")
    sold = fill(1, "1000", "125", symbol="BTC/USD:BTC")
    found = exit_of(coin, [sold], T0, kind=Kind.INVERSE, entry_fee=D("0.001"))
    assert (found.fees, found.pnl) == (D("0.01"), D("1.99"))


def test_a_fill_never_closes_more_than_its_own_quantity() -> None:
    assert exit_of(leg(), [fill(1, "0.5", closed="3")], T0).source is ExitSource.UNKNOWN
    assert exit_of(leg(), [fill(1, "0", closed="3")], T0).source is ExitSource.UNKNOWN


def test_our_own_order_makes_an_exit_of_what_it_filled() -> None:
    made = own_exit(leg(quantity="100"), quantity=D(50), average=D(110), fee=D(3), at=after(9))
    assert (made.source, made.at, made.quantity) == (ExitSource.FILL, after(9), D(50))
    assert made.pnl == D(500) - 3 - D("2.5")
    assert made.kind is ExitKind.TRADE


@pytest.mark.parametrize(
    ("symbol", "settle", "kind"),
    [
        ("BTC/USDT:USDT", "USDT", Kind.LINEAR),
        ("BTC/USDT:USDT-261225", "USDT", Kind.LINEAR),
        ("BTC/USD:BTC", "BTC", Kind.INVERSE),
        ("BTC/USD:BTC-261225", "BTC", Kind.INVERSE),
    ],
)
def test_a_dated_contract_is_paid_in_the_same_currency(
    symbol: str, settle: str, kind: Kind
) -> None:
    assert settle_currency(LegKey("main", symbol, Side.LONG)) == settle
    assert kind_of(symbol) is kind


def test_several_records_of_an_inverse_contract_make_the_harmonic_mean() -> None:
    coin = LegKey("main", "BTC/USD:BTC", Side.LONG)
    sold = [
        msgspec.structs.replace(record(at, "600", key=coin), exit_price=D(price))
        for at, price in ((1, 100), (2, 150))
    ]
    found = exit_of_records(leg(coin, "1200"), sold, T0, kind=Kind.INVERSE, entry_fee=NO_FEE)
    assert (found.price, found.pnl) == (D(120), D(2))


INDEX = SymbolIndex(listing(instrument(BTC)))


def legs_of(rows: list[PositionRow]) -> LedgerLeg:
    (one,) = ledger_legs(rows, "main", INDEX).legs.values()
    return one


def test_each_row_gets_the_real_price_and_its_own_profit() -> None:
    rows = [row(1, quantity="1", entry="90"), row(2, quantity="3", entry="110")]
    both = legs_of(rows)
    sold = exit_of(both, [fill(1, "4", "120", fee="4")], T0, entry_fee=NO_FEE)
    closes = split_exit(both, sold, reason="why", closed_at=after(5))
    assert [(one.row_id, one.exit_price, one.realized_pnl) for one in closes] == [
        (1, D(120), D(29)),
        (2, D(120), D(27)),
    ]
    assert {one.reason for one in closes} == {"why"}
    assert {one.closed_at for one in closes} == {after(5)}
    assert {one.exit_source for one in closes} == {ExitSource.VENUE_HISTORY}


def test_each_row_gets_its_share_of_each_fill_under_its_own_number() -> None:
    both = legs_of([row(1, quantity="1"), row(2, quantity="3")])
    sold = exit_of(both, [fill(1, "4", "120")], T0)
    parts = [one.fills for one in split_exit(both, sold, reason="why", closed_at=after(5))]
    assert [[(p.fill_id, p.row_id, p.quantity) for p in part] for part in parts] == [
        [("f1", 1, D(1))],
        [("f1", 2, D(3))],
    ]


def test_of_an_unknown_exit_each_row_gets_its_own_entry_price_and_zero() -> None:
    both = legs_of([row(1, entry="90"), row(2, entry="110")])
    closes = split_exit(both, exit_of(both, [], T0), reason="why", closed_at=after(5))
    assert [(one.exit_price, one.realized_pnl) for one in closes] == [(D(90), D(0)), (D(110), D(0))]
    assert {one.exit_source for one in closes} == {ExitSource.UNKNOWN}


amounts = decimals("0.001", "999", 3)


@given(
    sides, st.lists(st.tuples(amounts, amounts), min_size=1, max_size=5), amounts,
    decimals("0", "9", 7), st.sampled_from(Kind), decimals("0.1", "1", 2),
)  # fmt: skip
@prove
def test_the_rows_profits_add_up_to_the_legs_exactly(
    side: Side, pairs: list[tuple[Decimal, Decimal]], price: Decimal, fee: Decimal, kind: Kind,
    filled: Decimal,
) -> None:  # fmt: skip
    rows = [
        row(number, side=side.value, quantity=str(quantity), entry=str(entry))
        for number, (quantity, entry) in enumerate(pairs)
    ]
    both = legs_of(rows)
    made = own_exit(
        both, quantity=both.quantity * filled, average=price, fee=fee, at=after(1), kind=kind
    )
    closes = split_exit(both, made, reason="why", closed_at=after(1), kind=kind)
    assert sum((one.realized_pnl for one in closes), D(0)) == made.pnl
    assert len(closes) == len(rows)


@given(amounts, amounts, amounts)
@prove
def test_a_long_and_a_short_over_the_same_prices_gain_and_lose_the_same_before_fees(
    quantity: Decimal, entry: Decimal, price: Decimal
) -> None:
    pnl = {
        side: own_exit(
            leg(LegKey("main", BTC, side), quantity, entry),
            quantity=quantity, average=price, fee=D(0), at=T0, entry_fee=NO_FEE,
        ).pnl
        for side in Side
    }  # fmt: skip
    assert pnl[Side.LONG] == -pnl[Side.SHORT]


@given(st.lists(st.tuples(amounts, amounts, st.sampled_from(OrderSide)), max_size=6), amounts)
@prove
def test_an_exit_is_made_of_the_legs_whole_quantity_or_it_is_unknown(
    trades: list[tuple[Decimal, Decimal, OrderSide]], quantity: Decimal
) -> None:
    fills = [
        fill(number, str(size), str(price), side=side)
        for number, (size, price, side) in enumerate(trades, 1)
    ]
    found = exit_of(leg(quantity=quantity), fills, T0)
    sold = [one for one in fills if one.side is OrderSide.SELL]
    enough = sum((one.quantity for one in sold), D(0)) >= quantity
    assert (found.source is ExitSource.VENUE_HISTORY) == enough
    assert found.quantity == quantity
    if enough:
        slack = D("1e-20")
        assert min(one.price for one in sold) - slack <= found.price
        assert found.price <= max(one.price for one in sold) + slack
    assert exit_of(leg(quantity=quantity), fills[::-1], T0) == found
