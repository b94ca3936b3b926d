"""The account's executions of a symbol: every page since an instant, of all kinds.

The history is complete, or there is an error. Which fills closed which leg is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from messages.values import ZERO
from messages.venue import Fill, Fills, Instrument, VenueError
from venues.client import Client, VenueCallError
from venues.exchanges.values import Ask, Order, Trade
from venues.numbers import instant_or_none, positive_or_none
from venues.orders import instrument_of
from venues.pages import read_pages, windows
from venues.strict import MalformedReplyError

_OLDER_ORDERS = timedelta(days=1)
"""An order is older than its fills."""


async def fetch_fills(client: Client, symbol: str, since: datetime) -> Fills | VenueError:
    """Fills since an instant (aware UTC), oldest first; quantities in base units.

    The answer's own `since` is later where the venue does not keep its history so long.
    """
    try:
        await client.ready()
        instrument = instrument_of(client, symbol)
        async with client.call("fetch_fills"):
            fills = await _read(client, instrument, since, named=client.facts.nameless_fills)
    except VenueCallError as failed:
        return failed.error
    return _whole(client, symbol, since, fills)


async def order_fills(
    client: Client, symbol: str, order_id: str, since: datetime
) -> Fills | VenueError:
    """Fills of one order, found by the venue's id; they bear no client order id where the venue's
    do not: naming them would cost a second question, and the order is known."""
    try:
        await client.ready()
        instrument = instrument_of(client, symbol)
        async with client.call("order_fills"):
            fills = await _read(client, instrument, since, named=False)
    except VenueCallError as failed:
        return failed.error
    own = [fill for fill in fills if fill.order_id == order_id]
    return _whole(client, symbol, since, own)


def _whole(client: Client, symbol: str, since: datetime, fills: list[Fill]) -> Fills:
    kept = client.facts.fill_history
    # One trade of ours with ourselves is two fills of one id.
    unique = {_key(fill): fill for fill in fills if fill.at >= since}
    return Fills(
        symbol=symbol,
        since=since if kept is None else max(since, client.now() - kept),
        fills=tuple(sorted(unique.values(), key=lambda fill: fill.at)),
    )


def _key(fill: Fill) -> tuple[str, str, str]:
    return fill.fill_id, fill.order_id, fill.side.value


async def _read(
    client: Client, instrument: Instrument, since: datetime, *, named: bool
) -> list[Fill]:
    """`named`: with whose each order was, where that is a question of its own."""

    async def page(ask: Ask) -> tuple[list[Trade], str]:
        trades, following = await client.hooks.fill_page(client, instrument, ask)
        return _of_instrument(client, instrument, trades), following

    trades: list[Trade] = []
    for start, end in windows(client.now(), since, client.facts.fill_window):
        found = await read_pages(page, start, end, _trade_key)
        # Of fills of one instant, the order in which they came decides.
        trades += reversed(found) if _backwards(client, found) else found
    names: dict[str, str] = {}
    if trades and named:
        names = await _client_ids(client, instrument, since - _OLDER_ORDERS)
    return [_fill(client, instrument, trade, names) for trade in trades]


def _of_instrument(client: Client, instrument: Instrument, trades: list[Trade]) -> list[Trade]:
    """Those of this instrument. Raises `MalformedReplyError` where others were not to come."""
    own = [trade for trade in trades if client.hooks.is_of(client, instrument, trade["info"])]
    if len(own) < len(trades) and not client.hooks.lists_whole_account(client):
        raise MalformedReplyError(f"asked for {instrument.venue_id}, got others")
    return own


def _backwards(client: Client, trades: list[Trade]) -> bool:
    """Whether the newest came first: by their times, or as the venue documents it."""
    times = [at for trade in trades if (at := instant_or_none(trade.get("timestamp")))]
    if times and times[0] != times[-1]:
        return times[0] > times[-1]
    return client.facts.newest_first


def _trade_key(trade: Trade) -> str:
    fill_id = str(trade.get("id") or id(trade))
    return f"{fill_id} {trade.get('order')} {trade.get('side')}"


async def _client_ids(client: Client, instrument: Instrument, since: datetime) -> dict[str, str]:
    """Whose each order was, by the venue's id, where its fills do not say: out of all orders."""
    size = client.facts.fill_page

    async def page(ask: Ask) -> tuple[list[Order], str]:
        at = int(ask.at or ask.start_ms)
        until = {"endTime": ask.end_ms, "limit": size}
        orders = list(await client.exchange.fetch_orders(instrument.symbol, at, None, until))
        return orders, client.hooks.next_by_time(orders)

    names: dict[str, str] = {}
    for start, end in windows(client.now(), since, client.facts.fill_window):
        orders = await read_pages(page, start, end, lambda order: str(order.get("id")))
        names.update((str(o.get("id")), str(o.get("clientOrderId") or "")) for o in orders)
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
        kind=hooks.fill_kind(client, raw, told),
    )


_CLIENT_IDS = (
    "orderLinkId",
    "clOrdId",
    "clientOid",
    "text",
    "cliOrdId",
    "cli_ord_id",
    "cloid",
    "clientOrderId",
    "clientOrderID",
)
"""What venues call a client order id in a fill."""


def _client_id(raw: Mapping[str, Any]) -> str:
    return next((str(raw[key]) for key in _CLIENT_IDS if raw.get(key)), "")
