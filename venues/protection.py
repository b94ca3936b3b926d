"""Working stops and take-profits that rest as orders of their own.

They are read whole, or it is said why not. Attached stops come with the positions; whether any of
them covers a leg is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
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
from venues.exchanges.base import Exchange, Order, is_true
from venues.lookups import open_pages
from venues.numbers import decimal_or_none, positive_or_none
from venues.order_records import STATUSES
from venues.strict import MalformedReplyError, last_body


@dataclass(slots=True)
class _Found:
    orders: list[ProtectiveOrder] = field(default_factory=list)
    problems: list[VenueError] = field(default_factory=list)

    def lacks(self, why: str) -> None:
        self.problems.append(VenueError(kind=VenueErrorKind.MALFORMED, message=why))


async def fetch_protection(client: Client, symbols: tuple[str, ...]) -> Protection:
    """Trigger orders of the symbols. What cannot be read is among `problems`, never left out."""
    started = client.now()
    found = _Found()
    seen: set[str] = set()
    try:
        await client.ready()
        async with client.call("fetch_protection"):
            attached, unclear = await client.hooks.attached_stops(client, symbols)
            found.orders += attached
            for why in unclear:
                found.lacks(why)
            async for row, trigger in _rows(client, symbols, found):
                try:
                    order = _read(client, row, trigger=trigger)
                except MalformedReplyError as error:
                    found.lacks(str(error))
                    continue
                if order is None or (symbols and order.symbol not in symbols):
                    continue
                # Some answer each question with the same list.
                if not order.order_id or order.order_id not in seen:
                    found.orders.append(order)
                seen.add(order.order_id)
    except VenueCallError as failed:
        found.problems.append(failed.error)
    return Protection(
        started_at=started, orders=tuple(found.orders), problems=tuple(found.problems)
    )


async def _rows(
    client: Client, symbols: tuple[str, ...], found: _Found
) -> AsyncIterator[tuple[Order, bool]]:
    """The orders that may protect, each with whether it stood in a list of trigger orders."""
    for symbol, params in client.hooks.trigger_order_reads(symbols, client.settings.settles):
        rows = await open_pages(client, symbol, params)
        if client.hooks.more_rows(last_body(), len(client.hooks.rows_taken())):
            found.lacks(f"more trigger orders of {symbol} rest than were listed")
        for row in client.hooks.protecting(rows):
            yield row, bool(params)


def _read(client: Client, order: Order, *, trigger: bool) -> ProtectiveOrder | None:
    """One trigger order; None for what is no trigger order. Raises `MalformedReplyError`."""
    raw = order.get("info")
    raw = raw if isinstance(raw, Mapping) else {}
    status = str(order.get("status") or "open")
    if status not in STATUSES:
        raise MalformedReplyError(f"trigger order {order.get('id')!r} is {status!r}")
    if STATUSES[status].final:
        return None
    price = next(
        (
            price
            for name in ("triggerPrice", "stopLossPrice", "takeProfitPrice", "stopPrice")
            if (price := positive_or_none(order.get(name))) is not None
        ),
        None,
    )
    if price is None:
        if not trigger and not any(word in _words(raw) for word in ("trail", "stop", "take")):
            return None
        # A trailing stop that waits has no price yet, but it may protect all the same.
        raise MalformedReplyError(f"trigger order {order.get('id')!r} names no price")
    instrument = client.instruments.get(str(order.get("symbol"))) or client.by_venue_id(
        str(raw.get("symbol"))
    )
    side = client.hooks.order_side(order.get("side"), raw)
    if instrument is None or side is None:
        raise MalformedReplyError(f"trigger order {order.get('id')!r} lacks its symbol or side")
    return ProtectiveOrder(
        kind=ProtectionKind.ALGO if raw.get("algoId") else ProtectionKind.TRIGGER,
        symbol=instrument.symbol,
        side=side,
        trigger_price=price,
        quantity=_quantity(client, instrument, order, raw),
        position_side=client.hooks.position_side(raw),
        reduce_only=_reduces(client.hooks, order, raw, side),
        order_id=str(order.get("id") or ""),
        client_order_id=client.hooks.from_venue_id(order.get("clientOrderId") or ""),
        is_stop=_is_stop(client.hooks, order, raw, side, price),
    )


def _words(raw: Mapping[str, Any]) -> str:
    """What a venue calls the order, in its own words."""
    named = (raw.get(key) for key in ("stopOrderType", "orderType", "type", "planType", "ordType"))
    return " ".join(str(word) for word in named if word).lower()


def _quantity(
    client: Client, instrument: Instrument, order: Order, raw: Mapping[str, Any]
) -> Decimal | None:
    """Base units; None where the order closes the whole position, whatever its size."""
    amount = decimal_or_none(order.get("amount"))
    written = (decimal_or_none(raw.get(name)) for name in client.facts.amount_fields)
    if (
        client.hooks.covers_all(raw)
        or amount == 0
        or (amount is None and any(size == 0 for size in written))
    ):
        return None
    if amount is None:
        raise MalformedReplyError(f"trigger order {order.get('id')!r} lacks its size")
    return amount * instrument.contract_size


def _reduces(hooks: Exchange, order: Order, raw: Mapping[str, Any], side: OrderSide) -> bool:
    names = ("reduceOnly", "closeOnTrigger", "closePosition", "closeOrder")
    named = (order.get("reduceOnly"), *(raw.get(name) for name in names))
    if any(is_true(value) for value in named if value is not None):
        return True
    # In hedge mode an order that sells the long leg, or buys the short one, can only reduce it.
    leg = hooks.position_side(raw)
    return leg is not None and side is leg.closing


def _is_stop(
    hooks: Exchange, order: Order, raw: Mapping[str, Any], side: OrderSide, trigger: Decimal
) -> bool:
    """A stop triggers where the price has moved against the leg; a take-profit the other way."""
    kind = _words(raw)
    if "take" in kind or "profit_plan" in kind or "pos_profit" in kind:
        return False
    falling = _falls(hooks, raw)
    if falling is not None and "stoploss" not in kind:
        return falling == (side is OrderSide.SELL)
    return "stoploss" in kind or positive_or_none(order.get("takeProfitPrice")) != trigger


def _falls(hooks: Exchange, raw: Mapping[str, Any]) -> bool | None:
    """Whether an order fires on a falling price, where the venue says so."""
    inner = raw.get("trigger")
    at = {**raw, **inner} if isinstance(inner, Mapping) else raw
    name, words = hooks.facts.falling
    return words.get(str(at.get(name))) if name else None
