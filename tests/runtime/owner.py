"""An actor for tests that watches, works and plans as it is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec

from actors.runtime import (
    Actor,
    ChildSpec,
    DeferredReply,
    Down,
    WorkerDone,
    handles,
)
from messages.base import Request
from tests.runtime.kit import (
    Crash,
    Note,
    World,
)


class Watch(msgspec.Struct, frozen=True):
    path: str


class Unwatch(msgspec.Struct, frozen=True):
    path: str


class Job(msgspec.Struct, frozen=True):
    """Run a worker that takes so long, and then returns or fails."""

    tag: str
    seconds: float = 1.0
    fails: bool = False
    name: str = ""


class Drop(msgspec.Struct, frozen=True):
    """Cancel the worker with this tag."""

    tag: str


class Fetch(Request[str], frozen=True):
    """Answered by a worker, later."""

    seconds: float
    fails: bool = False


class Tick(msgspec.Struct, frozen=True):
    pass


class After(msgspec.Struct, frozen=True):
    delay: float | timedelta


class OwnerState(msgspec.Struct):
    downs: list[Down] = []
    worked: list[WorkerDone] = []
    ticks: int = 0
    notes: list[str] = []


class Owner(Actor[OwnerState]):
    """Watches, works and plans as it is told."""

    def __init__(self, ticking: float = 0.0) -> None:
        super().__init__(OwnerState())
        self.ticking = ticking

    def on_start(self) -> None:
        self.tell_self(Note("first of all"))
        if self.ticking:
            self.after(self.ticking, Tick())

    @handles
    def watching(self, message: Watch | Unwatch) -> None:
        (self.watch if isinstance(message, Watch) else self.unwatch)(message.path)

    @handles
    def run(self, message: Job) -> None:
        self.work(self._job(message.seconds, message.fails), message.tag, name=message.name)

    async def _job(self, seconds: float, fails: bool) -> str:
        await asyncio.sleep(seconds)
        if fails:
            raise ConnectionError("cut")
        return "done"

    @handles
    def drop(self, message: Drop) -> None:
        for worker in list(self._life.workers.values()):
            if worker.tag == message.tag:
                worker.cancel()

    @handles
    def fetch(self, message: Fetch) -> DeferredReply[str]:
        later: DeferredReply[str] = self.later()
        self.work(self._job(message.seconds, message.fails), later)
        return later

    @handles
    def has_worked(self, message: WorkerDone) -> None:
        self.state.worked.append(message)
        if isinstance(message.tag, DeferredReply):
            message.tag.set(str(message.result))

    @handles
    def gone(self, message: Down) -> None:
        self.state.downs.append(message)

    @handles
    def tick(self, message: Tick) -> None:
        self.state.ticks += 1
        if self.ticking:
            self.after(self.ticking, Tick())

    @handles
    def plan(self, message: After) -> None:
        self.after(message.delay, Tick())

    @handles
    def note(self, message: Note) -> None:
        self.state.notes.append(message.text)

    @handles
    def crash(self, message: Crash) -> None:
        raise ValueError(message.text)


def state(world: World, path: str = "o") -> OwnerState:
    life = world.system.cells[path].life
    assert life is not None
    found: OwnerState = life.actor.state
    return found


async def owned(**options: float) -> World:
    world = World()
    await world.up([ChildSpec("o", lambda: Owner(**options)), *world.probes("a")], intensity=None)
    return world
