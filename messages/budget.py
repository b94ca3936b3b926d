"""What a venue's request limits allow, and what the guard has spent of them.

Does not live here: how a venue words its limits (`venues.exchanges`), and who waits for what
(`venues.limits`).
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum

import msgspec


class Lane(IntEnum):
    """Who goes first where requests wait: the lower number."""

    ORDER = 0
    """Orders and cancels."""
    CLOSE = 1
    """What an open close waits for: its positions, its quote, its order's record."""
    ANSWER = 2
    """What a verdict or a person waits for."""
    ROUND = 3
    """Rounds of the monitors, clean-up, stops, sockets kept warm."""


class LimitScope(StrEnum):
    """Whose limit it is."""

    ADDRESS = "address"
    LOGIN = "login"


class LimitUse(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a venue as it stands now.

    `used` is the larger of what the venue says and what was counted here, in `unit` ("weight",
    "requests", "orders") within the last `seconds`; `used_by_guard` is our own part of it.
    """

    scope: LimitScope
    name: str
    unit: str
    seconds: float
    limit: float
    used: float
    used_by_guard: float


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of question (the gateway's method) has cost in the last minute."""

    purpose: str
    lane: Lane
    requests: int
    weight: float


class BudgetUse(msgspec.Struct, frozen=True, kw_only=True):
    """An account's view of its limits. `share` (0 to 1) bounds what rounds may use of each.

    `waiting` requests are queued now; `longest_wait` is in seconds, of the last minute, for each
    lane.
    """

    account: str
    exchange: str
    share: float
    limits: tuple[LimitUse, ...] = ()
    spent: tuple[Spending, ...] = ()
    waiting: int = 0
    longest_wait: dict[Lane, float] = {}
    banned_until: datetime | None = None
