"""Binance USD-M's public data: instruments, prices, books, candles, funding.

The hosts of spot and coin-margined trading answer too, with nothing listed: ccxt's class for all
of Binance asks them at its start. No funding is charged here, so its rate is told as zero. Left to
others: accounts and orders, the rows (`binance_rows.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from simulator.binance_rows import (
    book_ticker_row,
    instrument_row,
    premium_row,
    price_row,
    ticker_row,
)
from simulator.binance_spec import named_listing
from simulator.binance_words import RATE_LIMITS, error
from simulator.candles import Candle
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.prices import Prices
from simulator.wire import Call, Reply, Route, Row, ms, text

RowMaker = Callable[[Listing, Prices, int], Row]
MINUTE = 60_000
INTERVALS = {
    **{f"{count}m": count * MINUTE for count in (1, 3, 5, 15, 30)},
    **{f"{count}h": count * 60 * MINUTE for count in (1, 2, 4, 6, 8, 12)},
    **{f"{count}d": count * 1440 * MINUTE for count in (1, 3)},
    "1w": 7 * 1440 * MINUTE,
    # A month of 30 days: no bot asks for more than its name.
    "1M": 30 * 1440 * MINUTE,
}
FUNDING = timedelta(hours=8)
DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
NO_FUNDING = "0.00000000"


class BinancePublic:
    """The handlers of the endpoints that ask for no key."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        def public(endpoint: str, handler: Callable[[Call], Reply]) -> Route:
            return Route(endpoint, handler, signed=False)

        candles = {
            ("GET", f"/fapi/v1/{name}"): public("candles", self._candles)
            for name in ("klines", "markPriceKlines", "indexPriceKlines", "continuousKlines")
        }
        others = {
            ("GET", f"{root}/{name}"): public("other", answer)
            for root in ("/api/v3", "/dapi/v1")
            for name, answer in (
                ("ping", lambda _: Reply({})),
                ("time", self._time),
                ("exchangeInfo", self._nothing_listed),
            )
        }
        return {
            ("GET", "/fapi/v1/ping"): public("ping", lambda _: Reply({})),
            ("GET", "/fapi/v1/time"): public("time", self._time),
            ("GET", "/fapi/v1/exchangeInfo"): public("instruments", self._instruments),
            ("GET", "/fapi/v1/ticker/24hr"): public("ticker", self._ticker),
            ("GET", "/fapi/v1/ticker/price"): public("price", self._price),
            ("GET", "/fapi/v2/ticker/price"): public("price", self._price),
            ("GET", "/fapi/v1/ticker/bookTicker"): public("book", self._book),
            ("GET", "/fapi/v1/premiumIndex"): public("mark", self._premium),
            ("GET", "/fapi/v1/depth"): public("depth", self._depth),
            ("GET", "/fapi/v1/openInterest"): public("interest", self._interest),
            ("GET", "/fapi/v1/fundingRate"): public("funding", self._funding),
            ("GET", "/fapi/v1/fundingInfo"): public("funding", lambda _: Reply([], rows=())),
            ("GET", "/fapi/v1/premiumIndexKlines"): public("candles", self._premium_candles),
            **candles,
            **others,
        }

    def _time(self, call: Call) -> Reply:
        return Reply({"serverTime": ms(call.at)})

    def _head(self, call: Call) -> Row:
        return {
            "timezone": "UTC",
            "serverTime": ms(call.at),
            "rateLimits": [dict(it) for it in RATE_LIMITS],
            "exchangeFilters": [],
        }

    def _instruments(self, call: Call) -> Reply:
        listings = list(self._market.listings(Exchange.BINANCE))
        coins = sorted({it.instrument.settle for it in listings})
        assets = [
            {"asset": coin, "marginAvailable": True, "autoAssetExchange": "-10000"}
            for coin in coins
        ]
        rows: list[Row] = [instrument_row(it) for it in listings]
        head = {**self._head(call), "futuresType": "U_MARGINED", "assets": assets}
        return Reply({**head, "symbols": rows}, rows=("symbols",))

    def _nothing_listed(self, call: Call) -> Reply:
        return Reply({**self._head(call), "symbols": []}, rows=("symbols",))

    def _listed(self, call: Call) -> Listing | Reply:
        name = "pair" if call.params.get("pair") else "symbol"
        return named_listing(self._market, call, name)

    def _each(self, call: Call, row: RowMaker) -> Reply:
        """One row for the symbol asked for, or a list of all."""
        prices, at = self._market.prices, ms(call.at)
        if not call.params.get("symbol"):
            every = self._market.listings(Exchange.BINANCE)
            return Reply([row(it, prices, at) for it in every], rows=())
        listed = self._listed(call)
        return listed if isinstance(listed, Reply) else Reply(row(listed, prices, at))

    def _ticker(self, call: Call) -> Reply:
        return self._each(call, ticker_row)

    def _price(self, call: Call) -> Reply:
        return self._each(call, price_row)

    def _book(self, call: Call) -> Reply:
        return self._each(call, book_ticker_row)

    def _premium(self, call: Call) -> Reply:
        return self._each(call, premium_row)

    def _depth(self, call: Call) -> Reply:
        listed, limit = self._listed(call), call.integer("limit", 500)
        if isinstance(listed, Reply):
            return listed
        if limit not in DEPTHS:
            return error("-4021", f"'{limit}' is not valid depth limit.")
        prices, at, step = self._market.prices, ms(call.at), listed.instrument.price_step
        # One order a step: deep enough for whoever averages over the book.
        bids = [[text(prices.bid(listed) - step * it), "50"] for it in range(min(limit, 20))]
        asks = [[text(prices.ask(listed) + step * it), "50"] for it in range(min(limit, 20))]
        return Reply({"lastUpdateId": at, "E": at, "T": at, "bids": bids, "asks": asks})

    def _interest(self, call: Call) -> Reply:
        listed = self._listed(call)
        if isinstance(listed, Reply):
            return listed
        return Reply({"symbol": listed.id, "openInterest": "10659.509", "time": ms(call.at)})

    def _candles(self, call: Call) -> Reply:
        listed, step = self._listed(call), INTERVALS.get(call.params.get("interval", ""))
        if isinstance(listed, Reply):
            return listed
        if step is None:
            return error("-1120", "Invalid interval.")
        first, count = _span(call, step)
        bars = self._market.prices.bars(listed, first, step, count)
        return Reply([_candle(bar, step) for bar in bars], rows=())

    def _premium_candles(self, call: Call) -> Reply:
        """The premium index: mark and index are one price here, so it is zero throughout."""
        reply = self._candles(call)
        if isinstance(reply.body, dict):
            return reply
        zero = [NO_FUNDING] * 4
        rows = [list(row) for row in reply.body]
        return Reply([[row[0], *zero, *row[5:]] for row in rows], rows=())

    def _funding(self, call: Call) -> Reply:
        """Oldest first; without a window, the latest."""
        limit = min(max(1, call.integer("limit", 100)), 1000)
        until = call.instant("endTime") or call.at
        last = _funding_before(min(until, call.at))
        since = call.instant("startTime") or last - (limit - 1) * FUNDING
        times = []
        while last >= since:
            times.append(last)
            last -= FUNDING
        times = times[::-1][:limit]
        listed = self._listed(call) if call.params.get("symbol") else None
        if isinstance(listed, Reply):
            return listed
        shown = [listed] if listed else list(self._market.listings(Exchange.BINANCE))
        rows: list[Row] = [
            {
                "symbol": it.id,
                "fundingTime": ms(at),
                "fundingRate": NO_FUNDING,
                "markPrice": text(self._market.prices.mark(it)),
                "rateType": "NORMAL",
            }
            for at in times
            for it in shown
            if it.instrument.expires_at is None
        ]
        return Reply(rows[:limit], rows=())


def _funding_before(at: datetime) -> datetime:
    epoch = datetime.fromtimestamp(0, UTC)
    return epoch + (at - epoch) // FUNDING * FUNDING


def _span(call: Call, step: int) -> tuple[int, int]:
    """Where the first bar begins, and how many there are; without a start, the latest ones."""
    limit = min(max(1, call.integer("limit", 500)), 1500)
    last = min(call.integer("endTime", ms(call.at)), ms(call.at)) // step * step
    start = call.integer("startTime", last - (limit - 1) * step)
    first = -(-start // step) * step
    return first, max(0, min(limit, (last - first) // step + 1))


def _candle(bar: Candle, step: int) -> list[object]:
    """A bar as Binance lists it; how much was traded in it is made up."""
    prices = [text(it) for it in (bar.open, bar.high, bar.low, bar.close)]
    return [bar.start, *prices, "10", bar.start + step - 1, "1000", 5, "5", "500", "0"]
