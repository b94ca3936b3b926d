"""Order records out of ccxt's orders. What a record lacks is an error, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from messages.venue import Instrument, OrderRecord, OrderStatus
from venues.client import Client
from venues.ids import from_venue
from venues.numbers import decimal_or_none, instant_or_none, positive_or_none
from venues.sides import order_side, position_side
from venues.strict import MalformedReplyError

STATUSES = {
    "open": OrderStatus.OPEN,
    "canceling": OrderStatus.OPEN,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
    "expired": OrderStatus.EXPIRED,
}
"""What ccxt's words for an order's status mean here."""


def read_record(client: Client, instrument: Instrument, order: Mapping[str, Any]) -> OrderRecord:
    """The order in base units. `MalformedReplyError` where something lacks.

    ccxt fills a missing fill in from the status, so the raw record must name it itself.
    """
    raw = _raw(order)
    order_id = str(order.get("id") or "")
    side = order_side(client.facts.exchange, order.get("side"), raw)
    amount = positive_or_none(order.get("amount"))
    filled = decimal_or_none(order.get("filled"))
    status = STATUSES.get(str(order.get("status") or "").lower())
    if amount is None and closes_all(raw):
        # A stop for a whole position has no size of its own.
        amount = Decimal(0)
    waits = status is OrderStatus.OPEN and any(name in raw for name in _CONDITIONAL)
    if waits and (filled is None or not _names_fill(client, raw)):
        # What a condition has yet to allow has no fill, and these rows have no place for one.
        filled = Decimal(0)
    lacking = [
        name
        for name, bad in (
            ("id", not order_id),
            ("side", side is None),
            (
                "amount",
                amount is None or not (closes_all(raw) or _names(client.facts.amount_fields, raw)),
            ),
            ("status", status is None),
            ("filled amount", filled is None or not (waits or _names_fill(client, raw))),
        )
        if bad
    ]
    if lacking:
        raise MalformedReplyError(f"order record {order_id!r} lacks {', '.join(lacking)}")
    assert amount is not None
    assert side is not None
    assert filled is not None
    assert status is not None
    fee, currency = _fee(instrument, order, raw)
    size = instrument.contract_size
    return OrderRecord(
        order_id=order_id,
        client_order_id=from_venue(client.facts.exchange, order.get("clientOrderId")),
        symbol=instrument.symbol,
        side=side,
        status=judged(status, amount, filled),
        quantity=amount * size,
        filled=filled * size,
        average=positive_or_none(order.get("average")),
        price=positive_or_none(order.get("price")),
        trigger_price=_trigger(order, raw),
        reduce_only=_reduce_only(order, raw),
        position_side=position_side(raw),
        fee=fee,
        fee_currency=currency,
        created_at=instant_or_none(order.get("timestamp")),
        updated_at=instant_or_none(order.get("lastUpdateTimestamp")),
    )


_CONDITIONAL = ("actualSz", "planType", "initial", "executeCycle")
"""What only the conditional orders of OKX, Bitget, Gate and MEXC have in their rows."""


def closes_all(raw: Mapping[str, Any]) -> bool:
    """Whether an order closes the whole position, whatever its size.

    Binance closePosition, Bybit closeOnTrigger, KuCoin closeOrder, OKX closeFraction, Bitget's
    plans of positions, Gate's size of 0.
    """
    initial = raw.get("initial")
    if isinstance(initial, Mapping) and decimal_or_none(initial.get("size")) == 0:
        return True
    names = ("closePosition", "closeOnTrigger", "closeOrder")
    return (
        "true" in (str(raw.get(name, "")).lower() for name in names)
        or decimal_or_none(raw.get("closeFraction")) == 1
        or raw.get("planType") in ("pos_loss", "pos_profit")
    )


def _trigger(order: Mapping[str, Any], raw: Mapping[str, Any]) -> Decimal | None:
    """The price at which a conditional order fires; of other orders, those are attached prices."""
    names = ["triggerPrice"]
    if any(name in raw for name in _CONDITIONAL):
        names += ["stopLossPrice", "takeProfitPrice"]
    prices = (positive_or_none(order.get(name)) for name in names)
    return next((price for price in prices if price is not None), None)


def judged(status: OrderStatus, amount: Decimal, filled: Decimal) -> OrderStatus:
    """An order's status by what it filled. Sizes in one unit, whichever.

    ccxt calls an order closed that was filled in part and cancelled (Bybit): it is not.
    """
    if status is OrderStatus.FILLED and filled < amount:
        return OrderStatus.CANCELED
    if status is OrderStatus.CANCELED and Decimal(0) < amount <= filled:
        return OrderStatus.FILLED
    return status


def _raw(order: Mapping[str, Any]) -> Mapping[str, Any]:
    raw = order.get("info")
    if not isinstance(raw, Mapping):
        return {}
    inner = raw.get("order")
    return {**raw, **inner} if isinstance(inner, Mapping) else raw


def _names_fill(client: Client, raw: Mapping[str, Any]) -> bool:
    if raw.get("algoStatus") is not None:
        # A Binance algo order has no fills of its own; whoever reads it follows actualOrderId.
        return True
    return _names(client.facts.filled_fields, raw)


def _names(fields: tuple[str, ...], raw: Mapping[str, Any]) -> bool:
    return not fields or any(raw.get(name) not in (None, "") for name in fields)


def _reduce_only(order: Mapping[str, Any], raw: Mapping[str, Any]) -> bool | None:
    for value in (order.get("reduceOnly"), raw.get("reduceOnly"), raw.get("closeOnTrigger")):
        if value is not None and value != "":
            return str(value).lower() in ("true", "yes", "1")
    return None


def _fee(
    instrument: Instrument, order: Mapping[str, Any], raw: Mapping[str, Any]
) -> tuple[Decimal | None, str | None]:
    fee = order.get("fee")
    if isinstance(fee, Mapping) and fee.get("cost") is not None:
        return decimal_or_none(fee.get("cost")), str(fee.get("currency") or "") or None
    bybit = decimal_or_none(raw.get("cumExecFee"))
    return (bybit, instrument.settle) if bybit is not None else (None, None)
