"""What is asked of the actors that watch an account: orphans, reconciliation, aged legs."""

from __future__ import annotations

import msgspec

from messages.base import Done, Request
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


class CloseByOrder(Request[Done | NotReady], frozen=True, kw_only=True):
    """An operator wants this aged leg closed at market now."""

    key: LegKey


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """An operator has dealt with what this aged leg needed one for: go on with its life."""

    by: str = "operator"
