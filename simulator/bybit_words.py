"""Bybit v5's envelope, its pages, and its error codes for what the market refuses.

Source: the v5 error code page of Bybit's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from simulator.state import Rejection, RejectReason
from simulator.wire import Call, Refusal, Reply, Row, ms, page_start

T = TypeVar("T")

CATEGORIES = ("linear", "inverse")

CODES: dict[RejectReason, tuple[str, str]] = {
    RejectReason.NO_POSITION: (
        "110017",
        "current position is zero, cannot fix reduce-only order qty",
    ),
    RejectReason.RESERVED: ("110017", "Reduce-only rule not satisfied"),
    RejectReason.MARGIN: ("110007", "ab not enough for new order"),
    RejectReason.STEP: ("10001", "Qty invalid"),
    RejectReason.TOO_SMALL: ("10001", "The number of contracts is below minimum limit allowed"),
    RejectReason.TOO_LARGE: ("10001", "The number of contracts exceeds maximum limit allowed"),
    RejectReason.MIN_NOTIONAL: ("110094", "Order does not meet minimum order value 5USDT"),
    RejectReason.PRICE_BAND: ("110003", "Order price exceeds the allowable range."),
    RejectReason.PRICE_TICK: ("10001", "params error: Price invalid"),
    RejectReason.DUPLICATE: ("110072", "OrderLinkedID is duplicate"),
    RejectReason.NOT_TRADABLE: ("110074", "This contract is not live"),
    RejectReason.UNKNOWN_SYMBOL: ("10001", "params error: symbol invalid"),
    RejectReason.POSITION_SIDE: ("10001", "position idx not match position mode"),
    RejectReason.WOULD_TAKE: ("110024", "post-only order would take"),
    RejectReason.WOULD_TRIGGER: ("110092", "expect Rising, but trigger_price <= current"),
    RejectReason.NO_SUCH_ORDER: ("110001", "order not exists or too late to cancel"),
    RejectReason.MALFORMED: ("10001", "params error"),
}
FALLING = ("110093", "expect Falling, but trigger_price >= current")
"""The other half of WOULD_TRIGGER."""

NOT_MODIFIED = ("34040", "not modified")
UNIFIED = ("100028", "The API cannot be accessed by unified account users.")
MISSING_SCOPE = (
    "10001",
    "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin",
)


def envelope(code: str, message: str, at_ms: int) -> Reply:
    """An error: HTTP 200, and the code inside."""
    body: Row = {"retCode": int(code), "retMsg": message, "result": {}, "retExtInfo": {}}
    return Reply({**body, "time": at_ms})


def error(call: Call, code: str, message: str) -> Reply:
    return envelope(code, message, ms(call.at))


def words_of(rejection: Rejection, *, falling: bool = False) -> tuple[str, str]:
    """The code and the words for what the market refuses."""
    if falling and rejection.reason is RejectReason.WOULD_TRIGGER:
        return FALLING
    return CODES[rejection.reason]


def ok(call: Call, result: Row, *, rows: str | None = None) -> Reply:
    """A success; `rows` names the member of `result` that is its list."""
    body: Row = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}}
    return Reply({**body, "time": ms(call.at)}, rows=None if rows is None else ("result", rows))


def page(
    call: Call, items: Sequence[T], row: Callable[[T], Row], *, most: int, usual: int
) -> Reply:
    """One page of items as rows, and the cursor of the next while there is one."""
    limit = min(max(1, call.integer("limit", usual)), most)
    start = page_start(call.params)
    cursor = f"page%3A{start + limit}" if start + limit < len(items) else ""
    result: Row = {
        "category": call.params.get("category", ""),
        "list": [row(item) for item in items[start : start + limit]],
        "nextPageCursor": cursor,
    }
    return ok(call, result, rows="list")


def category_of(call: Call) -> str:
    """The derivative category that a call names. Raises Refusal for any other."""
    named = call.params.get("category", "")
    if named not in CATEGORIES:
        raise Refusal("10001", "params error: category invalid")
    return named
