"""OKX v5's envelopes, its pages, and its error codes for what the market refuses.

An order that is refused is refused inside: `code` "1", and an `sCode` in the row of `data`. Other
refusals are `code` itself, some of them with an HTTP status of their own. Source: "Error Code" and
"Pagination" in the documentation of OKX's v5 API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from simulator.state import OrderSpec, Rejection, RejectReason
from simulator.wire import Call, Refusal, Reply, Row, ms

T = TypeVar("T")

CODES: dict[RejectReason, tuple[str, str]] = {
    RejectReason.NO_POSITION: (
        "51169",
        "Order failed because you don't have any positions in this direction for this contract "
        "to reduce or close.",
    ),
    RejectReason.RESERVED: ("51112", "Close order size exceeds available size for this position."),
    RejectReason.MARGIN: ("51008", "Order failed. Insufficient USDT margin in account"),
    RejectReason.STEP: ("51121", "Order quantity must be a multiple of the lot size."),
    RejectReason.TOO_SMALL: (
        "51020",
        "Your order should meet or exceed the minimum order amount.",
    ),
    RejectReason.TOO_LARGE: ("51202", "Market order amount exceeds the maximum amount."),
    RejectReason.MIN_NOTIONAL: (
        "51020",
        "Your order should meet or exceed the minimum order amount.",
    ),
    RejectReason.PRICE_BAND: ("51006", "Order price is not within the price limit"),
    RejectReason.PRICE_TICK: (
        "51150",
        "The precision of the number of trades or the price exceeds the limit.",
    ),
    RejectReason.DUPLICATE: ("51016", "Client order ID already exists."),
    RejectReason.NOT_TRADABLE: ("51022", "Contract suspended."),
    RejectReason.UNKNOWN_SYMBOL: ("51001", "Instrument ID or Spread ID doesn't exist."),
    RejectReason.POSITION_SIDE: ("51000", "Parameter posSide error"),
    RejectReason.WOULD_TAKE: ("51026", "Post-only order would take"),
    RejectReason.WOULD_TRIGGER: ("51250", "Algo order price is out of the available range."),
    RejectReason.NO_SUCH_ORDER: (
        "51400",
        "Order cancellation failed as the order has been filled, canceled or does not exist.",
    ),
    RejectReason.MALFORMED: ("51000", "Parameter error"),
}
ALGO_DUPLICATE = ("51065", "algoClOrdId already exists.")
PASSED = {
    ("stop", "sell"): ("51280", "SL trigger price cannot be higher than the last price."),
    ("stop", "buy"): ("51278", "SL trigger price cannot be lower than the last price."),
    ("profit", "sell"): ("51279", "TP trigger price cannot be lower than the last price."),
    ("profit", "buy"): ("51277", "TP trigger price cannot be higher than the last price."),
}
"""What is said of a stop or take-profit whose price the market has passed already."""

UNKNOWN_ORDER = ("51603", "Order does not exist")
NO_TRADING = ("50120", "This API key doesn't have permission to use this function")
STATUSES = {
    "50000": 400,
    "50001": 503,
    "50002": 400,
    "50004": 400,
    "50011": 429,
    "50013": 429,
    "50014": 400,
    "50015": 400,
    "50016": 400,
    "50026": 500,
    "50119": 200,
    "50120": 200,
    "51000": 400,
    "51149": 500,
}
"""The HTTP status of a code; 401 of the other 501xx, 200 of all others."""
ROW_CODES = "51"
"""How codes begin that an order's own row bears, where the reply has one."""


def status_of(code: str) -> int:
    return STATUSES.get(code, 401 if code.startswith("501") else 200)


def envelope(code: str, message: str) -> Reply:
    """A refusal of a whole request."""
    return Reply({"code": code, "msg": message, "data": []}, status=status_of(code))


def words_of(rejection: Rejection, spec: OrderSpec | None = None) -> tuple[str, str]:
    """The code and the words for what the market refuses."""
    if spec is not None and spec.conditional:
        if rejection.reason is RejectReason.DUPLICATE:
            return ALGO_DUPLICATE
        if rejection.reason is RejectReason.WOULD_TRIGGER:
            kind = "profit" if spec.take_profit else "stop"
            return PASSED.get((kind, spec.side.value), CODES[RejectReason.WOULD_TRIGGER])
    return CODES[rejection.reason]


def ok(rows: Iterable[Row]) -> Reply:
    return Reply({"code": "0", "msg": "", "data": list(rows)}, rows=("data",))


def acted(call: Call, rows: Sequence[Row], *, timed: bool = True) -> Reply:
    """The answer to orders, one row each: code 0 where all were taken, 1 where none, 2 between."""
    refused = [row for row in rows if row["sCode"] != "0"]
    code = "0" if not refused else "1" if len(refused) == len(rows) else "2"
    message = "" if not refused else "All operations failed" if code == "1" else "Bulk operation"
    body: Row = {"code": code, "msg": message, "data": list(rows)}
    if timed:
        body |= {"inTime": str(ms(call.at) * 1000), "outTime": str(ms(call.at) * 1000 + 1200)}
    return Reply(body)


def page(
    call: Call,
    newest_first: Sequence[T],
    key: Callable[[T], int],
    *,
    most: int = 100,
) -> list[T]:
    """One page of records: `after` is for older ones than that key, `before` for newer ones."""
    after, before = call.params.get("after", ""), call.params.get("before", "")
    for name, value in (("after", after), ("before", before)):
        if value and not value.isdecimal():
            raise Refusal("51000", f"Parameter {name} error")
    limit = call.integer("limit", most)
    if not 1 <= limit <= most:
        raise Refusal("51000", "Parameter limit error")
    found = [
        it
        for it in newest_first
        if (not after or key(it) < int(after)) and (not before or key(it) > int(before))
    ]
    return found[-limit:] if before and not after else found[:limit]


def within(call: Call, items: Iterable[T], at: Callable[[T], int]) -> list[T]:
    """What lies between `begin` and `end`, both milliseconds and both included."""
    begin, end = call.integer("begin", 0), call.integer("end", 0)
    return [it for it in items if at(it) >= begin and (not end or at(it) <= end)]


def needed(call: Call, name: str) -> str:
    """A parameter that must be there. Raises Refusal where it is not."""
    value = call.params.get(name, "")
    if not value:
        raise Refusal("50014", f"Parameter {name} can not be empty.")
    return value
