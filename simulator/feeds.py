"""What a public stream is followed for: one feed a stream and socket, asked at each tick.

Left to others: each exchange's names and rows (`bybit_feeds.py`, `binance_feeds.py`), and the
sockets (`streams.py`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class Feed(Protocol):
    """One followed stream. It knows what it has told its follower."""

    def due(self, at: datetime) -> list[object]:
        """The messages that are to be sent now, oldest first."""


class Pace:
    """When something is told again though it has not changed.

    In a real market something always moves; here prices may stand still, and a follower must still
    see that the stream is alive.
    """

    def __init__(self, every: timedelta) -> None:
        self._every = every
        self._last: datetime | None = None

    def over(self, at: datetime) -> bool:
        return self._last is None or at - self._last >= self._every

    def begin(self, at: datetime) -> None:
        self._last = at
