"""How Hyperliquid refuses, in its own words: they are its only codes.

Source: the page "Error responses" of the venue's documentation, and its replies as users report
them where that page says nothing (duplicate ids, unknown assets, nonces).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from simulator.state import RejectReason
from simulator.wire import Body, Reply

WORDS: dict[RejectReason, str] = {
    RejectReason.NO_POSITION: "Reduce only order would increase position.",
    RejectReason.RESERVED: "Reduce only order would increase position.",
    RejectReason.MARGIN: "Insufficient margin to place order.",
    RejectReason.STEP: "Order has invalid size.",
    RejectReason.TOO_SMALL: "Order has zero size.",
    RejectReason.TOO_LARGE: "Order has invalid size.",
    RejectReason.MIN_NOTIONAL: "Order must have minimum value of $10.",
    RejectReason.PRICE_BAND: "Order price cannot be more than 80% away from the reference price",
    RejectReason.PRICE_TICK: "Price must be divisible by tick size.",
    RejectReason.DUPLICATE: "Duplicate cloid",
    RejectReason.NOT_TRADABLE: "Trading is halted.",
    RejectReason.UNKNOWN_SYMBOL: "Invalid asset",
    RejectReason.POSITION_SIDE: "Invalid asset",
    RejectReason.WOULD_TAKE: "Post only order would have immediately matched, bbo was {bbo}.",
    RejectReason.WOULD_TRIGGER: "Invalid TP/SL price.",
    RejectReason.NO_SUCH_ORDER: "Order was never placed, already canceled, or filled.",
    RejectReason.MALFORMED: "Invalid order",
}
NO_MATCH = "Order could not immediately match against any resting orders."
UNREADABLE = b"Failed to deserialize the JSON body into the target type"


class Refusal(ValueError):
    """An action that is refused as a whole, with the venue's words for it."""


def err(message: str) -> Reply:
    """A refused action: HTTP 200, and the words."""
    return Reply({"status": "err", "response": message})


def done(kind: str, data: Mapping[str, object] | None = None) -> Reply:
    response: dict[str, object] = {"type": kind}
    if data is not None:
        response["data"] = dict(data)
    return Reply({"status": "ok", "response": response})


def unreadable() -> Reply:
    """What cannot be read is refused with HTTP 422 and a sentence that is no JSON."""
    return Reply(cast(Body, msgspec.Raw(UNREADABLE)), status=422)
