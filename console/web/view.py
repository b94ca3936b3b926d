"""What the status page shows, as plain JSON. Ages are told as instants: the page counts them.

So the text is the same for as long as nothing happens, and nothing has to be sent. Each list
shows the most urgent; how many there are in all is told beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from actors.aged_memory import AgedState
from actors.runtime import NodeInfo
from console.control.replies import AccountBudget
from console.top.urgency import urgent_alerts, urgent_nodes
from console.web.facts import AccountFacts, Facts
from messages.budget import LimitUse
from messages.ledger import Alert, AlertLevel, PositionRow
from messages.settings import Settings
from rules.budget import headroom

POSITIONS = 100
ALERTS = 50
ACCOUNTS = 50
ACTORS = 200
LIMITS = 50
LEGS = 20
"""Of one account's orphans, naked positions and mismatches, each."""
TROUBLES = 20


def view(facts: Facts, settings: Settings) -> dict[str, Any]:
    """The page's content by its parts, without the time of the look."""
    alerts = facts.alerts or ()
    nodes = [node for node in facts.nodes if node.kind != "worker"]
    troubles = facts.troubles(settings)
    waiting = [a for a in alerts if a.level is AlertLevel.CRITICAL and a.acked_at is None]
    return {
        "head": {
            "version": version("sexton"),
            "mode": settings.mode.value,
            "troubles": troubles[:TROUBLES],
            "more_troubles": max(0, len(troubles) - TROUBLES),
            "needs_you": bool(waiting),
            "alerts": len(alerts),
        },
        "alerts": _part(map(_alert, urgent_alerts(alerts, ALERTS)), len(alerts)),
        "accounts": _part(map(_account, _worst_first(facts.accounts)), len(facts.accounts)),
        "budget": _part(_budgets(facts.accounts), len(_limits(facts.accounts))),
        "positions": _part(
            (_position(row, facts.aged.get(row.id)) for row in facts.rows), facts.row_count
        ),
        "tree": _part(map(_actor, urgent_nodes(nodes, ACTORS)), len(nodes)),
    }


def _part(shown: Iterable[dict[str, Any]], count: int) -> dict[str, Any]:
    return {"shown": list(shown), "count": count}


def _worst_first(accounts: tuple[AccountFacts, ...]) -> list[AccountFacts]:
    def calm(account: AccountFacts) -> tuple[bool, bool]:
        state = account.connection
        return state is not None and state.status == "ready", not any(_found(account))

    return sorted(accounts, key=calm)[:ACCOUNTS]


def _found(account: AccountFacts) -> tuple[list[str], list[str], list[str]]:
    """Its orphans, naked positions and mismatches."""
    monitor, compared = account.orphans, account.reconciliation
    return (
        monitor.orphans if monitor else [],
        monitor.naked if monitor else [],
        compared.mismatches if compared else [],
    )


def _actor(node: NodeInfo) -> dict[str, Any]:
    return {
        "path": node.path or "sexton",
        "class": node.class_name,
        "status": node.status,
        "restarts": node.restarts,
        "mailbox": node.mailbox,
    }


def _account(account: AccountFacts) -> dict[str, Any]:
    state = account.connection
    orphans, naked, mismatches = map(_legs, _found(account))
    return {
        "name": account.name,
        "exchange": account.exchange,
        "status": state.status if state else "not guarded here",
        "why": state.why if state else "",
        "read_at": state.last_read_at.isoformat() if state and state.last_read_at else None,
        "positions": state.last_read_positions if state else 0,
        "orphans": orphans,
        "naked": naked,
        "mismatches": mismatches,
    }


def _limits(accounts: tuple[AccountFacts, ...]) -> list[tuple[AccountBudget, LimitUse]]:
    budgets = [it.budget for it in accounts if it.budget is not None]
    return [(one, limit) for one in budgets if one.use is not None for limit in one.use.limits]


def _budgets(accounts: tuple[AccountFacts, ...]) -> list[dict[str, Any]]:
    """The limits with the least left."""
    found = sorted(_limits(accounts), key=lambda it: headroom(it[1]) / max(it[1].limit, 1.0))
    return [_limit(one, limit) for one, limit in found[:LIMITS]]


def _limit(one: AccountBudget, limit: LimitUse) -> dict[str, Any]:
    return {
        "account": one.account,
        "limit": f"{limit.name}, {limit.unit} in {limit.seconds:g} s",
        "whose": limit.scope.value,
        "used": f"{limit.used:g}",
        "guard": f"{limit.used_by_guard:g}",
        "most": f"{limit.limit:g}",
        "left": f"{headroom(limit):g}",
        "legs": one.legs,
        "flat": f"{one.seconds_to_flat:g} s",
    }


def _legs(names: list[str]) -> list[str]:
    more = len(names) - LEGS
    return [*names[:LEGS], f"and {more} more"] if more > 0 else names


def _position(row: PositionRow, aged: AgedState | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "account": row.account,
        "symbol": row.symbol,
        "side": row.side,
        "quantity": _text(row.quantity),
        "entry": _text(row.entry_price),
        "opened_at": row.opened_at.isoformat() if row.opened_at else None,
        "held": row.held,
        "phase": aged.phase if aged else "",
        "status": aged.status if aged else "",
        "target": _text(aged.target if aged else None),
        "price": _text(aged.price if aged else None),
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "type": alert.type.value,
        "level": alert.level.value,
        "title": alert.title,
        "where": " ".join(w for w in (alert.account, alert.symbol, alert.side) if w),
        "seen": alert.seen,
        "done": alert.done,
        "next": alert.next_step,
        "raised_at": alert.raised_at.isoformat(),
        "acked_by": alert.acked_by,
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)
