"""The command line: its commands, their options and their help.

Bodies import what they need when they run, so that `--help` stays fast. Commands that only look
are in `console.cli.reading`, those before going live in `console.cli.setup`, those that change
something in `console.cli.operating`; exit codes are in `console.cli.exit_codes`.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from console.cli.exit_codes import EXIT_HELP, CommandError, ExitCode
from console.cli.messages import sending
from console.cli.operating import operating
from console.cli.options import ConfigOption, JsonOption
from console.cli.program import typed
from console.cli.reading import reading
from console.cli.setup import setting_up

app = typer.Typer(
    name="sexton",
    help="Sexton guards derivatives positions: nothing open unwatched, nothing aged left open.",
    epilog=EXIT_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
SERVICE = "The service"


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sexton {version('sexton')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_say_version, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    pass


@app.command(rich_help_panel=SERVICE, epilog=typed("run --config sexton.toml"))
def run(config: ConfigOption = Path("sexton.toml")) -> None:
    """Run the guard until SIGTERM or Ctrl-C, which stop it in order."""
    from console.cli.service_client import settings_from
    from console.service.run import run_from_cli

    run_from_cli(settings_from(config, keys=True), config)


@app.command(
    rich_help_panel=SERVICE,
    epilog=typed("demo --for 60 --json > found.json"),
)
def demo(
    seconds: Annotated[
        float, typer.Option("--for", min=5, metavar="SECONDS", help="How long it lasts.")
    ] = 75.0,
    json: JsonOption = False,
    seed: Annotated[int, typer.Option(help="The market's and the bot's chance.")] = 7,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="Where its ledger, socket and logs go.", show_default="var/demo"
        ),
    ] = None,
) -> None:
    """Watch the guard work on a simulated market, with no keys and no network."""
    from console.demo.run import demo_from_cli

    raise typer.Exit(demo_from_cli(seconds=seconds, as_json=json, seed=seed, folder=folder))


@app.command(
    rich_help_panel=SERVICE,
    epilog=typed("venue --port 8443 --ca-file var/venue-ca.pem"),
)
def venue(
    host: Annotated[str, typer.Option(help="Loopback address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 8443,
    ca_file: Annotated[
        Path, typer.Option(help="Where the throw-away CA is written, for `ca_file`.")
    ] = Path("var/venue-ca.pem"),
    seed: Annotated[int, typer.Option(help="The market's chance.")] = 7,
    hedge: Annotated[bool, typer.Option("--hedge", help="Accounts are in hedge mode.")] = False,
    limits: Annotated[
        bool, typer.Option("--limits", help="The exchanges' own rate limits refuse.")
    ] = False,
    latency: Annotated[
        str, typer.Option(help="How long each request takes, there and back: 100ms.")
    ] = "0s",
) -> None:
    """Run the simulated Bybit and Binance alone, and print a configuration that leads to them."""
    from console.cli.venue_command import VenueOptions, venue_from_cli

    options = VenueOptions(
        host=host,
        port=port,
        ca_file=ca_file,
        seed=seed,
        hedge=hedge,
        limits=limits,
        latency=latency,
    )
    raise typer.Exit(venue_from_cli(options))


app.add_typer(setting_up)
app.add_typer(reading)
app.add_typer(operating)
app.add_typer(sending)


def main() -> None:
    """Run the command line; every expected end is one line and an exit code."""
    try:
        # Exits of commands come back as numbers, for typer's own ends to be said in our way.
        sys.exit(app(standalone_mode=False))
    except TyperException as mistake:
        sys.stderr.write(_in_one_line(mistake))
        sys.exit(ExitCode.USAGE)
    except typer.Abort:
        sys.stderr.write("\nnothing was done: nobody answered\n")
        sys.exit(ExitCode.REFUSED)
    except CommandError as ended:
        sys.stderr.write(f"{ended}\n")
        sys.exit(ended.code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # `sexton events | head` is no mistake; what is left to flush has no reader.
        sys.stderr.close()
        sys.exit(ExitCode.OK)


def _in_one_line(mistake: TyperException) -> str:
    """A mistake on the command line, and where to look. Typer's types for it are not public."""
    # Only from here on does anybody know which command it was about.
    context = getattr(mistake, "ctx", None)
    text = str(getattr(mistake, "format_message", mistake.__str__)())
    if context is None or not text.strip():
        # A group without a command has shown its help already.
        return text
    what = " ".join(text.split()).removesuffix(".").replace("Value error, ", "")
    # The first word of the path is the file's name.
    command = context.command_path.partition(" ")[2]
    return f"{what}: see {typed(f'{command} --help'.strip())}\n"
