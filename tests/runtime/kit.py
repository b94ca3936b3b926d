"""What the conformance tests share: virtual time, an actor that does as it is told, a world.

`simulated` runs a test on detangle's loop: time is virtual, a hang is a reported deadlock, and
the order in which ready tasks run is asyncio's own first, then drawn from several seeds.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import detangle
import msgspec
from detangle.strategies import FIFO, RandomWalk

from actors.runtime import (
    Actor,
    ChildSpec,
    DeferredReply,
    Down,
    Ignore,
    NodeInfo,
    Restart,
    SupervisionEvent,
    Supervisor,
    System,
    WorkerDone,
    handles,
)
from actors.runtime.events import ChildRestarted
from messages.base import Request

E = TypeVar("E", bound=SupervisionEvent)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def simulated(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an async test in virtual time, in asyncio's order and in four drawn ones."""

    @functools.wraps(test)
    def run() -> None:
        strategies = [FIFO(), *(RandomWalk(seed) for seed in range(4))]
        for number, strategy in enumerate(strategies):
            strategy.start(number)
            result = detangle.execute(test, config=CONFIG, strategy=strategy)
            if result.failure is not None:
                note = f"under {strategy.describe()}: {result.failure.message}"
                if result.failure.exception is None:
                    raise AssertionError(note)
                result.failure.exception.add_note(note)
                raise result.failure.exception

    del run.__wrapped__  # pytest would take the test for a coroutine function
    return run


CONFIG = detangle.SimConfig(max_steps=2_000_000, check_leaks=True)


class Note(msgspec.Struct, frozen=True):
    """Something to write down."""

    text: str


class Crash(msgspec.Struct, frozen=True):
    """Raise from the handler."""

    text: str = "told to crash"


class Finish(msgspec.Struct, frozen=True):
    """End normally."""


class WhoAreYou(Request[int], frozen=True):
    """Which incarnation is this: a number that no other has."""


class Seen(Request[list[str]], frozen=True):
    """The notes that this incarnation has handled."""


class CrashAnswering(Request[str], frozen=True):
    """Raise while somebody waits."""


class Take(Request[str], frozen=True):
    """Answer after so many (virtual) seconds, awaited in the handler."""

    seconds: float


class Promise(Request[str], frozen=True):
    """Answer later, never by itself."""


class Unknown(Request[str], frozen=True):
    """A request that no probe has a handler for."""


class ProbeState(msgspec.Struct):
    notes: list[str] = []
    downs: list[Down] = []
    worked: list[WorkerDone] = []


class Behaviour(msgspec.Struct):
    """How a probe behaves in all its incarnations. Seconds are virtual."""

    start_takes: float | None = None
    fail_starts: list[bool] = []
    ignore: bool = False
    stop_takes: float = 0.0
    stop_fails: bool = False
    deaf: bool = False
    starts: int = 0


class Probe(Actor[ProbeState]):
    """Does as it is told, and writes its starts and stops into a diary."""

    numbers = iter(range(1, 10**9))

    def __init__(self, diary: list[str], behaviour: Behaviour) -> None:
        super().__init__(ProbeState())
        self.diary = diary
        self.behaviour = behaviour
        self.number = next(self.numbers)

    async def on_start(self) -> Ignore | None:
        behaviour = self.behaviour
        behaviour.starts += 1
        if behaviour.start_takes is not None:
            await asyncio.sleep(behaviour.start_takes)
        if behaviour.fail_starts and behaviour.fail_starts.pop(0):
            raise RuntimeError(f"{self.name} was told not to start")
        if behaviour.ignore:
            return Ignore()
        self.diary.append(f"+{self.name}")
        return None

    async def on_stop(self) -> None:
        if self.behaviour.deaf:
            await asyncio.Event().wait()
        if self.behaviour.stop_takes:
            await asyncio.sleep(self.behaviour.stop_takes)
        if self.behaviour.stop_fails:
            raise RuntimeError(f"{self.name} was told to fail while stopping")
        self.diary.append(f"-{self.name}")

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @handles
    def note(self, message: Note) -> None:
        self.state.notes.append(message.text)

    @handles
    def crash(self, message: Crash) -> None:
        raise ValueError(message.text)

    @handles
    def crash_answering(self, message: CrashAnswering) -> str:
        raise ValueError("crashed while answering")

    @handles
    def finish(self, message: Finish) -> None:
        self.stop()

    @handles
    def who_are_you(self, message: WhoAreYou) -> int:
        return self.number

    @handles
    def seen(self, message: Seen) -> list[str]:
        return list(self.state.notes)

    @handles
    async def take(self, message: Take) -> str:
        await asyncio.sleep(message.seconds)
        return "taken"

    @handles
    def promise(self, message: Promise) -> DeferredReply[str]:
        return self.later()

    @handles
    def down(self, message: Down) -> None:
        self.state.downs.append(message)

    @handles
    def has_worked(self, message: WorkerDone) -> None:
        self.state.worked.append(message)


class World:
    """One system with its diary and its events."""

    def __init__(self, **options: Any) -> None:
        self.diary: list[str] = []
        self.events: list[SupervisionEvent] = []
        self.behaviours: dict[str, Behaviour] = {}
        options.setdefault("seed", 7)
        self.system = System(on_event=self.events.append, now=self.now, **options)

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())

    def behave(self, name: str, **behaviour: Any) -> Behaviour:
        found = self.behaviours.setdefault(name, Behaviour())
        for key, value in behaviour.items():
            setattr(found, key, value)
        return found

    def probe(self, name: str, restart: Restart = Restart.PERMANENT, **options: Any) -> ChildSpec:
        behaviour = self.behaviours.setdefault(name, Behaviour())
        return ChildSpec(name, lambda: Probe(self.diary, behaviour), restart, **options)

    def probes(self, *names: str) -> list[ChildSpec]:
        return [self.probe(name) for name in names]

    async def up(self, children: Sequence[ChildSpec] = (), **options: Any) -> World:
        """Start a root supervisor over these children."""
        await self.system.start(root(children, **options))
        return self

    def take_diary(self) -> list[str]:
        lines = list(self.diary)
        self.diary.clear()
        return lines

    def heard(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def node(self, path: str) -> NodeInfo | None:
        return next((node for node in self.system.tree() if node.path == path), None)

    def status(self, path: str) -> str:
        node = self.node(path)
        return node.status if node is not None else "gone"

    async def who(self, path: str) -> int:
        return await self.system.ask(path, WhoAreYou())

    async def down(self) -> None:
        await self.system.stop()


def root(children: Sequence[ChildSpec] = (), **options: Any) -> ChildSpec:
    return ChildSpec("root", functools.partial(Supervisor, children, **options))


def nested(name: str, children: Sequence[ChildSpec] = (), **options: Any) -> ChildSpec:
    """A supervisor as a child."""
    restart = options.pop("restart", Restart.PERMANENT)
    return ChildSpec(name, functools.partial(Supervisor, children, **options), restart)


async def until(condition: Callable[[], bool], *, within: float = 3600.0) -> None:
    """Let (virtual) time pass until something holds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    pause = 0.0
    while not condition():
        if loop.time() > deadline:
            raise AssertionError(f"it did not become so within {within} s")
        await asyncio.sleep(pause)
        pause = min(0.3, pause + 0.001)


async def restarts(world: World, count: int) -> None:
    """Wait until so many restarts have been told of."""
    await until(lambda: len(world.heard(ChildRestarted)) == count)


async def passing(seconds: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(seconds)


async def elapsed(job: Awaitable[Any]) -> float:
    """How many virtual seconds a job takes."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    await job
    return loop.time() - before


def crash_dumps(directory: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(path.read_bytes()) for path in sorted(directory.glob("*.json"))]
