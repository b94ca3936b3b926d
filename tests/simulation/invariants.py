"""What must hold in every simulated world, checked against the market itself and the ledger's file.

The market tells each change as it happens; the ledger is read by a connection of the test's own,
so nothing that the guard believes is believed here. Left to others: making the trouble.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from messages.settings import Settings
from messages.values import ZERO, LegKey, Side
from rules.ids import is_ours
from venues.simulator.market import Market
from venues.simulator.state import MarketEvent, Order, OrderChanged, PositionChanged, Slot


class Watch:
    """Sees everything, believes nothing, and collects what broke in `broken`."""

    def __init__(
        self,
        market: Market,
        truth: sqlite3.Connection,
        settings: Settings,
        now: Callable[[], datetime],
    ) -> None:
        self._market = market
        self._truth = truth
        self._settings = settings
        self._now = now
        self.broken: list[str] = []
        self.closes = 0
        self._sizes: dict[LegKey, list[tuple[datetime, Decimal]]] = {}
        self._rows: dict[int, tuple[LegKey, datetime]] = {}
        self._ended: set[int] = set()
        market.listen(self._on_event)

    def break_(self, text: str) -> None:
        self.broken.append(f"{self._now():%a %H:%M:%S.%f} {text}")

    # --- what happens at the venue --------------------------------------------------------------

    def _on_event(self, event: MarketEvent) -> None:
        match event:
            case PositionChanged(account=account, position=position, at=at):
                size = position.size * position.listing.instrument.contract_size
                sides = {Slot.LONG: (Side.LONG,), Slot.SHORT: (Side.SHORT,)}.get(
                    position.slot, tuple(Side)
                )
                for side in sides:
                    key = LegKey(account.name, position.listing.symbol, side)
                    held = max(size * side.sign, ZERO)
                    self._sizes.setdefault(key, []).append((at, held))
            case OrderChanged(order=order, execution=execution):
                if not is_ours(order.spec.client_id):
                    return
                if not order.reduces:
                    self.break_(f"1: {_order(order)} is not reduce-only")
                if execution is not None and execution.closed != execution.quantity:
                    self.break_(
                        f"1: {_order(order)} filled {execution.quantity}, closed {execution.closed}"
                    )

    def row_written(self, row_id: int, key: LegKey, opened_at: datetime) -> None:
        self._rows[row_id] = key, opened_at

    # --- what happens in the ledger -------------------------------------------------------------

    def check_rows(self) -> None:
        """3: whatever row the guard has closed, its leg was flat at some time while it was open."""
        closed = self._truth.execute(
            "SELECT id, exit_reason, closed_at FROM positions WHERE status = 'closed'"
            " AND exit_reason <> 'bot'"
        )
        for row_id, reason, _ in closed.fetchall():
            if row_id in self._ended:
                continue
            self._ended.add(row_id)
            self.closes += 1
            if row_id not in self._rows:
                continue
            key, opened_at = self._rows[row_id]
            if not self.was_flat(key, opened_at):
                self.break_(f"3: row {row_id} of {key} is closed ({reason}) and it lives")

    def was_flat(self, key: LegKey, since: datetime) -> bool:
        """Whether a leg was flat at some instant after `since`, as the market knows it."""
        changes = self._sizes.get(key, [])
        before = [held for at, held in changes if at <= since]
        return not before or not before[-1] or any(not h for at, h in changes if at >= since)


def _order(order: Order) -> str:
    return f"order {order.spec.client_id} {order.spec.side} {order.quantity} {order.listing.symbol}"
