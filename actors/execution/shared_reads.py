"""Shared reads of an account's positions: any number of askers, one request per window.

A plain object that the exchange actor owns; it sends nothing itself. Askers wait for a read that
*began* at or after an instant; a read is started only when somebody waits, never two at a time,
and never closer together than the freshness window, or than `AFTER_FILL` where somebody waits for
what an order has left. A read goes in the best lane of those who wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from messages.budget import Lane
from messages.venue import Scope, Snapshot, VenueError, VenueErrorKind
from venues.limits.priority import Priority, current

KEPT_READS = 8
"""Recent reads kept for verdicts: two confirm an absence, the rest show a flicker."""

CLOCK_JUMP = timedelta(seconds=1)
"""How far the wall clock may part from the loop's before earlier reads' instants mean nothing."""

AFTER_FILL = timedelta(seconds=0.2)
"""How close together reads may be while somebody waits for what an order of ours has left."""

PATIENCE = timedelta(seconds=45)
"""How long an asker waits before it is told that nothing is known."""


class _Waiting(NamedTuple):
    """Who waits for a read that begins at `wanted` or later, and `apart` from the last one."""

    wanted: datetime
    apart: timedelta
    lane: Lane
    future: asyncio.Future[Snapshot]


class SharedReads:
    """The queue of askers, and the last few reads.

    `start_after(seconds)` must ask `began()` after that delay, and where it says yes start one read
    that ends in `arrived(snapshot)`. What it returns takes the read back before it has begun.
    """

    def __init__(
        self,
        account: str,
        *,
        fresh: timedelta,
        now: Callable[[], datetime],
        start_after: Callable[[float], Callable[[], object]],
    ) -> None:
        self._account = account
        self._fresh = fresh
        self._now = now
        self._start_after = start_after
        self._waiting: list[_Waiting] = []
        self._recent: deque[Snapshot] = deque(maxlen=KEPT_READS)
        self._under_way = False
        self._planned: tuple[datetime, Callable[[], object]] | None = None
        self._offset: float | None = None
        self.priority = Priority(Lane.ROUND)
        """The lane of the read under way."""
        self._offset_of_read: float | None = None

    @property
    def recent(self) -> tuple[Snapshot, ...]:
        """The last reads, oldest first; none from before the wall clock jumped."""
        self._forget_if_clock_jumped()
        return tuple(self._recent)

    async def snapshot(
        self, not_before: datetime | None = None, *, after_fill: bool = False
    ) -> Snapshot:
        """A read that began at `not_before` or later (None: within the freshness window).

        It goes in the asking task's lane, or in a better one that others need it in. `after_fill`:
        the asker waits for what an order of ours has left.
        """
        wanted = not_before if not_before is not None else self._now() - self._fresh
        self._forget_if_clock_jumped()
        newest = self._recent[-1] if self._recent else None
        if newest is not None and newest.started_at >= wanted:
            return newest
        future: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        apart = min(AFTER_FILL, self._fresh) if after_fill else self._fresh
        lane = current().lane
        self._waiting.append(_Waiting(wanted, apart, lane, future))
        # One that it cannot serve waits behind it, so that one is helped by it, too.
        self.priority.raise_to(lane)
        self._pump()
        # Waiting for ever would be a silent end: a venue that never answers makes an unknown.
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                return await future
        except TimeoutError:
            return self.unknown("no read of the positions came back in time")

    def began(self) -> bool:
        """The read that was planned leaves now. False where none is planned (any more)."""
        if self._planned is None or self._under_way:
            return False
        self._under_way = True
        self._planned = None
        waiting = (each.lane for each in self._waiting if not each.future.done())
        self.priority = Priority(min(waiting, default=Lane.ROUND))
        return True

    def arrived(self, snapshot: Snapshot) -> None:
        """A read is in: answer whoever may use it, and start the next if others wait."""
        self._under_way = False
        self._planned = None
        self._forget_if_clock_jumped()
        if self._offset != self._offset_of_read:
            # It began by another clock than the one that it would be compared with.
            self._pump()
            return
        self._recent.append(snapshot)
        rest = []
        for each in self._waiting:
            if each.future.done():
                continue
            if snapshot.started_at >= each.wanted:
                each.future.set_result(snapshot)
            else:
                rest.append(each)
        self._waiting = rest
        self._pump()

    def refuse_all(self, why: str) -> None:
        """The account cannot be read now: nobody waits for that."""
        self._under_way = False
        if self._planned is not None:
            self._planned[1]()
            self._planned = None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.future.done():
                each.future.set_result(self.unknown(why))

    def unknown(self, why: str) -> Snapshot:
        """A read that shows nothing and says why: never an empty account."""
        at = self._now()
        return Snapshot(
            account=self._account,
            scope=Scope(settles=frozenset()),
            started_at=at,
            finished_at=at,
            problems=(VenueError(kind=VenueErrorKind.NETWORK, message=why),),
        )

    def _forget_if_clock_jumped(self) -> None:
        """A read from before a jump may seem to have begun after a change that it never saw."""
        offset = self._now().timestamp() - asyncio.get_running_loop().time()
        if self._offset is None or abs(offset - self._offset) > CLOCK_JUMP.total_seconds():
            self._offset = offset
            self._recent.clear()

    def _pump(self) -> None:
        # Nobody reads for one that has given up.
        self._waiting = [each for each in self._waiting if not each.future.done()]
        if self._under_way or not self._waiting:
            return
        self._forget_if_clock_jumped()
        self._offset_of_read = self._offset
        now = self._now()
        start = min(self._earliest(each) for each in self._waiting)
        # A wall clock that jumped back must not stretch a window into an hour.
        longest = max(self._fresh, timedelta(seconds=5))
        start = min(max(start, now), now + longest)
        if self._planned is not None:
            planned, take_back = self._planned
            if planned <= start:
                return
            # Somebody needs it sooner than those for whom it was planned.
            take_back()
        self._planned = (start, self._start_after((start - now).total_seconds()))

    def _earliest(self, waiting: _Waiting) -> datetime:
        """When a read for this asker may begin."""
        if not self._recent:
            return waiting.wanted
        return max(waiting.wanted, self._recent[-1].started_at + waiting.apart)
