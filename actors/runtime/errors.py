"""What can go wrong between actors, as exceptions to raise and as values to look at.

`ask` raises the subclasses of `AskError`; `attempt` gives the same as an `AskFailed`. The other
exceptions here are mistakes of the programmer, found at the earliest moment, and `Outage`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec


def in_words(error: BaseException) -> str:
    """An error's type and text. An error whose own text fails must not fail whoever reports it."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  somebody else's __str__ may raise anything
        return f"{type(error).__name__} (its text could not be made)"


class AskFailure(StrEnum):
    """Why an ask had no answer."""

    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    NO_SUCH_ACTOR = "no such actor"
    MAILBOX_FULL = "mailbox full"
    NOT_UNDERSTOOD = "not understood"
    CYCLE = "cycle of asks"


class AskFailed(msgspec.Struct, frozen=True):
    """An ask that had no answer, as a value: whom, why, and the reason in words."""

    path: str
    why: AskFailure
    reason: str

    def __str__(self) -> str:
        return self.reason


class AskError(Exception):
    """An ask that had no answer. `path` is who was asked, `reason` says why in words."""

    why: ClassVar[AskFailure]

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason

    def as_value(self) -> AskFailed:
        return AskFailed(self.path, self.why, self.reason)


class ActorCrashed(AskError):
    """The actor ended while it had the request in hand, or owed it a `DeferredReply`."""

    why = AskFailure.CRASHED


class AskTimeout(AskError):
    """No answer in time. The request may still be handled; nobody waits for it any more."""

    why = AskFailure.TIMED_OUT


class NoSuchActor(AskError):
    """Nobody has this address, or whoever had it ended for good before taking the request."""

    why = AskFailure.NO_SUCH_ACTOR


class MailboxFull(AskError):
    """The actor's mailbox is at its bound."""

    why = AskFailure.MAILBOX_FULL


class NotUnderstood(AskError):
    """The actor has no handler for a request of this type."""

    why = AskFailure.NOT_UNDERSTOOD


class AskCycleError(AskError):
    """The one who is asked is itself waiting, through others, for the asker."""

    why = AskFailure.CYCLE


class AskedItself(RuntimeError):
    """An actor asked itself from its own handler, which could never be answered."""


class BlockingOnLoop(RuntimeError):
    """A blocking `get()` on the thread of a running event loop would stop every actor."""


class BadHandler(TypeError):
    """A handler that cannot work: no annotation, not a type, or two for one type."""


class BadOption(ValueError):
    """An option that is not of its kind, or beyond its bounds. Its text names the field."""


class BadChildSpec(BadOption):
    """A child specification or a supervisor's options that cannot be, or contradict themselves."""


class StartFailed(RuntimeError):
    """A child did not start; what was started before it has been stopped again."""

    def __init__(self, path: str, cause: str) -> None:
        super().__init__(f"{path} did not start: {cause}")
        self.path = path
        self.cause = cause


class WorkerCrashed(RuntimeError):
    """A worker crashed and its owner has no handler for `Down`, so the owner crashes too."""


class Outage(Exception):
    """Raise it from a handler when what the actor stands on is away.

    The actor ends and comes back by back-off; unlike a bug, it does not count against the
    supervisor's intensity.
    """
