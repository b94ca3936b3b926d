"""How much a client may ask of an exchange: counted always, told in headers, enforced on demand.

Left to others: each exchange's numbers and words (`bybit_quotas.py`, `binance_quotas.py`).
"""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, datetime, timedelta


class RollingWindow:
    """Use by whom within the last stretch of time."""

    def __init__(self, length: timedelta) -> None:
        self.length = length
        self._recent: dict[str, deque[tuple[datetime, int]]] = {}
        self._used: Counter[str] = Counter()

    def add(self, name: str, amount: int, at: datetime) -> int:
        """Count an amount; what the window then has."""
        self._turn(name, at)
        self._recent[name].append((at, amount))
        self._used[name] += amount
        return self._used[name]

    def used(self, name: str, at: datetime) -> int:
        self._turn(name, at)
        return self._used[name]

    def frees_at(self, name: str, at: datetime) -> datetime:
        """When the oldest of what is counted drops out."""
        self._turn(name, at)
        recent = self._recent[name]
        return recent[0][0] + self.length if recent else at

    def _turn(self, name: str, at: datetime) -> None:
        recent = self._recent.setdefault(name, deque())
        while recent and at - recent[0][0] >= self.length:
            self._used[name] -= recent.popleft()[1]


class FixedWindows:
    """Use by whom within windows of a fixed length, each of which starts at zero."""

    def __init__(self, length: timedelta, most: int) -> None:
        self.length = length
        self.most = most
        self._start = datetime.fromtimestamp(0, UTC)
        self._used: Counter[str] = Counter()

    def add(self, name: str, amount: int, at: datetime) -> int:
        """Count an amount; what its window then has."""
        self._turn(at)
        self._used[name] += amount
        return self._used[name]

    def used(self, name: str, at: datetime) -> int:
        self._turn(at)
        return self._used[name]

    def ends_at(self) -> datetime:
        return self._start + self.length

    def _turn(self, at: datetime) -> None:
        if not self._start <= at < self._start + self.length:
            epoch = datetime.fromtimestamp(0, UTC)
            self._start = epoch + (at - epoch) // self.length * self.length
            self._used.clear()
