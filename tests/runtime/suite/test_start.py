"""How children start, and what is refused: the groups sup_start and sup_start_map."""

from __future__ import annotations

from typing import Any

import pytest

from actors.runtime import (
    AlreadyThere,
    BadChildSpec,
    ChildSpec,
    Ignore,
    Restart,
    Started,
    StartFailed,
    StartRefused,
    Stopped,
    Supervisor,
)
from tests.runtime.kit import Probe, World, nested, simulated, until
from tests.runtime.suite.kit import (
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
async def test_a_supervisor_starts_and_stops_in_order() -> None:
    """OTP: sup_start_normal."""
    world = await sup()
    assert world.status("sup") == "running"
    await world.down()
    assert reasons(world)["sup"] == "shutdown"


class HasNothingToDo(Supervisor):
    async def on_start(self) -> Any:
        return Ignore()


@simulated
async def test_a_supervisor_may_say_that_there_is_nothing_to_do() -> None:
    """OTP: sup_start_ignore_init."""
    world = World()
    await world.up([ChildSpec("sup", HasNothingToDo), world.probe("a")])
    assert (world.status("sup"), world.status("a")) == ("stopped", "running")
    await world.down()


@simulated
async def test_a_started_child_that_has_nothing_to_do_is_reported_and_its_sibling_runs() -> None:
    """OTP: sup_start_ignore_child. Elixir: start_child/2 with different returns."""
    world = await sup()
    world.behave("child1", ignore=True)
    assert await start(world, world.probe("child1")) == Started("sup/child1", ignored=True)
    await started(world, world.probe("child2"))
    assert children(world) == {"child2": "running"}
    assert counts(world) == [1, 1, 0, 1]
    await world.down()


@simulated
async def test_a_static_temporary_child_that_has_nothing_to_do_is_not_kept() -> None:
    """OTP: sup_start_ignore_temporary_child."""
    world = World()
    world.behave("child1", ignore=True)
    specs = [world.probe("child1", Restart.TEMPORARY), world.probe("child2", Restart.TEMPORARY)]
    await sup(specs, world=world)
    assert children(world) == {"child2": "running"}
    assert counts(world) == [1, 1, 0, 1]
    await world.down()


@simulated
async def test_a_started_temporary_child_that_has_nothing_to_do_is_not_kept() -> None:
    """OTP: sup_start_ignore_temporary_child_start_child,
    sup_start_ignore_temporary_child_start_child_simple.
    """
    world = await sup()
    world.behave("child1", ignore=True)
    first = await start(world, world.probe("child1", Restart.TEMPORARY))
    assert first == Started("sup/child1", ignored=True)
    await started(world, world.probe("child2", Restart.TEMPORARY))
    assert counts(world) == [1, 1, 0, 1]
    await world.down()


@simulated
async def test_a_supervisor_with_an_ignoring_permanent_child_behind_it_stops_without_error() -> (
    None
):
    """OTP: sup_start_ignore_permanent_child_start_child_simple."""
    world = await sup()
    world.behave("child1", ignore=True)
    await start(world, world.probe("child1"))
    await started(world, world.probe("child2"))
    assert counts(world) == [1, 1, 0, 1]
    assert await stop(world, "sup", "") == Stopped(known=True)
    await world.down()
    assert reasons(world)["sup"] == "shutdown"


@simulated
async def test_a_factory_that_returns_no_supervisor_fails_the_start_and_leaves_nothing() -> None:
    """OTP: sup_start_error_return."""
    world = World()
    with pytest.raises(StartFailed, match="not an Actor"):
        await world.up([ChildSpec("sup", lambda: "invalid")])  # type: ignore[arg-type, return-value]  # rubbish on purpose
    assert world.system.cells == {}


@simulated
async def test_a_supervisor_whose_construction_raises_fails_the_start_and_leaves_nothing() -> None:
    """OTP: sup_start_fail."""
    world = World()

    def fail() -> Supervisor:
        raise ValueError("fail")

    with pytest.raises(StartFailed, match="ValueError: fail"):
        await world.up([ChildSpec("sup", fail)])
    assert world.system.cells == {}


@simulated
async def test_a_child_that_fails_to_start_is_refused_with_its_cause_and_not_kept() -> None:
    """OTP: sup_start_child_returns_error, sup_start_child_returns_error_simple."""
    world = await sup()
    world.behave("child1", fail_starts=[True])
    answer = await start(world, world.probe("child1"))
    assert isinstance(answer, StartRefused)
    assert "child1 was told not to start" in answer.why
    rubbish: Any = ChildSpec("child2", lambda: "no actor")  # type: ignore[arg-type, return-value]  # rubbish on purpose
    answer = await start(world, rubbish)
    assert isinstance(answer, StartRefused)
    assert "not an Actor" in answer.why
    assert children(world) == {}
    await world.down()


@simulated
async def test_an_ordered_restart_of_a_stopped_child_that_fails_leaves_it_stopped() -> None:
    """OTP: sup_start_restart_child_returns_error."""
    world = World()
    child = world.behave("child1")
    await sup([world.probe("child1")], world=world)
    await stop(world, "child1")
    child.fail_starts = [True]
    assert isinstance(await restart(world, "child1"), StartRefused)
    assert children(world) == {"child1": "stopped"}
    await world.down()


@simulated
async def test_specifications_have_defaults_that_can_be_read_back() -> None:
    """OTP: sup_start_map and sup_start_map_simple."""
    world = World()
    specs = [
        world.probe("child1"),
        world.probe("child2", shutdown=0.0),
        nested("child3"),
    ]
    await sup(specs, world=world)
    await started(world, world.probe("child4", Restart.TEMPORARY))
    read = {name: world.system.cells[f"sup/{name}"] for name in children(world)}
    assert [(cell.spec.restart, cell.spec.significant) for cell in read.values()] == [
        (Restart.PERMANENT, False),
        (Restart.PERMANENT, False),
        (Restart.PERMANENT, False),
        (Restart.TEMPORARY, False),
    ]
    deadlines = []
    for cell in read.values():
        assert cell.life is not None
        deadlines.append(cell.spec.stop_deadline(cell.life.actor))
    assert deadlines == [5.0, 0.0, None, 5.0]
    assert "sup/child5" not in world.system.cells
    await world.down()


BAD_SPECS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"name": None}, "name"),
    ({"name": ""}, "name"),
    ({"factory": "mfa"}, "factory"),
    ({"restart": "prmanent"}, "restart"),
    ({"shutdown": -10}, "shutdown"),
    ({"shutdown": "5"}, "shutdown"),
    ({"shutdown": True}, "shutdown"),
    ({"shutdown": float("nan")}, "shutdown"),
    ({"shutdown": float("inf")}, "shutdown"),
    ({"significant": "maybe"}, "significant"),
    ({"significant": 1}, "significant"),
)


@pytest.mark.parametrize(("wrong", "field"), BAD_SPECS)
def test_a_faulty_specification_is_refused_where_it_is_made_and_names_the_field(
    wrong: dict[str, Any], field: str
) -> None:
    """OTP: sup_start_map_faulty_specs, child_specs, child_specs_map. Elixir: invalid child spec."""
    with pytest.raises(BadChildSpec, match=field):
        ChildSpec(**{"name": "child", "factory": Probe, **wrong})


@pytest.mark.parametrize("missing", ["name", "factory"])
def test_a_specification_without_a_name_or_a_factory_cannot_be_made(missing: str) -> None:
    """OTP: sup_start_map_faulty_specs."""
    given: dict[str, Any] = {"name": "child", "factory": Probe}
    del given[missing]
    with pytest.raises(TypeError, match=missing):
        ChildSpec(**given)


@pytest.mark.parametrize("restart_type", list(Restart))
@pytest.mark.parametrize("shutdown", [0, 1000, None])
@pytest.mark.parametrize("auto_shutdown", ["never", "any", "all"])
@pytest.mark.parametrize("significant", [True, False])
def test_every_combination_is_accepted_but_those_that_contradict_themselves(
    restart_type: Restart, shutdown: float | None, auto_shutdown: Any, significant: bool
) -> None:
    """OTP: child_specs and child_specs_map."""

    def make() -> Supervisor:
        spec = ChildSpec("child", Probe, restart_type, shutdown, significant)  # type: ignore[arg-type]  # never started
        return Supervisor([spec], auto_shutdown=auto_shutdown)

    if significant and (restart_type is Restart.PERMANENT or auto_shutdown == "never"):
        with pytest.raises(BadChildSpec, match="significant"):
            make()
    else:
        make()


@simulated
async def test_rubbish_in_place_of_a_specification_is_refused_to_its_sender_alone() -> None:
    """OTP: child_specs (start_child with a term that is none)."""
    world = World()
    await sup([world.probe("a")], world=world)
    before = await world.who("sup/a")
    for rubbish in ("hej", None, 7, Probe, ["a"]):
        answer = await start(world, rubbish)  # type: ignore[arg-type]  # rubbish on purpose
        assert isinstance(answer, StartRefused)
        assert "ChildSpec" in answer.why
    assert await stop(world, ["a"]) == Stopped(known=False)  # type: ignore[arg-type]
    assert isinstance(await restart(world, {}), StartRefused)  # type: ignore[arg-type]
    assert await world.who("sup/a") == before
    await world.down()


BAD_OPTIONS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"strategy": "none_for_one"}, "strategy"),
    ({"intensity": -1}, "intensity"),
    ({"intensity": 1.5}, "intensity"),
    ({"intensity": True}, "intensity"),
    ({"intensity": "infinity"}, "intensity"),
    ({"period": 0}, "period"),
    ({"period": float("nan")}, "period"),
    ({"period": float("inf")}, "period"),
    ({"period": "5"}, "period"),
    ({"auto_shutdown": "sometimes"}, "auto_shutdown"),
    ({"max_children": -1}, "max_children"),
    ({"max_children": 1.5}, "max_children"),
    ({"backoff": 3.0}, "backoff"),
    ({"quarantine": "yes"}, "quarantine"),
    ({"children": ["child"]}, "children"),
    ({"children": 7}, "children"),
    ({"children": "ab"}, "children"),
)


@pytest.mark.parametrize(("wrong", "field"), BAD_OPTIONS)
def test_a_supervisors_options_are_refused_where_they_are_given_and_name_the_field(
    wrong: dict[str, Any], field: str
) -> None:
    """OTP: sup_flags. Elixir: start_link/3 with non-ok init."""
    with pytest.raises(BadChildSpec, match=field):
        Supervisor(**wrong)


def test_the_defaults_of_a_supervisor_are_those_of_elixir() -> None:
    """Elixir: init/1 set default options."""
    made = Supervisor()
    assert (made._limits.intensity, made._limits.period, made._max_children) == (3, 5.0, None)


@simulated
async def test_children_are_started_stopped_restarted_and_forgotten_by_name() -> None:
    """OTP: child_adm and extra_return."""
    world = World()
    await sup([world.probe("child1")], world=world)
    assert counts(world) == [1, 1, 0, 1]
    assert await start(world, world.probe("child1")) == AlreadyThere("sup/child1", running=True)
    assert await stop(world, "hej") == Stopped(known=False)
    assert isinstance(await restart(world, "hej"), StartRefused)
    for _ in range(2):
        assert await stop(world, "child1") == Stopped(known=True)
        assert children(world) == {"child1": "stopped"}
    assert counts(world) == [1, 0, 0, 1]
    assert await start(world, world.probe("child1")) == AlreadyThere("sup/child1", running=False)
    assert await restart(world, "child1") == Started("sup/child1")
    assert counts(world) == [1, 1, 0, 1]
    await ends(world, "sup/child1", "crash")
    await restarted(world, "sup/child1", times=2)
    assert counts(world) == [1, 1, 0, 1]
    await world.down()


@simulated
async def test_dynamic_children_are_stopped_by_name_and_a_stranger_is_left_alone() -> None:
    """OTP: child_adm_simple."""
    world = World()
    await sup([], world=world)
    await started(world, world.probe("x"), path="")
    assert counts(world) == [0, 0, 0, 0]
    await started(world, world.probe("a"), world.probe("b"))
    assert counts(world) == [2, 2, 0, 2]
    life = world.system.cells["sup/a"].life
    assert life is not None
    assert await stop(world, "a") == Stopped(known=True)
    assert life.task.done()
    assert await stop(world, "a") == Stopped(known=False)
    assert await stop(world, "x") == Stopped(known=False)
    assert world.status("x") == "running"
    assert counts(world) == [1, 1, 0, 1]
    await world.down()


@simulated
async def test_a_child_whose_name_is_taken_in_another_tree_starts_nevertheless() -> None:
    """OTP: already_started_outside_supervisor, whose names are global; a path is not."""
    world = World()
    await sup([], world=world)
    await started(world, world.probe("child"), path="")
    await started(world, world.probe("child"))
    assert world.status("child") == world.status("sup/child") == "running"
    await world.down()


@simulated
async def test_the_list_of_children_shows_each_and_what_it_does() -> None:
    """OTP: which_children and which_children_simple_one_for_one."""
    world = World()
    await sup([world.probe("child1"), world.probe("child2")], world=world)
    assert children(world) == {"child1": "running", "child2": "running"}
    await stop(world, "child1")
    assert children(world) == {"child1": "stopped", "child2": "running"}
    await started(world, world.probe("child3", Restart.TEMPORARY))
    assert list(children(world)) == ["child1", "child2", "child3"]
    await stop(world, "child3")
    assert list(children(world)) == ["child1", "child2"]
    assert world.status("sup/childx") == "gone"
    await world.down()


@simulated
async def test_counts_tell_children_that_are_supervisors_from_those_that_are_not() -> None:
    """OTP: count_children, count_children_supervisor."""
    world = await sup()
    for number in range(20):
        await started(world, world.probe(f"w{number}", Restart.TEMPORARY))
    assert counts(world) == [20, 20, 0, 20]
    for number in range(20):
        await started(world, nested(f"s{number}", restart=Restart.TEMPORARY))
    assert counts(world) == [40, 40, 20, 20]
    for name in list(children(world)):
        world.system.kill(f"sup/{name}")
    await until(lambda: counts(world) == [0, 0, 0, 0])
    await world.down()


@simulated
async def test_a_fault_deep_in_an_application_fails_its_start_and_names_the_cause() -> None:
    """OTP: faulty_application_shutdown."""
    world = World()
    world.behave("server", fail_starts=[True])
    with pytest.raises(StartFailed, match=r"app/server did not start.*told not to start"):
        await world.up([nested("app", [world.probe("server")])])
    assert world.system.tree() == ()
