"""Significant children: what ends their supervisor with them, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from actors.runtime import BadChildSpec, ChildSpec, Restart, StartRefused, Strategy, Supervisor
from tests.runtime.kit import Probe, World, nested, passing, simulated, until
from tests.runtime.suite.kit import (
    children,
    ends,
    restart,
    restarted,
    start,
    started,
    stop,
    sup,
)

MODES: tuple[Any, ...] = ("never", "any", "all")


async def _three(restart_type: Restart, auto_shutdown: Any) -> World:
    """Two significant children and one that is not."""
    world = World()
    specs = [
        world.probe("child1", restart_type, significant=True),
        world.probe("child2", restart_type, significant=True),
        world.probe("child3", restart_type),
    ]
    return await sup(specs, world=world, intensity=5, auto_shutdown=auto_shutdown)


async def until_gone(world: World) -> None:
    await until(lambda: world.status("sup") == "gone")


async def _stays(world: World) -> None:
    await passing(1.0)
    assert world.status("sup") == "running"


@simulated
async def test_a_temporary_child_that_is_not_significant_ends_nobody() -> None:
    """OTP: nonsignificant_temporary."""
    for mode in MODES:
        world = await sup([], auto_shutdown=mode)
        for how in ("supervisor", "kill", "crash", "normal"):
            await started(world, world.probe("child1", Restart.TEMPORARY))
            if how == "supervisor":
                await stop(world, "child1")
            else:
                await ends(world, "sup/child1", how)
            await _stays(world)
        await world.down()


@simulated
async def test_a_transient_child_that_is_not_significant_ends_nobody() -> None:
    """OTP: nonsignificant_transient."""
    for mode in MODES:
        world = World()
        specs = [world.probe("child1", Restart.TRANSIENT)]
        await sup(specs, world=world, intensity=5, auto_shutdown=mode)
        await stop(world, "child1")
        await _stays(world)
        await restart(world, "child1")
        for number, how in enumerate(("kill", "crash"), start=2):
            await ends(world, "sup/child1", how)
            await restarted(world, "sup/child1", number)
            await _stays(world)
        await ends(world, "sup/child1", "normal")
        await _stays(world)
        await world.down()


@simulated
async def test_any_every_own_end_of_a_significant_temporary_child_ends_all() -> None:
    """OTP: significant_temporary."""
    for how in ("kill", "crash", "normal"):
        world = await _three(Restart.TEMPORARY, "any")
        await ends(world, "sup/child1", how)
        await until_gone(world)
        await world.down()
    world = await _three(Restart.TEMPORARY, "any")
    await stop(world, "child1")
    await _stays(world)
    assert list(children(world)) == ["child2", "child3"]
    await world.down()


@simulated
async def test_all_the_own_end_of_the_last_significant_temporary_child_ends_all() -> None:
    """OTP: significant_temporary."""
    world = await _three(Restart.TEMPORARY, "all")
    await ends(world, "sup/child1", "normal")
    await _stays(world)
    await ends(world, "sup/child2", "normal")
    await until_gone(world)
    await world.down()


@simulated
async def test_any_only_the_normal_end_of_a_significant_transient_child_ends_all() -> None:
    """OTP: significant_transient."""
    world = await _three(Restart.TRANSIENT, "any")
    await stop(world, "child1")
    await _stays(world)
    await restart(world, "child1")
    for number, how in enumerate(("kill", "crash"), start=2):
        await ends(world, "sup/child1", how)
        await restarted(world, "sup/child1", number)
        await _stays(world)
    await ends(world, "sup/child1", "normal")
    await until_gone(world)
    await world.down()


@simulated
async def test_all_the_normal_end_of_the_last_significant_transient_child_ends_all() -> None:
    """OTP: significant_transient."""
    world = await _three(Restart.TRANSIENT, "all")
    await ends(world, "sup/child1", "normal")
    await _stays(world)
    await ends(world, "sup/child2", "normal")
    await until_gone(world)
    await world.down()


@simulated
async def test_a_significant_child_that_is_stopped_for_its_sibling_ends_nobody() -> None:
    """OTP: significant_bystander."""
    for strategy in Strategy:
        for mode in ("any", "all"):
            world = World()
            specs = [
                world.probe("child1", Restart.TRANSIENT, significant=True),
                world.probe("child2", Restart.TRANSIENT),
                world.probe("child3", Restart.TRANSIENT, significant=True),
            ]
            options = {"strategy": strategy, "intensity": 5, "auto_shutdown": mode}
            await sup(specs, world=world, **options)
            await ends(world, "sup/child2", "kill")
            await restarted(world, "sup/child2")
            await _stays(world)
            assert set(children(world).values()) == {"running"}
            await world.down()


@simulated
async def test_the_end_of_a_significant_child_goes_up_through_significant_supervisors_only() -> (
    None
):
    """OTP: significant_escalation."""
    for significant in (True, False):
        world = World()
        leaf = world.probe("c", Restart.TRANSIENT, significant=True)
        middle = nested("b", [leaf], auto_shutdown="any", restart=Restart.TRANSIENT)
        spec = ChildSpec("b", middle.factory, Restart.TRANSIENT, significant=significant)
        await sup([spec], world=world, auto_shutdown="any")
        await ends(world, "sup/b/c", "normal")
        await passing(1.0)
        assert world.status("sup/b") in ("gone", "stopped")
        assert (world.status("sup") == "gone") is significant
        await world.down()


@simulated
async def test_significant_children_are_refused_where_automatic_shutdown_is_never() -> None:
    """OTP: the part of significant_upgrade_* that needs no upgrade. Elixir: invalid significant."""
    with pytest.raises(BadChildSpec, match="significant"):
        Supervisor([ChildSpec("a", Probe, Restart.TRANSIENT, significant=True)])  # type: ignore[arg-type]  # never started
    world = await sup()
    answer = await start(world, world.probe("child1", Restart.TRANSIENT, significant=True))
    assert isinstance(answer, StartRefused)
    assert "significant" in answer.why
    await world.down()


@simulated
async def test_a_dynamic_child_may_be_significant_unlike_in_simple_one_for_one() -> None:
    """OTP: significant_simple, which forbids it."""
    world = await sup([], auto_shutdown="any")
    await started(world, world.probe("a", Restart.TEMPORARY, significant=True))
    await ends(world, "sup/a", "normal")
    await until_gone(world)
    await world.down()
