"""Rows of OKX v5's orders, algo orders and fills, field by field.

Left to others: what an order asks for (`okx_spec.py`), pages (`okx_words.py`).
"""

from __future__ import annotations

from decimal import Decimal

from messages.values import ZERO, OrderSide
from messages.venue import FillKind
from simulator.okx_rows import SIDES, instrument_type, margin_mode
from simulator.state import Account, Execution, Order, Slot, State, TimeInForce
from simulator.wire import Row, ms, text

ALGO_STATES = {
    State.UNTRIGGERED: "live",
    State.TRIGGERED: "effective",
    State.REJECTED: "order_failed",
}
CATEGORIES = {
    FillKind.LIQUIDATION: "full_liquidation",
    FillKind.ADL: "adl",
    FillKind.DELIVERY: "delivery",
}
_FORCED = {
    FillKind.LIQUIDATION: ("104", "105", "107", "106"),
    FillKind.ADL: ("125", "126", "128", "127"),
    FillKind.DELIVERY: ("112", "113", "112", "113"),
    FillKind.SETTLEMENT: ("112", "113", "112", "113"),
    FillKind.TRANSFER: ("325", "325", "325", "324"),
}
"""`subType` by kind: a long closed, a short closed, sold and bought in net mode."""
CANCEL_SOURCES = {
    "CancelByUser": "1",
    "CancelByReduceOnly": "20",
    "EC_PostOnlyWillTakeLiquidity": "31",
}
_EMPTY = (
    "attachAlgoClOrdId ccy pxType pxUsd pxVol quickMgnType slOrdPx slTriggerPx slTriggerPxType "
    "stpId tgtCcy tpOrdPx tpTriggerPx tpTriggerPxType tradeQuoteCcy"
)
_ATTACHED = (
    "amendPxOnTriggerType attachAlgoClOrdId attachAlgoId failCode failReason slOrdPx slTriggerPx "
    "slTriggerPxType sz tpOrdKind tpOrdPx tpTriggerPx tpTriggerPxType"
)


def order_type(order: Order) -> str:
    """`ordType` of a plain order."""
    if order.spec.words.get("ordType"):
        return order.spec.words["ordType"]
    if order.spec.price is None:
        return "market"
    named = {
        TimeInForce.POST_ONLY: "post_only",
        TimeInForce.IOC: "ioc",
        TimeInForce.FOK: "fok",
    }
    return named.get(order.spec.time_in_force, "limit")


def order_state(order: Order) -> str:
    if order.state is State.FILLED:
        return "filled"
    if order.state is State.OPEN:
        return "partially_filled" if order.filled else "live"
    return "canceled"


def order_row(order: Order, account: Account, fills: list[Execution]) -> Row:
    """A plain order. One that came of an algo order names that, and has no id of the client's."""
    spec, came_of = order.spec, order.came_of
    last = fills[-1] if fills else None
    reason = order.cancel_reason
    source = CANCEL_SOURCES.get(reason, "0") if order_state(order) == "canceled" else ""
    return {
        **dict.fromkeys(_EMPTY.split(), ""),
        "accFillSz": text(order.filled),
        "algoClOrdId": spec.client_id if came_of else "",
        "algoId": came_of,
        "attachAlgoOrds": attached_rows(order),
        "avgPx": text(order.average),
        "cTime": str(ms(order.created_at)),
        "cancelSource": source,
        "cancelSourceReason": reason if source else "",
        "category": CATEGORIES.get(order.kind, "normal"),
        "clOrdId": "" if came_of else spec.client_id,
        "fee": text(-order.fee),
        "feeCcy": order.listing.instrument.settle,
        "fillPx": text(last.price) if last else "",
        "fillSz": text(last.quantity) if last else "0",
        "fillTime": str(ms(last.at)) if last else "",
        "instId": order.listing.id,
        "instType": instrument_type(order.listing),
        "isTpLimit": "false",
        "lever": text(account.leverage_of(order.listing.id)),
        "linkedAlgoOrd": {"algoId": ""},
        "ordId": order.id,
        "ordType": order_type(order),
        "pnl": text(sum((it.pnl for it in fills), ZERO)),
        "posSide": SIDES[spec.slot],
        "px": text(spec.price),
        "rebate": "0",
        "rebateCcy": order.listing.instrument.settle,
        "reduceOnly": "true" if spec.reduce_only or spec.close_position else "false",
        "side": spec.side.value,
        "source": "7" if came_of else "",
        "state": order_state(order),
        "stpMode": "cancel_maker",
        "sz": text(order.quantity),
        "tag": spec.words.get("tag", ""),
        "tdMode": spec.words.get("tdMode") or margin_mode(account, order.listing),
        "tradeId": trade_id(last) if last else "",
        "uTime": str(ms(order.updated_at)),
    }


def attached_rows(order: Order) -> list[Row]:
    """What an order brings along for the position that it opens."""
    rows: list[Row] = []
    stop, profit = order.spec.stop_loss, order.spec.take_profit_at
    if stop is None and profit is None:
        return rows
    row: Row = dict.fromkeys(_ATTACHED.split(), "")
    for name, wanted in (("sl", stop), ("tp", profit)):
        if wanted is not None:
            row |= {
                f"{name}TriggerPx": text(wanted.trigger),
                f"{name}OrdPx": text(wanted.price, "-1"),
                f"{name}TriggerPxType": "mark" if wanted.by_mark else "last",
            }
    return [{**row, "attachAlgoId": f"{order.id}1", "amendPxOnTriggerType": "0"}]


def algo_type(order: Order) -> str:
    """`ordType` of an algo order; what was hung on a position by hand is a conditional one."""
    told = order.spec.words.get("ordType", "")
    return told or ("move_order_stop" if order.spec.trail is not None else "conditional")


def algo_row(order: Order, account: Account, became: Order | None, last: Decimal) -> Row:
    """An algo order. `actualSz` is the size that was sent when it fired, filled or not."""
    spec, kind = order.spec, algo_type(order)
    by, price = "mark" if spec.by_mark else "last", text(spec.price, "-1")
    trigger = text(spec.trigger_price)
    empty = (
        "activePx activePxType actualPx actualSide amendPxOnTriggerType callbackRatio "
        "callbackSpread ccy chaseType chaseVal clOrdId closeFraction failCode maxChaseType "
        "maxChaseVal moveTriggerPx ordPx pxLimit pxSpread pxVar quickMgnType slOrdPx slTriggerPx "
        "slTriggerPxType szLimit tgtCcy timeInterval tpOrdPx tpTriggerPx tpTriggerPxType "
        "triggerPx triggerPxType tradeQuoteCcy"
    )
    row: Row = {
        **dict.fromkeys(empty.split(), ""),
        "actualSz": text(became.quantity) if became else "0",
        "algoClOrdId": spec.client_id,
        "algoId": order.id,
        "attachAlgoOrds": [],
        "cTime": str(ms(order.created_at)),
        "instId": order.listing.id,
        "instType": instrument_type(order.listing),
        "isTradeBorrowMode": "",
        "last": text(order.last_price or last),
        "lever": text(account.leverage_of(order.listing.id)),
        "linkedOrd": {"ordId": ""},
        "ordId": became.id if became else "",
        "ordIdList": [became.id] if became else [],
        "ordType": kind,
        "posSide": SIDES[spec.slot],
        "reduceOnly": "true" if spec.reduce_only or spec.close_position else "false",
        "side": spec.side.value,
        "state": ALGO_STATES.get(order.state, "canceled"),
        "sz": "" if spec.close_position else text(order.quantity),
        "tag": spec.words.get("tag", ""),
        "tdMode": spec.words.get("tdMode") or margin_mode(account, order.listing),
        "triggerTime": str(ms(order.updated_at)) if became else "",
        "uTime": str(ms(order.updated_at)),
        "uly": "-".join(order.listing.id.split("-")[:2]),
    }
    if became is not None:
        row |= {"actualPx": text(became.average), "actualSide": ""}
        if kind == "conditional":
            row["actualSide"] = "tp" if spec.take_profit else "sl"
    if order.state is State.REJECTED:
        row["failCode"] = "51169"
    if spec.close_position:
        row["closeFraction"] = "1"
    if kind == "trigger":
        row |= {"triggerPx": trigger, "ordPx": price, "triggerPxType": by}
    elif spec.trail is not None:
        row |= {
            "activePx": text(spec.trail.activation),
            "callbackRatio": text(spec.trail.rate),
            "callbackSpread": text(spec.trail.distance),
            "moveTriggerPx": trigger,
        }
    else:
        which = "tp" if spec.take_profit else "sl"
        row |= {f"{which}TriggerPx": trigger, f"{which}OrdPx": price, f"{which}TriggerPxType": by}
    return row


def trade_id(fill: Execution) -> str:
    return str(293_000_000 + fill.sequence)


def bill_id(fill: Execution) -> int:
    """The number by which fills are paged; later ones have higher ones."""
    return ms(fill.at) * 1_000_000 + fill.sequence % 1_000_000


def sub_type(fill: Execution) -> str:
    """What kind of execution it is: 3 to 6 are long and short opened and closed, 1 and 2 net."""
    buying = fill.side is OrderSide.BUY
    if fill.kind in _FORCED:
        long_, short, sold, bought = _FORCED[fill.kind]
        if fill.slot is Slot.BOTH:
            return bought if buying else sold
        return long_ if fill.slot is Slot.LONG else short
    if fill.slot is Slot.BOTH:
        return "1" if buying else "2"
    if fill.slot is Slot.LONG:
        return "3" if buying else "5"
    return "6" if buying else "4"


def fill_row(fill: Execution, came_of: str) -> Row:
    settle, value = fill.listing.instrument.settle, fill.listing.value(fill.quantity, fill.price)
    return {
        "billId": str(bill_id(fill)),
        "clOrdId": "" if came_of else fill.client_id,
        "execType": "M" if fill.maker else "T",
        "fee": text(-fill.fee),
        "feeCcy": settle,
        "feeRate": text(-fill.fee / value) if value else "0",
        "fillFwdPx": "",
        "fillIdxPx": text(fill.price),
        "fillMarkPx": text(fill.price),
        "fillMarkVol": "",
        "fillPnl": text(fill.pnl),
        "fillPx": text(fill.price),
        "fillPxUsd": "",
        "fillPxVol": "",
        "fillSz": text(fill.quantity),
        "fillTime": str(ms(fill.at)),
        "instId": fill.listing.id,
        "instType": instrument_type(fill.listing),
        "ordId": fill.order_id,
        "posSide": SIDES[fill.slot],
        "side": fill.side.value,
        "subType": sub_type(fill),
        "tag": "",
        "tradeId": trade_id(fill),
        "tradeQuoteCcy": "",
        "ts": str(ms(fill.at)),
    }
