"""A message to oneself, later. It dies with the incarnation that planned it."""

from __future__ import annotations

import asyncio
import math

from actors.runtime.ports import Owner


class Timer:
    """A planned message. `cancel()` may be called at any time, more than once."""

    __slots__ = ("_handle", "_life", "_message", "_queued")

    def __init__(self, life: Owner, delay: float, message: object) -> None:
        if not delay < math.inf:
            raise ValueError(f"delay is {delay!r}; it is a number of seconds")
        self._life = life
        self._message = message
        self._queued = False
        self._handle: asyncio.TimerHandle = life.cell.system.loop.call_later(
            max(0.0, delay), self._fire
        )
        life.timers[self] = None

    @property
    def active(self) -> bool:
        """Whether the message is still to come into the mailbox."""
        return self in self._life.timers

    def cancel(self) -> None:
        """Take the plan back. A message that is already in the mailbox stays there."""
        self._handle.cancel()
        self._life.timers.pop(self, None)

    def _fire(self) -> None:
        self._life.timers.pop(self, None)
        self._life.cell.accept_own(self._message, self._life)
