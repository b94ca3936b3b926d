"""One look at the running guard, for every page and figure of this folder.

Actors' states are read as dumps show them, so what leaves here has passed the scrubber. The
ledger is asked with little patience: while it is away its figures are missing, not zero.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from actors import paths
from actors.runtime import AskFailed, System
from actors.runtime.introspection import NodeInfo
from console.service.actor_states import aged_legs, state_of
from console.top.urgency import urgent_rows
from messages.base import Request
from messages.ledger import Alert, PositionRow, RowStatus
from messages.settings import Settings
from messages.to_ledger import FindAlerts, FindRows, ReadCounters

R = TypeVar("R")

LEDGER_PATIENCE = 2.0
"""Seconds. Prometheus itself waits ten for the whole answer."""
STALE_AFTER = 3
"""Intervals of the most frequent monitor without a read before an account is not ready."""


class AccountFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One account's actors, as their states say. Empty states: there is no such actor now."""

    name: str
    exchange: str
    connection: dict[str, Any]
    orphans: dict[str, Any]
    reconciliation: dict[str, Any]

    @property
    def last_read_at(self) -> datetime | None:
        text = self.connection.get("last_read_at")
        return datetime.fromisoformat(text) if isinstance(text, str) else None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """None stands for what the ledger could not tell in time."""

    at: datetime
    nodes: tuple[NodeInfo, ...]
    accounts: tuple[AccountFacts, ...]
    ledger: dict[str, Any]
    delivery: dict[str, Any]
    counters: dict[str, dict[str, int]] | None
    alerts: tuple[Alert, ...] | None
    rows: tuple[PositionRow, ...] = ()
    """The most urgent active rows."""
    row_count: int = 0
    """All active rows."""
    aged: dict[int, dict[str, Any]] = {}
    """The state of the aged leg's actor, by the ids of those rows."""

    def troubles(self, settings: Settings) -> list[str]:
        """Why the guard does not guard everything now; empty when it is ready."""
        found = []
        if not self.ledger.get("available") or self.counters is None:
            found.append("ledger: it does not answer")
        intervals = (settings.orphans.every, settings.reconciliation.every)
        limit = min(intervals) * STALE_AFTER
        for account in self.accounts:
            status = account.connection.get("status")
            read_at = account.last_read_at
            if not account.connection:
                found.append(f"{account.name}: not guarded here now")
            elif status != "ready":
                found.append(f"{account.name}: {status}")
            elif account.connection.get("health", {}).get("degraded"):
                found.append(f"{account.name}: positions cannot be read")
            elif read_at is not None and self.at - read_at > limit:
                found.append(f"{account.name}: the last read is older than {limit}")
        return found


async def gather(system: System, settings: Settings, *, positions: int = 0) -> Facts:
    """What is so now, with so many of the most urgent positions."""
    accounts = []
    for account in settings.accounts:
        accounts.append(
            AccountFacts(
                name=account.name,
                exchange=account.exchange,
                connection=state_of(system, paths.exchange(account.name)),
                orphans=state_of(system, paths.orphans(account.name)),
                reconciliation=state_of(system, paths.reconciliation(account.name)),
            )
        )
        # Hundreds of accounts are not to hold up whoever has an order to send.
        await asyncio.sleep(0)
    counters = await _asked(system, ReadCounters())
    alerts = await _asked(system, FindAlerts(open_only=True))
    rows: tuple[PositionRow, ...] = ()
    if positions:
        rows = await _asked(system, FindRows(status=RowStatus.ACTIVE)) or ()
    # The rows of a large guard took their time to be read, and what follows takes its own.
    await asyncio.sleep(0)
    legs = aged_legs(system) if positions else {}
    path_of = {row_id: path for path, state in legs.items() for row_id in state.row_ids}
    aged = {row_id: legs[path] for row_id, path in path_of.items()}
    shown = urgent_rows(rows, aged, alerts or (), positions)
    await asyncio.sleep(0)
    nodes = system.tree()
    await asyncio.sleep(0)
    return Facts(
        at=system.now(),
        nodes=nodes,
        accounts=tuple(accounts),
        ledger=state_of(system, paths.LEDGER),
        delivery=state_of(system, paths.DELIVERY),
        counters=counters,
        alerts=alerts,
        rows=shown,
        row_count=len(rows),
        aged={row.id: state_of(system, path_of[row.id]) for row in shown if row.id in path_of},
    )


async def _asked(system: System, request: Request[R]) -> R | None:
    answer = await system.attempt(paths.LEDGER, request, timeout=LEDGER_PATIENCE)
    return None if isinstance(answer, AskFailed) else answer
