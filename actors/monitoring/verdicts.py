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
from actors.monitoring.account_view import AccountReader, ViewUnavailable
from actors.monitoring.row_closing import RowsClosed, close_rows_of
from actors.runtime import AskFailed
from messages.ledger import LedgerLeg
from messages.settings import Settings
from messages.to_exchange import JudgeLeg, Judgement, Markets
from messages.values import LegKey
from messages.verdict import Absent, Unknown

JUDGE_TIMEOUT = 120.0
"""Seconds: above all reads that a verdict may wait for."""


async def ask_verdict(
    context: Context,
    reader: AccountReader,
    leg: LedgerLeg,
    *,
    not_before: datetime | None = None,
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
    judgement = await _asked(context, question)
    verdict = judgement.verdict
    if isinstance(verdict, Unknown) and verdict.other_side and await _other_side_known(reader, leg):
        question = msgspec.structs.replace(question, other_side_known=True)
        judgement = await _asked(context, question)
    return judgement


async def _asked(context: Context, question: JudgeLeg) -> Judgement:
    begun = context.now()
    answer = await context.attempt(
        paths.exchange(question.key.account), question, timeout=JUDGE_TIMEOUT
    )
    if isinstance(answer, AskFailed):
        seconds = max((context.now() - begun).total_seconds(), 0.0)
        return Judgement(verdict=Unknown(why=answer.why, failed=True), seconds=seconds)
    return answer


async def _other_side_known(reader: AccountReader, leg: LedgerLeg) -> bool:
    """Whether the position of the other side is a leg of the ledger's own, and not this one."""
    markets = await reader.markets()
    if isinstance(markets, ViewUnavailable):
        return False
    view = await reader.ledger(markets)
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


class MissingLegs:
    """What a monitor does with legs that a read did not show.

    `wake` lets the leg's own actor, if there is one, see at once that its rows have changed.
    """

    def __init__(
        self,
        context: Context,
        reader: AccountReader,
        settings: Settings,
        wake: Callable[[LegKey], None],
    ) -> None:
        self._context = context
        self._reader = reader
        self._settings = settings
        self._wake = wake

    async def close_if_absent(
        self,
        leg: LedgerLeg,
        markets: Markets,
        *,
        reason: str,
        not_before: datetime | None = None,
    ) -> Outcome:
        """Ask for a verdict by a read from `not_before` or later; close the rows of an absent leg.

        `reason` is written into the rows of a ghost.
        """
        judgement = await ask_verdict(self._context, self._reader, leg, not_before=not_before)
        match judgement.verdict:
            case Unknown(other_side=True):
                return Outcome.OTHER_SIDE
            case Unknown(failed=failed):
                return Outcome.UNKNOWN if failed else Outcome.STILL_OPEN
            case Absent(evidence=evidence):
                closed = await close_rows_of(
                    self._context,
                    self._settings,
                    leg,
                    evidence,
                    judgement.fills,
                    instrument=markets.instruments[leg.key.symbol],
                    ghost_reason=reason,
                )
                self._wake(leg.key)
                by_us = isinstance(closed, RowsClosed) and closed.ghost and closed.by_us
                return Outcome.CLOSED if by_us else Outcome.STILL_OPEN
            case _:
                return Outcome.STILL_OPEN
