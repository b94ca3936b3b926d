"""Runs transactions to their end, whatever becomes of the one who asked.

A job is a plain function of a SQLAlchemy connection. It runs in a task of its own, so that an
actor killed in mid-write leaves a transaction that commits or rolls back as a whole. Writes share
transactions (`writing`), reads of one kind share queries (`reading`).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from messages.ledger import Lease
from storage.engine import Engines
from storage.errors import LedgerUnavailable, StaleLease, translated
from storage.reading import K, KeyedJob, R, SharedReads
from storage.tables import leases
from storage.writing import Job, WriteQueue

T = TypeVar("T")
Insert = sqlite.Insert | postgresql.Insert

# Deadlocks and serialisation failures are answers that mean "once more".
CONFLICTS = ("40001", "40P01")
CONFLICT_TRIES = 3


class Database:
    """The engines, and the rules under which transactions run on them.

    `patience` is how many seconds a caller waits for one transaction before it is told that the
    ledger is unavailable; the transaction itself is left to finish. With `in_order` a read waits
    for the writes that were asked for before it.
    """

    def __init__(
        self, engines: Engines, *, now: Callable[[], datetime], patience: float = 30.0
    ) -> None:
        self.engines = engines
        self.now = now
        self._patience = patience
        self._running: set[asyncio.Task[object]] = set()
        self._writes = WriteQueue(
            functools.partial(self._transaction, engines.write), check_lease, _conflict
        )
        self._reads = SharedReads(
            functools.partial(self._transaction, engines.read, lease=None), self._written
        )
        self.in_order = False

    @property
    def sqlite(self) -> bool:
        return self.engines.sqlite

    async def read(self, job: Job[T]) -> T:
        """Run a reading job in a transaction.

        Raises LedgerUnavailable, LedgerRefused or StatementRefused.
        """
        task = asyncio.ensure_future(self._read(job, self._writes.asked))
        self._keep(task)
        return await self._answer(task)

    async def read_shared(self, kind: Hashable, key: K, job: KeyedJob[K, R]) -> R:
        """As `read`, together with whoever asks for another key of this kind meanwhile.

        `job` reads all the keys that it is given, and answers each; those of one kind are alike.
        """
        task = self._reads.join(kind, key, self._writes.asked, job)
        self._keep(task)
        return (await self._answer(task))[key]

    async def write(
        self, job: Job[T], *, lease: Lease | None = None, urgent: bool = False, alone: bool = False
    ) -> T:
        """Run a writing job in a transaction that commits as a whole.

        Other writes share the transaction, those that are `urgent` before the others; what fails
        in a job is undone and told to its asker alone. `alone`: in one of its own, for what has
        effects elsewhere or lasts long. A job may run more than once, each time from nothing.

        Raises StaleLease where `lease` is no longer the account's own, LedgerUnavailable,
        LedgerRefused or StatementRefused; in each case nothing was written, but after
        LedgerUnavailable because of a lost connection nobody knows: repeat the call.
        """
        return await self._answer(self._writes.put(job, lease, urgent=urgent, alone=alone).answer)

    async def close(self) -> None:
        """Let what runs end, for as long as `patience` allows; then close all connections."""
        await self._let_end()
        self._writes.close()
        await self.engines.write.dispose()
        if self.engines.read is not self.engines.write:
            await self.engines.read.dispose()

    async def _let_end(self) -> None:
        # What is left of the time is everybody's, however many transactions still wait.
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        while running := {*self._running, *filter(None, (self._writes.task,))}:
            _, stuck = await asyncio.wait(
                running, timeout=until - loop.time(), return_when=asyncio.ALL_COMPLETED
            )
            if not stuck:
                await asyncio.sleep(0)  # the next transaction begins once this one has ended
                continue
            self._writes.close()
            for task in stuck:
                task.cancel()
            await asyncio.wait(stuck, timeout=self._patience)
            return

    async def _read(self, job: Job[T], asked: int) -> T:
        await self._written(asked)
        return await self._transaction(self.engines.read, job, None)

    async def _written(self, number: int) -> None:
        if self.in_order:
            await self._writes.after(number)

    def _keep(self, task: asyncio.Task[object]) -> None:
        if task not in self._running:
            self._running.add(task)
            task.add_done_callback(self._ended)

    async def _answer(self, answer: asyncio.Future[T]) -> T:
        done, _ = await asyncio.wait({answer}, timeout=self._patience)
        if not done:
            raise LedgerUnavailable(
                f"the ledger has not answered for {self._patience:g} s; is its database hanging?"
            )
        return answer.result()

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
