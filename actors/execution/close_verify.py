"""The last part of a close (`mission.md` B6): the orders say filled, does the venue say flat?"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from actors.backoff import backoffs
from actors.execution.close_context import CloseContext, Progress
from actors.execution.evidence import verdict_text
from messages.execution import ErrorCode, ExecutionResult
from messages.values import ZERO
from messages.verdict import Absent

VERIFY_LIMIT = timedelta(seconds=30)
"""How long the positions may contradict a filled order before somebody must look."""

POLL_FIRST = 0.2
POLL_LAST = 2.0


async def verify(context: CloseContext, progress: Progress) -> ExecutionResult:
    """Wait until a source of positions, the stream or a read, says flat as well."""
    key, now = progress.order.key, context.actor.now
    deadline = now() + VERIFY_LIMIT
    filled_at = context.leg_judge.own_fill_at.get(key, now())
    delays = backoffs(POLL_FIRST, POLL_LAST)
    while True:
        hint = context.leg_judge.hints.get(key)
        if hint is not None and hint.at >= filled_at and hint.quantity == ZERO:
            return progress.succeeded(verified_by="stream")
        judgement = await progress.judge_leg()
        if isinstance(judgement.verdict, Absent):
            return progress.succeeded(verified_by="snapshot")
        if now() >= deadline:
            return progress.failed(
                ErrorCode.UNKNOWN,
                "the order is filled, but the venue still does not show the leg flat: "
                + verdict_text(judgement.verdict),
            )
        await asyncio.sleep(next(delays))
