"""Tests of the diff of two views of the legs (scenarios 5.1 to 5.10, 4.1, 4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.ledger import LedgerLeg
from messages.values import LegKey, Side
from messages.venue import Scope, Snapshot, VenuePosition
from rules.diff import Comparison, compare
from tests.rules.build import (
    BTC,
    LONG,
    SHORT,
    USDT,
    D,
    instrument,
    leg,
    listing,
    position,
    prove,
    read,
)

ONE = listing(instrument(BTC))


def legs(*some: LedgerLeg) -> dict[LegKey, LedgerLeg]:
    return {one.key: one for one in some}


def test_equal_views_agree_and_nothing_else_is_said() -> None:
    assert compare(legs(leg()), read(1, position()), ONE) == Comparison(agreed=1)
    assert Comparison(agreed=1).clean


def test_a_leg_that_a_complete_read_does_not_show_is_a_suspect() -> None:
    found = compare(legs(leg()), read(1), ONE)
    assert found.missing == (leg(),)
    assert not found.clean


def test_a_leg_that_a_damaged_read_does_not_show_is_unknown_and_what_it_shows_is_compared() -> None:
    both = legs(leg(), leg(SHORT))
    found = compare(both, read(1, position(), broken=True), ONE, hedged=True)
    assert (found.agreed, found.unknown, found.missing) == (1, (SHORT,), ())


@pytest.mark.parametrize(
    "scope", [Scope(frozenset({"USDC"})), Scope(frozenset({"USDT"}), frozenset({"ETH/USDT:USDT"}))]
)
def test_a_leg_out_of_the_reads_scope_is_unknown(scope: Scope) -> None:
    assert compare(legs(leg()), read(1, scope=scope), ONE).unknown == (LONG,)


@pytest.mark.parametrize(
    ("long", "short", "held", "differs"),
    [
        ("10", "4", ("6", LONG), None),
        ("10", "4", ("5", LONG), "5"),
        ("4", "10", ("6", SHORT), None),
        ("4", "10", ("6", LONG), "6"),
        ("4", "4", None, None),
        ("10", "4", None, "0"),
    ],
)
def test_rows_of_both_sides_on_a_one_way_account_are_compared_by_their_net(
    long: str, short: str, held: tuple[str, LegKey] | None, differs: str | None
) -> None:
    shown = [] if held is None else [position(held[1], quantity=held[0])]
    ledger = legs(leg(LONG, D(long)), leg(SHORT, D(short)))
    found = compare(ledger, read(1, *shown), ONE, hedged=False)
    assert (found.missing, found.orphans, found.quantity, found.side) == ((), (), (), ())
    assert [one.held for one in found.net] == ([] if differs is None else [D(differs)])
    assert found.agreed == (2 if differs is None else 0)


def test_a_position_that_no_row_knows_is_an_orphan_even_in_a_damaged_read() -> None:
    found = compare({}, read(1, position(), broken=True), ONE)
    assert found.orphans == (position(),)
    assert not found.clean


def test_another_quantity_is_a_mismatch_with_the_difference_signed_from_the_ledger() -> None:
    found = compare(legs(leg()), read(1, position(quantity="0.5")), ONE)
    assert [one.difference for one in found.quantity] == [D("-0.5")]
    assert not found.clean


@pytest.mark.parametrize(("there", "agreed"), [("1.0009", 1), ("1.001", 0), ("0.9991", 1)])
def test_a_difference_below_one_step_is_none(there: str, agreed: int) -> None:
    assert compare(legs(leg()), read(1, position(quantity=there)), ONE).agreed == agreed


def test_the_step_is_taken_in_base_units() -> None:
    """OKX: 3 contracts of 0.01 BTC are the ledger's 0.03 BTC; a step of 1 contract is 0.01."""
    okx = listing(instrument(BTC, size="0.01", step="1", least="1"))
    there = VenuePosition(key=LONG, contracts=D(3), quantity=D(3) * D("0.01"))
    assert compare(legs(leg(quantity="0.03")), read(1, there), okx).agreed == 1
    assert compare(legs(leg(quantity="0.02")), read(1, there), okx).quantity


def test_an_unlisted_instrument_compares_exactly() -> None:
    assert compare(legs(leg()), read(1, position(quantity="1.0")), {}).agreed == 1
    assert compare(legs(leg()), read(1, position(quantity="1.0000001")), {}).quantity


def test_in_hedge_mode_a_long_in_the_ledger_and_a_short_at_the_venue_are_two_legs() -> None:
    found = compare(legs(leg()), read(1, position(SHORT, hedged=True)), ONE)
    assert found.side == ()
    assert [one.key for one in found.missing] == [LONG]
    assert [one.key for one in found.orphans] == [SHORT]


def test_long_in_the_ledger_and_short_at_the_venue_is_one_side_mismatch() -> None:
    found = compare(legs(leg()), read(1, position(SHORT, hedged=False)), ONE)
    assert [(one.leg.key, one.position.key) for one in found.side] == [(LONG, SHORT)]
    assert not found.clean
    assert (found.missing, found.orphans, found.quantity) == ((), (), ())


def test_a_damaged_read_proves_a_side_mismatch_only_in_one_way_mode() -> None:
    one_way = compare(legs(leg()), read(1, position(SHORT), broken=True), ONE)
    assert len(one_way.side) == 1
    hedged = compare(legs(leg()), read(1, position(SHORT, hedged=True), broken=True), ONE)
    assert (hedged.unknown, hedged.side) == ((LONG,), ())
    assert [one.key for one in hedged.orphans] == [SHORT]


def test_a_long_that_is_gone_beside_a_short_that_both_know_is_missing() -> None:
    found = compare(legs(leg(), leg(SHORT)), read(1, position(SHORT, hedged=True)), ONE)
    assert (found.agreed, found.missing, found.side) == (1, (leg(),), ())


def test_equal_long_and_short_legs_are_two_legs_and_not_flat() -> None:
    both = read(1, position(hedged=True), position(SHORT, hedged=True))
    assert compare(legs(leg(), leg(SHORT)), both, ONE) == Comparison(agreed=2)
    assert len(compare({}, both, ONE).orphans) == 2


def test_a_position_that_an_unusable_row_speaks_of_is_no_orphan() -> None:
    found = compare({}, read(1, position()), ONE, unclear_legs={LONG})
    assert (found.orphans, found.unclear) == ((), (position(),))
    assert not found.clean


def test_a_leg_with_an_unusable_row_beside_usable_ones_is_not_compared() -> None:
    found = compare(legs(leg()), read(1, position(quantity="3")), ONE, unclear_legs={LONG})
    assert (found.agreed, found.quantity, len(found.unclear)) == (0, (), 1)


def test_an_opposite_position_that_an_unusable_row_speaks_of_is_no_side_mismatch() -> None:
    found = compare(legs(leg()), read(1, position(SHORT)), ONE, unclear_legs={SHORT})
    assert (found.side, found.missing, len(found.unclear)) == ((), (leg(),), 1)


def test_legs_of_another_account_are_refused() -> None:
    with pytest.raises(ValueError, match="second"):
        compare(legs(leg(LegKey("second", BTC, Side.LONG))), read(1), ONE)


SYMBOLS = [f"{base}/USDT:USDT" for base in "ABC"] + ["A/USDC:USDC"]
MARKETS = listing(*(instrument(symbol) for symbol in SYMBOLS))
keys = st.builds(LegKey, st.just("main"), st.sampled_from(SYMBOLS), st.sampled_from(Side))
amounts = st.sampled_from(["1", "1.0005", "2"])


@st.composite
def two_views(draw: st.DrawFn) -> tuple[dict[LegKey, LedgerLeg], Snapshot]:
    ledger = {key: leg(key, draw(amounts)) for key in draw(st.sets(keys))}
    hedged = draw(st.booleans())
    shown = [position(key, draw(amounts), hedged=hedged) for key in draw(st.sets(keys))]
    return ledger, read(1, *shown, broken=draw(st.booleans()))


@given(two_views())
@prove
def test_every_leg_of_either_view_is_in_exactly_one_place(
    views: tuple[dict[LegKey, LedgerLeg], Snapshot],
) -> None:
    ledger, snapshot = views
    found = compare(ledger, snapshot, MARKETS)
    named = [one.key for one in found.missing] + [one.key for one in found.orphans]
    named += [one.leg.key for one in found.quantity] + list(found.unknown)
    named += [key for one in found.side for key in (one.leg.key, one.position.key)]
    named += [one.key for pair in found.net for one in (pair.long, pair.short)]
    everything = ledger.keys() | {one.key for one in snapshot.positions}
    assert len(named) == len(set(named))
    assert set(named) <= everything
    assert len(everything) - len(named) == found.agreed


@given(two_views())
@prove
def test_nothing_is_missing_without_a_complete_read_in_scope_that_does_not_show_it(
    views: tuple[dict[LegKey, LedgerLeg], Snapshot],
) -> None:
    ledger, snapshot = views
    for one in compare(ledger, snapshot, MARKETS).missing:
        assert snapshot.complete
        assert USDT.covers(one.key.symbol)
        assert snapshot.find(one.key) is None


@given(two_views())
@prove
def test_a_second_pass_over_what_the_first_would_make_of_the_ledger_finds_nothing_new(
    views: tuple[dict[LegKey, LedgerLeg], Snapshot],
) -> None:
    """Ghosts closed and orphans adopted: only what is left for review remains, unchanged."""
    ledger, snapshot = views
    first = compare(ledger, snapshot, MARKETS)
    assert compare(ledger, snapshot, MARKETS) == first
    ghosts = {one.key for one in first.missing}
    fixed = {key: one for key, one in ledger.items() if key not in ghosts}
    fixed |= {one.key: leg(one.key, one.quantity) for one in first.orphans}
    second = compare(fixed, snapshot, MARKETS)
    assert (second.missing, second.orphans) == ((), ())
    assert (second.quantity, second.side) == (first.quantity, first.side)


@given(two_views())
@prove
def test_the_mirrored_views_give_the_mirrored_findings(
    views: tuple[dict[LegKey, LedgerLeg], Snapshot],
) -> None:
    ledger, snapshot = views

    def flip(key: LegKey) -> LegKey:
        return LegKey(key.account, key.symbol, key.side.opposite)

    mirrored = {flip(key): leg(flip(key), one.quantity) for key, one in ledger.items()}
    shown = (position(flip(one.key), one.quantity, hedged=one.hedged) for one in snapshot.positions)
    straight = compare(ledger, snapshot, MARKETS)
    turned = compare(mirrored, read(1, *shown, broken=not snapshot.complete), MARKETS)
    assert {flip(one.key) for one in straight.missing} == {one.key for one in turned.missing}
    assert {flip(one.key) for one in straight.orphans} == {one.key for one in turned.orphans}
    assert [one.difference for one in straight.quantity] == [
        one.difference for one in turned.quantity
    ]
    assert len(straight.side) == len(turned.side)
