"""Binance USD-M's error codes for what the market refuses, and the shape of an error.

Source: the USD-M futures error code page of Binance's documentation.
"""

from __future__ import annotations

from simulator.state import Rejection, RejectReason
from simulator.wire import Reply

MOST_WEIGHT = 2400
MOST_ORDERS_1M = 1200
MOST_ORDERS_10S = 300
RATE_LIMITS: tuple[dict[str, str | int], ...] = tuple(
    {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": most}
    for kind, interval, number, most in (
        ("REQUEST_WEIGHT", "MINUTE", 1, MOST_WEIGHT),
        ("ORDERS", "MINUTE", 1, MOST_ORDERS_1M),
        ("ORDERS", "SECOND", 10, MOST_ORDERS_10S),
    )
)
"""What an address may ask in a minute, by weight, and what an account may order."""

CODES: dict[RejectReason, tuple[str, str]] = {
    RejectReason.NO_POSITION: ("-2022", "ReduceOnly Order is rejected."),
    RejectReason.RESERVED: (
        "-4118",
        "ReduceOnly Order Failed. Please check your existing position and open orders.",
    ),
    RejectReason.MARGIN: ("-2019", "Margin is insufficient."),
    RejectReason.STEP: ("-1111", "Precision is over the maximum defined for this asset."),
    RejectReason.TOO_SMALL: ("-4003", "Quantity less than or equal to zero."),
    RejectReason.TOO_LARGE: ("-4005", "Quantity greater than max quantity."),
    RejectReason.MIN_NOTIONAL: (
        "-4164",
        "Order's notional must be no smaller than 5 (unless you choose reduce only).",
    ),
    RejectReason.PRICE_BAND: (
        "-4131",
        "The counterparty's best price does not meet the PERCENT_PRICE.",
    ),
    RejectReason.PRICE_TICK: ("-4014", "Price not increased by tick size."),
    RejectReason.DUPLICATE: ("-4116", "ClientOrderId is duplicated."),
    RejectReason.NOT_TRADABLE: ("-4108", "Symbol is not in trading status."),
    RejectReason.UNKNOWN_SYMBOL: ("-1121", "Invalid symbol."),
    RejectReason.POSITION_SIDE: ("-4061", "Order's position side does not match user's setting."),
    RejectReason.WOULD_TAKE: (
        "-5022",
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    RejectReason.WOULD_TRIGGER: ("-2021", "Order would immediately trigger."),
    RejectReason.NO_SUCH_ORDER: ("-2011", "Unknown order sent."),
    RejectReason.MALFORMED: (
        "-1102",
        "Mandatory parameter was not sent, was empty/null, or malformed.",
    ),
}


def error(code: str, message: str, status: int = 400) -> Reply:
    return Reply({"code": int(code), "msg": message}, status=status)


def missing(name: str) -> Reply:
    return error(
        "-1102", f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def needless(name: str) -> Reply:
    return error("-1106", f"Parameter '{name.lower()}' sent when not required.")


def refused(rejection: Rejection) -> Reply:
    return error(*CODES[rejection.reason])
