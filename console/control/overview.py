"""The whole guard at a glance, bounded: for a view that looks again each second.

Which are the most urgent is decided in `console.top.urgency`; whoever asked draws them.
"""

from __future__ import annotations

import asyncio

from actors import paths
from actors.aged_memory import AgedState
from actors.runtime import AskFailed, System
from console.control import protocol as p
from console.control.records import failed
from console.service.actor_states import shown
from console.top.urgency import troubles, urgent_alerts, urgent_nodes, urgent_rows_in_parts
from messages.ledger import RowStatus
from messages.to_ledger import FindAlerts, FindEvents, FindRows


async def overview(system: System, service: p.Service, command: p.GetOverview) -> p.Reply:
    """The reply to GetOverview."""
    rows = await system.attempt(paths.LEDGER, FindRows(status=RowStatus.ACTIVE))
    alerts = await system.attempt(paths.LEDGER, FindAlerts(open_only=True))
    newest = FindEvents(limit=command.events, newest_first=True)
    events = await system.attempt(paths.LEDGER, newest)
    if isinstance(rows, AskFailed):
        return failed(rows)
    if isinstance(alerts, AskFailed):
        return failed(alerts)
    if isinstance(events, AskFailed):
        return failed(events)
    # Whoever has an order to send comes in between the parts of a long look.
    await asyncio.sleep(0)
    legs = system.states_of(AgedState)
    await asyncio.sleep(0)
    aged = {row_id: state for state in legs.values() for row_id in state.row_ids}
    shown = await urgent_rows_in_parts(rows, aged, alerts, command.rows)
    ids = {row.id for row in shown}
    await asyncio.sleep(0)
    nodes = [node for node in await system.tree_in_parts() if node.kind != "worker"]
    await asyncio.sleep(0)
    shown_nodes = urgent_nodes(nodes, command.nodes)
    await asyncio.sleep(0)
    shown_legs = tuple(
        leg_view(system, path, state)
        for path, state in legs.items()
        if any(row_id in ids for row_id in state.row_ids)
    )
    await asyncio.sleep(0)
    return p.Overview(
        service=service,
        nodes=shown_nodes,
        node_count=len(nodes),
        rows=shown,
        row_count=len(rows),
        legs=shown_legs,
        aged=len(legs),
        troubles=troubles(shown, alerts),
        alerts=urgent_alerts(alerts, command.alerts),
        alert_count=len(alerts),
        waiting=sum(alert.acked_at is None for alert in alerts),
        events=tuple(reversed(events)),
    )


def leg_view(system: System, path: str, state: AgedState) -> p.LegView:
    """What the aged leg's actor at `path` shows of itself."""
    copy = shown(system, state)
    return p.LegView(
        path=path,
        row_ids=copy.row_ids,
        status=copy.status,
        phase=copy.phase,
        target=copy.target,
        price=copy.price,
        verdict=copy.verdict,
        operator_needed=copy.operator_needed,
    )
