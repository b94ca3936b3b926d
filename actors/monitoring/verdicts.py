"""Whether a leg of the ledger is there: the verdict is asked for, and rows closed on absence."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from actors import paths
from actors.monitoring.account_view import ViewUnavailable, ledger_view, markets_of, wake_leg
from actors.monitoring.row_closing import RowsClosed, close_rows_of
from actors.runtime import Actor, AskFailed
from messages.ledger import LedgerLeg
from messages.settings import Settings
from messages.to_exchange import JudgeLeg, Judgement, Markets
from messages.values import LegKey
from messages.verdict import Absent, Unknown

JUDGE_TIMEOUT = 120.0
"""Seconds: above all reads that a verdict may wait for."""


async def ask_verdict(
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
    if isinstance(markets, ViewUnavailable):
        return False
    view = await ledger_view(actor, leg.key.account, markets)
    return LegKey(leg.key.account, leg.key.symbol, leg.key.side.opposite) in view.legs


class Outcome(StrEnum):
    """What became of a leg that a read did not show.

    CLOSED: its rows were closed as a ghost's, by this very call (a second caller finds none open).
    OTHER_SIDE: left alone, since the venue holds the other side, which needs a person (D2).
    """

    CLOSED = "closed"
    STILL_OPEN = "still open"
    OTHER_SIDE = "other side"
    UNKNOWN = "unknown"


async def close_if_absent(
    actor: Actor[Any],
    settings: Settings,
    leg: LedgerLeg,
    markets: Markets,
    *,
    reason: str,
    not_before: datetime | None = None,
) -> Outcome:
    """Ask for a verdict by a read from `not_before` or later; close the rows if the leg is absent.

    `reason` is written into the rows of a ghost. The leg's own actor, if any, is told to look.
    """
    judgement = await ask_verdict(actor, leg, not_before=not_before)
    verdict = judgement.verdict
    if isinstance(verdict, Unknown) and verdict.other_side:
        return Outcome.OTHER_SIDE
    if isinstance(verdict, Unknown):
        return Outcome.UNKNOWN if verdict.failed else Outcome.STILL_OPEN
    if not isinstance(verdict, Absent):
        return Outcome.STILL_OPEN
    closed = await close_rows_of(
        actor,
        settings,
        leg,
        verdict.evidence,
        judgement.fills,
        instrument=markets.instruments[leg.key.symbol],
        ghost_reason=reason,
    )
    wake_leg(actor, leg.key)
    by_us = isinstance(closed, RowsClosed) and closed.ghost and closed.by_us
    return Outcome.CLOSED if by_us else Outcome.STILL_OPEN
