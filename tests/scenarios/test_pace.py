"""Accounts that start together do not come round together for ever."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from actors.monitoring.rounds import initial_delay

EVERY = timedelta(minutes=5)


@given(account=st.text(min_size=1))
def test_the_second_round_comes_within_one_interval_and_not_at_once(account: str) -> None:
    assert EVERY / 2 <= initial_delay(account, EVERY) <= EVERY
    assert initial_delay(account, EVERY) == initial_delay(account, EVERY)


def test_fifty_accounts_are_spread_over_the_interval() -> None:
    for names in ("soak-{}", "bybit-{}", "desk{}-binance"):
        waits = [initial_delay(names.format(n), EVERY).total_seconds() for n in range(50)]
        assert max(Counter(int(wait) // 5 for wait in waits).values()) <= 8
