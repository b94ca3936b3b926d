"""What is left of a venue's limits, and how long closing takes within them.

Does not live here: counting and waiting (`venues.limits`), and the words that operators read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from messages.budget import BudgetUse, LimitScope, LimitUse

ORDERS = "orders"
"""The unit of limits that only orders count in."""

WEIGHT_A_CLOSE = 8.0
REQUESTS_A_CLOSE = 4.0
"""What a close costs its address at most, by weight and by requests (`docs/spec/budget.md`)."""


class Rounds(msgspec.Struct, frozen=True, kw_only=True):
    """A question that is asked again and again: its weight each time, and how often."""

    purpose: str
    weight: float
    every: timedelta

    @property
    def a_minute(self) -> float:
        """Its weight in a minute."""
        return self.weight * 60 / self.every.total_seconds()


def headroom(limit: LimitUse) -> float:
    """What nobody has used of a limit now, in its unit: the bot's, and the guard's orders'."""
    return max(limit.limit - limit.used, 0.0)


def seconds_to_flat(use: BudgetUse, legs: int) -> float:
    """How long the venue's limits make that many closes take from now on, in seconds.

    Each leg takes one order, and of its address at most `WEIGHT_A_CLOSE`. What the limits leave
    now goes at once, the rest a window later and the next after that; the way to the venue and a
    ban come on top.
    """
    return max((_seconds(limit, legs) for limit in use.limits if _counts(limit)), default=0.0)


def _counts(limit: LimitUse) -> bool:
    # An endpoint's own limit, which bears its path, is wide but for orders.
    whole = limit.scope is LimitScope.ADDRESS and "/" not in limit.name
    return limit.limit > 0 and (limit.unit == ORDERS or whole)


def _seconds(limit: LimitUse, legs: int) -> float:
    needed = legs * (1.0 if limit.unit == ORDERS else _weight_of(limit))
    later = needed - headroom(limit)
    if later <= 0:
        return 0.0
    return -(-later // limit.limit) * limit.seconds


def _weight_of(limit: LimitUse) -> float:
    return WEIGHT_A_CLOSE if limit.unit == "weight" else REQUESTS_A_CLOSE


def rounds_allowance(use: BudgetUse) -> tuple[float, LimitUse] | None:
    """What rounds may use in a minute, and of which limit: the scarcest of the address's.

    The login's, where the venue counts nothing by address. None: no limit is known.
    """
    for scope in (LimitScope.ADDRESS, LimitScope.LOGIN):
        mine = [it for it in use.limits if it.scope is scope and it.unit != ORDERS]
        if mine:
            scarcest = min(mine, key=_a_minute)
            return _a_minute(scarcest) * use.share, scarcest
    return None


def _a_minute(limit: LimitUse) -> float:
    return limit.limit * 60 / limit.seconds


def needed_a_minute(rounds: Iterable[Rounds]) -> float:
    """The weight of all of them in a minute."""
    return sum(one.a_minute for one in rounds)
