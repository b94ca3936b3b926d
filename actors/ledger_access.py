"""How the ledger actor reaches its database: it waits out outages and reports stale leases.

Requests go on beneath the actor, many at a time: what comes together shares transactions and
queries, which is `storage`'s. An actor that is killed fails nobody but the one whose request it
has in hand; those under way are answered all the same. What is read and written is in
`actors.ledger`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import msgspec

from actors import paths
from actors.backoff import backoffs
from actors.runtime import Actor, DeferredReply, handles
from messages.base import Done
from messages.ledger import Lease
from messages.to_ledger import LeaseLost
from storage import Ledger, LedgerUnavailable, StaleLease

T = TypeVar("T")

RETRY_FIRST = 0.2
RETRY_LAST = 5.0

MOST_UNDER_WAY = 500
"""Requests that may be under way; those behind them wait in the mailbox, and its bound holds."""


class LedgerState(msgspec.Struct):
    """`outages` counts how often the database was lost; `why` is the last reason."""

    available: bool = True
    outages: int = 0
    why: str = ""
    writes: int = 0
    under_way: int = 0


class RequestFailed(msgspec.Struct, frozen=True):
    """To the ledger actor itself: a request under way has met an error that nobody foresaw."""

    error: Any


class UnderWay:
    """The requests under way, which like the database outlive incarnations of the actor.

    While the database is away those that have met the outage are tried again together, in the
    order in which they were asked for, and nothing new begins: nobody overtakes.
    """

    def __init__(self) -> None:
        self.state = LedgerState()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[asyncio.Task[Any]] = set()
        self._again: asyncio.Future[None] | None = None
        self._delays = backoffs(RETRY_FIRST, RETRY_LAST)
        self._free = asyncio.Event()
        self._free.set()

    async def free(self) -> None:
        """Wait until another request may begin."""
        while not self._free.is_set():
            await self._free.wait()

    def begin(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(job, name=f"{paths.LEDGER} request")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        self._changed()

    def met(self, outage: LedgerUnavailable) -> bool:
        """The running request has met an outage. Whether it is news."""
        news = not self._held
        self._held.add(_me())
        if news:
            self.state.outages += 1
        self.state.available = False
        self.state.why = str(outage)
        self._changed()
        return news

    async def again(self) -> None:
        """Wait until those that have met the outage are tried again."""
        if self._again is None:
            loop = asyncio.get_running_loop()
            self._again = loop.create_future()
            loop.call_later(next(self._delays), self._try_again)
        await asyncio.wait({self._again})

    def succeeded(self) -> bool:
        """The running request has had its answer. Whether an outage has ended with it."""
        self.state.writes += 1
        self._held.discard(_me())
        if self._held or self.state.available:
            return False
        self.state.available = True
        self._delays = backoffs(RETRY_FIRST, RETRY_LAST)
        self._changed()
        return True

    async def all_ended(self) -> None:
        """Wait for all of them, for a stop; if that is cut off, so are they."""
        # A stop has its time, and a request that outlived it would write for nobody.
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()

    def _try_again(self) -> None:
        again, self._again = self._again, None
        if again is not None:
            again.set_result(None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._held.discard(task)
        self._changed()

    def _changed(self) -> None:
        self.state.under_way = len(self._tasks)
        if self._held or len(self._tasks) >= MOST_UNDER_WAY:
            self._free.clear()
        else:
            self._free.set()


def _me() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


class LedgerAccess(Actor[LedgerState]):
    """What every request of the ledger actor goes through.

    `leases` are those that this guard holds, by account; like the database and what is
    `under_way` in it they outlive incarnations.
    """

    def __init__(
        self, ledger: Ledger, leases: dict[str, Lease], under_way: UnderWay | None = None
    ) -> None:
        self._under_way = under_way or UnderWay()
        super().__init__(self._under_way.state)
        self._ledger = ledger
        self._leases = leases
        # Requests are under way together, and their askers expect what they are used to.
        ledger.keep_order()

    async def on_stop(self) -> None:
        await self._under_way.all_ended()

    @handles
    def request_failed(self, message: RequestFailed) -> None:
        raise message.error

    async def _fenced(
        self, account: str, work: Callable[[Lease | None], Awaitable[T]]
    ) -> DeferredReply[T]:
        return await self._through(lambda: work(self._leases.get(account)), account)

    async def _written(
        self, account: str, work: Callable[[Lease | None], Awaitable[object]]
    ) -> DeferredReply[Done]:
        async def done(lease: Lease | None) -> Done:
            await work(lease)
            return Done()

        return await self._fenced(account, done)

    async def _done(self, work: Callable[[], Awaitable[object]]) -> DeferredReply[Done]:
        async def done() -> Done:
            await work()
            return Done()

        return await self._through(done)

    async def _through(
        self, work: Callable[[], Awaitable[T]], account: str = ""
    ) -> DeferredReply[T]:
        """Begin a request, once there is room; its answer comes whatever becomes of the actor."""
        await self._under_way.free()
        answer: DeferredReply[T] = self.later(outlives=True)
        self._under_way.begin(self._carry_out(work, account, answer))
        return answer

    async def _carry_out(
        self, work: Callable[[], Awaitable[T]], account: str, answer: DeferredReply[T]
    ) -> None:
        while True:
            # An outage of the database is the outside world's doing, and waiting for it here
            # keeps every other actor free of it; each transaction may be repeated safely. Losing
            # an account to another guard is expected of the world, and met in this one place.
            # Anything else crashes the actor, after its asker has been told: the others go on.
            try:
                result = await work()
            except LedgerUnavailable as outage:
                if self._under_way.met(outage):
                    self.log.error("Ledger unavailable, holding all writes: {}", outage)
                await self._under_way.again()
            except StaleLease as stale:
                # The lost lease is kept: without one, the account's next write would go unchecked.
                self.log.error("Another guard has {}: {}", account, stale)
                self.tell(paths.KEEPER, LeaseLost(account=account))
                return
            except Exception as error:  # noqa: BLE001
                answer.crash(error)
                self.tell_self(RequestFailed(error))
                return
            else:
                if self._under_way.succeeded():
                    self.log.info("Ledger available again")
                answer.set(result)
                return
