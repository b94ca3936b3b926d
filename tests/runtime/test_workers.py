"""Workers, and replies that come later. Scenario 38 of `docs/spec/supervision.md`."""

from __future__ import annotations

import asyncio

import pytest

from actors.runtime import (
    Actor,
    ActorCrashed,
    ChildSpec,
    DeferredReply,
    Reason,
    handles,
)
from actors.runtime.events import ChildCrashed, ChildRestarted
from tests.runtime.kit import (
    Crash,
    ProbeState,
    Promise,
    World,
    elapsed,
    passing,
    simulated,
    until,
)
from tests.runtime.owner import (
    After,
    Drop,
    Fetch,
    Job,
    OwnerState,
    owned,
    state,
)


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
    def promise(self, message: Promise) -> DeferredReply[str]:
        later: DeferredReply[str] = self.later()
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
