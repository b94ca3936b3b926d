"""Asking an account's exchange actor whether a ledger leg is there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from actors import paths
from actors.monitoring.account_view import Blind, ledger_view, markets_of
from actors.runtime import Actor, AskFailed
from messages.ledger import LedgerLeg
from messages.to_exchange import JudgeLeg, Judgement
from messages.values import LegKey
from messages.verdict import Unknown

JUDGE_TIMEOUT = 120.0
"""Seconds: above all reads that a verdict may wait for."""


async def judge(
    actor: Actor[Any], leg: LedgerLeg, *, not_before: datetime | None = None
) -> Judgement:
    """The verdict on a leg. An exchange actor that does not answer leaves it unknown.

    A read that began at `not_before` or later will do (None: within the freshness window).
    """
    question = JudgeLeg(
        key=leg.key,
        changed_at=leg.updated_at,
        since=leg.opened_at,
        quantity=leg.quantity,
        not_before=not_before,
    )
    judgement = await _asked(actor, question)
    verdict = judgement.verdict
    if isinstance(verdict, Unknown) and verdict.other_side and await _other_side_known(actor, leg):
        question = msgspec.structs.replace(question, other_side_known=True)
        judgement = await _asked(actor, question)
    return judgement


async def _asked(actor: Actor[Any], question: JudgeLeg) -> Judgement:
    begun = actor.now()
    answer = await actor.attempt(
        paths.exchange(question.key.account), question, timeout=JUDGE_TIMEOUT
    )
    if isinstance(answer, AskFailed):
        seconds = max((actor.now() - begun).total_seconds(), 0.0)
        return Judgement(verdict=Unknown(why=answer.why, failed=True), seconds=seconds)
    return answer


async def _other_side_known(actor: Actor[Any], leg: LedgerLeg) -> bool:
    """Whether the position of the other side is a leg of the ledger's own, and not this one."""
    markets = await markets_of(actor, leg.key.account)
    if isinstance(markets, Blind):
        return False
    view = await ledger_view(actor, leg.key.account, markets)
    return LegKey(leg.key.account, leg.key.symbol, leg.key.side.opposite) in view.legs
