"""Gate's futures over REST (API v4): where its endpoints are, and who may ask.

Errors have a `label` and a `message`, and an HTTP status of their own. Left to others: what the
endpoints answer (`gate_public.py`, `gate_account.py`, `gate_orders.py`, `gate_triggers.py`), the
stream (`gate_stream.py`), the market's rules and faults.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from simulator.gate_account import GateAccount
from simulator.gate_orders import GateOrders
from simulator.gate_public import GatePublic
from simulator.gate_quotas import GateQuotas, too_many
from simulator.gate_rows import seconds
from simulator.gate_triggers import GateTriggers
from simulator.gate_words import error, invalid
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Account
from simulator.wire import HttpRequest, Params, Reply, Route, flat

ROOT = "/api/v4"
MOST_SKEW = 60
"""Seconds that a request's Timestamp may be away from the venue's clock."""


class _Path(NamedTuple):
    pattern: re.Pattern[str]
    route: Route


class Gate:
    """Answers decoded calls from the market."""

    exchange = Exchange.GATE
    hosts = ("api.gateio.ws",)

    def __init__(self, market: Market) -> None:
        self._market = market
        self.quotas = GateQuotas()
        self._paths: dict[str, list[_Path]] = {}
        handlers = (GatePublic, GateAccount, GateOrders, GateTriggers)
        routes = {at: it for each in handlers for at, it in each(market).routes().items()}
        # A path that is written out goes before one with a name in that place.
        for (method, template), route in sorted(
            routes.items(), key=lambda it: "{" in it[0][1][-9:]
        ):
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", ROOT + template)
            self._paths.setdefault(method, []).append(_Path(re.compile(pattern), route))

    def _matched(self, method: str, path: str) -> tuple[Route, Params] | None:
        for pattern, route in self._paths.get(method, ()):
            if (found := pattern.fullmatch(path)) is not None:
                return route, found.groupdict()
        return None

    def route(self, method: str, path: str) -> Route | None:
        found = self._matched(method, path)
        return None if found is None else found[0]

    def params(self, request: HttpRequest) -> Params:
        """Query, body and the names in the path; nested members are called "initial.size".

        What a call names is under `symbol` as well, and its offset is a cursor, for faults that
        ask for a call by name, or for a page.
        """
        found = self._matched(request.method, request.path)
        params = dict(parse_qsl(request.query, keep_blank_values=True)) | _body(request.body)
        params |= {} if found is None else found[1]
        named = params.get("contract") or params.get("initial.contract")
        if named:
            params["symbol"] = named
        if params.get("offset", "0") != "0":
            params["cursor"] = f"page:{params['offset']}"
        return params

    def authenticate(self, request: HttpRequest, params: Params, at: datetime) -> Account | Reply:  # noqa: ARG002
        """HMAC-SHA512 over method, path, query, the body's SHA512 and the time in seconds."""
        key, sign, stamp = (request.headers.get(name, "") for name in ("KEY", "SIGN", "Timestamp"))
        if not (key and sign and stamp):
            return error("MISSING_REQUIRED_HEADER", "Missing required header: KEY, SIGN, Timestamp")
        login = self._market.logins.find(key)
        if login is None or login.account.exchange is not self.exchange:
            return error("INVALID_KEY", "Invalid key provided")
        try:
            away = abs(float(stamp) - at.timestamp())
        except ValueError:
            return error("INVALID_PARAM_VALUE", "Timestamp is no time in seconds")
        body = hashlib.sha512(request.body).hexdigest()
        secret = login.secret.reveal().encode()
        # Its SDK signs the query as it reads, not as it is escaped for its way.
        for query in (request.query, unquote_plus(request.query)):
            signed = "\n".join((request.method, request.path, query, body, stamp))
            expected = hmac.new(secret, signed.encode(), hashlib.sha512).hexdigest()
            if hmac.compare_digest(expected, sign.lower()):
                break
        else:
            return error("INVALID_SIGNATURE", "Signature mismatch")
        if away > MOST_SKEW:
            return error("REQUEST_EXPIRED", "gap between request Timestamp and server time exceeds")
        return login.account

    def error(self, code: str, message: str) -> Reply:
        return error(code, message)

    def too_many(self) -> Reply:
        return too_many()

    def banned(self, until: datetime, status: int) -> Reply:  # noqa: ARG002  # it has one kind
        """Gate has one kind of ban: 429, and the header that says when it ends."""
        reply = too_many()
        reply.headers["X-Gate-RateLimit-Reset-Timestamp"] = str(seconds(until) + 1)
        return reply

    def malformed(self, message: str) -> Reply:
        return invalid(message)


def _body(body: bytes) -> Params:
    """A JSON object's members, nested ones by their path; a list is one member, `batch`."""
    if not body:
        return {}
    if body.lstrip().startswith(b"["):
        return {"batch": body.decode()}
    params = flat(body)
    for name, value in msgspec.json.decode(body, type=dict[str, object]).items():
        if isinstance(value, dict):
            inner = flat(msgspec.json.encode(value))
            params |= {f"{name}.{member}": told for member, told in inner.items()}
    return params
