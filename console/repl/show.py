"""How the REPL shows a value: tables for what the service sends, JSON for dumps and programs.

The tables themselves are `console.cli.tables`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pprint import pformat

import msgspec
from rich.table import Table
from rich.text import Text

from actors.runtime import NodeInfo
from console.cli import budget_tables, tables
from console.control import protocol as p
from console.repl.functions import Said
from messages.ledger import Alert, Event, PositionRow
from messages.to_monitors import ScanReport


def show_value(value: object, *, as_json: bool = False) -> None:
    """Print what an expression gave, as a table where it is one."""
    if as_json:
        tables.print_json(value)
        return
    match value:
        case Said():
            tables.console_out().print(Text(value))
        case p.Reloaded():
            tables.console_out().print(Text(str(value)))
        case p.Story():
            tables.print_story(value, datetime.now(UTC))
        case p.Figures():
            tables.print_table(tables.figures_table(value.accounts, value.total))
        case tuple() if not value:
            tables.console_out().print(Text("none", style="dim"))
        case tuple():
            _show_several(value)
        case dict() if value and all(isinstance(v, ScanReport) for v in value.values()):
            tables.print_table(tables.reports_table(value))
        case dict() | list() | msgspec.Struct():
            tables.print_json(_plain(value))
        case _:
            tables.console_out().print(Text(pformat(value)))


def _show_several(values: tuple[object, ...]) -> None:
    table = _table(values)
    if table is not None:
        tables.print_table(table)
    elif all(isinstance(value, Event) for value in values):
        tables.print_events([value for value in values if isinstance(value, Event)])
    else:
        tables.console_out().print(Text(pformat(values)))


def _table(values: Sequence[object]) -> Table | None:
    """The table that fits, where all are of one kind that has one."""
    rows = [value for value in values if isinstance(value, PositionRow)]
    nodes = [value for value in values if isinstance(value, NodeInfo)]
    alerts = [value for value in values if isinstance(value, Alert)]
    messages = [value for value in values if isinstance(value, p.MessageInfo)]
    legs = [value for value in values if isinstance(value, p.LegView)]
    budgets = [value for value in values if isinstance(value, p.AccountBudget)]
    whole = len(values)
    if len(rows) == whole:
        return tables.rows_table(rows, datetime.now(UTC))
    if len(nodes) == whole:
        return tables.tree_table(nodes, wide=tables.is_wide())
    if len(budgets) == whole:
        return budget_tables.limits_table(budgets)
    if len(alerts) == whole:
        return tables.alerts_table(alerts)
    if len(messages) == whole:
        return tables.messages_table(messages)
    return tables.legs_table(legs) if len(legs) == whole else None


def _plain(value: object) -> object:
    """A value that JSON can hold; what it can't is shown by its repr."""
    return msgspec.to_builtins(value, enc_hook=repr)
