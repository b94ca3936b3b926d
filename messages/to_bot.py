"""What is told to the bot actor, which speaks to the bot whose ledger is followed."""

from __future__ import annotations

import msgspec


class StillOpen(msgspec.Struct, frozen=True):
    """Trades that the guard's own orders have closed and that the bot still has open.

    They are all there are: one that was told before and is missing here is known to the bot.
    `trades` are the bot's own numbers.
    """

    trades: tuple[int, ...] = ()
