"""What every maker of trouble has: the world, its trades, chance, and whom it may trouble."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from messages.values import Side
from tests.simulation.scene import SYMBOLS, Trade
from tests.simulation.world import World

Maker = tuple[int, Callable[[], Awaitable[None]]]
"""A trouble that acts on the world once, and how often it is drawn."""


class Trouble:
    """One kind of maker. `accounts` are those that may be troubled."""

    def __init__(
        self, world: World, trades: list[Trade], rng: random.Random, accounts: list[str]
    ) -> None:
        self.world = world
        self.trades = trades
        self.rng = rng
        self.accounts = accounts

    def makers(self) -> list[Maker]:
        raise NotImplementedError

    def account(self) -> str:
        return self.rng.choice(self.accounts)

    def side(self) -> Side:
        return self.rng.choice(list(Side))

    def free_place(self) -> tuple[str, str] | None:
        """An account and a symbol in which nobody trades yet."""
        account, symbol = self.account(), self.rng.choice(SYMBOLS)
        taken = {(t.key.account, t.key.symbol) for t in self.trades}
        return None if (account, symbol) in taken else (account, symbol)

    def open_trade(self) -> Trade | None:
        """A trade that the market still holds something of."""
        trades = [
            t for t in self.trades if t.key.account in self.accounts and self.world.held(t.key)
        ]
        return self.rng.choice(trades) if trades else None
