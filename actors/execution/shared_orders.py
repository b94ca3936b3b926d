"""Shared reads of what rests: one look at the open orders for all who ask before it begins.

A plain object that the exchange actor owns; it sends nothing itself. Legs that end together are
cleaned up together, and how many questions that takes, the venue's hooks know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from messages.venue import OpenOrders, Resting, VenueError

GATHER = 0.25
"""Seconds that a look waits for others who want one: nobody is in a hurry to see what is left."""


class SharedOrders:
    """Who waits for the resting orders of which symbol.

    `start_after(seconds)` must call `begin()` after that delay, and read what it returns; the
    answer goes to `arrived`.
    """

    def __init__(self, start_after: Callable[[float], object]) -> None:
        self._start_after = start_after
        self._next: dict[str, asyncio.Future[OpenOrders | VenueError]] = {}
        self._under_way: dict[str, asyncio.Future[OpenOrders | VenueError]] = {}
        self._planned = False

    async def of(self, symbol: str) -> OpenOrders | VenueError:
        """What rests for a symbol, by a look that begins after this call."""
        future = self._next.get(symbol)
        if future is None:
            future = self._next[symbol] = asyncio.get_running_loop().create_future()
            self._plan()
        # Others wait for it, too, so one asker's end must not end it.
        return await asyncio.shield(future)

    def _plan(self) -> None:
        if self._next and not self._under_way and not self._planned:
            self._planned = True
            self._start_after(GATHER)

    def begin(self) -> tuple[str, ...]:
        """The symbols to read now."""
        self._planned = False
        self._under_way, self._next = self._next, {}
        return tuple(sorted(self._under_way))

    def arrived(self, answer: Resting | VenueError) -> None:
        """The look is over: answer who waits for it, and look again for those who came since."""
        waiting, self._under_way = self._under_way, {}
        for symbol, future in waiting.items():
            if future.done():
                continue
            future.set_result(
                answer if isinstance(answer, VenueError) else answer.by_symbol[symbol]
            )
        self._plan()
