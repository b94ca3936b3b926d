"""What is asked of an exchange's prices."""

from __future__ import annotations

from datetime import timedelta

from messages.base import Request
from messages.budget import Lane
from messages.venue import Price, PriceKind, VenueError


class ReadPrice(Request[Price | VenueError], frozen=True, kw_only=True):
    """A contract's price, by a question that left at most `max_age` ago.

    `account` is whose venue is asked through, where it must be asked. The answer has at least these
    `kinds` of prices.
    """

    symbol: str
    kinds: frozenset[PriceKind]
    max_age: timedelta
    account: str
    lane: Lane = Lane.ANSWER
