"""What the database holds: positions, intents, events, alerts, leases; and a leg's view of them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from messages.values import ZERO, LegKey, Side, check_amounts
from messages.venue import OrderType


class RowStatus(StrEnum):
    ACTIVE = "active"
    CLOSED = "closed"


class ExitSource(StrEnum):
    """Where an exit price comes from. UNKNOWN: exit = entry and PnL = 0 are stand-ins."""

    FILL = "fill"
    VENUE_HISTORY = "venue_history"
    UNKNOWN = "unknown"


class PositionRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of `positions`, as it is written: `symbol` and `side` in the bot's own spelling.

    Quantities and prices are whatever the bot wrote; None where what it wrote is no number.
    Rules decide whether the row is usable.
    """

    id: int
    account: str
    symbol: str
    side: str
    quantity: Decimal | None
    entry_price: Decimal | None
    opened_at: datetime | None
    status: str = RowStatus.ACTIVE
    stop_price: Decimal | None = None
    trailing_active: bool = False
    held: bool = False
    exit_price: Decimal | None = None
    exit_source: str | None = None
    exit_reason: str | None = None
    realized_pnl: Decimal | None = None
    closed_at: datetime | None = None
    updated_at: datetime | None = None


class NewPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A row to be written: by an operator, by an adoption, by the bot's side.

    The same `request_id` twice is one row, so that a write may be repeated after a lost reply.
    """

    account: str
    symbol: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    opened_at: datetime
    stop_price: Decimal | None = None
    trailing_active: bool = False
    held: bool = False
    request_id: str | None = None

    def __post_init__(self) -> None:
        check_amounts(self.quantity, self.entry_price, self.stop_price)


class LedgerLeg(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All active rows of one leg, taken together.

    Quantity is their sum in base units, the entry price their weighted mean, `opened_at` the
    oldest's, `updated_at` the newest change of any. Held or trailing if any row is.
    """

    key: LegKey
    rows: tuple[PositionRow, ...]
    quantity: Decimal
    entry_price: Decimal
    opened_at: datetime
    updated_at: datetime
    stop_price: Decimal | None = None
    trailing_active: bool = False
    held: bool = False

    @property
    def row_ids(self) -> tuple[int, ...]:
        return tuple(row.id for row in self.rows)


class LastSeen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The newest complete read that showed a leg: what an absence must account for.

    `started_at` and `finished_at` are the read's, by this machine's clock; `changed_at` is the
    position's last change by the venue's own clock, where it tells one. `quantity` is in base
    units, `entry_price` in quote currency.
    """

    key: LegKey
    started_at: datetime
    finished_at: datetime
    quantity: Decimal
    entry_price: Decimal | None = None
    changed_at: datetime | None = None

    def __post_init__(self) -> None:
        check_amounts(self.quantity, self.entry_price)


class BookedFill(msgspec.Struct, frozen=True, kw_only=True):
    """A fill, or the part of one, that ended a row. `quantity` is in base units."""

    fill_id: str
    quantity: Decimal
    order_id: str = ""
    row_id: int = 0

    def __post_init__(self) -> None:
        check_amounts(self.quantity)


class RowClose(msgspec.Struct, frozen=True, kw_only=True):
    """How one row is closed. `realized_pnl` is in settle currency, after fees.

    `fills` are the venue's fills that ended the row; they are stored with it, so that none of
    them is ever booked for another row.

    `changed_at` is the row's last change as it was judged: a row that has changed since is another
    one, and stays. None: whatever it is by now.
    """

    row_id: int
    reason: str
    exit_price: Decimal
    exit_source: ExitSource
    realized_pnl: Decimal
    closed_at: datetime
    changed_at: datetime | None = None
    fills: tuple[BookedFill, ...] = ()

    def __post_init__(self) -> None:
        check_amounts(self.exit_price, self.realized_pnl)


class EventDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An event about to be appended. The same `event_id` twice is one event."""

    event_id: str
    at: datetime
    kind: str
    account: str = ""
    symbol: str = ""
    side: str = ""
    actor: str = ""
    details: dict[str, object] = {}


class Event(EventDraft, frozen=True, kw_only=True):
    """An event as it stands in the audit trail: append-only, in the order of `seq`."""

    seq: int


class IntentState(StrEnum):
    """A life of an intent. Everything but PENDING and SENT is final.

    PENDING: committed, perhaps not yet sent. SENT: a reply or a look-up proved it at the venue.
    """

    PENDING = "pending"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    NEVER_ARRIVED = "never_arrived"

    @property
    def final(self) -> bool:
        return self not in (IntentState.PENDING, IntentState.SENT)


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """The durable record of an order, committed before it is sent.

    `purpose` is `close`, `protect` or `orphan_close`; `row_ids` the ledger rows that it closes.
    `seen_quantity` is what the venue said was there when it was made; zero: it could not be asked.
    """

    client_order_id: str
    key: LegKey
    purpose: str
    row_ids: tuple[int, ...]
    attempt: int
    type: OrderType
    quantity: Decimal
    seen_quantity: Decimal
    created_at: datetime
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    hedged: bool = False
    phase: str = ""
    state: IntentState = IntentState.PENDING
    order_id: str = ""
    filled: Decimal = ZERO
    average: Decimal | None = None
    fee: Decimal = ZERO
    error: str = ""
    settled_at: datetime | None = None
    booked: bool = False
    """Whether its fill has been written into the rows it closes."""

    def __post_init__(self) -> None:
        check_amounts(
            self.quantity,
            self.seen_quantity,
            self.price,
            self.trigger_price,
            self.filled,
            self.average,
            self.fee,
        )


class AlertLevel(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertType(StrEnum):
    """The alert types: `docs/spec/mission.md` E1, one for unusable rows, one as proof of life."""

    ORPHANED_POSITION = "orphaned_position"
    NAKED_POSITION = "naked_position"
    RECONCILIATION_MISMATCH = "reconciliation_mismatch"
    GHOST_POSITION = "ghost_position"
    CLOSE_FAILED = "close_failed"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    OPERATOR_NEEDED = "operator_needed"
    ACTOR_CRASHED = "actor_crashed"
    ACCOUNT_QUARANTINED = "account_quarantined"
    GUARD_DEGRADED = "guard_degraded"
    UNEXPLAINED_ABSENCE = "unexplained_absence"
    ACCOUNT_SUSPECT = "account_suspect"
    UNJUDGED = "unjudged"
    UNUSABLE_ROW = "unusable_row"
    DAILY_SUMMARY = "daily_summary"


class AlertDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know. Drafts with the same open `dedup_key` are one alert.

    `seen`, `done` and `next_step` are sentences: what was seen, what the guard did, what the
    reader should do. `lasting` alerts stay open until resolved; others are said once.
    """

    type: AlertType
    level: AlertLevel
    dedup_key: str
    title: str
    account: str = ""
    symbol: str = ""
    side: str = ""
    seen: str = ""
    done: str = ""
    next_step: str = ""
    details: dict[str, object] = {}
    lasting: bool = True


class Alert(AlertDraft, frozen=True, kw_only=True):
    """An alert as stored. Times are None until they happen."""

    id: int
    raised_at: datetime
    last_seen_at: datetime
    reminded_at: datetime | None = None
    reminders: int = 0
    acked_at: datetime | None = None
    acked_by: str = ""
    resolved_at: datetime | None = None
    resolution: str = ""


class AlertRaised(msgspec.Struct, frozen=True, kw_only=True):
    """A stored draft: `new` is false where an open alert of the same key was there already."""

    alert: Alert
    new: bool


class AgedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What must survive of an aged leg's life: tries, and a need for an operator."""

    key: LegKey
    row_ids: tuple[int, ...]
    phase: str
    attempts: int = 0
    operator_needed: str = ""
    updated_at: datetime


class OrphanRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An orphan under watch, and what was done about it."""

    key: LegKey
    first_seen_at: datetime
    action: str = ""
    acted_at: datetime | None = None


class CommandKind(StrEnum):
    """What an operator may order of one leg."""

    CLOSE = "close"
    ACCEPT = "accept"


class CommandState(StrEnum):
    """How far an operator's command has come. WAITING and BEGUN are not final.

    EXPIRED: not begun before its end. WITHDRAWN: a hold, or its rows are no longer those.
    """

    WAITING = "waiting"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def final(self) -> bool:
        return self not in (CommandState.WAITING, CommandState.BEGUN)


class NewCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator orders for the rows that he saw, until `expires_at` unless it has begun.

    `by` and `why` go into the audit trail. The same `request_id` twice is one command.
    """

    kind: CommandKind
    key: LegKey
    row_ids: tuple[int, ...]
    expires_at: datetime
    by: str = "operator"
    why: str = ""
    request_id: str | None = None


class Command(NewCommand, frozen=True, kw_only=True):
    """A command as stored. `outcome` is a sentence for whoever gave it, once it is final."""

    id: int
    given_at: datetime
    state: CommandState = CommandState.WAITING
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str = ""


class AccountIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the venue says an account is: a user id, an alias, an address."""

    account: str
    exchange: str
    identity: str
    stored_at: datetime


class IdentityStored(msgspec.Struct, frozen=True, kw_only=True):
    """The identity is the account's, now or already."""

    identity: AccountIdentity


class IdentityDiffers(msgspec.Struct, frozen=True, kw_only=True):
    """The account was somebody else so far; nothing was changed."""

    stored: AccountIdentity
    told: str


class IdentityTaken(msgspec.Struct, frozen=True, kw_only=True):
    """Another account of this ledger has that identity: one login under two names."""

    other: AccountIdentity
    told: str


class LedgerReplaced(msgspec.Struct, frozen=True, kw_only=True):
    """The database is no longer the one that was opened. `why` is a sentence for an operator."""

    why: str


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right of one guard to write for one account until `expires_at`. `token` only grows."""

    account: str
    holder: str
    token: int
    expires_at: datetime


class HeldBy(msgspec.Struct, frozen=True, kw_only=True):
    """Another guard holds the account's lease. `expires_at` is by the asker's own clock."""

    account: str
    holder: str
    expires_at: datetime


class NoticeKind(StrEnum):
    """Why an alert is told: it is new, it still lasts, it is over."""

    RAISED = "raised"
    REMINDER = "reminder"
    RESOLVED = "resolved"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One notice of an alert that waits to be delivered through one channel."""

    id: int
    alert: Alert
    kind: NoticeKind
    channel: str
    created_at: datetime
    attempts: int = 0
    tried_at: datetime | None = None
    last_error: str = ""


class ClosedRows(msgspec.Struct, frozen=True, kw_only=True):
    """What a closing write changed: the ids that went from active to closed by this write.

    `moved` are active rows that had changed since they were judged: nothing was written at all.
    """

    changed: tuple[int, ...]
    moved: tuple[int, ...] = ()
