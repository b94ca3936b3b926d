"""Restart types, strategies, intensity. Scenarios 10 to 24 of `docs/spec/supervision.md`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors.runtime import (
    ActorCrashed,
    ChildSpec,
    NoSuchActor,
    Restart,
    RestartChild,
    StartChild,
    Started,
    StartFailed,
    StartRefused,
    StopChild,
    Strategy,
)
from actors.runtime.events import ChildCrashed, ChildRestarted, SupervisorGaveUp
from tests.runtime.kit import (
    EPOCH,
    Crash,
    CrashAnswering,
    Finish,
    Note,
    Seen,
    World,
    nested,
    passing,
    restarts,
    simulated,
    until,
)


@simulated
async def test_a_permanent_child_comes_back_after_normal_shutdown_crash_and_kill() -> None:
    world = World()
    inner = nested("inner", world.probes("x"), intensity=0)
    await world.up([world.probe("a"), inner], intensity=None)
    for number, trouble in enumerate((Finish(), Crash(), None), start=1):
        before = await world.who("a")
        if trouble is None:
            world.system.kill("a")
        else:
            world.system.tell("a", trouble)
        await restarts(world, number)
        assert await world.who("a") != before
    # A supervisor that gives up ends with `shutdown`, and is started again.
    before = await world.who("inner/x")
    world.system.tell("inner/x", Crash())
    await until(lambda: any(event.path == "inner" for event in world.heard(ChildRestarted)))
    assert await world.who("inner/x") != before
    await world.down()


@simulated
async def test_a_transient_child_comes_back_after_crash_and_kill_only() -> None:
    world = await World().up([], intensity=None)
    await world.system.ask("", StartChild(world.probe("a", Restart.TRANSIENT)))
    first = await world.who("a")
    world.system.tell("a", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    second = await world.who("a")
    world.system.kill("a")
    await until(lambda: len(world.heard(ChildRestarted)) == 2)
    third = await world.who("a")
    assert len({first, second, third}) == 3
    world.system.tell("a", Finish())
    await until(lambda: world.status("a") == "gone")
    assert len(world.heard(ChildRestarted)) == 2
    await world.down()


@simulated
async def test_a_static_transient_child_that_ends_normally_stays_as_stopped() -> None:
    world = World()
    await world.up([world.probe("a", Restart.TRANSIENT)])
    world.system.tell("a", Finish())
    await until(lambda: world.status("a") == "stopped")
    assert await world.system.ask("", RestartChild("a")) == Started("a")
    await world.down()


@simulated
async def test_a_temporary_child_never_comes_back_and_its_spec_is_forgotten() -> None:
    world = World()
    await world.up([world.probe("a", Restart.TEMPORARY), world.probe("b", Restart.TEMPORARY)])
    world.system.tell("a", Crash())
    world.system.kill("b")
    await until(lambda: list(world.system.cells) == [""])
    assert isinstance(await world.system.ask("", RestartChild("a")), StartRefused)
    assert world.heard(ChildRestarted) == []
    await world.down()


@simulated
async def test_a_restart_makes_a_fresh_object_without_old_state() -> None:
    world = await World().up([])
    await world.system.ask("", StartChild(world.probe("a")))
    world.system.tell("a", Note("before"))
    assert await world.system.ask("a", Seen()) == ["before"]
    world.system.tell("a", Crash())
    world.system.tell("a", Note("after"))
    assert await world.system.ask("a", Seen()) == ["after"]
    await world.down()


@simulated
async def test_the_name_resolves_to_the_new_incarnation_and_the_old_reference_is_dead() -> None:
    world = World()
    await world.up(world.probes("a"))
    old = world.system.ref("a")
    world.system.tell("a", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    new = world.system.ref("a")
    assert not old.is_alive()
    assert new.is_alive()
    assert old.actor_urn != new.actor_urn
    await world.down()
    assert not new.is_alive()


@simulated
async def test_the_message_that_killed_its_actor_is_never_delivered_again_and_the_rest_is() -> None:
    world = World()
    await world.up(world.probes("a"))
    world.system.suspend("a")
    for message in (Note("1"), Crash(), Note("2"), Note("3")):
        world.system.tell("a", message)
    world.system.resume("a")
    assert await world.system.ask("a", Seen()) == ["2", "3"]
    await world.down()
    assert len(world.heard(ChildCrashed)) == 1


@simulated
async def test_a_crash_in_an_asked_handler_reaches_the_asker_and_crashes_the_actor() -> None:
    world = World()
    await world.up(world.probes("a"))
    before = await world.who("a")
    with pytest.raises(ActorCrashed) as caught:
        await world.system.ask("a", CrashAnswering())
    assert isinstance(caught.value.__cause__, ValueError)
    assert await world.who("a") != before
    await world.down()


@simulated
async def test_one_for_one_leaves_siblings_their_identity() -> None:
    world = World()
    await world.up(world.probes("a", "b", "c"))
    before = [await world.who(name) for name in "abc"]
    world.system.tell("b", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    after = [await world.who(name) for name in "abc"]
    assert [x == y for x, y in zip(before, after, strict=True)] == [True, False, True]
    await world.down()


@simulated
async def test_one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() -> None:
    world = World()
    await world.up(world.probes("a", "b", "c", "d"), strategy=Strategy.ONE_FOR_ALL)
    world.take_diary()
    world.system.tell("b", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 4)
    assert world.take_diary() == ["-d", "-c", "-a", "+a", "+b", "+c", "+d"]
    await world.down()


@simulated
async def test_rest_for_one_leaves_earlier_children_untouched() -> None:
    world = World()
    await world.up(world.probes("a", "b", "c", "d"), strategy=Strategy.REST_FOR_ONE)
    world.take_diary()
    before = await world.who("a")
    world.system.tell("b", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 3)
    assert world.take_diary() == ["-d", "-c", "+b", "+c", "+d"]
    assert await world.who("a") == before
    await world.down()


@simulated
async def test_a_group_restart_forgets_temporary_siblings_and_leaves_stopped_ones_stopped() -> None:
    world = World()
    children = [world.probe("a"), world.probe("t", Restart.TEMPORARY), world.probe("s")]
    await world.up(children, strategy=Strategy.ONE_FOR_ALL)
    await world.system.ask("", StopChild("s"))
    world.system.tell("a", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    assert world.status("t") == "gone"
    assert world.status("s") == "stopped"
    await world.down()


@simulated
async def test_one_for_all_when_the_second_fails_to_restart_stops_the_first_and_tries_again() -> (
    None
):
    world = World()
    b = world.behave("b")
    await world.up(world.probes("a", "b", "c"), strategy=Strategy.ONE_FOR_ALL, intensity=5)
    world.take_diary()
    b.fail_starts = [True]
    world.system.tell("c", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 4)
    assert world.take_diary() == ["-b", "-a", "+a", "-a", "+a", "+b", "+c"]
    await world.down()


@simulated
async def test_two_siblings_that_crash_together_get_one_restart_each() -> None:
    world = World()
    await world.up(world.probes("a", "b", "c"))
    world.system.tell("a", Crash())
    world.system.tell("b", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 2)
    await passing(60.0)
    assert [world.system.tree()[i].restarts for i in (1, 2, 3)] == [1, 1, 0]
    await world.down()


@simulated
async def test_two_siblings_that_crash_together_under_one_for_all_are_one_restart() -> None:
    world = World()
    await world.up(world.probes("a", "b"), strategy=Strategy.ONE_FOR_ALL, intensity=1)
    world.system.kill("a")
    world.system.kill("b")
    await passing(60.0)
    assert world.heard(SupervisorGaveUp) == []
    assert world.status("a") == world.status("b") == "running"
    await world.down()


@simulated
async def test_so_many_restarts_within_the_period_survive_and_one_more_ends_the_supervisor() -> (
    None
):
    world = World()
    await world.up(world.probes("a", "b", "c"), intensity=3, period=5.0)
    for number in (1, 2, 3):
        world.system.tell("b", Crash())
        await restarts(world, number)
    world.take_diary()
    world.system.tell("b", Crash())
    assert await world.system.wait() == "shutdown"
    assert world.take_diary() == ["-c", "-a"]
    await world.down()
    (event,) = world.heard(SupervisorGaveUp)
    assert (event.child, event.intensity, event.period) == ("b", 3, 5.0)


@simulated
async def test_restarts_spaced_wider_than_the_period_never_add_up() -> None:
    world = World()
    await world.up(world.probes("a"), intensity=1, period=5.0)
    for number in range(1, 8):
        world.system.tell("a", Crash())
        await restarts(world, number)
        await passing(5.5)
    assert world.heard(SupervisorGaveUp) == []
    await world.down()


@simulated
async def test_intensity_zero_bears_no_restart_and_none_bears_any_number() -> None:
    strict, patient = World(), World()
    await strict.up(strict.probes("a"), intensity=0)
    strict.system.tell("a", Crash())
    assert await strict.system.wait() == "shutdown"
    await strict.down()
    await patient.up(patient.probes("a"), intensity=None)
    for number in range(1, 50):
        patient.system.tell("a", Crash())
        await restarts(patient, number)
    await patient.down()


@simulated
async def test_failed_restart_attempts_count() -> None:
    world = World()
    a = world.behave("a")
    await world.up(world.probes("a"), intensity=3, period=5.0)
    a.fail_starts = [True] * 10
    world.system.tell("a", Crash())
    assert await world.system.wait() == "shutdown"
    # The first start, and three failed attempts; the fourth failure is one too many.
    assert a.starts == 1 + 3
    await world.down()


@simulated
async def test_the_parent_restarts_a_dead_supervisor_with_static_children_and_no_dynamic_ones() -> (
    None
):
    world = World()
    await world.up([nested("inner", world.probes("a"), intensity=0)])
    await world.system.ask("inner", StartChild(world.probe("d")))
    before = await world.who("inner/a")
    world.system.tell("inner/d", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    assert await world.who("inner/a") != before
    assert world.status("inner/d") == "gone"
    with pytest.raises(NoSuchActor):
        await world.who("inner/d")
    await world.down()


@simulated
async def test_a_killed_supervisor_takes_its_children_with_it_and_comes_back() -> None:
    world = World()
    await world.up([nested("inner", world.probes("a", "b"))])
    before = await world.who("inner/a")
    world.take_diary()
    world.system.kill("inner")
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    assert await world.who("inner/a") != before
    # Killed, not stopped: no `on_stop` ran.
    assert world.take_diary() == ["+a", "+b"]
    await world.down()


@simulated
async def test_failures_escalate_level_by_level_up_to_the_root() -> None:
    world = World()
    middle = nested("middle", [nested("inner", world.probes("a"), intensity=0)], intensity=1)
    await world.up([middle, world.probe("z")], intensity=0)
    world.system.tell("middle/inner/a", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    world.system.tell("middle/inner/a", Crash())
    assert await world.system.wait() == "shutdown"
    await world.down()
    assert [event.path for event in world.heard(SupervisorGaveUp)] == [
        "middle/inner",
        "middle/inner",
        "middle",
        "",
    ]


@simulated
async def test_jumps_of_the_wall_clock_do_not_change_what_is_counted() -> None:
    world = World()
    jumps = iter(timedelta(days=365 * sign) for sign in (1, -1) * 1000)
    world.system.now = lambda: EPOCH + next(jumps)
    await world.up(world.probes("a"), intensity=2, period=5.0)
    for number in (1, 2):
        world.system.tell("a", Crash())
        await restarts(world, number)
    await passing(6.0)
    world.system.tell("a", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 3)
    for _ in range(3):
        world.system.tell("a", Crash())
    assert await world.system.wait() == "shutdown"
    await world.down()


@simulated
async def test_restart_child_stops_a_running_child_in_order_and_starts_it_afresh() -> None:
    world = World()
    await world.up(world.probes("a"), intensity=0)
    before = await world.who("a")
    world.take_diary()
    assert await world.system.restart("a") == Started("a")
    assert world.take_diary() == ["-a", "+a"]
    assert await world.who("a") != before
    assert isinstance(await world.system.ask("", RestartChild("stranger")), StartRefused)
    await world.down()


@simulated
async def test_an_ordered_restart_that_fails_is_tried_again_like_any_restart() -> None:
    world = World()
    a = world.behave("a")
    await world.up(world.probes("a"))
    a.fail_starts = [True]
    assert isinstance(await world.system.restart("a"), StartRefused)
    await until(lambda: world.status("a") == "running")
    await world.down()


@simulated
async def test_a_child_whose_init_starts_to_raise_is_a_failed_restart() -> None:
    world = World()
    spec = world.probe("a")
    moods = iter([False, True, False])

    def moody() -> object:
        if next(moods):
            raise OSError("not now")
        return spec.factory()

    await world.up([ChildSpec("a", moody)])  # type: ignore[arg-type]  # typed as what it may return
    world.system.tell("a", Crash())
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    assert world.status("a") == "running"
    await world.down()


@simulated
async def test_a_root_whose_start_fails_leaves_nothing_running() -> None:
    world = World()
    world.behave("a", fail_starts=[True])
    with pytest.raises(StartFailed):
        await world.up(world.probes("a"))
    assert world.system.tree() == ()
    await world.down()
