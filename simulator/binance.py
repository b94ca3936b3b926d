"""Binance USD-M over REST, as ccxt 4.5.90's `binanceusdm` speaks it: envelope, keys, public reads.

Errors are HTTP 400 with `code` and `msg`. Left to others: the account's reads and orders
(`binance_account.py`, `binance_orders.py`), rows, the market's rules, faults and sockets.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qsl

from simulator.binance_account import BinanceAccount
from simulator.binance_orders import BinanceOrders
from simulator.binance_rows import (
    book_ticker_row,
    instrument_row,
    premium_row,
    ticker_row,
)
from simulator.binance_words import error
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.prices import Prices
from simulator.state import Account
from simulator.wire import Call, HttpRequest, Params, Reply, Route, Row, ms, text

RowMaker = Callable[[Listing, Prices, int], Row]


class Binance:
    """Answers decoded calls from the market. `recvWindow` default is Binance's own, 5 s."""

    exchange = Exchange.BINANCE

    def __init__(self, market: Market) -> None:
        self._market = market
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "/fapi/v1/ping"): Route("ping", lambda _: Reply({}), signed=False),
            ("GET", "/fapi/v1/time"): Route("time", self._time, signed=False),
            ("GET", "/fapi/v1/exchangeInfo"): Route("instruments", self._instruments, signed=False),
            ("GET", "/fapi/v1/ticker/24hr"): Route("ticker", self._ticker, signed=False),
            ("GET", "/fapi/v1/ticker/bookTicker"): Route("book", self._book, signed=False),
            ("GET", "/fapi/v1/premiumIndex"): Route("mark", self._premium, signed=False),
            ("GET", "/fapi/v1/depth"): Route("depth", self._depth, signed=False),
            **BinanceAccount(market).routes(),
            **BinanceOrders(market).routes(),
        }

    def route(self, method: str, path: str) -> Route | None:
        return self._routes.get((method, path))

    def params(self, request: HttpRequest) -> Params:
        sent = request.query
        if request.method != "GET" and request.body:
            sent = f"{sent}&{request.body.decode()}" if sent else request.body.decode()
        return dict(parse_qsl(sent, keep_blank_values=True))

    def authenticate(self, request: HttpRequest, params: Params, at: datetime) -> Account | Reply:
        login = self._market.logins.find(request.headers.get("X-MBX-APIKEY", ""))
        if login is None or login.account.exchange is not self.exchange:
            return error("-2015", "Invalid API-key, IP, or permissions for action.", 401)
        account = login.account
        if request.path.endswith("/listenKey"):
            return account
        signed, _, signature = (request.query or request.body.decode()).rpartition("&signature=")
        secret = login.secret.reveal().encode()
        expected = hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            return error("-1022", "Signature for this request is not valid.")
        stamp, window = params.get("timestamp", ""), params.get("recvWindow") or "5000"
        if not stamp.isdecimal() or not window.isdecimal():
            return error("-1102", "Mandatory parameter 'timestamp' was not sent.")
        late = ms(at) - int(stamp)
        if late > int(window):
            return error("-1021", "Timestamp for this request is outside of the recvWindow.")
        if late < -1000:
            return error(
                "-1021", "Timestamp for this request was 1000ms ahead of the server's time."
            )
        return account

    def error(self, code: str, message: str) -> Reply:
        return error(code, message)

    def too_many(self) -> Reply:
        return error("-1003", "Too many requests; current limit is exceeded.", 429)

    def banned(self, until: datetime, status: int) -> Reply:
        """HTTP 418 of an address, 429 of an account; the words and `Retry-After` name the end."""
        at = self._market.now()
        message = (
            f"Way too many requests; IP(127.0.0.1) banned until {ms(until)}. "
            "Please use the websocket for live updates to avoid bans."
        )
        reply = error("-1003", message, 429 if status in (200, 429) else 418)
        reply.headers["Retry-After"] = str(math.ceil((until - at).total_seconds()))
        return reply

    def malformed(self, message: str) -> Reply:
        return error("-1102", f"Mandatory parameter was not sent, was empty/null, or {message}.")

    def _time(self, call: Call) -> Reply:
        return Reply({"serverTime": ms(call.at)})

    def _instruments(self, call: Call) -> Reply:
        body: Row = {
            "timezone": "UTC",
            "serverTime": ms(call.at),
            "futuresType": "U_MARGINED",
            "rateLimits": [],
            "exchangeFilters": [],
            "assets": [],
            "symbols": [instrument_row(it) for it in self._market.listings(self.exchange)],
        }
        return Reply(body, rows=("symbols",))

    def _listed(self, call: Call) -> Listing | Reply | None:
        """The symbol that a call names; None where it names none, a refusal where it is wrong."""
        name = call.params.get("symbol")
        if not name:
            return None
        listing = self._market.find_listing(self.exchange, name)
        return error("-1121", "Invalid symbol.") if listing is None else listing

    def _each(self, call: Call, row: RowMaker) -> Reply:
        """One row for the symbol asked for, or a list of all."""
        listed, prices, at = self._listed(call), self._market.prices, ms(call.at)
        if isinstance(listed, Reply):
            return listed
        if listed is not None:
            return Reply(row(listed, prices, at))
        every = self._market.listings(self.exchange)
        return Reply([row(it, prices, at) for it in every], rows=())

    def _ticker(self, call: Call) -> Reply:
        return self._each(call, ticker_row)

    def _book(self, call: Call) -> Reply:
        return self._each(call, book_ticker_row)

    def _premium(self, call: Call) -> Reply:
        return self._each(call, premium_row)

    def _depth(self, call: Call) -> Reply:
        listed, prices, at = self._listed(call), self._market.prices, ms(call.at)
        if not isinstance(listed, Listing):
            return listed or self.malformed("malformed: symbol")
        bids, asks = [[text(prices.bid(listed)), "50"]], [[text(prices.ask(listed)), "50"]]
        return Reply({"lastUpdateId": 1, "E": at, "T": at, "bids": bids, "asks": asks})
