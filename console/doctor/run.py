"""`doctor`: tells before going live what would go wrong, and how to cure it. Changes nothing.

Each line is ok, a warning or a failure; failures end it with exit code 1, a configuration that
can't be used with 2. The checks are in `console.doctor.checks` and `console.doctor.venues`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from console.cli import tables
from console.cli.exit_codes import ExitCode
from console.config.reader import ConfigError, load_config
from console.doctor.budget import Budgets
from console.doctor.checks import (
    Check,
    Level,
    config_check,
    disk_check,
    failure,
    ledger_checks,
    read_book,
    socket_check,
    source_check,
)
from console.doctor.logins import Logins
from console.doctor.venues import venue_checks
from console.service.logs import human_terminal

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "bold red"}


async def examine(config: Path, announce: Callable[[str], None]) -> AsyncIterator[Check]:
    """Every check, as soon as it is made. `announce` is told what is being waited for."""
    try:
        settings = load_config(config)
    except ConfigError as error:
        for mistake in error.mistakes:
            yield failure("config", mistake, "correct the file; `init` writes one to start from")
        return
    yield config_check(config, settings)
    yield disk_check(settings)
    yield socket_check(settings)
    announce("the ledger")
    async for check in ledger_checks(settings):
        yield check
    if settings.ledger is not None:
        announce("the source of positions")
        yield await source_check(settings)
    logins = Logins(await read_book(settings))
    budgets = Budgets(settings)
    for account in settings.accounts:
        async for check in venue_checks(
            account,
            settings.mode,
            logins,
            budgets,
            now=lambda: datetime.now(UTC),
            announce=announce,
        ):
            yield check
    for found in budgets.checks():
        yield found


def doctor_from_cli(config: Path, *, as_json: bool) -> ExitCode:
    """Run all checks; print each as it comes, or all of them as JSON."""
    return asyncio.run(_doctor(config, as_json=as_json))


async def _doctor(config: Path, *, as_json: bool) -> ExitCode:
    terminal = Console(stderr=True)
    human_terminal(sys.stderr, level="ERROR")
    out = tables.console_out()
    checks: list[Check] = []
    with terminal.status("the configuration") as status:
        async for check in examine(config, status.update):
            checks.append(check)
            if not as_json:
                _print(out, check)
    worst = [check for check in checks if check.level is Level.FAILURE]
    warnings = sum(check.level is Level.WARNING for check in checks)
    if as_json:
        tables.print_json({"ok": not worst, "checks": checks})
    else:
        out.print(f"{len(checks)} checks: {len(worst)} failures, {warnings} warnings")
    if any(check.name == "config" for check in worst):
        return ExitCode.USAGE
    return ExitCode.REFUSED if worst else ExitCode.OK


def _print(out: Console, check: Check) -> None:
    line = Text(f"{check.level.value:8}", style=_STYLES[check.level])
    line.append(f"{check.name:24}", style="bold")
    line.append(check.said, style="default")
    out.print(line, soft_wrap=True)
    if check.cure:
        out.print(Text(f"{'':8}{'':24}→ {check.cure}", style="cyan"), soft_wrap=True)
