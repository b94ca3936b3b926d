"""asyncio's own loop in virtual time: nothing is waited for, and ready tasks run in drawn order.

detangle's loop can do more and costs twenty times as much a step; here thousands of trees are run.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

TURNS = 50_000
"""Turns of the loop after which a test is taken to run in circles."""


class Hang(AssertionError):
    """Nothing is ready and nothing is planned, or there is no end to it."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Time jumps to the next timer. `each_turn` is called after every turn of the loop."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._virtual = 0.0
        self._turns = 0
        self._rng = rng
        self._selector = self  # asked for events by `_run_once`
        self.each_turn: Callable[[], object] = lambda: None
        self.failures: list[BaseException] = []
        self.set_exception_handler(self._note_failure)

    def time(self) -> float:
        return self._virtual

    def select(self, timeout: float | None) -> list[Any]:
        """What `_run_once` calls between two turns."""
        self.each_turn()
        self._turns += 1
        if self._turns > TURNS:
            raise Hang(f"no end after {TURNS} turns, {self._virtual} s")
        if self.failures:
            raise self.failures.pop()
        if timeout is None:
            raise Hang("nothing is ready and no timer is set")
        self._virtual += timeout
        if len(self._ready) > 1:  # type: ignore[attr-defined]  # asyncio's own queue
            self._shuffle()
        return []

    def _shuffle(self) -> None:
        """Another order of the ready handles; of callbacks of one kind none overtakes another."""
        ready = self._ready  # type: ignore[attr-defined]
        lanes: dict[int, list[Any]] = {}
        for handle in ready:
            owner = getattr(handle._callback, "__self__", None)
            lane = id(owner) if isinstance(owner, asyncio.Task) else 0
            lanes.setdefault(lane, []).append(handle)
        if len(lanes) == 1:
            return
        order = [lane for lane, handles in lanes.items() for _ in handles]
        self._rng.shuffle(order)
        ready.clear()
        ready.extend(lanes[lane].pop(0) for lane in order)

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _note_failure(self, loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception") or RuntimeError(context.get("message"))
        self.failures.append(error)
