"""Stopping and significant children. Scenarios 29 to 36 of `docs/spec/supervision.md`."""

from __future__ import annotations

import asyncio
import contextlib

from actors.runtime import (
    AskFailed,
    AskFailure,
    Backoff,
    ChildSpec,
    Restart,
    StartChild,
    Started,
    StartRefused,
    StopChild,
    Stopped,
    handles,
)
from actors.runtime.events import ChildCrashed, ChildOverdue, ChildUnstoppable
from tests.runtime.kit import (
    Crash,
    Finish,
    Note,
    Probe,
    Seen,
    Take,
    WhoAreYou,
    World,
    elapsed,
    nested,
    simulated,
    until,
)


@simulated
async def test_children_stop_in_reverse_order_through_all_levels() -> None:
    world = World()
    await world.up([world.probe("a"), nested("s", world.probes("b", "c")), world.probe("d")])
    world.take_diary()
    await world.down()
    assert world.take_diary() == ["-d", "-c", "-b", "-a"]


@simulated
async def test_each_child_has_its_own_time_and_an_overdue_one_is_killed_and_reported() -> None:
    world = World()
    world.behave("a", stop_takes=4.0)
    world.behave("b", stop_takes=100.0)
    world.behave("c", stop_takes=1.0)
    children = [
        world.probe("a", shutdown=5.0),
        world.probe("b", shutdown=2.0),
        world.probe("c", shutdown=5.0),
    ]
    await world.up(children)
    world.take_diary()
    assert 7.0 <= await elapsed(world.down()) <= 7.1
    assert world.take_diary() == ["-c", "-a"]
    assert [(event.path, event.seconds) for event in world.heard(ChildOverdue)] == [("b", 2.0)]


@simulated
async def test_a_deadline_of_zero_kills_at_once_and_on_stop_does_not_run() -> None:
    world = World()
    await world.up([world.probe("a", shutdown=0.0), world.probe("b")])
    world.take_diary()
    assert await elapsed(world.down()) < 0.1
    assert world.take_diary() == ["-b"]
    assert world.heard(ChildOverdue) == []


@simulated
async def test_an_infinite_deadline_really_waits() -> None:
    world = World()
    world.behave("a", stop_takes=100_000.0)
    await world.up([world.probe("a", shutdown=None)])
    world.take_diary()
    assert await elapsed(world.down()) >= 100_000.0
    assert world.take_diary() == ["-a"]


@simulated
async def test_dynamic_children_stop_together_in_the_time_of_the_slowest() -> None:
    world = await World().up()
    for number in range(5):
        world.behave(f"d{number}", stop_takes=float(number))
        await world.system.ask("", StartChild(world.probe(f"d{number}")))
    world.take_diary()
    assert 4.0 <= await elapsed(world.down()) <= 4.1
    assert world.take_diary() == [f"-d{number}" for number in range(5)]


@simulated
async def test_dynamic_children_with_different_deadlines_are_each_killed_at_their_own() -> None:
    world = await World().up()
    for name, deadline in (("x", 1.0), ("y", 3.0), ("z", 0.0)):
        world.behave(name, deaf=True)
        await world.system.ask("", StartChild(world.probe(name, shutdown=deadline)))
    assert 3.0 <= await elapsed(world.down()) <= 3.1
    overdue = [(event.path, event.seconds) for event in world.heard(ChildOverdue)]
    assert overdue == [("x", 1.0), ("y", 3.0)]


@simulated
async def test_terminating_twice_is_fine_and_a_stranger_is_refused_and_untouched() -> None:
    world = World()
    await world.up([*world.probes("a"), nested("s", world.probes("a"))])
    before = await world.who("s/a")
    assert await world.system.ask("", StopChild("a")) == Stopped(known=True)
    assert await world.system.ask("", StopChild("a")) == Stopped(known=True)
    assert await world.system.ask("", StopChild("s/a")) == Stopped(known=False)
    assert await world.who("s/a") == before
    await world.down()
    await world.down()


@simulated
async def test_a_stopped_dynamic_child_is_forgotten_and_its_name_is_free() -> None:
    world = await World().up()
    await world.system.ask("", StartChild(world.probe("a")))
    await world.system.ask("", StopChild("a"))
    assert world.status("a") == "gone"
    assert await world.system.ask("", StartChild(world.probe("a"))) == Started("a")
    await world.down()


@simulated
async def test_restarting_children_count_towards_the_limit_on_children() -> None:
    world = await World().up([], max_children=2, backoff=Backoff(first=100.0, cap=100.0))
    for name in "ab":
        await world.system.ask("", StartChild(world.probe(name)))
    world.system.tell("a", Crash())
    await until(lambda: world.status("a") == "waiting")
    answer = await world.system.ask("", StartChild(world.probe("c")))
    assert isinstance(answer, StartRefused)
    assert "2 children" in answer.why
    await world.system.ask("", StopChild("a"))
    assert await world.system.ask("", StartChild(world.probe("c"))) == Started("c")
    await world.down()


@simulated
async def test_a_child_that_fails_while_stopping_is_on_record_and_stops_nobody_else_from_it() -> (
    None
):
    world = World()
    world.behave("b", stop_fails=True)
    await world.up(world.probes("a", "b", "c"))
    world.take_diary()
    await world.down()
    assert world.take_diary() == ["-c", "-a"]
    assert [event.path for event in world.heard(ChildCrashed)] == ["b"]


class Deafened(Probe):
    """Swallows its cancellation, as no actor should."""

    async def on_stop(self) -> None:
        while not self.behaviour.start_takes:
            try:
                await asyncio.sleep(3600.0)
            except asyncio.CancelledError:
                self.diary.append("ignored")


@simulated
async def test_an_actor_that_ignores_being_cancelled_is_abandoned_and_named() -> None:
    world = World()
    behaviour = world.behave("a")
    spec = ChildSpec("a", lambda: Deafened(world.diary, behaviour), shutdown=1.0)
    await world.up([spec])
    life = world.system.cells["a"].life
    assert life is not None
    assert await elapsed(world.down()) < 10.0
    assert [event.path for event in world.heard(ChildUnstoppable)] == ["a"]
    assert "ignored" in world.diary
    # Let it go at last, so that the simulation ends without a leaked task.
    behaviour.start_takes = 1.0
    await life.task


@simulated
async def test_only_who_ignores_being_cancelled_is_abandoned_and_not_those_above_it() -> None:
    world = World()
    behaviour = world.behave("a")
    spec = ChildSpec("a", lambda: Deafened(world.diary, behaviour), shutdown=None)
    inner = nested("inner", [spec])
    await world.up([ChildSpec("outer", inner.factory, shutdown=1.0), world.probe("b")])
    life = world.system.cells["outer/a"].life
    assert life is not None
    world.take_diary()
    await world.down()
    assert [event.path for event in world.heard(ChildUnstoppable)] == ["outer/a"]
    assert "-b" in world.diary
    behaviour.start_takes = 1.0
    await life.task


class Stubborn(Probe):
    """Swallows its cancellation in a handler."""

    @handles
    async def take(self, message: Take) -> str:
        while self.behaviour.deaf:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600.0)
        return f"{self.number}"


@simulated
async def test_an_abandoned_actor_takes_nothing_from_its_successor_when_it_ends_after_all() -> None:
    world = World()
    behaviour = world.behave("a", deaf=True)
    spec = ChildSpec("a", lambda: Stubborn(world.diary, behaviour), shutdown=1.0)
    await world.up([spec])
    life = world.system.cells["a"].life
    assert life is not None
    asked = asyncio.create_task(world.system.attempt("a", Take(0.0), timeout=10_000.0))
    await until(lambda: world.system.tree()[1].last_message == "Take")
    behaviour.deaf = True
    assert await world.system.restart("a") == Started("a")
    answer = await asked
    assert isinstance(answer, AskFailed)
    assert answer.why is AskFailure.CRASHED
    behaviour.deaf = False
    world.system.tell("a", Note("for the successor"))
    await life.task
    world.system.tell("a", Note("and this"))
    assert await world.system.ask("a", Seen()) == ["for the successor", "and this"]
    assert behaviour.starts == 2
    await world.down()


@simulated
async def test_shutdown_phases_run_in_order_and_once_and_a_failing_or_late_one_blocks_nobody() -> (
    None
):
    world = World()
    await world.up(world.probes("a"))
    world.take_diary()

    async def early() -> None:
        world.diary.append("early")

    async def failing() -> None:
        raise OSError("disk full")

    async def late() -> None:
        await asyncio.sleep(1000.0)

    async def after() -> None:
        world.diary.append("after")

    world.system.at_stop("close the ledger", after, after_tree=True)
    world.system.at_stop("refuse orders", early)
    world.system.at_stop("flush", failing)
    world.system.at_stop("say goodbye", late, timeout=2.0)
    world.system.at_stop("early again", early)
    assert 2.0 <= await elapsed(world.down()) <= 2.1
    await world.down()
    assert world.take_diary() == ["early", "early", "-a", "after"]


@simulated
async def test_what_waits_for_a_stopped_actor_fails_promptly_or_becomes_a_dead_letter() -> None:
    world = World()
    await world.up(world.probes("a"))
    world.system.suspend("a")
    asked = [asyncio.create_task(world.system.attempt("a", WhoAreYou())) for _ in range(3)]
    await until(lambda: world.system.tree()[1].mailbox == 3)
    world.system.tell("a", Note("left behind"))
    assert await elapsed(world.system.ask("", StopChild("a"))) < 0.1
    for task in asked:
        answer = await task
        assert isinstance(answer, AskFailed)
        assert answer.why is AskFailure.NO_SUCH_ACTOR
    assert world.system.dead_letters.count == 4
    await world.down()


@simulated
async def test_any_the_normal_end_of_a_significant_child_stops_the_supervisor() -> None:
    world = World()
    children = [
        world.probe("a", Restart.TRANSIENT, significant=True),
        world.probe("b", Restart.TRANSIENT, significant=True),
        world.probe("c"),
    ]
    await world.up(children, auto_shutdown="any")
    world.take_diary()
    world.system.tell("a", Finish())
    assert await world.system.wait() == "shutdown"
    assert world.take_diary() == ["-a", "-c", "-b"]
    await world.down()


@simulated
async def test_any_terminating_or_crashing_a_significant_child_does_not() -> None:
    world = World()
    children = [
        world.probe("a", Restart.TRANSIENT, significant=True),
        world.probe("b", Restart.TRANSIENT, significant=True),
    ]
    await world.up(children, auto_shutdown="any")
    await world.system.ask("", StopChild("a"))
    world.system.tell("b", Crash())
    await until(lambda: world.system.tree()[2].restarts == 1)
    assert world.status("") == "running"
    await world.down()


@simulated
async def test_any_a_crash_of_a_significant_temporary_child_does() -> None:
    world = World()
    await world.up([world.probe("a", Restart.TEMPORARY, significant=True)], auto_shutdown="any")
    world.system.tell("a", Crash())
    assert await world.system.wait() == "shutdown"
    await world.down()


@simulated
async def test_all_only_the_last_significant_child_stops_the_supervisor() -> None:
    world = World()
    children = [
        world.probe("a", Restart.TRANSIENT, significant=True),
        world.probe("b", Restart.TRANSIENT, significant=True),
        world.probe("c", Restart.TRANSIENT),
    ]
    await world.up(children, auto_shutdown="all")
    world.system.tell("c", Finish())
    world.system.tell("a", Finish())
    await until(lambda: world.status("a") == world.status("c") == "stopped")
    assert world.status("") == "running"
    world.system.tell("b", Finish())
    assert await world.system.wait() == "shutdown"
    await world.down()
