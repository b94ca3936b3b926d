"""Gate's public data: contracts, prices, books, candles, funding.

No funding is charged here, so its rate is told as zero. Left to others: accounts and orders, the
rows (`gate_rows.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from simulator.gate_rows import EIGHT_HOURS, RISK_LIMIT, contract_row, precise, seconds, ticker_row
from simulator.gate_spec import answered, listings, named_listing, page_of
from simulator.gate_words import invalid
from simulator.market import Market
from simulator.wire import Call, Reply, Route, Row, ms, text

STEPS = {
    "10s": 10,
    **{f"{count}m": count * 60 for count in (1, 5, 15, 30)},
    **{f"{count}h": count * 3600 for count in (1, 4, 8)},
    "1d": 86400,
    "7d": 7 * 86400,
}
"""Seconds."""
PRICES_OF = ("mark_", "index_")


class GatePublic:
    """The handlers of the endpoints that ask for no key."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        def public(endpoint: str, handler: Callable[[Call], Reply]) -> Route:
            return Route(endpoint, handler, signed=False)

        found = {("GET", "/spot/time"): public("time", self._time)}
        for root in ("/futures/{settle}", "/delivery/{settle}"):
            found |= {
                ("GET", f"{root}/contracts"): public("instruments", self._contracts),
                ("GET", f"{root}/contracts/{{contract}}"): public("instruments", self._contract),
                ("GET", f"{root}/tickers"): public("ticker", self._tickers),
                ("GET", f"{root}/order_book"): public("book", self._book),
                ("GET", f"{root}/candlesticks"): public("candles", self._candles),
                ("GET", f"{root}/trades"): public("trades", self._trades),
                ("GET", f"{root}/risk_limit_tiers"): public("brackets", self._tiers),
            }
        root = "/futures/{settle}"
        return found | {("GET", f"{root}/funding_rate"): public("funding", self._funding)}

    def _time(self, call: Call) -> Reply:
        return Reply({"server_time": ms(call.at)})

    def _contracts(self, call: Call) -> Reply:
        shown = listings(self._market, call)
        return answered(call, [contract_row(it, self._market.prices, call.at) for it in shown])

    def _contract(self, call: Call) -> Reply:
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        return answered(call, contract_row(listing, self._market.prices, call.at))

    def _tickers(self, call: Call) -> Reply:
        shown = listings(self._market, call)
        if call.params.get("contract"):
            listing = named_listing(self._market, call)
            if isinstance(listing, Reply):
                return listing
            shown = [listing]
        rows = [ticker_row(it, self._market.prices) for it in shown]
        return Reply(rows, rows=())

    def _book(self, call: Call) -> Reply:
        listing, limit = named_listing(self._market, call), call.integer("limit", 10)
        if isinstance(listing, Reply):
            return listing
        prices, step = self._market.prices, listing.instrument.price_step
        # One order a step: deep enough for whoever averages over the book.
        side: dict[str, list[Row]] = {"asks": [], "bids": []}
        for away in range(min(limit, 20)):
            side["asks"].append({"p": text(prices.ask(listing) + step * away), "s": "5000"})
            side["bids"].append({"p": text(prices.bid(listing) - step * away), "s": "5000"})
        return Reply(
            {"id": ms(call.at), "current": precise(call.at), "update": precise(call.at), **side}
        )

    def _candles(self, call: Call) -> Reply:
        named = call.params.get("contract", "")
        mark = next((it for it in PRICES_OF if named.startswith(it)), "")
        call.params["contract"] = named.removeprefix(mark)
        listing = named_listing(self._market, call)
        step = STEPS.get(call.params.get("interval") or "5m")
        if isinstance(listing, Reply):
            return listing
        if step is None:
            return invalid("interval")
        until = min(call.integer("to", seconds(call.at)), seconds(call.at)) // step * step
        limit = min(max(1, call.integer("limit", 100)), 2000)
        first = -(-call.integer("from", until - (limit - 1) * step) // step) * step
        count = max(0, (until - first) // step + 1)
        if count > 2000:
            return invalid("Candlestick range too broad")
        bars = self._market.prices.bars(listing, first * 1000, step * 1000, count)
        rows: list[Row] = [
            {
                "t": it.start // 1000,
                "o": text(it.open),
                "h": text(it.high),
                "l": text(it.low),
                "c": text(it.close),
                **({} if mark else {"v": "10", "sum": "500"}),
            }
            for it in bars
        ]
        return Reply(rows, rows=())

    def _trades(self, call: Call) -> Reply:
        """Other people's trades are not simulated; the last price was the last one's."""
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        row: Row = {
            "id": seconds(call.at),
            "create_time": precise(call.at),
            "create_time_ms": precise(call.at),
            "contract": listing.id,
            "size": "1",
            "price": text(self._market.prices.last(listing)),
        }
        return Reply([row], rows=())

    def _tiers(self, call: Call) -> Reply:
        shown = [
            it
            for it in listings(self._market, call)
            if call.params.get("contract") in (None, "", it.id)
        ]
        rows: list[Row] = [
            {
                "tier": 1,
                "risk_limit": RISK_LIMIT,
                "initial_rate": "0.01",
                "maintenance_rate": "0.005",
                "leverage_max": "100",
                "contract": it.id,
                "deduction": "0",
            }
            for it in shown
        ]
        page = page_of(call)
        return page if isinstance(page, Reply) else Reply(page.of(rows), rows=())

    def _funding(self, call: Call) -> Reply:
        """Newest first."""
        listing, limit = named_listing(self._market, call), call.integer("limit", 100)
        if isinstance(listing, Reply):
            return listing
        last = seconds(call.at) // EIGHT_HOURS * EIGHT_HOURS
        since = call.integer("from", 0)
        times = [last - EIGHT_HOURS * number for number in range(min(limit, 1000))]
        rows: list[Row] = [{"t": at, "r": "0"} for at in times if at >= since]
        return Reply(rows, rows=())


def instant(value: int) -> datetime:
    """Seconds since the epoch, as requests name times."""
    return datetime.fromtimestamp(value, UTC)
