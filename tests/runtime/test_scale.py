"""Many actors, cancelling one, determinism. Scenarios 42 and 43 of `docs/spec/supervision.md`."""

from __future__ import annotations

import asyncio
import gc
import time

import detangle
from detangle.strategies import RandomWalk

from actors.runtime import Backoff, ChildSpec, Restart, StartChild, Started, System, handles
from actors.runtime.events import ChildCrashed, ChildRestarted
from tests.runtime.kit import (
    CONFIG,
    Crash,
    Note,
    Probe,
    World,
    passing,
    root,
    simulated,
    until,
)


async def _start_and_stop(count: int) -> float:
    diary: list[str] = []
    world = World()
    behaviour = world.behave("all")
    system = System()
    specs = [ChildSpec(f"a{n}", lambda: Probe(diary, behaviour)) for n in range(count)]
    before = time.process_time()
    await system.start(root())
    for spec in specs:
        await system.ask("", StartChild(spec))
    assert len(diary) == count
    await system.stop()
    assert len(diary) == 2 * count
    return time.process_time() - before


def test_starting_and_stopping_ten_thousand_is_about_linear() -> None:
    async def main() -> None:
        await _start_and_stop(500)
        small = min([await _start_and_stop(2_500) for _ in range(3)])
        large = await _start_and_stop(10_000)
        # Four times as many; a quadratic step anywhere would make it sixteen.
        assert large < 8 * small

    # The collector's full passes cost by the size of the whole process, not of this tree.
    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


@simulated
async def test_cancelling_one_actor_spares_the_rest() -> None:
    world = World()
    await world.up(world.probes("a", "b", "c"))
    before = [await world.who(name) for name in "abc"]
    world.system.kill("b")
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    after = [await world.who(name) for name in "abc"]
    assert [x == y for x, y in zip(before, after, strict=True)] == [True, False, True]
    await world.down()


@simulated
async def test_a_cancelled_future_that_a_handler_awaits_is_a_crash_of_that_actor_only() -> None:
    world = World()
    await world.up([ChildSpec("a", lambda: AwaitsCancelled(world.diary, world.behave("a")))])
    world.system.tell("a", Note("await something cancelled"))
    await until(lambda: len(world.heard(ChildRestarted)) == 1)
    assert world.status("a") == "running"
    await world.down()
    assert [event.path for event in world.heard(ChildCrashed)] == ["a"]


class AwaitsCancelled(Probe):
    async def on_start(self) -> None:
        self.behaviour.starts += 1

    async def on_stop(self) -> None:
        pass

    @handles
    def note(self, message: Note) -> None:
        raise asyncio.CancelledError


def _history(schedule_seed: int, system_seed: int) -> tuple[list[str], float, int]:
    """What happens to a busy tree in one drawn order of its steps."""
    told: list[str] = []

    async def main() -> None:
        world = World(seed=system_seed)
        children = [world.probe(name, Restart.PERMANENT) for name in "abcdef"]
        await world.up(children, backoff=Backoff(first=1.0, jitter=0.5), intensity=None)
        for number in range(40):
            world.system.tell("abcdef"[number % 6], Crash() if number % 3 == 0 else Note("x"))
            if number % 10 == 9:
                world.system.kill("abcdef"[number % 5])
                await passing(1.5)
        assert await world.system.ask("", StartChild(world.probe("z"))) == Started("z")
        await passing(100.0)
        await world.down()
        told.extend(repr(event) for event in world.events if "Crashed" not in repr(event))

    strategy = RandomWalk(schedule_seed)
    strategy.start(0)
    result = detangle.execute(main, config=CONFIG, strategy=strategy)
    assert result.failure is None, result.failure
    return told, result.virtual_time, result.schedule_key()


def test_the_same_seeds_give_the_same_history_and_other_seeds_another() -> None:
    first = _history(1, 1)
    assert first == _history(1, 1)
    assert first[0] != _history(1, 2)[0]
    assert first[2] != _history(2, 1)[2]
