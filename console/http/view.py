"""What the status page shows, as plain JSON. Ages are told as instants: the page counts them.

So the text is the same for as long as nothing happens, and nothing has to be sent.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from console.http.facts import AccountFacts, Facts
from messages.ledger import Alert, PositionRow
from messages.settings import Settings

LIMIT = 500
"""Lines of each list; how many there are in all is told beside it."""


def view(facts: Facts, settings: Settings) -> dict[str, Any]:
    """The page's content, without the time of the look."""
    rows, alerts = facts.rows or (), facts.alerts or ()
    nodes = [node for node in facts.nodes if node.kind != "worker"]
    return {
        "version": version("sexton"),
        "mode": settings.mode.value,
        "troubles": facts.troubles(settings),
        "accounts": [_account(account) for account in facts.accounts],
        "counts": {"positions": len(rows), "alerts": len(alerts), "tree": len(nodes)},
        "positions": [_position(row, facts.aged.get(row.id, {})) for row in rows[:LIMIT]],
        "alerts": [_alert(alert) for alert in reversed(alerts[-LIMIT:])],
        "tree": [
            {
                "path": node.path or "sexton",
                "class": node.class_name,
                "status": node.status,
                "restarts": node.restarts,
                "mailbox": node.mailbox,
            }
            for node in nodes[:LIMIT]
        ],
    }


def _account(account: AccountFacts) -> dict[str, Any]:
    state = account.connection
    return {
        "name": account.name,
        "exchange": account.exchange,
        "status": state.get("status", "not guarded here"),
        "why": state.get("why", ""),
        "read_at": state.get("last_read_at"),
        "positions": state.get("last_read_positions", 0),
        "orphans": account.orphans.get("orphans", []),
        "naked": account.orphans.get("naked", []),
        "mismatches": account.reconciliation.get("mismatches", []),
    }


def _position(row: PositionRow, aged: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "account": row.account,
        "symbol": row.symbol,
        "side": row.side,
        "quantity": _text(row.quantity),
        "entry": _text(row.entry_price),
        "opened_at": row.opened_at.isoformat() if row.opened_at else None,
        "held": row.held,
        "phase": aged.get("phase", ""),
        "status": aged.get("status", ""),
        "target": _text(aged.get("target")),
        "price": _text(aged.get("price")),
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
