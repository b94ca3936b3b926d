"""Trailing stops: how the price that triggers one follows the market. Pure.

Left to others: when prices move (`prices.py`), what a triggered stop does (`matching.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Trail:
    """How far a trailing stop stays behind the best price: a fraction of it, or a fixed distance.

    It follows from the moment that the price has reached `activation`; None: at once. Prices and
    the distance are in quote currency.
    """

    rate: Decimal | None = None
    distance: Decimal | None = None
    activation: Decimal | None = None

    def followed(self, peak: Decimal | None, last: Decimal, *, selling: bool) -> Decimal | None:
        """The best price since activation, after the price `last`; None while it is not active."""
        if peak is not None:
            return max(peak, last) if selling else min(peak, last)
        waits = self.activation is not None and (
            last < self.activation if selling else last > self.activation
        )
        return None if waits else last

    def stop_at(self, peak: Decimal, *, selling: bool) -> Decimal:
        """The price that triggers the stop, given the best price since activation."""
        away = self.distance if self.distance is not None else peak * (self.rate or Decimal(0))
        return peak - away if selling else peak + away
