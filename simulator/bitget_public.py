"""Bitget v2's public reads: time, contracts, prices, candles, funding, leverage tiers.

Left to others: rows (`bitget_rows.py`), the market's rules.
"""

from __future__ import annotations

from decimal import Decimal

from simulator.bitget_rows import (
    FUNDING_MS,
    FUNDING_RATE,
    KEEP_MARGIN,
    MOST_LEVERAGE,
    contract_row,
    is_of,
    ticker_row,
)
from simulator.bitget_words import ok, product_of, refused
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import RejectReason
from simulator.wire import Call, Refusal, Reply, Route, Row, ms, text

MINUTE_MS = 60_000
GRANULARITIES = {
    **{f"{minutes}m": minutes for minutes in (1, 3, 5, 15, 30)},
    **{f"{hours}H": hours * 60 for hours in (1, 2, 4, 6, 12)},
    **{f"{days}D": days * 1440 for days in (1, 3)},
    "1W": 7 * 1440,
}
"""Minutes of each `granularity`; one with `utc` behind it begins its days in UTC, as all here."""


class BitgetPublic:
    """The handlers of what needs no key."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        handlers = {
            "/api/v2/public/time": ("time", self._time),
            "/api/v2/mix/market/contracts": ("instruments", self._contracts),
            "/api/v2/mix/market/tickers": ("ticker", self._tickers),
            "/api/v2/mix/market/ticker": ("ticker", self._ticker),
            "/api/v2/mix/market/symbol-price": ("mark", self._symbol_price),
            "/api/v2/mix/market/merge-depth": ("book", self._book),
            "/api/v2/mix/market/candles": ("candles", self._candles),
            "/api/v2/mix/market/current-fund-rate": ("funding", self._funding),
            "/api/v2/mix/market/query-position-lever": ("risk_limit", self._tiers),
            "/api/v2/spot/public/symbols": ("instruments", self._nothing),
            "/api/v2/spot/public/coins": ("currencies", self._nothing),
            "/api/v2/margin/currencies": ("currencies", self._nothing),
        }
        return {
            ("GET", path): Route(word, handler, signed=False)
            for path, (word, handler) in handlers.items()
        }

    def _listed(self, call: Call) -> list[Listing]:
        # The simulated currencies (SUSDT-FUTURES and its like) exist, and hold nothing here.
        if call.params.get("productType", "").upper().startswith("S"):
            return []
        named, symbol = product_of(call), call.params.get("symbol", "").upper()
        listed = self._market.listings(Exchange.BITGET)
        found = [it for it in listed if is_of(it, named) and symbol in ("", it.id)]
        if symbol and not found:
            raise refused(RejectReason.UNKNOWN_SYMBOL)
        return found

    def _one(self, call: Call) -> Listing:
        if not call.params.get("symbol"):
            raise Refusal("40019", "Parameter symbol cannot be empty")
        found = self._listed(call)
        if not found:
            raise refused(RejectReason.UNKNOWN_SYMBOL)
        return found[0]

    def _time(self, call: Call) -> Reply:
        return ok(call, {"serverTime": str(ms(call.at))})

    def _nothing(self, call: Call) -> Reply:
        """Spot exists, and nothing of it is simulated."""
        return ok(call, [], rows=())

    def _contracts(self, call: Call) -> Reply:
        return ok(call, [contract_row(it) for it in self._listed(call)], rows=())

    def _tickers(self, call: Call) -> Reply:
        prices = self._market.prices
        return ok(call, [ticker_row(it, prices, call.at) for it in self._listed(call)], rows=())

    def _ticker(self, call: Call) -> Reply:
        return ok(call, [ticker_row(self._one(call), self._market.prices, call.at)], rows=())

    def _symbol_price(self, call: Call) -> Reply:
        listing, prices = self._one(call), self._market.prices
        row: Row = {
            "symbol": listing.id,
            "price": text(prices.last(listing)),
            "indexPrice": text(prices.last(listing)),
            "markPrice": text(prices.mark(listing)),
            "ts": str(ms(call.at)),
        }
        return ok(call, [row], rows=())

    def _book(self, call: Call) -> Reply:
        listing, prices = self._one(call), self._market.prices
        step, limit = listing.instrument.price_step, call.params.get("limit", "")
        depth = int(limit) if limit.isdecimal() else 50
        levels = range(max(1, min(depth, 50)))
        bids = [[float(max(step, prices.bid(listing) - at * step)), 50.0] for at in levels]
        asks = [[float(prices.ask(listing) + at * step), 50.0] for at in levels]
        data: Row = {
            "asks": asks,
            "bids": bids,
            "ts": str(ms(call.at)),
            "scale": text(step),
            "precision": "scale0",
            "isMaxPrecision": "NO",
        }
        return ok(call, data)

    def _candles(self, call: Call) -> Reply:
        """Oldest first, as Bitget sends them."""
        listing, named = self._one(call), call.params.get("granularity", "")
        minutes = GRANULARITIES.get(named.removesuffix("utc"))
        if minutes is None:
            raise Refusal("400171", "Parameter verification failed granularity")
        step = minutes * MINUTE_MS
        limit = min(max(1, call.integer("limit", 100)), 1000)
        last = min(call.integer("endTime", ms(call.at)), ms(call.at)) // step * step
        first = max(call.integer("startTime", 0), last - (limit - 1) * step)
        first = -(-first // step) * step
        bars = self._market.prices.bars(listing, first, step, max(0, (last - first) // step + 1))
        rows = [
            [
                str(bar.start),
                *(text(price) for price in (bar.open, bar.high, bar.low, bar.close)),
                "10",
                text(listing.value(Decimal(10), bar.close)),
            ]
            for bar in bars
        ]
        return ok(call, rows)

    def _funding(self, call: Call) -> Reply:
        rows: list[Row] = [
            {
                "symbol": it.id,
                "fundingRate": FUNDING_RATE,
                "fundingRateInterval": "8",
                "nextUpdate": str((ms(call.at) // FUNDING_MS + 1) * FUNDING_MS),
                "minFundingRate": "-0.003",
                "maxFundingRate": "0.003",
            }
            for it in self._listed(call)
            if it.instrument.expires_at is None
        ]
        return ok(call, rows, rows=())

    def _tiers(self, call: Call) -> Reply:
        row: Row = {
            "symbol": self._one(call).id,
            "level": "1",
            "startUnit": "0",
            "endUnit": "150000000",
            "leverage": text(MOST_LEVERAGE),
            "keepMarginRate": text(KEEP_MARGIN),
        }
        return ok(call, [row], rows=())
