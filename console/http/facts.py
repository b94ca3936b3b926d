"""One look at the running guard, for every page and figure of this folder.

Actors' states are read as dumps show them, so what leaves here has passed the scrubber. The
ledger is asked with little patience: while it is away its figures are missing, not zero.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from actors import paths
from actors.runtime import AskFailed, System
from actors.runtime.views import NodeInfo
from messages.ledger import Alert, PositionRow
from messages.requests import ActiveRows, FindAlerts, ReadCounters
from messages.runtime import Request
from messages.settings import Settings

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
    rows: tuple[PositionRow, ...] | None = None
    aged: dict[int, dict[str, Any]] = {}
    """The state of the aged leg's actor, by ledger row."""

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
            elif account.connection.get("degraded"):
                found.append(f"{account.name}: positions cannot be read")
            elif read_at is not None and self.at - read_at > limit:
                found.append(f"{account.name}: the last read is older than {limit}")
        return found


async def gather(system: System, settings: Settings, *, positions: bool = False) -> Facts:
    """What is so now. With `positions` the active rows and their actors too."""
    nodes = tuple(system.tree())
    states = _States(system, nodes)
    rows = await _asked(system, ActiveRows()) if positions else None
    return Facts(
        at=system.now(),
        nodes=nodes,
        accounts=tuple(
            AccountFacts(
                name=account.name,
                exchange=account.exchange,
                connection=states.of(paths.exchange(account.name)),
                orphans=states.of(paths.orphans(account.name)),
                reconciliation=states.of(paths.reconciliation(account.name)),
            )
            for account in settings.accounts
        ),
        ledger=states.of(paths.LEDGER),
        delivery=states.of(paths.DELIVERY),
        counters=await _asked(system, ReadCounters()),
        alerts=await _asked(system, FindAlerts(open_only=True)),
        rows=rows,
        aged=states.aged() if positions else {},
    )


async def _asked(system: System, request: Request[R]) -> R | None:
    answer = await system.attempt(paths.LEDGER, request, timeout=LEDGER_PATIENCE)
    return None if isinstance(answer, AskFailed) else answer


class _States:
    """Actors' states out of one tree."""

    def __init__(self, system: System, nodes: tuple[NodeInfo, ...]) -> None:
        self._system = system
        self._nodes = nodes
        self._paths = {node.path for node in nodes if node.kind != "worker"}

    def of(self, path: str) -> dict[str, Any]:
        # Between the tree and the dump of it others had their turn: the actor may be gone.
        if path not in self._paths or path not in self._system.cells:
            return {}
        state = self._system.dump(path).get("state")
        return state if isinstance(state, dict) else {}

    def aged(self) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        for node in self._nodes:
            if node.class_name == "AgedLeg":
                state = self.of(node.path)
                found.update(dict.fromkeys(state.get("row_ids", ()), state))
        return found
