"""Starting: order, failure, refusal, ignoring. Scenarios 1 to 9 of `docs/spec/supervision.md`."""

from __future__ import annotations

import asyncio
import functools

import pytest

from actors.runtime import (
    Actor,
    AlreadyThere,
    Backoff,
    BadChildSpec,
    ChildSpec,
    Restart,
    StartChild,
    Started,
    StartFailed,
    StartRefused,
    StopChild,
    Strategy,
    Supervisor,
)
from actors.runtime.events import ChildStartFailed
from tests.runtime.kit import World, nested, root, simulated, until


class NeverMade(Actor[None]):
    def __init__(self) -> None:
        super().__init__(None)
        raise OSError("no room in __init__")


class ForgetsItsState(Actor[None]):
    def __init__(self) -> None:
        pass


@simulated
async def test_children_start_in_the_order_listed_each_acknowledged_before_the_next() -> None:
    world = World()
    world.behave("a", start_takes=5.0)
    world.behave("b", start_takes=1.0)
    await world.up(world.probes("a", "b", "c"))
    assert world.take_diary() == ["+a", "+b", "+c"]
    await world.down()


@simulated
async def test_when_the_third_fails_the_first_two_are_stopped_and_the_error_names_it() -> None:
    world = World()
    world.behave("c", fail_starts=[True])
    with pytest.raises(StartFailed) as caught:
        await world.up(world.probes("a", "b", "c", "d"))
    assert "c" in str(caught.value)
    assert "c was told not to start" in str(caught.value)
    assert world.diary == ["+a", "+b", "-b", "-a"]
    assert world.system.cells == {}


@simulated
async def test_a_failure_deep_below_fails_the_whole_start_and_names_the_deepest_child() -> None:
    world = World()
    world.behave("b", fail_starts=[True])
    with pytest.raises(StartFailed, match="inner/b"):
        await world.up([world.probe("a"), nested("inner", world.probes("b"))])
    assert world.diary == ["+a", "-a"]


@simulated
async def test_a_child_that_says_ignore_keeps_its_spec_without_a_process() -> None:
    world = World()
    world.behave("a", ignore=True)
    await world.up(world.probes("a", "b"))
    assert world.status("a") == "stopped"
    assert await world.system.ask("", StartChild(world.probe("a"))) == AlreadyThere("a", False)
    await world.down()


@simulated
async def test_a_temporary_child_that_says_ignore_is_forgotten() -> None:
    world = World()
    world.behave("a", ignore=True)
    await world.up([world.probe("a", Restart.TEMPORARY)])
    assert world.status("a") == "gone"
    world.behave("a", ignore=False)
    spec = world.probe("a", Restart.TEMPORARY)
    assert await world.system.ask("", StartChild(spec)) == Started("a")
    await world.down()


@simulated
async def test_a_dynamic_child_that_says_ignore_is_reported_and_forgotten() -> None:
    world = World()
    world.behave("a", ignore=True)
    await world.up()
    answer = await world.system.ask("", StartChild(world.probe("a")))
    assert answer == Started("a", ignored=True)
    assert world.status("a") == "gone"
    await world.down()


@simulated
async def test_a_start_that_raises_leaves_no_half_child() -> None:
    world = World()
    await world.up()
    for factory, said in (
        (NeverMade, "no room in __init__"),
        (lambda: "an actor", "returned str, not an Actor"),
        (ForgetsItsState, "super().__init__(state)"),
    ):
        answer = await world.system.ask("", StartChild(ChildSpec("x", factory)))  # type: ignore[arg-type]  # rubbish on purpose
        assert isinstance(answer, StartRefused)
        assert said in answer.why
        assert list(world.system.cells) == [""]
    await world.down()
    assert len(world.heard(ChildStartFailed)) == 3


@simulated
async def test_a_factory_that_returns_the_same_object_again_is_refused() -> None:
    world = World()
    spec = world.probe("a")
    actor = spec.factory()
    await world.up()
    assert isinstance(
        await world.system.ask("", StartChild(ChildSpec("a", lambda: actor))), Started
    )
    answer = await world.system.ask("", StartChild(ChildSpec("b", lambda: actor)))
    assert isinstance(answer, StartRefused)
    assert "a new one each time" in answer.why
    await world.down()


@simulated
async def test_an_asynchronous_on_start_that_raises_is_a_start_failure() -> None:
    world = World()
    world.behave("a", start_takes=3.0, fail_starts=[True])
    with pytest.raises(StartFailed, match="told not to start"):
        await world.up(world.probes("a"))
    assert world.diary == []


@simulated
async def test_a_child_that_is_killed_while_it_starts_is_a_failed_start() -> None:
    for turns in range(6):
        world = World()
        world.behave("a", start_takes=100.0)
        starting = asyncio.create_task(world.up(world.probes("b", "a")))
        await until(functools.partial(_has_task, world, "a"))
        for _ in range(turns):
            await asyncio.sleep(0)
        world.system.kill("a")
        with pytest.raises(StartFailed, match="killed"):
            await starting
        assert world.diary == ["+b", "-b"]
        assert world.system.cells == {}


def _has_task(world: World, path: str) -> bool:
    cell = world.system.cells.get(path)
    return cell is not None and cell.life is not None and hasattr(cell.life, "task")


@simulated
async def test_a_supervisor_that_is_killed_while_a_child_starts_leaves_nothing_running() -> None:
    world = World()
    world.behave("a", start_takes=100.0)
    inner = nested("inner", world.probes("b", "a"))
    starting = asyncio.create_task(world.up([inner]))
    await until(lambda: _has_task(world, "inner/a"))
    world.system.kill("inner")
    with pytest.raises(StartFailed, match="killed"):
        await starting
    assert world.system.cells == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strategy": "one_for_none"}, "strategy"),
        ({"period": 0}, "period"),
        ({"intensity": -1}, "intensity"),
        ({"auto_shutdown": "some"}, "auto_shutdown"),
        ({"max_children": -1}, "max_children"),
    ],
)
def test_bad_options_of_a_supervisor_are_refused_before_anything_starts(
    options: dict[str, object], said: str
) -> None:
    with pytest.raises(BadChildSpec, match=said):
        Supervisor(**options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "non-empty"),
        ({"name": "a/b"}, "without '/'"),
        ({"name": "a", "factory": "Probe"}, "cannot be called"),
        ({"name": "a", "shutdown": -1.0}, "shutdown"),
        ({"name": "a", "shutdown": float("nan")}, "shutdown"),
        ({"name": "a", "restart": "sometimes"}, "restart"),
        ({"name": "a", "significant": True}, "significant and permanent"),
    ],
)
def test_bad_child_specifications_are_refused_with_the_cure(
    fields: dict[str, object], said: str
) -> None:
    with pytest.raises(BadChildSpec, match=said):
        ChildSpec(**{"factory": NeverMade, **fields})  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    "wrong", [{"first": 0.0}, {"first": 9.0, "cap": 1.0}, {"factor": 0.5}, {"jitter": 1.0}]
)
def test_bad_back_off_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadChildSpec, match="back-off"):
        Backoff(**wrong)  # type: ignore[arg-type]  # all of these are floats


def test_two_static_children_of_one_name_are_refused() -> None:
    with pytest.raises(BadChildSpec, match="two children are named 'a'"):
        Supervisor([ChildSpec("a", NeverMade), ChildSpec("a", NeverMade)])


def test_a_significant_child_is_refused_where_automatic_shutdown_is_never() -> None:
    spec = ChildSpec("a", NeverMade, Restart.TRANSIENT, significant=True)
    with pytest.raises(BadChildSpec, match="auto_shutdown"):
        Supervisor([spec])


@simulated
async def test_a_significant_dynamic_child_is_refused_where_automatic_shutdown_is_never() -> None:
    world = await World().up()
    spec = world.probe("a", Restart.TRANSIENT, significant=True)
    answer = await world.system.ask("", StartChild(spec))
    assert isinstance(answer, StartRefused)
    assert "auto_shutdown" in answer.why
    await world.down()


@simulated
async def test_a_duplicate_name_is_refused_and_running_and_stopped_are_told_apart() -> None:
    world = World()
    await world.up(world.probes("a"))
    again = StartChild(world.probe("a"))
    assert await world.system.ask("", again) == AlreadyThere("a", running=True)
    await world.system.ask("", StopChild("a"))
    assert await world.system.ask("", again) == AlreadyThere("a", running=False)
    await world.down()


@simulated
async def test_starting_a_child_that_waits_for_its_restart_is_refused_and_says_so() -> None:
    world = World()
    await world.up(world.probes("a"), backoff=Backoff(first=10.0))
    world.system.kill("a")
    answer: object = None
    while answer != AlreadyThere("a", running=False, waiting=True):
        answer = await world.system.ask("", StartChild(world.probe("a")))
    assert world.status("a") == "waiting"
    await world.down()


def test_the_defaults_can_be_read_back() -> None:
    spec = ChildSpec("a", NeverMade)
    assert (spec.restart, spec.shutdown, spec.significant) == (Restart.PERMANENT, 5.0, False)
    assert ChildSpec("s", Supervisor).shutdown is None
    assert ChildSpec("s", functools.partial(Supervisor, [])).shutdown is None
    assert Supervisor().state.strategy is Strategy.ONE_FOR_ONE


@simulated
async def test_a_supervisor_made_by_a_plain_function_has_no_deadline_either() -> None:
    world = World()
    world.behave("slow", stop_takes=100.0)
    slow = world.probe("slow", shutdown=200.0)
    await world.up([ChildSpec("inner", lambda: Supervisor([slow]))])
    world.take_diary()
    await world.down()
    assert world.take_diary() == ["-slow"]


@simulated
async def test_a_system_is_started_once() -> None:
    world = await World().up()
    with pytest.raises(RuntimeError, match="make a new one"):
        await world.system.start(root())
    await world.down()
