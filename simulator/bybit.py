"""Bybit v5 over REST: its routes, its signatures, and how it refuses.

Errors are HTTP 200 with `retCode`. Left to others: what answers (`bybit_public.py`,
`bybit_account.py`, `bybit_positions.py`, `bybit_orders.py`), limits (`bybit_quotas.py`), the
market's rules, faults and sockets.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl

from messages.values import Secret
from simulator.bybit_account import BybitAccount
from simulator.bybit_orders import BybitOrders
from simulator.bybit_positions import BybitPositions
from simulator.bybit_public import BybitPublic
from simulator.bybit_quotas import TOO_MANY, BybitQuotas
from simulator.bybit_words import envelope, error
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Account
from simulator.wire import Call, HttpRequest, Params, Refusal, Reply, Route, answering, flat, ms


class Bybit:
    """Answers decoded calls from the market. `recv_window` default is Bybit's own, 5 s."""

    exchange = Exchange.BYBIT
    hosts = ("api.bybit.com",)

    def __init__(self, market: Market) -> None:
        self._market = market
        self.quotas = BybitQuotas()
        routes: dict[tuple[str, str], Route] = {
            **BybitPublic(market).routes(),
            **BybitAccount(market).routes(),
            **BybitPositions(market).routes(),
            **BybitOrders(market).routes(),
        }
        self._routes = {
            at: replace(it, handler=answering(it.handler, _refused)) for at, it in routes.items()
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
        return self.error(*TOO_MANY)

    def banned(self, until: datetime, status: int) -> Reply:
        """Of an address: HTTP 403, which names no end. Of an account: 10006 and when it resets."""
        if status not in (200, 429):
            return Reply({"retCode": 10018, "retMsg": "access too frequent"}, status=403)
        reply = self.too_many()
        reply.headers["X-Bapi-Limit-Reset-Timestamp"] = str(ms(until))
        return reply

    def malformed(self, message: str) -> Reply:
        return self.error("10001", f"params error: {message}")


def _refused(call: Call, refusal: Refusal) -> Reply:
    return error(call, refusal.code, refusal.message)


def _signed(secret: Secret, payload: str, signature: str) -> bool:
    expected = hmac.new(secret.reveal().encode(), payload.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)
