"""Prices: of all contracts by one list for each kind of price, or of one symbol.

A list that is damaged is an error; a row that is costs its own contract.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from messages.venue import NotTold, Price, PriceKind, Prices, Quote, VenueError
from venues.client import Client, VenueCallError
from venues.numbers import positive_or_none
from venues.orders import instrument_of
from venues.strict import MalformedReplyError

_NAMES: Mapping[PriceKind, tuple[str, ...]] = {
    PriceKind.BOOK: ("bid", "ask"),
    PriceKind.LAST: ("last",),
    PriceKind.MARK: ("mark",),
}


async def fetch_quote(client: Client, symbol: str) -> Quote | VenueError:
    """One symbol's prices in quote currency, all kinds, at the account's clock."""
    started = client.now()
    try:
        await client.ready()
        instrument_of(client, symbol)
        async with client.call("fetch_quote"):
            found = await client.hooks.prices(client, symbol)
            prices = {name: positive_or_none(value) for name, value in found.items()}
            last, bid, ask, mark = (prices.get(name) for name in ("last", "bid", "ask", "mark"))
            if last is None or bid is None or ask is None or mark is None:
                raise MalformedReplyError(_lacking(symbol, prices, PriceKind))
    except VenueCallError as failed:
        return failed.error
    return Quote(symbol=symbol, at=started, last=last, bid=bid, ask=ask, mark=mark)


async def fetch_prices(
    client: Client, kinds: frozenset[PriceKind]
) -> Prices | NotTold | VenueError:
    """All contracts' prices of these kinds, by the venue's lists of them."""
    started = client.now()
    found: dict[str, dict[str, Any]] = {}
    try:
        await client.ready()
        lists = client.hooks.price_lists(client.settings.settles, kinds)
        if not lists:
            return NotTold(why=f"{client.facts.exchange} lists no prices of all contracts")
        async with client.call("fetch_prices"):
            for rows in await asyncio.gather(*(each.read(client.exchange) for each in lists)):
                for name, prices in rows:
                    _take(client, found, name, prices)
    except VenueCallError as failed:
        return failed.error
    by_symbol: dict[str, Price] = {}
    damaged: dict[str, str] = {}
    for symbol, written in found.items():
        known = {name: positive_or_none(value) for name, value in written.items()}
        if why := _lacking(symbol, known, kinds):
            damaged[symbol] = why
        else:
            by_symbol[symbol] = Price(symbol=symbol, at=started, **known)
    return Prices(at=started, kinds=kinds, by_symbol=by_symbol, damaged=damaged)


def _take(
    client: Client, found: dict[str, dict[str, Any]], name: str, prices: Mapping[str, Any]
) -> None:
    """What is listed here; some lists have spot markets as well."""
    symbol = client.hooks.symbol_of(client, name)
    instrument = client.instruments.get(symbol) if symbol else client.by_venue_id(name)
    if instrument is not None:
        found.setdefault(instrument.symbol, {}).update(prices)


def _lacking(symbol: str, prices: Mapping[str, Decimal | None], kinds: Iterable[PriceKind]) -> str:
    """What the prices lack; empty where they are whole."""
    wanted = (name for kind in sorted(kinds) for name in _NAMES[kind])
    lacking = [name for name in wanted if prices.get(name) is None]
    return f"the quote of {symbol} lacks {', '.join(lacking)}" if lacking else ""
