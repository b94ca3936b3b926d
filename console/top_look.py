"""One look at the running service for the live view: everything that a screen shows, as a value.

Leaves how it is laid out to `top_tables`, and when to look to `top`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from actors.runtime import NodeInfo
from console.control import protocol as p
from console.control.client import ControlClient
from messages.ledger import Alert, Event, PositionRow
from messages.values import Side

_EVENTS = 60
_PATIENCE = 10.0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the service showed at `at`. `legs` are found by the ids of their rows."""

    at: datetime
    service: p.Service
    nodes: tuple[NodeInfo, ...]
    rows: tuple[PositionRow, ...]
    legs: dict[int, p.LegView]
    alerts: tuple[Alert, ...]
    events: tuple[Event, ...]


async def look_at(socket: Path, at: datetime) -> Look:
    """Look once. Raises NoServiceError or CommandRefusedError."""
    async with ControlClient(socket, timeout=_PATIENCE) as service:
        legs = (await service.call(p.GetLegs())).legs
        return Look(
            at=at,
            service=await service.call(p.GetService()),
            nodes=tuple(
                node for node in (await service.call(p.GetTree())).nodes if node.kind != "worker"
            ),
            rows=(await service.call(p.GetPositions())).rows,
            legs={row_id: leg for leg in legs for row_id in leg.row_ids},
            alerts=(await service.call(p.GetAlerts())).alerts,
            events=(await service.call(p.GetEvents(limit=_EVENTS))).events,
        )


def distance(row: PositionRow, leg: p.LegView | None) -> Decimal | None:
    """How far the price is beyond the target, in percent of it; negative: not yet there.

    None where either is not known.
    """
    if leg is None or leg.price is None or not leg.target or row.side not in tuple(Side):
        return None
    return (leg.price - leg.target) / leg.target * Side(row.side).sign * 100
