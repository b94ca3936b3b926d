"""Lets aiosqlite run under a simulated loop: its jobs run on the loop, not in a thread.

aiosqlite hands each SQLite call to a thread through a queue; a simulated loop can order neither.
Here the queue itself runs the calls, in the same order, after a latency drawn by the simulation.
Real SQLite answers them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiosqlite.core
import detangle

Job = tuple["asyncio.Future[object] | None", Callable[[], object]]

MAX_LATENCY = 0.004
"""Seconds that a call takes at most, in virtual time."""


class _JobsOnLoop:
    """Stands where aiosqlite has its SimpleQueue; one call at a time, first come first served."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._busy = False

    def put_nowait(self, job: Job) -> None:
        self._waiting.append(job)
        if not self._busy:
            self._busy = True
            self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        latency = detangle.uniform(0.0, MAX_LATENCY) if detangle.in_simulation() else 0.0
        loop.call_later(latency, self._run)

    def _run(self) -> None:
        future, function = self._waiting.popleft()
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits the call
            if future is not None and not future.done():
                future.set_exception(error)
        else:
            if future is not None and not future.done():
                future.set_result(result)
        if self._waiting:
            self._schedule()
        else:
            self._busy = False


class _NoThread:
    """Stands where aiosqlite has its Thread: there is nothing to start."""

    daemon = True

    def __init__(self, **_arguments: object) -> None:
        pass

    def start(self) -> None:
        pass


@contextmanager
def aiosqlite_on_loop() -> Iterator[None]:
    """Within it, every new aiosqlite connection runs its calls on the running loop."""
    core = vars(aiosqlite.core)
    kept = {name: core[name] for name in ("SimpleQueue", "Thread")}
    core.update(SimpleQueue=_JobsOnLoop, Thread=_NoThread)
    try:
        yield
    finally:
        core.update(kept)
