"""What the parts of the runtime need of one another, so that none imports what is above it.

`Host` is the system, `Address` a cell, `Owner` an incarnation, `Behaviour` the actor in it.
Each lists what others use of it, and no more; the classes are checked against them by mypy.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from actors.runtime.ends import End, Reason
from actors.runtime.events import SupervisionEvent
from actors.runtime.handlers import Table
from actors.runtime.scrubber import Scrubber

if TYPE_CHECKING:
    from loguru import Logger


class Reply(Protocol):
    """Where an answer goes: an asyncio future, or a pykka future's adapter."""

    def done(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: BaseException, /) -> None: ...


class Plan(Protocol):
    """A planned message (`Timer`)."""

    def cancel(self) -> None: ...


class Job(Protocol):
    """A task that an incarnation owns (`Worker`). `cancel` is its owner's, `kill` others'."""

    name: str
    path: str
    tag: object
    coroutine_name: str
    started_at: float
    task: asyncio.Task[Any]

    def cancel(self) -> None: ...

    def kill(self) -> None: ...


class Behaviour(Protocol):
    """What an incarnation needs of its actor."""

    state: Any
    stop_within: ClassVar[float | None]

    @property
    def actor_ref(self) -> Any: ...

    def on_start(self) -> Any: ...

    def on_stop(self) -> Any: ...

    def on_failure(self, kind: Any, error: Any, traceback: Any) -> None: ...

    def handler_for(self, message: object) -> Callable[[Any, Any], Any]: ...

    async def terminate_children(self, end: End) -> None: ...

    def kill_children(self) -> None: ...

    def mark_dead(self) -> None: ...


class Owner(Protocol):
    """What timers, workers, deferred replies, watchers and cells need of an incarnation."""

    actor: Behaviour
    handlers: Table
    task: asyncio.Task[End]
    end: End | None
    ignored: bool
    stopping: Reason | None
    started_at: float
    in_hand: Entry | None
    gone: bool
    awaited: tuple[Owner, float | None] | None
    deferred: dict[Reply, Any]
    timers: dict[Plan, None]
    workers: dict[str, Job]
    watched: dict[Address, None]
    recent: deque[object] | None
    plan: list[object] | None

    @property
    def cell(self) -> Address: ...

    @property
    def killing(self) -> object: ...

    def stop(self, reason: Reason) -> None: ...

    def stop_within(self, seconds: float | None) -> None: ...

    def kill(self) -> None: ...

    def reject_unhandled(self, message: object) -> None: ...

    def when_gone(self, callback: Callable[[], object]) -> None: ...

    def worker_gone(self) -> None: ...


# Message, where its answer goes, and the incarnation that it must not outlive (or None).
Entry = tuple[object, Reply | None, Owner | None]


class Address(Protocol):
    """What others need of a cell."""

    system: Host
    path: str
    name: str
    status: Any
    parent: Address | None
    children: dict[str, Any] | None
    mailbox: deque[Entry]
    life: Owner | None
    last_end: End | None
    suspended: bool
    restarts: int
    handled: int
    worker_count: int
    last_message: str
    watchers: dict[Owner, None] | None
    asking: tuple[Address, Reply] | None

    @property
    def shown(self) -> str: ...

    @property
    def latest(self) -> str: ...

    @property
    def log(self) -> Logger: ...

    def accept(self, message: object, reply: Reply | None = None) -> None: ...

    def shut(self, why: str) -> None: ...

    def accept_own(self, message: object, life: Owner | None) -> None: ...


class HandlerWatch(Protocol):
    """Who is told of handlers that run (`Watchdog`)."""

    def watch(self, cell: Address, task: asyncio.Task[Any]) -> None: ...

    def forget(self, cell: Address) -> None: ...

    def was_slow(self, cell: Address, handler: Any, seconds: float) -> None: ...


class DeadLetterBox(Protocol):
    """Messages that nobody took (`DeadLetters`)."""

    count: int
    recent: deque[Any]


class Host(Protocol):
    """What everything that runs needs of the system."""

    loop: asyncio.AbstractEventLoop
    rng: random.Random
    now: Callable[[], datetime]
    cells: dict[str, Any]  # by path; each is an Address
    yield_every: int
    slow_handler: float

    @property
    def logger(self) -> Logger: ...

    @property
    def scrubber(self) -> Scrubber: ...

    @property
    def watchdog(self) -> HandlerWatch: ...

    @property
    def dead_letters(self) -> DeadLetterBox: ...

    def emit(self, event: SupervisionEvent | Callable[[], SupervisionEvent]) -> None: ...

    def knows(self, path: str) -> bool: ...

    def tell(self, path: str, message: object) -> None: ...

    def dead_letter(self, path: str, message: object, why: str) -> None: ...

    def crashed(self, life: Owner, end: End, worker: Job | None = None) -> None: ...

    def life_ended(self, life: Owner, end: End) -> None: ...

    def unstoppable(self, cell: Address, path: str, seconds: float) -> None: ...

    def leave(self, error: BaseException) -> None: ...

    def loop_blocked(self, path: str, seconds: float, stack: str) -> None: ...

    def scrubbed(self, value: object) -> Any: ...

    def start_unsupervised(self, actor: Any) -> None: ...

    def references(self) -> list[Any]: ...
