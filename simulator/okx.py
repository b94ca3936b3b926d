"""OKX v5 over REST: its routes, its signatures, and how it refuses.

Errors are a `code` in the body, of orders an `sCode` in their row; some have an HTTP status. Left
to others: what answers (`okx_public.py`, `okx_account.py`, `okx_orders.py`, `okx_algo.py`), limits
(`okx_quotas.py`), the private stream (`okx_stream.py`), the market's rules, faults and sockets.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

import msgspec

from messages.values import Secret
from simulator.instruments import Exchange
from simulator.logins import PASSPHRASE
from simulator.market import Market
from simulator.okx_account import OkxAccount
from simulator.okx_algo import OkxAlgo
from simulator.okx_orders import OkxOrders
from simulator.okx_public import OkxPublic
from simulator.okx_quotas import TOO_MANY, OkxQuotas
from simulator.okx_words import ROW_CODES, envelope
from simulator.state import Account
from simulator.wire import (
    Call,
    HttpRequest,
    Params,
    Refusal,
    Reply,
    Route,
    Row,
    answering,
    encode,
    flat,
)

LIFE = timedelta(seconds=30)
"""How far a request's time may lie from the venue's."""
_MISSING = {"50103": "KEY", "50104": "PASSPHRASE", "50106": "SIGN", "50107": "TIMESTAMP"}
"""What is said where one of the headers is not there."""


class Okx:
    """Answers decoded calls from the market."""

    exchange = Exchange.OKX
    hosts = ("www.okx.com", "my.okx.com", "eea.okx.com", "app.okx.com")

    def __init__(self, market: Market) -> None:
        self._market = market
        self.quotas = OkxQuotas()
        routes: dict[tuple[str, str], Route] = {
            **OkxPublic(market).routes(),
            **OkxAccount(market).routes(),
            **OkxOrders(market).routes(),
            **OkxAlgo(market).routes(),
        }
        self._routes = {
            at: replace(it, handler=answering(it.handler, _refused)) for at, it in routes.items()
        }

    def route(self, method: str, path: str) -> Route | None:
        return self._routes.get((method, path))

    def params(self, request: HttpRequest) -> Params:
        """A body that is a list is kept as text in `batch`, beside the first of its members.

        `symbol` is what is called `instId` here: faults and the log tell by that word.
        """
        if request.method == "POST":
            params = _listed(request.body) or flat(request.body)
        else:
            params = dict(parse_qsl(request.query, keep_blank_values=True))
        if params.get("instId"):
            params["symbol"] = params["instId"]
        return params

    def authenticate(
        self,
        request: HttpRequest,
        params: Params,  # noqa: ARG002  # OKX signs the request as it was sent
        at: datetime,
    ) -> Account | Reply:
        headers = request.headers
        key, passphrase, sign, stamp = (
            headers.get(f"OK-ACCESS-{name}", "") for name in _MISSING.values()
        )
        for code, name in _MISSING.items():
            if not headers.get(f"OK-ACCESS-{name}"):
                return envelope(code, f'Request header "OK-ACCESS-{name}" cannot be empty.')
        try:
            sent_at = datetime.fromisoformat(stamp)
        except ValueError:
            return envelope("50112", "Invalid OK-ACCESS-TIMESTAMP.")
        if sent_at.tzinfo is None or abs(at - sent_at) > LIFE:
            return envelope("50102", "Timestamp request expired.")
        login = self._market.logins.find(key)
        if login is None or login.account.exchange is not self.exchange:
            return envelope("50111", "Invalid OK-ACCESS-KEY.")
        if not hmac.compare_digest(passphrase, PASSPHRASE):
            return envelope("50105", 'Request header "OK-ACCESS-PASSPHRASE" incorrect.')
        path = f"{request.path}?{request.query}" if request.query else request.path
        signed = f"{stamp}{request.method}{path}{request.body.decode()}"
        if not is_signed(login.secret, signed, sign):
            return envelope("50113", "Invalid Sign")
        return login.account

    def error(self, code: str, message: str) -> Reply:
        """An order's own refusal stands in its row, with `code` 1; others stand alone."""
        if not code.startswith(ROW_CODES):
            return envelope(code, message)
        row: Row = {"clOrdId": "", "ordId": "", "tag": "", "sCode": code, "sMsg": message}
        return Reply({"code": "1", "msg": "All operations failed", "data": [row]})

    def too_many(self) -> Reply:
        return envelope(*TOO_MANY)

    def banned(self, until: datetime, status: int) -> Reply:  # noqa: ARG002  # OKX names no end
        """Of an address: 403 without a word of when it ends. Of an account: 50011."""
        if status in (200, 429):
            return self.too_many()
        return Reply({"code": "50121", "msg": "You can't access our services", "data": []}, 403)

    def malformed(self, message: str) -> Reply:
        return envelope("51000", f"Parameter error: {message}")


def is_signed(secret: Secret, signed: str, signature: str) -> bool:
    """Whether a signature is the one of that text: HMAC-SHA256, as base64."""
    digest = hmac.new(secret.reveal().encode(), signed.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(base64.b64encode(digest).decode(), signature)


def _listed(body: bytes) -> Params | None:
    """The parameters of a body that is a list; None where it is none, or is empty."""
    if not body.lstrip().startswith(b"["):
        return None
    try:
        members = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    first = flat(bytes(members[0])) if members else {}
    return {**first, "batch": encode(members).decode()}


def _refused(_: Call, refusal: Refusal) -> Reply:
    return envelope(refusal.code, refusal.message)
