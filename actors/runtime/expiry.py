"""Time-outs of asks: one timer for all that wait equally long, because nearly all are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actors.runtime.ports import Address, Reply

# When it is over, whom it was asked of, and what.
Waiting = tuple[float, Address, object]


class Expiry:
    """The asks that wait, by their time-out in seconds and in the order of their ends.

    `expire` is called with each that has waited too long. An answered ask is taken out again with
    `del expiry.waiting(timeout)[reply]`, and costs no timer.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        expire: Callable[[Address, Reply, object, float], object],
    ) -> None:
        self._loop = loop
        self._expire = expire
        self._by_timeout: dict[float, dict[Reply, Waiting]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}

    def waiting(self, timeout: float) -> dict[Reply, Waiting]:
        """Those that wait this long; whoever adds to it calls this each time, to arm the timer."""
        if timeout not in self._timers:
            self._timers[timeout] = self._loop.call_later(timeout, self._look, timeout)
            self._by_timeout.setdefault(timeout, {})
        return self._by_timeout[timeout]

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _look(self, timeout: float) -> None:
        del self._timers[timeout]
        waiting = self._by_timeout[timeout]
        # A timer may be early by the clock's resolution, as asyncio's own are.
        now = self._loop.time() + 1e-6
        for reply, (end, cell, request) in list(waiting.items()):
            if end > now:
                delay = end - self._loop.time()
                self._timers[timeout] = self._loop.call_later(delay, self._look, timeout)
                return
            del waiting[reply]
            self._expire(cell, reply, request, timeout)
        if not waiting:
            del self._by_timeout[timeout]
