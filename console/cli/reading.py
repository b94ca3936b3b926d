"""Commands that only look: positions, events, alerts, tree, dump, stats, why, status.

`positions` and `events` read the ledger itself, so that they work without the service; the others
ask the running service through `console.cli.service_client`. `console.cli.tables` prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli.exit_codes import CommandError, ExitCode
from console.cli.options import (
    DEFAULT_CONFIG,
    AccountOption,
    ConfigOption,
    JsonOption,
    PathArgument,
    SymbolArgument,
    SymbolOption,
    complete_path,
)
from console.cli.program import typed

reading = typer.Typer()
LOOKING = "Looking"
_LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most.")]
_AllOption = Annotated[bool, typer.Option("--all", help="Those that are over as well.")]


@reading.command(rich_help_panel=LOOKING, epilog=typed("positions --all --json"))
def positions(
    config: ConfigOption = DEFAULT_CONFIG,
    account: AccountOption = None,
    symbol: SymbolOption = None,
    everything: _AllOption = False,
    limit: _LimitOption = 1000,
    json: JsonOption = False,
) -> None:
    """Ledger rows: what the bot believes is open. Needs no running service."""
    from console.cli.ledger_commands import show_positions

    show_positions(
        config, account=account, symbol=symbol, everything=everything, limit=limit, as_json=json
    )


@reading.command(
    rich_help_panel=LOOKING,
    epilog=typed("events --kind aged_ghost_position_detected -n 5"),
)
def events(
    config: ConfigOption = DEFAULT_CONFIG,
    account: AccountOption = None,
    symbol: SymbolOption = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind of event.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Not before: 90m, 1d, or ISO 8601.")
    ] = None,
    limit: _LimitOption = 30,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """The audit trail, newest last. Needs no running service, but with --follow."""
    if follow:
        from console.cli.follow_events import follow_events

        found = follow_events(
            config,
            account=account,
            symbol=symbol,
            kind=kind,
            since=since,
            limit=limit,
            as_json=json,
        )
        raise typer.Exit(found)
    from console.cli.ledger_commands import show_events

    show_events(
        config, account=account, symbol=symbol, kind=kind, since=since, limit=limit, as_json=json
    )


@reading.command(rich_help_panel=LOOKING, epilog=typed("alerts --all"))
def alerts(
    config: ConfigOption = DEFAULT_CONFIG,
    account: AccountOption = None,
    everything: _AllOption = False,
    limit: _LimitOption = 100,
    json: JsonOption = False,
) -> None:
    """Open alerts, with the numbers that `ack` takes. Needs no running service."""
    from console.cli.ledger_commands import show_alerts

    show_alerts(config, account=account, everything=everything, limit=limit, as_json=json)


@reading.command(rich_help_panel=LOOKING, epilog=typed("tree --json"))
def tree(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Every actor of the running service: status, restarts, mailbox."""
    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import GetTree

    nodes = ask_service(config, GetTree()).nodes
    if json:
        tables.print_json(nodes)
    else:
        tables.print_table(tables.tree_table(nodes, wide=tables.is_wide()))


@reading.command(rich_help_panel=LOOKING, epilog=typed("dump accounts/bybit-main/exchange"))
def dump(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH]", help="One actor; without it, all.", autocompletion=complete_path
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    out: Annotated[Path | None, typer.Option(help="Write it to this file instead.")] = None,
    json: JsonOption = True,
) -> None:
    """State of one actor, or of the whole tree, as JSON. No secret is in it."""
    del json  # a dump has no other form; the option is there because every reading command has it
    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import GetDump

    found = ask_service(config, GetDump(path=path)).dump
    if out is None:
        tables.print_json(found)
        return
    try:
        out.write_text(tables.as_json(found) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(ExitCode.USAGE, f"{out} can't be written: {error.strerror}") from None


@reading.command(rich_help_panel=LOOKING, epilog=typed("stats --json"))
def stats(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Statistics, API calls by endpoint and whole-account reads, by account."""
    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import GetFigures

    figures = ask_service(config, GetFigures())
    if json:
        tables.print_json({"accounts": figures.accounts, "total": figures.total})
    else:
        tables.print_table(tables.figures_table(figures.accounts, figures.total))


@reading.command(rich_help_panel=LOOKING, epilog=typed("budget --account bybit-main"))
def budget(
    config: ConfigOption = DEFAULT_CONFIG,
    account: AccountOption = None,
    json: JsonOption = False,
) -> None:
    """The venues' rate limits: what is used of them and by what, and how fast all can be flat."""
    from console.cli import budget_tables, tables
    from console.cli.service_client import ask_service
    from console.control.protocol import GetBudget

    budgets = ask_service(config, GetBudget(account=account)).budgets
    if json:
        tables.print_json(budgets)
        return
    tables.print_table(budget_tables.limits_table(budgets), empty="No limit is known.")
    tables.print_table(
        budget_tables.spending_table(budgets), empty="Nothing was asked in the last minute."
    )
    for line in budget_tables.outlook(budgets):
        typer.echo(line)


@reading.command(rich_help_panel=LOOKING, epilog=typed("why BTCUSDT"))
def why(
    symbol: SymbolArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    account: AccountOption = None,
    json: JsonOption = False,
) -> None:
    """The story of a symbol: what was seen, decided, sent and answered."""
    from datetime import UTC, datetime

    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import Why

    story = ask_service(config, Why(symbol=symbol, account=account))
    if json:
        tables.print_json(story)
    else:
        tables.print_story(story, datetime.now(UTC))


@reading.command(rich_help_panel=LOOKING, epilog=typed("status --json"))
def status(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Whether the service runs, in which mode, for which accounts."""
    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import GetService

    service = ask_service(config, GetService())
    if json:
        tables.print_json(service)
    else:
        typer.echo(
            f"sexton {service.version} runs in {service.mode} mode "
            f"for {tables.span(service.uptime)} (pid {service.pid}): "
            f"{', '.join(service.accounts)}; {service.dead_letters} dead letters"
        )


@reading.command(rich_help_panel=LOOKING, epilog=typed("trace accounts/bybit-main/exchange"))
def trace(
    path: PathArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    off: Annotated[bool, typer.Option("--off", help="Stop tracing.")] = False,
    json: JsonOption = False,
) -> None:
    """Write each message that an actor handles into the service's log."""
    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import Trace

    carried = ask_service(config, Trace(path=path, on=not off))
    if json:
        tables.print_json(carried)
    else:
        typer.echo(carried.message)
