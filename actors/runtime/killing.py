"""Ending a task that may not want to end: cancelled, cancelled again, and at last given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# Seconds that a cancelled task gets to end before it is abandoned.
GRACE = 2.0
# Shares of the grace after which a cancellation that was swallowed is repeated.
_AGAIN = (0.5, 0.75)


class Killing:
    """Cancels at once, again while `grace` seconds pass, and then gives up.

    `cancel` is called each time, `give_up` at the end; `over` says that the task has ended.
    """

    __slots__ = ("_timers",)

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        grace: float,
        cancel: Callable[[], object],
        give_up: Callable[[], object],
    ) -> None:
        self._timers = [
            *(loop.call_later(grace * share, cancel) for share in _AGAIN),
            loop.call_later(grace, give_up),
        ]
        cancel()

    def over(self) -> None:
        for timer in self._timers:
            timer.cancel()
