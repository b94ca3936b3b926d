"""Commands that send an actor a typed message, and those that look and act from one screen.

Which messages there are is decided in `console.control.sending`. The prompt itself is
`console.repl.run`, the live view `console.top.app`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli.exit_codes import CommandError, ExitCode
from console.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    PathArgument,
    complete_message,
    complete_path,
)
from console.cli.program import typed

sending = typer.Typer()
ACTORS = "Actors"
SCREENS = "At the keyboard"
_MessageArgument = Annotated[
    str,
    typer.Argument(
        metavar="MESSAGE", help="As `messages` lists it.", autocompletion=complete_message
    ),
]
_FieldsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FIELD=VALUE]...",
        help="symbol=BTC/USDT:USDT, key.side=long, or JSON: symbols='[\"BTC/USDT:USDT\"]'",
    ),
]


@sending.command(
    rich_help_panel=SCREENS,
    epilog=typed("repl -c 'positions()'"),
)
def repl(
    config: Annotated[
        Path, typer.Option("--config", envvar="SEXTON_CONFIG", help="The configuration file.")
    ] = DEFAULT_CONFIG,
    code: Annotated[
        str | None,
        typer.Option("--command", "-c", metavar="CODE", help="Run this and leave, as python -c."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Python with the service's commands as functions; `help()` there shows them."""
    from console.repl.run import repl_from_cli

    raise typer.Exit(repl_from_cli(config, code=code, as_json=json))


@sending.command(rich_help_panel=SCREENS, epilog=typed("top --config sexton.toml --every 2"))
def top(
    config: ConfigOption = DEFAULT_CONFIG,
    every: Annotated[
        float, typer.Option(min=0.2, max=60, metavar="SECONDS", help="Between two looks.")
    ] = 1.0,
) -> None:
    """The running service live: actors, positions, alerts, events, and keys to act on them."""
    from console.top.app import top_from_cli

    raise typer.Exit(top_from_cli(config, every=every))


@sending.command(
    rich_help_panel=ACTORS,
    epilog=typed("ask accounts/bybit-main/exchange ReadQuote symbol=BTC/USDT:USDT"),
)
def ask(
    path: PathArgument,
    message: _MessageArgument,
    fields: _FieldsArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=600, metavar="SECONDS", help="For the reply.")
    ] = 30.0,
    json: JsonOption = False,
) -> None:
    """Send an actor a request and print its reply."""
    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import Ask

    command = Ask(path=path, message=message, fields=fields_from(fields or ()), timeout=timeout)
    answer = ask_service(config, command, timeout=timeout + 30)
    if json:
        tables.print_json(answer)
    else:
        typer.echo(answer.reply)
        tables.print_json(answer.value)


@sending.command(
    rich_help_panel=ACTORS,
    epilog=typed("tell alerts ResolveAlert dedup_key=by-hand resolution=seen"),
)
def tell(
    path: PathArgument,
    message: _MessageArgument,
    fields: _FieldsArgument = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Send an actor a message, and wait for nothing."""
    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import Tell

    command = Tell(path=path, message=message, fields=fields_from(fields or ()))
    carried = ask_service(config, command)
    if json:
        tables.print_json(carried)
    else:
        typer.echo(carried.message)


@sending.command(rich_help_panel=ACTORS, epilog=typed("messages accounts/bybit-main/exchange"))
def messages(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH]", help="What this actor takes.", autocompletion=complete_path
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """What `tell` and `ask` can send, with fields and replies."""
    from console.cli import tables
    from console.cli.service_client import ask_service
    from console.control.protocol import GetMessages

    known = ask_service(config, GetMessages(path=path)).messages
    if json:
        tables.print_json(known)
    else:
        tables.print_table(tables.messages_table(known))


def fields_from(texts: tuple[str, ...] | list[str]) -> dict[str, object]:
    """`a=1 b.c=x d=[…]` as the fields that they name: texts, but JSON where it is [ or {.

    Raises CommandError with USAGE.
    """
    import json

    fields: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise CommandError(ExitCode.USAGE, f"{text!r}: allowed: FIELD=VALUE")
        inner = fields
        *outer, last = name.split(".")
        for part in outer:
            found = inner.setdefault(part, {})
            if not isinstance(found, dict):
                raise CommandError(ExitCode.USAGE, f"{text!r}: {part} has a value already")
            inner = found
        try:
            inner[last] = json.loads(value) if value[:1] in ("[", "{") else value
        except ValueError as error:
            raise CommandError(ExitCode.USAGE, f"{text!r}: not JSON: {error}") from None
    return fields
