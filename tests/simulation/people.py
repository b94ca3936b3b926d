"""What bot and trader do in a simulated world, by their own hands and outside the guard.

Left to others: when they do it (`market_troubles.py`), and what the guard makes of it.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

from actors import paths
from actors.runtime import System
from messages.to_monitors import LookAt
from messages.values import LegKey, Side
from simulator import Market
from tests.simulation.invariants import Watch
from tests.simulation.process import Process
from tests.simulation.scene import STAKE, Clock, Trade, true_now


class People:
    """The half of a world that trades. Quantities are base units, prices quote currency."""

    market: Market
    truth: sqlite3.Connection
    watch: Watch
    clock: Clock
    rng: random.Random
    happened: Counter[str]
    process: Process | None

    @property
    def system(self) -> System:
        raise NotImplementedError

    def tell(self, text: str) -> None:
        raise NotImplementedError

    def price(self, account: str, symbol: str) -> Decimal:
        self.market.tick()
        return self.market.price(self.market.accounts[account].exchange, symbol)

    def held(self, key: LegKey) -> Decimal:
        self.market.tick()  # what waited to be filled may be due
        return self.market.quantity(key.account, key.symbol, key.side)

    def amount(self, account: str, symbol: str) -> Decimal:
        """What the stake buys, in whole steps."""
        listing = self.market.listing(self.market.accounts[account].exchange, symbol)
        step = listing.instrument.quantity_step
        steps = STAKE * Decimal(self.rng.randint(50, 150)) / 100 / listing.price // step
        return max(steps, Decimal(4)) * step

    def open(
        self,
        account: str,
        symbol: str,
        side: Side,
        *,
        row: bool = True,
        stop: bool = True,
        hours: float = 0.0,
        quantity: Decimal | None = None,
    ) -> Trade:
        """The bot opens a position, and writes its row unless it forgets it."""
        price = self.price(account, symbol)
        amount = quantity or self.amount(account, symbol)
        at = true_now() - timedelta(hours=hours)
        self.market.open_position(
            account,
            symbol,
            side,
            amount,
            price,
            at,
            stop_loss=self._stop(account, symbol, side, price) if stop else None,
        )
        row_id = self.write_row(account, symbol, side, amount, price, at) if row else None
        self.tell(
            f"bot opens {account} {symbol} {side} {amount} at {price}"
            f"{'' if row else ', forgets the row'}{'' if stop else ', without a stop'}"
        )
        return Trade(account, symbol, side, amount, row_id)

    async def open_slowly(self, account: str, symbol: str, side: Side, delay: float) -> Trade:
        """The bot writes its row when it orders, and is filled `delay` seconds later."""
        await self.writable()
        price, amount = self.price(account, symbol), self.amount(account, symbol)
        row_id = self.write_row(account, symbol, side, amount, price, true_now(), filled=False)
        self.tell(f"bot orders {account} {symbol} {side} {amount}, row {row_id}")
        if self.process is not None:
            # Somebody looks just now, when the venue has nothing yet.
            key = LegKey(account, symbol, side)
            self.system.tell(paths.reconciliation(account), LookAt(key=key))
        await asyncio.sleep(delay)
        stop = self._stop(account, symbol, side, price)
        self.market.open_position(account, symbol, side, amount, price, stop_loss=stop)
        self.watch.row_written(row_id, LegKey(account, symbol, side), true_now())
        self.tell(f"bot's order for row {row_id} is filled")
        self.happened["bot opens slowly"] += 1
        return Trade(account, symbol, side, amount, row_id)

    def _stop(self, account: str, symbol: str, side: Side, price: Decimal) -> Decimal:
        listing = self.market.listing(self.market.accounts[account].exchange, symbol)
        return listing.to_tick(price * (1 - Decimal("0.2") * side.sign))

    def write_row(
        self,
        account: str,
        symbol: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        opened_at: datetime,
        *,
        filled: bool = True,
    ) -> int:
        """One plain SQL insert from another process. Raises sqlite3.OperationalError if locked.

        `revision` 1 spares the row the database's own stamp, which is in real time.
        """
        cursor = self.truth.execute(
            "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at,"
            " updated_at, revision) VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
            (
                account,
                symbol,
                side.value,
                str(quantity),
                str(price),
                (opened_at + self.clock.off).isoformat(),
                self.clock().isoformat(),
            ),
        )
        assert cursor.lastrowid is not None
        self.watch.row_written(
            cursor.lastrowid, LegKey(account, symbol, side), opened_at if filled else None
        )
        return cursor.lastrowid

    async def writable(self) -> None:
        """Wait until no transaction of the guard holds the file: the bot has its turn then."""
        while True:
            try:
                self.truth.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                await asyncio.sleep(0.003)
            else:
                self.truth.execute("ROLLBACK")
                return

    def bot_closes(self, trade: Trade) -> None:
        """The bot closes its position and its row in one go."""
        self.tell(f"bot closes {trade.key}")
        if self.held(trade.key):
            self.market.close_by_hand(*_leg(trade.key))
        self.truth.execute(
            "UPDATE positions SET status = 'closed', exit_reason = 'bot' "
            "WHERE id = ? AND status = 'active'",
            (trade.row_id,),
        )

    def hand_closes(self, trade: Trade, fraction: Decimal = Decimal(1)) -> Decimal:
        """A trader closes a position, or a part of it, in the exchange's own app."""
        held = self.held(trade.key)
        listing = self.market.listing(
            self.market.accounts[trade.key.account].exchange, trade.key.symbol
        )
        step = listing.instrument.quantity_step
        amount = held if fraction == 1 else held * fraction // step * step
        if amount:
            self.tell(f"trader closes {amount} of {held} {trade.key}")
            self.happened["trader closes"] += 1
            self.market.close_by_hand(*_leg(trade.key), amount)
        return amount

    def hand_adds(self, trade: Trade) -> None:
        """A trader buys more of what the bot holds."""
        self._by_hand(trade.key, self.held(trade.key))
        self.happened["trader adds"] += 1

    def hand_flips(self, trade: Trade) -> None:
        """A trader closes a position and opens the opposite one."""
        amount = self.hand_closes(trade)
        if amount:
            key = LegKey(trade.key.account, trade.key.symbol, trade.key.side.opposite)
            self._by_hand(key, amount)
            self.happened["trader flips"] += 1

    def _by_hand(self, key: LegKey, amount: Decimal) -> None:
        self.tell(f"trader opens {amount} of {key}")
        self.market.open_position(*_leg(key), amount)

    def liquidates(self, trade: Trade) -> None:
        if self.held(trade.key):
            self.tell(f"the venue liquidates {trade.key}")
            self.happened["liquidation"] += 1
            self.market.liquidate(*_leg(trade.key))


def _leg(key: LegKey) -> tuple[str, str, Side]:
    return key.account, key.symbol, key.side
