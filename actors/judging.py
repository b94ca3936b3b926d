"""Asking an account's exchange actor whether a ledger leg is there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from actors import paths
from actors.runtime import Actor, AskFailed
from messages.ledger import LedgerLeg
from messages.requests import JudgeLeg, Judgement
from messages.verdict import Unknown

JUDGE_TIMEOUT = 120.0
"""Seconds: above all reads that a verdict may wait for."""


async def judge(
    actor: Actor[Any], leg: LedgerLeg, *, not_before: datetime | None = None
) -> Judgement:
    """The verdict on a leg. An exchange actor that does not answer leaves it unknown.

    A read that began at `not_before` or later will do (None: within the freshness window).
    """
    begun = actor.now()
    answer = await actor.attempt(
        paths.exchange(leg.key.account),
        JudgeLeg(
            key=leg.key,
            changed_at=leg.updated_at,
            since=leg.opened_at,
            quantity=leg.quantity,
            not_before=not_before,
        ),
        timeout=JUDGE_TIMEOUT,
    )
    if isinstance(answer, AskFailed):
        seconds = max((actor.now() - begun).total_seconds(), 0.0)
        return Judgement(verdict=Unknown(why=answer.why, failed=True), seconds=seconds)
    return answer
