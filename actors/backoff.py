"""The wait before something that failed is tried again: doubled each time, up to a limit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import TypeVar

Span = TypeVar("Span", float, timedelta)

DOUBLINGS = 16
"""More would change nothing but overflow: a venue may be away for days."""


def backoff(failures: int, first: Span, last: Span) -> Span:
    """The wait after so many failures in a row (1 or more), in the unit of `first` and `last`."""
    longer: Span = first * 2 ** min(failures - 1, DOUBLINGS)
    return min(longer, last)


def backoffs(first: float, last: float) -> Iterator[float]:
    """The waits, in seconds, after the first failure, the second, and so on without an end."""
    return (backoff(failures, first, last) for failures in count(1))
