"""One piece of work for all who ask at the same time: pages and scrapers multiply, looks must not.

What is made is up to `server`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """What `make` made last, for everyone who asks within `lasts` seconds of it.

    Where the making took long it lasts `rest` times as long: whoever looks at a large guard must
    not keep it from its work. What `make` raises, each asker gets who waited for a try of his own.
    """

    def __init__(
        self, make: Callable[[], Awaitable[T]], *, lasts: float, rest: float = 0.0
    ) -> None:
        self._make = make
        self._lasts = lasts
        self._rest = rest
        self._turn = asyncio.Lock()
        self._made: tuple[T, float] | None = None

    async def get(self) -> T:
        """The thing, made now where nobody made it lately."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            begun = loop.time()
            if self._made is None or begun >= self._made[1]:
                made = await self._make()
                ended = loop.time()
                self._made = made, ended + max(self._lasts, self._rest * (ended - begun))
            return self._made[0]
