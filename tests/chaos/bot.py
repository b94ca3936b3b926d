"""The bot of a storm, and the people beside it: positions due, forgotten, halved, never written.

Every leg is traded once, so that what became of it can be told. Left to others: trouble.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

import msgspec

from messages.ledger import AlertType, NewPosition, PositionRow
from messages.values import LegKey, Side
from storage import Ledger, LedgerUnavailable
from tests.chaos.hand import Hand
from tests.chaos.storm_world import BINANCE, BYBIT, SYMBOLS, WATCHED
from tests.chaos.venue_process import now

T = TypeVar("T")

QUANTITY = Decimal(1000)
ENTRY = Decimal(1)
DUE = timedelta(hours=40)
YOUNG = timedelta(hours=1)


class TradeKind(StrEnum):
    """DUE: must be closed at once. GHOST: closed by hand, and nobody tells the ledger. HALF: due,
    and only half of it is there. ORPHAN: no row knows it.
    """

    DUE = "due"
    GHOST = "ghost"
    HALF = "half"
    ORPHAN = "orphan"


class Trade(msgspec.Struct, kw_only=True):
    """What the bot did. `written_at` is when its row was certainly in the ledger."""

    kind: TradeKind
    key: LegKey
    opened_at: datetime
    row_id: int | None = None
    written_at: datetime | None = None


class Bot:
    """Trades at the exchange by `hand` and writes into the `ledger` of the guard that acts."""

    def __init__(
        self,
        hand: Hand,
        ledger: Ledger,
        watched: Ledger,
        rng: random.Random,
        tell: Callable[[str], None],
    ) -> None:
        self._hand = hand
        self._ledger = ledger
        self._watched = watched
        self._rng = rng
        self._tell = tell
        self.trades: list[Trade] = []
        self.watched_rows: tuple[PositionRow, ...] = ()
        # Few at Binance, whose request limit lets a close through each two seconds.
        self._free = [
            LegKey(account, symbol, side)
            for account, symbols in ((BYBIT, SYMBOLS), (BINANCE, SYMBOLS[:2]))
            for symbol in symbols
            for side in Side
        ]
        rng.shuffle(self._free)

    @property
    def counts(self) -> Counter[str]:
        return Counter(trade.kind.value for trade in self.trades)

    async def prepare_the_watched_account(self) -> None:
        """A leg that is due, a ghost and an orphan, for a guard that may touch none of them.

        The ghost was there: what never was is unexplained, and not for reconciliation to fix.
        """
        due, ghost, orphan = (LegKey(WATCHED, symbol, Side.LONG) for symbol in SYMBOLS[:3])
        for key in (due, ghost, orphan):
            await self._hand.open(key, QUANTITY)
        await self._hand.close(ghost)
        for key in (due, ghost):
            await self._watched.add_position(_new(key, DUE))
        self.watched_rows = await self._watched.active_rows()

    async def trade(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        # The two accounts' first legs are due, so that even a short storm has closes to disturb.
        for account in (BYBIT, BINANCE):
            await self.due_at(account)
        while loop.time() < end and len(self._free) > 3:
            trade = self._rng.choice((self._due, self._due, self._ghost, self._half, self._orphan))
            await trade(self._free.pop())
            await asyncio.sleep(self._rng.uniform(0.2, 1.2))

    async def due_at(self, account: str) -> int | None:
        """A position of this account that must be closed at once. None: no leg of it is left."""
        key = next((key for key in self._free if key.account == account), None)
        if key is None:
            return None
        self._free.remove(key)
        return await self._due(key)

    async def restless(self) -> str | None:
        """What is not settled yet, in words."""
        active = await patiently(lambda: self._ledger.active_rows())
        if active:
            return f"active rows {[(row.id, row.symbol, row.side) for row in active]}"
        unsettled = await patiently(lambda: self._ledger.intents(open_only=True))
        if unsettled:
            return f"open intents {[intent.client_order_id for intent in unsettled]}"
        standing = {alert.dedup_key for alert in await patiently(self._ledger.open_alerts)}
        if silent := sorted(self._orphans() - standing):
            return f"orphans without an alert: {silent}"
        if stale := sorted(
            key for key in standing - self._orphans() if key.startswith(("orphan:", "mismatch:"))
        ):
            return f"alerts of what is over: {stale}"
        seen = {alert.type for alert in await patiently(lambda: self._watched.alerts())}
        missing = {AlertType.ORPHANED_POSITION, AlertType.RECONCILIATION_MISMATCH} - seen
        if missing and AlertType.GHOST_POSITION not in seen:
            return f"the observing guard has not said {missing}"
        return None

    def _orphans(self) -> set[str]:
        return {f"orphan:{it.key}" for it in self.trades if it.kind is TradeKind.ORPHAN}

    async def _due(self, key: LegKey) -> int:
        trade = await self._open(TradeKind.DUE, key, QUANTITY)
        return await self._write(trade, DUE)

    async def _half(self, key: LegKey) -> None:
        trade = await self._open(TradeKind.HALF, key, QUANTITY / 2)
        await self._write(trade, DUE)

    async def _ghost(self, key: LegKey) -> None:
        trade = await self._open(TradeKind.GHOST, key, QUANTITY)
        await self._write(trade, YOUNG)
        await asyncio.sleep(self._rng.uniform(0.1, 1))
        await self._hand.close(key)
        self._tell(f"{key} is closed by hand")

    async def _orphan(self, key: LegKey) -> None:
        other = msgspec.structs.replace(key, side=key.side.opposite)
        if other not in self._free:
            # Beside a ghost an orphan would be a side mismatch, which is for review only.
            await self._due(key)
            return
        self._free.remove(other)
        await self._open(TradeKind.ORPHAN, key, QUANTITY)

    async def _open(self, kind: TradeKind, key: LegKey, quantity: Decimal) -> Trade:
        trade = Trade(kind=kind, key=key, opened_at=now())
        self.trades.append(trade)
        await self._hand.open(key, quantity)
        self._tell(f"{key} is opened: {kind}")
        return trade

    async def _write(self, trade: Trade, age: timedelta) -> int:
        new = _new(trade.key, age)
        row = await patiently(lambda: self._ledger.add_position(new))
        trade.row_id, trade.written_at = row.id, now()
        return row.id


def _new(key: LegKey, age: timedelta) -> NewPosition:
    return NewPosition(
        account=key.account,
        symbol=key.symbol,
        side=key.side,
        quantity=QUANTITY,
        entry_price=ENTRY,
        opened_at=now() - age,
        request_id=f"storm:{key}",
    )


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """The bot too waits for a database that is away."""
    while True:
        try:
            return await work()
        except LedgerUnavailable:
            await asyncio.sleep(0.1)
