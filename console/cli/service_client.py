"""How a command reaches what it needs: the configuration, the running service, or the ledger.

Turns each of their failures into a `CommandError` with its exit code. What is printed is made
in `console.cli.tables`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from console.cli.exit_codes import CommandError, ExitCode
from console.cli.progress import waiting
from console.config.reader import ConfigError, load_config
from console.control.client import CommandRefusedError, NoServiceError, call
from console.control.protocol import Command, Reply
from messages.settings import Settings

if TYPE_CHECKING:
    from storage import Ledger

R = TypeVar("R", bound=Reply)
T = TypeVar("T")


def settings_from(config: Path, *, keys: bool) -> Settings:
    """The checked configuration. Raises CommandError with USAGE and every mistake in it."""
    try:
        return load_config(config, keys=keys)
    except ConfigError as error:
        raise CommandError(ExitCode.USAGE, str(error)) from None


def ask_service(config: Path, command: Command[R], *, timeout: float = 120.0) -> R:
    """Send a command to the service that runs with this configuration."""
    return ask_socket(settings_from(config, keys=False).control.socket, command, timeout=timeout)


def ask_socket(path: Path, command: Command[R], *, timeout: float = 120.0) -> R:
    """Send a command to the service at this socket; `timeout` is seconds."""
    try:
        with waiting("waiting for the service ..."):
            return call(path, command, timeout=timeout)
    except NoServiceError as error:
        raise CommandError(ExitCode.NO_SERVICE, str(error)) from None
    except CommandRefusedError as error:
        code = ExitCode.USAGE if error.code == "bad_config" else ExitCode.REFUSED
        raise CommandError(code, str(error)) from None


def ask_service_if_there(settings: Settings, command: Command[R]) -> R | None:
    """As `ask_service`, but None where no service runs."""
    try:
        return call(settings.control.socket, command)
    except NoServiceError:
        return None
    except CommandRefusedError as error:
        raise CommandError(ExitCode.REFUSED, str(error)) from None


def with_ledger(
    settings: Settings, job: Callable[[Ledger], Awaitable[T]], *, make: bool = False
) -> T:
    """Open the ledger itself, without the service, and do one job with it.

    Reading must not leave a new, empty ledger behind where a path was mistyped: only `make` makes
    one.
    """
    _, _, file = settings.storage.url.reveal().partition("sqlite:///")
    if file and not make and not Path(file).exists():
        raise CommandError(ExitCode.NO_LEDGER, f"there is no ledger at {file} yet: `run` makes it")
    return asyncio.run(_with_ledger(settings, job))


async def _with_ledger(settings: Settings, job: Callable[[Ledger], Awaitable[T]]) -> T:
    # Commands that only talk to the service need not wait for SQLAlchemy.
    from storage import LedgerRefused, LedgerUnavailable, open_ledger

    url = settings.storage.url
    try:
        with waiting("opening the ledger, and bringing it up to date ..."):
            ledger = await open_ledger(url, now=_utc_now, data_dir=settings.data_dir)
        try:
            return await job(ledger)
        finally:
            await ledger.close()
    except (LedgerUnavailable, LedgerRefused) as error:
        raise CommandError(ExitCode.NO_LEDGER, f"the ledger can't be had: {error}") from None


def _utc_now() -> datetime:
    return datetime.now(UTC)
