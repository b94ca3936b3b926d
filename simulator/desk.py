"""From a raw request to a raw reply: route, signature, log, rate limit, faults, protocol.

The same steps for both exchanges, without a socket: `server.py` waits, cuts and writes.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import msgspec

from simulator.faults import Fault, FaultBook, FaultKind
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.wire import (
    Call,
    HttpRequest,
    Params,
    Reply,
    RestProtocol,
    Route,
    Row,
    encode,
    page_number,
)

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>cloud front</body></html>"
NOT_LOGGED = frozenset({"signature", "timestamp", "recvWindow"})
ORDER_ENDPOINTS = frozenset({"order.create", "algo.create"})
LOGGED_REQUESTS = 200_000


class LoggedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that reached the venue, refused or not. `account` is empty for public ones."""

    at: datetime
    exchange: str
    account: str
    method: str
    endpoint: str
    path: str
    params: dict[str, str]


class RequestLog:
    """Every request that arrived, and counts of them by account and endpoint."""

    def __init__(self) -> None:
        self.requests: deque[LoggedRequest] = deque(maxlen=LOGGED_REQUESTS)
        self.counts: dict[str, Counter[str]] = {}

    def add(self, request: LoggedRequest) -> None:
        self.requests.append(request)
        self.counts.setdefault(request.account, Counter())[request.endpoint] += 1

    def count(self, endpoint: str, account: str | None = None) -> int:
        """How many requests an endpoint had, of one account or of all."""
        named = self.counts if account is None else {account: self.counts.get(account, Counter())}
        return sum(counter[endpoint] for counter in named.values())

    def orders(self, account: str | None = None) -> list[LoggedRequest]:
        """The requests that would create an order."""
        return [
            it
            for it in self.requests
            if it.endpoint in ORDER_ENDPOINTS and account in (None, it.account)
        ]

    def clear(self) -> None:
        self.requests.clear()
        self.counts.clear()


class RateLimit:
    """A sliding window over the weights of each account's requests."""

    def __init__(self, weight: int = 6000, per: timedelta = timedelta(seconds=1)) -> None:
        self.weight = weight
        self.per = per
        self._recent: dict[str, deque[tuple[datetime, int]]] = {}
        self._used: Counter[str] = Counter()

    def allows(self, account: str, weight: int, at: datetime) -> bool:
        """Whether a request is within the limit; refused ones don't count."""
        recent = self._recent.setdefault(account, deque())
        while recent and at - recent[0][0] >= self.per:
            self._used[account] -= recent.popleft()[1]
        if self._used[account] + weight > self.weight:
            return False
        recent.append((at, weight))
        self._used[account] += weight
        return True


@dataclass(slots=True)
class Pending:
    """A request that was received and is not answered yet. `early` answers in its place."""

    exchanger: RestProtocol
    route: Route
    call: Call
    early: Reply | None = None
    faults: tuple[Fault, ...] = field(default=())

    def seconds(self, kind: FaultKind) -> float:
        return sum(fault.seconds for fault in self.faults if fault.kind is kind)

    def struck_by(self, kind: FaultKind) -> Fault | None:
        return next((fault for fault in self.faults if fault.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as bytes."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Desk:
    """Where requests come in. `skew` puts the venue's clock off.

    `limits` is what an account may ask in tests; an exchange's own limits are its `quotas`.
    """

    def __init__(
        self, market: Market, faults: FaultBook, exchangers: dict[Exchange, RestProtocol]
    ) -> None:
        self._market = market
        self._faults = faults
        self._exchangers = exchangers
        self.log = RequestLog()
        self.limits = {exchange: RateLimit() for exchange in exchangers}
        self.skew = timedelta(0)
        self.latency = 0.0
        """Seconds that each request takes, half of them before it has its effect."""
        faults.now = market.now

    @property
    def enforces_quotas(self) -> bool:
        return any(it.quotas.enforced for it in self._exchangers.values())

    @enforces_quotas.setter
    def enforces_quotas(self, enforced: bool) -> None:
        for exchanger in self._exchangers.values():
            exchanger.quotas.enforced = enforced

    def receive(self, exchange: Exchange, request: HttpRequest) -> Pending | Answer:
        """Decode and log a request, check who it is, and see what strikes it."""
        exchanger = self._exchangers[exchange]
        route = exchanger.route(request.method, request.path)
        if route is None:
            return Answer(404, b"no such path is simulated", "text/plain")
        at = self._market.tick() + self.skew
        try:
            params = exchanger.params(request)
            page = page_number(params)
        except ValueError as error:
            params, page = {}, 1
            early: Reply | None = exchanger.malformed(str(error))
        else:
            early = None
        call = Call(
            at=at,
            exchange=exchange,
            endpoint=route.endpoint,
            method=request.method,
            path=request.path,
            params=params,
            headers=request.headers,
            address=request.address,
        )
        if route.signed and early is None:
            known = exchanger.authenticate(request, params, at)
            if isinstance(known, Reply):
                early = known
            else:
                call.account = known
        name = call.account.name if call.account is not None else ""
        self._note(call, name, params)
        asked = f"{route.endpoint}.{'named' if params.get('symbol') else 'list'}"
        faults = self._faults.strike(asked, name, path=request.path, page=page)
        if early is None and not self.limits[exchange].allows(name, route.weight, call.at):
            early = exchanger.too_many()
        over = exchanger.quotas.charge(call)
        early = over if over is not None else early
        return Pending(exchanger, route, call, early, faults)

    def answer(self, pending: Pending) -> Answer:
        """Let a call take effect, unless a fault answers for it, and damage its reply."""
        for fault in pending.faults:
            instead = _instead(fault, pending.exchanger)
            if instead is not None:
                return instead
        call = pending.call
        if pending.struck_by(FaultKind.STALE) is not None:
            call.as_of = call.at - timedelta(seconds=pending.seconds(FaultKind.STALE))
        if pending.struck_by(FaultKind.CUT_HISTORY) is not None:
            call.not_before = call.at - timedelta(seconds=pending.seconds(FaultKind.CUT_HISTORY))
        reply = pending.early if pending.early is not None else self._handle(pending)
        for fault in pending.faults:
            if fault.kind is FaultKind.ERROR_AFTER:
                reply = pending.exchanger.error(fault.code, fault.message)
            _damage_list(fault, reply)
        body = encode(reply.body)
        if pending.struck_by(FaultKind.TRUNCATED) is not None:
            body = body[: len(body) // 2]
        told = pending.exchanger.quotas.headers(pending.call)
        return Answer(reply.status, body, headers={**told, **reply.headers})

    def _handle(self, pending: Pending) -> Reply:
        try:
            return pending.route.handler(pending.call)
        except ValueError as error:
            return pending.exchanger.malformed(str(error))

    def _note(self, call: Call, account: str, params: Params) -> None:
        shown = {name: value for name, value in params.items() if name not in NOT_LOGGED}
        self.log.add(
            LoggedRequest(
                at=call.at,
                exchange=call.exchange,
                account=account,
                method=call.method,
                endpoint=call.endpoint,
                path=call.path,
                params=shown,
            )
        )


def _instead(fault: Fault, exchanger: RestProtocol) -> Answer | None:
    """The answer of a fault that keeps a call from taking effect."""
    match fault.kind:
        case FaultKind.STATUS:
            return Answer(fault.status, fault.message.encode(), "text/plain")
        case FaultKind.EMPTY_BODY:
            return Answer(200, b"")
        case FaultKind.HTML:
            return Answer(200, HTML, "text/html")
        case FaultKind.ERROR_CODE:
            reply = exchanger.error(fault.code, fault.message)
            return Answer(reply.status, encode(reply.body), headers=reply.headers)
        case FaultKind.BAN if fault.until is not None:
            reply = exchanger.banned(fault.until, fault.status)
            return Answer(reply.status, encode(reply.body), headers=reply.headers)
        case _:
            return None


def _damage_list(fault: Fault, reply: Reply) -> None:
    """Take a reply's list out of its envelope, empty it or shorten it."""
    kinds = (FaultKind.MISSING_LIST, FaultKind.EMPTY_LIST, FaultKind.SHORT_LIST)
    if fault.kind not in kinds or reply.rows is None:
        return
    if not reply.rows:
        rows = cast(list[Row], reply.body)
        if fault.kind is FaultKind.MISSING_LIST:
            reply.body = {}
        else:
            reply.body = _fewer(rows, fault)
        return
    holder = cast(Row, reply.body)
    for name in reply.rows[:-1]:
        holder = cast(Row, holder[name])
    name = reply.rows[-1]
    if fault.kind is FaultKind.MISSING_LIST:
        del holder[name]
        return
    holder[name] = _fewer(cast(list[Row], holder[name]), fault)
    if "nextPageCursor" in holder and fault.kind is FaultKind.EMPTY_LIST:
        holder["nextPageCursor"] = ""


def _fewer(rows: list[Row], fault: Fault) -> list[Row]:
    return [] if fault.kind is FaultKind.EMPTY_LIST else rows[: len(rows) // 2]
