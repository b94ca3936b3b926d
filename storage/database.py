"""Runs transactions: one at a time to its end, whatever becomes of the one who asked.

A job is a plain function of a SQLAlchemy connection. It runs in a task of its own, so that an
actor killed in mid-write leaves a transaction that commits or rolls back as a whole.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from messages.ledger import Lease
from storage.engine import Engines
from storage.errors import LedgerUnavailable, StaleLease, translated
from storage.tables import leases

T = TypeVar("T")
Insert = sqlite.Insert | postgresql.Insert
Job = Callable[[Connection], T]

# Deadlocks and serialisation failures are answers that mean "once more".
CONFLICTS = ("40001", "40P01")
CONFLICT_TRIES = 3


class Database:
    """The engines, and the rules under which transactions run on them.

    `patience` is how many seconds a caller waits for one transaction before it is told that the
    ledger is unavailable; the transaction itself is left to finish.
    """

    def __init__(
        self, engines: Engines, *, now: Callable[[], datetime], patience: float = 30.0
    ) -> None:
        self.engines = engines
        self.now = now
        self._patience = patience
        self._running: set[asyncio.Task[object]] = set()

    @property
    def sqlite(self) -> bool:
        return self.engines.sqlite

    async def read(self, job: Job[T]) -> T:
        """Run a reading job in a transaction.

        Raises LedgerUnavailable, LedgerRefused or StatementRefused.
        """
        return await self._shielded(self.engines.read, job, None)

    async def write(self, job: Job[T], *, lease: Lease | None = None) -> T:
        """Run a writing job in a transaction that commits as a whole.

        Raises StaleLease where `lease` is no longer the account's own, LedgerUnavailable,
        LedgerRefused or StatementRefused; in each case nothing was written, but after
        LedgerUnavailable because of a lost connection nobody knows: repeat the call.
        """
        return await self._shielded(self.engines.write, job, lease)

    async def close(self) -> None:
        """Let what runs end, for as long as `patience` allows; then close all connections."""
        if self._running:
            _, stuck = await asyncio.wait(self._running, timeout=self._patience)
            for task in stuck:
                task.cancel()
            if stuck:
                await asyncio.wait(stuck, timeout=self._patience)
        await self.engines.write.dispose()
        if self.engines.read is not self.engines.write:
            await self.engines.read.dispose()

    async def _shielded(self, engine: AsyncEngine, job: Job[T], lease: Lease | None) -> T:
        task = asyncio.ensure_future(self._transaction(engine, job, lease))
        self._running.add(task)
        task.add_done_callback(self._ended)
        done, _ = await asyncio.wait({task}, timeout=self._patience)
        if not done:
            raise LedgerUnavailable(
                f"the ledger has not answered for {self._patience:g} s; is its database hanging?"
            )
        return task.result()

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # a caller who went away leaves nobody else to look at it

    async def _transaction(self, engine: AsyncEngine, job: Job[T], lease: Lease | None) -> T:
        for tries_left in reversed(range(CONFLICT_TRIES)):
            try:
                async with engine.begin() as connection:
                    return await connection.run_sync(_fenced, job, lease)
            except (sa.exc.SQLAlchemyError, OSError, OverflowError) as error:
                if tries_left and _conflict(error):
                    continue
                known = translated(error)
                if known is None:
                    raise
                raise known from error
        raise AssertionError("the last try either returns or raises")


def _fenced(connection: Connection, job: Job[T], lease: Lease | None) -> T:
    if lease is not None:
        check_lease(connection, lease)
    return job(connection)


_MINE = (
    sa.select(leases.c.token)
    .where(*(leases.c[name] == sa.bindparam(name) for name in ("account", "token", "holder")))
    .with_for_update(read=True)
)


def check_lease(connection: Connection, lease: Lease) -> None:
    """Raise StaleLease unless the lease is the account's own.

    Its row stays locked until the commit, so that nobody takes the account over in mid-write.
    """
    mine = {"account": lease.account, "token": lease.token, "holder": lease.holder}
    if connection.execute(_MINE, mine).first() is None:
        raise StaleLease(
            f"the lease of {lease.account} with token {lease.token} is no longer held by"
            f" {lease.holder}: another guard has taken the account over, nothing was written"
        )


def _conflict(error: BaseException) -> bool:
    orig = getattr(error, "orig", None)
    return getattr(orig, "sqlstate", None) in CONFLICTS


def insert(connection: Connection, table: sa.Table) -> Insert:
    """The dialect's own INSERT: both know ON CONFLICT, SQLAlchemy's general one doesn't.

    The same object each time, so that SQLAlchemy works out only once what it says: values go to
    `execute` beside it.
    """
    return _insert(connection.dialect.name, table)


@functools.cache
def _insert(dialect: str, table: sa.Table) -> Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
