"""One look at the running guard, for every page and figure of this folder.

Actors' states are typed copies whose texts have passed the scrubber. The ledger is asked with
little patience: while it is away its figures are missing, not zero.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TypeVar

import msgspec

from actors import paths
from actors.aged_memory import AgedState
from actors.delivery import DelivererState
from actors.ledger_access import LedgerState
from actors.orphans import OrphansState
from actors.reconciliation import ReconciliationState
from actors.runtime import AskFailed, System
from actors.runtime.introspection import NodeInfo
from actors.venue_actor import ExchangeState
from console.control.budgets import account_budgets
from console.control.replies import AccountBudget
from console.service.actor_states import shown, shown_state
from console.top.urgency import urgent_rows_in_parts
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
    """One account's actors, as their states say. None: there is no such actor now."""

    name: str
    exchange: str
    connection: ExchangeState | None
    orphans: OrphansState | None
    reconciliation: ReconciliationState | None
    budget: AccountBudget | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """None stands for what the ledger could not tell in time."""

    at: datetime
    nodes: tuple[NodeInfo, ...]
    accounts: tuple[AccountFacts, ...]
    ledger: LedgerState | None
    delivery: DelivererState | None
    counters: dict[str, dict[str, int]] | None
    alerts: tuple[Alert, ...] | None
    rows: tuple[PositionRow, ...] = ()
    """The most urgent active rows."""
    row_count: int = 0
    """All active rows."""
    aged: dict[int, AgedState] = {}
    """The state of the aged leg's actor, by the ids of those rows."""

    @property
    def ledger_available(self) -> bool:
        return self.ledger is not None and self.ledger.available and self.counters is not None

    def troubles(self, settings: Settings) -> list[str]:
        """Why the guard does not guard everything now; empty when it is ready."""
        found = []
        if not self.ledger_available:
            found.append("ledger: it does not answer")
        intervals = (settings.orphans.every, settings.reconciliation.every)
        limit = min(intervals) * STALE_AFTER
        for account in self.accounts:
            state = account.connection
            if state is None:
                found.append(f"{account.name}: not guarded here now")
            elif state.status != "ready":
                found.append(f"{account.name}: {state.status}")
            elif state.health.degraded:
                found.append(f"{account.name}: positions cannot be read")
            elif state.last_read_at is not None and self.at - state.last_read_at > limit:
                found.append(f"{account.name}: the last read is older than {limit}")
        return found


async def gather(system: System, settings: Settings, *, positions: int = 0) -> Facts:
    """What is so now, with so many of the most urgent positions."""
    accounts = []
    budgets = await account_budgets(system, [account.name for account in settings.accounts])
    for account, budget in zip(settings.accounts, budgets, strict=True):
        accounts.append(
            AccountFacts(
                name=account.name,
                exchange=account.exchange,
                connection=shown_state(system, paths.exchange(account.name), ExchangeState),
                orphans=shown_state(system, paths.orphans(account.name), OrphansState),
                reconciliation=shown_state(
                    system, paths.reconciliation(account.name), ReconciliationState
                ),
                budget=budget,
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
    legs = system.states_of(AgedState) if positions else {}
    await asyncio.sleep(0)
    aged = {row_id: state for state in legs.values() for row_id in state.row_ids}
    urgent = await urgent_rows_in_parts(rows, aged, alerts or (), positions)
    await asyncio.sleep(0)
    nodes = await system.tree_in_parts()
    await asyncio.sleep(0)
    return Facts(
        at=system.now(),
        nodes=nodes,
        accounts=tuple(accounts),
        ledger=shown_state(system, paths.LEDGER, LedgerState),
        delivery=shown_state(system, paths.DELIVERY, DelivererState),
        counters=counters,
        alerts=alerts,
        rows=urgent,
        row_count=len(rows),
        aged={row.id: shown(system, aged[row.id]) for row in urgent if row.id in aged},
    )


async def _asked(system: System, request: Request[R]) -> R | None:
    answer = await system.attempt(paths.LEDGER, request, timeout=LEDGER_PATIENCE)
    return None if isinstance(answer, AskFailed) else answer
