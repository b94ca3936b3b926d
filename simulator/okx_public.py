"""OKX v5's public endpoints: instruments, prices, candles, funding, limits, time.

Left to others: the rows themselves (`okx_rows.py`).
"""

from __future__ import annotations

from decimal import Decimal

from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.okx_rows import (
    FUNDING_MS,
    FUNDING_RATE,
    MOST_LEVERAGE,
    family,
    funding_row,
    instrument_row,
    instrument_type,
    ticker_row,
)
from simulator.okx_spec import listed
from simulator.okx_words import needed, ok
from simulator.wire import Call, Handler, Refusal, Reply, Route, Row, ms, text

MINUTE_MS = 60_000
HOUR = 60 * MINUTE_MS
BARS = {
    **{f"{n}m": n * MINUTE_MS for n in (1, 3, 5, 15, 30)},
    **{f"{n}H": n * HOUR for n in (1, 2, 4, 6, 12)},
    **{f"{n}Hutc": n * HOUR for n in (6, 12)},
    **{f"{n}D{utc}": n * 24 * HOUR for n in (1, 2, 3) for utc in ("", "utc")},
    **{f"1W{utc}": 7 * 24 * HOUR for utc in ("", "utc")},
}
TYPES = ("SWAP", "FUTURES")
OTHER_TYPES = ("SPOT", "MARGIN", "OPTION")


class OkxPublic:
    """The handlers of the public endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        handlers: dict[str, tuple[str, Handler]] = {
            "public/time": ("time", self._time),
            "public/instruments": ("instruments", self._instruments),
            "public/mark-price": ("marks", self._marks),
            "public/funding-rate": ("funding", self._funding),
            "public/funding-rate-history": ("funding", self._past_funding),
            "public/open-interest": ("open_interest", self._open_interest),
            "public/price-limit": ("price_limit", self._price_limit),
            "public/position-tiers": ("risk_limit", self._tiers),
            "market/ticker": ("tickers", self._ticker),
            "market/tickers": ("tickers", self._tickers),
            "market/books": ("book", self._book),
            "market/trades": ("trades", self._trades),
            "market/candles": ("candles", self._candles),
            "market/history-candles": ("candles", self._candles),
            "market/mark-price-candles": ("candles", self._bare_candles),
            "market/history-mark-price-candles": ("candles", self._bare_candles),
            "market/index-candles": ("candles", self._bare_candles),
            "system/status": ("status", self._status),
        }
        return {
            ("GET", f"/api/v5/{path}"): Route(word, handler, signed=False)
            for path, (word, handler) in handlers.items()
        }

    def _of_type(self, call: Call) -> list[Listing]:
        kind = needed(call, "instType")
        if kind in OTHER_TYPES:
            return []
        if kind not in TYPES:
            raise Refusal("51000", "Parameter instType error")
        wanted = {
            "instId": lambda it: it.id,
            "instFamily": family,
            "uly": family,
        }
        return [
            it
            for it in self._market.listings(Exchange.OKX)
            if instrument_type(it) == kind
            and all(call.params.get(name, "") in ("", of(it)) for name, of in wanted.items())
        ]

    def _time(self, call: Call) -> Reply:
        return ok([{"ts": str(ms(call.at))}])

    def _status(self, call: Call) -> Reply:  # noqa: ARG002  # no maintenance is planned, whoever asks
        return ok([])

    def _instruments(self, call: Call) -> Reply:
        found = self._of_type(call)
        if call.params.get("instId") and not found:
            raise Refusal("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return ok([instrument_row(it, self._market.started_at) for it in found])

    def _ticker(self, call: Call) -> Reply:
        listing = listed(self._market, call)
        return ok([ticker_row(listing, self._market.prices, call.at)])

    def _tickers(self, call: Call) -> Reply:
        return ok([ticker_row(it, self._market.prices, call.at) for it in self._of_type(call)])

    def _marks(self, call: Call) -> Reply:
        prices = self._market.prices
        return ok(
            {
                "instType": instrument_type(it),
                "instId": it.id,
                "markPx": text(prices.mark(it)),
                "ts": str(ms(call.at)),
            }
            for it in self._of_type(call)
        )

    def _book(self, call: Call) -> Reply:
        listing, prices = listed(self._market, call), self._market.prices
        step, depth = listing.instrument.price_step, max(1, min(call.integer("sz", 1), 400))
        bid, ask = prices.bid(listing), prices.ask(listing)
        levels = range(depth)
        bids = [[text(max(step, bid - at * step)), "50", "0", "1"] for at in levels]
        asks = [[text(ask + at * step), "50", "0", "1"] for at in levels]
        return ok([{"asks": asks, "bids": bids, "ts": str(ms(call.at)), "seqId": 1}])

    def _trades(self, call: Call) -> Reply:
        listing = listed(self._market, call)
        row: Row = {
            "instId": listing.id,
            "side": "buy",
            "sz": text(listing.instrument.min_amount),
            "source": "0",
            "px": text(self._market.prices.last(listing)),
            "tradeId": str(ms(call.at)),
            "ts": str(ms(call.at)),
            "seqId": 1,
        }
        return ok([row])

    def _candles(self, call: Call, *, volume: bool = True) -> Reply:
        """Newest first; `after` is for older ones than that instant, `before` for newer ones."""
        listing, bar = listed(self._market, call), call.params.get("bar") or "1m"
        if bar not in BARS:
            raise Refusal("51000", "Parameter bar error")
        step, limit = BARS[bar], min(max(1, call.integer("limit", 100)), 300)
        now = ms(call.at)
        last = min(call.integer("after", now + 1) - 1, now) // step * step
        first = max(call.integer("before", -1) + 1, last - (limit - 1) * step)
        first = -(-first // step) * step
        count = max(0, (last - first) // step + 1)
        rows: list[list[object]] = []
        for it in reversed(self._market.prices.bars(listing, first, step, count)):
            row: list[object] = [str(it.start), *map(text, (it.open, it.high, it.low, it.close))]
            if volume:
                size = 10 * listing.instrument.contract_size
                row += ["10", text(size), text(size * it.close)]
            rows.append([*row, "0" if it.start + step > now else "1"])
        return Reply({"code": "0", "msg": "", "data": rows}, rows=("data",))

    def _bare_candles(self, call: Call) -> Reply:
        return self._candles(call, volume=False)

    def _funding(self, call: Call) -> Reply:
        return ok([funding_row(listed(self._market, call), call.at)])

    def _past_funding(self, call: Call) -> Reply:
        listing = listed(self._market, call)
        limit = min(max(1, call.integer("limit", 400)), 400)
        last = (call.integer("after", ms(call.at)) - 1) // FUNDING_MS * FUNDING_MS
        first = max(call.integer("before", 0) + 1, last - (limit - 1) * FUNDING_MS)
        names = {"formulaType": "noRate", "instId": listing.id, "instType": "SWAP"}
        rates = {"fundingRate": FUNDING_RATE, "realizedRate": FUNDING_RATE}
        return ok(
            {**names, **rates, "fundingTime": str(at), "method": "current_period"}
            for at in range(last, first - 1, -FUNDING_MS)
        )

    def _open_interest(self, call: Call) -> Reply:
        return ok(
            {
                "instId": it.id,
                "instType": instrument_type(it),
                "oi": "50000",
                "oiCcy": text(50000 * it.instrument.contract_size),
                "oiUsd": "50000000",
                "ts": str(ms(call.at)),
            }
            for it in self._of_type(call)
        )

    def _price_limit(self, call: Call) -> Reply:
        listing = listed(self._market, call)
        mark, band = self._market.prices.mark(listing), listing.price_band
        row: Row = {
            "buyLmt": text(listing.to_tick(mark * (1 + band))),
            "enabled": True,
            "instId": listing.id,
            "instType": instrument_type(listing),
            "sellLmt": text(listing.to_tick(mark * (1 - band))),
            "ts": str(ms(call.at)),
        }
        return ok([row])

    def _tiers(self, call: Call) -> Reply:
        """One tier a family."""
        families = [it for it in call.params.get("instFamily", "").split(",") if it]
        if not families and not call.params.get("uly") and not call.params.get("instId"):
            raise Refusal("50015", "Either parameter uly or instFamily is required")
        call.params.pop("instFamily", None)
        names = "baseMaxLoan instId optMgnFactor quoteMaxLoan uly"
        return ok(
            {
                **dict.fromkeys(names.split(), ""),
                "imr": text(1 / MOST_LEVERAGE),
                "instFamily": family(it),
                "maxLever": text(MOST_LEVERAGE),
                "maxSz": text(Decimal(100_000)),
                "minSz": "0",
                "mmr": "0.004",
                "tier": "1",
                "uly": family(it),
            }
            for it in self._of_type(call)
            if not families or family(it) in families
        )
