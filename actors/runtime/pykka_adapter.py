"""Pykka's way to these actors: references, futures, proxies and the registry, from any thread.

Everything here may be called from a thread that is not the loop's. Nothing here is used by the
runtime's own sending and asking.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import uuid
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import pykka
from pykka import messages as pykka_messages

from actors.runtime.ends import Reason
from actors.runtime.errors import ActorCrashed, BlockingOnLoop, NoSuchActor
from actors.runtime.ports import Owner
from actors.runtime.running import current, running_systems

if TYPE_CHECKING:
    from pykka._envelope import Envelope


T = TypeVar("T")

ATTRIBUTES = ("actor_urn", "actor_inbox", "actor_stopped", "_actor_ref")


class Adapted(Protocol):
    """What is needed here of an actor."""

    _life: Owner

    @property
    def adopted(self) -> bool: ...

    def _handle_receive(self, message: Any) -> Any: ...


class Future(pykka.Future[T]):
    """A pykka future that can be awaited on any loop and waited for on any thread.

    A blocking `get()` on a thread that runs an event loop raises `BlockingOnLoop` at once,
    unless the value is there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Condition()
        self._done = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[], object]] = []
        self._sources: tuple[Future[Any], ...] = ()
        self._compute: Callable[[list[Any]], T] | None = None

    def done(self) -> bool:
        return self._done

    def set(self, value: T | None = None) -> None:
        self._settle(value, None)

    def set_result(self, value: T) -> None:
        self._settle(value, None)

    def set_exception(self, exc_info: Any = None) -> None:
        """Takes an `exc_info` triple, as pykka's does, or an exception."""
        if isinstance(exc_info, BaseException):
            self._settle(None, exc_info)
            return
        triple = exc_info if exc_info is not None else sys.exc_info()
        error = cast("BaseException", triple[1])
        self._settle(None, error.with_traceback(triple[2]))

    def get(self, *, timeout: float | None = None) -> T:
        """The value; waits for it at most `timeout` seconds.

        Raises:
            pykka.Timeout: it did not come in time.
            BlockingOnLoop: waiting would stop the event loop of this very thread.
        """
        if self._compute is not None and not self._done:
            self._derive([source.get(timeout=timeout) for source in self._sources])
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self._done:
            _refuse_on_loop()
            with self._lock:
                if not self._lock.wait_for(lambda: self._done, timeout):
                    raise pykka.Timeout(f"{timeout} seconds")
        return self._outcome()

    def __await__(self) -> Generator[Any, None, T]:
        if self._compute is not None and not self._done:
            values = []
            for source in self._sources:
                values.append((yield from source.__await__()))
            self._derive(values)
        if self._get_hook is not None:
            return super().get()
        if not self._done:
            loop = asyncio.get_running_loop()
            ready: asyncio.Future[None] = loop.create_future()
            self._when_done(lambda: loop.call_soon_threadsafe(_set, ready))
            yield from ready.__await__()
        return self._outcome()

    __iter__ = __await__

    def join(self, *futures: pykka.Future[Any]) -> pykka.Future[Iterable[Any]]:
        return self._derived((self, *cast("tuple[Future[Any], ...]", futures)), list)

    def map(self, func: Callable[[T], Any]) -> Future[Any]:
        return self._derived((self,), lambda values: func(values[0]))

    def filter(self, func: Callable[[Any], bool]) -> Future[Iterable[Any]]:
        return self._derived((self,), lambda values: [item for item in values[0] if func(item)])

    def reduce(self, func: Callable[[Any, Any], Any], *args: Any) -> Future[Any]:
        return self._derived((self,), lambda values: functools.reduce(func, values[0], *args))

    def _derived(
        self, sources: tuple[Future[Any], ...], compute: Callable[[list[Any]], Any]
    ) -> Future[Any]:
        future: Future[Any] = Future()
        future._sources = sources
        future._compute = compute
        return future

    def _derive(self, values: list[Any]) -> None:
        assert self._compute is not None
        value = self._compute(values)
        with self._lock:
            if not self._done:
                self._value, self._done = value, True

    def _settle(self, value: T | None, error: BaseException | None) -> None:
        with self._lock:
            if self._done or self._get_hook is not None:
                raise RuntimeError("this future has its value already")
            self._value, self._error, self._done = value, error, True
            callbacks, self._callbacks = self._callbacks, []
            self._lock.notify_all()
        for callback in callbacks:
            callback()

    def _when_done(self, callback: Callable[[], object]) -> None:
        with self._lock:
            if not self._done:
                self._callbacks.append(callback)
                return
        callback()

    def _outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return cast("T", self._value)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _refuse_on_loop() -> None:
    if asyncio._get_running_loop() is not None:
        raise BlockingOnLoop(
            "get() would block the event loop of this thread, and with it every actor; "
            "write `await future` instead, or call get() from another thread"
        )


class Inbox:
    """Pykka's way into the mailbox. Bound to one incarnation; safe from any thread."""

    def __init__(self) -> None:
        self.life: Owner | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._early: list[Envelope[Any]] = []

    def bind(self, life: Owner) -> None:
        """The incarnation is there: hand over what came before it."""
        self.life = life
        self.loop = life.cell.system.loop
        early, self._early = self._early, []
        for envelope in early:
            self._deliver(envelope)

    def put(self, envelope: Envelope[Any], /) -> None:
        loop = self.loop
        if loop is None:
            raise pykka.ActorDeadError("this actor has not been started")
        if asyncio._get_running_loop() is loop:
            self._deliver(envelope)
        else:
            try:
                loop.call_soon_threadsafe(self._deliver, envelope)
            except RuntimeError as error:
                raise pykka.ActorDeadError("the loop of this actor is closed") from error

    def get(self) -> Envelope[Any]:
        raise NotImplementedError("the runtime drains the mailbox itself")

    def empty(self) -> bool:
        return self.life is None or not self.life.cell.mailbox

    def _deliver(self, envelope: Envelope[Any]) -> None:
        life = self.life
        if life is None:
            self._early.append(envelope)
            return
        reply = cast("Future[Any] | None", envelope.reply_to)
        if life.end is not None:
            if reply is not None:
                reply.set_exception(pykka.ActorDeadError(f"{life.actor} stopped before handling"))
            else:
                cell = life.cell
                cell.system.dead_letter(cell.path, envelope.message, "this incarnation has ended")
            return
        life.cell.accept(envelope.message, None if reply is None else _PykkaReply(reply))


class _PykkaReply:
    """Gives pykka's askers the error itself, where the runtime's own get `ActorCrashed`."""

    __slots__ = ("_future",)

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def done(self) -> bool:
        return self._future.done()

    def set_result(self, result: object, /) -> None:
        self._future.set(result)

    def set_exception(self, exception: BaseException, /) -> None:
        if isinstance(exception, ActorCrashed) and exception.__cause__ is not None:
            exception = exception.__cause__
        elif isinstance(exception, ActorCrashed | NoSuchActor):
            exception = pykka.ActorDeadError(str(exception))
        self._future.set_exception(exception)


class Ref(pykka.ActorRef[Any]):
    """A pykka reference to one incarnation; dead once that has ended."""

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        asked = cast("Future[Any]", self.ask(pykka_messages._ActorStop(), block=False))
        result: Future[bool] = Future()

        def settle() -> None:
            result.set(asked._error is None)

        asked._when_done(settle)
        return result.get(timeout=timeout) if block else result


_making = threading.Lock()


def attach_pykka(actor: Adapted) -> None:
    """Give an actor pykka's attributes. Made at first use: they cost more than the actor."""
    with _making:
        attributes = actor.__dict__
        if "_actor_ref" in attributes:
            return
        inbox = Inbox()
        attributes["actor_urn"] = uuid.uuid4().urn
        attributes["actor_inbox"] = inbox
        attributes["actor_stopped"] = threading.Event()
        if actor.adopted:
            life = actor._life
            inbox.bind(life)
            if life.end is not None:
                attributes["actor_stopped"].set()
        attributes["_actor_ref"] = Ref(actor)


def handle(actor: Adapted, message: Any) -> Any:
    """Pykka's own messages: calls and attributes through a proxy, and the ordered stop."""
    if isinstance(message, pykka_messages._ActorStop):
        actor._life.stop(Reason.NORMAL)
        return None
    return actor._handle_receive(message)


def start_unsupervised(actor: Adapted) -> None:
    """What `SomeActor.start()` does: run it in the running system, with nobody above it."""
    system = current()
    attach_pykka(actor)
    inbox: Inbox = actor.__dict__["actor_inbox"]
    inbox.loop = system.loop
    if asyncio._get_running_loop() is system.loop:
        system.start_unsupervised(actor)
    else:
        system.loop.call_soon_threadsafe(system.start_unsupervised, actor)


class _References(list[Any]):
    """Pykka's list of references, with those of all running systems read from their tables.

    A supervised actor costs the registry nothing until somebody looks; and its end does not
    search a list of thousands.
    """

    def append(self, ref: Any) -> None:
        if not isinstance(ref, Ref):
            super().append(ref)

    def _all(self) -> list[Any]:
        ours = [ref for system in running_systems() for ref in system.references()]
        return [*super().__iter__(), *ours]

    def __iter__(self) -> Any:
        return iter(self._all())

    def __getitem__(self, index: Any) -> Any:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())


def join_registry() -> None:
    """Let `pykka.ActorRegistry` see the actors of running systems."""
    registry = pykka.ActorRegistry
    if not isinstance(registry._actor_refs, _References):
        with registry._actor_refs_lock:
            registry._actor_refs = _References(registry._actor_refs)
