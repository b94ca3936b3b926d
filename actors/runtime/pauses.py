"""Lets others in between the parts of a long look, so that none of them waits for all of it."""

from __future__ import annotations

import asyncio
import time

PART = 0.004
"""Seconds of work after which the loop's others get their turn."""


class Pauses:
    """`await pauses.here()` between steps that are short themselves: mostly it does nothing."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()

    async def here(self) -> None:
        if time.perf_counter() - self._begun > PART:
            await self.now()

    async def now(self) -> None:
        """A pause in any case, before a longer step."""
        await asyncio.sleep(0)
        self._begun = time.perf_counter()
