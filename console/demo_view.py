"""The demo's screen: tree, positions with their phase, alerts and events, as they change.

Everything on it is read from the running guard. Leaves the tables' common parts to
`console.show`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from actors.aged import AgedLeg
from actors.runtime import NodeInfo
from console import show
from console.demo_found import Found, Outcome, count, events_of, rows_of
from console.service import Running
from messages.ledger import (
    Alert,
    AlertLevel,
    AlertType,
    Event,
    ExitSource,
    PositionRow,
    RowStatus,
)

_REFRESH = 0.5
_DULL = frozenset({"close_result", "order_accepted", "order_intent"})
_WORDS = {
    AlertType.ORPHANED_POSITION: "orphan",
    AlertType.NAKED_POSITION: "no stop covers it",
    AlertType.RECONCILIATION_MISMATCH: "ledger and venue differ",
    AlertType.GHOST_POSITION: "ghost",
}


class _Aged(msgspec.Struct):
    """What the view takes from an aged actor's dumped state."""

    row_ids: tuple[int, ...] = ()
    phase: str = ""
    status: str = ""


async def follow(running: Running, config: Path, seconds: float) -> None:
    """Show the guard at work until cancelled."""
    started = time.monotonic()
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            left = max(0.0, seconds - (time.monotonic() - started))
            live.update(await _screen(running, config, left, console), refresh=True)
            await asyncio.sleep(_REFRESH)


async def _screen(running: Running, config: Path, left: float, console: Console) -> Layout:
    nodes = running.system.tree()
    rows = await rows_of(running)
    events = await events_of(running)
    alerts = await running.ledger.open_alerts()
    width, height = console.size
    wide = width >= 100
    body = height - 3
    below = max(3, body // 4)
    layout = Layout()
    layout.split_column(
        Layout(_header(count(events), left, width), size=2),
        Layout(name="body", size=body),
        Layout(Text(f"python supervisor.py tree -c {config} · Ctrl-C ends", style="dim"), size=1),
    )
    layout["body"].split_row(
        Layout(_framed("actors", _tree(nodes, body - 2)), size=30 if wide else 26),
        Layout(name="right"),
    )
    positions = body - 2 * below
    layout["right"].split_column(
        Layout(
            _framed("positions", _positions(running, rows, alerts, positions - 3, wide=wide)),
            size=positions,
        ),
        Layout(_framed(f"{len(alerts)} open alerts", _alerts(alerts, below - 2)), size=below),
        Layout(_framed("what happened", _events(events, below - 2)), size=below),
    )
    return layout


def _framed(title: str, body: RenderableType) -> Panel:
    return Panel(body, title=title, title_align="left", padding=(0, 1), border_style="dim")


def _header(found: Found, left: float, width: int) -> Group:
    line = Text("Sexton  ", style="bold")
    for kind, style in (
        ("ghost", "magenta"),
        ("orphan", "red"),
        ("naked", "yellow"),
        ("mismatch", "cyan"),
        ("closed", "green"),
    ):
        number = getattr(found, kind)
        line.append(f" {kind} ", style="dim")
        line.append(f"{number} ", style=f"bold {style}" if number else "dim")
    line.append(f"   {left:.0f} s left", style="dim")
    explained = "found so far, on a simulated Bybit and Binance; nothing here is scripted"
    return Group(line, Text(explained[:width], style="dim italic"))


def _tree(nodes: Sequence[NodeInfo], room: int) -> Table:
    """Names and states; workers are left out, and what does not fit is counted."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), expand=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(no_wrap=True, justify="right")
    actors = [node for node in nodes if node.kind != "worker"]
    shown = actors if len(actors) <= room else actors[: room - 1]
    for node in shown:
        depth = node.path.count("/") + 1 if node.path else 0
        name = node.path.rpartition("/")[2] or "sexton"
        running = node.status == "running"
        state = Text("●", style="green") if running else Text(node.status, style="yellow")
        if node.restarts:
            state = Text(f"↻{node.restarts} ", style="yellow") + state
        table.add_row(Text(" " * depth + name, style="" if running else "yellow"), state)
    if len(shown) < len(actors):
        table.add_row(Text(f" … and {len(actors) - len(shown)} more", style="dim"), "")
    return table


def _positions(
    running: Running,
    rows: Sequence[PositionRow],
    alerts: Sequence[Alert],
    room: int,
    *,
    wide: bool,
) -> RenderableType:
    """Active rows, with what the guard makes of them, and those that ended last."""
    states = _aged_states(running)
    troubles = _troubles(alerts)
    table = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style="dim")
    table.add_column("position", no_wrap=True)
    table.add_column("age", no_wrap=True, justify="right")
    if wide:
        table.add_column("entry", no_wrap=True, justify="right")
    table.add_column("what the guard makes of it", no_wrap=True, overflow="ellipsis", ratio=1)
    now = running.system.now()
    active = [row for row in rows if row.status == RowStatus.ACTIVE]
    ended = [row for row in rows if row.status != RowStatus.ACTIVE and row.closed_at is not None]
    ended.sort(key=lambda row: row.closed_at or now, reverse=True)
    # Those that something is going on with come first, young and healthy ones last.
    active.sort(key=lambda row: (row.id not in states, _leg_of(row) not in troubles, row.id))
    kept = max(room // 3, room - len(active))
    for row in [*active[: room - min(kept, len(ended))], *ended[:kept]]:
        age = (row.closed_at or now) - row.opened_at if row.opened_at else timedelta(0)
        cells = [leg_name(row.account, row.symbol, row.side), Text(show.span(age))]
        if wide:
            cells.append(Text(show.number(row.entry_price)))
        table.add_row(*cells, _fate(row, states.get(row.id), troubles.get(_leg_of(row), "")))
    return table if table.row_count else Text("the bot has no position yet", style="dim")


def leg_name(account: str, symbol: str, side: str) -> Text:
    """`bybit BTCUSDT L`: the account without its suffix, the side by its first letter."""
    text = Text(f"{account.removesuffix('-main'):<8}", style="dim")
    return text.append(f"{_plain(symbol)} ", style="").append(
        side[:1].upper(), style="green" if side == "long" else "red"
    )


def _plain(symbol: str) -> str:
    return symbol.partition(":")[0].replace("/", "")


def _leg_of(item: PositionRow | Alert) -> tuple[str, str, str]:
    return item.account, _plain(item.symbol), item.side


def _troubles(alerts: Sequence[Alert]) -> dict[tuple[str, str, str], str]:
    """What is wrong with a leg, by its open alerts."""
    return {_leg_of(alert): _WORDS.get(alert.type, alert.type) for alert in alerts}


def _fate(row: PositionRow, state: _Aged | None, trouble: str) -> Text:
    if row.status != RowStatus.ACTIVE:
        reason = row.exit_reason or ""
        ghost = "ghost" in reason or "reconciliation" in reason
        what = "ghost, row closed" if ghost else reason.replace("_", " ")
        unknown = row.exit_source == ExitSource.UNKNOWN or row.realized_pnl is None
        gained = "PnL unknown" if unknown else f"PnL {row.realized_pnl:+.2f}"
        return Text(f"{what}, {gained}", style="magenta" if ghost else "green")
    if state is not None:
        style = {"grace": "cyan", "progressive": "yellow", "market": "red"}.get(state.phase, "")
        return Text(f"{state.phase} {state.status}".strip(), style=style)
    return Text(trouble, style="red") if trouble else Text("in order", style="dim")


def _aged_states(running: Running) -> dict[int, _Aged]:
    """What each aged leg's actor shows of itself, by row."""
    found: dict[int, _Aged] = {}
    for node in running.system.tree():
        if node.class_name != AgedLeg.__name__:
            continue
        state = msgspec.convert(running.system.dump(node.path)["state"] or {}, _Aged)
        found.update(dict.fromkeys(state.row_ids, state))
    return found


def _alerts(alerts: Sequence[Alert], room: int) -> RenderableType:
    lines = []
    for alert in sorted(alerts, key=lambda alert: alert.raised_at)[-room:]:
        critical = alert.level is AlertLevel.CRITICAL
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{alert.level:<9}", style="bold red" if critical else "yellow")
        line.append_text(leg_name(alert.account, alert.symbol, alert.side))
        line.append(f" {_WORDS.get(alert.type, alert.type)}: {alert.seen}")
        lines.append(line)
    return Group(*lines) if lines else Text("none", style="dim")


def _events(events: Sequence[Event], room: int) -> RenderableType:
    lines = []
    for event in [e for e in events if e.kind not in _DULL][-room:]:
        line = Text(f"{event.at:%H:%M:%S} ", style="dim", no_wrap=True, overflow="ellipsis")
        line.append_text(leg_name(event.account, event.symbol, event.side)).append(" ")
        line.append(event.kind.replace("_", " "), style="bold")
        line.append(" " + _gist(event), style="dim")
        lines.append(line)
    return Group(*lines) if lines else Text("nothing yet", style="dim")


def _gist(event: Event) -> str:
    """The part of an event's details that a line has room for."""
    names = ("why", "reason", "quantity", "price", "status", "resolution")
    return " ".join(str(event.details[name]) for name in names if name in event.details)


def print_summary(result: Outcome, place: Path) -> None:
    """What was found and done, for a person, at the end."""
    console = show.console_out()
    console.print()
    ending = "ended early" if result.interrupted else "over"
    console.print(Text(f"The demo is {ending} after {result.seconds:.0f} s", style="bold"))
    found = result.found
    for number, text in (
        (found.ghost, "ghosts: rows whose position was gone; closed with the evidence"),
        (found.orphan, "orphans: positions that no row knew; alerted, then protected or closed"),
        (found.naked, "naked positions: no stop covered them; alerted"),
        (found.mismatch, "mismatches: ledger and venue differ in size; alerted for review"),
        (found.closed, "aged positions closed by the guard, reduce-only"),
    ):
        console.print(Text(f"  {number:>3}  ", style="bold").append(text, style="not bold"))
    console.print()
    console.print(show.figures_table(result.accounts, _total(result)))
    console.print()
    held = sum(map(len, result.venue.values()))
    console.print(
        f"The venue still holds {held} positions, the ledger {result.rows['active']} active rows; "
        f"{result.open_alerts} alerts are open, {result.restarts} actors were restarted."
    )
    config = place / "sexton.toml"
    console.print(f"Its ledger can still be read: python supervisor.py events -c {config}")


def _total(result: Outcome) -> dict[str, int]:
    total: dict[str, int] = {}
    for account in result.accounts.values():
        for name, number in account.statistics.items():
            total[name] = total.get(name, 0) + number
    return total
