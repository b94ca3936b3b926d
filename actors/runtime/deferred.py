"""A reply that comes later than the handler's return."""

from __future__ import annotations

from typing import Generic, TypeVar

from actors.runtime.errors import ActorCrashed, AskError, in_words
from actors.runtime.ports import Owner, Reply

R = TypeVar("R")


class DeferredReply(Generic[R]):
    """Returned by a handler in place of its reply, which `set` delivers when it is known.

    If the actor ends first, the asker gets `ActorCrashed`; unless the reply `outlives` it, since
    it comes from below the actor, from whatever goes on without it.
    """

    __slots__ = ("_error", "_life", "_outlives", "_reply", "_set", "_value")

    def __init__(self, life: Owner, *, outlives: bool = False) -> None:
        self._life = life
        self._outlives = outlives
        self._error: ActorCrashed | None = None
        self._reply: Reply | None = None
        self._set = False
        self._value: R | None = None

    def set(self, value: R) -> None:
        """Answer the request. What comes after the actor's end is dropped.

        Raises:
            RuntimeError: when it has been answered before.
        """
        if self._set:
            raise RuntimeError(f"{self._life.cell.path} answers one request twice")
        self._set = True
        self._value = value
        reply = self._reply
        if reply is not None:
            self._life.deferred.pop(reply, None)
            if not reply.done():
                reply.set_result(value)

    def crash(self, error: BaseException) -> None:
        """Answer with `ActorCrashed`: what was asked for has failed in a way nobody foresaw."""
        if self._set:
            return
        self._set = True
        self._error = crash_reply(self._life.cell.path, error)
        if self._reply is not None:
            self._life.deferred.pop(self._reply, None)
            fail(self._reply, self._error)

    @property
    def done(self) -> bool:
        return self._set

    def bind(self, reply: Reply | None) -> None:
        """Say where the answer goes; None when the request was told, not asked."""
        if reply is None:
            return
        if self._error is not None:
            fail(reply, self._error)
        elif self._set:
            if not reply.done():
                reply.set_result(self._value)
        else:
            self._reply = reply
            if not self._outlives:
                self._life.deferred[reply] = self


def fail(reply: Reply | None, error: AskError) -> None:
    if reply is not None and not reply.done():
        reply.set_exception(error)


def crash_reply(path: str, why: object) -> ActorCrashed:
    said = in_words(why) if isinstance(why, BaseException) else str(why)
    error = ActorCrashed(path, f"{path or 'the root'} ended with the request in hand: {said}")
    if isinstance(why, BaseException):
        error.__cause__ = why
    return error
