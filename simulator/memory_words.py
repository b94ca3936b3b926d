"""The market's own records as the types that every venue face shows. Quantities in base units."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from messages.values import LegKey, OrderSide, Side
from messages.venue import (
    ClosedPosition,
    Fill,
    OrderHint,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    OrderType,
    ProtectionKind,
    ProtectiveOrder,
    VenueError,
    VenueErrorKind,
    VenuePosition,
)
from simulator.binance_words import CODES as BINANCE_CODES
from simulator.bybit_words import CODES as BYBIT_CODES
from simulator.instruments import Exchange, Listing
from simulator.records import ClosedTrade
from simulator.state import (
    Account,
    Execution,
    Order,
    OrderSpec,
    Position,
    Rejection,
    Slot,
    State,
    TimeInForce,
)
from venues.exchanges import EXCHANGES

WORDS = {Exchange.BYBIT: BYBIT_CODES, Exchange.BINANCE: BINANCE_CODES}
SLOT_SIDES = {Slot.BOTH: None, Slot.LONG: Side.LONG, Slot.SHORT: Side.SHORT}
IN_FORCE = {
    OrderType.MARKET: TimeInForce.IOC,
    OrderType.LIMIT_AGGRESSIVE: TimeInForce.IOC,
    OrderType.LIMIT_MAKER: TimeInForce.POST_ONLY,
    OrderType.STOP_MARKET: TimeInForce.GTC,
}


def error_of(exchange: Exchange, code: str, message: str) -> VenueError:
    """An error by the exchange's own code, or by the name of its kind (`rate_limit`)."""
    if code in set(VenueErrorKind):
        return VenueError(kind=VenueErrorKind(code), message=message, code=code)
    kind = EXCHANGES[exchange].codes.get(code, VenueErrorKind.OTHER)
    return VenueError(kind=kind, message=message, code=code)


def is_refusal(exchange: Exchange, error: VenueError) -> bool:
    """Whether the gateway would know an error for a refusal: by a listed code, of a sure kind."""
    unsure = (VenueErrorKind.NETWORK, VenueErrorKind.MALFORMED, VenueErrorKind.MAINTENANCE)
    listed = error.code in EXCHANGES[exchange].codes or error.code in set(VenueErrorKind)
    return listed and error.kind not in unsure


def refusal(exchange: Exchange, rejection: Rejection) -> VenueError:
    code, message = WORDS[exchange][rejection.reason]
    return error_of(exchange, code, f"{message} ({rejection.detail})")


def order_spec(account: Account, listing: Listing, order: OrderRequest) -> OrderSpec:
    """What the gateway would send for a request: always reducing, by flag or by side."""
    side = order.key.side
    stop = order.type is OrderType.STOP_MARKET
    slot = Slot.BOTH
    if account.hedged:
        slot = Slot.LONG if side is Side.LONG else Slot.SHORT
    return OrderSpec(
        symbol_id=listing.id,
        side=side.closing,
        quantity=order.quantity / listing.instrument.contract_size,
        price=None if order.type in (OrderType.MARKET, OrderType.STOP_MARKET) else order.price,
        time_in_force=IN_FORCE[order.type],
        reduce_only=not account.hedged,
        slot=slot,
        client_id=order.client_order_id,
        trigger_price=order.trigger_price if stop else None,
        trigger_rising=(side is Side.SHORT) if stop else None,
    )


def leg(account: Account, name: str, position: Position, mark: Decimal) -> VenuePosition:
    """An open leg under the guard's name of its account. Binance tells no opening."""
    size = position.listing.instrument.contract_size
    side = position.side
    if side is None:
        raise ValueError(f"{position.listing.symbol} is flat, which is no leg")
    bybit = account.exchange is Exchange.BYBIT
    stop = position.stop_loss if bybit else None
    profit = position.take_profit if bybit else None
    return VenuePosition(
        key=LegKey(name, position.listing.symbol, side),
        contracts=abs(position.size),
        quantity=abs(position.size) * size,
        entry_price=position.entry,
        mark_price=mark,
        unrealized_pnl=position.unrealized(mark),
        leverage=position.leverage,
        liquidation_price=position.liquidation_price,
        stop_loss=stop.spec.trigger_price if stop else None,
        take_profit=profit.spec.trigger_price if profit else None,
        hedged=account.hedged,
        opened_at=position.opened_at if bybit else None,
        updated_at=position.updated_at,
    )


def _status(exchange: Exchange, state: State) -> OrderStatus:
    match state:
        case State.UNTRIGGERED | State.OPEN:
            return OrderStatus.OPEN
        case State.FILLED:
            return OrderStatus.FILLED
        case State.REJECTED:
            return OrderStatus.REJECTED
        case State.EXPIRED if exchange is Exchange.BINANCE:
            return OrderStatus.EXPIRED
        case _:
            return OrderStatus.CANCELED


def record(account: Account, order: Order) -> OrderRecord:
    """An order's record; a triggered stop's is that of the order it became."""
    if order.triggered_as:
        order = account.orders[order.triggered_as]
    size = order.listing.instrument.contract_size
    bybit = account.exchange is Exchange.BYBIT
    return OrderRecord(
        order_id=order.id,
        client_order_id=order.spec.client_id,
        symbol=order.listing.symbol,
        side=order.spec.side,
        status=_status(account.exchange, order.state),
        quantity=order.quantity * size,
        filled=order.filled * size,
        average=order.average,
        price=order.spec.price,
        trigger_price=order.spec.trigger_price,
        reduce_only=order.reduces,
        position_side=SLOT_SIDES[order.spec.slot],
        fee=order.fee if bybit else None,
        fee_currency=order.listing.instrument.settle if bybit else None,
        created_at=order.created_at,
        updated_at=order.updated_at,
    )


def order_hint(account: Account, order: Order, at: datetime) -> OrderHint:
    """What a stream says of an order; of a triggered stop, under the stop's own ids."""
    told = record(account, order)
    # A conditional order's own message does not tell of the order that it became.
    whole = told.status.final and not order.conditional
    currency = order.listing.instrument.settle
    return OrderHint(
        symbol=told.symbol,
        order_id=order.id,
        client_order_id=order.spec.client_id,
        status=told.status,
        filled=told.filled,
        at=at,
        end=msgspec.structs.replace(told, fee=order.fee, fee_currency=currency) if whole else None,
    )


def fill(execution: Execution) -> Fill:
    size = execution.listing.instrument.contract_size
    return Fill(
        fill_id=execution.id,
        order_id=execution.order_id,
        symbol=execution.listing.symbol,
        side=execution.side,
        quantity=execution.quantity * size,
        price=execution.price,
        at=execution.at,
        client_order_id=execution.client_id or None,
        position_side=SLOT_SIDES[execution.slot],
        closed_quantity=execution.closed * size,
        realized_pnl=execution.pnl,
        fee=execution.fee,
        fee_currency=execution.listing.instrument.settle,
        kind=execution.kind,
    )


def closed_position(closed: ClosedTrade) -> ClosedPosition:
    """What one closing order closed of a position, as Bybit's closed PnL has it."""
    size = closed.listing.instrument.contract_size
    return ClosedPosition(
        record_id=closed.order_id,
        symbol=closed.listing.symbol,
        side=Side.LONG if closed.side is OrderSide.SELL else Side.SHORT,
        quantity=closed.quantity * size,
        ended_at=closed.updated_at,
        entry_price=closed.entry,
        exit_price=closed.exit,
        realized_pnl=closed.pnl,
        order_id=closed.order_id,
        kind=closed.kind,
        whole=False,
    )


def protective(account: Account, order: Order) -> ProtectiveOrder | None:
    """A conditional order that would reduce; None for one that protects nothing."""
    trigger = order.spec.trigger_price
    if trigger is None or not order.reduces:
        return None
    binance = account.exchange is Exchange.BINANCE
    kind = ProtectionKind.ALGO if binance else ProtectionKind.TRIGGER
    if order.attached and not binance:
        kind = ProtectionKind.ATTACHED
    quantity = order.quantity * order.listing.instrument.contract_size
    return ProtectiveOrder(
        kind=kind,
        symbol=order.listing.symbol,
        side=order.spec.side,
        trigger_price=trigger,
        quantity=None if order.spec.close_position else quantity,
        position_side=SLOT_SIDES[order.spec.slot],
        order_id=order.id,
        client_order_id=order.spec.client_id,
        is_stop=not order.spec.take_profit,
    )
