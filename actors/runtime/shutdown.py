"""Steps around the ordered stop: in order, each once, none of them blocking the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loguru import Logger


class Phases:
    """Named jobs with a time-out each (seconds), run in the order in which they were added."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._jobs: list[tuple[str, Callable[[], Awaitable[None]], float]] = []
        self.failed: list[str] = []

    def add(self, name: str, job: Callable[[], Awaitable[None]], timeout: float) -> None:
        self._jobs.append((name, job, timeout))

    async def run(self) -> None:
        """Run what has not been run. A job that fails or is late is logged and noted."""
        while self._jobs:
            name, job, timeout = self._jobs.pop(0)
            try:
                async with asyncio.timeout(timeout):
                    await job()
            except TimeoutError:
                self.failed.append(name)
                self._logger.error("shutdown phase {} is not done after {:g} s", name, timeout)
            except BaseException as error:  # the next one must run whatever this one did
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                    raise
                self.failed.append(name)
                self._logger.error("shutdown phase {} failed: {!r}", name, error)
