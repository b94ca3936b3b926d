"""Which way an order or fill trades, and of which hedge leg it is, as each venue writes it.

Left to others: everything else in the row. A None means that the venue did not say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from messages.values import OrderSide, Side

Raw = Mapping[str, Any]

_MEXC = {"1": OrderSide.BUY, "2": OrderSide.BUY, "3": OrderSide.SELL, "4": OrderSide.SELL}
_MEXC_LEGS = {"1": Side.LONG, "2": Side.SHORT, "3": Side.SHORT, "4": Side.LONG}
_CLOSES = re.compile(r"close[-_](long|short)")


def order_side(exchange: str, told: Any, raw: Raw) -> OrderSide | None:
    """Which way an order or fill trades, whatever ccxt `told`.

    MEXC numbers contracts' sides 1 open long, 2 close short, 3 open short, 4 close long; ccxt
    reads 2 as spot's sell. Bitget's side names the leg in hedge mode: "buy" closes a long one
    (its documentation of place-order). Gate's stop for a whole position has size 0, which ccxt
    takes for a sell.
    """
    if exchange == "mexc":
        return _MEXC.get(str(raw.get("side")))
    if exchange == "bitget" and raw.get("posMode") == "hedge_mode":
        leg, does = position_side(raw), str(raw.get("tradeSide") or "").lower()
        if leg is not None and "close" in does:
            return leg.closing
        if leg is not None and "open" in does:
            return leg.closing.opposite
    if exchange == "gate" and (leg := _closed_leg(raw.get("order_type"))) is not None:
        return leg.closing
    named = str(told or "").lower()
    return OrderSide(named) if named in ("buy", "sell") else None


def position_side(raw: Raw) -> Side | None:
    """The leg that an order or fill names; None in one-way mode or where unsaid.

    Only MEXC writes sides as numbers.
    """
    if str(raw.get("side")) in _MEXC_LEGS:
        return _MEXC_LEGS[str(raw.get("side"))]
    index = str(raw.get("positionIdx", ""))
    if index in ("1", "2"):
        return Side.LONG if index == "1" else Side.SHORT
    named = str(raw.get("positionSide") or raw.get("posSide") or "").lower()
    if named in ("long", "short"):
        return Side(named)
    leg = _closed_leg(raw.get("order_type")) or _closed_leg(raw.get("tradeSide"))
    if leg is None and raw.get("posMode") == "hedge_mode":
        leg = {"buy": Side.LONG, "sell": Side.SHORT}.get(str(raw.get("side")).lower())
    return leg


def _closed_leg(words: Any) -> Side | None:
    """The leg in Gate's "plan-close-long-position", or in Bitget's "burst_close_short"."""
    found = _CLOSES.search(str(words or "").lower())
    return None if found is None else Side(found.group(1))
