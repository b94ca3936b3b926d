"""Commands that change something: position add, scan, reconcile, close, accept, adopt-identity,
hold, release, ack, reload, and those that act on actors.

All but `position add` need the running service. They ask through `console.cli.service_client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from console.cli.exit_codes import CommandError, ExitCode
from console.cli.options import (
    DEFAULT_CONFIG,
    AccountOption,
    ConfigOption,
    JsonOption,
    PathArgument,
    ReasonOption,
    SideOption,
    SymbolArgument,
    WaitOption,
    YesOption,
    complete_account,
)
from console.cli.program import typed

if TYPE_CHECKING:
    from pathlib import Path

    from console.control.protocol import Accept, Carried, CloseNow, Command, Scanned
    from messages.values import Side

operating = typer.Typer()
position = typer.Typer(help="Add rows to the ledger.", no_args_is_help=True)
operating.add_typer(position, name="position", rich_help_panel="Positions")
SERVICE = "The service"
POSITIONS = "Positions"
ACTORS = "Actors"


@position.command(epilog=typed("position add bybit-main BTCUSDT long 0.5 60000 --age 4h"))
def add(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="As configured.")],
    symbol: SymbolArgument,
    side: Annotated[Literal["long", "short"], typer.Argument(metavar="SIDE", help="long, short")],
    quantity: Annotated[str, typer.Argument(metavar="QUANTITY", help="In base units.")],
    entry_price: Annotated[str, typer.Argument(metavar="PRICE", help="Entry price.")],
    config: ConfigOption = DEFAULT_CONFIG,
    opened_at: Annotated[
        str | None, typer.Option(help="ISO 8601; UTC where no zone is given. Default: now.")
    ] = None,
    age: Annotated[str | None, typer.Option(help="Instead of --opened-at: 4h, 30m.")] = None,
    stop_price: Annotated[str | None, typer.Option(help="The row's stop price.")] = None,
    json: JsonOption = False,
) -> None:
    """Write a position into the ledger, as a bot would. Needs no running service."""
    from console.cli.ledger_commands import add_position

    add_position(
        config,
        account=account,
        symbol=symbol,
        side=_side(side),
        quantity=quantity,
        entry_price=entry_price,
        opened_at=opened_at,
        age=age,
        stop_price=stop_price,
        as_json=json,
    )


@operating.command(rich_help_panel=POSITIONS, epilog=typed("scan --account bybit-main"))
def scan(
    config: ConfigOption = DEFAULT_CONFIG, account: AccountOption = None, json: JsonOption = False
) -> None:
    """Look for aged, orphaned and naked positions now."""
    from console.control.protocol import Scan

    _report(config, Scan(account=account), as_json=json)


@operating.command(rich_help_panel=POSITIONS, epilog=typed("reconcile --json"))
def reconcile(
    config: ConfigOption = DEFAULT_CONFIG, account: AccountOption = None, json: JsonOption = False
) -> None:
    """Compare the ledger with the venues now."""
    from console.control.protocol import Reconcile

    _report(config, Reconcile(account=account), as_json=json)


@operating.command(rich_help_panel=POSITIONS, epilog=typed('close BTCUSDT --yes --reason "news"'))
def close(
    symbol: SymbolArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    side: SideOption = None,
    account: AccountOption = None,
    yes: YesOption = False,
    wait: WaitOption = True,
    reason: ReasonOption = "",
    json: JsonOption = False,
) -> None:
    """Close a leg at market now, reduce-only, and say what became of it.

    It belongs to the rows that are open now, and ends after a minute unless it has begun. Exit
    code 0: closed, or only given; 1: refused; 6: failed, expired or taken back; 7: still under way.
    """
    from console.control.protocol import CloseNow

    if not yes and not _confirmed(f"Close {symbol} at market now?"):
        raise CommandError(ExitCode.REFUSED, "nothing was closed")
    command = CloseNow(symbol=symbol, side=_side(side), account=account, by=_user(), reason=reason)
    _order(config, command, wait=wait, as_json=json)


@operating.command(rich_help_panel=POSITIONS, epilog=typed("accept BTCUSDT --yes"))
def accept(
    symbol: SymbolArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    side: SideOption = None,
    account: AccountOption = None,
    yes: YesOption = False,
    wait: WaitOption = True,
    reason: ReasonOption = "",
    json: JsonOption = False,
) -> None:
    """Take a leg that is gone without a record for closed, with an unknown exit.

    It is judged once more: what is open, or explained after all, is refused in words. Exit codes as
    those of `close`.
    """
    from console.control.protocol import Accept

    if not yes and not _confirmed(f"Close the rows of {symbol} with an unknown exit?"):
        raise CommandError(ExitCode.REFUSED, "nothing was closed")
    command = Accept(symbol=symbol, side=_side(side), account=account, by=_user(), reason=reason)
    _order(config, command, wait=wait, as_json=json)


@operating.command(rich_help_panel=SERVICE, epilog=typed("adopt-identity bybit-main --yes"))
def adopt_identity(
    account: Annotated[
        str,
        typer.Argument(metavar="ACCOUNT", help="As configured.", autocompletion=complete_account),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    yes: YesOption = False,
    reason: ReasonOption = "",
    json: JsonOption = False,
) -> None:
    """The login that the venue tells of is meant to be this account's from now on."""
    from console.control.protocol import AdoptIdentity

    if not yes and not _confirmed(f"Is {account} really meant to be another login than before?"):
        raise CommandError(ExitCode.REFUSED, "nothing was changed")
    _carry(config, AdoptIdentity(account=account, by=_user(), reason=reason), as_json=json)


@operating.command(rich_help_panel=POSITIONS, epilog=typed("hold ETHUSDT"))
def hold(
    symbol: SymbolArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    side: SideOption = None,
    account: AccountOption = None,
    json: JsonOption = False,
) -> None:
    """The guard leaves this leg alone until `release`."""
    from console.control.protocol import Hold

    _carry(config, Hold(symbol=symbol, side=_side(side), account=account, by=_user()), as_json=json)


@operating.command(rich_help_panel=POSITIONS, epilog=typed("release ETHUSDT"))
def release(
    symbol: SymbolArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    side: SideOption = None,
    account: AccountOption = None,
    json: JsonOption = False,
) -> None:
    """End a hold: the guard looks after the leg again."""
    from console.control.protocol import Release

    _carry(
        config, Release(symbol=symbol, side=_side(side), account=account, by=_user()), as_json=json
    )


@operating.command(rich_help_panel=POSITIONS, epilog=typed("ack 12"))
def ack(
    alert_id: Annotated[int, typer.Argument(metavar="ID", help="As `alerts` shows it.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Acknowledge an alert: its reminders stop, it stays until it is resolved."""
    from console.control.protocol import Acknowledge

    _carry(config, Acknowledge(alert_id=alert_id, by=_user()), as_json=json)


@operating.command(rich_help_panel=SERVICE, epilog=typed("reload --dry-run"))
def reload(
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    json: JsonOption = False,
) -> None:
    """Take what has changed in the configuration file; exit code 1 if some of it can't be."""
    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import Reload

    try:
        done = ask_service(config, Reload(dry_run=dry_run, by=_user()), timeout=600.0)
    except CommandError as error:
        if error.code is not ExitCode.NO_SERVICE:
            raise
        # The socket is found by the changed file, and the service listens at the old one.
        hint = "where the file has a new control.socket or data_dir, restart the service"
        raise CommandError(error.code, f"{error}; {hint}") from None
    if json:
        tables.print_json(done)
    else:
        typer.echo(str(done))
    if done.refused or done.troubles:
        raise typer.Exit(ExitCode.REFUSED)


@operating.command(rich_help_panel=ACTORS, epilog=typed("suspend accounts/bybit-main/aged"))
def suspend(
    path: PathArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False
) -> None:
    """An actor takes no further message until `resume`."""
    from console.control.protocol import Suspend

    _carry(config, Suspend(path=path), as_json=json)


@operating.command(rich_help_panel=ACTORS, epilog=typed("resume accounts/bybit-main/aged"))
def resume(
    path: PathArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False
) -> None:
    """Let a suspended actor go on."""
    from console.control.protocol import Resume

    _carry(config, Resume(path=path), as_json=json)


@operating.command(rich_help_panel=ACTORS, epilog=typed("restart accounts/bybit-main/stream"))
def restart(
    path: PathArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False
) -> None:
    """Stop an actor in order and start it afresh."""
    from console.control.protocol import Restart

    _carry(config, Restart(path=path), as_json=json)


@operating.command(rich_help_panel=ACTORS, epilog=typed("kill accounts/bybit-main/orphans"))
def kill(
    path: PathArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False
) -> None:
    """Cancel an actor's task, as a crash would: to see its supervisor at work."""
    from console.control.protocol import Kill

    _carry(config, Kill(path=path), as_json=json)


def _carry(config: Path, command: Command[Carried], *, as_json: bool) -> None:
    from console.cli import tables
    from console.cli.service_client import ask_service

    carried = ask_service(config, command)
    if as_json:
        tables.print_json(carried)
    else:
        typer.echo(carried.message)


def _order(config: Path, command: CloseNow | Accept, *, wait: bool, as_json: bool) -> None:
    """Give an order, wait for its outcome unless told otherwise, and end with its exit code."""
    from console.cli import tables
    from console.cli.outcome import exit_code_of, wait_for_outcome
    from console.cli.service_client import ask_socket, settings_from

    socket = settings_from(config, keys=False).control.socket
    ordered = ask_socket(socket, command)
    if wait:
        ordered = wait_for_outcome(socket, ordered)
    if as_json:
        tables.print_json(ordered)
    else:
        typer.echo(ordered.message)
    code = exit_code_of(ordered)
    if code is not ExitCode.OK and (wait or code is not ExitCode.PENDING):
        raise typer.Exit(code)


def _report(config: Path, command: Command[Scanned], *, as_json: bool) -> None:
    from console.cli import tables
    from console.cli.service_client import ask_service

    reports = ask_service(config, command).reports
    if as_json:
        tables.print_json(reports)
    else:
        tables.print_table(tables.reports_table(reports))
    if any(report.problem for report in reports.values()):
        raise typer.Exit(ExitCode.REFUSED)


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        raise CommandError(
            ExitCode.REFUSED, "\nnothing was closed: say yes, or add --yes"
        ) from None


def _side(text: str | None) -> Side | None:
    from messages.values import Side

    return Side(text) if text is not None else None


def _user() -> str:
    import getpass

    return getpass.getuser()
