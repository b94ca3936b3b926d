"""Binance USD-M's market streams: book tickers, mark prices, tickers, of one symbol or of all.

Source: the pages of "WebSocket Market Streams" of Binance's USD-M futures documentation. Book
tickers are served under `/public`, the others under `/market`; an address that says neither serves
both. Left to others: sockets (`streams.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from simulator.binance_rows import book_ticker_row, premium_row, ticker_row
from simulator.feeds import Feed, Pace
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.prices import Prices
from simulator.wire import Row, ms

Maker = Callable[[Listing, Prices, int], Row]

NAME = re.compile(
    r"(?P<symbol>[a-z0-9_]+)?!?@?(?P<kind>bookTicker|markPrice|miniTicker|ticker)"
    r"(?P<array>@arr)?(?P<fast>@1s)?"
)
PLACES = {"bookTicker": "public"}
"""Under which address a kind is served, where it is not `market`."""


def place_of(path: str) -> str:
    """What an address serves: `public`, `market`, `private`, or everything where it is empty."""
    first = path.strip("/").partition("/")[0]
    return first if first in ("public", "market", "private") else ""


def feed_of(market: Market, place: str, name: str) -> Feed | None:
    """The stream of a name at an address of this kind; None where there is none."""
    found = NAME.fullmatch(name)
    if found is None:
        return None
    kind, symbol = found["kind"], found["symbol"]
    whole, fast = symbol is None, bool(found["fast"])
    if name.startswith("!") is not whole or (fast and kind != "markPrice"):
        return None
    # `!bookTicker` alone of those of all symbols is no list.
    if bool(found["array"]) is not (whole and kind != "bookTicker"):
        return None
    if place not in ("", PLACES.get(kind, "market")):
        return None
    listings = list(market.listings(Exchange.BINANCE))
    if not whole:
        listings = [it for it in listings if it.id.lower() == symbol]
    if not listings:
        return None
    maker, every, at_once = KINDS[kind]
    if fast or (whole and kind != "markPrice"):
        every = timedelta(seconds=1)
    return MarketFeed(listings, market.prices, maker, every, at_once=at_once, listed=whole)


class MarketFeed:
    """What one name stands for. `at_once`: a change is told with the next tick already.

    `listed`: the rows are told as lists, where there is more than a book.
    """

    def __init__(
        self,
        listings: Sequence[Listing],
        prices: Prices,
        maker: Maker,
        every: timedelta,
        *,
        at_once: bool,
        listed: bool,
    ) -> None:
        self._listings = listings
        self._prices = prices
        self._maker = maker
        self._pace = Pace(every)
        self._at_once = at_once
        self._listed = listed and not at_once
        self._told: dict[str, Row] = {}

    def due(self, at: datetime) -> list[object]:
        over = self._pace.over(at)
        if not over and not self._at_once:
            return []
        # Times are put in only when a row is sent, so that they make no change.
        rows = {it.id: self._maker(it, self._prices, 0) for it in self._listings}
        sent: list[object] = [
            _timed(row, ms(at)) for name, row in rows.items() if over or row != self._told.get(name)
        ]
        if sent:
            self._told = rows
            self._pace.begin(at)
        return [sent] if self._listed and sent else sent


def _timed(row: Row, at: int) -> Row:
    return {name: at if value is NOW else value for name, value in row.items()}


UM = 1
"""The type of a symbol, since coin-margined contracts are told of by these streams as well."""
NOW = object()
"""Stands in a row for the moment at which it is sent."""


def _book(listing: Listing, prices: Prices, at: int) -> Row:
    row = book_ticker_row(listing, prices, at)
    return {
        "e": "bookTicker",
        "u": NOW,
        "s": listing.id,
        "ps": listing.id,
        "b": row["bidPrice"],
        "B": row["bidQty"],
        "a": row["askPrice"],
        "A": row["askQty"],
        "T": NOW,
        "E": NOW,
        "st": UM,
    }


def _mark(listing: Listing, prices: Prices, at: int) -> Row:
    row = premium_row(listing, prices, at)
    return {
        "e": "markPriceUpdate",
        "E": NOW,
        "s": listing.id,
        "p": row["markPrice"],
        "ap": row["markPrice"],
        "P": row["estimatedSettlePrice"],
        "i": row["indexPrice"],
        "r": row["lastFundingRate"],
        "T": row["nextFundingTime"],
        "st": UM,
    }


def _mini(listing: Listing, prices: Prices, at: int) -> Row:
    row = ticker_row(listing, prices, at)
    return {
        "e": "24hrMiniTicker",
        "E": NOW,
        "s": listing.id,
        "c": row["lastPrice"],
        "o": row["openPrice"],
        "h": row["highPrice"],
        "l": row["lowPrice"],
        "v": row["volume"],
        "q": row["quoteVolume"],
        "ps": listing.id,
        "st": UM,
    }


def _ticker(listing: Listing, prices: Prices, at: int) -> Row:
    row = ticker_row(listing, prices, at)
    return {
        **_mini(listing, prices, at),
        "e": "24hrTicker",
        "p": row["priceChange"],
        "P": row["priceChangePercent"],
        "w": row["weightedAvgPrice"],
        "Q": row["lastQty"],
        "O": row["openTime"],
        "C": NOW,
        "F": row["firstId"],
        "L": row["lastId"],
        "n": row["count"],
    }


KINDS: dict[str, tuple[Maker, timedelta, bool]] = {
    "bookTicker": (_book, timedelta(seconds=1), True),
    "markPrice": (_mark, timedelta(seconds=3), False),
    "miniTicker": (_mini, timedelta(seconds=2), False),
    "ticker": (_ticker, timedelta(seconds=2), False),
}
"""Each kind's row, how often it is told, and whether its changes are told at once."""
