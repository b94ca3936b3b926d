"""What crosses the control socket: commands, and the line that carries them and their replies.

A command is one JSON object with a `type`, on one line; so is its reply. Both sides check every
field against these types; nothing that arrives is ever evaluated. Sockets are in `server` and
`client`, the answering is in `commands`, and the replies are in `replies`, whose names are here as
well.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, TypeVar

import msgspec

from console.control.replies import (
    AccountBudget,
    AccountFigures,
    Alerts,
    Answered,
    Budgets,
    Carried,
    Dumped,
    Events,
    FieldInfo,
    Figures,
    Legs,
    LegStory,
    LegView,
    MessageInfo,
    MessageTypes,
    Nodes,
    Ordered,
    Overview,
    Refused,
    Reloaded,
    Reply,
    Rows,
    Scanned,
    Service,
    Story,
    kebab,
)
from messages.values import Side, check_amounts

# With the commands below: the whole protocol under one name.
__all__ = [
    "AccountBudget",
    "AccountFigures",
    "Alerts",
    "Answered",
    "Budgets",
    "Carried",
    "Dumped",
    "Events",
    "FieldInfo",
    "Figures",
    "LegStory",
    "LegView",
    "Legs",
    "MessageInfo",
    "MessageTypes",
    "Nodes",
    "Ordered",
    "Overview",
    "Refused",
    "Reloaded",
    "Reply",
    "Rows",
    "Scanned",
    "Service",
    "Story",
]

R = TypeVar("R")
M = TypeVar("M")

Stored = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that the ledger can hold: a larger one would end whoever asks it for a row."""

MAX_COMMAND_BYTES = 64 * 1024
MAX_REPLY_BYTES = 256 * 1024 * 1024
"""A dump of 10,000 actors is some tens of megabytes."""


class Command(
    msgspec.Struct,
    Generic[R],
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag=kebab,
    forbid_unknown_fields=True,
):
    """The base of every command; its parameter is the reply."""


class GetService(Command[Service], frozen=True, kw_only=True):
    """Who is listening."""


class GetTree(Command[Nodes], frozen=True, kw_only=True):
    """Every actor, parents before children."""


class GetDump(Command[Dumped], frozen=True, kw_only=True):
    """One actor, or the whole tree."""

    path: str | None = None


class GetLegs(Command[Legs], frozen=True, kw_only=True):
    """The aged legs' lifecycles, in the tree's order."""


_Few = Annotated[int, msgspec.Meta(ge=0, le=1000)]


class GetOverview(Command[Overview], frozen=True, kw_only=True):
    """Everything at a glance, at most so many of each."""

    nodes: _Few = 300
    rows: _Few = 200
    alerts: _Few = 100
    events: _Few = 60


class GetMessages(Command[MessageTypes], frozen=True, kw_only=True):
    """The messages that operators may send: to one actor, or to any."""

    path: str | None = None


class Tell(Command[Carried], frozen=True, kw_only=True):
    """Send an actor a message. `fields` are checked against the message's type."""

    path: str
    message: str
    fields: dict[str, object] = {}


class Ask(Command[Answered], frozen=True, kw_only=True):
    """Send an actor a request and wait for its reply, at most `timeout` seconds."""

    path: str
    message: str
    fields: dict[str, object] = {}
    timeout: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0


class GetPositions(Command[Rows], frozen=True, kw_only=True):
    """Ledger rows; `status` None means all."""

    account: str | None = None
    symbol: str | None = None
    status: str | None = "active"
    limit: Stored | None = None


class AddRow(Command[Rows], frozen=True, kw_only=True):
    """Write a row as a bot would. Quantity in base units, price in quote currency."""

    account: str
    symbol: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    opened_at: datetime
    stop_price: Decimal | None = None

    def __post_init__(self) -> None:
        check_amounts(self.quantity, self.entry_price, self.stop_price)


class GetEvents(Command[Events], frozen=True, kw_only=True):
    """The newest `limit` events that fit, or the oldest after a sequence number."""

    account: str | None = None
    symbol: str | None = None
    kind: str | None = None
    after_seq: Stored = 0
    since: datetime | None = None
    limit: Stored = 50


class GetAlerts(Command[Alerts], frozen=True, kw_only=True):
    open_only: bool = True
    account: str | None = None
    limit: Stored = 100


class GetFigures(Command[Figures], frozen=True, kw_only=True):
    """Statistics, API calls and snapshots, by account."""


class GetBudget(Command[Budgets], frozen=True, kw_only=True):
    """What the venues' limits leave, what the guard spends of them, and how fast all is flat."""

    account: str | None = None


class Scan(Command[Scanned], frozen=True, kw_only=True):
    """Look for aged, orphaned and naked positions now, in one account or in all."""

    account: str | None = None


class Reconcile(Command[Scanned], frozen=True, kw_only=True):
    """Compare ledger and venue now, in one account or in all."""

    account: str | None = None


class CloseNow(Command[Ordered], frozen=True, kw_only=True):
    """Close a leg at market now, aged or not.

    `row_ids` are the rows that the operator saw; none: those of now. The same `request_id` twice is
    one command. `by` and `reason` go into the audit trail.
    """

    symbol: str
    side: Side | None = None
    account: str | None = None
    row_ids: tuple[Stored, ...] = ()
    by: str = ""
    reason: str = ""
    request_id: str | None = None


class Accept(Command[Ordered], frozen=True, kw_only=True):
    """Take an unexplained absence for closed, with an unknown exit. Fields as in `CloseNow`."""

    symbol: str
    side: Side | None = None
    account: str | None = None
    row_ids: tuple[Stored, ...] = ()
    by: str = ""
    reason: str = ""
    request_id: str | None = None


class GetCommand(Command[Ordered], frozen=True, kw_only=True):
    """What became of an operator's command; answered after `wait` seconds, or once it has ended."""

    command_id: Stored
    wait: Annotated[float, msgspec.Meta(ge=0, le=30)] = 0.0


class AdoptIdentity(Command[Carried], frozen=True, kw_only=True):
    """The login that the venue tells of is meant to be this account's."""

    account: str
    by: str = ""
    reason: str = ""


class Hold(Command[Carried], frozen=True, kw_only=True):
    """The guard leaves the leg alone until it is released."""

    symbol: str
    side: Side | None = None
    account: str | None = None
    by: str = ""


class Release(Command[Carried], frozen=True, kw_only=True):
    """End a hold."""

    symbol: str
    side: Side | None = None
    account: str | None = None
    by: str = ""


class Acknowledge(Command[Carried], frozen=True, kw_only=True):
    """An operator has seen the alert: reminders stop."""

    alert_id: Stored
    by: str


class Suspend(Command[Carried], frozen=True, kw_only=True):
    """The actor takes no further message until it is resumed."""

    path: str


class Resume(Command[Carried], frozen=True, kw_only=True):
    path: str


class Restart(Command[Carried], frozen=True, kw_only=True):
    """Stop the actor in order and start it afresh."""

    path: str


class Kill(Command[Carried], frozen=True, kw_only=True):
    """Cancel the actor's task, as a crash would end it; its supervisor decides."""

    path: str


class Trace(Command[Carried], frozen=True, kw_only=True):
    """Log every message of one actor, or stop doing so."""

    path: str
    on: bool = True


class Why(Command[Story], frozen=True, kw_only=True):
    """The story of a symbol."""

    symbol: str
    account: str | None = None
    limit: Stored = 200


class Reload(Command[Reloaded], frozen=True, kw_only=True):
    """Read the configuration file again, and take what can change at run time."""

    dry_run: bool = False
    by: str = ""


AnyCommand = (
    GetService
    | GetTree
    | GetDump
    | GetPositions
    | AddRow
    | GetEvents
    | GetAlerts
    | GetFigures
    | GetBudget
    | Scan
    | Reconcile
    | CloseNow
    | Accept
    | GetCommand
    | AdoptIdentity
    | Hold
    | Release
    | Acknowledge
    | Suspend
    | Resume
    | Restart
    | Kill
    | Trace
    | Why
    | GetLegs
    | GetOverview
    | GetMessages
    | Tell
    | Ask
    | Reload
)
AnyReply = (
    Refused
    | Carried
    | Service
    | Nodes
    | Dumped
    | Rows
    | Events
    | Alerts
    | Figures
    | Budgets
    | Scanned
    | Story
    | MessageTypes
    | Answered
    | Legs
    | Overview
    | Ordered
    | Reloaded
)

_commands: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)
_replies: msgspec.json.Decoder[AnyReply] = msgspec.json.Decoder(AnyReply)
_encoder = msgspec.json.Encoder()


def encode_line(message: Command[R] | Reply) -> bytes:
    """A message as it crosses the socket, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_command(line: bytes) -> AnyCommand:
    """Raises msgspec.DecodeError, whose text says which field is wrong."""
    return _decoded(_commands, line)


def decode_reply(line: bytes) -> AnyReply:
    """Raises msgspec.DecodeError."""
    return _decoded(_replies, line)


def _decoded(decoder: msgspec.json.Decoder[M], line: bytes) -> M:
    try:
        return decoder.decode(line)
    except UnicodeDecodeError as error:
        # msgspec lets this one through where a text is not UTF-8.
        raise msgspec.DecodeError(f"not UTF-8 text: {error.reason}") from None
