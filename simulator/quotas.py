"""How much a client may ask of an exchange: counted always, told in headers, enforced on demand.

Left to others: each exchange's numbers and words (`binance_quotas.py`).
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from simulator.wire import Call, Reply


class NoQuotas:
    """Limits that were not told: nothing is counted."""

    enforced = False

    def charge(self, call: Call) -> Reply | None:  # noqa: ARG002  # the protocol's
        return None

    def headers(self, call: Call) -> dict[str, str]:  # noqa: ARG002  # the protocol's
        return {}


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
