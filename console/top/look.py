"""One look at the running service for the live view: everything that a screen shows, as a value.

`console.top.panels` lays it out, and `console.top.app` says when to look.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from console.control import protocol as p
from console.control.client import ControlClient
from messages.ledger import PositionRow
from messages.values import Side

_PATIENCE = 10.0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the service showed at `at`. `legs` are found by the ids of their rows."""

    at: datetime
    seen: p.Overview
    legs: dict[int, p.LegView]


def look(seen: p.Overview, at: datetime) -> Look:
    """An overview that was had at `at`."""
    return Look(at=at, seen=seen, legs={row_id: leg for leg in seen.legs for row_id in leg.row_ids})


async def look_at(socket: Path, at: datetime) -> Look:
    """Look once. Raises NoServiceError or CommandRefusedError."""
    async with ControlClient(socket, timeout=_PATIENCE) as service:
        return look(await service.call(p.GetOverview()), at)


def distance(row: PositionRow, leg: p.LegView | None) -> Decimal | None:
    """How far the price is beyond the target, in percent of it; negative: not yet there.

    None where either is not known.
    """
    if leg is None or leg.price is None or not leg.target or row.side not in tuple(Side):
        return None
    return (leg.price - leg.target) / leg.target * Side(row.side).sign * 100
