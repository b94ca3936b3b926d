"""How Binance USD-M words orders, plain and conditional.

Field names and value sets follow the USD-M futures REST documentation. Left to others: positions,
instruments and trades (`binance_rows.py`), the short names of the stream (`binance_stream.py`).
"""

from __future__ import annotations

from messages.values import ZERO
from messages.venue import FillKind
from simulator.binance_rows import POSITION_SIDES
from simulator.state import Order, State, TimeInForce
from simulator.wire import Row, ms, text

STATUSES = {
    State.UNTRIGGERED: "NEW",
    State.OPEN: "NEW",
    State.FILLED: "FILLED",
    State.CANCELED: "CANCELED",
    State.EXPIRED: "EXPIRED",
    State.REJECTED: "REJECTED",
}
EXPIRY_REASONS = {
    "EC_NoImmediateQtyToFill": "2",
    "CancelByKnockOut": "4",
    "CancelByReduceOnly": "4",
    "CancelAllBeforeLiq": "5",
    "CancelByGte": "6",
    "CancelByTpSlTsClear": "6",
    "CancelBySettle": "7",
}
"""Why the exchange ended an order by itself (`er` of ORDER_TRADE_UPDATE); the status is EXPIRED."""
ALGO_STATUSES = {
    State.UNTRIGGERED: "NEW",
    State.CANCELED: "CANCELED",
    State.EXPIRED: "EXPIRED",
    State.REJECTED: "REJECTED",
}


def default_words() -> dict[str, str]:
    """What an order is told to have where it was not asked for it."""
    return {
        "workingType": "CONTRACT_PRICE",
        "priceProtect": "false",
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def order_type(order: Order) -> str:
    if order.kind is FillKind.LIQUIDATION:
        return "LIQUIDATION"
    return "MARKET" if order.spec.price is None else "LIMIT"


def algo_type(order: Order) -> str:
    if order.spec.trail is not None:
        return "TRAILING_STOP_MARKET"
    name = "TAKE_PROFIT" if order.spec.take_profit else "STOP"
    return f"{name}_MARKET" if order.spec.price is None else name


def time_in_force(order: Order) -> str:
    """closePosition orders are GTE_GTC: they end with the position, and only one may stand."""
    if order.spec.close_position and order.conditional:
        return "GTE_GTC"
    chosen = order.spec.time_in_force
    return "GTX" if chosen is TimeInForce.POST_ONLY else str(chosen)


def expiry_reason(order: Order) -> str:
    """Why the exchange ended an order by itself; "0" where it did not."""
    reason = EXPIRY_REASONS.get(order.cancel_reason, "0")
    return "9" if reason == "2" and order.spec.price is None else reason


def status(order: Order) -> str:
    if order.state is State.OPEN and order.filled:
        return "PARTIALLY_FILLED"
    if order.state is State.CANCELED and expiry_reason(order) != "0":
        return "EXPIRED"
    return STATUSES.get(order.state, "EXPIRED")


def _words(order: Order) -> Row:
    words = default_words() | dict(order.spec.words)
    return {**words, "priceProtect": words["priceProtect"].lower() == "true"}


def good_till(order: Order) -> int:
    return 0 if order.spec.good_till is None else ms(order.spec.good_till)


def order_row(order: Order) -> Row:
    spec = order.spec
    return {
        "orderId": int(order.id),
        "symbol": order.listing.id,
        "pair": f"{order.listing.instrument.base}{order.listing.instrument.quote}",
        "status": status(order),
        "clientOrderId": spec.client_id or f"web_{order.id}",
        "price": text(spec.price, "0"),
        "avgPrice": text(order.average, "0.00"),
        "origQty": text(order.quantity),
        "executedQty": text(order.filled),
        "cumQty": text(order.filled),
        "cumQuote": text(order.cost),
        "timeInForce": time_in_force(order),
        "type": order_type(order),
        "reduceOnly": spec.reduce_only,
        "closePosition": spec.close_position,
        "side": spec.side.upper(),
        "positionSide": POSITION_SIDES[spec.slot],
        "stopPrice": "0",
        **_words(order),
        "goodTillDate": good_till(order),
        "origType": order_type(order),
        "time": ms(order.created_at),
        "updateTime": ms(order.updated_at),
    }


def accepted_row(order: Order) -> Row:
    """What newOrderRespType ACK, the default, answers: the order was taken, and no more."""
    taken = {"status": "NEW", "executedQty": "0", "cumQty": "0", "cumQuote": "0"}
    return {**order_row(order), **taken, "avgPrice": "0.00", "updateTime": ms(order.created_at)}


def algo_status(order: Order, became: Order | None) -> str:
    """TRIGGERED while the order that it became still stands, FINISHED once that has ended."""
    if order.state is State.TRIGGERED:
        return "TRIGGERED" if became is not None and became.state.live else "FINISHED"
    if order.state is State.CANCELED and expiry_reason(order) != "0":
        return "EXPIRED"
    return ALGO_STATUSES.get(order.state, "NEW")


def algo_row(order: Order, became: Order | None = None) -> Row:
    """A conditional order, and what came of it once it had triggered."""
    spec, trail = order.spec, order.spec.trail
    row: Row = {
        "algoId": int(order.id),
        "clientAlgoId": spec.client_id or f"web_{order.id}",
        "algoType": "CONDITIONAL",
        "orderType": algo_type(order),
        "symbol": order.listing.id,
        "side": spec.side.upper(),
        "positionSide": POSITION_SIDES[spec.slot],
        "timeInForce": time_in_force(order),
        "quantity": text(ZERO if spec.close_position else order.quantity),
        "algoStatus": algo_status(order, became),
        "actualOrderId": order.triggered_as,
        "actualPrice": text(became.average if became else None, "0.00000"),
        "actualQty": text(became.filled if became else ZERO, "0"),
        "actualType": order_type(became) if became else "",
        "triggerPrice": text(spec.trigger_price if trail is None else None, "0.000"),
        "price": text(spec.price, "0.00"),
        "icebergQuantity": None,
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
        **_words(order),
        "closePosition": spec.close_position,
        # closePosition orders are told as reduce-only ones, though they must not be sent so.
        "reduceOnly": spec.reduce_only or spec.close_position,
        "createTime": ms(order.created_at),
        "updateTime": ms(order.updated_at),
        "triggerTime": ms(became.created_at) if became else 0,
        "goodTillDate": good_till(order),
    }
    if trail is not None:
        row["activatePrice"] = text(trail.activation)
        row["callbackRate"] = text((trail.rate or ZERO) * 100)
    return row
