"""Gate's error labels for what the market refuses, their HTTP statuses, and the shape of an error.

Source: the list of labels in the section "Exception handling" of Gate's API v4 documentation, and
the futures labels that its maintainers name (github:gateio/gateapi-python, issue 18).
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.state import Rejection, RejectReason
from simulator.wire import Call, Reply

STATUSES: Mapping[str, int] = {
    "MISSING_REQUIRED_HEADER": 401,
    "INVALID_CREDENTIALS": 401,
    "INVALID_KEY": 401,
    "INVALID_SIGNATURE": 401,
    "REQUEST_EXPIRED": 403,
    "IP_FORBIDDEN": 403,
    "READ_ONLY": 403,
    "FORBIDDEN": 403,
    "ORDER_NOT_FOUND": 404,
    "AUTO_ORDER_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "TOO_MANY_REQUESTS": 429,
    "INTERNAL": 500,
    "SERVER_ERROR": 500,
    "TOO_BUSY": 503,
}
"""Of labels that do not come with HTTP 400."""

LABELS: Mapping[RejectReason, str] = {
    RejectReason.NO_POSITION: "INCREASE_POSITION",
    RejectReason.RESERVED: "INCREASE_POSITION",
    RejectReason.MARGIN: "INSUFFICIENT_AVAILABLE",
    RejectReason.STEP: "INVALID_PARAM_VALUE",
    RejectReason.TOO_SMALL: "SIZE_TOO_SMALL",
    RejectReason.TOO_LARGE: "SIZE_TOO_LARGE",
    RejectReason.MIN_NOTIONAL: "SIZE_TOO_SMALL",
    RejectReason.PRICE_BAND: "PRICE_TOO_DEVIATED",
    RejectReason.PRICE_TICK: "INVALID_PARAM_VALUE",
    RejectReason.DUPLICATE: "REPEATED_CREATION",
    RejectReason.NOT_TRADABLE: "CONTRACT_IN_DELISTING",
    RejectReason.UNKNOWN_SYMBOL: "CONTRACT_NOT_FOUND",
    RejectReason.POSITION_SIDE: "INVALID_PARAM_VALUE",
    RejectReason.WOULD_TAKE: "ORDER_POC_IMMEDIATE",
    RejectReason.WOULD_TRIGGER: "INVALID_PARAM_VALUE",
    RejectReason.NO_SUCH_ORDER: "ORDER_NOT_FOUND",
    RejectReason.MALFORMED: "INVALID_PARAM_VALUE",
}


def error(label: str, message: str) -> Reply:
    return Reply({"label": label, "message": message}, status=STATUSES.get(label, 400))


def invalid(name: str) -> Reply:
    return error("INVALID_PARAM_VALUE", f"invalid argument: {name}")


def missing(name: str) -> Reply:
    return error("MISSING_REQUIRED_PARAM", f"missing required parameter: {name}")


def refused(rejection: Rejection) -> Reply:
    return error(LABELS[rejection.reason], rejection.detail)


def not_found(label: str = "ORDER_NOT_FOUND") -> Reply:
    return error(label, "order not found")


def read_only(call: Call) -> Reply | None:
    """The refusal of whatever acts with a key that may only read."""
    return None if call.owner.can_trade else error("READ_ONLY", "the API key is read-only")
