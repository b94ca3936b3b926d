"""The live view: actors, positions, alerts and events of the running service, and keys to act.

It polls the control socket in the background, so that nothing blocks the screen, and goes on when
the service comes back. What is shown is laid out in `console.top.panels`; its dialogs
are in `console.top.dialogs`.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.coordinate import Coordinate
from textual.events import Resize
from textual.widgets import DataTable, Footer, Static

from console.cli import tables
from console.cli.exit_codes import CommandError, ExitCode
from console.cli.service_client import ask_socket, settings_from
from console.control import protocol as p
from console.control.client import CommandRefusedError, ControlClient, NoServiceError
from console.top import panels
from console.top.dialogs import HELP, Confirm, Page
from console.top.look import Look, look_at
from messages.ledger import CommandState, PositionRow
from messages.values import Side

R = TypeVar("R", bound=p.Reply)

_REST = 4.0
"""A look is followed by a pause of at least so many times its own length."""
_COMMAND_WITHIN = 300.0
"""Seconds: a scan of many accounts takes its time."""


def top_from_cli(config: Path, *, every: float) -> ExitCode:
    """`top`: until the person leaves.

    Raises CommandError without a terminal, and where no service answers at first.
    """
    if not has_screen():
        text = "top needs a terminal: `tree`, `positions` and `alerts` print the same, also as JSON"
        raise CommandError(ExitCode.USAGE, text)
    socket = settings_from(config, keys=False).control.socket
    ask_socket(socket, p.GetService(), timeout=5.0)
    Top(socket, every=every).run()
    return ExitCode.OK


def has_screen() -> bool:
    """Whether somebody sits at a terminal that can show the view; it is drawn on stderr."""
    capable = os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
    return capable and all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


class PanelTable(DataTable[Text]):
    """A table whose marked line stays marked by its key when the lines change."""

    def __init__(self, identity: str, title: str) -> None:
        super().__init__(id=identity, cursor_type="row", cell_padding=0, show_header=True)
        self.border_title = title
        self._columns_shown: tuple[panels.Column, ...] = ()
        self._shown: list[panels.Line] = []

    @property
    def marked(self) -> str | None:
        """The key of the marked line."""
        at = self.cursor_row
        return self._shown[at].key if 0 <= at < len(self._shown) else None

    def fill(self, panel: panels.Panel) -> None:
        """Show these lines; does nothing where they are shown already."""
        columns, lines = panel
        if columns == self._columns_shown and lines == self._shown:
            return
        if columns == self._columns_shown and _keys(lines) == _keys(self._shown):
            self._change(lines)
            return
        marked, scroll = self.marked, self.scroll_y
        if columns != self._columns_shown:
            self.clear(columns=True)
            for column in columns:
                self.add_column(column.label, width=column.width)
        else:
            self.clear()
        for line in lines:
            self.add_row(*line.cells, key=line.key)
        self._columns_shown, self._shown = columns, lines
        keys = _keys(lines)
        if marked in keys:
            self.move_cursor(row=keys.index(marked), scroll=False)
            self.scroll_to(y=scroll, animate=False)

    def _change(self, lines: list[panels.Line]) -> None:
        """The same lines with other cells: only those are drawn anew."""
        for row, (line, before) in enumerate(zip(lines, self._shown, strict=True)):
            for column, (cell, old) in enumerate(zip(line.cells, before.cells, strict=True)):
                if cell != old:
                    self.update_cell_at(Coordinate(row, column), cell)
        self._shown = lines


def _keys(lines: list[panels.Line]) -> list[str]:
    return [line.key for line in lines]


class Top(App[None]):
    """The live view of the service at `socket`, looked at `every` so many seconds.

    `look` gets what is shown; `now` is the clock (aware, UTC). `band` gives lines for below the
    heading, at each look.
    """

    TITLE = "Sexton"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #heading { height: 1; }
    #band { height: auto; }
    #body { height: 1fr; }
    #actors { width: 27; height: 1fr; }
    #right { width: 1fr; }
    #positions { height: 2fr; }
    #alerts { height: 1fr; min-height: 5; }
    #events { height: 1fr; min-height: 5; text-wrap: nowrap; text-overflow: ellipsis; }
    .wide #actors { width: 38; }
    .panel { border: round $primary-darken-2; scrollbar-size-vertical: 1;
             scrollbar-size-horizontal: 0; background: $background; }
    .panel:focus { border: round $accent; }
    DataTable > .datatable--header { background: $background; text-style: dim; }
    DataTable > .datatable--cursor { background: $surface-lighten-1; text-style: none; }
    DataTable:focus > .datatable--cursor { background: $primary-darken-1; }
    Confirm, Page { align: center middle; }
    .dialog { border: round $accent; padding: 1 2; width: 90%; height: auto; max-height: 90%;
              background: $surface; }
    .small { width: 60; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "leg('hold')", "hold"),
        Binding("r", "leg('release')", "release"),
        Binding("c", "close", "close"),
        Binding("w", "why", "why"),
        Binding("a", "acknowledge", "ack"),
        Binding("d", "dump", "dump"),
        Binding("s", "scan", "scan"),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
        # As every program at a terminal does; textual itself only says which key it is.
        Binding("ctrl+c", "quit", show=False),
    ]

    def __init__(
        self,
        socket: Path,
        *,
        every: float = 1.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        look: Callable[[Path, datetime], Awaitable[Look]] = look_at,
        band: Callable[[], Awaitable[Text]] | None = None,
    ) -> None:
        super().__init__()
        self._socket = socket
        self._every = every
        self._now = now
        self._look_at = look
        self._look: Look | None = None
        self._band_text = band
        # Kept, not looked up: a dialog may lie over them, and the last look may come at the end.
        self._heading = Static(Text(f" Looking at {socket} ..."), id="heading")
        self._band = Static(id="band")
        self._actors = PanelTable("actors", "actors")
        self._positions = PanelTable("positions", "positions")
        self._alerts = PanelTable("alerts", "alerts")
        self._events = Static(id="events")

    def compose(self) -> ComposeResult:
        yield self._heading
        if self._band_text is not None:
            yield self._band
        with Horizontal(id="body"):
            yield self._actors
            with Vertical(id="right"):
                yield self._positions
                yield self._alerts
                yield self._events
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        for panel in (self._actors, self._positions, self._alerts, self._events):
            panel.add_class("panel")
        self._events.border_title = "events"
        self._positions.focus()
        self.run_worker(self._follow(), name="follow")

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width >= panels.WIDE, "wide")
        # The panels' own sizes are known once the new layout is done.
        self.call_after_refresh(self._draw)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            try:
                if self._band_text is not None:
                    self._band.update(await self._band_text())
                self.show(await self._look_at(self._socket, self._now()))
            except (NoServiceError, CommandRefusedError) as error:
                self._say_lost(str(error))
            # A large guard takes its time to answer: it must not do little else.
            await asyncio.sleep(max(self._every, _REST * (loop.time() - begun)))

    def show(self, look: Look) -> None:
        """Draw this look."""
        self._look = look
        self._draw()

    def _say_lost(self, why: str) -> None:
        seen = f" (shown: {self._look.at:%H:%M:%S} UTC)" if self._look is not None else ""
        text = Text(f" {why}{seen}", style="bold white on red", no_wrap=True, overflow="ellipsis")
        self._heading.update(text)

    def _draw(self) -> None:
        look = self._look
        if look is None:
            return
        wide = self.size.width >= panels.WIDE
        self._heading.update(panels.heading(look, wide=wide))
        for table, panel in (
            (self._actors, panels.actors),
            (self._positions, panels.positions),
            (self._alerts, panels.alerts),
        ):
            # One cell is the scroll bar's, whether it shows or not: columns must not jump.
            table.fill(panel(look, table.container_size.width - 1))
        seen = look.seen
        for table, shown, count in (
            (self._actors, seen.nodes, seen.node_count),
            (self._positions, seen.rows, seen.row_count),
            (self._alerts, seen.alerts, seen.alert_count),
        ):
            table.border_subtitle = panels.cut_short(len(shown), count)
        self._events.update(panels.events(look, self._events.size.height))

    # --- keys -----------------------------------------------------------------------------------

    def action_leg(self, what: str) -> None:
        if row := self._row():
            kind = p.Hold if what == "hold" else p.Release
            leg = {"symbol": row.symbol, "account": row.account, "by": getpass.getuser()}
            self._send(kind(side=_side_of(row), **leg))

    def action_close(self) -> None:
        row = self._row()
        if row is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._close(row), group="commands")

        question = f"Close {row.account} {row.symbol} {row.side} at market now?"
        self.push_screen(Confirm(question), answered)

    def action_acknowledge(self) -> None:
        marked = self._alerts.marked
        if marked is None:
            self.notify("no alert is marked", severity="warning")
            return
        self._send(p.Acknowledge(alert_id=int(marked), by=getpass.getuser()))

    def action_scan(self) -> None:
        self.notify("scanning ...")
        self.run_worker(self._scan(), group="commands")

    def action_dump(self) -> None:
        path = self._actors.marked
        if path is not None:
            self.run_worker(self._dump(path), group="commands")

    def action_why(self) -> None:
        if row := self._row():
            self.run_worker(self._why(row), group="commands")

    def action_help(self) -> None:
        self.push_screen(Page("help", HELP))

    def _row(self) -> PositionRow | None:
        marked = self._positions.marked
        rows = self._look.seen.rows if self._look is not None else ()
        row = next((row for row in rows if str(row.id) == marked), None)
        if row is None:
            self.notify("no position is marked", severity="warning")
        return row

    def _send(self, command: p.Command[p.Carried]) -> None:
        self.run_worker(self._carry(command), group="commands")

    async def _carry(self, command: p.Command[p.Carried]) -> None:
        if carried := await self._asked(command):
            self.notify(carried.message)

    async def _close(self, row: PositionRow) -> None:
        """Order the close, say that it is, and say what became of it."""
        command = p.CloseNow(
            symbol=row.symbol, side=_side_of(row), account=row.account, by=getpass.getuser()
        )
        ordered = await self._asked(command)
        said = None
        while ordered is not None:
            if ordered.message != said:
                bad = ordered.command.state.final and ordered.command.state != CommandState.DONE
                self.notify(ordered.message, severity="error" if bad else "information")
                said = ordered.message
            if ordered.command.state.final:
                break
            ordered = await self._asked(p.GetCommand(command_id=ordered.command.id, wait=10.0))

    async def _scan(self) -> None:
        if scanned := await self._asked(p.Scan()):
            for path, report in scanned.reports.items():
                if report.problem:
                    self.notify(f"{path}: {report.problem}", severity="error")
            found = sum(report.found for report in scanned.reports.values())
            self.notify(f"scanned: {found} found")

    async def _dump(self, path: str) -> None:
        if dumped := await self._asked(p.GetDump(path=path)):
            self.push_screen(Page(path, tables.as_json(dumped.dump)))

    async def _why(self, row: PositionRow) -> None:
        story = await self._asked(p.Why(symbol=row.symbol, account=row.account))
        if story is not None:
            lines = [tables.event_line(event).plain for event in story.events]
            self.push_screen(Page(f"why {row.symbol}", "\n".join(lines) or "nothing is on record"))

    async def _asked(self, command: p.Command[R]) -> R | None:
        """The reply; None where there is none, which the person has then been told."""
        try:
            async with ControlClient(self._socket, timeout=_COMMAND_WITHIN) as service:
                return await service.call(command)
        except (NoServiceError, CommandRefusedError) as error:
            self.notify(str(error), severity="error")
            return None


def _side_of(row: PositionRow) -> Side | None:
    """The row's side; one that is none of ours is left for the service to refuse."""
    return Side(row.side) if row.side in tuple(Side) else None
