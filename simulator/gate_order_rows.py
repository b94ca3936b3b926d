"""How Gate words orders, price-triggered orders, fills and ended positions.

Field names and value sets follow the futures page of Gate's API v4 documentation. A position's end
is one record for all that closed it, unlike the fills and orders that did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from messages.values import ZERO, OrderSide, Side
from messages.venue import FillKind
from simulator.gate_rows import precise, seconds
from simulator.instruments import Listing
from simulator.state import Account, Execution, Order, Slot, State, TimeInForce
from simulator.wire import Row, text

IN_FORCE = {
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "poc",
}
SOURCES = {
    FillKind.LIQUIDATION: "liq-",
    FillKind.ADL: "auto_deleveraging",
    FillKind.SETTLEMENT: "clear",
    FillKind.DELIVERY: "clear",
}
"""`text` of orders of the exchange's own making; "clear" is the withdrawal of a contract."""
ENDS = {
    "CancelAllBeforeLiq": "liquidated",
    "CancelByReduceOnly": "position_closed",
    "CancelByTpSlTsClear": "position_closed",
    "CancelBySettle": "position_closed",
    "EC_ReduceOnly": "reduce_only",
    "EC_NoImmediateQtyToFill": "ioc",
}
"""`finish_as` by the market's own word for it."""
TRIGGER_ENDS = {
    State.TRIGGERED: "succeeded",
    State.REJECTED: "failed",
    State.EXPIRED: "expired",
}


def signed(quantity: Decimal, side: OrderSide) -> Decimal:
    return quantity if side is OrderSide.BUY else -quantity


def source(order: Order) -> str:
    """`text`: the client's own id, or where the order came from."""
    if order.kind in SOURCES:
        told = SOURCES[order.kind]
        return f"{told}{order.id}" if told.endswith("-") else told
    return order.spec.client_id or ("web" if order.by_hand else "api")


def finish_as(order: Order) -> str:
    if order.state is State.FILLED:
        return "filled"
    return ENDS.get(order.cancel_reason, "cancelled")


def order_row(order: Order, owner: Account) -> Row:
    spec, listing = order.spec, order.listing
    live = order.state.live
    market = spec.price is None
    row: Row = {
        "id": int(order.id),
        "id_string": order.id,
        "user": owner.uid,
        "contract": listing.id,
        "create_time": precise(order.created_at),
        "update_time": precise(order.updated_at),
        "size": signed(order.quantity, spec.side),
        "iceberg": ZERO,
        "left": signed(order.remaining, spec.side),
        "price": text(spec.price, "0"),
        "fill_price": text(order.average, "0"),
        "mkfr": text(listing.maker_fee),
        "tkfr": text(listing.taker_fee),
        "tif": "ioc"
        if market and spec.time_in_force is TimeInForce.GTC
        else IN_FORCE.get(spec.time_in_force, "gtc"),
        "refu": 0,
        "refr": "0",
        "is_reduce_only": spec.reduce_only or spec.close_position,
        "is_close": spec.close_position,
        "is_liq": order.kind is FillKind.LIQUIDATION,
        "text": source(order),
        "status": "open" if live else "finished",
        "stp_id": 0,
        "stp_act": "-",
        "amend_text": spec.words.get("amend_text", "-"),
        "biz_info": "-",
        "pid": 0,
        "pos_margin_mode": "isolated" if listing.id in owner.isolated else "cross",
        "market_order_slip_ratio": "0",
        "tpsl_tp_trigger_price": "",
        "tpsl_sl_trigger_price": "",
    }
    if not live:
        row |= {"finish_time": precise(order.updated_at), "finish_as": finish_as(order)}
    return row


def closing_leg(order: Order) -> Side | None:
    """The leg that a conditional order closes, where it says that it closes one."""
    if not order.reduces:
        return None
    return Side.LONG if order.spec.side is OrderSide.SELL else Side.SHORT


def trigger_row(order: Order, owner: Account) -> Row:
    """A price-triggered order. `trade_id` is the order that it became."""
    spec, leg = order.spec, closing_leg(order)
    whole = spec.close_position
    hedged = spec.slot is not Slot.BOTH
    open_still = order.state is State.UNTRIGGERED
    kind = spec.words.get("order_type", "")
    if order.attached and leg is not None:
        kind = f"close-{leg}-position"
    fired = order.triggered_as
    row: Row = {
        "id": int(order.id),
        "id_string": order.id,
        "user": owner.uid,
        "initial": {
            "contract": order.listing.id,
            "size": 0 if whole else int(signed(order.quantity, spec.side)),
            "amount": "0" if whole else text(signed(order.quantity, spec.side)),
            "price": text(spec.price, "0"),
            "tif": "ioc" if spec.price is None else IN_FORCE.get(spec.time_in_force, "gtc"),
            "text": spec.client_id or "api",
            "iceberg": 0,
            "is_close": whole and not hedged,
            "is_reduce_only": spec.reduce_only or whole,
            "auto_size": f"close_{leg}" if whole and hedged and leg is not None else "",
        },
        "trigger": {
            "strategy_type": 0,
            "price_type": 1 if spec.by_mark else 0,
            "price": text(spec.trigger_price, "0"),
            "rule": 1 if spec.trigger_rising else 2,
            "expiration": int(spec.words.get("expiration", "0")),
        },
        "create_time": precise(order.created_at),
        "finish_time": precise(order.updated_at),
        "trade_id": int(fired or 0),
        "trade_id_string": fired,
        "status": "open" if open_still else "finished",
        "reason": "INCREASE_POSITION" if order.state is State.REJECTED else "",
        "order_type": kind,
        "is_stop_order": False,
        "stop_trigger": {"rule": 0, "trigger_price": "", "order_price": ""},
        "me_order_id": 0,
        "me_order_id_string": "",
        "parent_id": 0,
        "in_dual_mode": hedged,
        "pos_margin_mode": "isolated" if order.listing.id in owner.isolated else "cross",
    }
    if not open_still:
        row["finish_as"] = TRIGGER_ENDS.get(order.state, "cancelled")
    return row


def trade_row(execution: Execution, owner: Account, id_name: str) -> Row:
    """A fill. One of my_trades_timerange names its id otherwise, and writes it as text."""
    listing, side = execution.listing, execution.side
    return {
        id_name: int(execution.id) if id_name == "id" else execution.id,
        "create_time": precise(execution.at),
        "contract": listing.id,
        "order_id": execution.order_id,
        "size": signed(execution.quantity, side),
        "close_size": signed(execution.closed, side),
        "price": text(execution.price),
        "role": "maker" if execution.maker else "taker",
        "text": source(owner.orders[execution.order_id]),
        "fee": text(execution.fee),
        "point_fee": "0",
        "trade_value": text(listing.value(execution.quantity, execution.price)),
    }


@dataclass(slots=True)
class Ended:
    """A position from its first fill to its last. Sizes in contracts, profits in settle currency.

    `bought` and `sold` are each a size and its sum of size times price.
    """

    listing: Listing
    side: Side
    opened_at: datetime
    ended_at: datetime
    text: str = ""
    closed: Decimal = ZERO
    largest: Decimal = ZERO
    pnl: Decimal = ZERO
    fee: Decimal = ZERO
    bought: tuple[Decimal, Decimal] = (ZERO, ZERO)
    sold: tuple[Decimal, Decimal] = (ZERO, ZERO)

    def take(self, execution: Execution, quantity: Decimal) -> None:
        traded = (quantity, quantity * execution.price)
        if execution.side is OrderSide.BUY:
            self.bought = (self.bought[0] + traded[0], self.bought[1] + traded[1])
        else:
            self.sold = (self.sold[0] + traded[0], self.sold[1] + traded[1])
        self.fee += execution.fee * quantity / execution.quantity
        self.ended_at = execution.at


def ended_positions(owner: Account, listing: Listing) -> Iterator[Ended]:
    """Every position of a contract that came to its end, oldest first, out of its fills."""
    for slot in Slot:
        at: Ended | None = None
        size = ZERO
        for execution in owner.executions.get(listing.id, []):
            if execution.slot is not slot:
                continue
            if execution.closed and at is not None:
                at.take(execution, execution.closed)
                at.closed += execution.closed
                at.pnl += execution.pnl
                size -= execution.closed
                if size <= 0:
                    at.text = source(owner.orders[execution.order_id])
                    yield at
                    at, size = None, ZERO
            opened = execution.quantity - execution.closed
            if opened:
                if at is None:
                    side = Side.LONG if execution.side is OrderSide.BUY else Side.SHORT
                    at = Ended(listing, side, execution.at, execution.at)
                at.take(execution, opened)
                size += opened
                at.largest = max(at.largest, size)


def close_row(ended: Ended) -> Row:
    def average(traded: tuple[Decimal, Decimal]) -> str:
        return text(traded[1] / traded[0] if traded[0] else None, "0")

    return {
        "time": precise(ended.ended_at),
        "contract": ended.listing.id,
        "side": str(ended.side),
        "pnl": text(ended.pnl - ended.fee),
        "pnl_pnl": text(ended.pnl),
        "pnl_fund": "0",
        "pnl_fee": text(-ended.fee),
        "text": ended.text,
        "max_size": ended.largest,
        "accum_size": ended.closed,
        "first_open_time": seconds(ended.opened_at),
        "long_price": average(ended.bought),
        "short_price": average(ended.sold),
    }
