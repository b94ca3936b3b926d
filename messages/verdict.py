"""Verdicts about a leg, and the evidence that they stand on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from messages.ledger import LastSeen
from messages.values import ZERO
from messages.venue import ClosedPosition, Fill, VenuePosition


class EvidenceKind(StrEnum):
    """The two ways in which absence may be confirmed (`docs/spec/mission.md` A5)."""

    TWO_READS = "two_complete_reads"
    READ_AND_FILL = "complete_read_and_closing_fill"


class ExplainedBy(StrEnum):
    """What says how a leg ended.

    OWN_ORDERS: verified fills of ours. ACCEPTED: nothing does, and a person takes it for closed.
    """

    OWN_ORDERS = "own_orders"
    FILLS = "fills"
    VENUE_RECORD = "venue_record"
    ACCEPTED = "accepted"


class ReadSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A complete read that did not show the leg."""

    started_at: datetime
    finished_at: datetime


class Accounting(msgspec.Struct, frozen=True, kw_only=True):
    """What the records since an instant add up to, in base units.

    `needed` must have been closed for the leg to be gone; `closed` and `opened` are what the
    records tell. `ended_at` is the last closing that was counted. `why` says in words what is
    missing where `explained_by` is None.
    """

    since: datetime | None
    needed: Decimal
    closed: Decimal
    opened: Decimal = ZERO
    explained_by: ExplainedBy | None = None
    ended_at: datetime | None = None
    fills: tuple[Fill, ...] = ()
    records: tuple[ClosedPosition, ...] = ()
    why: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Why a leg was called absent. Stored with every row that it closes.

    `named_at` is when the read began in which the venue, asked for the leg by name, did not show
    it, and `named_flat_at` when one began that names it with a size of zero; None where it only
    left the leg out. `accounting` is what explains the absence.
    """

    kind: EvidenceKind
    reads: tuple[ReadSeen, ...]
    accounting: Accounting
    last_seen: LastSeen | None = None
    named_at: datetime | None = None
    named_flat_at: datetime | None = None

    @property
    def fills(self) -> tuple[Fill, ...]:
        """The closing fills that explain it."""
        return self.accounting.fills


class Present(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The leg is open at the venue."""

    position: VenuePosition
    seen_at: datetime

    @property
    def quantity(self) -> Decimal:
        return self.position.quantity


class Absent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The leg is confirmed not to be there, and a record says how it ended.

    Until `due_at` its bot has time to close the row itself; None: it may be closed at once.
    """

    evidence: Evidence
    due_at: datetime | None = None


class Unexplained(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Absent in every read, and nothing says how it ended: nothing is done, a person decides.

    `since` is when the first read began that did not show it.
    """

    why: str
    since: datetime
    reads: tuple[ReadSeen, ...]
    accounting: Accounting
    last_seen: LastSeen | None = None
    named_at: datetime | None = None


class Want(StrEnum):
    """What would settle an unknown verdict, beside a further read."""

    NAME = "ask the venue for the leg by name"
    HISTORY = "read the executions"
    RECORDS = "read the venue's record of closed positions"


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Not known. `look_again_at` is when a further read could settle it (None: whenever).

    `wants` is what else could. `not_shown`: a complete read does not show the leg, so that no order
    should leave for it, whatever else is unknown. `other_side`: the venue holds the other side
    instead, and no record says how that came. `netted`: the ledger has rows of both sides, and the
    account holds their net, so that no read can tell of either row. `banned_until`: the venue takes
    no request before then, by its own word.
    """

    why: str
    failed: bool = False
    not_shown: bool = False
    other_side: bool = False
    netted: bool = False
    wants: Want | None = None
    look_again_at: datetime | None = None
    banned_until: datetime | None = None


Verdict = Present | Absent | Unexplained | Unknown
