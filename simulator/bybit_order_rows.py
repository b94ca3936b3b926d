"""How Bybit v5 words orders, executions, ended positions and the transaction log.

Field names and value sets follow the v5 documentation, pages "Get Open & Closed Orders", "Get
Trade History", "Get Closed PnL", "Get Transaction Log" and "Enums"; the private streams use the
same rows. Left to others: which rows are asked for.
"""

from __future__ import annotations

from decimal import Decimal

from messages.values import ZERO, OrderSide
from messages.venue import FillKind
from simulator.bybit_rows import category
from simulator.bybit_spec import described
from simulator.records import ClosedTrade
from simulator.state import Execution, Order, State, TimeInForce
from simulator.wire import Row, ms, text

SIDES = {OrderSide.BUY: "Buy", OrderSide.SELL: "Sell"}
CREATE_TYPES = {
    FillKind.TRADE: "CreateByUser",
    FillKind.LIQUIDATION: "CreateByLiq",
    FillKind.ADL: "CreateByAdl_PassThrough",
    FillKind.SETTLEMENT: "CreateBySettle",
    FillKind.DELIVERY: "CreateBySettle",
    FillKind.TRANSFER: "CreateByBlockTradeMovePosition_PassThrough",
    FillKind.OTHER: "CreateByAdminClosing",
}
EXEC_TYPES = {
    FillKind.TRADE: "Trade",
    FillKind.LIQUIDATION: "BustTrade",
    FillKind.ADL: "AdlTrade",
    FillKind.SETTLEMENT: "Settle",
    FillKind.DELIVERY: "Delivery",
    FillKind.TRANSFER: "MovePosition",
    FillKind.OTHER: "CorporateAction",
}
LOG_TYPES = {
    FillKind.TRADE: "TRADE",
    FillKind.LIQUIDATION: "LIQUIDATION",
    FillKind.ADL: "ADL",
    FillKind.SETTLEMENT: "DELIVERY",
    FillKind.DELIVERY: "DELIVERY",
    FillKind.TRANSFER: "TRADE",
    FillKind.OTHER: "TRADE",
}
NO_ORDERS = frozenset({FillKind.SETTLEMENT, FillKind.DELIVERY, FillKind.TRANSFER})
"""Recorded as trades but not as orders ("Enums", createType)."""


def order_status(order: Order) -> str:
    match order.state:
        case State.UNTRIGGERED:
            return "Untriggered"
        case State.OPEN:
            return "PartiallyFilled" if order.filled else "New"
        case State.FILLED:
            return "Filled"
        case State.REJECTED:
            return "Rejected"
        case _:
            if order.conditional and not order.filled:
                return "Deactivated"
            # PartiallyFilledCanceled is spot's; a derivative's cancelled order may have fills.
            return "Cancelled"


def stop_type(order: Order) -> str:
    """What a conditional order is called; empty for any other."""
    if not order.attached:
        return "Stop" if order.conditional else ""
    if order.spec.trail is not None:
        return "TrailingStop"
    name = "TakeProfit" if order.spec.take_profit else "StopLoss"
    return f"Partial{name}" if order.partial else name


def create_type(order: Order) -> str:
    kind = stop_type(order)
    if not kind:
        return CREATE_TYPES[order.kind]
    return "CreateByStopOrder" if kind == "Stop" else f"CreateBy{kind}"


def order_row(order: Order) -> Row:
    spec, listing = order.spec, order.listing
    in_force = TimeInForce.IOC if spec.price is None else spec.time_in_force
    remaining = order.remaining if order.state.live else ZERO
    coin, reason = listing.instrument.settle, order.cancel_reason
    profit, profit_by, profit_limit = described(spec.take_profit_at)
    stop, stop_by, stop_limit = described(spec.stop_loss)
    mode = "Partial" if order.partial else "Full"
    words = spec.words
    return {
        "orderId": order.id,
        "orderLinkId": spec.client_id,
        "blockTradeId": "",
        "symbol": listing.id,
        "category": category(listing),
        "price": text(spec.price, "0"),
        "qty": text(order.quantity),
        "side": SIDES[spec.side],
        "isLeverage": "",
        "positionIdx": int(spec.slot),
        "orderStatus": order_status(order),
        "createType": create_type(order),
        "cancelType": reason if reason.startswith("Cancel") else "UNKNOWN",
        "rejectReason": reason if reason.startswith("EC_") else "EC_NoError",
        "avgPrice": text(order.average),
        "leavesQty": text(remaining),
        "leavesValue": text(listing.value(remaining, spec.price) if spec.price else ZERO),
        "cumExecQty": text(order.filled),
        "cumExecValue": text(
            listing.value(order.filled, order.average) if order.average else None, "0"
        ),
        "cumExecFee": text(order.fee),
        "cumFeeDetail": {coin: text(order.fee)} if order.filled else {},
        "feeCurrency": "",
        "closedPnl": text(order.closing.pnl) if order.closing else "0",
        "timeInForce": str(in_force),
        "orderType": "Market" if spec.price is None else "Limit",
        "stopOrderType": stop_type(order),
        "orderIv": "",
        "triggerPrice": text(spec.trigger_price),
        "triggerDirection": 0 if spec.trigger_rising is None else (1 if spec.trigger_rising else 2),
        "triggerBy": words.get("triggerBy", "LastPrice") if order.conditional else "",
        "lastPriceOnCreated": text(order.last_price),
        "takeProfit": profit,
        "stopLoss": stop,
        "tpTriggerBy": profit_by,
        "slTriggerBy": stop_by,
        "tpLimitPrice": profit_limit,
        "slLimitPrice": stop_limit,
        "tpslMode": mode if order.attached else words.get("tpslMode", ""),
        "reduceOnly": spec.reduce_only,
        "closeOnTrigger": order.attached or words.get("closeOnTrigger") == "true",
        "placeType": "",
        "smpType": words.get("smpType", "None"),
        "smpGroup": 0,
        "smpOrderId": "",
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "",
        "extraFees": "",
        "rpiTakerAccess": False,
        "rpiMatchedQty": "0",
        "createdTime": str(ms(order.created_at)),
        "updatedTime": str(ms(order.updated_at)),
    }


def execution_row(execution: Execution, order: Order) -> Row:
    listing = execution.listing
    price = text(execution.price)
    return {
        "symbol": listing.id,
        "category": category(listing),
        "orderId": execution.order_id,
        "orderLinkId": order.spec.client_id,
        "side": SIDES[execution.side],
        "orderPrice": text(order.spec.price, "0"),
        "orderQty": text(order.quantity),
        "leavesQty": text(order.remaining),
        "createType": create_type(order),
        "orderType": "Market" if order.spec.price is None else "Limit",
        "stopOrderType": stop_type(order) or "UNKNOWN",
        "execFee": text(execution.fee),
        "execFeeV2": "",
        "execId": execution.id,
        "execPrice": price,
        "execQty": text(execution.quantity),
        "execType": EXEC_TYPES[execution.kind],
        "execValue": text(listing.value(execution.quantity, execution.price)),
        "execTime": str(ms(execution.at)),
        "feeCurrency": "",
        "isMaker": execution.maker,
        "feeRate": text(listing.maker_fee if execution.maker else listing.taker_fee),
        "markPrice": price,
        "indexPrice": price,
        "markIv": "",
        "tradeIv": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": text(execution.closed),
        "execPnl": text(execution.pnl),
        "extraFees": "",
        "seq": execution.sequence,
    }


def closed_row(closed: ClosedTrade, order: Order) -> Row:
    """A row of closed PnL; `closedPnl` is after the fees of opening and closing."""
    listing = closed.listing
    return {
        "symbol": listing.id,
        "orderId": closed.order_id,
        "side": SIDES[closed.side],
        "qty": text(order.quantity),
        "orderPrice": text(order.spec.price or closed.exit),
        "orderType": "Market" if order.spec.price is None else "Limit",
        "execType": EXEC_TYPES[closed.kind],
        "closedSize": text(closed.quantity),
        "cumEntryValue": text(listing.value(closed.quantity, closed.entry)),
        "avgEntryPrice": text(closed.entry),
        "cumExitValue": text(listing.value(closed.quantity, closed.exit)),
        "avgExitPrice": text(closed.exit),
        "closedPnl": text(closed.pnl),
        "fillCount": str(closed.fills),
        "leverage": text(closed.leverage),
        "openFee": text(closed.open_fee),
        "closeFee": text(closed.close_fee),
        "createdTime": str(ms(closed.created_at)),
        "updatedTime": str(ms(closed.updated_at)),
    }


def log_row(execution: Execution, balance: Decimal, size: Decimal, uid: int) -> Row:
    """A row of the transaction log; `balance` and `size` are what it left behind."""
    change = execution.pnl - execution.fee
    moved = execution.kind is FillKind.TRANSFER
    listing = execution.listing
    return {
        "id": f"{uid}_{listing.id}_{execution.sequence}",
        "symbol": listing.id,
        "category": category(listing),
        "side": SIDES[execution.side],
        "transactionTime": str(ms(execution.at)),
        "type": LOG_TYPES[execution.kind],
        "transSubType": "movePosition" if moved else "",
        "qty": text(execution.quantity),
        "size": text(size),
        "currency": listing.instrument.settle,
        "tradePrice": text(execution.price),
        "funding": "",
        "fee": text(execution.fee),
        "cashFlow": text(execution.pnl),
        "change": text(change),
        "cashBalance": text(balance),
        "feeRate": text(listing.maker_fee if execution.maker else listing.taker_fee),
        "bonusChange": "",
        "tradeId": execution.id,
        "orderId": execution.order_id,
        "orderLinkId": execution.client_id,
        "extraFees": "",
    }
