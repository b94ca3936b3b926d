"""Position rows as each venue writes them: size, side, and whether the leg stands alone.

For it: one reader a venue; None for a row that cannot be read. Left to others: symbols, contract
sizes and prices. A row is judged by its size, never by being there or by the side it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from messages.values import ZERO, Side
from venues.numbers import decimal_or_none

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowReading:
    """A position row as the venue wrote it. `size` is unsigned and in the venue's own unit.

    `side` None goes with a size of zero only; `hedged` tells a leg of its own from a net one.
    """

    size: Decimal
    side: Side | None
    hedged: bool

    def flat_sides(self) -> tuple[Side, ...]:
        """The sides that this row says are flat: in one-way mode each but the one it holds."""
        if not self.hedged:
            return tuple(side for side in Side if self.size == ZERO or side is not self.side)
        return (self.side,) if self.size == ZERO and self.side is not None else ()


def _signed(row: Row, size_key: str, side_key: str, net: tuple[str, ...]) -> RowReading | None:
    size = decimal_or_none(row.get(size_key))
    if size is None:
        return None
    named = str(row.get(side_key) or "").lower()
    hedged = bool(named) and named not in net
    if size == ZERO:
        # A flat leg of its own is known by its name only.
        side = Side(named) if hedged and named in ("long", "short") else None
        return RowReading(ZERO, side, hedged)
    if hedged:
        if named not in ("long", "short"):
            return None
        return RowReading(abs(size), Side(named), True)
    return RowReading(abs(size), Side.LONG if size > 0 else Side.SHORT, False)


def bybit_row(row: Row) -> RowReading | None:
    size = decimal_or_none(row.get("size"))
    if size is None:
        return None
    index = str(row.get("positionIdx", "0"))
    if index in ("1", "2"):
        return RowReading(abs(size), Side.LONG if index == "1" else Side.SHORT, True)
    if size == ZERO:
        return RowReading(ZERO, None, False)
    side = {"buy": Side.LONG, "sell": Side.SHORT}.get(str(row.get("side", "")).lower())
    return None if side is None else RowReading(abs(size), side, False)


def binance_row(row: Row) -> RowReading | None:
    return _signed(row, "positionAmt", "positionSide", ("both",))


def okx_row(row: Row) -> RowReading | None:
    return _signed(row, "pos", "posSide", ("net",))


def bitget_row(row: Row) -> RowReading | None:
    # The unified account's rows name the same things in other words.
    side_key = "holdSide" if "holdSide" in row else "posSide"
    reading = _signed(row, "total", side_key, ())
    if reading is None:
        return None
    mode = row.get("posMode") or row.get("holdMode")
    return RowReading(reading.size, reading.side, mode == "hedge_mode")


def gate_row(row: Row) -> RowReading | None:
    size = decimal_or_none(row.get("size"))
    if size is None:
        return None
    mode = str(row.get("mode") or "single")
    if size == ZERO:
        return RowReading(ZERO, None, mode != "single")
    if mode in ("dual_long", "dual_short"):
        return RowReading(abs(size), Side.LONG if mode == "dual_long" else Side.SHORT, True)
    return RowReading(abs(size), Side.LONG if size > 0 else Side.SHORT, False)


def kucoin_row(row: Row) -> RowReading | None:
    return _signed(row, "currentQty", "positionSide", ("both",))


def hyperliquid_row(row: Row) -> RowReading | None:
    entry = row.get("position")
    return _signed(entry, "szi", "", ()) if isinstance(entry, Mapping) else None


def kraken_row(row: Row) -> RowReading | None:
    reading = _signed(row, "size", "side", ())
    return None if reading is None else RowReading(reading.size, reading.side, False)


def mexc_row(row: Row) -> RowReading | None:
    size = decimal_or_none(row.get("holdVol"))
    side = {"1": Side.LONG, "2": Side.SHORT}.get(str(row.get("positionType")))
    if size is None or (side is None and size != ZERO):
        return None
    return RowReading(abs(size), side, str(row.get("positionMode")) == "1")


def bingx_row(row: Row) -> RowReading | None:
    reading = _signed(row, "positionAmt", "positionSide", ("both",))
    if reading is None:
        return None
    one_way = str(row.get("onlyOnePosition", "")).lower() == "true"
    return RowReading(reading.size, reading.side, reading.hedged and not one_way)
