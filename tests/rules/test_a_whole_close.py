"""Sizing and ladder together, against a venue that does whatever it likes with each order."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from messages.settings import OrderSettings
from messages.values import LegKey, Side
from messages.venue import OrderType, VenueError, VenueErrorKind
from messages.verdict import Present, Unknown, Verdict
from rules.ladder import Attempt, LadderFacts, Send, Stop, next_order
from rules.sizing import Sized, size_close
from tests.rules.build import BTC, D, after, decimals, instrument, position, prove, quote, sides


class Done(msgspec.Struct, frozen=True):
    """A close that has come to its end."""

    filled: Decimal
    orders: tuple[Send, ...]
    why: object


def close(
    side: Side, ledger: Decimal, there: Decimal, sees: list[bool], luck: list[str | VenueErrorKind]
) -> Done:
    """Close a leg of `there` at the venue. `sees`: is it seen before each order; `luck`: what
    becomes of each order: all, half or nothing of it fills, or it is refused.
    """
    one = instrument(step="0.01", least="0.02", most="3")
    history: list[Attempt] = []
    orders: list[Send] = []
    filled = D(0)
    for seen, fate in zip(sees, luck, strict=True):
        left = there - filled
        verdict: Verdict = Unknown(why="not seen")
        if seen and left > 0:
            key = LegKey("main", BTC, side)
            verdict = Present(position=position(key, left), seen_at=after(0))
        sized = size_close(ledger, verdict, one, filled)
        if not isinstance(sized, Sized):
            return Done(filled, tuple(orders), sized)
        facts = LadderFacts(
            history=tuple(history), remaining=sized.quantity, quote=quote("99", "101", "100"),
            instrument=one, side=side, settings=OrderSettings(),
        )  # fmt: skip
        step = next_order(facts)
        if isinstance(step, Stop):
            return Done(filled, tuple(orders), step)
        orders.append(step)
        if isinstance(fate, VenueErrorKind):
            error = VenueError(kind=fate, message="a test")
            history.append(Attempt(type=step.type, error=error))
            continue
        # Reduce-only: a venue never fills more than is there.
        share = {"all": D(1), "half": D("0.5"), "nothing": D(0)}[fate]
        got = min(step.quantity * share, there - filled)
        filled += got
        history.append(Attempt(type=step.type, filled=got, complete=got >= step.quantity))
    return Done(filled, tuple(orders), None)


fates = st.lists(
    st.sampled_from(["all", "half", "nothing", *VenueErrorKind]), min_size=40, max_size=40
)
glimpses = st.lists(st.booleans(), min_size=40, max_size=40)
quantities = decimals("0.001", "9", 3)


@given(sides, quantities, quantities, glimpses, fates)
@prove
def test_a_close_ends_and_never_takes_more_than_is_there(
    side: Side, ledger: Decimal, there: Decimal, sees: list[bool], luck: list[str | VenueErrorKind]
) -> None:
    done = close(side, ledger, there, sees, luck)
    assert done.why is not None
    assert done.filled <= there
    assert all(one.quantity <= max(ledger, there) for one in done.orders)


@given(sides, quantities)
@prove
def test_a_venue_that_fills_everything_is_left_with_less_than_an_order(
    side: Side, there: Decimal
) -> None:
    done = close(side, there, there, [True] * 40, ["all"] * 40)
    assert there - done.filled < D("0.02")
    assert {one.type for one in done.orders} <= {OrderType.MARKET}
    assert len(done.orders) <= 4


@given(sides, quantities, quantities, glimpses, fates)
@prove
def test_the_same_close_of_the_mirrored_leg_sends_the_same_quantities(
    side: Side, ledger: Decimal, there: Decimal, sees: list[bool], luck: list[str | VenueErrorKind]
) -> None:
    one = close(side, ledger, there, sees, luck)
    other = close(side.opposite, ledger, there, sees, luck)
    assert [(step.type, step.quantity) for step in one.orders] == [
        (step.type, step.quantity) for step in other.orders
    ]
    assert one.filled == other.filled
