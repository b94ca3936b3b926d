"""Working stops and take-profits that rest as orders of their own.

For it: reading them whole, or saying why not. Attached stops come with the positions. Left to
others: whether they cover a leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from messages.values import OrderSide
from messages.venue import (
    Instrument,
    Protection,
    ProtectionKind,
    ProtectiveOrder,
    VenueError,
    VenueErrorKind,
)
from venues.client import Client, VenueCallError
from venues.ids import from_venue
from venues.lookups import Order, bybit_pages
from venues.numbers import decimal_or_none, positive_or_none
from venues.records import order_side, position_side
from venues.strict import MalformedReplyError


async def fetch_protection(client: Client, symbols: tuple[str, ...]) -> Protection:
    """Trigger orders of the symbols. What cannot be read is among `problems`, never left out."""
    started = client.now()
    orders: list[ProtectiveOrder] = []
    problems: list[VenueError] = []
    try:
        await client.ready()
        async with client.call("fetch_protection"):
            for row in await _rows(client, symbols):
                if symbols and row.get("symbol") not in symbols:
                    continue
                try:
                    found = _read(client, row)
                except MalformedReplyError as error:
                    problems.append(VenueError(kind=VenueErrorKind.MALFORMED, message=str(error)))
                    continue
                if found is not None:
                    orders.append(found)
    except VenueCallError as failed:
        problems.append(failed.error)
    return Protection(started_at=started, orders=tuple(orders), problems=tuple(problems))


async def _rows(client: Client, symbols: tuple[str, ...]) -> list[Order]:
    exchange = client.exchange
    if client.facts.exchange == "bybit":
        rows: list[Order] = []
        for params in client.facts.reads(client.settings.settles):
            rows += await bybit_pages(client, None, {**params, "trigger": True})
        return rows
    if client.facts.exchange == "binanceusdm":
        symbol = symbols[0] if len(symbols) == 1 else None
        return list(await exchange.fetch_open_orders(symbol, None, None, {"trigger": True}))
    rows = []
    for symbol in symbols:
        for kind in client.facts.triggers or ({},):
            rows += list(await exchange.fetch_open_orders(symbol, None, None, dict(kind)))
    return rows


def _read(client: Client, order: Order) -> ProtectiveOrder | None:
    """One trigger order; None for what is no trigger order. Raises `MalformedReplyError`."""
    raw = order.get("info")
    raw = raw if isinstance(raw, Mapping) else {}
    if order.get("status") not in (None, "open"):
        return None
    trigger = next(
        (
            price
            for name in ("triggerPrice", "stopLossPrice", "takeProfitPrice", "stopPrice")
            if (price := positive_or_none(order.get(name))) is not None
        ),
        None,
    )
    if trigger is None:
        return None
    instrument = client.instruments.get(str(order.get("symbol")))
    side = order_side(client.facts.exchange, order.get("side"), raw)
    if instrument is None or side is None:
        raise MalformedReplyError(f"trigger order {order.get('id')!r} lacks its symbol or side")
    return ProtectiveOrder(
        kind=ProtectionKind.ALGO if raw.get("algoId") else ProtectionKind.TRIGGER,
        symbol=instrument.symbol,
        side=side,
        trigger_price=trigger,
        quantity=_quantity(instrument, order, raw),
        position_side=position_side(raw),
        reduce_only=_reduces(order, raw),
        order_id=str(order.get("id") or ""),
        client_order_id=from_venue(client.facts.exchange, order.get("clientOrderId")),
        is_stop=_is_stop(order, raw, side, trigger),
    )


def _quantity(instrument: Instrument, order: Order, raw: Mapping[str, Any]) -> Decimal | None:
    """Base units; None where the order closes the whole position, whatever its size."""
    # Binance closePosition, OKX closeFraction: the order follows the position's size.
    whole = str(raw.get("closePosition", "")).lower() == "true" or raw.get("closeFraction") == "1"
    amount = decimal_or_none(order.get("amount"))
    if whole or amount == 0:
        return None
    if amount is None:
        raise MalformedReplyError(f"trigger order {order.get('id')!r} lacks its size")
    return amount * instrument.contract_size


def _reduces(order: Order, raw: Mapping[str, Any]) -> bool:
    named = (order.get("reduceOnly"), raw.get("reduceOnly"), raw.get("closeOnTrigger"))
    if any(str(value).lower() in ("true", "yes", "1") for value in named if value is not None):
        return True
    if str(raw.get("closePosition", "")).lower() == "true":
        return True
    # In hedge mode an order that sells the long leg, or buys the short one, can only reduce it.
    leg = position_side(raw)
    return leg is not None and str(order.get("side")).lower() == leg.closing.value


def _is_stop(order: Order, raw: Mapping[str, Any], side: OrderSide, trigger: Decimal) -> bool:
    """A stop triggers where the price has moved against the leg; a take-profit the other way."""
    direction = str(raw.get("triggerDirection", ""))
    if direction in ("1", "2"):
        return (direction == "2") == (side is OrderSide.SELL)
    kind = str(raw.get("orderType") or raw.get("type") or raw.get("planType") or "").lower()
    if "take" in kind or "profit_plan" in kind or kind == "pos_profit":
        return False
    return positive_or_none(order.get("takeProfitPrice")) != trigger
