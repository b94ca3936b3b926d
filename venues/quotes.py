"""Prices of one symbol: last, best bid and ask, mark. All four, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from messages.venue import Quote, VenueError
from venues.client import Client, VenueCallError
from venues.numbers import positive_or_none
from venues.orders import instrument_of
from venues.strict import MalformedReplyError


async def fetch_quote(client: Client, symbol: str) -> Quote | VenueError:
    """One symbol's prices in quote currency, at the account's clock."""
    try:
        await client.ready()
        instrument_of(client, symbol)
        async with client.call("fetch_quote"):
            if client.facts.exchange == "binanceusdm":
                found = await _binance(client, symbol)
            else:
                found = await _ticker(client, symbol)
            prices = {name: positive_or_none(value) for name, value in found.items()}
            last, bid, ask, mark = (prices.get(name) for name in ("last", "bid", "ask", "mark"))
            if last is None or bid is None or ask is None or mark is None:
                lacking = ", ".join(name for name, price in prices.items() if price is None)
                raise MalformedReplyError(f"the quote of {symbol} lacks {lacking}")
    except VenueCallError as failed:
        return failed.error
    return Quote(symbol=symbol, at=client.now(), last=last, bid=bid, ask=ask, mark=mark)


async def _ticker(client: Client, symbol: str) -> dict[str, Any]:
    exchange = client.exchange
    ticker = await exchange.fetch_ticker(symbol)
    raw = ticker.get("info") if isinstance(ticker.get("info"), Mapping) else {}
    found = {name: ticker.get(name) for name in ("last", "bid", "ask")}
    found["mark"] = next(
        (raw[k] for k in ("markPrice", "mark_price", "markPx", "fairPrice") if raw.get(k)),
        ticker.get("markPrice"),
    )
    if not found["bid"] or not found["ask"]:
        book = await exchange.fetch_order_book(symbol, 20)
        found["bid"] = book["bids"][0][0]
        found["ask"] = book["asks"][0][0]
    if not found["mark"] and exchange.has.get("fetchMarkPrice"):
        found["mark"] = (await exchange.fetch_mark_price(symbol)).get("markPrice")
    elif not found["mark"] and exchange.has.get("fetchFundingRate"):
        found["mark"] = (await exchange.fetch_funding_rate(symbol)).get("markPrice")
    return found


async def _binance(client: Client, symbol: str) -> dict[str, Any]:
    """Binance's 24-hour ticker of futures has neither book nor mark: two more calls."""
    exchange = client.exchange
    ticker = await exchange.fetch_ticker(symbol)
    market = {"symbol": exchange.market(symbol)["id"]}
    book = await exchange.fapiPublicGetTickerBookTicker(market)
    mark = await exchange.fapiPublicGetPremiumIndex(market)
    return {
        "last": ticker.get("last"),
        "bid": book.get("bidPrice"),
        "ask": book.get("askPrice"),
        "mark": mark.get("markPrice"),
    }
