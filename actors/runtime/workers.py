"""Short-lived tasks that an actor owns: its I/O, so that its mailbox never waits for a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from actors.runtime.ends import Down, End, Reason, WorkerDone
from actors.runtime.killing import GRACE, Killing
from actors.runtime.ports import Owner


class Worker:
    """One running job. It ends as a `WorkerDone` or a `Down` in its owner's mailbox."""

    __slots__ = (
        "_error",
        "_job",
        "_killing",
        "_unwanted",
        "coroutine_name",
        "life",
        "name",
        "path",
        "started_at",
        "tag",
        "task",
    )

    def __init__(
        self, life: Owner, job: Coroutine[Any, Any, Any], tag: object, wanted: str
    ) -> None:
        cell = life.cell
        if life.end is not None:
            job.close()
            raise RuntimeError(f"{cell.shown} has ended and can have no more workers")
        cell.worker_count += 1
        name = wanted or f"worker-{cell.worker_count}"
        if name in life.workers or (cell.children is not None and name in cell.children):
            name = f"{name}#{cell.worker_count}"
        self.life = life
        self.name = name
        self.path = f"{cell.path}/{name}" if cell.path else name
        self.tag = tag
        self._unwanted = False
        self._killing: Killing | None = None
        self._error: BaseException | None = None
        self._job = job
        self.coroutine_name = getattr(job, "__qualname__", type(job).__name__)
        loop = cell.system.loop
        self.started_at = loop.time()
        self.task: asyncio.Task[Any] = loop.create_task(self._carry(), name=self.path)
        life.workers[name] = self
        self.task.add_done_callback(self._done)

    def cancel(self) -> None:
        """For the owner: end the worker. It gets a `Down` (killed) if it has a handler for one."""
        self._unwanted = True
        self.kill()

    def kill(self) -> None:
        """For others: end the worker. To its owner that is a crash like any other.

        As with an actor, a kill that is swallowed is repeated, and then the worker is abandoned.
        """
        if self._killing is None and self.name in self.life.workers:
            loop = self.life.cell.system.loop
            self._killing = Killing(loop, GRACE, self.task.cancel, self._abandon)

    async def _carry(self) -> Any:
        try:
            return await self._job
        except (SystemExit, KeyboardInterrupt) as error:
            # Out of a task they would stop the loop at once, and the tree must stop before it.
            self._error = error
            self.life.cell.system.leave(error)

    def _abandon(self) -> None:
        self.life.cell.system.unstoppable(self.life.cell, self.path, GRACE)
        self._over(Down(self.path, Reason.ABANDONED, None, self.tag))

    def _done(self, task: asyncio.Task[Any]) -> None:
        if self.life.workers.get(self.name) is not self:
            return  # it was abandoned, and nobody waits for it any more
        self._job.close()  # cancelled before its first step it was never begun
        if task.cancelled():
            self._over(Down(self.path, Reason.KILLED, None, self.tag))
        elif (error := self._error or task.exception()) is not None:
            life = self.life
            if life.end is None:
                life.cell.system.crashed(life, End(Reason.CRASHED, error, self.tag), self)
            self._over(Down(self.path, Reason.CRASHED, error, self.tag))
        else:
            self._over(WorkerDone(self.tag, task.result()))

    def _over(self, message: WorkerDone | Down) -> None:
        life = self.life
        del life.workers[self.name]
        if self._killing is not None:
            self._killing.over()
        life.worker_gone()
        by_order = self._unwanted and isinstance(message, Down) and message.error is None
        if not (by_order and Down not in life.handlers):
            life.cell.accept_own(message, life)
