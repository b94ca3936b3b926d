"""The class that every actor derives from: what it may override, and what it may call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import pykka
from pykka import messages as pykka_messages

from actors.runtime import pykka_adapter
from actors.runtime.asking import ask
from actors.runtime.cell import Overflow
from actors.runtime.checks import check_count, check_seconds, check_type
from actors.runtime.deferred import DeferredReply
from actors.runtime.ends import Down, End, Reason, WorkerDone
from actors.runtime.errors import AskError, AskFailed, WorkerCrashed
from actors.runtime.handlers import table_of
from actors.runtime.ports import Host, Owner
from actors.runtime.timers import Timer
from actors.runtime.workers import Worker
from messages.base import Request

if TYPE_CHECKING:
    from loguru import Logger

    class _PykkaActor:
        """Pykka's actor as the checker sees it: without hooks that may not be coroutines."""

        actor_urn: str
        actor_ref: pykka.ActorRef[Any]

        @classmethod
        def start(cls, *args: Any, **kwargs: Any) -> pykka.ActorRef[Any]: ...

        def on_failure(self, kind: Any, error: Any, traceback: Any) -> None: ...

        def on_receive(self, message: Any) -> Any: ...

        def _handle_receive(self, message: Any) -> Any: ...
else:
    _PykkaActor = pykka.Actor

S = TypeVar("S")
R = TypeVar("R")


class Actor(_PykkaActor, Generic[S]):
    """A pykka actor whose mailbox is drained by an asyncio task.

    Messages go to the methods marked with `@handles`, one at a time. An exception that leaves a
    handler ends the actor; its supervisor decides what follows. `state` is a mutable
    `msgspec.Struct`, shown by dumps; nothing in it survives the incarnation.
    """

    mailbox_bound: ClassVar[int] = 10_000
    """Messages that may wait; the next one meets `overflow`."""
    stop_within: ClassVar[float | None] = 5.0
    """Seconds for an ordered stop, where its `ChildSpec` says nothing; None: any time."""
    overflow: ClassVar[Overflow] = Overflow.REFUSE

    state: S
    _life: Owner

    def __init__(self, state: S) -> None:
        # pykka's own __init__ makes a lock, an event and a UUID: here they come when asked for.
        self.state = state

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        where = cls.__name__
        check_count(where, "mailbox_bound", cls.mailbox_bound, 1)
        check_type(where, "overflow", cls.overflow, Overflow)
        if cls.stop_within is not None:
            check_seconds(where, "stop_within", cls.stop_within, zero=True)
        # A message type that the module defines further down is looked up at the first start.
        with contextlib.suppress(NameError):
            table_of(cls)

    # To override

    def on_start(self) -> Any:
        """Set up without network I/O; sync or async. May return `Ignore()`.

        An exception here is a failed start. What it sends itself is handled first of all.
        """
        return None

    def on_stop(self) -> Any:
        """Clean up at a normal end or an ordered stop; sync or async. Not at a crash or kill."""
        return None

    # Who and where

    @property
    def path(self) -> str:
        """The address, such as `accounts/main/exchange`. Valid from `on_start` on."""
        return self._life.cell.path

    @property
    def system(self) -> Host:
        return self._life.cell.system

    @property
    def log(self) -> Logger:
        """The logger that is bound to this actor's path (and account)."""
        return self._life.cell.log

    def now(self) -> datetime:
        """The system's clock: aware, UTC."""
        return self._life.cell.system.now()

    def __str__(self) -> str:
        where = self._life.cell.shown if "_life" in self.__dict__ else "not started"
        return f"{type(self).__name__} ({where})"

    # Sending

    def tell(self, path: str, message: object) -> None:
        """Send and forget. A message that cannot be delivered is a dead letter."""
        self._life.cell.system.tell(path, message)

    def tell_self(self, message: object) -> None:
        """Send to this very incarnation; in `on_start`, ahead of what waits in the mailbox."""
        life = self._life
        if life.plan is not None:
            life.plan.append(message)
        else:
            life.cell.accept_own(message, life)

    def after(self, delay: float | timedelta, message: object) -> Timer:
        """Send to this very incarnation after `delay` (seconds, or a timedelta)."""
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        return Timer(self._life, seconds, message)

    def ask(
        self, path: str, request: Request[R], *, timeout: float = 30.0
    ) -> Coroutine[Any, Any, R]:
        """Send a request and await its reply, at most `timeout` seconds.

        Raises:
            ActorCrashed, AskTimeout, NoSuchActor, MailboxFull, NotUnderstood, AskCycleError:
                all of them `AskError`.
            AskedItself: when the actor's own handler asks the actor.
        """
        life = self._life
        return ask(life.cell.system, life, path, request, timeout)

    async def attempt(
        self, path: str, request: Request[R], *, timeout: float = 30.0
    ) -> R | AskFailed:
        """As `ask`, with the failure as a value."""
        try:
            return await self.ask(path, request, timeout=timeout)
        except AskError as error:
            return error.as_value()

    def later(self, *, outlives: bool = False) -> DeferredReply[Any]:
        """A reply that the handler may return now and that is set later.

        `outlives`: it will be set even if the actor has ended by then, by what goes on below it.
        """
        return DeferredReply(self._life, outlives=outlives)

    def work(self, job: Coroutine[Any, Any, Any], tag: object = None, *, name: str = "") -> Worker:
        """Run a coroutine in a task of its own, owned by this incarnation.

        It arrives as `WorkerDone(tag, result)`, or as `Down` with the tag if it crashed. Without a
        handler for `Down` a worker's crash is its owner's crash.
        """
        return Worker(self._life, job, tag, name)

    # Watching and ending

    def watch(self, path: str) -> None:
        """Get one `Down` when the actor at `path` ends; at once if it is not there."""
        life = self._life
        cell = life.cell.system.cells.get(path)
        if cell is None or cell.life is None:
            reason = Reason.NO_SUCH_ACTOR
            error = None
            if cell is not None and cell.last_end is not None:
                reason, error = cell.last_end.reason, cell.last_end.error
            life.cell.accept_own(Down(path, reason, error), life)
            return
        if cell.watchers is None:
            cell.watchers = {}
        cell.watchers[life] = None
        life.watched[cell] = None

    def unwatch(self, path: str) -> None:
        life = self._life
        cell = life.cell.system.cells.get(path)
        if cell is not None and cell.watchers is not None:
            cell.watchers.pop(life, None)
            life.watched.pop(cell, None)

    def stop(self) -> None:
        """End normally after the current message."""
        self._life.stop(Reason.NORMAL)

    # For the runtime

    def adopt(self, life: Owner) -> None:
        self._life = life
        inbox = self.__dict__.get("actor_inbox")
        if inbox is not None:
            inbox.bind(life)

    @property
    def adopted(self) -> bool:
        return "_life" in self.__dict__

    async def terminate_children(self, end: End) -> None:
        """What a supervisor does for its children at its own end."""

    def kill_children(self) -> None:
        """What a supervisor does for its children when it is killed while it ends."""

    def handler_for(self, message: object) -> Callable[[Any, Any], Any]:
        """The handler of a message whose exact type has none: a base class's, or a fallback."""
        table = self._life.handlers
        for base in type(message).__mro__[1:]:
            if base in table:
                handler = table[type(message)] = table[base]
                return handler
        if isinstance(message, _PYKKA_MESSAGES):
            return pykka_adapter.handle
        if type(self).on_receive is not _PykkaActor.on_receive:
            return type(self).on_receive
        if isinstance(message, WorkerDone):
            return _nothing
        if isinstance(message, Down) and message.path.startswith(f"{self.path}/"):
            return _crash_with_worker
        return _unhandled

    def mark_dead(self) -> None:
        """Tell pykka's references, where there are any, that this incarnation is over."""
        stopped = self.__dict__.get("actor_stopped")
        if stopped is not None:
            stopped.set()

    # pykka's three hooks, and its attributes, made when first asked for

    @staticmethod
    def _create_actor_inbox() -> Any:
        return pykka_adapter.Inbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return pykka_adapter.Future()

    def _start_actor_loop(self) -> None:
        pykka_adapter.start_unsupervised(self)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in pykka_adapter.ATTRIBUTES:
                pykka_adapter.attach_pykka(self)
                return self.__dict__[name]
            if name == "_life":
                raise RuntimeError(
                    f"{type(self).__name__} has not been started: its path, system, log and "
                    "messages are there from on_start on"
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


_PYKKA_MESSAGES = (
    pykka_messages.ProxyCall,
    pykka_messages.ProxyGetAttr,
    pykka_messages.ProxySetAttr,
    pykka_messages._ActorStop,
)


def _nothing(actor: Actor[Any], message: WorkerDone) -> None:
    """A worker whose result nobody wants."""


def _crash_with_worker(actor: Actor[Any], message: Down) -> None:
    raise WorkerCrashed(
        f"{message.path} {message.reason}, and {type(actor).__name__} has no handler for Down"
    ) from message.error


def _unhandled(actor: Actor[Any], message: object) -> None:
    actor._life.reject_unhandled(message)
