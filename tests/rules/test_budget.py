"""What a venue's limits leave, and how long they make closing take."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from messages.budget import BudgetUse, LimitScope, LimitUse
from rules.budget import (
    Rounds,
    headroom,
    needed_a_minute,
    rounds_allowance,
    seconds_to_flat,
)

ORDERS = LimitUse(
    scope=LimitScope.LOGIN,
    name="order/create",
    unit="orders",
    seconds=1,
    limit=10,
    used=0,
    used_by_guard=0,
)
WEIGHT = LimitUse(
    scope=LimitScope.ADDRESS,
    name="weight",
    unit="weight",
    seconds=60,
    limit=2400,
    used=400,
    used_by_guard=100,
)


def a_budget(*limits: LimitUse, share: float = 0.5) -> BudgetUse:
    return BudgetUse(account="one", exchange="any", share=share, limits=limits)


@pytest.mark.parametrize(
    ("legs", "seconds"), [(0, 0), (1, 0), (10, 0), (11, 1), (20, 1), (21, 2), (50, 4)]
)
def test_orders_beyond_a_window_wait_for_the_next(legs: int, seconds: float) -> None:
    assert seconds_to_flat(a_budget(ORDERS), legs) == seconds


def test_what_others_have_used_of_a_window_delays_ours() -> None:
    used = msgspec.structs.replace(ORDERS, used=4)
    assert headroom(used) == 6
    assert seconds_to_flat(a_budget(used), 6) == 0
    assert seconds_to_flat(a_budget(used), 7) == 1


def test_the_scarcest_limit_says_how_long_it_takes() -> None:
    # 2,000 of the address are left: 250 closes of 8.
    assert seconds_to_flat(a_budget(ORDERS, WEIGHT), 10) == 0
    assert seconds_to_flat(a_budget(WEIGHT), 250) == 0
    assert seconds_to_flat(a_budget(ORDERS, WEIGHT), 251) == 60


def test_no_known_limit_delays_nothing() -> None:
    assert seconds_to_flat(a_budget(), 1000) == 0
    assert rounds_allowance(a_budget(ORDERS)) is None


def test_rounds_may_use_their_share_of_the_address() -> None:
    found = rounds_allowance(a_budget(ORDERS, WEIGHT, share=0.25))
    assert found is not None
    allowed, limit = found
    assert (allowed, limit.name) == (600, "weight")


def test_rounds_cost_their_weight_as_often_as_they_come() -> None:
    rounds = [
        Rounds(purpose="positions", weight=5, every=timedelta(seconds=30)),
        Rounds(purpose="stops", weight=40, every=timedelta(minutes=5)),
    ]
    assert needed_a_minute(rounds) == 18
