"""How the REPL shows a value: tables for what the service sends, JSON for dumps and programs.

The tables themselves are `console.show`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pprint import pformat

import msgspec
from rich.table import Table
from rich.text import Text

from actors.runtime import NodeInfo
from console import show
from console.control import protocol as p
from console.repl_functions import Said
from messages.ledger import Alert, Event, PositionRow
from messages.requests import ScanReport


def show_value(value: object, *, as_json: bool = False) -> None:
    """Print what an expression gave, as a table where it is one."""
    if as_json:
        show.print_json(value)
        return
    match value:
        case Said():
            show.console_out().print(Text(value))
        case p.Reloaded():
            show.console_out().print(Text(str(value)))
        case p.Story():
            show.print_story(value, datetime.now(UTC))
        case p.Figures():
            show.print_table(show.figures_table(value.accounts, value.total))
        case tuple() if not value:
            show.console_out().print(Text("none", style="dim"))
        case tuple():
            _show_several(value)
        case dict() if value and all(isinstance(v, ScanReport) for v in value.values()):
            show.print_table(show.reports_table(value))
        case dict() | list() | msgspec.Struct():
            show.print_json(_plain(value))
        case _:
            show.console_out().print(Text(pformat(value)))


def _show_several(values: tuple[object, ...]) -> None:
    table = _table(values)
    if table is not None:
        show.print_table(table)
    elif all(isinstance(value, Event) for value in values):
        show.print_events([value for value in values if isinstance(value, Event)])
    else:
        show.console_out().print(Text(pformat(values)))


def _table(values: Sequence[object]) -> Table | None:
    """The table that fits, where all are of one kind that has one."""
    rows = [value for value in values if isinstance(value, PositionRow)]
    nodes = [value for value in values if isinstance(value, NodeInfo)]
    alerts = [value for value in values if isinstance(value, Alert)]
    messages = [value for value in values if isinstance(value, p.MessageInfo)]
    legs = [value for value in values if isinstance(value, p.LegView)]
    whole = len(values)
    if len(rows) == whole:
        return show.rows_table(rows, datetime.now(UTC))
    if len(nodes) == whole:
        return show.tree_table(nodes, wide=show.is_wide())
    if len(alerts) == whole:
        return show.alerts_table(alerts)
    if len(messages) == whole:
        return show.messages_table(messages)
    return show.legs_table(legs) if len(legs) == whole else None


def _plain(value: object) -> object:
    """A value that JSON can hold; what it can't is shown by its repr."""
    return msgspec.to_builtins(value, enc_hook=repr)
