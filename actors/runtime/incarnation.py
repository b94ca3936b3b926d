"""One incarnation of an actor: its task, its message loop and its end.

The task's result is the incarnation's `End`, so whoever waits for the task cannot miss it. What
is to become of the address afterwards is the supervisor's decision, not made here.
"""

from __future__ import annotations

import asyncio
import traceback
import types
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

from actors.runtime.cell import Cell
from actors.runtime.deferred import DeferredReply, crash_reply, fail
from actors.runtime.ends import KILLED, NORMAL, SHUTDOWN, Down, End, Ignore, Reason
from actors.runtime.errors import NotUnderstood, StartFailed
from actors.runtime.handlers import table_of
from actors.runtime.ports import Address, Behaviour, Job, Owner, Plan, Reply

# Messages kept for the crash report.
RECENT = 10
# Seconds that cancelled tasks get to end before they are abandoned.
GRACE = 2.0


class Incarnation:
    """One incarnation: an actor object, the task that carries it, and what dies with it."""

    __slots__ = (
        "__weakref__",
        "abandoned",
        "actor",
        "cell",
        "deferred",
        "end",
        "handlers",
        "ignored",
        "plan",
        "recent",
        "reply",
        "settled",
        "started",
        "started_at",
        "starting",
        "stopping",
        "task",
        "timers",
        "watched",
        "workers",
    )

    def __init__(self, cell: Cell, actor: Behaviour) -> None:
        self.cell = cell
        self.actor: Behaviour = actor
        self.handlers = table_of(type(actor))
        self.task: asyncio.Task[End]
        self.end: End | None = None
        self.ignored = False
        self.abandoned = False
        self.settled = False
        self.stopping: Reason | None = None
        self.reply: Reply | None = None
        self.started: asyncio.Future[Ignore | None] | None = None
        self.starting: Coroutine[Any, Any, Any] | None = None
        self.deferred: dict[Reply, Any] = {}
        self.timers: dict[Plan, None] = {}
        self.workers: dict[str, Job] = {}
        self.watched: dict[Address, None] = {}
        self.recent: deque[object] | None = None
        # Messages that `on_start` sends itself: handled before whatever waits in the mailbox.
        self.plan: list[object] | None = []
        self.started_at = cell.system.loop.time()

    # Start

    def start(self) -> asyncio.Future[Ignore | None] | Ignore | None:
        """Run `on_start` and create the task; a future is returned where `on_start` awaits.

        Raises whatever a synchronous `on_start` raises.
        """
        loop = self.cell.system.loop
        self.cell.life = self
        self.cell.notice()
        result: object = self.actor.on_start()
        if isinstance(result, types.CoroutineType):
            started = self.started = loop.create_future()
            self.starting = result
            self.task = loop.create_task(self._live(result), name=self.cell.path)
            self.task.add_done_callback(self._ended)
            return started
        if isinstance(result, Ignore):
            self.ignored = True
            return result
        self._carry_plan()
        self.task = loop.create_task(self._live(None), name=self.cell.path)
        self.task.add_done_callback(self._ended)
        return None

    def abort(self, end: End) -> None:
        """Undo a start that failed before there was a task."""
        self.end = end
        self.close(end)
        for worker in list(self.workers.values()):
            worker.cancel()
        if self.cell.life is self:
            self.cell.life = None
        self.cell.system.life_ended(self, end)

    def _carry_plan(self) -> None:
        if self.plan:
            self.cell.mailbox.extendleft((message, None, self) for message in reversed(self.plan))
        self.plan = None

    # Running

    async def _live(self, starting: Coroutine[Any, Any, Any] | None) -> End:
        cell = self.cell
        end: End
        try:
            if starting is None or not await self._finish_start(starting):
                reason = await self._serve()
                end = NORMAL if reason is Reason.NORMAL else SHUTDOWN
                leaving: Any = self.actor.on_stop()
                if isinstance(leaving, types.CoroutineType):
                    await leaving
            else:
                end = NORMAL
        except asyncio.CancelledError as error:
            end = KILLED if self._was_killed() else End(Reason.CRASHED, error, cell.current)
        except Exception as error:  # noqa: BLE001  let it crash: this is the place where it does
            end = End(Reason.CRASHED, error, cell.current)
        if self.abandoned:
            return KILLED
        self._start_failed(end)
        cell.system.watchdog.forget(cell)
        self.end = end
        self.close(end)
        if self.workers:
            await self._end_workers()
        await self.actor.terminate_children(end)
        return end

    async def _finish_start(self, starting: Coroutine[Any, Any, Any]) -> bool:
        """Await `on_start` and acknowledge it; say whether it wants to be ignored."""
        answer = await starting
        self._carry_plan()
        ignored = self.ignored = isinstance(answer, Ignore)
        if self.started is not None and not self.started.done():
            self.started.set_result(answer if ignored else None)
        return ignored

    def _start_failed(self, end: End) -> None:
        if self.started is not None and not self.started.done():
            self.started.set_exception(StartFailed(self.cell.shown, str(end)))
            self.started.exception()  # the supervisor reads it; if that is gone, nobody need

    async def _serve(self) -> Reason:
        """Take messages until something says stop. The one hot loop of the runtime."""
        cell = self.cell
        actor: Any = self.actor
        system = cell.system
        mailbox = cell.mailbox
        handlers = self.handlers
        loop = system.loop
        clock = loop.time
        coroutine = types.CoroutineType
        slow = system.slow_handler
        budget = yield_every = system.yield_every
        before = clock()
        while True:
            if budget == 0:
                budget = yield_every
                await asyncio.sleep(0)
                before = clock()
            if cell.attention or not mailbox:
                if self.stopping is not None:
                    return self.stopping
                if cell.suspended or not mailbox:
                    waiter = cell.waiter = loop.create_future()
                    await waiter
                    budget = yield_every
                    before = clock()
                    continue
                if cell.tracing:
                    cell.log.info("trace: {}", system.scrubbed(mailbox[0][0]))
            budget -= 1
            message, reply, _own = mailbox.popleft()
            cell.current = message
            self.reply = reply
            handler = handlers.get(message.__class__)
            if handler is None:
                handler = actor.handler_for(message)
            result = handler(actor, message)
            if result.__class__ is coroutine:
                system.watchdog.watch(cell, self.task)
                result = await result
                if self.abandoned:
                    # The mailbox is a successor's by now.
                    raise asyncio.CancelledError
                system.watchdog.forget(cell)
                after = clock()
            else:
                after = clock()
                if after - before > slow:
                    system.watchdog.was_slow(cell, handler, after - before)
            before = after
            if reply is not None:
                if result.__class__ is DeferredReply:
                    result.bind(reply)
                elif not reply.done():
                    reply.set_result(result)
                self.reply = None
            cell.handled += 1
            recent = self.recent
            if recent is None:
                recent = self.recent = deque(maxlen=RECENT)
            recent.append(message)

    def reject_unhandled(self, message: object) -> None:
        """A message without a handler: a dead letter, and an answer to whoever asked."""
        cell = self.cell
        known = ", ".join(sorted(kind.__name__ for kind in self.handlers)) or "nothing"
        why = f"{type(self.actor).__name__} has no handler for it; it takes {known}"
        cell.system.dead_letter(cell.path, message, why)
        fail(self.reply, NotUnderstood(cell.path, f"{cell.shown}: {why}"))

    def stop(self, reason: Reason) -> None:
        """End in order after the current message, whatever waits in the mailbox."""
        if self.stopping is None:
            self.stopping = reason
        self.cell.notice()

    def kill(self) -> None:
        """End at once; `on_stop` does not run."""
        self.task.cancel()

    def abandon(self) -> None:
        """Give up on a task that ignores being cancelled: to everyone else it has ended.

        Its address is free; whenever the task ends after all, nobody hears of it.
        """
        self.end = KILLED
        self.close(KILLED)
        for worker in list(self.workers.values()):
            worker.cancel()
        self._end_of_address(KILLED)
        self.abandoned = True

    # End

    def close(self, end: End) -> None:
        """Settle all that dies with an incarnation. Whoever waits for it gets an answer."""
        cell = self.cell
        why: object = end.error if end.error is not None else end.reason
        fail(self.reply, crash_reply(cell.path, why))
        self.reply = None
        deferred, self.deferred = self.deferred, {}
        for reply in deferred:
            fail(reply, crash_reply(cell.path, why))
        timers, self.timers = self.timers, {}
        for timer in timers:
            timer.cancel()
        for watched in self.watched:
            if watched.watchers is not None:
                watched.watchers.pop(self, None)
        self.watched = {}
        cell.asking = None
        cell.waiter = None
        cell.forget_own(self)
        self.actor.mark_dead()

    async def _end_workers(self) -> None:
        """Cancel the workers and wait until they are gone, so that no successor meets them."""
        tasks = [worker.task for worker in self.workers.values()]
        for worker in list(self.workers.values()):
            worker.cancel()
        if not await all_done(tasks, GRACE):
            self.cell.system.unstoppable(self.cell, GRACE)

    def _was_killed(self) -> bool:
        return self.task.cancelling() > 0

    def settle(self) -> None:
        """Tell of an end that has come; what the task's own callback would do, and once only."""
        self._ended(self.task)

    def _ended(self, task: asyncio.Task[End]) -> None:
        if self.abandoned or self.settled:
            return
        self.settled = True
        cell = self.cell
        if task.cancelled():
            # Cancelled before its first step, or again while it was settling its affairs.
            end = self.end or KILLED
            self.end = end
            self._start_failed(end)
            if self.starting is not None:
                self.starting.close()
            self.close(end)
            for worker in list(self.workers.values()):
                worker.cancel()
        elif (error := task.exception()) is not None:
            # Settling its affairs failed: that is a crash as well, and must not go unseen.
            end = self.end = End(Reason.CRASHED, error, cell.current)
        else:
            end = task.result()
        self._end_of_address(end)

    def _end_of_address(self, end: End) -> None:
        """Tell all who are to know that nobody runs at this address any more."""
        cell = self.cell
        if cell.life is self:
            cell.life = None
        cell.last_end = end
        cell.system.life_ended(self, end)
        watchers, cell.watchers = cell.watchers, None
        for watcher in watchers or ():
            watcher.watched.pop(cell, None)
            watcher.cell.accept_own(Down(cell.path, end.reason, end.error), watcher)
        if end.reason is Reason.CRASHED and end.error is not None:
            self.actor.on_failure(type(end.error), end.error, end.error.__traceback__)


async def all_ended(lives: Sequence[Owner], timeout: float | None) -> bool:
    """Wait until all incarnations have ended and everyone has been told of it.

    A task may be done a turn of the loop before its callback runs; no successor must meet that.
    """
    ended = await all_done([life.task for life in lives], timeout)
    for life in lives:
        if life.task.done():
            life.settle()
    return ended


async def all_done(tasks: list[asyncio.Task[Any]], timeout: float | None) -> bool:
    """Wait until all tasks are done, at most `timeout` seconds; say whether they are."""
    missing = [task for task in tasks if not task.done()]
    if not missing:
        return True
    loop = asyncio.get_running_loop()
    all_gone: asyncio.Future[bool] = loop.create_future()
    count = len(missing)

    def one_less(_task: asyncio.Task[Any]) -> None:
        nonlocal count
        count -= 1
        if count == 0 and not all_gone.done():
            all_gone.set_result(True)

    def give_up() -> None:
        if not all_gone.done():
            all_gone.set_result(False)

    for task in missing:
        task.add_done_callback(one_less)
    timer = None if timeout is None else loop.call_later(timeout, give_up)
    try:
        return await all_gone
    finally:
        if timer is not None:
            timer.cancel()
        for task in missing:
            task.remove_done_callback(one_less)


def stack_of(error: BaseException) -> str:
    """The traceback as text, without values of variables."""
    return "".join(traceback.format_exception(error))
