"""What prices have been: bars of any length, made from the minutes in which a price was noted.

Left to others: how prices move (`prices.py`), and how an exchange words a bar.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

MINUTE_MS = 60_000


@dataclass(slots=True)
class Candle:
    """A bar that begins at `start`, in milliseconds since the epoch. Prices in quote currency."""

    start: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


class Candles:
    """One price's history. Before its first note, and in gaps, it stood still."""

    def __init__(self) -> None:
        self._minutes: list[Candle] = []

    def note(self, price: Decimal, at: datetime) -> None:
        """Remember a price; instants must not go back."""
        start = int(at.timestamp() * 1000) // MINUTE_MS * MINUTE_MS
        if self._minutes and self._minutes[-1].start >= start:
            last = self._minutes[-1]
            last.high, last.low = max(last.high, price), min(last.low, price)
            last.close = price
            return
        before = self._minutes[-1].close if self._minutes else price
        self._minutes.append(Candle(start, before, max(before, price), min(before, price), price))

    def bars(self, first: int, step: int, count: int) -> list[Candle]:
        """`count` bars of `step` milliseconds each, from the one that begins at `first` on."""
        found: list[Candle] = []
        place = bisect_left(self._minutes, first, key=lambda it: it.start)
        price = self._minutes[max(0, place - 1)]
        last = price.close if place else price.open
        for start in range(first, first + count * step, step):
            bar = Candle(start, last, last, last, last)
            while place < len(self._minutes) and self._minutes[place].start < start + step:
                minute = self._minutes[place]
                bar.high, bar.low = max(bar.high, minute.high), min(bar.low, minute.low)
                last = bar.close = minute.close
                place += 1
            found.append(bar)
        return found
