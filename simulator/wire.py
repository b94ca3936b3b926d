"""What both protocols share: a decoded call, a reply before it is bytes, routes, and numbers.

Left to others: each exchange's paths, rows and codes (`bybit.py`, `binance.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Protocol, TypeVar
from urllib.parse import unquote

import msgspec

from simulator.instruments import Exchange
from simulator.state import Account

Body = dict[str, object] | list[dict[str, object]] | list[list[object]]
Row = dict[str, object]
Params = dict[str, str]

T = TypeVar("T")

PLACES = Decimal("1e-12")


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, decoded.

    `address` is the client's. `as_of` is set where an answer of an earlier moment was ordered for
    it, `not_before` where a history without its older part was.
    """

    at: datetime
    exchange: Exchange
    endpoint: str
    method: str
    path: str
    params: Params
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    account: Account | None = None
    as_of: datetime | None = None
    not_before: datetime | None = None

    def told(self, history: Iterable[T], at: Callable[[T], datetime]) -> list[T]:
        """What of a history this call may see, by its records' instants."""
        return [
            it
            for it in history
            if (self.as_of is None or at(it) <= self.as_of)
            and (self.not_before is None or at(it) >= self.not_before)
        ]

    @property
    def owner(self) -> Account:
        """The account that signed; a signed route is never called without one."""
        if self.account is None:
            raise LookupError(f"{self.path} was routed without an account")
        return self.account

    def number(self, name: str) -> Decimal | None:
        """A parameter as a number, None where it is missing or empty. ValueError if it is none."""
        text = self.params.get(name, "")
        if not text:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation as error:
            raise ValueError(f"{name} is not a number: {text!r}") from error
        if not value.is_finite():
            raise ValueError(f"{name} is not a number: {text!r}")
        return value

    def integer(self, name: str, default: int) -> int:
        value = self.number(name)
        return default if value is None else int(value)

    def flag(self, name: str) -> bool:
        return self.params.get(name, "").lower() == "true"

    def instant(self, name: str) -> datetime | None:
        """A parameter in milliseconds since the epoch, as an instant."""
        value = self.number(name)
        return None if value is None else from_ms(int(value))


@dataclass(slots=True)
class Reply:
    """An answer before it is bytes. `rows` is where its list is: () is the body itself."""

    body: Body
    status: int = 200
    rows: tuple[str, ...] | None = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Reply]


class Refusal(ValueError):
    """A request that breaks a rule, with the exchange's own code for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def answering(handler: Handler, refused: Callable[[Call, Refusal], Reply]) -> Handler:
    """A handler whose refusals are replies, in the words of `refused`."""

    def answer(call: Call) -> Reply:
        try:
            return handler(call)
        except Refusal as refusal:
            return refused(call, refusal)

    return answer


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a path. `endpoint` is the same word for both exchanges; faults use it."""

    endpoint: str
    handler: Handler
    signed: bool = True
    weight: int = 1


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came: `query` is the raw query string, since signatures cover it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    address: str = "127.0.0.1"


class Quotas(Protocol):
    """One exchange's limits. `enforced` off, requests are counted and none is refused."""

    enforced: bool

    def charge(self, call: Call) -> Reply | None:
        """Count a request; its refusal where it is over a limit that is enforced."""

    def headers(self, call: Call) -> dict[str, str]:
        """What the answer to a request says of what has been used."""


class RestProtocol(Protocol):
    """One exchange's protocol."""

    exchange: Exchange

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where its clients send requests to."""

    @property
    def quotas(self) -> Quotas: ...

    def route(self, method: str, path: str) -> Route | None: ...

    def params(self, request: HttpRequest) -> Params: ...

    def authenticate(self, request: HttpRequest, params: Params, at: datetime) -> Account | Reply:
        """Check key, signature and clock of a signed request."""

    def error(self, code: str, message: str) -> Reply: ...

    def too_many(self) -> Reply: ...

    def banned(self, until: datetime, status: int) -> Reply:
        """A ban that ends at an instant; `status` says of what kind (`FaultKind.BAN`)."""

    def malformed(self, message: str) -> Reply: ...


def text(value: Decimal | None, empty: str = "") -> str:
    """A number as exchanges write it: no exponent, no needless digits."""
    if value is None:
        return empty
    if value.as_tuple().exponent == 0:
        return str(value)
    rounded = f"{value.quantize(PLACES):f}"
    return rounded.rstrip("0").rstrip(".") if "." in rounded else rounded


def ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def from_ms(value: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=value)


def encode(body: object) -> bytes:
    return msgspec.json.encode(body)


def flat(body: bytes) -> Params:
    """A JSON object's members as text, lists as JSON. Raises ValueError where it is no object."""
    try:
        members = msgspec.json.decode(body, type=dict[str, object]) if body else {}
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    params: Params = {}
    for name, value in members.items():
        if isinstance(value, bool):
            params[name] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            params[name] = str(value)
        elif isinstance(value, list):
            params[name] = encode(value).decode()
    return params


def batch_of(request: str) -> list[dict[str, str]]:
    """The requests of a batch, as parameters. Raises ValueError where they are none."""
    try:
        parts = msgspec.json.decode(request or "[]", type=list[msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    return [flat(bytes(part)) for part in parts]


def page_start(params: Params) -> int:
    """Where a cursor of ours points; 0 for none. Raises ValueError for one that is not ours."""
    cursor = unquote(unquote(params.get("cursor", "")))
    if not cursor:
        return 0
    word, _, start = cursor.partition(":")
    if word != "page" or not start.isdecimal():
        raise ValueError("cursor invalid")
    return int(start)


def page_number(params: Params) -> int:
    """Which page of a list is asked for, from 1. Raises ValueError for a foreign cursor."""
    start, limit = page_start(params), params.get("limit", "")
    return (
        1 + start // int(limit) if start and limit.isdecimal() and int(limit) else 1 + bool(start)
    )
