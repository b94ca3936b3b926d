"""Order records out of ccxt's orders. What a record lacks is an error, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from messages.venue import Instrument, OrderRecord, OrderStatus
from venues.client import Client
from venues.exchanges.base import Facts, names_one_of, raw_of
from venues.numbers import decimal_or_none, instant_or_none, positive_or_none
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
    raw = raw_of(order)
    hooks = client.hooks
    order_id = str(order.get("id") or "")
    side = hooks.order_side(order.get("side"), raw)
    amount = positive_or_none(order.get("amount"))
    filled = decimal_or_none(order.get("filled"))
    status = STATUSES.get(str(order.get("status") or "").lower())
    if amount is None and hooks.closes_all(raw):
        # A stop for a whole position has no size of its own.
        amount = Decimal(0)
    waits = status is OrderStatus.OPEN and _is_conditional(client.facts, raw)
    if waits and (filled is None or not hooks.tells_fill(raw)):
        # What a condition has yet to allow has no fill, and these rows have no place for one.
        filled = Decimal(0)
    lacking = [
        name
        for name, bad in (
            ("id", not order_id),
            ("side", side is None),
            (
                "amount",
                amount is None
                or not (hooks.closes_all(raw) or names_one_of(client.facts.amount_fields, raw)),
            ),
            ("status", status is None),
            ("filled amount", filled is None or not (waits or hooks.tells_fill(raw))),
        )
        if bad
    ]
    if lacking:
        raise MalformedReplyError(f"order record {order_id!r} lacks {', '.join(lacking)}")
    assert amount is not None
    assert side is not None
    assert filled is not None
    assert status is not None
    fee, currency = _fee(client, instrument, order, raw)
    size = instrument.contract_size
    return OrderRecord(
        order_id=order_id,
        client_order_id=hooks.from_venue_id(order.get("clientOrderId") or ""),
        symbol=instrument.symbol,
        side=side,
        status=judged(status, amount, filled),
        quantity=amount * size,
        filled=filled * size,
        average=positive_or_none(order.get("average")),
        price=positive_or_none(order.get("price")),
        trigger_price=_trigger(client.facts, order, raw),
        reduce_only=_reduce_only(order, raw),
        position_side=hooks.position_side(raw),
        fee=fee,
        fee_currency=currency,
        created_at=instant_or_none(order.get("timestamp")),
        updated_at=instant_or_none(order.get("lastUpdateTimestamp")),
    )


def _is_conditional(facts: Facts, raw: Mapping[str, Any]) -> bool:
    return any(name in raw for name in facts.conditional_fields)


def _trigger(facts: Facts, order: Mapping[str, Any], raw: Mapping[str, Any]) -> Decimal | None:
    """The price at which a conditional order fires; of other orders, those are attached prices."""
    names = ["triggerPrice"]
    if _is_conditional(facts, raw):
        names += ["stopLossPrice", "takeProfitPrice"]
    prices = (positive_or_none(order.get(name)) for name in names)
    return next((price for price in prices if price is not None), None)


def judged(status: OrderStatus, amount: Decimal, filled: Decimal) -> OrderStatus:
    """An order's status by what it filled. Sizes in one unit, whichever.

    ccxt calls an order closed that was filled in part and cancelled: it is not.
    """
    if status is OrderStatus.FILLED and filled < amount:
        return OrderStatus.CANCELED
    if status is OrderStatus.CANCELED and Decimal(0) < amount <= filled:
        return OrderStatus.FILLED
    return status


def _reduce_only(order: Mapping[str, Any], raw: Mapping[str, Any]) -> bool | None:
    for value in (order.get("reduceOnly"), raw.get("reduceOnly"), raw.get("closeOnTrigger")):
        if value is not None and value != "":
            return str(value).lower() in ("true", "yes", "1")
    return None


def _fee(
    client: Client, instrument: Instrument, order: Mapping[str, Any], raw: Mapping[str, Any]
) -> tuple[Decimal | None, str | None]:
    fee = order.get("fee")
    if isinstance(fee, Mapping) and fee.get("cost") is not None:
        return decimal_or_none(fee.get("cost")), str(fee.get("currency") or "") or None
    return client.hooks.order_fee(raw, instrument.settle) or (None, None)
