"""Death watch, workers and timers. Scenarios 37 and 38 of `supervision.md`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from actors.runtime import (
    Actor,
    ActorCrashed,
    ChildSpec,
    Down,
    Later,
    Reason,
    StopChild,
    Worked,
    handles,
)
from actors.runtime.events import ChildCrashed, ChildRestarted
from messages.runtime import Request
from tests.runtime.kit import (
    Crash,
    Finish,
    Note,
    ProbeState,
    Promise,
    World,
    elapsed,
    passing,
    simulated,
    until,
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
    worked: list[Worked] = []
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
    def fetch(self, message: Fetch) -> Later[str]:
        later: Later[str] = self.later()
        self.work(self._job(message.seconds, message.fails), later)
        return later

    @handles
    def has_worked(self, message: Worked) -> None:
        self.state.worked.append(message)
        if isinstance(message.tag, Later):
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


@simulated
async def test_a_watcher_hears_once_of_each_way_to_end() -> None:
    world = await owned()
    for trouble, reason in (
        (Finish(), Reason.NORMAL),
        (Crash(), Reason.CRASHED),
        (None, Reason.KILLED),
    ):
        state(world).downs.clear()
        world.system.tell("o", Watch("a"))
        world.system.tell("o", Watch("a"))
        await until(lambda: not world.system.cells["o"].mailbox)
        if trouble is None:
            world.system.kill("a")
        else:
            world.system.tell("a", trouble)
        await until(lambda: bool(state(world).downs))
        await passing(10.0)
        (down,) = state(world).downs
        assert (down.path, down.reason) == ("a", reason)
    await world.down()


@simulated
async def test_watching_the_dead_notifies_at_once() -> None:
    world = await owned()
    await world.system.ask("", StopChild("a"))
    world.system.tell("o", Watch("a"))
    world.system.tell("o", Watch("nobody"))
    await until(lambda: len(state(world).downs) == 2)
    assert [down.reason for down in state(world).downs] == [
        Reason.SHUTDOWN,
        Reason.NO_SUCH_ACTOR,
    ]
    await world.down()


@simulated
async def test_unwatching_silences() -> None:
    world = await owned()
    world.system.tell("o", Watch("a"))
    world.system.tell("o", Unwatch("a"))
    await until(lambda: not world.system.cells["o"].mailbox)
    world.system.kill("a")
    await passing(10.0)
    assert state(world).downs == []
    await world.down()


@simulated
async def test_a_watch_dies_with_the_watching_incarnation() -> None:
    world = await owned()
    world.system.tell("o", Watch("a"))
    world.system.tell("o", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    world.system.kill("a")
    await until(lambda: len(world.heard(ChildRestarted)) == 2)
    await passing(10.0)
    assert state(world).downs == []
    await world.down()


@simulated
async def test_a_worker_arrives_as_a_message_with_its_tag_and_the_mailbox_goes_on_meanwhile() -> (
    None
):
    world = await owned()
    world.system.tell("o", Job("slow", 10.0))
    world.system.tell("o", Job("quick", 1.0))
    await until(lambda: len(state(world).worked) == 2)
    assert [(w.tag, w.result) for w in state(world).worked] == [("quick", "done"), ("slow", "done")]
    await world.down()


@simulated
async def test_workers_are_shown_in_the_tree_below_their_owner() -> None:
    world = await owned()
    world.system.tell("o", Job("x", 10.0, name="fetch"))
    world.system.tell("o", Job("y", 10.0, name="fetch"))
    world.system.tell("o", Job("z", 10.0))
    await until(lambda: len(world.system.tree()) == 6)
    workers = [(node.path, node.kind) for node in world.system.tree()[2:5]]
    assert workers == [("o/fetch", "worker"), ("o/fetch#2", "worker"), ("o/worker-3", "worker")]
    await world.down()


@simulated
async def test_a_crash_of_a_worker_is_a_down_with_its_tag_and_is_on_record() -> None:
    world = await owned()
    world.system.tell("o", Job("x", fails=True, name="fetch"))
    await until(lambda: bool(state(world).downs))
    (down,) = state(world).downs
    assert (down.path, down.reason, down.tag) == ("o/fetch", Reason.CRASHED, "x")
    assert isinstance(down.error, ConnectionError)
    await world.down()
    assert [event.path for event in world.heard(ChildCrashed)] == ["o/fetch"]


@simulated
async def test_a_worker_that_is_killed_or_cancelled_is_a_down_as_well() -> None:
    world = await owned()
    world.system.tell("o", Job("x", 100.0, name="w"))
    await until(lambda: world.node("o/w") is not None)
    world.system.kill("o/w")
    world.system.tell("o", Job("y", 100.0))
    world.system.tell("o", Drop("y"))
    await until(lambda: len(state(world).downs) == 2)
    downs = sorted((down.tag, down.reason) for down in state(world).downs)
    assert downs == [("x", Reason.KILLED), ("y", Reason.KILLED)]
    await world.down()


@simulated
async def test_workers_and_plans_die_with_their_owner_and_the_next_incarnation_hears_nothing() -> (
    None
):
    world = await owned()
    world.system.tell("o", Job("x", 5.0))
    world.system.tell("o", After(5.0))
    world.system.tell("o", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    await passing(20.0)
    assert state(world) == OwnerState(notes=["first of all"])
    await world.down()


@simulated
async def test_a_tick_that_is_already_queued_dies_too_so_that_no_second_chain_of_ticks_begins() -> (
    None
):
    world = await owned(ticking=10.0)
    await until(lambda: bool(state(world).notes))
    world.system.suspend("o")
    await passing(11.0)
    assert world.node("o").mailbox == 1  # type: ignore[union-attr]  # it is there: a fired tick
    world.system.kill("o")
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    world.system.resume("o")
    await passing(100.0)
    assert 9 <= state(world).ticks <= 10
    await world.down()


@simulated
async def test_what_on_start_sends_itself_is_handled_before_what_waited_in_the_mailbox() -> None:
    world = await owned()
    world.system.suspend("o")
    world.system.tell("o", Crash())
    world.system.tell("o", Note("waited"))
    world.system.resume("o")
    await until(lambda: bool(world.heard(ChildRestarted)) and len(state(world).notes) == 2)
    assert state(world).notes == ["first of all", "waited"]
    await world.down()


@simulated
async def test_a_later_reply_comes_from_a_worker_while_the_mailbox_goes_on() -> None:
    world = await owned()
    slow = asyncio.create_task(world.system.ask("o", Fetch(10.0)))
    assert await elapsed(world.system.ask("o", Fetch(1.0))) < 2.0
    assert await slow == "done"
    await world.down()


@simulated
async def test_whoever_is_owed_a_later_reply_gets_actor_crashed_when_the_actor_ends() -> None:
    world = await owned()
    owed = asyncio.create_task(world.system.ask("o", Fetch(1000.0)))
    promised = asyncio.create_task(world.system.ask("a", Promise()))
    await until(lambda: world.node("a").handled == 1 and world.node("o").handled == 2)  # type: ignore[union-attr]  # both are there
    world.system.kill("o")
    world.system.tell("a", Crash())
    for task in (owed, promised):
        with pytest.raises(ActorCrashed):
            await task
    await world.down()


class Answered(Actor[None]):
    """Has its answer before it returns the promise of one."""

    def __init__(self) -> None:
        super().__init__(None)

    @handles
    def promise(self, message: Promise) -> Later[str]:
        later: Later[str] = self.later()
        later.set("at once")
        with pytest.raises(RuntimeError, match="twice"):
            later.set("again")
        return later


@simulated
async def test_a_later_may_be_set_before_it_is_returned_but_not_twice() -> None:
    world = World()
    await world.up([ChildSpec("a", Answered)])
    assert await world.system.ask("a", Promise()) == "at once"
    world.system.tell("a", Promise())
    await world.down()


class Careless(Actor[ProbeState]):
    """Starts workers and has no handler for their ends."""

    def __init__(self) -> None:
        super().__init__(ProbeState())

    @handles
    def run(self, message: Job) -> None:
        worker = self.work(_work(message), message.tag, name="w")
        if message.tag == "drop":
            worker.cancel()


async def _work(job: Job) -> None:
    await asyncio.sleep(job.seconds)
    if job.fails:
        raise ConnectionError("cut")


@simulated
async def test_without_a_handler_for_down_the_crash_of_a_worker_is_its_owners_crash() -> None:
    world = World()
    await world.up([ChildSpec("a", Careless)])
    world.system.tell("a", Job("fine", 1.0))
    world.system.tell("a", Job("drop", 1.0))
    await passing(5.0)
    assert world.heard(ChildRestarted) == []
    world.system.tell("a", Job("bad", 1.0, fails=True))
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    await world.down()
    assert [event.path for event in world.heard(ChildCrashed)] == ["a/w", "a"]
    assert world.system.dead_letters.count == 0


@simulated
async def test_a_plan_may_be_given_in_seconds_or_as_a_timedelta_and_taken_back() -> None:
    world = await owned()
    world.system.tell("o", After(timedelta(minutes=1)))
    world.system.tell("o", After(60.0))
    await passing(59.0)
    assert state(world).ticks == 0
    await passing(2.0)
    assert state(world).ticks == 2
    life = world.system.cells["o"].life
    assert life is not None
    timer = life.actor.after(5.0, Tick())
    before = timer.active
    timer.cancel()
    timer.cancel()
    await passing(10.0)
    assert (before, timer.active) == (True, False)
    assert state(world).ticks == 2
    await world.down()
