"""Verdicts about a leg, and the evidence that they stand on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from messages.venue import Fill, VenuePosition


class EvidenceKind(StrEnum):
    """The two ways in which absence may be confirmed (`docs/spec/mission.md` A5)."""

    TWO_READS = "two_complete_reads"
    READ_AND_FILL = "complete_read_and_closing_fill"


class ReadSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A complete read that did not show the leg."""

    started_at: datetime
    finished_at: datetime


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Why a leg was called absent. Stored with every row that it closes.

    `named_flat_at` is when the newest read began in which the venue named the leg with a size of
    zero; None where it only left the leg out.
    """

    kind: EvidenceKind
    reads: tuple[ReadSeen, ...]
    fills: tuple[Fill, ...] = ()
    named_flat_at: datetime | None = None


class Present(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The leg is open at the venue."""

    position: VenuePosition
    seen_at: datetime

    @property
    def quantity(self) -> Decimal:
        return self.position.quantity


class Absent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The leg is confirmed not to be there."""

    evidence: Evidence


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Not known. `look_again_at` is when a further read could settle it (None: whenever).

    `other_side`: the venue holds the other side instead, and no fill says how that came.
    """

    why: str
    failed: bool = False
    other_side: bool = False
    look_again_at: datetime | None = None


Verdict = Present | Absent | Unknown
