"""What a fill does: to its order, the position, the wallet and the trade history.

Left to others: which fills happen, and when (`matching.py`).
"""

from __future__ import annotations

import itertools
import random
import uuid
from bisect import insort
from datetime import datetime
from decimal import Decimal

from messages.values import ZERO, OrderSide
from messages.venue import FillKind
from simulator.instruments import Exchange, Listing
from simulator.records import ClosedTrade
from simulator.state import (
    Account,
    Execution,
    Listener,
    MarketEvent,
    Order,
    OrderChanged,
    OrderSpec,
    Position,
    PositionChanged,
    Slot,
    State,
)

MAINTENANCE = Decimal("0.005")
_FIRST_IDS = {
    Exchange.BINANCE: 8_000_000_000,
    Exchange.OKX: 2_657_625_147_000_000_000,
    Exchange.BITGET: 1_384_650_000_000_000_000,
    Exchange.GATE: 58_000_000_000,
}
"""Exchanges that number their orders; the others' ids are UUIDs."""


class Clearing:
    """Books fills and numbers everything. Deterministic: ids come from the given `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._sequence = itertools.count(1)
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    def emit(self, event: MarketEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def announce(self, account: Account, order: Order, at: datetime) -> None:
        """Tell of an order that nothing was filled of."""
        self.emit(OrderChanged(account, order, None, at))

    def new_order(self, account: Account, spec: OrderSpec, listing: Listing, at: datetime) -> Order:
        """Number an order and file it with its account, open and not yet announced."""
        sequence = next(self._sequence)
        order = Order(
            id=self._new_id(account.exchange, sequence),
            spec=spec,
            listing=listing,
            quantity=spec.quantity,
            state=State.UNTRIGGERED if spec.conditional else State.OPEN,
            created_at=at,
            updated_at=at,
            sequence=sequence,
            active_from=at,
        )
        account.orders[order.id] = order
        if spec.client_id:
            account.by_client_id.setdefault(spec.client_id, []).append(order)
        account.live.setdefault(listing.id, {})[order.id] = order
        return order

    def end(
        self, account: Account, order: Order, state: State, at: datetime, reason: str = ""
    ) -> None:
        """Put an order into a final state, out of the book, and announce it."""
        order.state = state
        order.updated_at = at
        order.cancel_reason = reason
        account.live.get(order.listing.id, {}).pop(order.id, None)
        self.detach(account, order)
        self.announce(account, order, at)

    def detach(self, account: Account, order: Order) -> None:
        """Take an attached order off its position's row: it has fired, or ended."""
        position = account.position(order.listing.id, order.spec.slot)
        if not order.attached or position is None:
            return
        if position.stop_loss is order:
            position.stop_loss = None
        if position.take_profit is order:
            position.take_profit = None
        if position.trailing_stop is order:
            position.trailing_stop = None

    def fill(
        self,
        account: Account,
        order: Order,
        quantity: Decimal,
        price: Decimal,
        at: datetime,
        *,
        maker: bool = False,
    ) -> Position:
        """Execute some of an order; both its order and its position are announced."""
        listing, side = order.listing, order.spec.side
        position = self.position(account, listing, order.spec.slot, at)
        before = abs(position.size), position.entry
        closed, pnl = self._move(position, side, quantity, price, at)
        fee = listing.value(quantity, price) * (listing.maker_fee if maker else listing.taker_fee)
        settle = listing.instrument.settle
        account.wallet[settle] = account.wallet.get(settle, ZERO) + pnl - fee
        position.realized += pnl - fee
        open_fee = position.open_fee * closed / before[0] if closed else ZERO
        position.open_fee += fee * (quantity - closed) / quantity - open_fee
        order.filled += quantity
        order.cost += quantity * price
        order.fee += fee
        order.updated_at = at
        sequence = next(self._sequence)
        execution = Execution(
            id=self._new_id(account.exchange, sequence),
            sequence=sequence,
            order_id=order.id,
            client_id=order.spec.client_id,
            listing=listing,
            side=side,
            slot=order.spec.slot,
            quantity=quantity,
            price=price,
            at=at,
            closed=closed,
            pnl=pnl,
            fee=fee,
            maker=maker,
            kind=order.kind,
        )
        history = account.executions.setdefault(listing.id, [])
        insort(history, execution, key=lambda past: (past.at, past.sequence))
        if closed:
            self._record(account, order, execution, before[1], open_fee, position.leverage)
        if order.filled >= order.quantity:
            order.state = State.FILLED
            account.live.get(listing.id, {}).pop(order.id, None)
        self._note(account, position, at)
        self.emit(OrderChanged(account, order, execution, at))
        self.emit(PositionChanged(account, position, at))
        return position

    def _record(
        self,
        account: Account,
        order: Order,
        execution: Execution,
        entry: Decimal,
        open_fee: Decimal,
        leverage: Decimal,
    ) -> None:
        """Add a closing fill to its order's record of what it closed, or begin one."""
        record = order.closing
        if record is None:
            record = order.closing = ClosedTrade(
                order_id=order.id,
                listing=execution.listing,
                side=execution.side,
                leverage=leverage,
                entry=entry,
                kind=execution.kind,
                created_at=execution.at,
                updated_at=execution.at,
            )
            insort(account.closed, record, key=lambda past: past.created_at)
        close_fee = execution.fee * execution.closed / execution.quantity
        record.quantity += execution.closed
        record.exit_cost += execution.closed * execution.price
        record.open_fee += open_fee
        record.close_fee += close_fee
        record.pnl += execution.pnl - open_fee - close_fee
        record.fills += 1
        record.updated_at = execution.at

    def put(
        self,
        account: Account,
        position: Position,
        size: Decimal,
        entry: Decimal,
        at: datetime,
        opened_at: datetime | None = None,
    ) -> None:
        """Give a slot a size and an entry that no execution explains: a move, an unlisted end."""
        if not position.size:
            position.opened_at = opened_at or at
        position.size, position.entry = size, entry if size else ZERO
        if not size:
            position.open_fee = ZERO
        position.liquidation_price = _liquidation_price(position)
        self.changed(account, position, at)

    def position(self, account: Account, listing: Listing, slot: Slot, at: datetime) -> Position:
        """The slot's position, made flat where there was none yet."""
        found = account.positions.get((listing.id, slot))
        if found is None:
            found = Position(
                listing=listing,
                slot=slot,
                leverage=account.leverage_of(listing.id),
                first_at=at,
                opened_at=at,
                updated_at=at,
            )
            account.positions[listing.id, slot] = found
        return found

    def changed(self, account: Account, position: Position, at: datetime) -> None:
        """Announce a change that no fill made, such as an attached stop."""
        position.updated_at = at
        position.liquidation_price = _liquidation_price(position)
        self._note(account, position, at)
        self.emit(PositionChanged(account, position, at))

    def _note(self, account: Account, position: Position, at: datetime) -> None:
        # Positions made by hand may be dated back, and the journal stays in order of time.
        insort(account.journal, (at, position.copy()), key=lambda noted: noted[0])

    def _new_id(self, exchange: Exchange, sequence: int) -> str:
        if exchange in _FIRST_IDS:
            return str(_FIRST_IDS[exchange] + sequence)
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def _move(
        self, position: Position, side: OrderSide, quantity: Decimal, price: Decimal, at: datetime
    ) -> tuple[Decimal, Decimal]:
        """Apply a trade to a position; the contracts that it closed, and their profit."""
        listing = position.listing
        signed = quantity if side is OrderSide.BUY else -quantity
        before = position.size
        position.updated_at = at
        closed = min(abs(before), quantity) if before * signed < 0 else ZERO
        pnl = ZERO
        if closed:
            pnl = listing.profit(closed * (1 if before > 0 else -1), position.entry, price)
        after = before + signed
        if not before or before * after < 0:
            position.entry, position.opened_at = price, at
        elif not closed:
            # An inverse position's mean entry is harmonic: its value is in base currency.
            if listing.inverse and not listing.base_sized:
                position.entry = after / (before / position.entry + signed / price)
            else:
                position.entry = (before * position.entry + signed * price) / after
        position.size = after
        if not after:
            position.entry = position.added_margin = ZERO
        position.liquidation_price = _liquidation_price(position)
        return closed, pnl


def _liquidation_price(position: Position) -> Decimal | None:
    """Where an isolated position of this leverage would be taken over, roughly."""
    if not position.size:
        return None
    distance = 1 / position.leverage - MAINTENANCE
    away = -distance if position.size > 0 else distance
    return position.listing.to_tick(position.entry * (1 + away))


SYSTEM_CLIENT_IDS = {
    FillKind.LIQUIDATION: "autoclose-",
    FillKind.ADL: "adl_autoclose",
    FillKind.SETTLEMENT: "settlement_autoclose-",
    FillKind.DELIVERY: "settlement_autoclose-",
}
"""How Binance names the orders of its own making (its user data stream documentation)."""
