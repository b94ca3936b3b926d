"""How Bitget v2 words orders, plan orders, fills and ended positions.

Field names and value sets follow the documentation and what `typed-bitget` decodes. In hedge mode
`side` names the leg: closing a long one is "buy" with `tradeSide` close. Left to others: which rows
are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from messages.values import ZERO, OrderSide, Side
from messages.venue import FillKind
from simulator.bitget_rows import margin_mode, pos_mode
from simulator.instruments import Listing
from simulator.state import Account, Execution, Order, Slot, State, TimeInForce
from simulator.wire import Row, ms, text

FORCES = {
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
    TimeInForce.GTD: "gtc",
}
HEDGED = {FillKind.LIQUIDATION: "burst", FillKind.DELIVERY: "delivery", FillKind.ADL: "dte_sys_adl"}
"""What begins the `tradeSide` of a leg that the exchange closes: burst_close_long."""
ONE_WAY = {
    FillKind.LIQUIDATION: "burst_{side}_single",
    FillKind.DELIVERY: "delivery_{side}_single",
    FillKind.ADL: "dte_sys_adl_{side}_in_single_side_mode",
}
SOURCES = {FillKind.LIQUIDATION: "liquidation", FillKind.DELIVERY: "delivery_close_long"}
PLAN_STATUSES = {
    State.UNTRIGGERED: "live",
    State.TRIGGERED: "executed",
    State.REJECTED: "fail_trigger",
}
TPSL = ("profit_plan", "loss_plan", "moving_plan", "pos_profit", "pos_loss")


def side_words(side: OrderSide, slot: Slot, kind: FillKind) -> dict[str, object]:
    """`side`, `posSide` and `tradeSide` of what trades this way in this slot."""
    if slot is Slot.BOTH:
        word = ONE_WAY.get(kind, "{side}_single").format(side=side.value)
        return {"side": side.value, "posSide": "net", "tradeSide": word}
    leg = Side.LONG if slot is Slot.LONG else Side.SHORT
    closes = side is leg.closing
    word = "close" if closes else "open"
    if closes and kind in HEDGED:
        word = f"{HEDGED[kind]}_close_{leg.value}"
    named = OrderSide.BUY if leg is Side.LONG else OrderSide.SELL
    return {"side": named.value, "posSide": leg.value, "tradeSide": word}


def client_id(order: Order) -> str:
    """Each order has one: that of a plan's order, and of one by hand, is the exchange's own."""
    if order.spec.client_id and not order.came_of and not order.by_hand:
        return order.spec.client_id
    return str(int(order.id) - 1)


def order_status(order: Order) -> str:
    if order.state is State.OPEN:
        return "partially_filled" if order.filled else "live"
    return "filled" if order.state is State.FILLED else "canceled"


def _fills(account: Account, order: Order) -> list[Execution]:
    history = account.executions.get(order.listing.id, [])
    return [it for it in history if it.order_id == order.id]


def order_row(order: Order, account: Account) -> Row:
    """A plain order; the list and the record name its status differently."""
    spec, listing = order.spec, order.listing
    pnl = sum((it.pnl for it in _fills(account, order)), ZERO) if order.filled else ZERO
    stop, profit = spec.stop_loss, spec.take_profit_at
    reduces = spec.reduce_only and spec.slot is Slot.BOTH
    return {
        "symbol": listing.id,
        "size": text(order.quantity),
        "orderId": order.id,
        "clientOid": client_id(order),
        "baseVolume": text(order.filled),
        "fee": text(-order.fee) if order.fee else "0",
        "price": text(spec.price),
        "priceAvg": text(order.average),
        **side_words(spec.side, spec.slot, order.kind),
        "force": "ioc" if spec.price is None else FORCES[spec.time_in_force],
        "totalProfits": text(pnl) if pnl else "0",
        "marginCoin": listing.instrument.settle,
        "quoteVolume": text(order.cost) if order.cost else "0",
        "leverage": text(account.leverage_of(listing.id)),
        "marginMode": margin_mode(account, listing),
        "reduceOnly": "YES" if reduces else "NO",
        "enterPointSource": _source(order),
        "posMode": pos_mode(account),
        "orderType": "market" if spec.price is None else "limit",
        "orderSource": SOURCES.get(order.kind, "normal" if spec.price else "market"),
        "cancelReason": "normal_cancel" if order.state is State.CANCELED else "",
        "newTradeSide": None,
        "liqPrice": "",
        "presetStopSurplusPrice": text(profit.trigger) if profit else "",
        "presetStopSurplusType": "",
        "presetStopSurplusExecutePrice": text(profit.price) if profit else "",
        "presetStopLossPrice": text(stop.trigger) if stop else "",
        "presetStopLossType": "",
        "presetStopLossExecutePrice": text(stop.price) if stop else "",
        "cTime": str(ms(order.created_at)),
        "uTime": str(ms(order.updated_at)),
    }


def listed_row(order: Order, account: Account) -> Row:
    return order_row(order, account) | {"status": order_status(order)}


def detail_row(order: Order, account: Account) -> Row:
    return order_row(order, account) | {"state": order_status(order)}


def _source(order: Order) -> str:
    if order.kind is not FillKind.TRADE:
        return "SYS"
    return "IOS" if order.by_hand else "API"


def plan_type(order: Order) -> str:
    """What kind of conditional order it is, as it was asked for or as a person attached it."""
    named = order.spec.words.get("planType")
    if named:
        return named
    if order.spec.trail is not None:
        return "moving_plan" if order.attached else "track_plan"
    if not order.attached:
        return "normal_plan"
    kind = "profit" if order.spec.take_profit else "loss"
    return f"{kind}_plan" if order.partial else f"pos_{kind}"


def plan_row(order: Order, account: Account) -> Row:
    """A conditional order. One that fired tells which order it became, and what that filled."""
    spec, listing, kind = order.spec, order.listing, plan_type(order)
    became = account.orders.get(order.triggered_as) if order.triggered_as else None
    trigger, limit = text(spec.trigger_price), text(spec.price, "0")
    source = "mark_price" if spec.by_mark else "fill_price"
    profit, tpsl = kind in ("profit_plan", "pos_profit"), kind in TPSL
    rate = None if spec.trail is None else spec.trail.rate
    return {
        "planType": kind,
        "symbol": listing.id,
        "size": "0" if kind.startswith("pos_") else text(order.quantity),
        "orderId": order.id,
        "executeOrderId": "" if became is None else became.id,
        "clientOid": client_id(order),
        "price": limit,
        "executePrice": limit,
        "priceAvg": "" if became is None else text(became.average),
        "baseVolume": "0" if became is None else text(became.filled),
        "callbackRatio": text(rate * 100) if rate else "",
        "triggerPrice": trigger,
        "triggerType": source,
        "planStatus": PLAN_STATUSES.get(order.state, "cancelled"),
        **side_words(spec.side, spec.slot, FillKind.TRADE),
        "marginCoin": listing.instrument.settle,
        "marginMode": margin_mode(account, listing),
        "enterPointSource": "API" if spec.client_id else "IOS",
        "posMode": pos_mode(account),
        "orderType": "market" if spec.price is None else "limit",
        "orderSource": "normal",
        "stopSurplusExecutePrice": limit if tpsl and profit else "",
        "stopSurplusTriggerPrice": trigger if tpsl and profit else "",
        "stopSurplusTriggerType": source if tpsl and profit else "",
        "stopLossExecutePrice": limit if tpsl and not profit else "",
        "stopLossTriggerPrice": trigger if tpsl and not profit else "",
        "stopLossTriggerType": source if tpsl and not profit else "",
        "cTime": str(ms(order.created_at)),
        "uTime": str(ms(order.updated_at)),
    }


def pending_row(order: Order, account: Account) -> Row:
    """A plan order that waits: it has nothing yet that it became."""
    lacks = ("executeOrderId", "priceAvg", "baseVolume")
    return {name: it for name, it in plan_row(order, account).items() if name not in lacks}


def fill_row(execution: Execution, account: Account) -> Row:
    listing, order = execution.listing, account.orders[execution.order_id]
    words = side_words(execution.side, execution.slot, execution.kind)
    return {
        "tradeId": execution.id,
        "symbol": listing.id,
        "orderId": execution.order_id,
        "price": text(execution.price),
        "baseVolume": text(execution.quantity),
        "feeDetail": [
            {
                "deduction": "no",
                "feeCoin": listing.instrument.settle,
                "totalDeductionFee": None,
                "totalFee": text(-execution.fee),
            }
        ],
        "side": words["side"],
        "quoteVolume": text(execution.quantity * execution.price),
        "profit": text(execution.pnl),
        "enterPointSource": _source(order),
        "tradeSide": words["tradeSide"],
        "posMode": "one_way_mode" if execution.slot is Slot.BOTH else "hedge_mode",
        "tradeScope": "maker" if execution.maker else "taker",
        "cTime": str(ms(execution.at)),
    }


@dataclass(slots=True, kw_only=True)
class Life:
    """A position from its first fill to the one that ended it. Sizes in contracts, costs their
    sums of size times price, fees and profit in settle currency; `id` is the last fill's.
    """

    listing: Listing
    slot: Slot
    side: Side
    opened_at: datetime
    closed_at: datetime
    id: str = ""
    opened: Decimal = ZERO
    open_cost: Decimal = ZERO
    closed: Decimal = ZERO
    close_cost: Decimal = ZERO
    pnl: Decimal = ZERO
    open_fee: Decimal = ZERO
    close_fee: Decimal = ZERO


def ended_lives(history: list[Execution]) -> list[Life]:
    """The positions of one symbol that have ended, oldest first, out of all of its fills."""
    living: dict[Slot, Life] = {}
    ended: list[Life] = []
    for it in history:
        life = living.get(it.slot)
        opens = it.quantity - it.closed
        if life is not None and it.closed:
            life.closed += it.closed
            life.close_cost += it.closed * it.price
            life.pnl += it.pnl
            life.close_fee += it.fee * it.closed / it.quantity
            life.closed_at = it.at
            if life.closed >= life.opened:
                life.id = it.id
                ended.append(living.pop(it.slot))
                life = None
        if opens:
            if life is None:
                side = Side.LONG if it.side is OrderSide.BUY else Side.SHORT
                life = living[it.slot] = Life(
                    listing=it.listing, slot=it.slot, side=side, opened_at=it.at, closed_at=it.at
                )
            life.opened += opens
            life.open_cost += opens * it.price
            life.open_fee += it.fee * opens / it.quantity
    return ended


def ended_row(life: Life, account: Account) -> Row:
    return {
        "positionId": life.id,
        "marginCoin": life.listing.instrument.settle,
        "symbol": life.listing.id,
        "holdSide": life.side.value,
        "openAvgPrice": text(life.open_cost / life.opened),
        "closeAvgPrice": text(life.close_cost / life.closed),
        "marginMode": margin_mode(account, life.listing),
        "openTotalPos": text(life.opened),
        "closeTotalPos": text(life.closed),
        "pnl": text(life.pnl),
        "netProfit": text(life.pnl - life.open_fee - life.close_fee),
        "totalFunding": "0",
        "openFee": text(-life.open_fee),
        "closeFee": text(-life.close_fee),
        "posMode": "one_way_mode" if life.slot is Slot.BOTH else "hedge_mode",
        "cashDividend": "0",
        "ctime": str(ms(life.opened_at)),
        "utime": str(ms(life.closed_at)),
    }
