"""How prices move: one seeded random walk an underlying, carried by the market's clock.

Left to others: what the moves trigger (`matching.py`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from simulator.candles import Candle, Candles
from simulator.instruments import Listing

SECONDS_A_DAY = 86_400.0


class Prices:
    """The current price of every underlying. `volatility` is a day's standard deviation.

    A step covers whatever time has passed, so that a simulated week costs as many draws as it
    has requests, and a still market (`volatility` 0) draws nothing.
    """

    def __init__(
        self,
        listings: Iterable[Listing],
        rng: random.Random,
        started_at: datetime,
        *,
        volatility: float = 0.03,
        least_step: timedelta = timedelta(milliseconds=250),
    ) -> None:
        self._rng = rng
        self._least_step = least_step
        self._moved_at = started_at
        self.volatility = volatility
        self._of: dict[str, Decimal] = {}
        self._premium: dict[str, Decimal] = {}
        self._past: dict[str, Candles] = {}
        self.add(listings)

    def add(self, listings: Iterable[Listing]) -> None:
        for listing in listings:
            price = self._of.setdefault(listing.underlying, listing.price / (1 + listing.basis))
            if listing.underlying not in self._past:
                self._past[listing.underlying] = Candles()
                self._past[listing.underlying].note(price, self._moved_at)

    def last(self, listing: Listing) -> Decimal:
        return listing.to_tick(self._of[listing.underlying] * (1 + listing.basis))

    def mark(self, listing: Listing) -> Decimal:
        """The mark price: the last one, unless it was put elsewhere."""
        away = 1 + self._premium.get(listing.underlying, Decimal(0))
        return listing.to_tick(self._of[listing.underlying] * (1 + listing.basis) * away)

    def set_mark(self, listing: Listing, price: Decimal | None) -> None:
        """Keep the mark price at its present distance from the last one; None: at none."""
        if price is None:
            self._premium.pop(listing.underlying, None)
        else:
            last = self._of[listing.underlying] * (1 + listing.basis)
            self._premium[listing.underlying] = price / last - 1

    def bid(self, listing: Listing) -> Decimal:
        step = listing.instrument.price_step
        return max(step, self.last(listing) - step)

    def ask(self, listing: Listing) -> Decimal:
        return self.last(listing) + listing.instrument.price_step

    def bars(self, listing: Listing, first: int, step: int, count: int) -> list[Candle]:
        """A listing's past in bars of `step` milliseconds, from the one that begins at `first`."""
        away = 1 + listing.basis
        return [
            Candle(
                it.start,
                listing.to_tick(it.open * away),
                listing.to_tick(it.high * away),
                listing.to_tick(it.low * away),
                listing.to_tick(it.close * away),
            )
            for it in self._past[listing.underlying].bars(first, step, count)
        ]

    def set(self, listing: Listing, price: Decimal, at: datetime) -> None:
        """Put a listing, and all that follow the same underlying, at a price."""
        self._of[listing.underlying] = price / (1 + listing.basis)
        self._past[listing.underlying].note(self._of[listing.underlying], at)

    def advance(self, now: datetime) -> bool:
        """Move to `now`; says whether anything moved."""
        elapsed = now - self._moved_at
        if elapsed < self._least_step:
            return False
        self._moved_at = now
        if self.volatility <= 0:
            return False
        spread = self.volatility * math.sqrt(elapsed.total_seconds() / SECONDS_A_DAY)
        for name, price in self._of.items():
            self._of[name] = price * Decimal(repr(math.exp(self._rng.gauss(0.0, spread))))
            self._past[name].note(self._of[name], now)
        return True
