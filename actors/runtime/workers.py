"""Short-lived tasks that an actor owns: its I/O, so that its mailbox never waits for a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from actors.runtime.ends import Down, End, Reason, WorkerDone
from actors.runtime.ports import Owner


class Worker:
    """One running job. It ends as a `WorkerDone` or a `Down` in its owner's mailbox."""

    __slots__ = ("_unwanted", "coroutine_name", "life", "name", "path", "started_at", "tag", "task")

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
        self.coroutine_name = getattr(job, "__qualname__", type(job).__name__)
        loop = cell.system.loop
        self.started_at = loop.time()
        self.task: asyncio.Task[Any] = loop.create_task(job, name=self.path)
        life.workers[name] = self
        self.task.add_done_callback(self._done)

    def cancel(self) -> None:
        """For the owner: end the worker. It gets a `Down` (killed) if it has a handler for one."""
        self._unwanted = True
        self.task.cancel()

    def kill(self) -> None:
        """For others: end the worker. To its owner that is a crash like any other."""
        self.task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        life = self.life
        life.workers.pop(self.name, None)
        if task.cancelled():
            if self._unwanted and Down not in life.handlers:
                return
            message: WorkerDone | Down = Down(self.path, Reason.KILLED, None, self.tag)
        elif (error := task.exception()) is not None:
            message = Down(self.path, Reason.CRASHED, error, self.tag)
            if life.end is None:
                life.cell.system.crashed(life, End(Reason.CRASHED, error, self.tag), self)
        else:
            message = WorkerDone(self.tag, task.result())
        life.cell.accept_own(message, life)
