"""What people are told of an account that cannot be read, or whose worker crashed."""

from __future__ import annotations

from datetime import datetime

from actors.runtime import Down
from messages.ledger import AlertDraft, AlertLevel, AlertType
from messages.venue import VenueError


def degraded_key(account: str) -> str:
    """Under which key an account's outage is one alert."""
    return f"degraded:{account}"


def degraded(account: str, since: datetime, error: VenueError) -> AlertDraft:
    return AlertDraft(
        type=AlertType.GUARD_DEGRADED,
        level=AlertLevel.CRITICAL,
        dedup_key=degraded_key(account),
        title=f"{account}: positions cannot be read",
        account=account,
        seen=f"reads fail since {since:%H:%M:%S} UTC: {error}",
        done="the guard keeps trying; nothing is called absent meanwhile",
        next_step="check the venue's status page, the key and the network",
    )


def worker_crashed(account: str, down: Down) -> AlertDraft:
    return AlertDraft(
        type=AlertType.ACTOR_CRASHED,
        level=AlertLevel.CRITICAL,
        dedup_key=f"worker:{down.path}",
        title=f"{down.path} crashed",
        account=account,
        seen=repr(down.error),
        done="whoever waited for it was told that nothing is known",
        next_step="report it with the log's traceback: this is a bug",
        lasting=False,
    )
