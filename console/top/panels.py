"""What the live view's panels hold: columns and cells for a look and a width. Draws nothing.

Widgets and keys are in `console.top.app`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from rich.text import Text

from actors.runtime import NodeInfo
from console.cli import tables
from console.control.protocol import LegView
from console.top.look import Look, distance
from messages.ledger import Alert, AlertLevel, AlertType, Event, PositionRow

WIDE = 100
"""Columns of the terminal from which on there is room for the second-best facts."""

_PHASES = {"grace": "cyan", "progressive": "yellow", "market": "bold red"}
_LEVELS = {AlertLevel.CRITICAL: "bold red", AlertLevel.WARNING: "yellow", AlertLevel.INFO: "cyan"}
_TROUBLES = {
    AlertType.NAKED_POSITION: "naked",
    AlertType.RECONCILIATION_MISMATCH: "differs",
    AlertType.GHOST_POSITION: "ghost",
    AlertType.OPERATOR_NEEDED: "needed",
}
_MARKS = {AlertLevel.CRITICAL: "!!", AlertLevel.WARNING: "!", AlertLevel.INFO: "i"}
_SHORT = {"progressive": "progr."}
_PHASE = 12
"""Cells of the longest phase and a gap."""
_FEW = 4
"""Accounts that the heading names."""
_ROOMY = 70
_ROOMY_POSITIONS = 79
"""Cells of a panel from which on it shows its second-best columns."""


class Column(NamedTuple):
    """A heading and its width in cells."""

    label: str
    width: int


class Line(NamedTuple):
    """One row of a panel; `key` names what it stands for, and stays the same between looks."""

    key: str
    cells: tuple[Text, ...]


Panel = tuple[tuple[Column, ...], list[Line]]


def heading(look: Look, *, wide: bool) -> Text:
    """The top line: mode, accounts, sums."""
    service = look.seen.service
    text = Text(" Sexton ", style="bold")
    acts = service.mode == "enforce"
    text.append(f" {service.mode} ", style="bold black on green" if acts else "bold black on cyan")
    if wide:
        text.append(f"  {_accounts(service.accounts)}", style="dim")
    text.append(f"  up {tables.span(service.uptime)}")
    text.append(f"  {look.seen.row_count} positions, {look.seen.aged} aged")
    waiting = look.seen.waiting
    text.append(f"  {waiting} to acknowledge", style="bold red" if waiting else "dim")
    return text.append(f"  {look.at:%H:%M:%S} UTC", style="dim")


def _accounts(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= _FEW else f"{len(names)} accounts"


def cut_short(shown: int, of: int) -> str:
    """What a panel says that does not show everything."""
    return "" if shown >= of else f"{shown} of {of}, the most urgent"


def actors(look: Look, width: int) -> Panel:
    """The tree, indented; where there is room the state is a word."""
    words = width >= 32
    columns = (
        Column("actor", width - (11 if words else 2) - 8),
        Column("state" if words else "", 11 if words else 2),
        Column(" ↻", 4),
        Column("mail", 4),
    )
    return columns, [_actor(node, columns[0].width, words=words) for node in look.seen.nodes]


def _actor(node: NodeInfo, width: int, *, words: bool) -> Line:
    depth = node.path.count("/") + 1 if node.path else 0
    name = node.path.rpartition("/")[2] or "sexton"
    style = "green" if node.status == "running" else "bold yellow"
    state = node.status if words else ("●" if node.status == "running" else node.status[:1].upper())
    return Line(
        node.path or "sexton",
        (
            Text(_cut(" " * depth + name, width - 1), style="bold" if not depth else ""),
            Text(state, style=style),
            _right(node.restarts or "", 4, "yellow"),
            _right(node.mailbox or "", 4, "yellow" if node.mailbox > 10 else "dim"),
        ),
    )


def positions(look: Look, width: int) -> Panel:
    """Active rows, in the order of their urgency."""
    columns: tuple[Column, ...]
    if width < _ROOMY_POSITIONS:
        columns = (
            Column("account", 8), Column("position", max(8, width - 39)), Column("age", 8),
            Column("phase", 8), Column("target", 9), Column("dist.", 6),
        )  # fmt: skip
    else:
        columns = (
            Column("account", 13), Column("position", 16), Column("quantity", 11),
            Column("age", 9), Column("phase", _PHASE), Column("target", 10), Column("dist.", 8),
            Column("status", width - _ROOMY_POSITIONS),
        )  # fmt: skip
    return columns, [_position(row, look, columns) for row in look.seen.rows]


def _position(
    row: PositionRow,
    look: Look,
    columns: tuple[Column, ...],
) -> Line:
    leg = look.legs.get(row.id)
    widths = {column.label: column.width for column in columns}
    name = _cut(tables.plain_symbol(row.symbol), widths["position"] - 3)
    position = Text(name).append(
        f" {row.side[:1].upper()}", style="green" if row.side == "long" else "red"
    )
    phase, style = _phase(row, leg, look.seen.troubles.get(row.id))
    narrow = widths["phase"] < _PHASE
    far = distance(row, leg)
    age = tables.span(look.at - row.opened_at) if row.opened_at else "-"
    cells = {
        "account": Text(row.account[: widths["account"] - 1], style="dim"),
        "position": position,
        "quantity": _right(tables.number(row.quantity), widths.get("quantity", 9)),
        "age": _right(age, widths["age"]),
        "phase": Text(_SHORT.get(phase, phase)[:7] if narrow else phase, style=style),
        "target": _right(_price(leg), widths["target"]),
        "dist.": _right(
            "" if far is None else f"{far:+.1f}%",
            widths["dist."],
            "green" if far is not None and far >= 0 else "red",
        ),
        "status": Text(_cut(_status(leg), widths.get("status", 0)), style="dim"),
    }
    return Line(str(row.id), tuple(cells[column.label] for column in columns))


def _phase(row: PositionRow, leg: LegView | None, trouble: AlertType | None) -> tuple[str, str]:
    if row.held:
        return "held", "magenta"
    if leg is not None and leg.operator_needed:
        return "needed", "bold red"
    if leg is not None and leg.phase:
        return leg.phase, _PHASES.get(leg.phase, "")
    if trouble is not None:
        return _TROUBLES.get(trouble, "alert"), "red"
    return ("trail", "dim") if row.trailing_active else ("-", "dim")


def _price(leg: LegView | None) -> str:
    if leg is None:
        return ""
    if leg.phase == "market":
        return "market"
    # Six digits tell a target from its neighbours; all of them would not fit.
    return tables.number(Decimal(f"{leg.target:.6g}")) if leg.target is not None else ""


def _status(leg: LegView | None) -> str:
    return (leg.operator_needed or leg.status) if leg is not None else ""


def alerts(look: Look, width: int) -> Panel:
    """Open alerts, in the order of their urgency."""
    columns = (Column("id", 6), Column("level", 9), Column("age", 8), Column("alert", width - 23))
    if width < _ROOMY:
        columns = (Column("id", 5), Column("", 3), Column("age", 7), Column("alert", width - 15))
    return columns, [_alert(alert, look.at, columns) for alert in look.seen.alerts]


def _alert(alert: Alert, at: datetime, columns: tuple[Column, ...]) -> Line:
    acked = alert.acked_at is not None
    level = "acked" if acked else str(alert.level)
    title = alert.title
    if not columns[1].label:
        level = "ok" if acked else _MARKS[alert.level]
        title = f"{alert.type.replace('_', ' ')} {_leg(alert)} {alert.account}"
    return Line(
        str(alert.id),
        (
            _right(alert.id, columns[0].width),
            Text(level, style="dim" if acked else _LEVELS[alert.level]),
            Text(tables.span(at - alert.raised_at)[: columns[2].width - 1], style="dim"),
            Text(_cut(title, columns[3].width), style="dim" if acked else ""),
        ),
    )


def events(look: Look, room: int) -> Text:
    """The newest that fit, newest last."""
    lines = [_event(event) for event in look.seen.events[-room:]] if room > 0 else []
    text = Text("\n", no_wrap=True, overflow="ellipsis").join(lines)
    return text if lines else Text("nothing yet", style="dim")


def _event(event: Event) -> Text:
    line = Text(f"{event.at:%H:%M:%S} ", style="dim", no_wrap=True, overflow="ellipsis")
    line.append(event.kind.replace("_", " "), style="not dim bold")
    line.append(f" {_leg(event)} ".replace("  ", " "), style="not dim")
    return line.append(tables.details(event.details))


def _leg(of: Event | Alert) -> str:
    """`BTCUSDT L`, or nothing where it is about no leg."""
    return f"{tables.plain_symbol(of.symbol)} {of.side[:1].upper()}".strip()


def _right(value: object, width: int, style: str = "") -> Text:
    """Right-justified, with one cell left free before the next column."""
    return Text(_cut(str(value), width - 1).rjust(width - 1), style=style)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"
