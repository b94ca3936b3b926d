"""Working stops and take-profits that rest as orders of their own.

For it: reading them whole, or saying why not. Attached stops come with the positions. Left to
others: whether they cover a leg.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from messages.values import OrderSide, Side
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
from venues.order_records import STATUSES, closes_all
from venues.sides import order_side, position_side
from venues.strict import MalformedReplyError, more_rows

CHEAPER_ONE_BY_ONE = 30
"""Symbols up to which Binance's trigger orders are asked for one by one."""


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
            if client.facts.exchange == "mexc":
                await _read_mexc(client, symbols, found)
            async for row, trigger in _rows(client, symbols, found):
                try:
                    order = _read(client, row, trigger=trigger)
                except MalformedReplyError as error:
                    found.lacks(str(error))
                    continue
                if order is None or (symbols and order.symbol not in symbols):
                    continue
                # Bitget's unified account answers each question with the same list.
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
    exchange = client.exchange
    if client.facts.exchange == "bybit":
        for params in client.facts.reads(client.settings.settles):
            for row in await bybit_pages(client, None, {**params, "trigger": True}):
                yield row, True
        return
    asked: tuple[str | None, ...] = symbols
    # One call for all symbols weighs 40 on Binance, one for a symbol weighs 1: the limiter would
    # hold every other request of the account back for two seconds.
    if client.facts.exchange == "binanceusdm" and not 0 < len(symbols) <= CHEAPER_ONE_BY_ONE:
        asked = (None,)
    for symbol in asked:
        for kind in client.facts.triggers or ({},):
            rows = list(await exchange.fetch_open_orders(symbol, None, None, dict(kind)))
            if more_rows(client.facts.trigger_page):
                found.lacks(f"more trigger orders of {symbol} rest than were listed")
            for row in rows:
                yield row, bool(kind)


async def _read_mexc(client: Client, symbols: tuple[str, ...], found: _Found) -> None:
    """MEXC's stops of positions, which ccxt does not read (documentation of stoporder/open_orders).

    `state` 1 is untriggered, `positionType` 1 long and 2 short; `vol` is in contracts.
    """
    for symbol in symbols:
        instrument = client.instruments.get(symbol)
        if instrument is None:
            found.lacks(f"{symbol} is not listed")
            continue
        body = await client.exchange.contractPrivateGetStoporderOpenOrders(
            {"symbol": instrument.venue_id}
        )
        for row in body["data"]:
            if str(row.get("state")) != "1":
                continue
            leg = {"1": Side.LONG, "2": Side.SHORT}.get(str(row.get("positionType")))
            volume = positive_or_none(row.get("vol"))
            if leg is None or volume is None or row.get("symbol") != instrument.venue_id:
                found.lacks(f"a stop of a position in {symbol} lacks its side or size")
                continue
            for name, is_stop in (("stopLossPrice", True), ("takeProfitPrice", False)):
                price = positive_or_none(row.get(name))
                if price is not None:
                    found.orders.append(
                        ProtectiveOrder(
                            kind=ProtectionKind.ATTACHED,
                            symbol=symbol,
                            side=leg.closing,
                            trigger_price=price,
                            quantity=volume * instrument.contract_size,
                            position_side=leg,
                            order_id=str(row.get("id") or ""),
                            is_stop=is_stop,
                        )
                    )


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
    side = order_side(client.facts.exchange, order.get("side"), raw)
    if instrument is None or side is None:
        raise MalformedReplyError(f"trigger order {order.get('id')!r} lacks its symbol or side")
    return ProtectiveOrder(
        kind=ProtectionKind.ALGO if raw.get("algoId") else ProtectionKind.TRIGGER,
        symbol=instrument.symbol,
        side=side,
        trigger_price=price,
        quantity=_quantity(client, instrument, order, raw),
        position_side=position_side(raw),
        reduce_only=_reduces(order, raw, side),
        order_id=str(order.get("id") or ""),
        client_order_id=from_venue(client.facts.exchange, order.get("clientOrderId")),
        is_stop=_is_stop(order, raw, side, price),
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
    # Bybit's closeOnTrigger makes room for a stop of a size; that of a position is written 0.
    whole = closes_all(raw) and client.facts.exchange != "bybit"
    if whole or amount == 0 or (amount is None and any(size == 0 for size in written)):
        return None
    if amount is None:
        raise MalformedReplyError(f"trigger order {order.get('id')!r} lacks its size")
    return amount * instrument.contract_size


def _reduces(order: Order, raw: Mapping[str, Any], side: OrderSide) -> bool:
    names = ("reduceOnly", "closeOnTrigger", "closePosition", "closeOrder")
    named = (order.get("reduceOnly"), *(raw.get(name) for name in names))
    if any(str(value).lower() in ("true", "yes", "1") for value in named if value is not None):
        return True
    # In hedge mode an order that sells the long leg, or buys the short one, can only reduce it.
    leg = position_side(raw)
    return leg is not None and side is leg.closing


def _is_stop(order: Order, raw: Mapping[str, Any], side: OrderSide, trigger: Decimal) -> bool:
    """A stop triggers where the price has moved against the leg; a take-profit the other way."""
    kind = _words(raw)
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
    ("triggerType", "1"): False,
    ("triggerType", "2"): True,
}
"""Whether an order fires on a falling price, as Bybit, KuCoin, Gate and MEXC say it."""


def _direction(raw: Mapping[str, Any]) -> tuple[str, str]:
    inner = raw.get("trigger")
    at = {**raw, **inner} if isinstance(inner, Mapping) else raw
    for key in ("triggerDirection", "stop", "rule", "triggerType"):
        if (key, str(at.get(key))) in _FALLING:
            return key, str(at.get(key))
    return "", ""
