"""When Python looks for dead cycles: so that a large guard does not stand still for it.

A full collection walks every object. With 5,000 aged legs that held the loop up for 0.3 s, in the
middle of whatever it was doing. Collections of young objects, which are short, stay
as Python has them.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

SWEEP_EVERY = 900.0
"""Seconds between two collections that walk everything."""
_FULL = 2
"""Python's name for the generation of the oldest objects."""


@asynccontextmanager
async def collecting_gently(*, sweep_every: float = SWEEP_EVERY) -> AsyncIterator[None]:
    """Within it each object is walked by one full collection, and again every so many seconds.

    What has survived a full collection is frozen, so the next one walks only what is new. A frozen
    cycle that dies is found by the sweep. This is for a whole process: enter it once.
    """
    gc.callbacks.append(_freeze_survivors)
    sweeps = asyncio.create_task(_sweep(sweep_every), name="sweeps")
    try:
        yield
    finally:
        sweeps.cancel()
        with suppress(asyncio.CancelledError):
            await sweeps
        gc.callbacks.remove(_freeze_survivors)
        gc.unfreeze()


def _freeze_survivors(phase: str, info: dict[str, int]) -> None:
    if phase == "stop" and info["generation"] == _FULL:
        gc.freeze()


async def _sweep(every: float) -> None:
    while True:
        await asyncio.sleep(every)
        gc.unfreeze()
        gc.collect()
