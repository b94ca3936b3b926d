"""What an account's requests have cost in the last minute, and how long they waited."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from messages.budget import Lane, Spending

_KEPT = 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class _Spent:
    at: float
    purpose: str
    lane: Lane
    weight: float
    waited: float


class Spendings:
    """One account's requests. Instants are monotonic seconds."""

    def __init__(self) -> None:
        self._spent: deque[_Spent] = deque()

    def note(self, now: float, purpose: str, lane: Lane, weight: float, waited: float) -> None:
        """A request was let through after `waited` seconds."""
        self._forget(now)
        self._spent.append(_Spent(now, purpose, lane, weight, waited))

    def by_purpose(self, now: float) -> tuple[Spending, ...]:
        """What each kind of question cost, the most costly first."""
        self._forget(now)
        found: dict[tuple[str, Lane], list[float]] = {}
        for each in self._spent:
            found.setdefault((each.purpose, each.lane), []).append(each.weight)
        spent = [
            Spending(purpose=purpose, lane=lane, requests=len(weights), weight=sum(weights))
            for (purpose, lane), weights in found.items()
        ]
        return tuple(sorted(spent, key=lambda each: (-each.weight, -each.requests, each.purpose)))

    def longest_wait(self, now: float) -> dict[Lane, float]:
        """Seconds, for each lane in which anything was asked."""
        self._forget(now)
        longest: dict[Lane, float] = {}
        for each in self._spent:
            longest[each.lane] = max(longest.get(each.lane, 0.0), each.waited)
        return longest

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0].at < now - _KEPT:
            self._spent.popleft()
