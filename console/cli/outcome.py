"""Waiting for what becomes of an operator's command, and the exit code that it comes to.

The command is in the ledger, so that the service may even be restarted in between.
"""

from __future__ import annotations

import time
from pathlib import Path

from console.cli.exit_codes import CommandError, ExitCode
from console.cli.service_client import ask_socket
from console.control.protocol import GetCommand, Ordered
from messages.ledger import CommandState

PATIENCE = 1200.0
"""Seconds: above the longest round of orders, which a command that has begun is given."""

AWAY = 60.0
"""Seconds that the service may be away, between two looks at the command."""

_LOOK = 10.0


def wait_for_outcome(
    socket: Path, ordered: Ordered, *, patience: float = PATIENCE, away: float = AWAY
) -> Ordered:
    """The command once it has ended, or as it is after `patience` seconds.

    Raises CommandError with PENDING where the service stays away: it may still be carried out.
    """
    until = time.monotonic() + patience
    seen = time.monotonic()
    while not ordered.command.state.final and time.monotonic() < until:
        try:
            command = GetCommand(command_id=ordered.command.id, wait=_LOOK)
            ordered = ask_socket(socket, command, timeout=_LOOK * 3)
            seen = time.monotonic()
        except CommandError as error:
            if error.code is not ExitCode.NO_SERVICE:
                raise
            if time.monotonic() - seen > away:
                text = f"{ordered.message}; its outcome is not known: {error}"
                raise CommandError(ExitCode.PENDING, text) from None
            time.sleep(0.5)
    return ordered


def exit_code_of(ordered: Ordered) -> ExitCode:
    """0 where it is carried out."""
    state = ordered.command.state
    if state is CommandState.DONE:
        return ExitCode.OK
    return ExitCode.NOT_DONE if state.final else ExitCode.PENDING
