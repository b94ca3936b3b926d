"""Prices of one symbol: last, best bid and ask, mark. All four, or an error."""

from __future__ import annotations

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
            found = await client.hooks.prices(client, symbol)
            prices = {name: positive_or_none(value) for name, value in found.items()}
            last, bid, ask, mark = (prices.get(name) for name in ("last", "bid", "ask", "mark"))
            if last is None or bid is None or ask is None or mark is None:
                lacking = ", ".join(name for name, price in prices.items() if price is None)
                raise MalformedReplyError(f"the quote of {symbol} lacks {lacking}")
    except VenueCallError as failed:
        return failed.error
    return Quote(symbol=symbol, at=client.now(), last=last, bid=bid, ask=ask, mark=mark)
