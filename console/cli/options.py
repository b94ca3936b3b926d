"""Options that many commands share, so that they are spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def complete_path(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell's Tab key: the running actors' paths."""
    from console.cli.completion import paths

    return paths(context.params.get("config"), incomplete)


def complete_message(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell's Tab key: what the actor named before takes."""
    from console.cli.completion import message_names

    return message_names(context.params.get("config"), context.params.get("path"), incomplete)


def complete_symbol(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell's Tab key: symbols of active rows."""
    from console.cli.completion import symbols

    return symbols(context.params.get("config"), incomplete)


def complete_account(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell's Tab key: the configured accounts."""
    from console.cli.completion import accounts

    return accounts(context.params.get("config"), incomplete)


ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="SEXTON_CONFIG", help="The configuration file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
AccountOption = Annotated[
    str | None,
    typer.Option(
        "--account",
        "-a",
        help="Only this account, as configured.",
        autocompletion=complete_account,
    ),
]
SymbolOption = Annotated[
    str | None,
    typer.Option(
        metavar="SYMBOL",
        help="BTCUSDT, BTC/USDT:USDT, BTC-USDT-SWAP, …",
        autocompletion=complete_symbol,
    ),
]
SideOption = Annotated[
    Literal["long", "short"] | None,
    typer.Option("--side", "-s", help="Needed where both sides are open."),
]
SymbolArgument = Annotated[
    str,
    typer.Argument(
        metavar="SYMBOL",
        help="BTCUSDT, BTC/USDT:USDT, BTC-USDT-SWAP, …",
        autocompletion=complete_symbol,
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait for what becomes of it, or only give it.")
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit trail.")
]
PathArgument = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help="An actor's path, as `tree` shows it.", autocompletion=complete_path
    ),
]

DEFAULT_CONFIG = Path("sexton.toml")
