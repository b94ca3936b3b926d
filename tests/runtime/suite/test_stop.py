"""How supervisors stop, and in what time: the group sup_stop, and hanging restarts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.runtime import (
    AlreadyThere,
    Backoff,
    ChildSpec,
    Restart,
    Started,
    Stopped,
    Strategy,
)
from actors.runtime.events import ChildCrashed, ChildOverdue, ChildStopped
from tests.runtime.kit import (
    Crash,
    Finish,
    Probe,
    Take,
    World,
    elapsed,
    passing,
    simulated,
    until,
)
from tests.runtime.suite.kit import (
    EVERY_END,
    children,
    counts,
    ends,
    reasons,
    restart,
    restarted,
    start,
    started,
    stop,
    sup,
)


@simulated
async def test_children_without_a_deadline_stop_in_order() -> None:
    """OTP: sup_stop_infinity. Elixir: terminates children with infinity shutdown."""
    world = World()
    world.behave("child2", stop_takes=1000.0)
    await sup([world.probe(name, shutdown=None) for name in ("child1", "child2")], world=world)
    assert await elapsed(stop(world, "sup", "")) >= 1000.0
    await world.down()
    assert reasons(world) | {"": ""} == {
        "sup/child1": "shutdown",
        "sup/child2": "shutdown",
        "sup": "shutdown",
        "": "",
    }


@simulated
async def test_a_child_that_is_busy_beyond_its_deadline_is_killed_and_its_sibling_is_not() -> None:
    """OTP: sup_stop_timeout."""
    world = World()
    await sup([world.probe(name, shutdown=1.0) for name in ("child1", "child2")], world=world)
    world.system.tell("sup/child2", Take(200.0))
    await passing(0.1)
    assert 1.0 <= await elapsed(stop(world, "sup", "")) <= 1.1
    await world.down()
    ended = reasons(world)
    assert (ended["sup/child1"], ended["sup/child2"]) == ("shutdown", "killed")


@simulated
async def test_a_busy_dynamic_child_is_killed_at_its_deadline() -> None:
    """OTP: sup_stop_timeout_dynamic. Elixir: terminates children with expired integer shutdown."""
    world = await sup()
    specs = [world.probe(name, Restart.TEMPORARY, shutdown=1.0) for name in ("a", "b", "c")]
    await started(world, *specs)
    world.system.tell("sup/b", Take(200.0))
    await passing(0.1)
    assert 1.0 <= await elapsed(stop(world, "sup", "")) <= 1.1
    await world.down()
    ended = reasons(world)
    assert [ended[f"sup/{name}"] for name in "abc"] == ["shutdown", "killed", "shutdown"]
    assert [event.path for event in world.heard(ChildOverdue)] == ["sup/b"]


@simulated
async def test_dynamic_children_stop_all_at_once_each_within_its_deadline() -> None:
    """OTP: simple_one_for_one_shutdown. Elixir: terminates children with integer shutdown."""
    world = await sup()
    for name, takes in (("a", 1.0), ("b", 1.0), ("c", 5.0)):
        world.behave(name, stop_takes=takes)
        await started(world, world.probe(name, shutdown=2.0))
    world.take_diary()
    assert 2.0 <= await elapsed(stop(world, "sup", "")) <= 2.1
    assert sorted(world.take_diary()) == ["-a", "-b"]
    await world.down()
    assert [event.path for event in world.heard(ChildOverdue)] == ["sup/c"]


@simulated
async def test_a_deadline_of_zero_kills() -> None:
    """OTP: sup_stop_brutal_kill. Elixir: terminates with mixed children."""
    world = World()
    await sup([world.probe("child1"), world.probe("child2", shutdown=0.0)], world=world)
    await stop(world, "sup", "")
    await world.down()
    ended = reasons(world)
    assert (ended["sup/child1"], ended["sup/child2"]) == ("shutdown", "killed")


@simulated
async def test_ten_dynamic_children_with_a_deadline_of_zero_are_killed() -> None:
    """OTP: sup_stop_brutal_kill_dynamic. Elixir: terminates children with brutal kill."""
    world = await sup()
    names = [f"c{number}" for number in range(10)]
    await started(world, *(world.probe(name, Restart.TEMPORARY, shutdown=0.0) for name in names))
    assert await elapsed(stop(world, "sup", "")) == 0.0
    await world.down()
    assert {reasons(world)[f"sup/{name}"] for name in names} == {"killed"}
    assert reasons(world)["sup"] == "shutdown"


class SlowToStop(Probe):
    """Takes its time to stop, while its siblings end by themselves."""

    async def on_stop(self) -> None:
        await asyncio.sleep(1.0)
        self.diary.append(f"-{self.name}")


@simulated
async def test_a_stop_completes_while_children_end_by_themselves_for_other_reasons() -> None:
    """OTP: sup_stop_race."""
    world = World()
    behaviour = world.behave("z")
    await sup([world.probe("a", Restart.TEMPORARY)], world=world)
    names = [f"{restart_type}-{how}" for restart_type in Restart for how in EVERY_END]
    for restart_type in Restart:
        for how in EVERY_END:
            await started(world, world.probe(f"{restart_type}-{how}", restart_type))
    last = ChildSpec("z", lambda: SlowToStop(world.diary, behaviour), shutdown=2.0)
    await started(world, last)
    world.behave("a", stop_takes=0.5)
    stopping = asyncio.create_task(stop(world, "sup", ""))
    for name in names:
        if name.endswith("kill"):
            world.system.kill(f"sup/{name}")
        else:
            world.system.tell(f"sup/{name}", Finish() if name.endswith("normal") else Crash())
    assert await stopping == Stopped(known=True)
    await world.down()
    assert reasons(world)["sup"] == reasons(world)["sup/z"] == reasons(world)["sup/a"] == "shutdown"


@pytest.mark.parametrize("restart_type", list(Restart))
def test_dynamic_children_that_stop_in_their_own_way_do_not_disturb_the_stop(
    restart_type: Restart,
) -> None:
    """OTP: sup_stop_non_shutdown_exit_dynamic. Elixir: … shutdown and abnormal reason."""

    @simulated
    async def test() -> None:
        world = await sup()
        world.behave("other", stop_fails=True)
        await started(world, *(world.probe(name, restart_type) for name in ("quiet", "other")))
        await stop(world, "sup", "")
        assert world.status("sup") == "gone"
        await world.down()
        assert reasons(world)["sup"] == reasons(world)["sup/quiet"] == "shutdown"
        assert [event.path for event in world.heard(ChildCrashed)] == ["sup/other"]

    test()


@simulated
async def test_a_child_that_does_not_listen_to_its_supervisor_does_not_hang_it() -> None:
    """OTP: child_unlink."""
    world = World()
    world.behave("naughty", deaf=True)
    await sup([world.probe("naughty", shutdown=1.0)], world=world)
    assert await elapsed(stop(world, "naughty")) <= 1.1
    assert children(world) == {"naughty": "stopped"}
    await world.down()


def _hanging(strategy: Strategy) -> dict[str, Any]:
    return {"strategy": strategy, "intensity": 8, "period": 10.0, "backoff": Backoff(first=2.0)}


@simulated
async def test_a_child_that_hangs_in_its_restarts_can_be_stopped_and_so_can_its_supervisor() -> (
    None
):
    """OTP: hanging_restart_loop. Elixir: terminates restarting child."""
    world = World()
    child = world.behave("child1")
    await sup([world.probe("child1")], world=world, **_hanging(Strategy.ONE_FOR_ONE))
    for _ in range(2):
        child.fail_starts = [True] * 100
        await ends(world, "sup/child1", "crash")
        await until(lambda: world.status("sup/child1") == "waiting")
        again = AlreadyThere("sup/child1", running=False, waiting=True)
        assert await start(world, world.probe("child1")) == again
        assert counts(world) == [1, 0, 0, 1]
        assert await stop(world, "child1") == Stopped(known=True)
        assert children(world) == {"child1": "stopped"}
        child.fail_starts = []
        assert await restart(world, "child1") == Started("sup/child1")
    child.fail_starts = [True] * 100
    await ends(world, "sup/child1", "crash")
    await until(lambda: world.status("sup/child1") == "waiting")
    assert await elapsed(stop(world, "sup", "")) < 0.1
    await world.down()


@simulated
async def test_those_behind_a_hanging_restart_wait_and_those_before_it_run() -> None:
    """OTP: hanging_restart_loop_rest_for_one."""
    world = World()
    second = world.behave("child2")
    specs = world.probes("child1", "child2", "child3")
    await sup(specs, world=world, **_hanging(Strategy.REST_FOR_ONE))
    second.fail_starts = [True] * 100
    await ends(world, "sup/child2", "crash")
    await until(lambda: world.status("sup/child2") == "waiting")
    assert children(world) == {"child1": "running", "child2": "waiting", "child3": "waiting"}
    assert counts(world) == [3, 1, 0, 3]
    second.fail_starts = []
    # Stopped, it is waited for no longer: here the one behind it comes back without it.
    assert await stop(world, "child2") == Stopped(known=True)
    assert children(world) == {"child1": "running", "child2": "stopped", "child3": "running"}
    assert await restart(world, "child2") == Started("sup/child2")
    await restarted(world, "sup/child2")
    second.fail_starts = [True] * 100
    await ends(world, "sup/child2", "crash")
    await until(lambda: world.status("sup/child2") == "waiting")
    assert await elapsed(stop(world, "sup", "")) < 0.1
    await world.down()


@simulated
async def test_a_dynamic_child_that_hangs_in_its_restarts_can_be_stopped() -> None:
    """OTP: hanging_restart_loop_simple."""
    world = await sup([], **_hanging(Strategy.ONE_FOR_ONE))
    child = world.behave("child1")
    await started(world, world.probe("child1"))
    child.fail_starts = [True] * 100
    await ends(world, "sup/child1", "crash")
    await until(lambda: world.status("sup/child1") == "waiting")
    assert await stop(world, "child1") == Stopped(known=True)
    assert children(world) == {}
    await world.down()


@simulated
async def test_a_dynamic_child_is_stopped_alone_within_its_deadline_and_its_name_is_free() -> None:
    """Elixir: terminates child with integer shutdown, with brutal kill; with valid shutdown."""
    world = await sup()
    for shutdown, said in ((0.0, "killed"), (1.0, "shutdown")):
        await started(world, world.probe("a", shutdown=shutdown))
        assert await stop(world, "a") == Stopped(known=True)
        assert await stop(world, "a") == Stopped(known=False)
        assert counts(world) == [0, 0, 0, 0]
        await passing(0.1)
        last = [event for event in world.heard(ChildStopped) if event.path == "sup/a"][-1]
        assert last.reason == said
    await world.down()


@simulated
async def test_a_permanent_dynamic_child_that_ends_normally_at_the_stop_is_not_restarted() -> None:
    """Elixir: terminates children with permanent restart and normal reason."""
    world = await sup()
    await started(world, *world.probes("a", "b", "c"))
    for name in "abc":
        world.system.tell(f"sup/{name}", Finish())
    await stop(world, "sup", "")
    assert world.status("sup") == "gone"
    assert [path for path in world.system.cells if path] == []
    await world.down()
