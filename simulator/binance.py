"""Binance USD-M over REST: where its endpoints are, and who may ask.

Errors are HTTP 400 with `code` and `msg`. Left to others: what the endpoints answer
(`binance_public.py`, `binance_account.py`, `binance_settings.py`, `binance_orders.py`,
`binance_algo.py`), the user data stream (`binance_stream.py`), the market's rules and faults.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl

from simulator.binance_account import BinanceAccount
from simulator.binance_algo import BinanceAlgo
from simulator.binance_orders import BinanceOrders
from simulator.binance_public import BinancePublic
from simulator.binance_quotas import BinanceQuotas, weight_of
from simulator.binance_settings import BinanceSettings, Push
from simulator.binance_stream import ListenKeys
from simulator.binance_words import error, missing
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Account
from simulator.wire import HttpRequest, Params, Reply, Route, Row, ms


class Binance:
    """Answers decoded calls from the market. `recvWindow` default is Binance's own, 5 s."""

    exchange = Exchange.BINANCE
    hosts = ("fapi.binance.com", "api.binance.com", "dapi.binance.com")

    def __init__(self, market: Market) -> None:
        self._market = market
        self.quotas = BinanceQuotas()
        self.listen_keys = ListenKeys(market.now)
        self.on_push: list[Push] = []
        """Called with an event for an account's stream that no change of the market makes."""
        routes: dict[tuple[str, str], Route] = {
            **BinancePublic(market).routes(),
            **BinanceAccount(market).routes(),
            **BinanceSettings(market, self._push).routes(),
            **BinanceOrders(market).routes(),
            **BinanceAlgo(market).routes(),
            **self.listen_keys.routes(),
        }
        self._routes = {at: replace(it, weight=weight_of(*at, {})) for at, it in routes.items()}

    def _push(self, account: Account, event: Row) -> None:
        for push in self.on_push:
            push(account, event)

    def route(self, method: str, path: str) -> Route | None:
        return self._routes.get((method, path))

    def params(self, request: HttpRequest) -> Params:
        """Of a parameter that is both in the query and in the body, the query's counts."""
        body = "" if request.method == "GET" else request.body.decode()
        found = (parse_qsl(sent, keep_blank_values=True) for sent in (body, request.query))
        return {name: value for pairs in found for name, value in pairs}

    def authenticate(self, request: HttpRequest, params: Params, at: datetime) -> Account | Reply:
        if not request.headers.get("X-MBX-APIKEY"):
            return error("-2014", "API-key format invalid.", 401)
        login = self._market.logins.find(request.headers["X-MBX-APIKEY"])
        if login is None or login.account.exchange is not self.exchange:
            return error("-2015", "Invalid API-key, IP, or permissions for action.", 401)
        account = login.account
        if request.path.endswith("/listenKey"):
            return account
        signed, signature = _signed_part(request.query, request.body.decode())
        secret = login.secret.reveal().encode()
        expected = hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature.lower()):
            return error("-1022", "Signature for this request is not valid.")
        stamp, window = params.get("timestamp", ""), params.get("recvWindow") or "5000"
        if not stamp.isdecimal() or not window.isdecimal():
            return missing("timestamp" if not stamp.isdecimal() else "recvWindow")
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


def _signed_part(query: str, body: str) -> tuple[str, str]:
    """What a signature covers, the query and then the body, and the signature at either's end."""
    rest, mark, signature = query.rpartition("&signature=")
    if mark:
        return rest + body, signature
    rest, mark, signature = body.rpartition("&signature=")
    return query + rest, signature if mark else ""
