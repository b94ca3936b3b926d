"""Bitget v2 (classic, futures) over REST: its routes, its signatures, and how it refuses.

Errors are HTTP 400 with `code`. Left to others: what answers (`bitget_public.py`,
`bitget_account.py`, `bitget_orders.py`, `bitget_plans.py`), limits (`bitget_quotas.py`), the
market's rules, faults and sockets.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl, unquote

from messages.values import Secret
from simulator.bitget_account import BitgetAccount
from simulator.bitget_orders import BitgetOrders
from simulator.bitget_plans import BitgetPlans
from simulator.bitget_public import BitgetPublic
from simulator.bitget_quotas import BitgetQuotas
from simulator.bitget_words import TOO_MANY, error
from simulator.instruments import Exchange
from simulator.logins import PASSPHRASE
from simulator.market import Market
from simulator.state import Account
from simulator.wire import Call, HttpRequest, Params, Refusal, Reply, Route, answering, flat, ms

FRESH_MS = 30_000
"""How far a request's timestamp may be from the venue's clock."""


class Bitget:
    """Answers decoded calls from the market."""

    exchange = Exchange.BITGET
    hosts = ("api.bitget.com",)

    def __init__(self, market: Market) -> None:
        self._market = market
        self.quotas = BitgetQuotas()
        routes: dict[tuple[str, str], Route] = {
            **BitgetPublic(market).routes(),
            **BitgetAccount(market).routes(),
            **BitgetOrders(market).routes(),
            **BitgetPlans(market).routes(),
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
        params: Params,  # noqa: ARG002  # Bitget signs what was sent, not what it says
        at: datetime,
    ) -> Account | Reply:
        headers = request.headers
        key, stamp = headers.get("ACCESS-KEY", ""), headers.get("ACCESS-TIMESTAMP", "")
        if not key:
            return self.error("40001", "ACCESS_KEY cannot be empty")
        login = self._market.logins.find(key)
        if login is None or login.account.exchange is not self.exchange:
            return self.error("40037", "Apikey does not exist")
        if not headers.get("ACCESS-PASSPHRASE"):
            return self.error("40011", "ACCESS_PASSPHRASE cannot be empty")
        if not hmac.compare_digest(headers["ACCESS-PASSPHRASE"].encode(), PASSPHRASE.encode()):
            return self.error("40012", "apikey/password is incorrect")
        if not stamp.isdecimal():
            return self.error("40005", "Invalid ACCESS_TIMESTAMP")
        if abs(ms(at) - int(stamp)) > FRESH_MS:
            return self.error("40008", "Request timestamp expired")
        # A query is signed as it was before it was escaped, or after: both are taken.
        body = request.body.decode()
        signed = (
            f"{stamp}{request.method}{request.path}{f'?{query}' if query else ''}{body}"
            for query in (request.query, unquote(request.query))
        )
        sent = headers.get("ACCESS-SIGN", "")
        if not any(hmac.compare_digest(signature(login.secret, it), sent) for it in signed):
            return self.error("40009", "sign signature error")
        return login.account

    def error(self, code: str, message: str) -> Reply:
        return error(code, message, self._market.now())

    def too_many(self) -> Reply:
        return self.error(*TOO_MANY)

    def banned(self, until: datetime, status: int) -> Reply:
        """Of an address: HTTP 403. Of an account: 429. Neither says when it ends, but a header."""
        reply = self.too_many()
        reply.status = 403 if status == 403 else 429
        left = max(0.0, (until - self._market.now()).total_seconds())
        reply.headers["Retry-After"] = str(int(left) + (left % 1 > 0))
        return reply

    def malformed(self, message: str) -> Reply:
        return self.error("400172", f"Parameter verification failed: {message}")


def signature(secret: Secret, payload: str) -> str:
    """Base64 of the HMAC-SHA256, for requests and for the login of a stream."""
    digest = hmac.new(secret.reveal().encode(), payload.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _refused(call: Call, refusal: Refusal) -> Reply:
    return error(refusal.code, refusal.message, call.at)
