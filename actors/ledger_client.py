"""How actors put something to the ledger actor: questions, and lines of the audit trail."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from actors import paths
from actors.context import Context
from messages.base import Request
from messages.ledger import EventDraft
from messages.to_ledger import AppendEvent
from messages.values import LegKey

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds. The ledger actor waits an outage of its database out, so whoever asks it does too."""

_numbers = itertools.count(1)


def event(
    kind: str,
    at: datetime,
    *,
    actor: str,
    key: LegKey | None = None,
    account: str = "",
    event_id: str | None = None,
    details: Mapping[str, object] | None = None,
    **more: object,
) -> EventDraft:
    """An event about to be appended.

    `event_id` is given where two actors may report the same fact: the trail keeps one.
    """
    return EventDraft(
        event_id=event_id or f"{actor}@{at.isoformat()}#{next(_numbers)}",
        at=at,
        kind=kind,
        account=key.account if key else account,
        symbol=key.symbol if key else "",
        side=key.side.value if key else "",
        actor=actor,
        details={
            name: value for name, value in {**(details or {}), **more}.items() if value is not None
        },
    )


async def ask_ledger(actor: Context, request: Request[T]) -> T:
    """The ledger actor's answer. Raises what `Actor.ask` raises."""
    return await actor.ask(paths.LEDGER, request, timeout=PATIENCE)


async def note(
    actor: Context,
    kind: str,
    key: LegKey,
    details: Mapping[str, object] | None = None,
    *,
    event_id: str | None = None,
    **more: object,
) -> None:
    """Append a line about a leg to the audit trail; of one `event_id`, only the first."""
    draft = event(
        kind,
        actor.now(),
        actor=actor.path,
        key=key,
        event_id=event_id,
        details={**(details or {}), **more},
    )
    await ask_ledger(actor, AppendEvent(draft=draft))
