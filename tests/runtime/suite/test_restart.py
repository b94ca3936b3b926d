"""Which children come back, with whom, and how often."""

from __future__ import annotations

from collections.abc import Callable

from actors.runtime import (
    AlreadyThere,
    ChildSpec,
    Ignore,
    Restart,
    Started,
    StartRefused,
    Stopped,
    Strategy,
)
from actors.runtime.events import ChildRestarted, SupervisorGaveUp
from tests.runtime.kit import Behaviour, Crash, Probe, World, nested, passing, simulated, until
from tests.runtime.suite.kit import (
    EVERY_END,
    children,
    counts,
    ends,
    gave_up,
    restart,
    restarted,
    start,
    started,
    stop,
    sup,
)

STRATEGIES = tuple(Strategy)


@simulated
async def test_a_permanent_child_comes_back_whatever_its_end() -> None:
    """OTP: permanent_normal, permanent_shutdown, permanent_abnormal. Elixir: permanent child."""
    world = await sup([], intensity=None)
    await started(world, world.probe("child1"))
    for number, how in enumerate(EVERY_END, start=1):
        await ends(world, "sup/child1", how)
        await restarted(world, "sup/child1", number)
        assert counts(world) == [1, 1, 0, 1]
    await world.down()


@simulated
async def test_a_transient_child_stays_away_after_a_normal_end_and_can_be_called_back() -> None:
    """OTP: transient_normal."""
    world = World()
    await sup([world.probe("child1", Restart.TRANSIENT)], world=world)
    await ends(world, "sup/child1", "normal")
    await until(lambda: children(world) == {"child1": "stopped"})
    assert counts(world) == [1, 0, 0, 1]
    assert await restart(world, "child1") == Started("sup/child1")
    await world.down()


@simulated
async def test_a_transient_supervisor_that_ends_with_shutdown_stays_away() -> None:
    """OTP: transient_shutdown."""
    world = World()
    inner = nested("inner", [world.probe("a")], intensity=0, restart=Restart.TRANSIENT)
    await sup([inner], world=world)
    for _ in range(2):
        await ends(world, "sup/inner/a", "crash")
        await until(lambda: children(world) == {"inner": "stopped"})
        assert counts(world) == [1, 0, 1, 0]
        assert await restart(world, "inner") == Started("sup/inner")
    await world.down()


@simulated
async def test_a_permanent_supervisor_that_ends_with_shutdown_comes_back() -> None:
    """OTP: permanent_shutdown."""
    world = World()
    await sup([nested("inner", [world.probe("a")], intensity=0)], world=world)
    await ends(world, "sup/inner/a", "crash")
    await restarted(world, "sup/inner")
    assert world.status("sup/inner/a") == "running"
    await world.down()


@simulated
async def test_a_transient_child_comes_back_after_an_abnormal_end() -> None:
    """OTP: transient_abnormal. Elixir: transient child is restarted unless …"""
    world = await sup()
    await started(world, world.probe("child1", Restart.TRANSIENT))
    for number, how in enumerate(("crash", "kill"), start=1):
        await ends(world, "sup/child1", how)
        await restarted(world, "sup/child1", number)
        assert counts(world) == [1, 1, 0, 1]
    await world.down()


@simulated
async def test_a_temporary_child_never_comes_back_and_its_name_is_free() -> None:
    """OTP: temporary_normal, temporary_shutdown, temporary_abnormal. Elixir: temporary child."""
    world = await sup()
    for how in EVERY_END:
        await started(world, world.probe("child1", Restart.TEMPORARY))
        await ends(world, "sup/child1", how)
        await until(lambda: children(world) == {})
        assert counts(world) == [0, 0, 0, 0]
    await world.down()
    assert world.heard(ChildRestarted) == []


@simulated
async def test_a_temporary_sibling_that_is_stopped_with_its_group_does_not_come_back() -> None:
    """OTP: temporary_bystander."""
    for strategy in (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE):
        world = World()
        specs = [world.probe("child1"), world.probe("child2", Restart.TEMPORARY)]
        await sup(specs, world=world, strategy=strategy, intensity=2, period=300.0)
        await ends(world, "sup/child1", "normal")
        await restarted(world, "sup/child1")
        await passing(350.0)
        assert children(world) == {"child1": "running"}
        await world.down()


@simulated
async def test_restarts_that_keep_below_the_intensity_go_on_for_ever() -> None:
    """OTP: multiple_restarts."""
    world = await sup([], intensity=1, period=1.0)
    await started(world, world.probe("child1", shutdown=0.0))
    for number in range(1, 5):
        await ends(world, "sup/child1", "crash")
        await restarted(world, "sup/child1", number)
        await passing(2.1)
    assert await stop(world, "child1") == Stopped(known=True)
    assert world.status("sup") == "running"
    await world.down()


@simulated
async def test_one_for_one_spares_the_sibling_and_gives_up_beyond_its_intensity() -> None:
    """OTP: one_for_one."""
    world = World()
    await sup(world.probes("child1", "child2"), world=world, intensity=2, period=3600.0)
    second = await world.who("sup/child2")
    await ends(world, "sup/child1", "crash")
    await restarted(world, "sup/child1")
    assert await world.who("sup/child2") == second
    assert counts(world) == [2, 2, 0, 2]
    await ends(world, "sup/child2", "crash")
    await restarted(world, "sup/child2")
    world.system.tell("sup/child2", Crash())
    await gave_up(world)
    await world.down()


@simulated
async def test_simple_one_for_one_spares_the_sibling_and_gives_up_beyond_its_intensity() -> None:
    """OTP: simple_one_for_one and simple_one_for_one_extra. Elixir: child triggers maximum …"""
    world = await sup([], intensity=2, period=3600.0)
    await started(world, *world.probes("child1", "child2"))
    second = await world.who("sup/child2")
    await ends(world, "sup/child1", "crash")
    await restarted(world, "sup/child1")
    assert await world.who("sup/child2") == second
    assert counts(world) == [2, 2, 0, 2]
    await ends(world, "sup/child2", "crash")
    await restarted(world, "sup/child2")
    world.system.tell("sup/child2", Crash())
    await gave_up(world)
    await world.down()


@simulated
async def test_one_for_all_replaces_everybody_and_gives_up_beyond_its_intensity() -> None:
    """OTP: one_for_all."""
    world = World()
    options = {"strategy": Strategy.ONE_FOR_ALL, "intensity": 2, "period": 3600.0}
    await sup(world.probes("child1", "child2"), world=world, **options)
    before = [await world.who(f"sup/{name}") for name in ("child1", "child2")]
    await ends(world, "sup/child1", "crash")
    await restarted(world, "sup/child2")
    after = [await world.who(f"sup/{name}") for name in ("child1", "child2")]
    assert not set(before) & set(after)
    assert counts(world) == [2, 2, 0, 2]
    await ends(world, "sup/child2", "crash")
    await restarted(world, "sup/child2", 2)
    world.system.tell("sup/child1", Crash())
    await gave_up(world)
    await world.down()


@simulated
async def test_rest_for_one_replaces_those_behind_and_gives_up_beyond_its_intensity() -> None:
    """OTP: rest_for_one."""
    world = World()
    options = {"strategy": Strategy.REST_FOR_ONE, "intensity": 2, "period": 3600.0}
    names = ("child1", "child2", "child3")
    await sup(world.probes(*names), world=world, **options)
    before = [await world.who(f"sup/{name}") for name in names]
    await ends(world, "sup/child2", "crash")
    await restarted(world, "sup/child3")
    after = [await world.who(f"sup/{name}") for name in names]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False]
    assert counts(world) == [3, 3, 0, 3]
    await ends(world, "sup/child3", "crash")
    await restarted(world, "sup/child3", 2)
    world.system.tell("sup/child2", Crash())
    await gave_up(world)
    await world.down()


async def _escalates(strategy: Strategy, crashing: str, failing: str, *, dynamic: bool) -> None:
    world = World()
    specs = world.probes("child1", "child2")
    options = {"strategy": strategy, "intensity": 4, "period": 3600.0}
    await sup([] if dynamic else specs, world=world, **options)
    if dynamic:
        await started(world, *specs)
    world.behave(failing, fail_starts=[True] * 100)
    world.system.tell(f"sup/{crashing}", Crash())
    await gave_up(world)
    assert world.status("sup/child1") == world.status("sup/child2") == "gone"
    await world.down()


@simulated
async def test_one_for_one_gives_up_when_the_restart_keeps_failing() -> None:
    """OTP: one_for_one_escalation."""
    await _escalates(Strategy.ONE_FOR_ONE, "child1", "child1", dynamic=False)


@simulated
async def test_one_for_all_gives_up_when_the_restart_of_another_child_keeps_failing() -> None:
    """OTP: one_for_all_escalation."""
    await _escalates(Strategy.ONE_FOR_ALL, "child1", "child2", dynamic=False)


@simulated
async def test_rest_for_one_gives_up_when_the_restart_of_a_later_child_keeps_failing() -> None:
    """OTP: rest_for_one_escalation."""
    await _escalates(Strategy.REST_FOR_ONE, "child1", "child2", dynamic=False)


@simulated
async def test_dynamic_children_make_their_supervisor_give_up_as_static_ones_do() -> None:
    """OTP: simple_one_for_one_escalation. Elixir: maximum intensity when trying again."""
    await _escalates(Strategy.ONE_FOR_ONE, "child1", "child1", dynamic=True)


@simulated
async def test_one_for_all_stops_a_restarted_child_again_when_a_later_one_fails() -> None:
    """OTP: one_for_all_other_child_fails_restart."""
    world = World()
    second = world.behave("child2")
    options = {"strategy": Strategy.ONE_FOR_ALL, "intensity": 3, "period": 3600.0}
    await sup(world.probes("child1", "child2"), world=world, **options)
    world.take_diary()
    second.fail_starts = [True]
    await ends(world, "sup/child1", "crash")
    await restarted(world, "sup/child2")
    assert world.take_diary() == ["-child2", "+child1", "-child1", "+child1", "+child2"]
    await world.down()


@simulated
async def test_rest_for_one_keeps_a_restarted_child_when_a_later_one_fails() -> None:
    """OTP: rest_for_one_other_child_fails_restart."""
    world = World()
    second = world.behave("child2")
    options = {"strategy": Strategy.REST_FOR_ONE, "intensity": 3, "period": 3600.0}
    await sup(world.probes("child1", "child2"), world=world, **options)
    world.take_diary()
    second.fail_starts = [True]
    await ends(world, "sup/child1", "crash")
    await restarted(world, "sup/child2")
    assert world.take_diary() == ["-child2", "+child1", "+child2"]
    await world.down()


class IgnoresLater(Probe):
    """Has something to do twice, and then no more."""

    async def on_start(self) -> Ignore | None:
        await super().on_start()
        return Ignore() if self.behaviour.starts > 2 else None


@simulated
async def test_a_dynamic_child_that_has_nothing_to_do_at_its_restart_is_forgotten() -> None:
    """OTP: simple_one_for_one_restart_ignore. Elixir: child is restarted with different values."""
    for restart_type in (Restart.TRANSIENT, Restart.PERMANENT):
        world = await sup([], intensity=10)
        behaviour = world.behave("child1")
        spec = ChildSpec("child1", _ignores_later(world, behaviour), restart_type)
        await started(world, spec)
        await ends(world, "sup/child1", "kill")
        await restarted(world, "sup/child1")
        await ends(world, "sup/child1", "kill")
        await passing(0.1)
        assert children(world) == {}
        assert await start(world, world.probe("child1")) == Started("sup/child1")
        await world.down()


def _ignores_later(world: World, behaviour: Behaviour) -> Callable[[], IgnoresLater]:
    return lambda: IgnoresLater(world.diary, behaviour)


@simulated
async def test_children_are_stopped_against_their_order_and_started_in_it() -> None:
    """OTP: order_of_children."""
    world = World()
    names = ("ch7", "ch3", "ch10", "ch2", "ch5")
    await sup(world.probes(*names), world=world, strategy=Strategy.REST_FOR_ONE)
    assert world.take_diary() == [f"+{name}" for name in names]
    await ends(world, "sup/ch10", "crash")
    await restarted(world, "sup/ch5")
    assert world.take_diary() == ["-ch5", "-ch2", "+ch10", "+ch2", "+ch5"]
    await stop(world, "sup", "")
    assert world.take_diary() == [f"-{name}" for name in reversed(names)]
    await world.down()


@simulated
async def test_a_tree_restarts_what_died_and_a_dead_supervisor_loses_dynamic_children() -> None:
    """OTP: tree."""
    world = World()
    kinds = [
        nested("supchild1", world.probes("child1", "child2"), intensity=4, period=3600.0),
        nested("supchild2", intensity=4, period=3600.0),
        nested("supchild3", intensity=4, period=3600.0, restart=Restart.TRANSIENT),
    ]
    await sup(kinds, world=world, strategy=Strategy.ONE_FOR_ALL, intensity=4, period=3600.0)
    await stop(world, "supchild3")
    assert counts(world) == [3, 2, 3, 0]
    third = world.behave("child3")
    await started(world, *world.probes("child3", "child4"), path="sup/supchild2")
    first = await world.who("sup/supchild1/child1")
    await ends(world, "sup/supchild2/child4", "crash")
    await restarted(world, "sup/supchild2/child4")
    assert await world.who("sup/supchild1/child1") == first
    assert counts(world, "sup/supchild2") == [2, 2, 0, 2]
    third.fail_starts = [True] * 100
    world.system.tell("sup/supchild2/child3", Crash())
    await restarted(world, "sup/supchild2")
    assert await world.who("sup/supchild1/child1") != first
    assert counts(world, "sup/supchild1") == [2, 2, 0, 2]
    assert counts(world, "sup/supchild2") == [0, 0, 0, 0]
    # What an operator stopped stays stopped, where OTP starts it again with its group.
    assert children(world)["supchild3"] == "stopped"
    await world.down()


@simulated
async def test_counts_stay_right_while_children_hang_in_their_restarts() -> None:
    """OTP: count_restarting_children."""
    world = await sup([], intensity=20, period=10.0)
    for name in ("a", "b", "c"):
        world.behave(name, start_takes=2.0)
    await started(world, *world.probes("a", "b", "c"))
    for name in "ab":
        world.behave(name, fail_starts=[True, True])
        await ends(world, f"sup/{name}", "crash")
    await until(lambda: counts(world)[1] < 3)
    assert counts(world)[0::3] == [3, 3]
    await until(lambda: counts(world) == [3, 3, 0, 3])
    for left, name in ((2, "c"), (1, "b"), (0, "a")):
        await stop(world, name)
        assert counts(world) == [left, left, 0, left]
    await world.down()


@simulated
async def test_a_supervisor_keeps_the_specifications_of_all_but_temporary_children() -> None:
    """OTP: do_not_save_child_specs_for_temporary_children."""
    for strategy in STRATEGIES:
        for how in (*EVERY_END, "supervisor"):
            world = World()
            specs = [world.probe("child1"), world.probe("child2", Restart.TRANSIENT)]
            await sup(specs, world=world, strategy=strategy, intensity=None)
            await started(world, world.probe("child3", Restart.TEMPORARY))
            for name in ("child3", "child2", "child1"):
                if how == "supervisor":
                    await stop(world, name)
                elif world.status(f"sup/{name}") == "running":
                    await ends(world, f"sup/{name}", how)
            await passing(1.0)
            for name, restart_type in (("child1", None), ("child2", Restart.TRANSIENT)):
                spec = world.probe(name, restart_type or Restart.PERMANENT)
                assert isinstance(await start(world, spec), AlreadyThere)
            await started(world, world.probe("child3", Restart.TEMPORARY))
            await world.down()


@simulated
async def test_a_killed_supervisor_and_a_killed_restarted_or_ended_worker_are_all_replaced() -> (
    None
):
    """OTP: simple_global_supervisor."""
    world = World()
    middle = nested("middle", world.probes("server"), strategy=Strategy.ONE_FOR_ALL, period=60.0)
    await sup([middle], world=world, strategy=Strategy.ONE_FOR_ALL, period=60.0)
    before = await world.who("sup/middle/server")
    world.system.kill("sup/middle")
    await restarted(world, "sup/middle")
    seen = {before, await world.who("sup/middle/server")}
    for number, how in enumerate(("kill", "normal"), start=1):
        await ends(world, "sup/middle/server", how)
        await restarted(world, "sup/middle/server", number)
        seen.add(await world.who("sup/middle/server"))
    assert await stop(world, "server", "sup/middle") == Stopped(known=True)
    assert await restart(world, "server", "sup/middle") == Started("sup/middle/server")
    seen.add(await world.who("sup/middle/server"))
    assert len(seen) == 5
    world.system.kill("sup")
    await until(lambda: world.status("sup/middle/server") == "gone")
    await world.down()


@simulated
async def test_a_child_whose_restart_fails_once_is_tried_again_and_runs() -> None:
    """Elixir: child is restarted when trying again."""
    world = await sup([], intensity=2)
    child = world.behave("a")
    await started(world, world.probe("a"))
    child.fail_starts = [True]
    await ends(world, "sup/a", "normal")
    await restarted(world, "sup/a")
    assert counts(world) == [1, 1, 0, 1]
    assert world.heard(SupervisorGaveUp) == []
    await world.down()


@simulated
async def test_children_that_restart_count_towards_the_limit_whether_they_run_again_or_not() -> (
    None
):
    """Elixir: with max_children; restarting on init, and on exit, counted in max_children."""
    none_allowed = await sup([], max_children=0)
    assert isinstance(await start(none_allowed, none_allowed.probe("a")), StartRefused)
    await none_allowed.down()
    world = await sup([], max_children=1, intensity=None)
    child = world.behave("a")
    await started(world, world.probe("a"))
    await ends(world, "sup/a", "normal")
    assert isinstance(await start(world, world.probe("b")), StartRefused)
    await restarted(world, "sup/a")
    child.start_takes = 5.0
    child.fail_starts = [True] * 5
    await ends(world, "sup/a", "normal")
    assert isinstance(await start(world, world.probe("b")), StartRefused)
    child.fail_starts.clear()
    await world.down()


@simulated
async def test_supervisors_of_dynamic_children_stand_side_by_side_under_one_supervisor() -> None:
    """Elixir: can be supervised directly; multiple supervisors can be supervised."""
    world = World()
    await sup([nested("one"), nested("two")], world=world)
    assert counts(world, "sup/one") == counts(world, "sup/two") == [0, 0, 0, 0]
    again = await start(world, nested("two"))
    assert again == AlreadyThere("sup/two", running=True)
    await world.down()
