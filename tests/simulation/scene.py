"""Where and when simulated worlds play: their accounts, symbols, clocks and trades.

Left to others: everything that happens there (`world.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import detangle

from messages.values import LegKey, Side

START = datetime(2026, 1, 5, tzinfo=UTC)

BYBIT = "bybit-main"
BINANCE = "binance-main"
ACCOUNTS = (BYBIT, BINANCE)
SYMBOLS = tuple(f"{base}/USDT:USDT" for base in ("BTC", "ETH", "SOL", "XRP", "LINK", "AVL"))
STAKE = Decimal(2000)
"""Quote currency that one trade is worth, about."""


def true_now() -> datetime:
    """The venue's clock, which never jumps."""
    return START + timedelta(seconds=detangle.now())


class Clock:
    """The guard's wall clock: the true one, and by how much it is off."""

    def __init__(self) -> None:
        self.off = timedelta(0)

    def __call__(self) -> datetime:
        return true_now() + self.off


class Trade:
    """A position that the bot made. `row_id` is None where no row was written.

    `made_at` is in seconds of virtual time.
    """

    def __init__(
        self, account: str, symbol: str, side: Side, quantity: Decimal, row_id: int | None
    ) -> None:
        self.key = LegKey(account, symbol, side)
        self.quantity = quantity
        self.row_id = row_id
        self.made_at = detangle.now()
