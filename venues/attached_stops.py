"""Stops and take-profits that a position row itself names.

For it: which price protects the whole position. Left to others: stops that rest as orders
(`protection.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from messages.values import ZERO, Side
from venues.numbers import decimal_or_none, positive_or_none
from venues.rows import Row


def attached(
    row: Row, side: Side, ccxt: Mapping[str, Any]
) -> tuple[Decimal | None, Decimal | None]:
    """Stop-loss and take-profit prices that cover all of a position; None where none does.

    OKX lists what is attached in the row's `closeOrderAlgo` (documentation of
    GET /api/v5/account/positions), which ccxt leaves out; Bybit's are read by ccxt.
    """
    algos = row.get("closeOrderAlgo")
    if isinstance(algos, list):
        known = [algo for algo in algos if isinstance(algo, Mapping)]
        stop = _covering(known, "slTriggerPx", falling=side is Side.LONG)
        return stop, _covering(known, "tpTriggerPx", falling=side is Side.SHORT)
    return positive_or_none(ccxt.get("stopLossPrice")), positive_or_none(
        ccxt.get("takeProfitPrice")
    )


def _covering(algos: list[Mapping[str, Any]], key: str, *, falling: bool) -> Decimal | None:
    """The price at which the last of the position is closed, if all of it ever is."""
    parts = [
        (price, fraction)
        for algo in algos
        if (price := positive_or_none(algo.get(key))) is not None
        and (fraction := decimal_or_none(algo.get("closeFraction"))) is not None
    ]
    covered = ZERO
    for price, fraction in sorted(parts, reverse=falling):
        covered += fraction
        if covered >= 1:
            return price
    return None
