"""How the service looks for dead cycles without standing still."""

from __future__ import annotations

import asyncio
import gc
import weakref

from console.service.garbage_collection import collecting_gently


class Ring:
    """A dead one is found by a collection only."""

    def __init__(self) -> None:
        self.itself = self


def test_a_full_collection_walks_nothing_that_has_survived_one_before() -> None:
    async def scenario() -> None:
        async with collecting_gently():
            old = [Ring() for _ in range(10_000)]
            gc.collect()
            assert not any(isinstance(each, Ring) for each in gc.get_objects())
            assert gc.get_freeze_count() > len(old)
            new = Ring()
            walked = [each for each in gc.get_objects() if isinstance(each, Ring)]
            assert walked == [new]
        assert gc.get_freeze_count() == 0

    asyncio.run(scenario())


def test_a_cycle_that_dies_after_it_was_frozen_is_found_by_the_next_sweep() -> None:
    async def scenario() -> None:
        async with collecting_gently(sweep_every=0.05):
            dead = asyncio.Event()
            ring = Ring()
            weakref.finalize(ring, dead.set)
            gc.collect()
            del ring
            async with asyncio.timeout(10):
                await dead.wait()

    asyncio.run(scenario())


def test_what_dies_young_is_found_without_a_sweep() -> None:
    async def scenario() -> None:
        async with collecting_gently():
            gc.collect()
            ring = Ring()
            dead = weakref.ref(ring)
            del ring
            gc.collect()
            assert dead() is None

    asyncio.run(scenario())
