"""What the monitors do with a leg that a read did not show: judge it, and bury it if it is gone."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from actors.monitoring.account_view import wake_leg
from actors.monitoring.row_closing import Ended, end_leg
from actors.monitoring.verdicts import judge
from actors.runtime import Actor
from messages.ledger import LedgerLeg
from messages.settings import Settings
from messages.to_exchange import Markets
from messages.verdict import Absent, Unknown


class Suspect(StrEnum):
    """What became of a suspect. BURIED: by this very call; a second burier finds nothing.

    TURNED: left, since the venue holds the other side of it, which needs a person (D2).
    """

    BURIED = "buried"
    LEFT = "left"
    TURNED = "turned"
    NOT_JUDGED = "not judged"


async def bury_if_gone(
    actor: Actor[Any],
    settings: Settings,
    leg: LedgerLeg,
    markets: Markets,
    *,
    reason: str,
    not_before: datetime | None = None,
) -> Suspect:
    """Judge a suspect by a read that began at `not_before` or later; end its rows if it is gone.

    `reason` is written into the rows of a ghost. The leg's own actor, if any, is told to look.
    """
    judgement = await judge(actor, leg, not_before=not_before)
    verdict = judgement.verdict
    if isinstance(verdict, Unknown) and verdict.other_side:
        return Suspect.TURNED
    if isinstance(verdict, Unknown):
        return Suspect.NOT_JUDGED if verdict.failed else Suspect.LEFT
    if not isinstance(verdict, Absent):
        return Suspect.LEFT
    ended = await end_leg(
        actor,
        settings,
        leg,
        verdict.evidence,
        judgement.fills,
        instrument=markets.instruments[leg.key.symbol],
        ghost_reason=reason,
    )
    wake_leg(actor, leg.key)
    buried = isinstance(ended, Ended) and ended.ghost and ended.by_us
    return Suspect.BURIED if buried else Suspect.LEFT
