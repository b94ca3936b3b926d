"""Bybit v5's public streams: `tickers.SYMBOL` and `orderbook.DEPTH.SYMBOL`, at `/v5/public/…`.

Source: the pages "Ticker" and "Orderbook" under "WebSocket Stream, Public" of Bybit's v5
documentation: a snapshot first, then what has changed; a book of one level is told whole again
where it has not changed for three seconds. Left to others: sockets (`streams.py`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count

from simulator.bybit_rows import category, ticker_row
from simulator.feeds import Feed, Pace
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.prices import Prices
from simulator.wire import Row, ms, text

DEPTHS = {"1", "50", "200", "1000"}
LEVELS = 25
"""As many as the simulated book has."""
TICKERS = timedelta(seconds=1)
BOOK = timedelta(seconds=3)
REPEATED = ("markPrice", "indexPrice")
"""What moves at any time in a real market, and so is told again although nothing changed."""


def category_of_path(path: str) -> str | None:
    """Which category a public socket is for; None for the private one."""
    parts = path.strip("/").split("/")
    return parts[2] if parts[:2] == ["v5", "public"] and len(parts) == 3 else None


def feed_of(market: Market, named: str, topic: str) -> Feed | None:
    """The stream that a topic names on a socket of a category; None where there is none."""
    kind, _, rest = topic.partition(".")
    depth, _, symbol = rest.rpartition(".")
    listing = market.find_listing(Exchange.BYBIT, symbol)
    if listing is None or category(listing) != named:
        return None
    if kind == "tickers" and not depth:
        return TickerFeed(topic, listing, market.prices)
    if kind == "orderbook" and depth in DEPTHS:
        return BookFeed(topic, listing, market.prices, int(depth))
    return None


class TickerFeed:
    """A snapshot, then the fields that are others."""

    def __init__(self, topic: str, listing: Listing, prices: Prices) -> None:
        self._topic = topic
        self._listing = listing
        self._prices = prices
        self._told: Row | None = None
        self._pace = Pace(TICKERS)

    def due(self, at: datetime) -> list[object]:
        row = ticker_row(self._listing, self._prices, at)
        if self._told is None:
            kind, data = "snapshot", row
        else:
            kind, told = "delta", self._told
            data = {name: value for name, value in row.items() if value != told[name]}
            if not data and self._pace.over(at):
                data = {name: row[name] for name in REPEATED}
        if not data:
            return []
        self._told = row
        self._pace.begin(at)
        # Every delta names its symbol.
        data = {"symbol": self._listing.id, **data}
        return [{"topic": self._topic, "type": kind, "data": data, "cs": ms(at), "ts": ms(at)}]


class BookFeed:
    """A snapshot, then the levels that are others; a level that is gone has the size 0."""

    def __init__(self, topic: str, listing: Listing, prices: Prices, depth: int) -> None:
        self._topic = topic
        self._listing = listing
        self._prices = prices
        self._levels = min(depth, LEVELS)
        self._told: tuple[list[str], list[str]] | None = None
        self._pace = Pace(BOOK)
        self._numbers = count(1)

    def due(self, at: datetime) -> list[object]:
        step = self._listing.instrument.price_step
        bid, ask = self._prices.bid(self._listing), self._prices.ask(self._listing)
        sides = (
            [text(max(step, bid - level * step)) for level in range(self._levels)],
            [text(ask + level * step) for level in range(self._levels)],
        )
        changed = sides != self._told
        if not changed and not (self._levels == 1 and self._pace.over(at)):
            return []
        told = self._told if changed else None
        kind = "snapshot" if told is None else "delta"
        bids, asks = (
            _changes(None if told is None else told[number], side)
            for number, side in enumerate(sides)
        )
        self._told = sides
        self._pace.begin(at)
        number = next(self._numbers)
        data: Row = {"s": self._listing.id, "b": bids, "a": asks, "u": number, "seq": number}
        return [
            {"topic": self._topic, "type": kind, "ts": ms(at), "data": data, "cts": ms(at)},
        ]


def _changes(told: list[str] | None, now: list[str]) -> list[list[str]]:
    if told is None:
        return [[price, "50"] for price in now]
    gone = [[price, "0"] for price in told if price not in now]
    return gone + [[price, "50"] for price in now if price not in told]
