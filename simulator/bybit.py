"""Bybit v5 over REST, as ccxt 4.5.90's `bybit` speaks it: envelope, signatures, public reads.

Errors are HTTP 200 with `retCode`. Left to others: the account's reads and orders
(`bybit_account.py`, `bybit_orders.py`), rows, the market's rules, faults and sockets.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from urllib.parse import parse_qsl

from messages.values import Secret
from simulator.bybit_account import BybitAccount
from simulator.bybit_orders import BybitOrders
from simulator.bybit_rows import category, instrument_row, ticker_row
from simulator.bybit_words import envelope, error, ok, page
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.quotas import NoQuotas
from simulator.state import Account
from simulator.wire import Call, HttpRequest, Params, Reply, Route, Row, flat, ms, text


class Bybit:
    """Answers decoded calls from the market. `recv_window` default is Bybit's own, 5 s."""

    exchange = Exchange.BYBIT
    quotas = NoQuotas()

    def __init__(self, market: Market) -> None:
        self._market = market
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "/v5/market/time"): Route("time", self._time, signed=False),
            ("GET", "/v5/market/instruments-info"): Route(
                "instruments", self._instruments, signed=False
            ),
            ("GET", "/v5/market/tickers"): Route("ticker", self._tickers, signed=False),
            ("GET", "/v5/market/orderbook"): Route("book", self._book, signed=False),
            **BybitAccount(market).routes(),
            **BybitOrders(market).routes(),
        }

    def route(self, method: str, path: str) -> Route | None:
        return self._routes.get((method, path))

    def params(self, request: HttpRequest) -> Params:
        if request.method == "POST":
            return flat(request.body)
        return dict(parse_qsl(request.query, keep_blank_values=True))

    def authenticate(
        self,
        request: HttpRequest,
        params: Params,  # noqa: ARG002  # Bybit signs by headers; Binance needs them
        at: datetime,
    ) -> Account | Reply:
        headers = request.headers
        key = headers.get("X-BAPI-API-KEY", "")
        stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "")
        login = self._market.logins.find(key)
        if login is None or login.account.exchange is not self.exchange:
            return self.error("10003", "API key is invalid.")
        signed = request.body.decode() if request.method == "POST" else request.query
        if not _signed(
            login.secret, f"{stamp}{key}{window}{signed}", headers.get("X-BAPI-SIGN", "")
        ):
            return self.error("10004", "error sign! please check your signature generation")
        if not stamp.isdecimal() or not (window or "5000").isdecimal():
            return self.error("10001", "params error: timestamp invalid")
        late = ms(at) - int(stamp)
        if late > int(window or "5000") or late < -1000:
            return self.error(
                "10002",
                "invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{stamp}],server_timestamp[{ms(at)}],recv_window[{window}]",
            )
        return login.account

    def error(self, code: str, message: str) -> Reply:
        return envelope(code, message, ms(self._market.now()))

    def too_many(self) -> Reply:
        return self.error("10006", "Too many visits. Exceeded the API Rate Limit.")

    def banned(self, until: datetime, status: int) -> Reply:
        """Of an address: HTTP 403, which names no end. Of an account: 10006 and when it resets."""
        if status not in (200, 429):
            return Reply({"retCode": 10018, "retMsg": "access too frequent"}, status=403)
        reply = self.too_many()
        reply.headers["X-Bapi-Limit-Reset-Timestamp"] = str(ms(until))
        return reply

    def malformed(self, message: str) -> Reply:
        return self.error("10001", f"params error: {message}")

    def _listed(self, call: Call) -> list[Listing]:
        wanted, symbol = call.params.get("category", ""), call.params.get("symbol")
        listed = self._market.listings(Exchange.BYBIT)
        return [it for it in listed if category(it) == wanted and symbol in (None, "", it.id)]

    def _time(self, call: Call) -> Reply:
        seconds, nanos = int(call.at.timestamp()), ms(call.at) * 1_000_000
        return ok(call, {"timeSecond": str(seconds), "timeNano": str(nanos)})

    def _instruments(self, call: Call) -> Reply:
        prelaunch = call.params.get("status") == "PreLaunch"
        items = [] if prelaunch else self._listed(call)
        return page(call, items, instrument_row, most=1000, usual=500)

    def _tickers(self, call: Call) -> Reply:
        rows = [ticker_row(it, self._market.prices) for it in self._listed(call)]
        if not rows and call.params.get("symbol"):
            return error(call, "10001", "params error: symbol invalid")
        return ok(call, {"category": call.params["category"], "list": rows}, rows="list")

    def _book(self, call: Call) -> Reply:
        listed, prices = self._listed(call), self._market.prices
        if len(listed) != 1:
            return error(call, "10001", "params error: symbol invalid")
        bid, ask = text(prices.bid(listed[0])), text(prices.ask(listed[0]))
        result: Row = {"s": listed[0].id, "b": [[bid, "50"]], "a": [[ask, "50"]]}
        return ok(call, {**result, "ts": ms(call.at), "u": 1, "seq": 1, "cts": ms(call.at)})


def _signed(secret: Secret, payload: str, signature: str) -> bool:
    expected = hmac.new(secret.reveal().encode(), payload.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)
