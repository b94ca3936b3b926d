"""What a screen shows first when it has not room for everything: whoever needs a person, first.

It gets what `console.service.actor_states` has read, and asks nobody. `console.top.panels` and the
page decide how it looks.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from actors.aged_memory import AgedState
from actors.runtime import NodeInfo, Pauses
from console.cli.tables import plain_symbol
from messages.ledger import Alert, AlertLevel, AlertType, PositionRow

_RANKS = {
    AlertType.OPERATOR_NEEDED: 0,
    AlertType.INSUFFICIENT_BALANCE: 0,
    AlertType.CLOSE_FAILED: 0,
    AlertType.NAKED_POSITION: 1,
}
_OTHER_ALERT = 2
_AGED = 3
_CALM = 4
_LEFT_ALONE = 5
_LEVELS = list(reversed(AlertLevel))
_PART = 500
"""Rows that are looked at between two pauses."""

_WAITING = 10
"""Messages in a mailbox beyond which an actor is worth a look."""

Leg = tuple[str, str, str]


def leg_of(of: PositionRow | Alert) -> Leg:
    """Account, symbol and side, however the symbol is spelled."""
    return of.account, plain_symbol(of.symbol), of.side


def urgent_rows(
    rows: Collection[PositionRow],
    aged: Mapping[int, AgedState],
    alerts: Iterable[Alert],
    limit: int,
) -> tuple[PositionRow, ...]:
    """The `limit` most urgent rows; `aged` are the aged legs' states by row.

    Those that need an operator, the naked, others that an alert is about, the aged, the young,
    those left alone; in each group the oldest first, which are the closest to market.
    """
    return tuple(heapq.nsmallest(limit, rows, key=_urgency(aged, alerts)))


async def urgent_rows_in_parts(
    rows: Sequence[PositionRow],
    aged: Mapping[int, AgedState],
    alerts: Iterable[Alert],
    limit: int,
) -> tuple[PositionRow, ...]:
    """As `urgent_rows`, with pauses in which others run: there may be thousands of rows."""
    pauses = Pauses()
    urgency = _urgency(aged, alerts)
    shown: list[PositionRow] = []
    for begin in range(0, len(rows), _PART):
        shown = heapq.nsmallest(limit, [*shown, *rows[begin : begin + _PART]], key=urgency)
        await pauses.here()
    return tuple(shown)


def _urgency(
    aged: Mapping[int, AgedState], alerts: Iterable[Alert]
) -> Callable[[PositionRow], tuple[int, datetime, int]]:
    ranks = {leg: _rank(kind) for leg, kind in _worst(alerts).items()}

    def urgency(row: PositionRow) -> tuple[int, datetime, int]:
        state = aged.get(row.id)
        needed = state is not None and state.operator_needed
        left_alone = row.held or row.trailing_active
        own = 0 if needed else _AGED if state is not None else _LEFT_ALONE if left_alone else _CALM
        opened = row.opened_at or datetime.max.replace(tzinfo=UTC)
        return min(own, ranks.get(leg_of(row), own)), opened, row.id

    return urgency


def troubles(rows: Iterable[PositionRow], alerts: Iterable[Alert]) -> dict[int, AlertType]:
    """The worst open alert about each of the rows, by row id; rows without one are left out."""
    worst = _worst(alerts)
    found = ((row.id, worst.get(leg_of(row))) for row in rows)
    return {row_id: kind for row_id, kind in found if kind is not None}


def _worst(alerts: Iterable[Alert]) -> dict[Leg, AlertType]:
    worst: dict[Leg, AlertType] = {}
    for alert in alerts:
        if alert.symbol:
            leg = leg_of(alert)
            worst[leg] = min(alert.type, worst.get(leg, alert.type), key=_rank)
    return worst


def _rank(kind: AlertType) -> int:
    return _RANKS.get(kind, _OTHER_ALERT)


def urgent_alerts(alerts: Collection[Alert], limit: int) -> tuple[Alert, ...]:
    """Unacknowledged ones first, then the worst, then the newest."""

    def urgency(alert: Alert) -> tuple[bool, int, int]:
        return alert.acked_at is not None, _LEVELS.index(alert.level), -alert.id

    return tuple(heapq.nsmallest(limit, alerts, key=urgency))


def urgent_nodes(nodes: Sequence[NodeInfo], limit: int) -> tuple[NodeInfo, ...]:
    """At most `limit` actors, parents before children; those in trouble with all their parents.

    Then the others as the tree has them, upper ones before lower ones.
    """
    if len(nodes) <= limit:
        return tuple(nodes)
    chosen: set[str] = set()
    for node in nodes:
        if node.status != "running" or node.restarts or node.mailbox > _WAITING:
            line = _with_parents(node.path)
            if len(chosen | line) <= limit:
                chosen |= line
    for node in sorted(nodes, key=lambda node: _depth(node.path)):
        if len(chosen) >= limit:
            break
        chosen.add(node.path)
    return tuple(node for node in nodes if node.path in chosen)


def _with_parents(path: str) -> set[str]:
    parts = path.split("/")
    return {"", *("/".join(parts[: end + 1]) for end in range(len(parts)))}


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0
