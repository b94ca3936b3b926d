"""What is asked of the actors that watch an account: orphans, reconciliation, aged legs."""

from __future__ import annotations

from datetime import datetime

import msgspec

from messages.base import Done, Request
from messages.ledger import Command
from messages.to_exchange import NotReady
from messages.values import LegKey


class ScanNow(Request["ScanReport"], frozen=True, kw_only=True):
    """Run the monitor's scan at once; answered when it is through."""


class ScanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan found. `problem` says why it could not be run to its end."""

    checked: int = 0
    found: int = 0
    acted: int = 0
    errors: int = 0
    problem: str = ""


class LookAt(msgspec.Struct, frozen=True, kw_only=True):
    """A hint that this leg may have changed: check it without waiting for the interval."""

    key: LegKey


class Ordered(Done, frozen=True, kw_only=True):
    """The operator's command is stored and taken up; its outcome will be in the ledger."""

    command: Command


class CloseByOrder(Request[Ordered | NotReady], frozen=True, kw_only=True):
    """An operator wants this leg closed at market now, aged or not.

    `row_ids` are the rows that he saw (none: those of now); rows that come later are another
    position. Not begun before `expires_at` it expires; None: a minute from now. The same
    `request_id` twice is one command.
    """

    key: LegKey
    row_ids: tuple[int, ...] = ()
    by: str = "operator"
    why: str = ""
    expires_at: datetime | None = None
    request_id: str | None = None


class AcceptAbsence(Request[Ordered | NotReady], frozen=True, kw_only=True):
    """An operator takes an unexplained absence for closed. Fields as those of `CloseByOrder`."""

    key: LegKey
    row_ids: tuple[int, ...] = ()
    by: str = "operator"
    why: str = ""
    expires_at: datetime | None = None
    request_id: str | None = None


class CommandStored(Request[Done], frozen=True, kw_only=True):
    """Told to a leg's actor: the ledger has a new command of an operator's for it."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """An operator has dealt with what this aged leg needed one for: go on with its life."""

    by: str = "operator"
