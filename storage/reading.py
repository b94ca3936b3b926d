"""Reads of one kind that come together share a query: fifty legs ask for their rows once.

A read joins only one that has not begun, and that was asked for after the last write: so it shows
what was committed before it was asked, by whomever, and what its asker has written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
KeyedJob = Callable[[Connection, Sequence[K]], Mapping[K, R]]


class SharedRead:
    """One query for all of `keys`; `after` is the number of the last write before it."""

    __slots__ = ("after", "begun", "keys", "task")

    def __init__(self, after: int) -> None:
        self.after = after
        self.begun = False
        self.keys: dict[Any, None] = {}
        self.task: asyncio.Task[Any]


class SharedReads:
    """The newest read of each kind. Those of one kind run one after the other.

    `run` runs a reading job in a transaction; `written` waits until no write up to a number is
    on its way.
    """

    def __init__(
        self,
        run: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
        written: Callable[[int], Awaitable[None]],
    ) -> None:
        self._run = run
        self._written = written
        self._newest: dict[Hashable, SharedRead] = {}

    def join(
        self, kind: Hashable, key: K, asked: int, job: KeyedJob[K, R]
    ) -> asyncio.Task[Mapping[K, R]]:
        """The task that reads `key` among others; `asked` is the number of the last write."""
        newest = self._newest.get(kind)
        if newest is None or newest.begun or newest.after != asked:
            before = None if newest is None else newest.task
            newest = self._newest[kind] = SharedRead(asked)
            newest.task = asyncio.ensure_future(self._read(kind, newest, before, job))
        newest.keys[key] = None
        return newest.task

    async def _read(
        self,
        kind: Hashable,
        read: SharedRead,
        before: asyncio.Task[Any] | None,
        job: KeyedJob[Any, Any],
    ) -> Mapping[Any, Any]:
        try:
            if before is not None and not before.done():
                await asyncio.wait({before})
            await self._written(read.after)

            def all_of_them(connection: Connection) -> Mapping[Any, Any]:
                # The transaction is open: what is asked for from now on may be newer than it.
                return job(connection, keys)

            read.begun = True
            keys = tuple(read.keys)
            found: Mapping[Any, Any] = await self._run(all_of_them)
            return found
        finally:
            if self._newest.get(kind) is read:
                del self._newest[kind]
