"""Read-only access to a database that belongs to somebody else, by any SQLAlchemy URL.

A plain engine in a thread: a source is read once a scan, and so each driver that SQLAlchemy
knows will do, not only the asynchronous ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.pool import NullPool

from messages.values import Secret
from storage.engine import POSTGRES_ARGS, SQLITE_BUSY_SECONDS
from storage.errors import (
    LedgerRefused,
    LedgerUnavailable,
    StatementRefused,
    TableMissing,
    translated,
)
from storage.sources.sqlite_files import FileChanged, readable

T = TypeVar("T")
Record = Mapping[str, Any]

PATIENCE = 30.0
"""Seconds after which a read that has not come back is an outage."""

TRIES = 5
TRY_AGAIN_SECONDS = 0.2
"""A file that was written to while it was read is read again so often, so much later."""

READ_ONLY = (
    "the source is read-only to the guard; where a mere read says so, run the guard as the bot's"
    " user, or mount the folder of its database read-only"
)


def parse_source(url: Secret) -> URL:
    """The source's URL. Raises LedgerRefused without showing it."""
    try:
        parsed = make_url(url.reveal())
    except (sa.exc.ArgumentError, ValueError):
        raise LedgerRefused("the source's url is no database URL") from None
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


class ForeignDatabase:
    """Somebody else's database. Reads can't write: SQLite is opened so, PostgreSQL told so.

    With another database, give the source a user that may only read.
    """

    def __init__(self, url: URL) -> None:
        self.backend = url.get_backend_name()
        self._file = Path(url.database or "") if self.backend == "sqlite" else None
        self._reader = _engine(url, read_only=True)
        self._url = url

    async def fetch(self, query: str, **parameters: object) -> Sequence[Record]:
        """The rows of a query, by column name. Raises LedgerUnavailable or LedgerRefused."""
        (found,) = await self.fetch_together(query, **parameters)
        return found

    async def fetch_together(
        self, *queries: str, **parameters: object
    ) -> tuple[Sequence[Record], ...]:
        """The rows of several queries, all of one moment.

        Raises LedgerUnavailable or LedgerRefused.
        """

        def read(connection: sa.Connection) -> tuple[Sequence[Record], ...]:
            return tuple(
                [dict(row) for row in connection.execute(sa.text(query), parameters).mappings()]
                for query in queries
            )

        return await _in_thread(lambda: self._reading(read))

    async def fetch_foreign(self, query: str) -> Sequence[Record]:
        """The rows of a query that somebody else wrote, which may try to be more than a query.

        It becomes part of a statement with a parameter: so it can't be a statement of another
        kind, and PostgreSQL takes no second one behind it.
        """
        if self.backend not in ("sqlite", "postgresql"):
            return await self.fetch(query)
        inner = query.strip().removesuffix(";")
        # The line ends what may be a comment.
        return await self.fetch(f"SELECT * FROM (\n{inner}\n) AS q WHERE 1 = :once", once=1)  # noqa: S608

    async def tables(self, schema: str | None = None) -> frozenset[str]:
        """The names of the tables and views of a schema."""

        def read(connection: sa.Connection) -> frozenset[str]:
            inspector = sa.inspect(connection)
            names = inspector.get_table_names(schema) + inspector.get_view_names(schema)
            return frozenset(names)

        return await _in_thread(lambda: self._reading(read))

    def _reading(self, job: Callable[[sa.Connection], T]) -> T:
        if self._file is None:
            return _in_transaction(self._reader, job)
        for tries_left in reversed(range(TRIES)):
            try:
                with readable(self._file) as way:
                    return _in_transaction(_sqlite_engine(way.file, way.query), job)
            except FileChanged as why:
                if not tries_left:
                    raise LedgerUnavailable(f"the source could not be read: {why}") from why
            time.sleep(TRY_AGAIN_SECONDS)
        raise AssertionError("the last try either returns or raises")

    async def write(self, statement: str, parameters: Sequence[Record]) -> tuple[bool, ...]:
        """Run a statement once for each set of parameters, in one transaction.

        Returns for each whether it changed a row. Only for sources that allow writing back.
        """

        def job() -> tuple[bool, ...]:
            engine = _engine(self._url, read_only=False)
            with engine.begin() as connection:
                return tuple(
                    connection.execute(sa.text(statement), dict(one)).rowcount > 0
                    for one in parameters
                )

        return await _in_thread(job)


def _in_transaction(engine: Engine, job: Callable[[sa.Connection], T]) -> T:
    """Run a job that reads, all at one moment; whatever it has done is rolled back."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        elif engine.dialect.name == "postgresql":
            # Once it has read, a transaction can't be made to write any more.
            connection.exec_driver_sql("SELECT 1")
        return job(connection)


async def _in_thread(job: Callable[[], T]) -> T:
    try:
        return await asyncio.wait_for(asyncio.to_thread(job), PATIENCE)
    except TimeoutError as error:
        raise LedgerUnavailable(f"the source has not answered for {PATIENCE:g} s") from error
    except (sa.exc.SQLAlchemyError, OSError) as error:
        known = translated(error)
        if isinstance(known, TableMissing | StatementRefused):
            said = getattr(error, "orig", error)
            raise LedgerRefused(f"the source refuses the query: {said}") from error
        if known is not None and "SQLITE_READONLY" in str(
            getattr(getattr(error, "orig", None), "sqlite_errorname", "")
        ):
            raise LedgerUnavailable(f"{READ_ONLY} ({getattr(error, 'orig', error)})") from error
        raise known or LedgerRefused(f"the source refuses the query: {error}") from error


def _sqlite_engine(file: Path, query: Mapping[str, str], *, autocommit: bool = True) -> Engine:
    """An engine for a file. In autocommit a reader may say itself where its moment begins."""
    level: dict[str, object] = {"isolation_level": None} if autocommit else {}
    return sa.create_engine(
        URL.create(
            "sqlite+pysqlite", database=f"file:{quote(str(file))}", query={**query, "uri": "true"}
        ),
        connect_args={"timeout": SQLITE_BUSY_SECONDS, **level},
        poolclass=NullPool,
    )


def _engine(url: URL, *, read_only: bool) -> Engine:
    backend = url.get_backend_name()
    try:
        if backend == "sqlite":
            mode = "ro" if read_only else "rw"
            return _sqlite_engine(Path(url.database or ""), {"mode": mode}, autocommit=read_only)
        if backend == "postgresql" and read_only:
            options = f"{POSTGRES_ARGS['options']} -c default_transaction_read_only=on"
            return sa.create_engine(
                url,
                connect_args={**POSTGRES_ARGS, "options": options},
                poolclass=NullPool,
                execution_options={"postgresql_readonly": True},
                isolation_level="REPEATABLE READ",
            )
        arguments = POSTGRES_ARGS if backend == "postgresql" else {}
        return sa.create_engine(url, connect_args=arguments, poolclass=NullPool)
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise LedgerRefused(f"no driver is installed for the source's url: {error}") from None
