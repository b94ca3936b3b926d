"""What the service answers to commands, and the values that its answers are made of.

The commands, and how both cross the socket, are in `protocol`, which offers these names too.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from actors.runtime import NodeInfo
from console.config.diff import Change
from messages.budget import BudgetUse
from messages.ledger import Alert, AlertType, Event, Intent, LastSeen, PositionRow
from messages.ledger import Command as StoredCommand
from messages.to_monitors import ScanReport
from messages.values import LegKey
from messages.verdict import Verdict


def kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


class Reply(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=kebab, omit_defaults=False
):
    """The base of every answer."""


class Refused(Reply, frozen=True, kw_only=True):
    """The command was understood, or not, and was not carried out. `code` is stable.

    Codes: `bad_command`, `too_long`, `too_many_clients`, `no_such_path`, `no_such_account`,
    `no_such_leg`, `ambiguous_leg`, `no_such_alert`, `no_such_message`, `bad_field`, `bad_config`,
    `not_ready`, `nothing_on_record`, `held`, `refused`, `no_such_command`, `failed`.
    """

    code: str
    message: str


class Carried(Reply, frozen=True, kw_only=True):
    """Done; `message` says what."""

    message: str


class Ordered(Reply, frozen=True, kw_only=True):
    """An operator's command as it stands now; `message` says so in words."""

    command: StoredCommand
    message: str


class Service(Reply, frozen=True, kw_only=True):
    """The running service. `uptime` is seconds."""

    version: str
    pid: int
    mode: str
    accounts: tuple[str, ...]
    started_at: datetime
    uptime: float
    dead_letters: int


class Nodes(Reply, frozen=True, kw_only=True):
    nodes: tuple[NodeInfo, ...]


class Dumped(Reply, frozen=True, kw_only=True):
    dump: dict[str, object]


class Rows(Reply, frozen=True, kw_only=True):
    rows: tuple[PositionRow, ...]


class Events(Reply, frozen=True, kw_only=True):
    """Oldest first."""

    events: tuple[Event, ...]


class Alerts(Reply, frozen=True, kw_only=True):
    alerts: tuple[Alert, ...]


class AccountFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One account's statistics (`docs/spec/mission.md` A7), API calls by endpoint, full reads."""

    statistics: dict[str, int] = {}
    calls: dict[str, int] = {}
    snapshots: int = 0


class Figures(Reply, frozen=True, kw_only=True):
    accounts: dict[str, AccountFigures]
    total: dict[str, int]


class AccountBudget(msgspec.Struct, frozen=True, kw_only=True):
    """An account's limits, and how long they make it take until its `legs` are flat, in seconds.

    `use` None: nobody answered, and `problem` says why.
    """

    account: str
    use: BudgetUse | None = None
    legs: int = 0
    seconds_to_flat: float = 0.0
    problem: str = ""


class Budgets(Reply, frozen=True, kw_only=True):
    budgets: tuple[AccountBudget, ...]


class Scanned(Reply, frozen=True, kw_only=True):
    """Reports by the monitor's path."""

    reports: dict[str, ScanReport]


class LegStory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one leg of the ledger now: what was seen, asked, answered and concluded.

    `quantity` is the ledger's, in base units. `verdict` None: nobody could judge it, and `problem`
    says why. `suspect`: why the whole account may be another one. `commands` are those of operators
    that have no outcome yet.
    """

    key: LegKey
    row_ids: tuple[int, ...]
    quantity: Decimal
    last_seen: LastSeen | None = None
    verdict: Verdict | None = None
    problem: str = ""
    suspect: str = ""
    commands: tuple[StoredCommand, ...] = ()


class Story(Reply, frozen=True, kw_only=True):
    """What is known of a symbol: its legs now, its rows, our orders, its alerts, its events.

    Events are oldest first.
    """

    symbol: str
    rows: tuple[PositionRow, ...]
    intents: tuple[Intent, ...]
    alerts: tuple[Alert, ...]
    events: tuple[Event, ...]
    legs: tuple[LegStory, ...] = ()


class FieldInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a message, with its type in words."""

    name: str
    type: str
    required: bool


class MessageInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A message that an operator may send. `reply` is empty for one that is only told."""

    name: str
    about: str
    reply: str
    fields: tuple[FieldInfo, ...]


class MessageTypes(Reply, frozen=True, kw_only=True):
    """By name."""

    messages: tuple[MessageInfo, ...]


class Answered(Reply, frozen=True, kw_only=True):
    """An actor's reply as plain JSON without secrets; `reply` is the name of its type."""

    reply: str
    value: object


class LegView(msgspec.Struct, frozen=True, kw_only=True):
    """What an aged leg's actor shows of itself: prices in quote currency, sizes in base units."""

    path: str
    row_ids: tuple[int, ...] = ()
    status: str = ""
    phase: str = ""
    target: Decimal | None = None
    price: Decimal | None = None
    verdict: str = ""
    operator_needed: str = ""


class Legs(Reply, frozen=True, kw_only=True):
    legs: tuple[LegView, ...]


class Overview(Reply, frozen=True, kw_only=True):
    """What a screen has room for, the most urgent first; the counts are of all there is.

    `aged` counts legs that have an actor, `waiting` the alerts that nobody acknowledged; `troubles`
    are the worst open alerts about the rows, by row id. Workers are left out of the tree. Events
    are oldest first.
    """

    service: Service
    nodes: tuple[NodeInfo, ...]
    node_count: int
    rows: tuple[PositionRow, ...]
    row_count: int
    legs: tuple[LegView, ...]
    aged: int
    troubles: dict[int, AlertType]
    alerts: tuple[Alert, ...]
    alert_count: int
    waiting: int
    events: tuple[Event, ...]


class Reloaded(Reply, frozen=True, kw_only=True):
    """What became of a changed configuration.

    `applied` is in force now, or would be after a dry run; `refused` stays as it was. `restarted`
    are the actors that were started, stopped or started afresh. `troubles` are restarts that did
    not succeed yet, one line each: the next reload tries them again.
    """

    file: str
    dry_run: bool = False
    applied: tuple[Change, ...] = ()
    refused: tuple[Change, ...] = ()
    restarted: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()

    def __str__(self) -> str:
        taken = "would take" if self.dry_run else "taken"
        lines = [f"{taken}: {change}" for change in self.applied]
        lines += [f"refused: {change}" for change in self.refused]
        lines += [f"restarted: {path}" for path in self.restarted]
        lines += [f"not restarted: {trouble}; try again" for trouble in self.troubles]
        return "\n".join(lines) or f"nothing in {self.file} has changed"
