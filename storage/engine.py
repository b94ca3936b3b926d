"""From `storage.url` to SQLAlchemy engines, with each database's connection settings.

SQLite gets one connection that writes and a few that read; a database in memory is one
connection for both. PostgreSQL gets one pool.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from messages.values import Secret
from storage.errors import LedgerRefused, LedgerUnavailable

SQLITE_BUSY_SECONDS = 5.0
SQLITE_READERS = 3
POSTGRES_CONNECTIONS = 6
POOL_WAIT_SECONDS = 30.0

# A server that hangs, or a cut network, must end as an error within seconds, not as silence.
POSTGRES_ARGS: dict[str, object] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "sexton",
    # A pooler that hands each transaction to another server session knows no statement of before.
    "prepare_threshold": None,
    "options": "-c statement_timeout=20s -c lock_timeout=5s"
    " -c idle_in_transaction_session_timeout=5s -c timezone=UTC",
}


class OpenedFile:
    """The SQLite file that was opened, known by its device and inode. None: there is no file."""

    def __init__(self, path: Path | None) -> None:
        self.path = None if path is None else path.absolute()
        self._known: tuple[int, int] | None = None

    def remember(self) -> None:
        """From now on the file that is there, if one is, is the one that was opened."""
        if self.path is None:
            return
        # Only `stat`, here and below: to open and close the file would drop SQLite's own locks.
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._known = None
        except OSError as error:
            raise LedgerUnavailable(f"the SQLite file can't be looked at: {error}") from error
        else:
            self._known = (found.st_dev, found.st_ino)

    def replaced(self) -> str:
        """What is there instead of the file that was opened; empty while it is that one."""
        if self.path is None or self._known is None:
            return ""
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return f"the ledger's file {self.path} is gone; it was deleted or moved"
        except OSError:
            # A disk in trouble is an outage, and told as one by whoever reads or writes.
            return ""
        if (found.st_dev, found.st_ino) == self._known:
            return ""
        return f"another file stands in the place of the ledger's file {self.path}"


class Engines(msgspec.Struct, frozen=True):
    """`read` and `write` are the same engine where there is one pool. `opened` is SQLite's file."""

    write: AsyncEngine
    read: AsyncEngine
    opened: OpenedFile

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for PostgreSQL, and for a database in memory."""
        return self.opened.path

    @property
    def sqlite(self) -> bool:
        return self.write.dialect.name == "sqlite"


def parse(url: Secret | str) -> URL:
    """The URL with the async driver in it. Raises LedgerRefused without showing the URL."""
    text = url.reveal() if isinstance(url, Secret) else url
    try:
        parsed = make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise LedgerRefused(
            "storage.url is no database URL; write sqlite:///PATH or postgresql://USER@HOST/NAME"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise LedgerRefused(f"storage.url names {backend!r}; only sqlite and postgresql are known")


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite URL; None for a database in memory."""
    name = url.database or ""
    if name in ("", ":memory:") or name.startswith("file::memory:"):
        return None
    return Path(name.removeprefix("file:"))


def make_engines(url: Secret | str, *, busy: float = SQLITE_BUSY_SECONDS) -> Engines:
    """Engines for a URL. Connects to nothing yet; makes the SQLite file's folder.

    `busy` is how many seconds SQLite waits for another process's lock.

    Raises LedgerRefused for an unusable URL, LedgerUnavailable where the folder can't be made.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "postgresql":
        engine = create_async_engine(
            parsed,
            connect_args=POSTGRES_ARGS,
            pool_size=POSTGRES_CONNECTIONS,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_pre_ping=True,
            pool_use_lifo=True,
        )
        return Engines(engine, engine, OpenedFile(None))
    file = sqlite_file(parsed)
    opened = OpenedFile(file)
    if file is None:
        engine = _sqlite_engine(parsed, opened, size=1, begin="BEGIN IMMEDIATE", busy=busy)
        return Engines(engine, engine, opened)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerUnavailable(f"the SQLite file's folder can't be made: {error}") from error
    return Engines(
        _sqlite_engine(parsed, opened, size=1, begin="BEGIN IMMEDIATE", busy=busy),
        _sqlite_engine(parsed, opened, size=SQLITE_READERS, begin="BEGIN", busy=busy),
        opened,
    )


def _sqlite_engine(
    url: URL, opened: OpenedFile, *, size: int, begin: str, busy: float
) -> AsyncEngine:
    engine = create_async_engine(
        url,
        # Without this the driver would open transactions by itself, and only before some writes.
        connect_args={"timeout": busy, "isolation_level": None},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_reset_on_return=None,
    )

    @sa.event.listens_for(engine.sync_engine, "do_connect")
    def _connecting(*_: object) -> None:
        # Connections to two files under one name would answer each with its own rows.
        why = opened.replaced()
        if why:
            raise LedgerRefused(f"{why}; the service must be started anew to use it")

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.driver_connection.text_factory = _lenient_text
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _lenient_text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
