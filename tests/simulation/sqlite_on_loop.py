"""Lets aiosqlite run under a simulated loop: its jobs run on the loop, not in a thread.

aiosqlite hands each SQLite call to a thread through a queue; a simulated loop can order neither.
Here the queue itself runs the calls, in the same order, after a latency drawn by the simulation.
Real SQLite answers them. A `Disk` is one process's way to its database, which can fail or die.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aiosqlite.core
import detangle

Job = tuple["asyncio.Future[object] | None", Callable[[], object]]

MAX_LATENCY = 0.004
"""Seconds that a call takes at most, in virtual time."""

LOCK_PATIENCE = 5.0
"""Seconds that a call waits for another process's lock, as the ledger has SQLite wait."""

IN_MEMORY = frozenset({"rollback", "close", "close_and_stop"})
"""Calls that SQLite carries out without a disk: with a log, nothing was written that is undone."""

GIVING_UP = ("rollback", "close")
"""Calls that need no disk: SQLite drops a transaction and its lock whatever has failed."""

AT_ONCE = 3
"""Of four calls, how many are answered at once: each latency costs the loop two turns."""


class Disk:
    """One process's way to its SQLite file.

    While `outage` is set, every call fails with that message. `die` does what `kill -9` does:
    no call runs any more, and what was not committed is rolled back. Between `pause` and
    `resume` no call runs either, as in a process that is stopped by SIGSTOP.
    """

    def __init__(self) -> None:
        self.outage = ""
        self.dead = False
        self.paused = False
        self.jobs = 0
        self.refused = 0
        self._open: list[sqlite3.Connection] = []
        self._held: list[Callable[[], None]] = []

    def die(self) -> None:
        self.dead = True
        for connection in self._open:
            # A statement that somebody still refers to would keep the file locked.
            if connection.in_transaction:
                connection.rollback()
            connection.close()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        held, self._held = self._held, []
        for go_on in held:
            asyncio.get_running_loop().call_soon(go_on)

    def hold(self, go_on: Callable[[], None]) -> None:
        """Have something done when the process is resumed."""
        self._held.append(go_on)

    def run(self, function: Callable[[], object]) -> object:
        """Run one call. Raises sqlite3.OperationalError for an outage, if the call needs a disk."""
        self.jobs += 1
        if self.dead or (self.outage and _called(function) not in IN_MEMORY):
            self.refused += 1
            raise _io_error(self.outage or "disk I/O error")
        result = function()
        if isinstance(result, sqlite3.Connection):
            # SQLite would wait in real time, and whoever holds the lock waits for this loop.
            result.execute("PRAGMA busy_timeout = 0")
            self._open.append(result)
        return result


def _called(function: Callable[[], object]) -> str:
    """The name of what a job calls."""
    return str(getattr(getattr(function, "func", function), "__name__", ""))


disk_of_process: ContextVar[Disk | None] = ContextVar("disk_of_process", default=None)


class _JobsOnLoop:
    """Stands where aiosqlite has its SimpleQueue; one call at a time, first come first served."""

    def __init__(self) -> None:
        self._disk = disk_of_process.get() or Disk()
        self._waiting: deque[Job] = deque()
        self._busy = False
        self._give_up: float | None = None

    def put_nowait(self, job: Job) -> None:
        if self._disk.dead or asyncio._get_running_loop() is None:
            self._answer(job)  # whoever it belonged to is over
            return
        self._waiting.append(job)
        if self._busy:
            return
        self._busy = True
        latency = _latency()
        if latency or self._disk.paused or not detangle.in_simulation():
            asyncio.get_running_loop().call_later(latency, self._run)
        else:
            self._run()

    def _run(self) -> None:
        """Answer the call whose turn it is; one that meets another's lock is tried again."""
        if self._disk.paused:
            self._disk.hold(self._run)
            return
        loop = asyncio.get_running_loop()
        give_up = self._give_up is not None and loop.time() >= self._give_up
        if not self._answer(self._waiting[0], last_try=give_up):
            self._give_up = self._give_up or loop.time() + LOCK_PATIENCE
            loop.call_later(MAX_LATENCY, self._run)
            return
        self._give_up = None
        self._waiting.popleft()
        if self._waiting:
            loop.call_later(_latency(), self._run)
        else:
            self._busy = False

    def _answer(self, job: Job, *, last_try: bool = True) -> bool:
        """Run a call and hand its result on. False: another's lock is in the way, as yet."""
        future, function = job
        try:
            result = self._disk.run(function)
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits the call
            if _locked(error) and not last_try:
                return False
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # whoever asked may have died by now, and not look at it
        else:
            if future is not None and not future.done():
                future.set_result(result)
        return True


def _locked(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def _latency() -> float:
    if not detangle.in_simulation() or detangle.randint(0, AT_ONCE):
        return 0.0
    return detangle.uniform(MAX_LATENCY / 8, MAX_LATENCY, steps=8)


class _NoThread:
    """Stands where aiosqlite has its Thread: there is nothing to start."""

    daemon = True

    def __init__(self, **_arguments: object) -> None:
        pass

    def start(self) -> None:
        pass


@contextmanager
def aiosqlite_on_loop() -> Iterator[None]:
    """Within it, every new aiosqlite connection runs its calls on the running loop."""
    core = vars(aiosqlite.core)
    kept = {name: core[name] for name in ("SimpleQueue", "Thread")}
    core.update(SimpleQueue=_JobsOnLoop, Thread=_NoThread)
    try:
        yield
    finally:
        core.update(kept)


def _io_error(message: str) -> sqlite3.OperationalError:
    """What SQLite raises where the disk fails, with the name that SQLite gives it."""
    error = sqlite3.OperationalError(message)
    error.sqlite_errorname = "SQLITE_IOERR"
    return error
