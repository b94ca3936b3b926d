"""Asking: the round trip of a request, its time-out, and the discovery of cycles."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from actors.runtime.deferred import fail
from actors.runtime.errors import AskCycleError, AskedItself, AskTimeout, NoSuchActor
from actors.runtime.events import AskCycle
from actors.runtime.introspection import SYSTEM_REQUESTS, answer_for
from actors.runtime.ports import Address, Host, Owner, Reply
from messages.base import Request

R = TypeVar("R")


async def ask(
    system: Host, life: Owner | None, path: str, request: Request[R], timeout: float
) -> R:
    """Send a request and wait for its reply, at most `timeout` seconds.

    `life` is the asking incarnation, None from outside. Raises `AskError`; `AskedItself` when
    the actor's own handler asks the actor.
    """
    if not timeout >= 0:  # nan, too, which would spoil the order of the loop's timers
        raise ValueError(f"timeout is {timeout!r}; it is a number of seconds, zero or more")
    cell: Address | None = system.cells.get(path)
    if cell is None:
        system.dead_letter(path, request, "no such actor")
        raise NoSuchActor(path, f"there is no actor {path!r}")
    if request.__class__ in SYSTEM_REQUESTS:
        return answer_for(cell, request)  # type: ignore[no-any-return]  # its type says R
    loop = system.loop
    reply: asyncio.Future[R] = loop.create_future()
    from_handler = life is not None and asyncio.current_task() is life.task
    if from_handler and life is not None:
        _look_for_cycle(life.cell, cell, request)
        life.cell.asking = (cell, reply)
    timer = loop.call_later(timeout, _expire, cell, reply, request, timeout)
    try:
        cell.accept(request, reply)
        return await reply
    finally:
        timer.cancel()
        if from_handler and life is not None:
            life.cell.asking = None


def _expire(cell: Address, reply: Reply, request: object, timeout: float) -> None:
    what = type(request).__name__
    fail(reply, AskTimeout(cell.path, f"{cell.shown} did not answer {what} within {timeout:g} s"))


def _look_for_cycle(asker: Address, asked: Address, request: object) -> None:
    """Refuse an ask that could only time out: who is asked waits, in the end, for the asker."""
    what = type(request).__name__
    if asked is asker:
        raise AskedItself(
            f"{asker.shown} asks itself for {what} from its own handler and would wait for ever; "
            "call the method, or use tell_self"
        )
    names = [asker.shown, asked.shown]
    cell = asked
    while cell.asking is not None:
        cell, reply = cell.asking
        names.append(cell.shown)
        if cell.life is not None and reply in cell.life.deferred:
            return  # that answer comes from elsewhere, so nobody's mailbox waits for it
        if cell is asker:
            asker.system.emit(AskCycle(path=asker.path, names=tuple(names)))
            raise AskCycleError(asked.path, f"a cycle of asks: {' → '.join(names)} ({what})")
