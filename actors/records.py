"""Events as the actors write them: one line each, with an id that repeats only on purpose."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime

from messages.ledger import EventDraft
from messages.values import LegKey

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
