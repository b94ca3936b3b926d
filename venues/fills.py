"""The account's executions of a symbol: every page since an instant, liquidations told apart.

For it: complete history, or an error. Left to others: which fills closed which leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from messages.values import ZERO
from messages.venue import Fill, FillKind, Fills, Instrument, VenueError
from venues.client import Client, VenueCallError
from venues.ids import from_venue
from venues.numbers import decimal_or_none, instant_or_none, milliseconds, positive_or_none
from venues.orders import instrument_of
from venues.sides import order_side, position_side
from venues.strict import MalformedReplyError, next_cursor, place_of, rows_at, taken

_WINDOW = timedelta(days=7)
"""Bybit and Binance refuse wider windows of history."""
_MOST_PAGES = 500
_BYBIT_PAGE, _BINANCE_PAGE, _OTHER_PAGE = 100, 1000, 100

Trade = Mapping[str, Any]


async def fetch_fills(client: Client, symbol: str, since: datetime) -> Fills | VenueError:
    """Fills since an instant (aware UTC), oldest first; quantities in base units."""
    try:
        await client.ready()
        instrument = instrument_of(client, symbol)
        async with client.call("fetch_fills"):
            read = _READERS.get(client.facts.exchange, _elsewhere)
            fills = await read(client, instrument, since)
    except VenueCallError as failed:
        return failed.error
    unique = {fill.fill_id: fill for fill in fills if fill.at >= since}
    return Fills(
        symbol=symbol, since=since, fills=tuple(sorted(unique.values(), key=lambda f: f.at))
    )


def _windows(client: Client, since: datetime) -> list[tuple[int, int]]:
    windows: list[tuple[int, int]] = []
    start, end = since, client.now() + timedelta(minutes=1)
    while start < end:
        stop = min(start + _WINDOW - timedelta(seconds=1), end)
        windows.append((milliseconds(start), milliseconds(stop)))
        start = stop
    return windows


async def _bybit(client: Client, instrument: Instrument, since: datetime) -> list[Fill]:
    """GET /v5/execution/list. ccxt's own call asks for plain trades only and hides liquidations."""
    kinds = {"Trade": FillKind.TRADE, "BustTrade": FillKind.LIQUIDATION, "AdlTrade": FillKind.ADL}
    fills: list[Fill] = []
    for start, end in _windows(client, since):
        request: dict[str, Any] = {
            "category": instrument.kind.value,
            "symbol": instrument.venue_id,
            "startTime": start,
            "endTime": end,
            "limit": _BYBIT_PAGE,
        }
        window: list[Fill] = []
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            body = await client.exchange.privateGetV5ExecutionList(request)
            for row in rows_at(body, _place(client, "/v5/execution/list")):
                # Funding is an execution too, and trades nothing.
                kind = kinds.get(str(row.get("execType")))
                if kind is not None:
                    window.append(_bybit_fill(client, instrument, row, kind))
            cursor = next_cursor()
            if not cursor:
                break
            if cursor in seen:
                raise MalformedReplyError("the pages of executions go round in a circle")
            seen.add(cursor)
            request = {**request, "cursor": cursor}
        else:
            raise MalformedReplyError(f"executions did not end after {_MOST_PAGES} pages")
        # Bybit lists the newest first, which decides between fills of one millisecond.
        fills += reversed(window)
    return fills


def _place(client: Client, path: str) -> Any:
    place = place_of(client.facts, path)
    assert place is not None
    return place


def _bybit_fill(
    client: Client, instrument: Instrument, row: Mapping[str, Any], kind: FillKind
) -> Fill:
    trade = client.exchange.parse_trade(row, client.exchange.market(instrument.symbol))
    closed = decimal_or_none(row.get("closedSize"))
    return _fill(
        client,
        instrument,
        trade,
        kind=kind,
        client_order_id=str(row.get("orderLinkId") or "") or None,
        closed=None if closed is None else closed * instrument.contract_size,
        realized=decimal_or_none(row.get("execPnl")),
    )


async def _binance(client: Client, instrument: Instrument, since: datetime) -> list[Fill]:
    """GET /fapi/v1/userTrades; whose order each was, and of what kind, is in /fapi/v1/allOrders."""
    exchange, symbol = client.exchange, instrument.symbol
    trades: dict[str, Trade] = {}
    names: dict[str, str] = {}
    for start, end in _windows(client, since):
        for trade in await _timed_pages(exchange.fetch_my_trades, symbol, start, end):
            trades[str(trade.get("id"))] = trade
    if not trades:
        return []
    # An order is older than its fills, so the look starts a window earlier.
    for start, end in _windows(client, since - timedelta(days=1)):
        for order in await _timed_pages(exchange.fetch_orders, symbol, start, end):
            names[str(order.get("id"))] = str(order.get("clientOrderId") or "")
    fills = []
    for trade in trades.values():
        name = names.get(str(trade.get("order")), "")
        raw = trade.get("info")
        fills.append(
            _fill(
                client,
                instrument,
                trade,
                kind=_binance_kind(name),
                client_order_id=name or None,
                realized=decimal_or_none(raw.get("realizedPnl"))
                if isinstance(raw, Mapping)
                else None,
            )
        )
    return fills


def _binance_kind(client_order_id: str) -> FillKind:
    """Binance marks its own forced orders by the client order id (docs of ORDER_TRADE_UPDATE)."""
    if client_order_id.startswith("adl_autoclose"):
        return FillKind.ADL
    if client_order_id.startswith("autoclose-"):
        return FillKind.LIQUIDATION
    return FillKind.TRADE


async def _timed_pages(fetch: Any, symbol: str, start: int, end: int) -> list[Any]:
    found: dict[str, Any] = {}
    at = start
    for _ in range(_MOST_PAGES):
        page = await fetch(symbol, at, _BINANCE_PAGE, {"endTime": end})
        # What ccxt filtered out still filled the page.
        full = taken() >= _BINANCE_PAGE
        new = [item for item in page if str(item.get("id")) not in found]
        found.update({str(item.get("id")): item for item in new})
        if not full:
            return list(found.values())
        if not new:
            raise MalformedReplyError("a full page of history repeats itself")
        at = max(int(item["timestamp"]) for item in new)
    raise MalformedReplyError(f"history did not end after {_MOST_PAGES} pages")


async def _mexc(client: Client, instrument: Instrument, since: datetime) -> list[Fill]:
    """GET /api/v1/private/order/list/order_deals.

    ccxt takes a row without a position mode, as the venue documents it, for one of spot: it finds
    no time in it then, and drops it for being too old.
    """
    fills: list[Fill] = []
    for start, end in _windows(client, since):
        for page in range(1, _MOST_PAGES + 1):
            request = {
                "symbol": instrument.venue_id,
                "start_time": start,
                "end_time": end,
                "page_num": page,
                "page_size": _OTHER_PAGE,
            }
            body = await client.exchange.contractPrivateGetOrderListOrderDeals(request)
            rows = rows_at(body, _place(client, "/order/list/order_deals"))
            for row in rows:
                if row.get("symbol") != instrument.venue_id:
                    raise MalformedReplyError(f"asked for {instrument.venue_id}, got others")
                trade = {
                    "id": row.get("id"),
                    "order": row.get("orderId"),
                    "amount": row.get("vol"),
                    "price": row.get("price"),
                    "timestamp": row.get("timestamp"),
                    "fee": {"cost": row.get("fee"), "currency": row.get("feeCurrency")},
                    "info": row,
                }
                fills.append(_fill(client, instrument, trade))
            if len(rows) < _OTHER_PAGE:
                break
        else:
            raise MalformedReplyError(f"fills did not end after {_MOST_PAGES} pages")
    return fills


async def _elsewhere(client: Client, instrument: Instrument, since: datetime) -> list[Fill]:
    exchange, symbol = client.exchange, instrument.symbol
    found: dict[str, Trade] = {}
    at = milliseconds(since)
    for _ in range(_MOST_PAGES):
        page = list(await exchange.fetch_my_trades(symbol, at, _OTHER_PAGE))
        new = [trade for trade in page if str(trade.get("id")) not in found]
        found.update({str(trade.get("id")): trade for trade in new})
        if taken() < _OTHER_PAGE:
            return [
                _fill(client, instrument, trade, closed=_gate_closed(instrument, trade))
                for trade in found.values()
            ]
        if not new:
            raise MalformedReplyError("a full page of fills repeats itself")
        at = max(int(trade["timestamp"]) for trade in new)
    raise MalformedReplyError(f"fills did not end after {_MOST_PAGES} pages")


def _gate_closed(instrument: Instrument, trade: Trade) -> Decimal | None:
    """Gate's `close_size` (documentation of my_trades): what of a fill closed, signed as it is.

    In dual mode nothing else tells a buy that opens a long leg from one that closes a short one.
    """
    raw = trade.get("info")
    closed = decimal_or_none(raw.get("close_size")) if isinstance(raw, Mapping) else None
    return None if closed is None else abs(closed) * instrument.contract_size


_READERS = {"bybit": _bybit, "binanceusdm": _binance, "mexc": _mexc}


def _fill(
    client: Client,
    instrument: Instrument,
    trade: Trade,
    *,
    kind: FillKind | None = None,
    client_order_id: str | None = None,
    closed: Any = None,
    realized: Any = None,
) -> Fill:
    """Raises `MalformedReplyError` where id, side, size, price or time lack."""
    raw = trade.get("info")
    raw = raw if isinstance(raw, Mapping) else {}
    amount = positive_or_none(trade.get("amount"))
    if amount is None and client.facts.exchange == "krakenfutures":
        # ccxt leaves the amount of an inverse fill out; the row has it, in contracts.
        amount = positive_or_none(raw.get("size"))
    price = positive_or_none(trade.get("price"))
    at = instant_or_none(trade.get("timestamp"))
    side = order_side(client.facts.exchange, trade.get("side"), raw)
    if amount is None or price is None or at is None or side is None:
        raise MalformedReplyError(f"fill {trade.get('id')!r} lacks side, size, price or time")
    fill_id = str(trade.get("id") or "")
    if not fill_id:
        raise MalformedReplyError("a fill without an id")
    fee = trade.get("fee")
    fee = fee if isinstance(fee, Mapping) else {}
    if client.facts.exchange == "krakenfutures":
        # The row tells none; what ccxt has is its own estimate.
        fee = {}
    cost = decimal_or_none(fee.get("cost"))
    if client.facts.exchange == "hyperliquid":
        # Its fee includes the builder's, which ccxt adds once more.
        cost = decimal_or_none(raw.get("fee"))
    told = client_order_id or _client_id(raw)
    return Fill(
        fill_id=fill_id,
        order_id=str(trade.get("order") or ""),
        symbol=instrument.symbol,
        side=side,
        quantity=amount * instrument.contract_size,
        price=price,
        at=at,
        client_order_id=from_venue(client.facts.exchange, told) if told else None,
        position_side=position_side(raw),
        closed_quantity=closed,
        realized_pnl=realized,
        fee=cost or ZERO,
        fee_currency=str(fee["currency"]) if fee.get("currency") else None,
        kind=kind or _forced(raw),
    )


def _client_id(raw: Mapping[str, Any]) -> str | None:
    keys = ("clOrdId", "clientOid", "text", "cliOrdId", "cloid", "clientOrderId", "clientOrderID")
    return next((str(raw[key]) for key in keys if raw.get(key)), None)


_OKX_LIQUIDATION = frozenset(str(number) for number in range(100, 108))
_OKX_ADL = frozenset(str(number) for number in range(125, 129))


def _forced(raw: Mapping[str, Any]) -> FillKind:
    """Forced closes as okx (a fill's `subType`), hyperliquid and kucoin (`tradeType`) name them."""
    named, sub = str(raw.get("tradeType", "")).lower(), str(raw.get("subType", ""))
    if raw.get("liquidation") or named == "liquidation" or sub in _OKX_LIQUIDATION:
        return FillKind.LIQUIDATION
    return FillKind.ADL if named == "adl" or sub in _OKX_ADL else FillKind.TRADE
