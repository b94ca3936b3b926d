"""Death watch and timers. Scenario 37 of `docs/spec/supervision.md`."""

from __future__ import annotations

from datetime import timedelta

from actors.runtime import (
    Reason,
    StopChild,
)
from actors.runtime.events import ChildRestarted
from tests.runtime.kit import (
    Crash,
    Finish,
    Note,
    passing,
    simulated,
    until,
)
from tests.runtime.owner import (
    After,
    Owner,
    Tick,
    Unwatch,
    Watch,
    owned,
    state,
)


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
    assert isinstance(life.actor, Owner)
    timer = life.actor.after(5.0, Tick())
    before = timer.active
    timer.cancel()
    timer.cancel()
    await passing(10.0)
    assert (before, timer.active) == (True, False)
    assert state(world).ticks == 2
    await world.down()
