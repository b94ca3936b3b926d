"""Takes orders, refuses them, fills them, triggers them, cancels them.

Both exchanges trim a reduce-only order to the position, when it is taken and whenever the
position shrinks. Left to others: what is refused (`checks.py`), the booking of a fill
(`clearing.py`), and the words of a refusal (`bybit_words.py`, `binance_words.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from messages.values import ZERO, OrderSide
from simulator.attaching import Attaching
from simulator.checks import has_priority, watched, would_trigger
from simulator.clearing import Clearing
from simulator.instruments import ALGO_APART, Exchange, Listing
from simulator.prices import Prices
from simulator.state import (
    Account,
    Order,
    OrderSpec,
    Position,
    Rejection,
    RejectReason,
    Slot,
    State,
    TimeInForce,
)


class Matching:
    """The order books, against a crowd that always trades one step beside the last price.

    `depth` limits, by listing, what one order may take or one price move may fill, in contracts.
    `fill_delay` is how long an order waits between being taken and being filled. `fill_parts`
    splits what an order takes at once into so many executions.
    """

    def __init__(self, clearing: Clearing, prices: Prices) -> None:
        self._clearing = clearing
        self._prices = prices
        self._waiting: list[tuple[Account, Order]] = []
        self.attaching = Attaching(clearing)
        self.depth: dict[tuple[Exchange, str], Decimal] = {}
        self.fill_delay = timedelta(0)
        self.fill_parts = 1

    @property
    def waiting(self) -> bool:
        """Whether some order was taken and waits to be filled."""
        return bool(self._waiting)

    def accept(
        self, account: Account, spec: OrderSpec, listing: Listing, at: datetime
    ) -> Order | Rejection:
        """Take an order that passed its checks, and do at once what it can do at once."""
        order = self._clearing.new_order(account, spec, listing, at)
        order.last_price = self._prices.last(listing)
        if order.conditional:
            self._announce(account, order, at)
            return order
        if order.reduces:
            self._knock_out(account, order, at)
            order.quantity = min(order.quantity, self._reducible(account, order))
        order.active_from = at + self.fill_delay
        self._announce(account, order, at)
        if self.fill_delay:
            self._waiting.append((account, order))
        else:
            self._activate(account, order, at)
        return order

    def cancel(self, account: Account, order: Order, at: datetime) -> Order | Rejection:
        if not order.state.live:
            return Rejection(RejectReason.NO_SUCH_ORDER, "order not exists or too late to cancel")
        self._clearing.end(account, order, State.CANCELED, at, "CancelByUser")
        return order

    def amend(
        self,
        account: Account,
        order: Order,
        at: datetime,
        spec: OrderSpec,
    ) -> Order:
        """Change a live order to what passed its checks; one that rests may fill at once."""
        changed_size = spec.quantity != order.quantity
        order.spec = spec
        if changed_size:
            order.quantity = spec.quantity
            if order.reduces and order.state is State.OPEN:
                most = order.filled + self._reducible(account, order)
                order.quantity = min(spec.quantity, most)
        order.updated_at = at
        order.amended += 1
        self._announce(account, order, at)
        if order.state is State.OPEN:
            self._activate(account, order, at)
        return order

    def _knock_out(self, account: Account, order: Order, at: datetime) -> None:
        """On Binance a market order that closes a whole position ends what rests to reduce it."""
        size = self._reducible(account, order)
        if account.exchange is not Exchange.BINANCE or not has_priority(order.spec, size):
            return
        for other in account.live_orders(order.listing.id):
            if (
                other is not order
                and not other.conditional
                and other.reduces
                and (other.spec.slot, other.spec.side) == (order.spec.slot, order.spec.side)
            ):
                self._clearing.end(account, other, State.EXPIRED, at, "CancelByKnockOut")

    def advance(self, accounts: Iterable[Account], at: datetime) -> None:
        """After time or prices moved: activate what waited, trigger and fill what rests."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for account, order in waiting:
                if order.active_from > at:
                    self._waiting.append((account, order))
                elif order.state.live:
                    self._activate(account, order, at)
        for account in accounts:
            for live in account.live.values():
                for order in list(live.values()):
                    if not order.state.live or order.active_from > at:
                        continue
                    if order.spec.good_till is not None and order.spec.good_till <= at:
                        self._clearing.end(account, order, State.EXPIRED, at, "GoodTillDate")
                    else:
                        self._touch(account, order, at)

    def system_fill(
        self, account: Account, order: Order, quantity: Decimal, price: Decimal, at: datetime
    ) -> None:
        """Fill an order at a given price: by hand, by a liquidation, by the guard's demo."""
        self._fill(account, order, quantity, price, at)

    def _fill(
        self,
        account: Account,
        order: Order,
        quantity: Decimal,
        price: Decimal,
        at: datetime,
        *,
        maker: bool = False,
    ) -> None:
        """Execute some of an order, and let everything that hangs on its position follow."""
        opened = max(ZERO, quantity - self._reducible(account, order))
        position = self._clearing.fill(account, order, quantity, price, at, maker=maker)
        self.follow(account, position, at)
        if opened and (order.spec.stop_loss or order.spec.take_profit_at):
            self.attaching.of_order(account, order, position, opened, at)

    def _announce(self, account: Account, order: Order, at: datetime) -> None:
        self._clearing.announce(account, order, at)

    def _activate(self, account: Account, order: Order, at: datetime) -> None:
        spec, listing = order.spec, order.listing
        buying = spec.side is OrderSide.BUY
        touch = self._prices.ask(listing) if buying else self._prices.bid(listing)
        crosses = spec.price is None or (spec.price >= touch if buying else spec.price <= touch)
        if crosses and spec.time_in_force is TimeInForce.POST_ONLY:
            self._clearing.end(account, order, State.CANCELED, at, "EC_PostOnlyWillTakeLiquidity")
            return
        if crosses:
            room = self._room(account, order)
            if spec.time_in_force is not TimeInForce.FOK or room >= order.remaining:
                self._take(account, order, room, touch, at)
        rests = spec.price is not None and spec.time_in_force in (
            TimeInForce.GTC,
            TimeInForce.GTD,
            TimeInForce.POST_ONLY,
        )
        if order.state is State.OPEN and not rests:
            self._clearing.end(account, order, State.EXPIRED, at, "EC_NoImmediateQtyToFill")

    def _take(
        self, account: Account, order: Order, room: Decimal, price: Decimal, at: datetime
    ) -> None:
        step = order.listing.instrument.amount_step
        part = (room / self.fill_parts) // step * step or room
        while room > 0:
            quantity = room if room < 2 * part and room - part < step else min(part, room)
            self._fill(account, order, quantity, price, at)
            room -= quantity

    def _touch(self, account: Account, order: Order, at: datetime) -> None:
        last = self._prices.last(order.listing)
        if order.state is State.UNTRIGGERED:
            seen = watched(order.spec, order.listing, self._prices)
            self._follow_price(order, seen)
            if would_trigger(order.spec, seen):
                self._trigger(account, order, at)
            return
        price = order.spec.price
        if price is None:
            return
        if last <= price if order.spec.side is OrderSide.BUY else last >= price:
            room = self._room(account, order)
            if room > 0:
                self._fill(account, order, room, price, at, maker=True)

    def _follow_price(self, order: Order, seen: Decimal) -> None:
        """Move a trailing stop's trigger behind the best price since it became active."""
        trail, selling = order.spec.trail, order.spec.side is OrderSide.SELL
        if trail is None:
            return
        order.peak = trail.followed(order.peak, seen, selling=selling)
        if order.peak is not None:
            order.spec = replace(
                order.spec,
                trigger_price=trail.stop_at(order.peak, selling=selling),
                trigger_rising=not selling,
            )

    def _trigger(self, account: Account, order: Order, at: datetime) -> None:
        """A condition is met: some go on with the same order, others with a new one."""
        target = order
        if account.exchange in ALGO_APART:
            if order.reduces and self._reducible(account, order) <= 0:
                self._clearing.end(account, order, State.REJECTED, at, "EC_ReduceOnly")
                return
            spec = replace(order.spec, trigger_price=None, trigger_rising=None, trail=None)
            if spec.close_position:
                held = account.position(order.listing.id, spec.slot)
                spec = replace(spec, quantity=abs(held.size) if held else ZERO)
            target = self._clearing.new_order(account, spec, order.listing, at)
            order.triggered_as, target.came_of = target.id, order.id
            if target.reduces:
                self._knock_out(account, target, at)
            self._clearing.end(account, order, State.TRIGGERED, at)
        else:
            order.state = State.OPEN
            self._clearing.detach(account, order)
            if order.reduces:
                left = self._reducible(account, order)
                order.quantity = left if order.spec.close_position else min(order.quantity, left)
        if target.reduces and self._reducible(account, target) <= 0:
            self._clearing.end(account, target, State.CANCELED, at, "EC_ReduceOnly")
        else:
            self._activate(account, target, at)

    def _room(self, account: Account, order: Order) -> Decimal:
        """How many contracts an order may fill now: its rest, the book's depth, the position."""
        room = order.remaining
        depth = self.depth.get((account.exchange, order.listing.id))
        if depth is not None:
            room = min(room, depth)
        if order.reduces:
            room = min(room, self._reducible(account, order))
        return max(room, ZERO)

    def _reducible(self, account: Account, order: Order) -> Decimal:
        return reducible(account, order.listing.id, order.spec.slot, order.spec.side)

    def follow(self, account: Account, position: Position, at: datetime) -> None:
        """Keep what hangs on a position in step with it: attached stops, resting reducers."""
        for order in account.live_orders(position.listing.id):
            if not order.reduces or order.spec.slot != position.slot:
                continue
            left = self._reducible(account, order)
            if order.state is State.UNTRIGGERED:
                if order.attached:
                    self.attaching.follow(account, order, left, at)
                else:
                    self._expire_with_position(account, order, at)
                continue
            if left <= 0:
                self._clearing.end(account, order, State.CANCELED, at, "CancelByReduceOnly")
            elif order.remaining > left:
                order.quantity = order.filled + left

    def _expire_with_position(self, account: Account, order: Order, at: datetime) -> None:
        """What closes a whole position (Binance's GTE_GTC) ends with it where it is kept apart."""
        lasts = account.exchange not in ALGO_APART or not order.spec.close_position
        if not (lasts or self._reducible(account, order) > 0):
            self._clearing.end(account, order, State.EXPIRED, at, "CancelByGte")


def reducible(account: Account, symbol_id: str, slot: Slot, side: OrderSide) -> Decimal:
    """How many contracts an order of this side could close of a slot."""
    held = account.position(symbol_id, slot)
    if held is None:
        return ZERO
    return max(ZERO, held.size if side is OrderSide.SELL else -held.size)
