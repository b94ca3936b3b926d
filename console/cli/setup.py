"""Commands for the time before the guard goes live: init, show-config, venues, doctor.

None of them needs the running service, and only `init` writes anything. The work is done
in `console.cli.init_config`, `console.config.keys`, `console.cli.venue_list`, `console.doctor.run`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from console.cli.program import typed

setting_up = typer.Typer()
SETTING_UP = "Setting up"


@setting_up.command(rich_help_panel=SETTING_UP, epilog=typed("init --exchange binanceusdm"))
def init(
    config: ConfigOption = DEFAULT_CONFIG,
    exchange: Annotated[str, typer.Option(help="The exchange's name in ccxt.")] = "bybit",
    account: Annotated[
        str | None,
        typer.Option("--account", "-a", help="What to call it.", show_default="EXCHANGE-main"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Write a commented configuration in observe mode."""
    from console.cli.init_config import init_from_cli

    name = account or f"{exchange}-main"
    init_from_cli(config, exchange=exchange, account=name, force=force)
    typer.echo(f"{config} is written, in observe mode: give it its keys, then run `doctor`")


@setting_up.command(
    name="show-config", rich_help_panel=SETTING_UP, epilog=typed("show-config --json")
)
def show_config(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """The configuration in force, defaults and all. Secrets are hidden."""
    from console.cli.service_client import settings_from
    from console.config.keys import as_toml, effective

    shown = effective(settings_from(config, keys=False))
    if json:
        from console.cli import tables

        tables.print_json(shown)
    else:
        typer.echo(as_toml(shown))


@setting_up.command(rich_help_panel=SETTING_UP, epilog=typed("venues --json"))
def venues(json: JsonOption = False) -> None:
    """The supported exchanges, and what the guard can do at each."""
    from console.cli.venue_list import list_venues

    list_venues(as_json=json)


@setting_up.command(rich_help_panel=SETTING_UP, epilog=typed("doctor --json"))
def doctor(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Tell what would go wrong, and the cure: config, ledger, keys, clock, stops, disk."""
    from console.doctor.run import doctor_from_cli

    raise typer.Exit(doctor_from_cli(config, as_json=json))
