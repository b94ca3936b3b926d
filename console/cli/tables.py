"""What commands print: tables for people, JSON for programs.

Renderables are made here and also used by the demo's summary. The data are
fetched in `console.cli.service_client`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.runtime import NodeInfo
from console.cli.evidence_text import evidence_text, leg_lines
from console.control.protocol import AccountFigures, LegView, MessageInfo, Story
from messages.ledger import Alert, AlertLevel, Event, ExitSource, Intent, PositionRow
from messages.to_monitors import ScanReport

_LEVEL_STYLES = {
    AlertLevel.INFO: "cyan",
    AlertLevel.WARNING: "yellow",
    AlertLevel.CRITICAL: "bold red",
}
_EXIT_FIGURES = frozenset({"exit_price", "realized_pnl"})
_PIPE_WIDTH = 220
_WIDE = 100
_STATUS_STYLES = {
    "running": "green",
    "suspended": "yellow",
    "restarting": "yellow",
    "waiting": "red",
    "stopped": "dim",
}


def as_json(value: object) -> str:
    """A value as indented JSON; decimals are texts, instants ISO 8601 in UTC."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def print_json(value: object) -> None:
    Console(soft_wrap=True, highlight=False, markup=False).out(as_json(value), highlight=False)


def console_out() -> Console:
    """Standard output: as wide as the terminal, and wide enough for everything in a pipe."""
    console = Console(soft_wrap=False, highlight=False)
    return console if console.is_terminal else Console(width=_PIPE_WIDTH, highlight=False)


def is_wide() -> bool:
    """Whether the columns that one can do without have room."""
    return console_out().width >= _WIDE


def print_table(table: Table, *, empty: str = "") -> None:
    """A table as wide as the terminal; `empty` is said instead of a table without rows."""
    console = console_out()
    console.print(table if table.row_count or not empty else Text(empty, style="dim"))


def number(value: Decimal | None, unknown: str = "-") -> str:
    """Without trailing zeros and without an exponent."""
    if value is None:
        return unknown
    # Adding zero turns a negative zero into a plain one.
    return f"{value.normalize() + 0:f}" if value.is_finite() else str(value)


def span(length: timedelta | float) -> str:
    """The two largest units: `3h 05m`, `12s`."""
    seconds = int(length.total_seconds() if isinstance(length, timedelta) else length)
    if seconds < 0:
        return "0s"
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours:02}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {seconds % 60:02}s" if minutes else f"{seconds}s"


def plain_symbol(symbol: str) -> str:
    """`BTCUSDT` of `BTC/USDT:USDT`: what a narrow column has room for."""
    return symbol.partition(":")[0].replace("/", "")


def clock(at: datetime | None) -> str:
    """Day and time in UTC; the time alone for today would lie across midnight."""
    return at.astimezone(UTC).strftime("%m-%d %H:%M:%S") if at is not None else "-"


def table_of(*columns: str, right: Iterable[str] = ()) -> Table:
    """An empty table in the house style; `right` names the columns of figures."""
    table = Table(box=None, pad_edge=False)
    numeric = set(right)
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in numeric else "left",
            no_wrap=True,
            overflow="ellipsis",
            header_style="dim",
        )
    return table


def tree_table(nodes: Sequence[NodeInfo], *, wide: bool = True) -> Table:
    """The actors, indented below their parents; their classes where there is room."""
    counts = ("restarts", "mailbox", "handled", "uptime")
    table = table_of("actor", "status", *counts, *(("class",) if wide else ()), right=counts)
    for node in nodes:
        depth = node.path.count("/") + 1 if node.path else 0
        name = node.path.rpartition("/")[2] or "sexton"
        style = "bold" if node.kind == "supervisor" else "dim" if node.kind == "worker" else ""
        status = str(node.status)
        kind = (Text(node.class_name, style="dim"),) if wide else ()
        table.add_row(
            Text("  " * depth + name, style=style),
            Text(status, style=_STATUS_STYLES.get(status, "")),
            Text(str(node.restarts), style="yellow" if node.restarts else "dim"),
            str(node.mailbox),
            str(node.handled),
            span(node.uptime),
            *kind,
        )
    return table


def rows_table(rows: Sequence[PositionRow], now: datetime) -> Table:
    """Ledger rows: sizes in base units, prices in quote currency, PnL in settle currency."""
    figures = ("id", "quantity", "entry", "age", "exit", "pnl")
    columns = ["id", "account", "symbol", "side", "quantity", "entry", "age", "status"]
    over = any(row.closed_at is not None for row in rows)
    table = table_of(*columns, *(("exit", "pnl", "reason") if over else ()), right=figures)
    for row in rows:
        ending = (*exit_figures(row), row.exit_reason or "")
        end = row.closed_at or now
        held = " held" if row.held else " trailing" if row.trailing_active else ""
        table.add_row(
            str(row.id),
            row.account,
            row.symbol,
            row.side,
            number(row.quantity),
            number(row.entry_price),
            span(end - row.opened_at) if row.opened_at else "-",
            row.status + held,
            *(ending if over else ()),
        )
    return table


def exit_figures(row: PositionRow) -> tuple[str, str]:
    """Exit price and PnL as they may be shown: a stand-in is "unknown", an active row has none."""
    if row.exit_source == ExitSource.UNKNOWN:
        return "unknown", "unknown"
    return number(row.exit_price, ""), number(row.realized_pnl, "")


def print_events(events: Sequence[Event]) -> None:
    """One event after the other: long details are wrapped, never cut."""
    console = console_out()
    for event in events:
        console.print(event_line(event), soft_wrap=True)
    if not events:
        console.print(Text("no events", style="dim"))


def event_line(event: Event) -> Text:
    line = Text(f"{event.seq:>6}  {clock(event.at)}  ", style="dim")
    line.append(event.kind, style="not dim bold")
    leg = " ".join(part for part in (event.account, event.symbol, event.side) if part)
    line.append(f"  {leg}  " if leg else "  ", style="not dim")
    return line.append(details(event.details))


def details(found: Mapping[str, object]) -> str:
    """`key=value` pairs, nested values as JSON; what closed a row as a sentence.

    Figures that stand in for an exit that nobody knows are shown as unknown.
    """
    unknown = found.get("exit_source") == ExitSource.UNKNOWN
    return " ".join(
        f"{key}={'unknown' if unknown and key in _EXIT_FIGURES else _detail(key, value)}"
        for key, value in found.items()
    )


def _detail(key: str, value: object) -> str:
    text = evidence_text(value) if key == "evidence" else None
    if text is not None:
        return text
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def alerts_table(alerts: Sequence[Alert]) -> Table:
    """Alerts with their numbers; titles may take more than one line."""
    table = table_of("id", "level", "raised (UTC)", "state", right=("id",))
    table.add_column("alert", header_style="dim", overflow="fold")
    for alert in alerts:
        table.add_row(
            str(alert.id),
            Text(alert.level, style=_LEVEL_STYLES.get(alert.level, "")),
            clock(alert.raised_at),
            alert_state(alert),
            alert.title,
        )
    return table


def alert_state(alert: Alert) -> str:
    if alert.resolved_at is not None:
        return "resolved"
    if alert.acked_at is not None:
        return f"acked by {alert.acked_by}"
    return f"open, {alert.reminders} reminders" if alert.reminders else "open"


def figures_table(accounts: Mapping[str, AccountFigures], total: Mapping[str, int]) -> Table:
    """One line a figure, one column an account."""
    table = table_of("figure", *accounts, "total", right=(*accounts, "total"))
    for name in sorted({key for found in accounts.values() for key in found.statistics}):
        counts = [str(found.statistics.get(name, 0)) for found in accounts.values()]
        table.add_row(name, *counts, str(total.get(name, 0)))
    table.add_row(
        "snapshots",
        *(str(found.snapshots) for found in accounts.values()),
        str(sum(found.snapshots for found in accounts.values())),
    )
    for name in sorted({key for found in accounts.values() for key in found.calls}):
        calls = [found.calls.get(name, 0) for found in accounts.values()]
        table.add_row(f"calls {name}", *map(str, calls), str(sum(calls)), style="dim")
    return table


def reports_table(reports: Mapping[str, ScanReport]) -> Table:
    counts = ("checked", "found", "acted", "errors")
    table = table_of("monitor", *counts, "problem", right=counts)
    for path, report in reports.items():
        table.add_row(
            path,
            str(report.checked),
            str(report.found),
            str(report.acted),
            str(report.errors),
            report.problem,
        )
    return table


def legs_table(legs: Sequence[LegView]) -> Table:
    """Aged legs: prices in quote currency."""
    table = table_of(
        "leg", "phase", "status", "target", "price", "verdict", right=("target", "price")
    )
    for leg in legs:
        name = leg.path.removeprefix("accounts/").replace("/aged/", " ")
        status = leg.operator_needed or leg.status
        table.add_row(name, leg.phase, status, number(leg.target), number(leg.price), leg.verdict)
    return table


def messages_table(messages: Sequence[MessageInfo]) -> Table:
    """What operators may send: fields (a star: required), the reply, and what it is for."""
    table = table_of("message")
    for column in ("fields", "reply", "about"):
        table.add_column(column, header_style="dim", overflow="fold")
    for message in messages:
        fields = (f"{f.name}{'*' if f.required else ''}: {f.type}" for f in message.fields)
        table.add_row(message.name, "\n".join(fields), message.reply or "-", message.about)
    return table


def intents_table(intents: Sequence[Intent]) -> Table:
    figures = ("quantity", "filled", "average")
    table = table_of(
        "client order id", "purpose", "type", "quantity", "filled", "average", "state", "error",
        right=figures,
    )  # fmt: skip
    for intent in intents:
        table.add_row(
            intent.client_order_id,
            intent.purpose,
            intent.type,
            number(intent.quantity),
            number(intent.filled),
            number(intent.average),
            intent.state,
            intent.error,
        )
    return table


def print_story(story: Story, now: datetime) -> None:
    """What is known of a symbol, newest event last."""
    console = console_out()
    for leg in story.legs:
        console.print(Text(str(leg.key), style="bold"))
        for heading, said in leg_lines(leg):
            console.print(Text(f"  {heading:<10}", style="dim").append(said, style="not dim"))
        console.print()
    parts = (
        ("Ledger rows", rows_table(story.rows, now)),
        ("Orders of the guard", intents_table(story.intents)),
        ("Alerts", alerts_table(story.alerts)),
    )
    for title, table in parts:
        if table.row_count:
            console.print(Text(title, style="bold"))
            console.print(table)
            console.print()
    console.print(Text("What happened", style="bold"))
    print_events(story.events)
