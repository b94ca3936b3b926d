"""How actors put something to the ledger actor: questions, and lines of the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from actors import paths
from actors.records import event
from actors.runtime import Actor
from messages.base import Request
from messages.to_ledger import AppendEvent
from messages.values import LegKey

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds. The ledger actor waits an outage of its database out, so whoever asks it does too."""


async def ask_ledger(actor: Actor[Any], request: Request[T]) -> T:
    """The ledger actor's answer. Raises what `Actor.ask` raises."""
    return await actor.ask(paths.LEDGER, request, timeout=PATIENCE)


async def note(
    actor: Actor[Any],
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
