"""The demo's trading bot, and the careless people around it: all the trouble the guard will find.

It trades on the simulated market and writes its rows with a plain SQL INSERT, as a bot without
any tie to Sexton would. What goes wrong, where, and when is drawn from a seed; what becomes of it
is the guard's doing alone. It knows nothing of the guard.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from loguru import logger

from messages.values import Side
from simulator import Exchange, Market

_SYMBOLS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "LINK", "ADA", "AVL", "1000PEPE")
_STAKE = Decimal(2_000)
"""Quote currency that one trade is worth, about."""

_BUSY_SECONDS = 10.0

_INSERT = (
    "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


class Habit(StrEnum):
    """What the bot, or a person beside it, does with a trade."""

    ORDERLY = "orderly"
    FORGOT_ROW = "forgot_row"
    CLOSED_BY_HAND = "closed_by_hand"
    NO_STOP = "no_stop"
    HALF_CLOSED = "half_closed"
    AGED_GRACE = "aged_grace"
    AGED_PROGRESSIVE = "aged_progressive"
    AGED_MARKET = "aged_market"


_HOURS: dict[Habit, tuple[float, float]] = {
    Habit.AGED_GRACE: (3.5, 10.0),
    Habit.AGED_PROGRESSIVE: (12.5, 21.0),
    Habit.AGED_MARKET: (32.0, 50.0),
}
"""How long ago such a trade was opened, in hours: positions that the bot never closed."""


_DEEDS: dict[Habit, str] = {
    Habit.ORDERLY: "opened, with row and stop",
    Habit.FORGOT_ROW: "opened, and wrote no row",
    Habit.CLOSED_BY_HAND: "opened, with row and stop",
    Habit.NO_STOP: "opened without a stop",
    Habit.HALF_CLOSED: "opened, with row and stop",
    Habit.AGED_GRACE: "forgotten for hours",
    Habit.AGED_PROGRESSIVE: "forgotten for half a day",
    Habit.AGED_MARKET: "forgotten for more than a day",
}


@dataclass(frozen=True)
class Deed:
    """What the bot or a person did last, in words."""

    account: str
    symbol: str
    side: Side
    what: str


@dataclass(frozen=True)
class Trade:
    """One position of the bot. Quantity in base units, price in quote currency."""

    account: str
    symbol: str
    side: Side
    quantity: Decimal
    entry: Decimal
    opened_at: datetime


class DemoBot:
    """Trades until it is told to stop. `did` counts what it did, by habit; `last` is its latest."""

    def __init__(
        self, market: Market, database: Path, *, now: Callable[[], datetime], seed: int
    ) -> None:
        self._market = market
        self._database = database
        self._now = now
        self._rng = random.Random(seed)  # noqa: S311  a bot's whims, not a secret
        self._free = {
            name: self._rng.sample(_SYMBOLS, len(_SYMBOLS)) for name in sorted(market.accounts)
        }
        self._patience = 1.0
        self._bags: dict[str, list[Habit]] = {}
        self.did: Counter[Habit] = Counter()
        self.last: Deed | None = None

    async def trade(self, *, until: Callable[[], bool], pace: float) -> None:
        """Take one step after the other, about `pace` seconds apart, while symbols are left."""
        self._patience = min(1.0, pace)
        first = True
        while not until() and any(self._free.values()):
            for account in self._free:
                # A few positions at once, so that the guard has something to look at.
                for _ in range(3 if first else 1):
                    await self._step(account)
            first = False
            await asyncio.sleep(pace * self._rng.uniform(0.7, 1.3))

    async def _step(self, account: str) -> None:
        if not self._free[account]:
            return
        symbol = f"{self._free[account].pop()}/USDT:USDT"
        habit = self._next_habit(account)
        trade = self._open(account, symbol, habit)
        self.did[habit] += 1
        self._tell(trade, _DEEDS[habit])
        if habit is not Habit.FORGOT_ROW:
            await asyncio.to_thread(self._write_row, trade)
        if habit is Habit.CLOSED_BY_HAND:
            await self._later(self._close_by_hand, trade, None)
        elif habit is Habit.HALF_CLOSED:
            await self._later(self._close_by_hand, trade, trade.quantity / 2)

    def _next_habit(self, account: str) -> Habit:
        """Every habit shows up once before any does again."""
        bag = self._bags.get(account)
        if not bag:
            bag = self._bags[account] = self._rng.sample(list(Habit), len(Habit))
        return bag.pop()

    def _open(self, account: str, symbol: str, habit: Habit) -> Trade:
        exchange = self._market.accounts[account].exchange
        side = self._rng.choice(list(Side))
        price = self._market.price(exchange, symbol)
        least, most = _HOURS.get(habit, (0.0, 0.0))
        age = timedelta(hours=self._rng.uniform(least, most))
        # An old position that still stands is one that went the wrong way by a little.
        drift = Decimal(str(round(self._rng.uniform(0.002, 0.02), 4))) if age else Decimal(0)
        trade = Trade(
            account=account,
            symbol=symbol,
            side=side,
            quantity=self._size(exchange, symbol, price),
            entry=self._tick(exchange, symbol, price * (1 + side.sign * drift)),
            opened_at=self._now() - age,
        )
        # What is opened in a hurry, and forgotten, may lack its stop as well.
        careless = habit is Habit.FORGOT_ROW and self._rng.random() < 0.5
        away = Decimal(str(round(self._rng.uniform(0.04, 0.07), 4)))
        stop = self._tick(exchange, symbol, price * (1 - side.sign * away))
        self._market.open_position(
            account,
            symbol,
            side,
            trade.quantity,
            trade.entry,
            trade.opened_at,
            stop_loss=None if careless or habit is Habit.NO_STOP else stop,
        )
        return trade

    def _size(self, exchange: Exchange, symbol: str, price: Decimal) -> Decimal:
        """About a stake's worth, an even number of steps, so that half of it is a size too."""
        step = self._market.listing(exchange, symbol).instrument.quantity_step * 2
        return max(step, _STAKE / price // step * step)

    def _tick(self, exchange: Exchange, symbol: str, price: Decimal) -> Decimal:
        return self._market.listing(exchange, symbol).to_tick(price)

    async def _later(
        self, what: Callable[[Trade, Decimal | None], None], trade: Trade, quantity: Decimal | None
    ) -> None:
        await asyncio.sleep(self._patience * self._rng.uniform(0.2, 1.0))
        what(trade, quantity)

    def _close_by_hand(self, trade: Trade, quantity: Decimal | None) -> None:
        """Somebody closes it in the exchange's app; the bot does not notice."""
        if self._market.quantity(trade.account, trade.symbol, trade.side):
            self._market.close_by_hand(trade.account, trade.symbol, trade.side, quantity)
            self._tell(trade, "half closed by hand" if quantity else "closed by hand")

    def _tell(self, trade: Trade, what: str) -> None:
        self.last = Deed(trade.account, trade.symbol, trade.side, what)
        logger.bind(actor="bot", account=trade.account).debug(
            f"{trade.side} {trade.symbol}: {what}"
        )

    def _write_row(self, trade: Trade) -> None:
        """In a thread: SQLite may have to wait for the guard's own transaction."""
        with closing(sqlite3.connect(self._database, timeout=_BUSY_SECONDS)) as database, database:
            database.execute(
                _INSERT,
                (
                    trade.account,
                    # As bots write it, without ccxt's slashes.
                    trade.symbol.partition(":")[0].replace("/", ""),
                    trade.side.value,
                    str(trade.quantity),
                    str(trade.entry),
                    trade.opened_at.isoformat(),
                ),
            )
