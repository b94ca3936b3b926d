"""What the Tab key offers: asked from the running service, and nothing where none answers.

Used by the shell's completion and by the REPL's.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from console.config.reader import ConfigError, load_config
from console.control.client import CommandRefusedError, NoServiceError, call
from console.control.protocol import (
    Command,
    GetMessages,
    GetPositions,
    GetService,
    GetTree,
    Reply,
)

R = TypeVar("R", bound=Reply)

_PATIENCE = 0.7
"""Seconds: a Tab that takes longer feels broken."""


def paths(config: Path | None, begun: str) -> list[str]:
    """Actor paths that begin so; workers take no command but `kill`, and are left out."""
    answer = _asked(config, GetTree())
    nodes = answer.nodes if answer is not None else ()
    return _fitting((node.path or "sexton" for node in nodes if node.kind != "worker"), begun)


def message_names(config: Path | None, path: str | None, begun: str) -> list[str]:
    """Messages that the actor takes; all that can be sent where no actor is named."""
    answer = _asked(config, GetMessages(path=path))
    return _fitting((m.name for m in answer.messages) if answer is not None else (), begun)


def symbols(config: Path | None, begun: str) -> list[str]:
    """Symbols of active rows."""
    answer = _asked(config, GetPositions())
    return _fitting((row.symbol for row in answer.rows) if answer is not None else (), begun)


def accounts(config: Path | None, begun: str) -> list[str]:
    """The accounts that the service guards."""
    answer = _asked(config, GetService())
    return _fitting(answer.accounts if answer is not None else (), begun)


def _fitting(names: Iterable[str], begun: str) -> list[str]:
    return sorted({name for name in names if name.startswith(begun)})


def _asked(config: Path | None, command: Command[R]) -> R | None:
    try:
        settings = load_config(Path(config or "sexton.toml"), keys=False)
        return call(settings.control.socket, command, timeout=_PATIENCE)
    except (ConfigError, NoServiceError, CommandRefusedError):
        # Whoever pressed Tab is in the middle of a line: there is no place for a message.
        return None
