"""The system: the table of addresses, the clock, the random source, and the way in from outside.

It starts and stops the root; all other starting and stopping is done by supervisors.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from actors.runtime import pykka_adapter, running
from actors.runtime.actor import Actor
from actors.runtime.asking import ask, expire
from actors.runtime.cell import Cell, Overflow
from actors.runtime.checks import check_count, check_seconds
from actors.runtime.children import ChildEnded, start_life, stop_lives
from actors.runtime.ends import End, Ignore, Reason
from actors.runtime.errors import AskError, AskFailed, NoSuchActor, StartFailed
from actors.runtime.events import SupervisionEvent
from actors.runtime.expiry import Expiry
from actors.runtime.handlers import table_of
from actors.runtime.incarnation import Incarnation
from actors.runtime.introspection import (
    NodeInfo,
    dump_all,
    dump_in_parts,
    dump_of,
    tree_in_parts,
    tree_of,
)
from actors.runtime.journal import DeadLetters, Journal
from actors.runtime.ports import Address, Job, Owner
from actors.runtime.roster import add_cell, remove_cell
from actors.runtime.shutdown import Phases
from actors.runtime.specs import ChildSpec, Restart, RestartChild, Started, StartRefused
from actors.runtime.watchdog import LoopGuard, Watchdog
from messages.base import Request
from messages.values import Secret

R = TypeVar("R")
S = TypeVar("S")


def utc_now() -> datetime:
    return datetime.now(UTC)


class System:
    """One tree of actors on one event loop.

    `now` is the only wall clock (aware, UTC), `seed` makes the jitter repeatable, `on_event` is
    told of every `SupervisionEvent`, `crash_dir` gets one JSON file a crash. A handler is slow
    after `slow_handler` seconds; an actor lets others run after `yield_every` messages. Texts of
    `secrets` are replaced in everything that the system writes. `guard_loop` starts a thread
    that names whatever blocks the loop itself for longer than `slow_handler`.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = utc_now,
        seed: int | None = None,
        on_event: Callable[[SupervisionEvent], None] | None = None,
        crash_dir: Path | None = None,
        yield_every: int = 64,
        slow_handler: float = 1.0,
        secrets: Iterable[Secret] = (),
        guard_loop: bool = False,
    ) -> None:
        check_count("System", "yield_every", yield_every, 1)
        check_seconds("System", "slow_handler", slow_handler)
        self.journal = Journal(on_event, crash_dir, secrets)
        self.logger = self.journal.logger
        self.scrubber = self.journal.scrubber
        self.dead_letters: DeadLetters = self.journal.dead_letters
        self.loop: asyncio.AbstractEventLoop
        self.clock: Callable[[], float]
        self.expiry: Expiry
        self.cells: dict[str, Cell] = {}
        self.now = now
        self.rng = random.Random(seed)  # noqa: S311  jitter, not cryptography
        self.yield_every = yield_every
        self.slow_handler = slow_handler
        self.watchdog = Watchdog(self, slow_handler)
        self._guard = LoopGuard(self, slow_handler) if guard_loop else None
        self._before_stop = Phases(self.logger)
        self._after_stop = Phases(self.logger)
        self._root: Cell | None = None
        self._starting: dict[asyncio.Task[None], None] = {}
        self._ended: asyncio.Future[End]
        self._stopping: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    # Start and stop

    async def start(self, root: ChildSpec) -> None:
        """Start the root, and with it its children; their paths are their names.

        Raises:
            StartFailed: the root or one of its children did not start; nothing is left running.
            RuntimeError: the system was started before.
        """
        if self._root is not None:
            raise RuntimeError("this system was started before; make a new one")
        loop = self.loop = self.journal.loop = asyncio.get_running_loop()
        # asyncio's `time` is this function in a method of Python's; a simulated loop has its own.
        own = getattr(type(loop), "time", None) is not asyncio.BaseEventLoop.time
        self.clock = loop.time if own else time.monotonic
        self.expiry = Expiry(loop, expire)
        self._ended = loop.create_future()
        self._root = add_cell(self, None, root)
        running.join(self)
        pykka_adapter.join_registry()
        if self._guard is not None:
            self._guard.start()
        outcome = await start_life(self._root)
        if isinstance(outcome, StartFailed):
            self._over()
            raise outcome
        if isinstance(outcome, Ignore):
            self._over()

    async def stop(self) -> None:
        """Stop everything in order: children before parents, last started first. Idempotent.

        Whoever calls while it is under way waits for the same stop. Cancelling the wait does not
        cancel the stop.
        """
        root = self._root
        if root is None:
            return
        if self._stopping is None:
            self._stopping = self.loop.create_task(self._stop(root))
        await asyncio.shield(self._stopping)

    async def _stop(self, root: Cell) -> None:
        await self._before_stop.run()
        if root.life is not None:
            await stop_lives([(root.life, root.spec.stop_deadline(root.life.actor))])
        alone = [cell for cell in self.cells.values() if cell.parent is None and cell is not root]
        await stop_lives([(cell.life, 5.0) for cell in alone if cell.life is not None])
        self._over()
        await self._after_stop.run()

    def at_stop(
        self,
        name: str,
        job: Callable[[], Awaitable[None]],
        *,
        timeout: float = 5.0,
        after_tree: bool = False,
    ) -> None:
        """Add a shutdown phase: before the tree stops, or after it. Phases run in order, once."""
        check_seconds(f"phase {name!r}", "timeout", timeout)
        phases = self._after_stop if after_tree else self._before_stop
        phases.add(name, job, timeout)

    async def wait(self) -> Reason:
        """Wait until the root has ended; the reason why."""
        return (await asyncio.shield(self._ended)).reason

    def _over(self) -> None:
        self.watchdog.close()
        self.expiry.close()
        if self._guard is not None:
            self._guard.stop()
        if self._root is not None:
            remove_cell(self._root, "has ended")
        running.leave(self)
        if not self._ended.done():
            self._ended.set_result(End(Reason.SHUTDOWN))
        self.journal.flush()

    # Sending from outside, on the loop

    def tell(self, path: str, message: object) -> None:
        """Send and forget. A message that cannot be delivered is a dead letter."""
        cell = self.cells.get(path)
        if cell is None:
            self.dead_letter(path, message, "no such actor")
        else:
            cell.accept(message)

    def ask(
        self, path: str, request: Request[R], *, timeout: float = 30.0
    ) -> Coroutine[Any, Any, R]:
        """Send a request and await its reply. Raises `AskError`."""
        return ask(self, None, path, request, timeout)

    async def attempt(
        self, path: str, request: Request[R], *, timeout: float = 30.0
    ) -> R | AskFailed:
        """As `ask`, with the failure as a value."""
        try:
            return await ask(self, None, path, request, timeout)
        except AskError as error:
            return error.as_value()

    # Looking

    def tree(self) -> tuple[NodeInfo, ...]:
        """Every actor and worker, parents before children."""
        return tuple(node for root in self._roots() for node in tree_of(root))

    def _roots(self) -> list[Cell]:
        return [cell for cell in self.cells.values() if cell.parent is None]

    def knows(self, path: str) -> bool:
        """Whether an actor has this path, be it running, stopped or waiting for its restart."""
        return path in self.cells

    def state_of(self, path: str, kind: type[S]) -> S | None:
        """The state of the actor that runs at `path`; None while none runs there.

        It is the actor's own object, not a copy: never change it, and show nothing of it that
        the scrubber has not seen.

        Raises:
            TypeError: the actor keeps a state of another type.
        """
        cell = self.cells.get(path)
        if cell is None or cell.life is None:
            return None
        state = cell.life.actor.state
        if not isinstance(state, kind):
            raise TypeError(f"{path!r} keeps a {type(state).__name__}, not a {kind.__name__}")
        return state

    def states_of(self, kind: type[S]) -> dict[str, S]:
        """The states of this type of all running actors, by path; see `state_of`."""
        states = ((path, cell.life.actor.state) for path, cell in self.cells.items() if cell.life)
        return {path: state for path, state in states if isinstance(state, kind)}

    def messages_of(self, path: str) -> frozenset[type]:
        """The messages that the actor at `path` handles; empty while none runs there."""
        cell = self.cells.get(path)
        return (
            frozenset()
            if cell is None or cell.life is None
            else frozenset(table_of(type(cell.life.actor)))
        )

    def dump(self, path: str | None = None) -> dict[str, Any]:
        """One actor, or the whole system, as JSON-able values without secrets.

        Raises:
            NoSuchActor: when nobody has this path.
        """
        if path is not None:
            return dump_of(self._cell(path))
        assert self._root is not None
        return dump_all(self, self._root)

    async def tree_in_parts(self) -> tuple[NodeInfo, ...]:
        """As `tree`, with pauses in which others run: a large one takes its time."""
        return await tree_in_parts(self._roots())

    async def dump_in_parts(self) -> dict[str, Any]:
        """The whole system's dump, with pauses in which others run.

        Each of its actors is a `msgspec.Raw`, encoded as it was at its turn.
        """
        assert self._root is not None
        return await dump_in_parts(self, self._root)

    def write_dump(self, directory: Path) -> Path:
        """Write the dump of the whole system as a JSON file; its path.

        Raises:
            OSError: the directory cannot be written.
        """
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"dump-{self.now():%Y%m%dT%H%M%S.%f}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self.dump())))
        return path

    def dump_on_signal(self, directory: Path, number: int = signal.SIGUSR1) -> None:
        """Write a dump whenever this process gets the signal. Unix only, on the main thread."""

        def dump() -> None:
            try:
                self.logger.info("dump written to {}", self.write_dump(directory))
            except OSError as error:
                # An operator's look must not end the service; the log says what is wrong.
                self.logger.error("no dump: {}", error)

        self.loop.add_signal_handler(number, dump)

    def ref(self, path: str) -> pykka_adapter.Ref:
        """Pykka's reference to the present incarnation at a path.

        Raises:
            NoSuchActor: when nobody runs there.
        """
        life = self._cell(path).life
        if life is None:
            raise NoSuchActor(path, f"nobody runs at {path!r} just now")
        reference: pykka_adapter.Ref = life.actor.actor_ref
        return reference

    def references(self) -> list[pykka_adapter.Ref]:
        """Pykka's references to all running actors, in starting order. Safe from any thread."""
        lives = [cell.life for cell in list(self.cells.values())]
        return [life.actor.actor_ref for life in lives if life is not None]

    # Orders

    def suspend(self, path: str) -> None:
        """Let messages wait. Get-state and stop still work; a restart does not resume."""
        cell = self._cell(path)
        cell.suspended = True
        cell.notice()

    def resume(self, path: str) -> None:
        cell = self._cell(path)
        cell.suspended = False
        cell.notice()

    def trace(self, path: str, on: bool = True) -> None:
        """Log each message of the actor before it is handled."""
        cell = self._cell(path)
        cell.tracing = on
        cell.notice()

    def restart(self, path: str) -> asyncio.Task[Started | StartRefused | AskFailed]:
        """Stop the actor in order and start it afresh. The result may be awaited, or not."""
        cell = self._cell(path)
        if cell.parent is None:
            raise NoSuchActor(path, "the root has no supervisor that could restart it")
        order = self.attempt(cell.parent.path, RestartChild(cell.name), timeout=300.0)
        return self.loop.create_task(order)

    def kill(self, path: str) -> None:
        """Cancel the task of an actor or a worker; its supervisor or owner sees it as killed."""
        worker = self._worker(path)
        if worker is not None:
            worker.kill()
            return
        life = self._cell(path).life
        if life is not None:
            life.kill()

    # For the runtime

    def emit(self, event: SupervisionEvent | Callable[[], SupervisionEvent]) -> None:
        self.journal.emit(event)

    def dead_letter(self, path: str, message: object, why: str) -> None:
        self.journal.dead_letter(path, message, why)

    def crashed(self, life: Owner, end: End, worker: Job | None = None) -> None:
        self.journal.crashed(life, end, worker)

    def unstoppable(self, cell: Address, path: str, seconds: float) -> None:
        self.journal.unstoppable(cell, path, seconds)

    def leave(self, error: BaseException) -> None:
        """An actor raised SystemExit or KeyboardInterrupt: out of the loop, after the stop."""
        if self._leaving is None:
            self._leaving = self.loop.create_task(self._leave(error))

    async def _leave(self, error: BaseException) -> None:
        await self.stop()
        self.loop.call_soon(_throw, error)

    def loop_blocked(self, path: str, seconds: float, stack: str) -> None:
        """Called on the guard's own thread, while the loop is blocked."""
        cell = self.cells.get(path)
        message = cell.latest if cell is not None else ""
        self.journal.loop_blocked(path, message, seconds, stack)

    def scrubbed(self, value: object) -> Any:
        return self.journal.scrubbed(value)

    def life_ended(self, life: Owner, end: End) -> None:
        """An incarnation is over: on record, and its supervisor is told."""
        cell = life.cell
        if end.reason is Reason.CRASHED:
            self.crashed(life, end)
        elif not life.ignored:
            self.journal.stopped(life, end)
        parent = cell.parent
        if parent is not None:
            parent.accept_own(ChildEnded(cell.name, life, end), parent.life)
        elif cell is self._root:
            if not self._ended.done():
                self._ended.set_result(end)
        else:
            remove_cell(cell, "has ended")

    def start_unsupervised(self, actor: Actor[Any]) -> None:
        """Run an actor that nobody supervises (pykka's `start`), under its URN as its path."""
        spec = ChildSpec(actor.actor_urn, lambda: actor, Restart.TEMPORARY)
        cell = Cell(self, actor.actor_urn, spec, None)
        self.cells[cell.path] = cell
        task = self.loop.create_task(self._start_alone(cell))
        # The loop holds tasks weakly.
        self._starting[task] = None
        task.add_done_callback(self._starting.pop)

    async def _start_alone(self, cell: Cell) -> None:
        outcome = await start_life(cell)
        if not isinstance(outcome, Incarnation):
            remove_cell(cell, "did not start")

    @classmethod
    def of(cls, actor: Actor[Any]) -> System:
        """The system that an actor runs in, for actors that operate it."""
        system = actor.system
        assert isinstance(system, cls)
        return system

    def _cell(self, path: str) -> Cell:
        cell = self.cells.get(path)
        if cell is None and self._root is not None and path == self._root.name:
            cell = self._root
        if cell is None:
            raise NoSuchActor(path, f"there is no actor {path!r}")
        return cell

    def _worker(self, path: str) -> Job | None:
        owner, _, name = path.rpartition("/")
        cell = self.cells.get(owner)
        return None if cell is None or cell.life is None else cell.life.workers.get(name)


def _throw(error: BaseException) -> None:
    raise error


__all__ = ["DeadLetters", "Overflow", "System", "utc_now"]
