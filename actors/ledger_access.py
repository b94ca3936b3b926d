"""How the ledger actor reaches its database: it waits out outages and reports stale leases.

What is read and written is in `actors.ledger`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from actors import paths
from actors.backoff import backoffs
from actors.runtime import Actor, DeferredReply
from messages.base import Done
from messages.ledger import Lease
from messages.to_ledger import LeaseLost
from storage import Ledger, LedgerUnavailable, StaleLease

T = TypeVar("T")

RETRY_FIRST = 0.2
RETRY_LAST = 5.0


class LedgerState(msgspec.Struct):
    """`outages` counts how often the database was lost; `why` is the last reason."""

    available: bool = True
    outages: int = 0
    why: str = ""
    writes: int = 0


class LedgerAccess(Actor[LedgerState]):
    """What every request of the ledger actor goes through.

    `leases` are those that this guard holds, by account; like the database they outlive
    incarnations.
    """

    def __init__(self, ledger: Ledger, leases: dict[str, Lease]) -> None:
        super().__init__(LedgerState())
        self._ledger = ledger
        self._leases = leases

    async def _fenced(
        self, account: str, work: Callable[[Lease | None], Awaitable[T]]
    ) -> T | DeferredReply[T]:
        # Losing an account to another guard is expected of the world, and met in this one place.
        try:
            return await self._through(lambda: work(self._leases.get(account)))
        except StaleLease as stale:
            # The lost lease is kept: without one, the account's next write would go unchecked.
            self.log.error("Another guard has {}: {}", account, stale)
            self.tell(paths.KEEPER, LeaseLost(account=account))
            never: DeferredReply[T] = self.later()
            return never

    async def _written(
        self, account: str, work: Callable[[Lease | None], Awaitable[object]]
    ) -> Done | DeferredReply[Done]:
        async def done(lease: Lease | None) -> Done:
            await work(lease)
            return Done()

        return await self._fenced(account, done)

    async def _through(self, work: Callable[[], Awaitable[T]]) -> T:
        delays = backoffs(RETRY_FIRST, RETRY_LAST)
        while True:
            # An outage of the database is the outside world's doing, and waiting for it here
            # keeps every other actor free of it; each transaction may be repeated safely.
            try:
                result = await work()
            except LedgerUnavailable as outage:
                if self.state.available:
                    self.state.outages += 1
                    self.log.error("Ledger unavailable, holding all writes: {}", outage)
                self.state.available = False
                self.state.why = str(outage)
                await asyncio.sleep(next(delays))
                continue
            if not self.state.available:
                self.log.info("Ledger available again")
            self.state.available = True
            self.state.writes += 1
            return result
