"""Bybit v5's public reads: time, instruments, prices, candles, funding, risk limits.

Left to others: rows (`bybit_rows.py`), the market's rules.
"""

from __future__ import annotations

from decimal import Decimal

from simulator.bybit_rows import (
    FUNDING_MS,
    FUNDING_RATE,
    category,
    instrument_row,
    risk_row,
    ticker_row,
)
from simulator.bybit_words import category_of, ok, page
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.wire import Call, Refusal, Reply, Route, Row, ms, text

MINUTE_MS = 60_000
INTERVALS = {
    **{str(minutes): minutes for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": 1440,
    "W": 7 * 1440,
    "M": 30 * 1440,
}
"""Minutes of each `interval`."""
OPEN_INTEREST = {"5min": 5, "15min": 15, "30min": 30, "1h": 60, "4h": 240, "1d": 1440}
OTHER_CATEGORIES = ("spot", "option")
"""They exist, and nothing of them is simulated."""


class BybitPublic:
    """The handlers of what needs no key."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        handlers = {
            "/v5/market/time": ("time", self._time),
            "/v5/market/instruments-info": ("instruments", self._instruments),
            "/v5/market/tickers": ("ticker", self._tickers),
            "/v5/market/orderbook": ("book", self._book),
            "/v5/market/recent-trade": ("trades", self._trades),
            "/v5/market/kline": ("candles", self._candles),
            "/v5/market/mark-price-kline": ("candles", self._prices_only),
            "/v5/market/index-price-kline": ("candles", self._prices_only),
            "/v5/market/premium-index-price-kline": ("candles", self._prices_only),
            "/v5/market/funding/history": ("funding", self._funding),
            "/v5/market/open-interest": ("open_interest", self._open_interest),
            "/v5/market/risk-limit": ("risk_limit", self._risk),
            "/v5/market/price-limit": ("price_limit", self._price_limit),
        }
        return {
            ("GET", path): Route(word, handler, signed=False)
            for path, (word, handler) in handlers.items()
        }

    def _listed(self, call: Call) -> list[Listing]:
        named = call.params.get("category", "")
        if named in OTHER_CATEGORIES:
            return []
        wanted, symbol = category_of(call), call.params.get("symbol")
        listed = self._market.listings(Exchange.BYBIT)
        found = [it for it in listed if category(it) == wanted and symbol in (None, "", it.id)]
        if symbol and not found:
            raise Refusal("10001", "params error: symbol invalid")
        return found

    def _one(self, call: Call) -> Listing:
        """The symbol that a call must name. `category` is linear where it is left out."""
        call.params.setdefault("category", "linear")
        if not call.params.get("symbol"):
            raise Refusal("10001", "params error: symbol invalid")
        found = self._listed(call)
        if not found:
            raise Refusal("10001", "params error: symbol invalid")
        return found[0]

    def _time(self, call: Call) -> Reply:
        seconds, nanos = int(call.at.timestamp()), ms(call.at) * 1_000_000
        return ok(call, {"timeSecond": str(seconds), "timeNano": str(nanos)})

    def _instruments(self, call: Call) -> Reply:
        """A contract that is halted stays in the list, as Closed: it is not delisted."""
        wanted = call.params.get("status")
        rows = [(it, instrument_row(it)["status"]) for it in self._listed(call)]
        items = [it for it, status in rows if wanted in (None, "", status)]
        base = call.params.get("baseCoin")
        items = [it for it in items if base in (None, "", it.instrument.base)]
        return page(call, items, instrument_row, most=1000, usual=500)

    def _tickers(self, call: Call) -> Reply:
        rows = [ticker_row(it, self._market.prices, call.at) for it in self._listed(call)]
        return ok(call, {"category": call.params["category"], "list": rows}, rows="list")

    def _book(self, call: Call) -> Reply:
        listing, prices = self._one(call), self._market.prices
        step, depth = listing.instrument.price_step, min(call.integer("limit", 25), 25)
        bids: list[list[str]] = []
        asks: list[list[str]] = []
        for level in range(max(1, depth)):
            bids.append([text(max(step, prices.bid(listing) - level * step)), "50"])
            asks.append([text(prices.ask(listing) + level * step), "50"])
        result: Row = {"s": listing.id, "b": bids, "a": asks, "ts": ms(call.at), "u": 1}
        return ok(call, {**result, "seq": 1, "cts": ms(call.at)})

    def _trades(self, call: Call) -> Reply:
        listing = self._one(call)
        row: Row = {
            "execId": f"{listing.id}-{ms(call.at)}",
            "symbol": listing.id,
            "price": text(self._market.prices.last(listing)),
            "size": text(listing.instrument.min_amount),
            "side": "Buy",
            "time": str(ms(call.at)),
            "isBlockTrade": False,
            "isRPITrade": False,
            "seq": "1",
        }
        return ok(call, {"category": category(listing), "list": [row]}, rows="list")

    def _candles(self, call: Call, *, volume: bool = True) -> Reply:
        """Newest first, as Bybit sends them."""
        listing, interval = self._one(call), call.params.get("interval", "")
        if interval not in INTERVALS:
            raise Refusal("10001", "params error: interval invalid")
        step = INTERVALS[interval] * MINUTE_MS
        limit = min(max(1, call.integer("limit", 200)), 1000)
        last = min(call.integer("end", ms(call.at)), ms(call.at)) // step * step
        first = max(call.integer("start", 0), last - (limit - 1) * step)
        first = -(-first // step) * step
        count = max(0, (last - first) // step + 1)
        rows = []
        for bar in reversed(self._market.prices.bars(listing, first, step, count)):
            row = [str(bar.start), text(bar.open), text(bar.high), text(bar.low), text(bar.close)]
            if volume:
                turnover = listing.value(Decimal(10), bar.close)
                row += ["10", text(turnover)]
            rows.append(row)
        return ok(call, {"category": category(listing), "symbol": listing.id, "list": rows})

    def _prices_only(self, call: Call) -> Reply:
        return self._candles(call, volume=False)

    def _funding(self, call: Call) -> Reply:
        listing = self._one(call)
        limit = min(max(1, call.integer("limit", 200)), 200)
        last = min(call.integer("endTime", ms(call.at)), ms(call.at)) // FUNDING_MS * FUNDING_MS
        first = max(call.integer("startTime", 0), last - (limit - 1) * FUNDING_MS)
        rows: list[Row] = [
            {"symbol": listing.id, "fundingRate": FUNDING_RATE, "fundingRateTimestamp": str(at)}
            for at in range(last, first - 1, -FUNDING_MS)
        ]
        return ok(call, {"category": category(listing), "list": rows}, rows="list")

    def _open_interest(self, call: Call) -> Reply:
        listing, interval = self._one(call), call.params.get("intervalTime", "")
        if interval not in OPEN_INTEREST:
            raise Refusal("10001", "params error: intervalTime invalid")
        step = OPEN_INTEREST[interval] * MINUTE_MS
        last = min(call.integer("endTime", ms(call.at)), ms(call.at)) // step * step
        limit = min(max(1, call.integer("limit", 50)), 200)
        rows: list[Row] = [
            {"openInterest": "50000", "singleOpenInterest": "25000", "timestamp": str(at)}
            for at in range(last, last - limit * step, -step)
        ]
        result: Row = {"symbol": listing.id, "category": category(listing), "list": rows}
        return ok(call, {**result, "nextPageCursor": ""}, rows="list")

    def _risk(self, call: Call) -> Reply:
        rows = [risk_row(at, it) for at, it in enumerate(self._listed(call), 1)]
        result: Row = {"category": call.params["category"], "list": rows, "nextPageCursor": ""}
        return ok(call, result, rows="list")

    def _price_limit(self, call: Call) -> Reply:
        listing = self._one(call)
        mark, band = self._market.prices.mark(listing), listing.price_band
        result: Row = {
            "symbol": listing.id,
            "buyLmt": text(listing.to_tick(mark * (1 + band))),
            "sellLmt": text(listing.to_tick(mark * (1 - band))),
            "ts": str(ms(call.at)),
        }
        return ok(call, result)
