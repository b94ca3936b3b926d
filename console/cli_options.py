"""Options that many commands share, so that they are spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="SEXTON_CONFIG", help="The configuration file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
AccountOption = Annotated[
    str | None, typer.Option("--account", "-a", help="Only this account, as configured.")
]
SideOption = Annotated[
    Literal["long", "short"] | None,
    typer.Option("--side", "-s", help="Needed where both sides are open."),
]
SymbolArgument = Annotated[
    str, typer.Argument(metavar="SYMBOL", help="BTCUSDT, BTC/USDT:USDT, BTC-USDT-SWAP, …")
]
PathArgument = Annotated[
    str, typer.Argument(metavar="PATH", help="An actor's path, as `tree` shows it.")
]

DEFAULT_CONFIG = Path("sexton.toml")
