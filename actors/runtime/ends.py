"""How an incarnation ends, and what others hear of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from actors.runtime.errors import Outage, in_words


class Reason(StrEnum):
    """Why an incarnation is no more. Abandoned: it was killed and did not end."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    KILLED = "killed"
    ABANDONED = "abandoned"
    CRASHED = "crashed"
    NO_SUCH_ACTOR = "no such actor"


class End(msgspec.Struct, frozen=True):
    """The end of one incarnation: the reason, the error, the message that it had in hand."""

    reason: Reason
    error: BaseException | None = None
    message: object = None

    @property
    def abnormal(self) -> bool:
        """Whether a transient child comes back after it."""
        return self.reason in (Reason.CRASHED, Reason.KILLED, Reason.ABANDONED)

    @property
    def outage(self) -> bool:
        return isinstance(self.error, Outage)

    def __str__(self) -> str:
        if self.error is None:
            return str(self.reason)
        return f"{self.reason}: {in_words(self.error)}"


NORMAL: Final = End(Reason.NORMAL)
SHUTDOWN: Final = End(Reason.SHUTDOWN)
KILLED: Final = End(Reason.KILLED)
ABANDONED: Final = End(Reason.ABANDONED)


class Down(msgspec.Struct, frozen=True):
    """A watched actor ended (or was not there), or a worker crashed or was killed.

    `tag` is the worker's; it is None for watched actors.
    """

    path: str
    reason: Reason
    error: BaseException | None = None
    tag: object = None


class WorkerDone(msgspec.Struct, frozen=True):
    """A worker finished: the tag it was given, and what its coroutine returned."""

    tag: object
    result: object


class Ignore(msgspec.Struct, frozen=True):
    """Returned by `on_start`: there is nothing for this actor to do, and that is no failure."""
