"""Names handlers that take too long, with their stacks. Ticks only while a handler awaits."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

from actors.runtime.events import SlowHandler

if TYPE_CHECKING:
    from actors.runtime.cell import Cell
    from actors.runtime.system import System


class Watchdog:
    """Watches the handlers that are suspended in an await; the others report themselves."""

    def __init__(self, system: System, limit: float) -> None:
        self._system = system
        self._limit = limit
        self._busy: dict[Cell, tuple[float, asyncio.Task[Any]]] = {}
        self._reported: dict[Cell, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, cell: Cell, task: asyncio.Task[Any]) -> None:
        loop = self._system.loop
        self._busy[cell] = (loop.time(), task)
        if self._timer is None:
            self._timer = loop.call_later(self._limit, self._look)

    def forget(self, cell: Cell) -> None:
        self._busy.pop(cell, None)
        if self._reported:
            self._reported.pop(cell, None)

    def was_slow(self, cell: Cell, handler: Any, seconds: float) -> None:
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
                stack = io.StringIO()
                task.print_stack(file=stack)
                self._report(cell, waited, stack.getvalue())
            else:
                left = self._limit - waited
                next_look = left if next_look is None else min(left, next_look)
        if next_look is not None:
            self._timer = self._system.loop.call_later(next_look, self._look)

    def _report(self, cell: Cell, seconds: float, stack: str) -> None:
        message = type(cell.current).__name__
        cell.log.warning("slow handler: {} for {:.3f} s", message, seconds)
        self._system.emit(
            SlowHandler(path=cell.path, message=message, seconds=seconds, stack=stack)
        )
