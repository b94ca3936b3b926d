"""The lane of whatever asks the venue in this task; a shared read is raised by who joins it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from messages.budget import Lane


class Priority:
    """A lane that may be raised while its requests wait."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._raised: list[Callable[[], None]] = []

    def raise_to(self, lane: Lane) -> None:
        """Go into a better lane; a worse one changes nothing."""
        if lane < self.lane:
            self.lane = lane
            for call in tuple(self._raised):
                call()

    @contextmanager
    def told(self, on_raised: Callable[[], None]) -> Iterator[None]:
        """Have `on_raised` called, inside, each time the lane gets better."""
        self._raised.append(on_raised)
        try:
            yield
        finally:
            self._raised.remove(on_raised)


_current: ContextVar[Priority] = ContextVar("priority")


def current() -> Priority:
    """The priority of this task. Nobody said: somebody waits for an answer."""
    return _current.get(None) or Priority(Lane.ANSWER)


@contextmanager
def asking(priority: Priority | Lane) -> Iterator[Priority]:
    """Ask the venue in this lane, inside and in tasks that are started inside."""
    given = priority if isinstance(priority, Priority) else Priority(priority)
    token = _current.set(given)
    try:
        yield given
    finally:
        _current.reset(token)
