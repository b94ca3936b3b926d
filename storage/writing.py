"""Writes that come together share a transaction: fifty closes wait for one commit, not for fifty.

One transaction runs at a time, and what is asked for meanwhile is gathered for the next. Each
write has a savepoint and its lease checked in it, so that it fails alone; nobody is answered
before the commit. What is urgent goes first. How a transaction runs is `database`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy.engine import Connection

from messages.ledger import Lease
from storage.errors import LedgerUnavailable, translated

T = TypeVar("T")
Job = Callable[[Connection], T]
Outcome = tuple[Any, Exception | None]

MOST_TOGETHER = 50
"""Writes in one transaction: an urgent one never waits for more than these to end."""


class Write(Generic[T]):
    """One write on its way. `number` says what was asked for before what."""

    __slots__ = ("alone", "answer", "job", "lease", "number")

    def __init__(self, number: int, job: Job[T], lease: Lease | None, *, alone: bool) -> None:
        self.number = number
        self.job = job
        self.lease = lease
        self.alone = alone
        self.answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def end(self, result: T | None, error: Exception | None) -> None:
        if self.answer.done():
            return
        if error is not None:
            self.answer.set_exception(error)
            self.answer.exception()  # a caller who went away leaves nobody else to look at it
        else:
            self.answer.set_result(result)  # type: ignore[arg-type]  # None is a T where it is one


class WriteQueue:
    """The writes that wait, and the one transaction that runs.

    `run` runs one job in a transaction that checks its lease; without a lease none is checked.
    `check` does so within an open transaction.
    """

    def __init__(
        self,
        run: Callable[[Job[Any], Lease | None], Awaitable[Any]],
        check: Callable[[Connection, Lease], None],
        conflict: Callable[[BaseException], bool],
    ) -> None:
        self._run = run
        self._check = check
        self._conflict = conflict
        self.asked = 0
        self._urgent: deque[Write[Any]] = deque()
        self._others: deque[Write[Any]] = deque()
        self._batch: Sequence[Write[Any]] = ()
        self.task: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._closed = False

    def put(self, job: Job[T], lease: Lease | None, *, urgent: bool, alone: bool) -> Write[T]:
        self.asked += 1
        write = Write(self.asked, job, lease, alone=alone)
        (self._urgent if urgent else self._others).append(write)
        # Not at once: what else is asked for in this turn of the loop comes along.
        asyncio.get_running_loop().call_soon(self._begin)
        return write

    async def after(self, number: int) -> None:
        """Wait until no write up to this number is on its way.

        Raises LedgerUnavailable where one met an outage: it will be repeated, and a read that
        saw neither what was before nor what comes would be out of order.
        """
        while self._oldest <= number:
            if self._ended is None:
                self._ended = asyncio.get_running_loop().create_future()
            ended = self._ended
            await asyncio.wait({ended})
            ended.result()

    @property
    def _oldest(self) -> float:
        waiting = (queue[0].number for queue in (self._urgent, self._others) if queue)
        running = (write.number for write in self._batch)
        return min(*waiting, *running, float("inf"), float("inf"))

    def close(self) -> None:
        """What still waits is told that it was not written; nothing begins any more."""
        self._closed = True
        closed = LedgerUnavailable("the ledger was closed before it had answered")
        for write in (*self._urgent, *self._others):
            write.end(None, closed)
        self._urgent.clear()
        self._others.clear()
        self._tell_ended(closed)

    def _begin(self) -> None:
        if self.task is None and not self._closed and (self._urgent or self._others):
            self._batch = tuple(self._next())
            self.task = asyncio.ensure_future(self._carry_out(self._batch))
            self.task.add_done_callback(self._done)

    def _next(self) -> list[Write[Any]]:
        batch: list[Write[Any]] = []
        for queue in (self._urgent, self._others):
            while queue and len(batch) < MOST_TOGETHER:
                if batch and (queue[0].alone or batch[0].alone):
                    return batch
                batch.append(queue.popleft())
        return batch

    def _done(self, task: asyncio.Task[None]) -> None:
        outage: LedgerUnavailable | None = None
        for write in self._batch:
            # One that was cut off has an answer as well.
            write.end(None, LedgerUnavailable("the ledger was closed before it had answered"))
            error = write.answer.exception()
            if isinstance(error, LedgerUnavailable):
                outage = error
        self._batch, self.task = (), None
        if not task.cancelled():
            task.result()
        self._tell_ended(outage)
        self._begin()

    def _tell_ended(self, outage: LedgerUnavailable | None) -> None:
        ended, self._ended = self._ended, None
        if ended is None:
            return
        if outage is None:
            ended.set_result(None)
        else:
            ended.set_exception(outage)
            ended.exception()  # those who wait may have gone

    async def _carry_out(self, batch: Sequence[Write[Any]]) -> None:
        if len(batch) > 1:
            # Any error is the askers', as if each had run the transaction itself.
            try:
                outcomes = await self._run(lambda connection: self._each(connection, batch), None)
            except LedgerUnavailable as outage:
                for write in batch:
                    write.end(None, outage)
                return
            except Exception:  # noqa: BLE001, S110  whose it is, is seen when each runs alone
                pass
            else:
                for write, (result, error) in zip(batch, outcomes, strict=True):
                    write.end(result, error)
                return
        outage_met: Exception | None = None
        for write in batch:
            if outage_met is not None:
                write.end(None, outage_met)  # a later one must not overtake it
                continue
            try:
                write.end(await self._run(write.job, write.lease), None)
            except Exception as error:  # noqa: BLE001  the asker's, whatever it is
                write.end(None, error)
                if isinstance(error, LedgerUnavailable):
                    outage_met = error

    def _each(self, connection: Connection, batch: Sequence[Write[Any]]) -> list[Outcome]:
        """Each write in a savepoint of its own. Raises what has cost the whole transaction."""
        outcomes: list[Outcome] = []
        for write in batch:
            connection.exec_driver_sql("SAVEPOINT one_write")
            try:
                if write.lease is not None:
                    self._check(connection, write.lease)
                result = write.job(connection)
            except Exception as error:
                if self._conflict(error):
                    raise  # the database wants the transaction once more
                try:
                    connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one_write")
                except Exception:  # noqa: BLE001  the transaction is gone, and the first error says why
                    raise error from None
                outcomes.append((None, translated(error) or error))
            else:
                outcomes.append((result, None))
            # A savepoint that was rolled back to is still there.
            connection.exec_driver_sql("RELEASE SAVEPOINT one_write")
        return outcomes
