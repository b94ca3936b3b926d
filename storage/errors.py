"""What can go wrong with a database, and what each of its errors means to the guard.

No error of a driver leaves this folder as it is: what is neither an outage nor the database's own
fault is a statement that it does not take, a bug of ours or of whoever wrote it.
"""

from __future__ import annotations

import sqlite3

import psycopg
from sqlalchemy import exc


class LedgerUnavailable(Exception):
    """The ledger can't be had now, and waiting or an operator's hand may cure it.

    Nothing that was committed is lost; the call may be repeated. The message names the cause
    and the cure.
    """


class LedgerRefused(Exception):
    """The ledger can't be used at all, and waiting doesn't help. The message says why."""


class TableMissing(LedgerRefused):
    """The database that answers has no such table: it is not the ledger that was opened."""


class StatementRefused(Exception):
    """The database does not take a statement: a violated constraint, a value out of its range.

    Nothing was written, and the same call fails again.
    """


class StaleLease(Exception):
    """Another guard holds the account's lease now. Nothing was written."""


_SQLITE_BUSY = (
    "another process has kept the SQLite file locked for too long; find the program that holds a"
    " transaction open on it"
)
_SQLITE_OUTAGES = {
    "SQLITE_BUSY": _SQLITE_BUSY,
    "SQLITE_LOCKED": _SQLITE_BUSY,
    "SQLITE_FULL": "the disk is full; free space on it",
    "SQLITE_READONLY": "the SQLite file is read-only; make file and folder writable for this user",
    "SQLITE_CANTOPEN": "the SQLite file can't be opened; check that its folder exists and is"
    " writable for this user",
    "SQLITE_PERM": "access to the SQLite file is denied; check its owner and mode",
    "SQLITE_IOERR": "the disk fails to read or write the SQLite file; check disk, quota and mount",
    "SQLITE_PROTOCOL": "the SQLite file's locks are contended; try again",
    "SQLITE_NOMEM": "SQLite is out of memory; free some",
}
_SQLITE_REFUSALS = {
    "SQLITE_CORRUPT": "the SQLite file is damaged; restore it from a backup, or recover it with"
    " `sqlite3 FILE .recover`",
    "SQLITE_NOTADB": "the file is no SQLite database; check storage.url, or restore a backup",
}
_TABLE_MISSING = "the database has lost a table of the ledger; was it replaced or restored?"
_POSTGRES_NO_TABLE = ("42P01", "3F000")
_POSTGRES_OUTAGES = {
    "08": "the connection to PostgreSQL is lost",
    "53": "PostgreSQL is out of a resource (disk, memory or connections); see its log",
    "57": "PostgreSQL is stopping, starting or cancelled the statement",
    "58": "PostgreSQL has trouble with its disk; see its log",
    "40": "PostgreSQL rolled the transaction back in a conflict; try again",
    "55": "a lock in PostgreSQL was held by another session for too long",
    "25006": "PostgreSQL is read-only (a standby, or default_transaction_read_only); connect to"
    " the primary",
}
_POSTGRES_REFUSALS = {
    "28": "PostgreSQL refuses the login; check user and password in storage.url",
    "3D000": "the PostgreSQL database doesn't exist; create it, or correct storage.url",
    "42501": "the PostgreSQL user lacks a right; grant it on the ledger's schema",
    "XX001": "PostgreSQL reports damaged data; restore a backup",
    "XX002": "PostgreSQL reports a damaged index; reindex, or restore a backup",
}
# What a pooler such as pgbouncer says instead of a server, which it does with states of its own.
_POOLER = (
    "unsupported startup parameter",
    "prepared statement",
)
_POOLER_CURE = (
    "a pooler stands before PostgreSQL and does not pass on what the ledger sets for its session;"
    " let storage.url lead to PostgreSQL itself, or set `ignore_startup_parameters = options` in"
    " pgbouncer"
)
# libpq gives no SQLSTATE for a refused connection attempt: only the server's words tell.
_CONNECT_REFUSALS = ("authentication failed", "does not exist", "no pg_hba.conf entry")


def translated(error: BaseException) -> Exception | None:
    """The ledger's own error for what a database driver raised; None where it is not a driver's."""
    if isinstance(error, exc.TimeoutError):
        return LedgerUnavailable("all connections to the ledger are busy; its database hangs")
    if isinstance(error, exc.DBAPIError):
        lost = error.connection_invalidated
        orig = error.orig if isinstance(error.orig, Exception) else error
    elif isinstance(error, sqlite3.Error | psycopg.Error):
        lost, orig = False, error
    elif isinstance(error, OSError):
        return LedgerUnavailable(f"the system refuses the ledger's file or socket: {error}")
    elif isinstance(error, OverflowError):
        # What Python's SQLite says of a whole number beyond 64 bits.
        return StatementRefused(f"the database refuses a statement: {error}")
    else:
        return None
    if isinstance(orig, sqlite3.Error):
        known = _sqlite(orig)
    elif isinstance(orig, psycopg.Error):
        known = _postgres(orig, lost=lost)
    else:
        known = None
    said = str(orig).strip().partition("\n")[0]
    return known or StatementRefused(f"the database refuses a statement: {said}")


def _sqlite(error: sqlite3.Error) -> LedgerUnavailable | LedgerRefused | None:
    name = getattr(error, "sqlite_errorname", "") or ""
    primary = "_".join(name.split("_")[:2])
    if primary in _SQLITE_OUTAGES:
        return LedgerUnavailable(f"{_SQLITE_OUTAGES[primary]} ({error})")
    if primary in _SQLITE_REFUSALS:
        return LedgerRefused(f"{_SQLITE_REFUSALS[primary]} ({error})")
    if primary == "SQLITE_ERROR" and str(error).startswith("no such table"):
        return TableMissing(f"{_TABLE_MISSING} ({error})")
    return None


def _postgres(error: psycopg.Error, *, lost: bool) -> LedgerUnavailable | LedgerRefused | None:
    state = error.sqlstate or ""
    said = str(error).strip().partition("\n")[0]
    if state in _POSTGRES_NO_TABLE:
        return TableMissing(f"{_TABLE_MISSING} ({said})")
    if any(words in said for words in _POOLER):
        return LedgerRefused(f"{_POOLER_CURE} ({said})")
    for table, kind in (
        (_POSTGRES_REFUSALS, LedgerRefused),
        (_POSTGRES_OUTAGES, LedgerUnavailable),
    ):
        cause = table.get(state) or table.get(state[:2])
        if cause:
            return kind(f"{cause} ({said})")
    connection = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    if connection and not state:
        if any(words in said for words in _CONNECT_REFUSALS):
            return LedgerRefused(f"PostgreSQL refuses the connection; correct storage.url ({said})")
        lost = True
    if lost:
        return LedgerUnavailable(f"{_POSTGRES_OUTAGES['08']}; is the server up? ({said})")
    return None
