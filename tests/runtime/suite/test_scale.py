"""Many children: time in proportion to their number, and nothing kept of those that have gone."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref

from actors.runtime import ChildSpec, Restart, StartChild, StopChild, System
from tests.runtime.kit import Crash, Probe, World, passing, root, until
from tests.runtime.suite.kit import children, started, stop, sup


async def _start_and_stop_one_by_one(count: int, restart_type: Restart) -> tuple[float, float]:
    diary: list[str] = []
    behaviour = World().behave("all")
    system = System()
    await system.start(root())
    names = [f"a{number}" for number in range(count)]
    before = time.process_time()
    for name in names:
        spec = ChildSpec(name, lambda: Probe(diary, behaviour), restart_type)
        await system.ask("", StartChild(spec))
    between = time.process_time()
    for name in names:
        await system.ask("", StopChild(name))
    after = time.process_time()
    assert len(diary) == 2 * count
    await system.stop()
    return between - before, after - between


def _scales(restart_type: Restart) -> None:
    async def main() -> None:
        await _start_and_stop_one_by_one(200, restart_type)
        runs = [await _start_and_stop_one_by_one(500, restart_type) for _ in range(3)]
        large = await _start_and_stop_one_by_one(4_000, restart_type)
        # Eight times as many; a quadratic step would make it sixty-four.
        assert large[0] < 16 * min(start for start, _ in runs)
        assert large[1] < 16 * min(end for _, end in runs)

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_starting_and_stopping_temporary_children_one_by_one_is_about_linear() -> None:
    """OTP: simple_one_for_one_scale_many_temporary_children."""
    _scales(Restart.TEMPORARY)


def test_starting_and_stopping_permanent_children_one_by_one_is_about_linear() -> None:
    """OTP: scale_start_stop_many_children."""
    _scales(Restart.PERMANENT)


class Argument:
    """Something large that a child is started with."""


def test_what_a_temporary_child_was_started_with_is_let_go_with_it() -> None:
    """OTP: do_not_save_start_parameters_for_temporary_children, simple_one_for_one_corruption."""
    # On asyncio's own loop: the simulated one keeps all tasks that ever were, with their errors.
    asyncio.run(_starts_with_something_large())


async def _starts_with_something_large() -> None:
    world = await sup()
    for name in ("first", "second"):
        argument = Argument()
        kept = weakref.ref(argument)
        behaviour = world.behave(name)

        def make(argument: Argument = argument, behaviour: object = behaviour) -> Probe:
            return Probe(world.diary, behaviour)  # type: ignore[arg-type]  # it is a Behaviour

        await started(world, ChildSpec(name, make, Restart.TEMPORARY))
        del argument, make
        if name == "first":
            world.system.tell("sup/first", Crash())
            await until(lambda: children(world) == {})
        else:
            await stop(world, name)
        for _ in range(12):
            # The last ten messages are kept for a crash report, the order to start among them.
            await stop(world, "a stranger")
        await passing(0.1)
        gc.collect()
        assert kept() is None
    await world.down()
