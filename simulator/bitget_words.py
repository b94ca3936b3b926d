"""Bitget v2's envelope, its pages by id, and its error codes for what the market refuses.

Source: the error code page of Bitget's documentation, and the codes that ccxt and `typed-bitget`
quote from live answers. Errors are HTTP 400 with `code`, 429 for the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from simulator.instruments import Listing
from simulator.state import Rejection, RejectReason
from simulator.wire import Call, Refusal, Reply, Row, ms

T = TypeVar("T")

PRODUCTS = ("USDT-FUTURES", "COIN-FUTURES", "USDC-FUTURES")
MOST_ROWS = 100
KEPT = timedelta(days=90)
"""How long histories are kept."""

CODES: dict[RejectReason, tuple[str, str]] = {
    RejectReason.NO_POSITION: ("22002", "No position to close"),
    RejectReason.RESERVED: ("22002", "No position to close"),
    RejectReason.MARGIN: ("40762", "The order amount exceeds the balance"),
    RejectReason.STEP: ("40808", "Parameter verification exception size checkBDScale error"),
    RejectReason.TOO_SMALL: ("45111", "less than the minimum order quantity"),
    RejectReason.TOO_LARGE: ("45113", "Maximum order value limit triggered"),
    RejectReason.MIN_NOTIONAL: ("45110", "less than the minimum amount 5 USDT"),
    RejectReason.PRICE_BAND: ("40815", "Order price is not within the price limit"),
    RejectReason.PRICE_TICK: ("45115", "The price you enter should be a multiple of the step"),
    RejectReason.DUPLICATE: ("40786", "Duplicate clientOid"),
    RejectReason.NOT_TRADABLE: ("40308", "The contract is being temporarily maintained"),
    RejectReason.UNKNOWN_SYMBOL: ("40034", "Parameter symbol does not exist"),
    RejectReason.POSITION_SIDE: (
        "40774",
        "The order type for unilateral position must also be the unilateral position type.",
    ),
    RejectReason.WOULD_TAKE: ("40815", "Order price is not within the price limit"),
    RejectReason.WOULD_TRIGGER: ("40917", "Stop price for long positions please < mark price"),
    RejectReason.NO_SUCH_ORDER: ("22001", "No order to cancel"),
    RejectReason.MALFORMED: ("400172", "Parameter verification failed"),
}
CLASSIC = (
    "40084",
    "You are in Classic Account mode, and the Unified Account API is not supported at this time",
)
UNIFIED = (
    "40085",
    "You are in Unified Account mode, and the Classic Account API is not supported at this time",
)
NO_RIGHTS = ("40014", "Incorrect permissions, need Futures Orders write permissions")
NOT_IN_DETAIL = ("40109", "The data of the order cannot be found, please confirm the order number")
NOT_TO_CANCEL = ("40768", "Order does not exist")
SHORT_STOP = ("45122", "Short position stop loss price please > mark price")
NOTHING_TO_PROTECT = ("43023", "Insufficient position, can not set profit or stop loss")
NO_TPSL = ("43020", "Stop profit and stop loss order does not exist")
NO_PLAN = ("43025", "Plan order does not exist")
PLAN_ENDED = ("43026", "The plan order has been closed")
MODE_HELD = ("40920", "Position or order exists, the position mode cannot be switched")
TOO_MANY = ("429", "Too Many Requests")


def error(code: str, message: str, at: datetime) -> Reply:
    body: Row = {"code": code, "msg": message, "requestTime": ms(at), "data": None}
    return Reply(body, status=429 if code == "429" else 400)


def words_of(rejection: Rejection) -> tuple[str, str]:
    return CODES[rejection.reason]


def refused(reason: RejectReason) -> Refusal:
    return Refusal(*CODES[reason])


def ok(call: Call, data: object, *, rows: tuple[str, ...] | None = None) -> Reply:
    """A success; `rows` is where in `data` its list is, () where it is the list itself."""
    body: Row = {"code": "00000", "msg": "success", "requestTime": ms(call.at), "data": data}
    return Reply(body, rows=None if rows is None else ("data", *rows))


def product(listing: Listing) -> str:
    """The product type that a contract belongs to."""
    named = {"USDT": "USDT-FUTURES", "USDC": "USDC-FUTURES"}
    return "COIN-FUTURES" if listing.inverse else named[listing.instrument.settle]


def product_of(call: Call) -> str:
    """The product type that a call must name. Raises Refusal."""
    named = call.params.get("productType", "").upper()
    if not named:
        raise Refusal("40019", "Parameter productType cannot be empty")
    if named not in PRODUCTS:
        raise Refusal("40020", "Parameter productType error")
    return named


def may_trade(call: Call) -> None:
    if not call.owner.can_trade:
        raise Refusal(*NO_RIGHTS)


def window(call: Call, most: timedelta) -> tuple[datetime, datetime]:
    """The span that a history is asked for. Raises Refusal for a longer one than it gives."""
    since, until = call.instant("startTime"), call.instant("endTime")
    if since is None:
        since = (until or call.at) - most
    until = until or min(since + most, call.at)
    if until - since > most:
        raise Refusal("40408", "Wrong time range")
    return max(since, call.at - KEPT), until


def page(
    call: Call,
    items: Sequence[T],
    row: Callable[[T], Row],
    ident: Callable[[T], str],
    *,
    key: str = "entrustedList",
    empty: list[Row] | None = None,
    end: str | None = None,
    usual: int = MOST_ROWS,
) -> Reply:
    """One page of items, newest first, as rows: those after `idLessThan`, and the last one's id.

    Where there is nothing, lists are null and so is `endId`, unless told otherwise.
    """
    limit = min(max(1, call.integer("limit", usual)), MOST_ROWS)
    less = call.params.get("idLessThan", "")
    start = 0
    if less:
        ids = [ident(item) for item in items]
        older = (at for at, own in enumerate(ids) if int(own) < int(less))
        start = ids.index(less) + 1 if less in ids else next(older, len(items))
    shown = items[start : start + limit]
    if not shown:
        return ok(call, {key: empty, "endId": end}, rows=None if empty is None else (key,))
    rows = [row(item) for item in shown]
    return ok(call, {key: rows, "endId": ident(shown[-1])}, rows=(key,))
