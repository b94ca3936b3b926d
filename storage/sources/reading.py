"""Read-only access to a database that belongs to somebody else, by any SQLAlchemy URL.

A plain engine in a thread: a source is read once a scan, and so each driver that SQLAlchemy
knows will do, not only the asynchronous ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.pool import NullPool

from messages.values import Secret
from storage.engine import POSTGRES_ARGS, SQLITE_BUSY_SECONDS
from storage.errors import LedgerRefused, LedgerUnavailable, translated

T = TypeVar("T")
Record = Mapping[str, Any]

PATIENCE = 30.0
"""Seconds after which a read that has not come back is an outage."""


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
        self._reader = _engine(url, read_only=True)
        self._url = url

    async def fetch(self, query: str, **parameters: object) -> Sequence[Record]:
        """The rows of a query, by column name. Raises LedgerUnavailable or LedgerRefused."""

        def job() -> Sequence[Record]:
            with self._reader.connect() as connection:
                found = connection.execute(sa.text(query), parameters).mappings().all()
                return [dict(row) for row in found]

        return await _in_thread(job)

    async def tables(self, schema: str | None = None) -> frozenset[str]:
        """The names of the tables and views of a schema."""

        def job() -> frozenset[str]:
            inspector = sa.inspect(self._reader)
            names = inspector.get_table_names(schema) + inspector.get_view_names(schema)
            return frozenset(names)

        return await _in_thread(job)

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


async def _in_thread(job: Callable[[], T]) -> T:
    try:
        return await asyncio.wait_for(asyncio.to_thread(job), PATIENCE)
    except TimeoutError as error:
        raise LedgerUnavailable(f"the source has not answered for {PATIENCE:g} s") from error
    except (sa.exc.SQLAlchemyError, OSError) as error:
        outage = translated(error)
        if outage is not None:
            raise outage from error
        if isinstance(error, sa.exc.DBAPIError):
            raise LedgerRefused(f"the source refuses the query: {error.orig}") from error
        raise


def _engine(url: URL, *, read_only: bool) -> Engine:
    backend = url.get_backend_name()
    try:
        if backend == "sqlite":
            mode = "ro" if read_only else "rw"
            return sa.create_engine(
                url.set(
                    drivername="sqlite+pysqlite",
                    database=f"file:{url.database}",
                    query={"mode": mode, "uri": "true"},
                ),
                connect_args={"timeout": SQLITE_BUSY_SECONDS},
                poolclass=NullPool,
            )
        if backend == "postgresql":
            guard = " -c default_transaction_read_only=on" if read_only else ""
            arguments = {**POSTGRES_ARGS, "options": f"{POSTGRES_ARGS['options']}{guard}"}
            return sa.create_engine(url, connect_args=arguments, poolclass=NullPool)
        return sa.create_engine(url, poolclass=NullPool)
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise LedgerRefused(f"no driver is installed for the source's url: {error}") from None
