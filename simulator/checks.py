"""What an exchange checks before it takes an order: one function a rule, first refusal wins.

Left to others: what happens to an order that passed (`matching.py`).
"""

from __future__ import annotations

from decimal import Decimal

from messages.values import ZERO, OrderSide
from simulator.instruments import IDS_USED_AGAIN, Exchange, Listing
from simulator.prices import Prices
from simulator.state import (
    Account,
    Order,
    OrderSpec,
    Rejection,
    RejectReason,
    Slot,
    TimeInForce,
)


def would_trigger(spec: OrderSpec, last: Decimal) -> bool:
    """Whether a conditional order's condition is met at a price."""
    if spec.trigger_price is None:
        return False
    return last >= spec.trigger_price if spec.trigger_rising else last <= spec.trigger_price


def watched(spec: OrderSpec, listing: Listing, prices: Prices) -> Decimal:
    """The price that a conditional order looks at."""
    return prices.mark(listing) if spec.by_mark else prices.last(listing)


def _active_at_once(spec: OrderSpec, last: Decimal) -> bool:
    """Whether a trailing stop's activation price lies where the market has already been."""
    if spec.trail is None or spec.trail.activation is None:
        return False
    activation = spec.trail.activation
    return activation <= last if spec.side is OrderSide.SELL else activation >= last


def check_order(
    account: Account, spec: OrderSpec, listing: Listing, prices: Prices
) -> Rejection | None:
    """The first rule that an order breaks, or None."""
    return (
        _check_tradable(account, spec, listing)
        or _check_duplicate(account, spec)
        or _check_size(spec, listing)
        or _check_price(spec, listing, prices)
        or _check_position(account, spec)
        or _check_margin(account, spec, listing, prices)
    )


def check_amendment(order: Order, spec: OrderSpec, prices: Prices) -> Rejection | None:
    """The first rule that a resting order would break once it is changed to `spec`, or None."""
    listing = order.listing
    if not listing.instrument.active:
        return Rejection(RejectReason.NOT_TRADABLE, f"{listing.id} is not trading")
    return _check_size(spec, listing) or _check_price(spec, listing, prices)


def _reduces(spec: OrderSpec) -> bool:
    closing = OrderSide.SELL if spec.slot is Slot.LONG else OrderSide.BUY
    hedge_close = spec.slot is not Slot.BOTH and spec.side is closing
    return spec.reduce_only or spec.close_position or hedge_close


def _check_tradable(account: Account, spec: OrderSpec, listing: Listing) -> Rejection | None:
    if not listing.instrument.active:
        return Rejection(RejectReason.NOT_TRADABLE, f"{listing.id} is not trading")
    if (spec.slot is Slot.BOTH) == account.hedged:
        return Rejection(RejectReason.POSITION_SIDE, "position idx not match position mode")
    return None


def _check_duplicate(account: Account, spec: OrderSpec) -> Rejection | None:
    past = account.by_client_id.get(spec.client_id, []) if spec.client_id else []
    # Some ask only that an id be unique among open orders; Bybit remembers old ones too.
    if account.exchange in IDS_USED_AGAIN:
        past = [order for order in past if order.state.live]
    return Rejection(RejectReason.DUPLICATE, spec.client_id) if past else None


def _check_size(spec: OrderSpec, listing: Listing) -> Rejection | None:
    instrument = listing.instrument
    if spec.close_position:
        return None
    if spec.quantity % instrument.amount_step:
        return Rejection(RejectReason.STEP, f"quantity {spec.quantity} is not a step's multiple")
    if spec.quantity < instrument.min_amount or spec.quantity <= 0:
        return Rejection(RejectReason.TOO_SMALL, f"quantity {spec.quantity} is below the minimum")
    most = instrument.max_market_amount
    if spec.price is None and most is not None and spec.quantity > most:
        return Rejection(RejectReason.TOO_LARGE, f"quantity {spec.quantity} is above {most}")
    return None


def _check_price(spec: OrderSpec, listing: Listing, prices: Prices) -> Rejection | None:
    step = listing.instrument.price_step
    for price in (spec.price, spec.trigger_price):
        if price is not None and (price <= 0 or price % step):
            return Rejection(RejectReason.PRICE_TICK, f"price {price} is not a step's multiple")
    mark, buying = prices.mark(listing), spec.side is OrderSide.BUY
    if spec.price is not None:
        # What waits for a trigger is measured against that: the market will be there.
        edge = (spec.trigger_price or mark) * (1 + listing.price_band * (1 if buying else -1))
        if spec.price > edge if buying else spec.price < edge:
            return Rejection(RejectReason.PRICE_BAND, f"price {spec.price} is beyond {edge}")
    seen = watched(spec, listing, prices)
    if would_trigger(spec, seen) or _active_at_once(spec, seen):
        return Rejection(RejectReason.WOULD_TRIGGER, "order would immediately trigger")
    touch = prices.ask(listing) if buying else prices.bid(listing)
    takes = spec.price is not None and (spec.price >= touch if buying else spec.price <= touch)
    # Bybit takes such an order and cancels it; Binance refuses it outright.
    if (
        takes
        and spec.time_in_force is TimeInForce.POST_ONLY
        and listing.exchange is Exchange.BINANCE
    ):
        return Rejection(RejectReason.WOULD_TAKE, "post-only order would take")
    return None


def _check_position(account: Account, spec: OrderSpec) -> Rejection | None:
    """A reduce-only order needs something to reduce; what rests may have reserved it."""
    if not _reduces(spec) or spec.conditional:
        return None
    held = account.position(spec.symbol_id, spec.slot)
    size = ZERO if held is None else held.size
    size = max(ZERO, size if spec.side is OrderSide.SELL else -size)
    if not size:
        return Rejection(RejectReason.NO_POSITION, "current position is zero")
    if account.exchange is Exchange.BINANCE and account.hedged and spec.quantity > size:
        return Rejection(RejectReason.NO_POSITION, "quantity exceeds the position")
    reserved = _reserved(account, spec)
    if account.exchange is Exchange.OKX and account.hedged and spec.quantity > size - reserved:
        return Rejection(RejectReason.RESERVED, f"{size - reserved} of {size} is available")
    if account.exchange is not Exchange.BINANCE or has_priority(spec, size):
        return None
    if reserved and spec.quantity > size - reserved:
        return Rejection(RejectReason.RESERVED, f"{reserved} of {size} is reserved by open orders")
    return None


def _reserved(account: Account, spec: OrderSpec) -> Decimal:
    """What resting orders of the same leg and side are to close already."""
    return sum(
        (
            order.remaining
            for order in account.live_orders(spec.symbol_id)
            if not order.conditional
            and order.reduces
            and order.spec.slot is spec.slot
            and order.spec.side is spec.side
        ),
        ZERO,
    )


def has_priority(spec: OrderSpec, size: Decimal) -> bool:
    """Whether an order that reduces a position of `size` goes before all that rest, on Binance.

    Reduce-only market orders, and stop-market ones, of the position's size or more have the
    highest priority, says Binance's support page "Summary of Failed Orders in Binance Futures".
    """
    return spec.price is None and spec.quantity >= size > 0


def _check_margin(
    account: Account, spec: OrderSpec, listing: Listing, prices: Prices
) -> Rejection | None:
    """Opening orders need the least value, and margin for all that they add."""
    if _reduces(spec):
        return None
    value = listing.value(spec.quantity, spec.price or prices.last(listing))
    if value < listing.instrument.min_notional and not listing.inverse:
        return Rejection(RejectReason.MIN_NOTIONAL, f"value {value} is below the minimum")
    # What only closes a position of the other side binds no margin.
    held = account.position(spec.symbol_id, spec.slot)
    size = ZERO if held is None else held.size
    closes = min(spec.quantity, max(ZERO, size if spec.side is OrderSide.SELL else -size))
    value *= 1 - closes / spec.quantity
    settle = listing.instrument.settle
    if value / account.leverage_of(listing.id) > available(account, settle, prices):
        return Rejection(RejectReason.MARGIN, "available balance not enough")
    return None


def available(account: Account, settle: str, prices: Prices) -> Decimal:
    """The settle balance, with unrealised profit, that no position uses as margin."""
    free = account.wallet.get(settle, ZERO)
    for position in account.positions.values():
        listing = position.listing
        if position.size and listing.instrument.settle == settle:
            mark = prices.mark(listing)
            free += position.unrealized(mark)
            free -= listing.value(abs(position.size), mark) / position.leverage
            free -= position.added_margin
    return free
