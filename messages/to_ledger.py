"""What is asked of the ledger actor, the sole writer of the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from messages.base import Done, Request
from messages.ledger import (
    AccountIdentity,
    AgedRecord,
    Alert,
    AlertDraft,
    AlertRaised,
    BookedFill,
    ClosedRows,
    Command,
    CommandState,
    Delivery,
    Event,
    EventDraft,
    HeldBy,
    IdentityDiffers,
    IdentityStored,
    IdentityTaken,
    Intent,
    LastSeen,
    Lease,
    LedgerReplaced,
    NewCommand,
    NewPosition,
    OrphanRecord,
    PositionRow,
    RowClose,
)
from messages.values import LegKey, check_amounts


class ActiveRows(Request[tuple[PositionRow, ...]], frozen=True, kw_only=True):
    account: str | None = None


class ReadSource(msgspec.Struct, frozen=True):
    """Told to the ledger actor: read the bot's ledger now, where one is followed."""


class FindRows(Request[tuple[PositionRow, ...]], frozen=True, kw_only=True):
    account: str | None = None
    symbol: str | None = None
    status: str | None = None
    limit: int | None = None


class AddPosition(Request[PositionRow], frozen=True, kw_only=True):
    new: NewPosition
    event: EventDraft | None = None


class CloseRows(Request[ClosedRows], frozen=True, kw_only=True):
    """Close rows that are still active, with their event, alert and counters, in one go.

    `counters` move only if a row changed. The fills of the rows are booked for the leg that
    `event` names.
    """

    account: str
    closes: tuple[RowClose, ...]
    event: EventDraft
    alert: AlertDraft | None = None
    settles: tuple[Intent, ...] = ()
    counters: dict[str, int] = {}


class SetHeld(Request[Done], frozen=True, kw_only=True):
    row_ids: tuple[int, ...]
    held: bool
    event: EventDraft


class SetStop(Request[Done], frozen=True, kw_only=True):
    row_ids: tuple[int, ...]
    price: Decimal

    def __post_init__(self) -> None:
        check_amounts(self.price)


class CommitIntent(Request[Intent], frozen=True, kw_only=True):
    """Write an intent durably. The answer is the stored one: an older twin wins."""

    intent: Intent
    event: EventDraft | None = None


class UpdateIntent(Request[Done], frozen=True, kw_only=True):
    intent: Intent
    event: EventDraft | None = None


class FindIntents(Request[tuple[Intent, ...]], frozen=True, kw_only=True):
    account: str | None = None
    key: LegKey | None = None
    open_only: bool = False
    unbooked_only: bool = False


class FindLastSeen(Request[tuple[LastSeen, ...]], frozen=True, kw_only=True):
    """What was last seen of every leg of an account that ever was seen."""

    account: str


class SaveLastSeen(Request[Done], frozen=True, kw_only=True):
    """Remember these sightings, in one statement. An older one never replaces a newer."""

    account: str
    seen: tuple[LastSeen, ...]


class FindBookedFills(Request[tuple[BookedFill, ...]], frozen=True, kw_only=True):
    """The fills of a leg that ended rows of it, of rows closed at `since` or later."""

    key: LegKey
    since: datetime


class FindClosedSince(Request[tuple[PositionRow, ...]], frozen=True, kw_only=True):
    """Rows of an account that were closed at `since` or later, by whomever, newest first."""

    account: str
    since: datetime


class StoreIdentity(
    Request[IdentityStored | IdentityDiffers | IdentityTaken], frozen=True, kw_only=True
):
    """The venue has told who an account is. `replace`: an operator says that it is right."""

    account: str
    exchange: str
    identity: str
    replace: bool = False
    event: EventDraft | None = None


class ForgetIdentity(Request[bool], frozen=True, kw_only=True):
    """Free the identity of an account that has another name now. Whether there was one."""

    account: str
    event: EventDraft | None = None


class FindIdentities(Request[tuple[AccountIdentity, ...]], frozen=True, kw_only=True):
    """Who each account is, as far as its venue has told."""


class StoreCommand(Request[Command], frozen=True, kw_only=True):
    """An operator's command, durable before it is acted on, with its event."""

    command: NewCommand
    event: EventDraft | None = None


class FindCommands(Request[tuple[Command, ...]], frozen=True, kw_only=True):
    """Commands of an account or a leg, oldest first; `open_only`: those that are not final."""

    account: str | None = None
    key: LegKey | None = None
    command_id: int | None = None
    open_only: bool = False


class UpdateCommand(Request[Command], frozen=True, kw_only=True):
    """Move a command on. One that is final already stays as it is, and is answered as it is."""

    command_id: int
    state: CommandState
    outcome: str = ""
    event: EventDraft | None = None


class CheckLedgerFile(Request[LedgerReplaced | None], frozen=True, kw_only=True):
    """Whether the database is still the one that was opened; None where it is."""


class GetLedgerId(Request[str], frozen=True, kw_only=True):
    """The random id that was made with the database: part of every client order id."""


class AppendEvent(Request[Done], frozen=True, kw_only=True):
    draft: EventDraft


class FindEvents(Request[tuple[Event, ...]], frozen=True, kw_only=True):
    account: str | None = None
    symbol: str | None = None
    kind: str | None = None
    after_seq: int = 0
    since: datetime | None = None
    limit: int = 100
    newest_first: bool = False


class FindEventSymbols(Request[tuple[str, ...]], frozen=True, kw_only=True):
    """Every symbol that events speak of, as they spell it."""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Move an account's statistics (`docs/spec/mission.md` A7) by these amounts."""

    account: str
    counters: dict[str, int]


class ReadCounters(Request[dict[str, dict[str, int]]], frozen=True, kw_only=True):
    """Statistics by account."""


class ReadAged(Request[AgedRecord | None], frozen=True, kw_only=True):
    key: LegKey


class SaveAged(Request[Done], frozen=True, kw_only=True):
    record: AgedRecord


class DropAged(Request[Done], frozen=True, kw_only=True):
    key: LegKey


class ReadOrphans(Request[tuple[OrphanRecord, ...]], frozen=True, kw_only=True):
    account: str


class SaveOrphan(Request[Done], frozen=True, kw_only=True):
    record: OrphanRecord


class DropOrphan(Request[Done], frozen=True, kw_only=True):
    key: LegKey


class CountOrphanActions(Request[int], frozen=True, kw_only=True):
    account: str
    since: datetime


class StoreAlert(Request[AlertRaised], frozen=True, kw_only=True):
    draft: AlertDraft


class FindAlerts(Request[tuple[Alert, ...]], frozen=True, kw_only=True):
    open_only: bool = True
    account: str | None = None
    limit: int = 100


class StoreResolution(Request[Alert | None], frozen=True, kw_only=True):
    dedup_key: str
    resolution: str


class StoreAck(Request[Alert | None], frozen=True, kw_only=True):
    alert_id: int
    by: str


class StoreReminder(Request[Done], frozen=True, kw_only=True):
    alert_id: int


class PendingDeliveries(Request[tuple[Delivery, ...]], frozen=True, kw_only=True):
    """Notices that still have to go out, oldest first; None: on any channel."""

    channel: str | None = None
    limit: int = 100


class NoteDelivered(Request[Done], frozen=True, kw_only=True):
    """A notice has gone out on its channel, or is not wanted there."""

    delivery_id: int
    channel: str


class NoteDeliveryFailed(Request[Done], frozen=True, kw_only=True):
    """A notice could not be delivered and stays pending. `why` holds no secret."""

    delivery_id: int
    channel: str
    why: str


class PruneEvents(Request["Pruned"], frozen=True, kw_only=True):
    """Let events from before `older_than` leave the ledger, first into the file `export`."""

    older_than: datetime
    export: Path | None = None


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """How many events left. `problem` says why some that should have did not."""

    removed: int = 0
    problem: str = ""


class Reconfigure(Request[Done], frozen=True, kw_only=True):
    """Other accounts are guarded from now on, and notices are queued for other channels."""

    accounts: tuple[str, ...]
    channels: tuple[str, ...]


class AcquireLease(Request[Lease | HeldBy], frozen=True, kw_only=True):
    """Take the right to write for an account; every later write of it carries this lease."""

    account: str
    holder: str
    duration: timedelta


class RenewLease(Request[Lease | None], frozen=True, kw_only=True):
    """Prolong the account's lease. None: it is another guard's now."""

    account: str
    duration: timedelta


class ReleaseLease(Request[Done], frozen=True, kw_only=True):
    account: str


class LeaseLost(msgspec.Struct, frozen=True, kw_only=True):
    """Told by the ledger actor: a write was refused because another guard holds the account."""

    account: str
