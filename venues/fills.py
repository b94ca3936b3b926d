"""The account's executions of a symbol: every page since an instant, forced closes told apart.

The history is complete, or there is an error. Which fills closed which leg is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from messages.values import ZERO
from messages.venue import Fill, Fills, Instrument, VenueError
from venues.client import Client, VenueCallError
from venues.exchanges.base import FillAsk, Trade
from venues.numbers import instant_or_none, milliseconds, positive_or_none
from venues.orders import instrument_of
from venues.strict import MalformedReplyError, taken

_MOST_PAGES = 500
_OLDER_ORDERS = timedelta(days=1)
"""An order is older than its fills."""


async def fetch_fills(client: Client, symbol: str, since: datetime) -> Fills | VenueError:
    """Fills since an instant (aware UTC), oldest first; quantities in base units."""
    try:
        await client.ready()
        instrument = instrument_of(client, symbol)
        async with client.call("fetch_fills"):
            fills = await _read(client, instrument, since)
    except VenueCallError as failed:
        return failed.error
    unique = {fill.fill_id: fill for fill in fills if fill.at >= since}
    return Fills(
        symbol=symbol, since=since, fills=tuple(sorted(unique.values(), key=lambda f: f.at))
    )


async def _read(client: Client, instrument: Instrument, since: datetime) -> list[Fill]:
    trades: list[Trade] = []
    for start, end in _windows(client, since):
        trades += await _window(client, instrument, start, end)
    names: dict[str, str] = {}
    if trades and client.facts.nameless_fills:
        names = await _client_ids(client, instrument, since - _OLDER_ORDERS)
    return [_fill(client, instrument, trade, names) for trade in trades]


def _windows(client: Client, since: datetime) -> list[tuple[datetime, datetime]]:
    windows: list[tuple[datetime, datetime]] = []
    start, end = since, client.now() + timedelta(minutes=1)
    span = client.facts.fill_window
    while start < end:
        stop = end if span is None else min(start + span - timedelta(seconds=1), end)
        windows.append((start, stop))
        start = stop
    return windows


async def _window(
    client: Client, instrument: Instrument, start: datetime, end: datetime
) -> list[Trade]:
    """All pages of one window. Raises `MalformedReplyError` where they do not come to an end."""
    found: dict[str, Trade] = {}
    seen: set[str] = set()
    at = ""
    for _ in range(_MOST_PAGES):
        page = await client.hooks.fill_page(client, instrument, FillAsk(start, end, at))
        ids = [str(trade.get("id") or id(trade)) for trade in page.trades]
        new = {key: trade for key, trade in zip(ids, page.trades, strict=True) if key not in found}
        # Where pages go backwards, a later page is older.
        found = {**new, **found} if client.facts.newest_first else {**found, **new}
        if not page.next:
            return list(found.values())
        if page.next in seen or (page.trades and not new):
            raise MalformedReplyError("the pages of fills go round in a circle")
        seen.add(page.next)
        at = page.next
    raise MalformedReplyError(f"fills did not end after {_MOST_PAGES} pages")


async def _client_ids(client: Client, instrument: Instrument, since: datetime) -> dict[str, str]:
    """Whose each order was, by the venue's id, where its fills do not say: out of all orders."""
    names: dict[str, str] = {}
    for start, end in _windows(client, since):
        at = milliseconds(start)
        until = {"endTime": milliseconds(end)}
        for _ in range(_MOST_PAGES):
            size = client.facts.fill_page
            page = await client.exchange.fetch_orders(instrument.symbol, at, size, until)
            # What ccxt filtered out still filled the page.
            full = taken() >= size
            new = [order for order in page if str(order.get("id")) not in names]
            names.update({str(o.get("id")): str(o.get("clientOrderId") or "") for o in new})
            if not full:
                break
            if not new:
                raise MalformedReplyError("a full page of orders repeats itself")
            at = max(int(order["timestamp"]) for order in new)
        else:
            raise MalformedReplyError(f"orders did not end after {_MOST_PAGES} pages")
    return names


def _fill(client: Client, instrument: Instrument, trade: Trade, names: Mapping[str, str]) -> Fill:
    """Raises `MalformedReplyError` where id, side, size, price or time lack."""
    hooks, size = client.hooks, instrument.contract_size
    raw = trade.get("info")
    raw = raw if isinstance(raw, Mapping) else {}
    amount = hooks.fill_size(trade, raw)
    price = positive_or_none(trade.get("price"))
    at = instant_or_none(trade.get("timestamp"))
    side = hooks.order_side(trade.get("side"), raw)
    if amount is None or price is None or at is None or side is None:
        raise MalformedReplyError(f"fill {trade.get('id')!r} lacks side, size, price or time")
    fill_id, order_id = str(trade.get("id") or ""), str(trade.get("order") or "")
    if not fill_id:
        raise MalformedReplyError("a fill without an id")
    told = names.get(order_id) or _client_id(raw)
    closed = hooks.fill_closed(raw)
    fee, currency = hooks.fill_fee(trade, raw)
    return Fill(
        fill_id=fill_id,
        order_id=order_id,
        symbol=instrument.symbol,
        side=side,
        quantity=amount * size,
        price=price,
        at=at,
        client_order_id=hooks.from_venue_id(told) if told else None,
        position_side=hooks.position_side(raw),
        closed_quantity=None if closed is None else closed * size,
        realized_pnl=hooks.fill_pnl(raw),
        fee=fee or ZERO,
        fee_currency=currency,
        kind=hooks.fill_kind(raw, told),
    )


_CLIENT_IDS = (
    "orderLinkId",
    "clOrdId",
    "clientOid",
    "text",
    "cliOrdId",
    "cloid",
    "clientOrderId",
    "clientOrderID",
)
"""What venues call a client order id in a fill."""


def _client_id(raw: Mapping[str, Any]) -> str:
    return next((str(raw[key]) for key in _CLIENT_IDS if raw.get(key)), "")
