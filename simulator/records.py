"""The exchange's own record of ended positions: what each closing order realised.

Bybit serves it as closed PnL. Left to others: when a record is written (`clearing.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from messages.values import ZERO, OrderSide
from messages.venue import FillKind

if TYPE_CHECKING:
    from simulator.instruments import Listing


@dataclass(slots=True, kw_only=True, eq=False)
class ClosedTrade:
    """What one order closed of a position, over all of its fills.

    `side` is the closing order's. `quantity` is in contracts, `exit_cost` the sum of quantity
    times price, fees and `pnl` in settle currency; `pnl` is after both fees.
    """

    order_id: str
    listing: Listing
    side: OrderSide
    leverage: Decimal
    entry: Decimal
    kind: FillKind
    created_at: datetime
    updated_at: datetime
    quantity: Decimal = ZERO
    exit_cost: Decimal = ZERO
    open_fee: Decimal = ZERO
    close_fee: Decimal = ZERO
    pnl: Decimal = ZERO
    fills: int = 0

    @property
    def exit(self) -> Decimal:
        """The mean price of what closed, in quote currency."""
        return self.exit_cost / self.quantity
