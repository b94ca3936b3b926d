"""What a check of `doctor` finds, and the checks of this machine: ledger, socket, disk, files.

Nothing here changes anything. Checks of venues are in `console.doctor.venues`;
`console.doctor.run` runs and shows them all.
"""

from __future__ import annotations

import os
import shutil
import stat
import tomllib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from console.control.socket_file import SocketTakenError, ensure_free
from messages.ledger import PositionRow
from messages.settings import Settings
from storage import LedgerRefused, LedgerUnavailable
from storage.inspection import LedgerFacts, inspect_ledger
from storage.sources import open_source

_SCARCE = 1 << 30
_FULL = 100 << 20


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what was looked at, how it stands, and what to do about it."""

    name: str
    level: Level
    said: str
    cure: str = ""


def ok(name: str, said: str) -> Check:
    return Check(name=name, level=Level.OK, said=said)


def warning(name: str, said: str, cure: str) -> Check:
    return Check(name=name, level=Level.WARNING, said=said, cure=cure)


def failure(name: str, said: str, cure: str) -> Check:
    return Check(name=name, level=Level.FAILURE, said=said, cure=cure)


def config_check(file: Path, settings: Settings) -> Check:
    """Whether others may read secrets that the file itself holds."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    accounts = table["accounts"]
    literal = sorted(
        f"accounts.{name}.{key}"
        for name, entries in accounts.items()
        for key in ("key", "secret", "password")
        if key in entries and not str(entries[key]).startswith(("env:", "file:"))
    )
    api = table.get("ledger", {}).get("api", {})
    if not str(api.get("password", "env:")).startswith(("env:", "file:")):
        literal.append("ledger.api.password")
    if literal and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return warning(
            "config",
            f"{file} can be read by others and holds {', '.join(literal)}",
            f"chmod 600 {file}, or write env:NAME or file:PATH instead",
        )
    names = ", ".join(account.name for account in settings.accounts)
    return ok("config", f"{file} is good: {settings.mode} mode, {names}")


async def ledger_checks(settings: Settings) -> AsyncIterator[Check]:
    """The database, its schema, and who holds the accounts' leases."""
    try:
        facts = await inspect_ledger(settings.storage.url)
    except (LedgerUnavailable, LedgerRefused) as error:
        yield failure("ledger", str(error), "set storage.url right, or bring the database up")
        return
    yield _schema(facts)
    now = datetime.now(UTC)
    mine = {account.name for account in settings.accounts}
    held = [lease for lease in facts.leases if lease.account in mine and lease.expires_at > now]
    if held and _service_runs(settings):
        yield ok("leases", "held by the service that runs here")
    elif held:
        said = "; ".join(f"{lease.account} is held by {lease.holder}" for lease in held)
        until = max(lease.expires_at for lease in held)
        yield warning(
            "leases",
            said,
            f"stop that guard, or let this one wait: the leases end at {until:%H:%M:%S} UTC unless"
            " they are prolonged",
        )
    else:
        yield ok("leases", "nobody holds the accounts")


def _schema(facts: LedgerFacts) -> Check:
    if facts.file is not None:
        where = facts.file if facts.exists else _nearest(facts.file.parent)
        if not os.access(where, os.W_OK):
            return failure(
                "ledger", f"{where} can't be written", "give this user the right to write there"
            )
    if facts.foreign:
        return failure(
            "ledger",
            "the database has a table `positions` that this program did not make",
            "point storage.url at a database of its own; another program's is read by [ledger]",
        )
    if facts.schema is None:
        return ok("ledger", "empty yet: `run` makes its tables")
    if facts.schema > facts.head:
        return failure(
            "ledger",
            f"schema {facts.schema} is newer than this program's {facts.head}",
            "upgrade this program, or point storage.url elsewhere",
        )
    if facts.schema < facts.head:
        return warning(
            "ledger",
            f"schema {facts.schema} is older than {facts.head}: `run` will migrate it",
            "nothing to do; a SQLite file is copied into data_dir first",
        )
    return ok("ledger", f"schema {facts.schema}, up to date")


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of the accounts: its active rows, and who each account is."""

    rows: tuple[PositionRow, ...] = ()
    identities: Mapping[str, str] = {}


async def read_book(settings: Settings) -> Book:
    """The rows that `run` would guard; none where they can't be read, which other checks tell."""
    try:
        facts = await inspect_ledger(settings.storage.url)
        rows = facts.rows
        if settings.ledger is not None:
            rows = await (await open_source(settings.ledger)).active_rows()
    except (LedgerUnavailable, LedgerRefused):
        return Book()
    return Book(rows=rows, identities={one.account: one.identity for one in facts.identities})


async def source_check(settings: Settings) -> Check:
    """Another program's ledger, read once."""
    assert settings.ledger is not None
    try:
        source = await open_source(settings.ledger)
        rows = await source.active_rows()
    except (LedgerUnavailable, LedgerRefused) as error:
        return failure("source", str(error), "set [ledger] right, or bring that database up")
    unread = [row.id for row in rows if row.quantity is None or row.opened_at is None]
    if unread and settings.ledger.unit == "base":
        return warning(
            "source",
            f"{len(rows)} open positions, of which rows {unread} lack a quantity or an opening",
            "correct them there: what can't be read is not guarded",
        )
    if source.api is not None and (refused := await source.api.check()) is not None:
        return warning(
            "source",
            f"{len(rows)} open positions; ledger.api does not answer: {refused}",
            "set ledger.api right, or start the bot: it is not told of what the guard closes",
        )
    return ok("source", f"{settings.ledger.kind}: {len(rows)} open positions")


def socket_check(settings: Settings) -> Check:
    """Whether the control socket can be made, for its owner alone."""
    path = settings.control.socket
    if _service_runs(settings):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            return warning("socket", f"{path} has mode {mode:04o}", f"chmod 600 {path}")
        return ok("socket", f"a service listens at {path}")
    try:
        ensure_free(path)
    except SocketTakenError as error:
        return failure("socket", str(error), "set control.socket elsewhere")
    folder = _nearest(path.parent)
    if not os.access(folder, os.W_OK):
        return failure(
            "socket", f"{folder} can't be written", "give this user the right to write there"
        )
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return warning(
            "socket",
            f"everybody may write in {folder}, and so replace the socket",
            f"chmod o-w {folder}, or set control.socket elsewhere",
        )
    return ok("socket", f"{path} is free")


def disk_check(settings: Settings) -> Check:
    """Room for ledger, logs and dumps."""
    folder = _nearest(settings.data_dir)
    if not os.access(folder, os.W_OK):
        return failure(
            "disk", f"{folder} can't be written", "set data_dir to a folder of this user's"
        )
    free = shutil.disk_usage(folder).free
    said = f"{free / (1 << 30):.1f} GiB are free in {folder}"
    if free < _FULL:
        return failure("disk", said, "free some space: the ledger can't be written on a full disk")
    if free < _SCARCE:
        return warning("disk", said, "free some space, or set storage.keep_events")
    return ok("disk", said)


def _service_runs(settings: Settings) -> bool:
    path = settings.control.socket
    try:
        ensure_free(path)
    except SocketTakenError:
        return stat.S_ISSOCK(path.lstat().st_mode)
    return False


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    return next(one for one in (folder, *folder.absolute().parents) if one.exists())
