"""The wait before something that failed is tried again."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from actors.backoff import backoff, backoffs

SECOND = timedelta(seconds=1)


def test_it_doubles_up_to_its_limit() -> None:
    assert [backoff(n, 1.0, 10.0) for n in range(1, 7)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert list(islice(backoffs(0.5, 3.0), 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff(3, SECOND, 60 * SECOND) == 4 * SECOND


@given(failures=st.integers(min_value=1, max_value=10**9))
def test_a_venue_may_be_away_for_years(failures: int) -> None:
    """A power of two without a bound is no float any more after 1,024 failures, about 17 hours."""
    assert 1.0 <= backoff(failures, 1.0, 60.0) <= 60.0
    assert SECOND <= backoff(failures, SECOND, 60 * SECOND) <= 60 * SECOND
