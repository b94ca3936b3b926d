"""What the actors say to one another.

A `Request` is answered with the type it names; a plain struct is told. Messages to an account's
actors carry the leg's key, so that one account's trouble stays its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from messages.execution import ExecutionResult
from messages.ledger import (
    AgedRecord,
    Alert,
    AlertDraft,
    AlertRaised,
    ClosedRows,
    Delivery,
    Event,
    EventDraft,
    HeldBy,
    Intent,
    Lease,
    NewPosition,
    OrphanRecord,
    PositionRow,
    RowClose,
)
from messages.runtime import Request
from messages.values import LegKey
from messages.venue import (
    Fill,
    Hint,
    Instrument,
    Protection,
    Quote,
    Snapshot,
    VenueError,
    VenuePosition,
)
from messages.verdict import Verdict


class Done(msgspec.Struct, frozen=True):
    """Carried out; nothing more to say."""


# --- the exchange actor -------------------------------------------------------------------------


class NotReady(msgspec.Struct, frozen=True, kw_only=True):
    """The account is not connected (yet, or any more)."""

    why: str


class Markets(msgspec.Struct, frozen=True, kw_only=True):
    """The listed instruments by unified symbol, and whether the account is in hedge mode."""

    instruments: dict[str, Instrument]
    hedged: bool | None = None


class GetMarkets(Request[Markets | NotReady], frozen=True, kw_only=True):
    """Which instruments the account can trade."""


class ReadPositions(Request[Snapshot], frozen=True, kw_only=True):
    """All legs of the account, by a read that began at `not_before` or later.

    None: any read of the current freshness window will do. All askers of a window share one.
    """

    not_before: datetime | None = None


class JudgeLeg(Request["Judgement"], frozen=True, kw_only=True):
    """Is this leg there? `changed_at` is its row's last change, `since` when it was opened.

    `quantity` is what closing fills must account for. A read that began at `not_before` or later
    will do, and no earlier one counts; None asks for one of the current freshness window.
    `other_side_known`: the ledger has a row for the symbol's other side, so that a position there
    is no mismatch of this leg.
    """

    key: LegKey
    changed_at: datetime | None = None
    since: datetime | None = None
    quantity: Decimal | None = None
    not_before: datetime | None = None
    other_side_known: bool = False


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict, and the leg's closing fills where its trade history was read.

    `fills_read` is false where nobody looked or the look-up failed.
    """

    verdict: Verdict
    fills: tuple[Fill, ...] = ()
    fills_read: bool = False
    seconds: float = 0.0


class FindOpening(Request["Opening"], frozen=True, kw_only=True):
    """When was this leg opened? Looked up in its fills, for venues whose positions don't say."""

    position: VenuePosition
    seen_at: datetime


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """`at` None: not known, and `why`. `failed` look-ups may be tried again."""

    at: datetime | None = None
    why: str = ""
    failed: bool = False


class ReadQuote(Request[Quote | VenueError], frozen=True, kw_only=True):
    symbol: str


class ReadProtection(Request[Protection], frozen=True, kw_only=True):
    """The working stops of these symbols."""

    symbols: tuple[str, ...]


class CloseLeg(Request[ExecutionResult], frozen=True, kw_only=True):
    """Close the whole leg, reduce-only, exactly once.

    `quantity` is the ledger's figure in base units, used only where the verdict is unknown and
    `on_unknown` says proceed. `worst_price` bounds every limit and is None in the market phase.
    """

    key: LegKey
    row_ids: tuple[int, ...]
    quantity: Decimal
    changed_at: datetime | None
    since: datetime | None
    purpose: str
    phase: str = ""
    worst_price: Decimal | None = None


class SettleLeg(Request["Settled"], frozen=True, kw_only=True):
    """Bring every open intent of a leg to its final state by asking the venue for its id."""

    key: LegKey


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """`unresolved` intents are those that the venue could not be asked about."""

    unresolved: int = 0


class PlaceStop(Request["StopPlaced"], frozen=True, kw_only=True):
    """Place a reduce-only stop that protects a leg. `row_ids` is empty for an orphan."""

    key: LegKey
    trigger_price: Decimal
    row_ids: tuple[int, ...] = ()


class StopPlaced(msgspec.Struct, frozen=True, kw_only=True):
    success: bool
    order_id: str = ""
    error: str = ""


class CleanUp(Request["CleanedUp"], frozen=True, kw_only=True):
    """Cancel what is left of a flat leg: orders of ours, or proven to belong to it.

    Where something is left, the leg is read again before it is cancelled.
    """

    key: LegKey


class CleanedUp(msgspec.Struct, frozen=True, kw_only=True):
    cancelled: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class StreamHint(msgspec.Struct, frozen=True, kw_only=True):
    """Told by the stream actor to the exchange actor."""

    hint: Hint


class StreamConnected(msgspec.Struct, frozen=True, kw_only=True):
    """The subscription stands (again): what happened before is not in it."""


# --- monitors -----------------------------------------------------------------------------------


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


# --- the ledger actor ---------------------------------------------------------------------------


class ActiveRows(Request[tuple[PositionRow, ...]], frozen=True, kw_only=True):
    account: str | None = None


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

    `counters` move only if a row changed.
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
    """Move an account's statistics (`mission.md` A7) by these amounts."""

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


# --- the alerts actor ---------------------------------------------------------------------------


class RaiseAlert(msgspec.Struct, frozen=True, kw_only=True):
    """Told to the alerts actor: store, log and deliver, once for as long as it is open."""

    draft: AlertDraft


class AlertStored(msgspec.Struct, frozen=True, kw_only=True):
    """Told to the alerts actor: this alert was stored together with a ledger write."""

    draft: AlertDraft


class ResolveAlert(msgspec.Struct, frozen=True, kw_only=True):
    """Told to the alerts actor: what the alert was about is over."""

    dedup_key: str
    resolution: str


class AckAlert(Request[Alert | None], frozen=True, kw_only=True):
    """An operator has seen it: reminders stop, the alert stays until it is resolved."""

    alert_id: int
    by: str


class NewNotice(msgspec.Struct, frozen=True):
    """Told to the delivery actor: the outbox has something new."""
