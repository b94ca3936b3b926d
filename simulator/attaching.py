"""Stops, take-profits and trailing stops that hang on a position, as Bybit has them.

One that covers the whole position replaces the last of its kind and follows the position's size;
one with a size of its own stands beside others. All end with their position. Left to others: when
they fire (`matching.py`), and what may be set (each exchange's protocol).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from messages.values import OrderSide
from simulator.clearing import Clearing
from simulator.state import Account, Attachment, Order, OrderSpec, Position, State
from simulator.trailing import Trail


class Attaching:
    """Sets and takes off what hangs on positions."""

    def __init__(self, clearing: Clearing) -> None:
        self._clearing = clearing

    def stop_loss(
        self, account: Account, position: Position, wanted: Attachment, at: datetime
    ) -> None:
        """Set a stop; one at price zero takes the whole position's off."""
        order = self._priced(account, position, wanted, at, profit=False)
        if wanted.quantity is None:
            position.stop_loss = self._replace(account, position.stop_loss, order, at)

    def take_profit(
        self, account: Account, position: Position, wanted: Attachment, at: datetime
    ) -> None:
        """Set a take-profit; one at price zero takes the whole position's off."""
        order = self._priced(account, position, wanted, at, profit=True)
        if wanted.quantity is None:
            position.take_profit = self._replace(account, position.take_profit, order, at)

    def trailing(self, account: Account, position: Position, trail: Trail, at: datetime) -> None:
        """Set a trailing stop of the whole position; a distance of zero takes it off."""
        order = None
        if trail.distance and position.size:
            order = self._new(account, position, at, trail=trail)
        position.trailing_stop = self._replace(account, position.trailing_stop, order, at)

    def of_order(
        self, account: Account, order: Order, position: Position, opened: Decimal, at: datetime
    ) -> None:
        """Attach what an order brought along, once some of it has opened `opened` contracts."""
        for wanted, attach in (
            (order.spec.stop_loss, self.stop_loss),
            (order.spec.take_profit_at, self.take_profit),
        ):
            if wanted is not None and wanted.trigger:
                partial = wanted.quantity is not None
                attach(account, position, wanted.sized(opened) if partial else wanted, at)
        self._clearing.changed(account, position, at)

    def follow(self, account: Account, order: Order, left: Decimal, at: datetime) -> None:
        """Keep an attached order in step with what it could still close."""
        if left <= 0:
            self._clearing.end(account, order, State.CANCELED, at, "CancelByTpSlTsClear")
        elif not order.partial or order.quantity > left:
            order.quantity = left

    def _replace(
        self, account: Account, old: Order | None, new: Order | None, at: datetime
    ) -> Order | None:
        if old is not None and old.state.live:
            self._clearing.end(account, old, State.CANCELED, at, "CancelByUser")
        return new

    def _priced(
        self,
        account: Account,
        position: Position,
        wanted: Attachment,
        at: datetime,
        *,
        profit: bool,
    ) -> Order | None:
        if not wanted.trigger or not position.size:
            return None
        return self._new(account, position, at, wanted=wanted, profit=profit)

    def _new(
        self,
        account: Account,
        position: Position,
        at: datetime,
        *,
        wanted: Attachment | None = None,
        trail: Trail | None = None,
        profit: bool = False,
    ) -> Order:
        long = position.size > 0
        size = abs(position.size)
        partial = wanted is not None and wanted.quantity is not None
        if wanted is not None and wanted.quantity:
            size = min(size, wanted.quantity)
        spec = OrderSpec(
            symbol_id=position.listing.id,
            side=OrderSide.SELL if long else OrderSide.BUY,
            quantity=size,
            price=None if wanted is None else wanted.price,
            reduce_only=True,
            close_position=not partial,
            slot=position.slot,
            trigger_price=None if wanted is None else wanted.trigger,
            trigger_rising=None if wanted is None else profit is long,
            take_profit=profit,
            trail=trail,
            by_mark=wanted is not None and wanted.by_mark,
            client_id="" if wanted is None else wanted.client_id,
            words={} if wanted is None else wanted.words,
        )
        order = self._clearing.new_order(account, spec, position.listing, at)
        order.attached, order.partial = True, partial
        self._clearing.announce(account, order, at)
        return order
