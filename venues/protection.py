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

CHEAPER_ONE_BY_ONE = 30
"""Symbols up to which Binance's trigger orders are asked for one by one."""


async def fetch_protection(client: Client, symbols: tuple[str, ...]) -> Protection:
    """Trigger orders of the symbols. What cannot be read is among `problems`, never left out."""
    started = client.now()
    orders: list[ProtectiveOrder] = []
    problems: list[VenueError] = []
    try:
        await client.ready()
        async with client.call("fetch_protection"):
            for row in await _rows(client, symbols):
                try:
                    found = _read(client, row)
                except MalformedReplyError as error:
                    problems.append(VenueError(kind=VenueErrorKind.MALFORMED, message=str(error)))
                    continue
                if found is not None and (not symbols or found.symbol in symbols):
                    orders.append(found)
    except VenueCallError as failed:
        problems.append(failed.error)
    return Protection(started_at=started, orders=tuple(orders), problems=tuple(problems))


async def _rows(client: Client, symbols: tuple[str, ...]) -> list[Order]:
    exchange = client.exchange
    rows: list[Order] = []
    if client.facts.exchange == "bybit":
        for params in client.facts.reads(client.settings.settles):
            rows += await bybit_pages(client, None, {**params, "trigger": True})
        return rows
    if client.facts.exchange == "binanceusdm":
        # One call for all symbols weighs 40 on Binance, one for a symbol weighs 1: the limiter
        # would hold every other request of the account back for two seconds.
        asked = symbols if 0 < len(symbols) <= CHEAPER_ONE_BY_ONE else (None,)
        for symbol in asked:
            rows += await exchange.fetch_open_orders(symbol, None, None, {"trigger": True})
        return rows
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
    instrument = client.instruments.get(str(order.get("symbol"))) or client.by_venue_id(
        str(raw.get("symbol"))
    )
    side = order_side(client.facts.exchange, order.get("side"), raw)
    if instrument is None or side is None:
        raise MalformedReplyError(f"trigger order {order.get('id')!r} lacks its symbol or side")
    return ProtectiveOrder(
        kind=ProtectionKind.ALGO if raw.get("algoId") else ProtectionKind.TRIGGER,
        symbol=instrument.symbol,
        side=side,
        trigger_price=trigger,
        quantity=_quantity(client, instrument, order, raw),
        position_side=position_side(raw),
        reduce_only=_reduces(order, raw),
        order_id=str(order.get("id") or ""),
        client_order_id=from_venue(client.facts.exchange, order.get("clientOrderId")),
        is_stop=_is_stop(order, raw, side, trigger),
    )


def _quantity(
    client: Client, instrument: Instrument, order: Order, raw: Mapping[str, Any]
) -> Decimal | None:
    """Base units; None where the order closes the whole position, whatever its size."""
    # Binance closePosition, OKX closeFraction: the order follows the position's size.
    whole = str(raw.get("closePosition", "")).lower() == "true" or raw.get("closeFraction") == "1"
    amount = decimal_or_none(order.get("amount"))
    written = (decimal_or_none(raw.get(name)) for name in client.facts.amount_fields)
    if whole or amount == 0 or (amount is None and any(size == 0 for size in written)):
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
    named = (raw.get(key) for key in ("stopOrderType", "orderType", "type", "planType"))
    kind = " ".join(str(word) for word in named if word).lower()
    if "take" in kind or "profit_plan" in kind or "pos_profit" in kind:
        return False
    falling = _FALLING.get(_direction(raw))
    if falling is not None and "stoploss" not in kind:
        return falling == (side is OrderSide.SELL)
    return "stoploss" in kind or positive_or_none(order.get("takeProfitPrice")) != trigger


_FALLING = {
    ("triggerDirection", "1"): False,
    ("triggerDirection", "2"): True,
    ("stop", "up"): False,
    ("stop", "down"): True,
    ("rule", "1"): False,
    ("rule", "2"): True,
}
"""Whether an order fires on a falling price, as Bybit, KuCoin and Gate say it."""


def _direction(raw: Mapping[str, Any]) -> tuple[str, str]:
    inner = raw.get("trigger")
    at = {**raw, **inner} if isinstance(inner, Mapping) else raw
    for key in ("triggerDirection", "stop", "rule"):
        if (key, str(at.get(key))) in _FALLING:
            return key, str(at.get(key))
    return "", ""
