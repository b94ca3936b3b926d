"""Tests of which resting orders may be cancelled (`docs/spec/mission.md` A4, B5; scenario 2.5)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.values import LegKey, OrderSide, Side
from messages.venue import OpenOrders, OrderRecord, OrderStatus
from rules.ids import client_order_id
from rules.leftovers import is_stop, leftover_orders, reserving_orders
from tests.rules.build import BTC, LONG, SHORT, D, order, prove

OURS = client_order_id("main", BTC, Side.LONG, (1,), "close", 1)


def resting(*orders: OrderRecord) -> OpenOrders:
    return OpenOrders(symbol=BTC, orders=orders)


def ids(orders: tuple[OrderRecord, ...]) -> list[str]:
    return [one.order_id for one in orders]


def test_a_flat_legs_reduce_only_orders_are_leftovers_and_triggers_go_last() -> None:
    some = resting(order("stop", trigger="95"), order("tp"))
    assert ids(leftover_orders(LONG, some, hedged=False)) == ["tp", "stop"]


@pytest.mark.parametrize(
    "kept",
    [
        order(reduce_only=False),
        order(reduce_only=None),
        order(side=OrderSide.BUY),
        order(position_side=Side.SHORT),
        order(symbol="ETH/USDT:USDT"),
        order(status=OrderStatus.FILLED),
        order(client=OURS, side=OrderSide.BUY),
        order(client=OURS, position_side=Side.SHORT),
    ],
    ids=["may open", "not told", "other side", "other leg", "other symbol", "final",
         "ours for the short", "ours for the other leg"],
)  # fmt: skip
@pytest.mark.parametrize("hedged", [False, True])
def test_what_is_not_proven_to_be_the_legs_is_left(kept: OrderRecord, hedged: bool) -> None:
    assert leftover_orders(LONG, resting(kept), hedged=hedged) == ()
    assert reserving_orders(LONG, resting(kept), hedged=hedged) == ()


def test_in_hedge_mode_an_order_without_a_position_side_is_nobodys_unless_it_is_ours() -> None:
    some = resting(order("bot"), order("ours", client=OURS, reduce_only=None))
    assert ids(leftover_orders(LONG, some, hedged=True)) == ["ours"]
    named = resting(order("bot", position_side=Side.LONG, reduce_only=None))
    assert ids(leftover_orders(LONG, named, hedged=True)) == ["bot"]


def test_in_one_way_mode_a_position_side_is_no_proof_that_an_order_only_reduces() -> None:
    plain = resting(order(position_side=Side.LONG, reduce_only=False))
    assert leftover_orders(LONG, plain, hedged=False) == ()


def test_in_one_way_mode_another_open_leg_keeps_all_but_our_own_orders() -> None:
    some = resting(order("bot"), order("ours", client=OURS))
    assert ids(leftover_orders(LONG, some, others=(SHORT,), hedged=False)) == ["ours"]
    named = resting(order("bot", position_side=Side.LONG))
    assert ids(leftover_orders(LONG, named, others=(SHORT,), hedged=True)) == ["bot"]
    elsewhere = (LegKey("main", "ETH/USDT:USDT", Side.SHORT), LegKey("second", BTC, Side.SHORT))
    assert ids(leftover_orders(LONG, some, others=elsewhere, hedged=False)) == ["bot", "ours"]


def test_a_leg_that_is_open_again_has_no_leftovers() -> None:
    assert leftover_orders(LONG, resting(order(client=OURS)), others=(LONG,), hedged=False) == ()


@pytest.mark.parametrize("hedged", [False, True])
def test_while_an_entry_rests_the_stop_beside_it_is_the_bots_and_only_ours_goes(
    hedged: bool,
) -> None:
    stop = order("bot", trigger="95", position_side=Side.LONG if hedged else None)
    ours = order("ours", client=OURS)
    for entry in (
        order("entry", side=OrderSide.BUY, reduce_only=False),
        order("entry", side=OrderSide.BUY, reduce_only=None),
        order("entry", side=OrderSide.BUY, reduce_only=False, trigger="105"),
    ):
        assert ids(leftover_orders(LONG, resting(entry, stop, ours), hedged=hedged)) == ["ours"]


@pytest.mark.parametrize(
    "other",
    [
        order("x", side=OrderSide.BUY, reduce_only=True),
        order("x", side=OrderSide.BUY, reduce_only=False, position_side=Side.SHORT),
        order("x", side=OrderSide.BUY, reduce_only=False, status=OrderStatus.FILLED),
        order("x", side=OrderSide.BUY, reduce_only=False, symbol="ETH/USDT:USDT"),
        order("x", side=OrderSide.SELL, reduce_only=False),
    ],
    ids=["reduces", "closes the short", "final", "other symbol", "opens the short"],
)
def test_what_cannot_open_the_leg_again_spares_no_leftover(other: OrderRecord) -> None:
    stop = order("stop", trigger="95", position_side=Side.LONG)
    assert ids(leftover_orders(LONG, resting(other, stop), hedged=True)) == ["stop"]


def test_before_a_close_a_resting_take_profit_goes_and_the_stop_stays() -> None:
    some = resting(order("stop", trigger="95"), order("tp"), order("far", trigger="120"))
    assert ids(reserving_orders(LONG, some, hedged=False, mark=D(100))) == ["tp", "far"]


def test_without_a_mark_price_every_trigger_order_is_taken_for_the_stop() -> None:
    some = resting(order("tp"), order("far", trigger="120"))
    assert ids(reserving_orders(LONG, some, hedged=False)) == ["tp"]


@pytest.mark.parametrize(
    ("side", "trigger", "stop"),
    [
        (Side.LONG, "95", True),
        (Side.LONG, "105", False),
        (Side.SHORT, "105", True),
        (Side.SHORT, "95", False),
        (Side.LONG, "100", True),
    ],
)
def test_a_stop_triggers_on_the_losing_side(side: Side, trigger: str, stop: bool) -> None:
    assert is_stop(order(trigger=trigger), side, D(100)) is stop


records = st.builds(
    order,
    st.uuids().map(str),
    client=st.sampled_from(["bot", OURS]),
    side=st.sampled_from(OrderSide),
    symbol=st.sampled_from([BTC, "ETH/USDT:USDT"]),
    reduce_only=st.sampled_from([None, True, False]),
    position_side=st.sampled_from([None, *Side]),
    trigger=st.sampled_from([None, "95", "105"]),
    status=st.sampled_from([OrderStatus.OPEN, OrderStatus.CANCELED]),
)


@given(st.lists(records, max_size=6), st.booleans())
@prove
def test_no_order_is_ever_claimed_for_both_legs(some: list[OrderRecord], hedged: bool) -> None:
    long = leftover_orders(LONG, resting(*some), hedged=hedged)
    short = leftover_orders(SHORT, resting(*some), hedged=hedged)
    assert not set(ids(long)) & set(ids(short))
    for one in (*long, *short):
        assert one.reduce_only is True or one.client_order_id == OURS or one.position_side


@given(st.lists(records, max_size=6), st.booleans())
@prove
def test_what_may_go_before_a_close_is_part_of_what_may_go_after_it_if_no_entry_rests(
    drawn: list[OrderRecord], hedged: bool
) -> None:
    some = [one for one in drawn if one.side is OrderSide.SELL]
    before = reserving_orders(LONG, resting(*some), hedged=hedged, mark=D(100))
    after = leftover_orders(LONG, resting(*some), hedged=hedged)
    assert set(ids(before)) <= set(ids(after))
    assert not any(is_stop(one, Side.LONG, D(100)) for one in before)
    gone = [msgspec.structs.replace(one, status=OrderStatus.CANCELED) for one in after]
    assert leftover_orders(LONG, resting(*gone), hedged=hedged) == ()
