"""Whether a leg of the ledger is there: the verdict is asked for, and rows closed on absence.

The verdict itself comes from the account's exchange actor (`actors.execution.evidence`), and the
rows are closed by `row_closing`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

import msgspec

from actors import paths
from actors.context import Context
from actors.monitoring.row_closing import RowsClosed, RowsLeft, close_rows_of
from actors.runtime import AskFailed
from messages.budget import Lane
from messages.ledger import LedgerLeg
from messages.settings import Settings
from messages.to_exchange import JudgeLeg, Judgement, Markets
from messages.values import LegKey
from messages.verdict import Absent, Present, Unexplained, Unknown
from rules.legs import LedgerView

JUDGE_TIMEOUT = 120.0
"""Seconds: above all reads that a verdict may wait for."""


async def ask_verdict(
    context: Context,
    leg: LedgerLeg,
    view: LedgerView,
    *,
    not_before: datetime | None = None,
    lane: Lane = Lane.ANSWER,
) -> Judgement:
    """The verdict on a leg of `view`. An exchange actor that does not answer leaves it unknown.

    A read that began at `not_before` or later will do (None: within the freshness window).
    """
    question = JudgeLeg(
        key=leg.key,
        row_ids=leg.row_ids,
        changed_at=leg.updated_at,
        since=leg.opened_at,
        quantity=leg.quantity,
        opposite_rows=view.has_opposite(leg.key),
        not_before=not_before,
        lane=lane,
    )
    begun = context.now()
    answer = await context.attempt(paths.exchange(leg.key.account), question, timeout=JUDGE_TIMEOUT)
    if isinstance(answer, AskFailed):
        seconds = max((context.now() - begun).total_seconds(), 0.0)
        return Judgement(verdict=Unknown(why=answer.why, failed=True), seconds=seconds)
    return answer


class Outcome(StrEnum):
    """What became of a leg that a read did not show.

    CLOSED: its rows were closed as a ghost's, by this very call (a second caller finds none open).
    ENDED: it is gone and explained, and its bot still has time to close the row. UNEXPLAINED: gone,
    and nothing says how. OTHER_SIDE and NETTED: left alone, for a person (D2). WAITING: not shown,
    and not decided yet. UNKNOWN: it could not be judged.
    """

    CLOSED = "closed"
    STILL_OPEN = "still open"
    ENDED = "ended"
    WAITING = "waiting"
    UNEXPLAINED = "unexplained"
    OTHER_SIDE = "other side"
    NETTED = "netted"
    UNKNOWN = "unknown"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one leg. `again_at`: when another look could say more."""

    leg: LedgerLeg
    outcome: Outcome
    why: str = ""
    again_at: datetime | None = None
    unexplained: Unexplained | None = None


class MissingLegs:
    """What a monitor does with legs that a read did not show.

    `wake` lets the leg's own actor, if there is one, see at once that its rows have changed.
    """

    def __init__(
        self, context: Context, settings: Settings, wake: Callable[[LegKey], None]
    ) -> None:
        self._context = context
        self._settings = settings
        self._wake = wake

    async def close_if_absent(
        self,
        leg: LedgerLeg,
        view: LedgerView,
        markets: Markets,
        *,
        reason: str,
        not_before: datetime | None = None,
    ) -> Judged:
        """Ask for a verdict by a read from `not_before` or later; close the rows of an absent leg.

        `reason` is written into the rows of a ghost.
        """
        judgement = await ask_verdict(self._context, leg, view, not_before=not_before)
        match judgement.verdict:
            case Present():
                return Judged(leg=leg, outcome=Outcome.STILL_OPEN)
            case Unexplained() as verdict:
                return Judged(
                    leg=leg, outcome=Outcome.UNEXPLAINED, why=verdict.why, unexplained=verdict
                )
            case Unknown() as verdict:
                return Judged(
                    leg=leg,
                    outcome=_outcome_of(verdict),
                    why=verdict.why,
                    again_at=verdict.look_again_at,
                )
            case Absent() as verdict:
                return await self._close(leg, verdict, judgement, markets, reason)

    async def _close(
        self, leg: LedgerLeg, verdict: Absent, judgement: Judgement, markets: Markets, reason: str
    ) -> Judged:
        closed = await close_rows_of(
            self._context,
            self._settings,
            leg,
            verdict,
            judgement,
            instrument=markets.instruments[leg.key.symbol],
            ghost_reason=reason,
        )
        match closed:
            case RowsLeft():
                return Judged(
                    leg=leg, outcome=Outcome.ENDED, why=closed.why, again_at=closed.again_at
                )
            case RowsClosed():
                self._wake(leg.key)
                by_us = closed.ghost and closed.by_us
                return Judged(leg=leg, outcome=Outcome.CLOSED if by_us else Outcome.STILL_OPEN)


def _outcome_of(verdict: Unknown) -> Outcome:
    if verdict.netted:
        return Outcome.NETTED
    if verdict.other_side:
        return Outcome.OTHER_SIDE
    return Outcome.WAITING if verdict.not_shown else Outcome.UNKNOWN
