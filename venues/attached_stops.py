"""Stops and take-profits that a position row itself names: which price protects all of it.

Stops that rest as orders are read in `protection.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from messages.values import ZERO, Side
from venues.exchanges.values import Row
from venues.numbers import decimal_or_none, positive_or_none


def attached_stops(
    closes: list[Row] | None, side: Side, ccxt: Mapping[str, Any]
) -> tuple[Decimal | None, Decimal | None]:
    """Stop-loss and take-profit prices that cover all of a position; None where none does.

    `closes` are the parts that the venue lists (`Exchange.attached_closes`); where it lists none,
    ccxt's reading of the row has the prices.
    """
    if closes is not None:
        stop = _covering(closes, "slTriggerPx", falling=side is Side.LONG)
        return stop, _covering(closes, "tpTriggerPx", falling=side is Side.SHORT)
    return positive_or_none(ccxt.get("stopLossPrice")), positive_or_none(
        ccxt.get("takeProfitPrice")
    )


def _covering(closes: list[Row], key: str, *, falling: bool) -> Decimal | None:
    """The price at which the last of the position is closed, if all of it ever is."""
    parts = [
        (price, fraction)
        for close in closes
        if (price := positive_or_none(close.get(key))) is not None
        and (fraction := decimal_or_none(close.get("closeFraction"))) is not None
    ]
    covered = ZERO
    for price, fraction in sorted(parts, reverse=falling):
        covered += fraction
        if covered >= 1:
            return price
    return None
