"""Names handlers that take too long, with their stacks.

`Watchdog` lives on the loop and ticks only while a handler awaits; `LoopGuard` is a thread, for
a service that wants to know what blocks the loop while it is blocked.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from typing import Any

from actors.runtime.events import SlowHandler
from actors.runtime.ports import Address, Host


class Watchdog:
    """Watches the handlers that are suspended in an await; the others report themselves."""

    def __init__(self, system: Host, limit: float) -> None:
        self._system = system
        self._limit = limit
        self._busy: dict[Address, tuple[float, asyncio.Task[Any]]] = {}
        self._reported: dict[Address, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, cell: Address, task: asyncio.Task[Any]) -> None:
        loop = self._system.loop
        self._busy[cell] = (loop.time(), task)
        if self._timer is None:
            self._timer = loop.call_later(self._limit, self._look)

    def forget(self, cell: Address) -> None:
        self._busy.pop(cell, None)
        if self._reported:
            self._reported.pop(cell, None)

    def was_slow(self, cell: Address, handler: Any, seconds: float) -> None:
        """A handler that never awaited held the loop for this long."""
        code = getattr(handler, "__code__", None)
        where = f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(handler)
        self._report(cell, seconds, f"{where} in {getattr(handler, '__qualname__', handler)}")

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._busy.clear()

    def _look(self) -> None:
        self._timer = None
        now = self._system.loop.time()
        next_look: float | None = None
        for cell, (since, task) in self._busy.items():
            waited = now - since
            if cell in self._reported:
                continue
            if waited >= self._limit * 0.999:
                self._reported[cell] = None
                self._report(cell, waited, stack_of(task))
            else:
                left = self._limit - waited
                next_look = left if next_look is None else min(left, next_look)
        if next_look is not None:
            self._timer = self._system.loop.call_later(next_look, self._look)

    def _report(self, cell: Address, seconds: float, stack: str) -> None:
        message = cell.latest
        cell.log.warning("slow handler: {} for {:.3f} s", message, seconds)
        self._system.emit(
            SlowHandler(path=cell.path, message=message, seconds=seconds, stack=stack)
        )


def stack_of(task: asyncio.Task[Any]) -> str:
    """Where a suspended task waits, outermost first; asyncio itself shows the outermost only."""
    lines: list[str] = []
    waiting: Any = task.get_coro()
    while (frame := getattr(waiting, "cr_frame", None)) is not None:
        lines += traceback.format_stack(frame, limit=1)
        waiting = getattr(waiting, "cr_await", None)
    return "".join(lines)


class LoopGuard:
    """Names what blocks the loop's thread. A thread of its own: switched on by `start` only.

    It pings the loop; where no answer comes within `limit` seconds, it reads the stack of the
    loop's thread and reports it, once for each time that the loop is blocked.
    """

    def __init__(self, system: Host, limit: float) -> None:
        self._system = system
        self._limit = limit
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop_thread = 0

    def start(self) -> None:
        """Begin to watch. To be called on the loop's thread."""
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="loop-guard", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()

    def _watch(self) -> None:
        loop = self._system.loop
        while not self._over.wait(self._limit / 2):
            answered = threading.Event()
            try:
                loop.call_soon_threadsafe(answered.set)
            except RuntimeError:
                return  # the loop is closed: nothing is left to guard
            if answered.wait(self._limit) or self._over.is_set():
                continue
            task = asyncio.current_task(loop)
            path = task.get_name() if task is not None else ""
            frame = sys._current_frames().get(self._loop_thread)
            stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
            self._system.loop_blocked(path, self._limit, stack)
            answered.wait()
