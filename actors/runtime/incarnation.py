"""One incarnation of an actor: its task, its message loop and its end.

The task's result is the incarnation's `End`. It is over (`gone`) when its workers and children
have ended as well and all who are to know have been told; until then nobody succeeds it. What is
to become of the address afterwards is the supervisor's decision, not made here.
"""

from __future__ import annotations

import asyncio
import traceback
import types
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from actors.runtime.cell import Cell
from actors.runtime.deferred import DeferredReply, crash_reply, fail
from actors.runtime.ends import (
    ABANDONED,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Down,
    End,
    Ignore,
    Reason,
)
from actors.runtime.errors import NotUnderstood, StartFailed, in_words
from actors.runtime.events import ChildOverdue
from actors.runtime.handlers import table_of
from actors.runtime.killing import GRACE, Killing
from actors.runtime.ports import Address, Behaviour, Entry, Job, Owner, Plan, Reply

# Messages kept for the crash report.
RECENT = 10


class Incarnation:
    """One incarnation: an actor object, the task that carries it, and what dies with it."""

    __slots__ = (
        "__weakref__",
        "_apart",
        "_deadline",
        "_told_when_gone",
        "_workers_gone",
        "abandoned",
        "actor",
        "awaited",
        "cell",
        "deferred",
        "end",
        "gone",
        "handlers",
        "ignored",
        "in_hand",
        "killing",
        "plan",
        "recent",
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
        self.gone = False
        self.ignored = False
        self.abandoned = False
        self.stopping: Reason | None = None
        self.killing: Killing | None = None
        # The child whose start is being awaited, and the seconds that it may take to stop.
        self.awaited: tuple[Owner, float | None] | None = None
        self.in_hand: Entry | None = None
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
        self._deadline: asyncio.TimerHandle | None = None
        self._told_when_gone: list[Callable[[], object]] | None = None
        self._workers_gone: asyncio.Future[None] | None = None
        self._apart: asyncio.Task[None] | None = None

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
            self.started = loop.create_future()
            self.starting = result
        elif isinstance(result, Ignore):
            self.ignored = True
            return result
        else:
            self._carry_plan()
        self.task = loop.create_task(self._live(), name=self.cell.path)
        self.task.add_done_callback(self._ended)
        if self.killing is not None:
            self.task.cancel()
        return self.started

    def abort(self, end: End) -> None:
        """Undo a start that failed before there was a task."""
        self._settle(end)
        self._end_apart(end)

    def _carry_plan(self) -> None:
        if self.plan:
            self.cell.mailbox.extendleft((message, None, self) for message in reversed(self.plan))
        self.plan = None

    # Running

    async def _live(self) -> End:
        try:
            if self.starting is None or not await self._finish_start(self.starting):
                reason = await self._serve()
                end = NORMAL if reason is Reason.NORMAL else SHUTDOWN
                leaving: Any = self.actor.on_stop()
                if isinstance(leaving, types.CoroutineType):
                    await leaving
            else:
                end = NORMAL
        except BaseException as error:  # noqa: BLE001  let it crash: this is the place where it does
            end = self._end_by(error)
        if self.abandoned:
            return ABANDONED
        self._settle(end)
        if self._has_below:
            await self._uninterrupted(self._end_below(end))
        return end

    def _end_by(self, error: BaseException) -> End:
        """How an incarnation ends whose own code, or whose cancellation, raised this."""
        if isinstance(error, asyncio.CancelledError) and (
            self.killing is not None or self.task.cancelling() > 0
        ):
            return KILLED
        if (
            isinstance(error, GeneratorExit)
            and asyncio.current_task(self.cell.system.loop) is not self.task
        ):
            # Not raised by a handler: the loop is closed, and with it this coroutine.
            raise error
        if isinstance(error, SystemExit | KeyboardInterrupt):
            self.cell.system.leave(error)
        return End(Reason.CRASHED, error, self._message)

    @property
    def _message(self) -> object:
        return None if self.in_hand is None else self.in_hand[0]

    async def _finish_start(self, starting: Coroutine[Any, Any, Any]) -> bool:
        """Await `on_start` and acknowledge it; say whether it wants to be ignored."""
        answer = await starting
        if self.killing is not None:
            raise asyncio.CancelledError
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
                if self.killing is not None:
                    # The handler has swallowed its cancellation.
                    raise asyncio.CancelledError
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
            message, reply, _own = self.in_hand = mailbox.popleft()
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
            self.in_hand = None
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
        reply = None if self.in_hand is None else self.in_hand[1]
        fail(reply, NotUnderstood(cell.path, f"{cell.shown}: {why}"))

    # Ordered to end

    def stop(self, reason: Reason) -> None:
        """End in order after the current message, whatever waits in the mailbox."""
        if self.stopping is None:
            self.stopping = reason
        self.cell.notice()
        if self.awaited is not None:
            # Its handler waits for a child's start, and that must not take longer than a stop.
            child, seconds = self.awaited
            child.stop_within(seconds)

    def stop_within(self, seconds: float | None) -> None:
        """Stop with `shutdown`, and be killed if that takes longer. None: no limit."""
        if seconds == 0:
            self.kill()
            return
        self.stop(Reason.SHUTDOWN)
        if seconds is not None and self._deadline is None and not self.gone:
            self._deadline = self.cell.system.loop.call_later(seconds, self._overdue, seconds)

    def _overdue(self, seconds: float) -> None:
        cell = self.cell
        cell.log.error("did not stop within {:g} s and is cancelled", seconds)
        cell.system.emit(ChildOverdue(path=cell.path, seconds=seconds))
        self.kill()

    def kill(self) -> None:
        """End at once; `on_stop` does not run. If it is ending already, only its children do so.

        A kill that is swallowed is repeated; who ignores that as well is abandoned.
        """
        if self.killing is None and not self.gone:
            self.killing = Killing(self.cell.system.loop, GRACE, self._cancel, self._abandon)
            self.cell.notice()

    def _cancel(self) -> None:
        if self.end is not None:
            self.actor.kill_children()
        elif hasattr(self, "task"):
            self.task.cancel()

    def _abandon(self) -> None:
        """Give up on a task that ignores being cancelled: to everyone else it has ended.

        Its address is free; whenever the task ends after all, nobody hears of it.
        """
        if self.end is not None:
            return
        self.abandoned = True
        self.cell.system.unstoppable(self.cell, self.cell.path, GRACE)
        self._settle(ABANDONED)
        self._end_apart(ABANDONED)

    # End

    def _settle(self, end: End) -> None:
        """Settle all that dies with an incarnation. Whoever waits for it gets an answer."""
        cell = self.cell
        self._start_failed(end)
        cell.system.watchdog.forget(cell)
        self.end = end
        cause: object = end.error if end.error is not None else end.reason
        if self.in_hand is not None:
            message, reply, own = self.in_hand
            if own is None and end.reason is not Reason.CRASHED:
                cell.system.dead_letter(cell.path, message, f"its handler was cut off: {cause}")
            fail(reply, crash_reply(cell.path, cause))
        cell.last_message, self.in_hand = cell.latest, None
        deferred, self.deferred = self.deferred, {}
        for reply in deferred:
            fail(reply, crash_reply(cell.path, cause))
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

    @property
    def _has_below(self) -> bool:
        return bool(self.workers) or self.cell.children is not None

    async def _end_below(self, end: End) -> None:
        """End workers and children and wait for it, so that no successor meets them."""
        while self.workers:
            for worker in list(self.workers.values()):
                worker.cancel()
            self._workers_gone = self.cell.system.loop.create_future()
            await self._workers_gone
        await self.actor.terminate_children(end)

    async def _uninterrupted(self, job: Coroutine[Any, Any, None]) -> None:
        """See a job through. Cancelling this task in between only hastens the children's end."""
        task = self._apart = self.cell.system.loop.create_task(job, name=self.cell.path)
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                # The end that is wanted comes; cut off, it would leave a child behind.
                self.actor.kill_children()
        task.result()

    def _end_apart(self, end: End) -> None:
        """End what is below where this incarnation's own task cannot do it, and then be over."""
        if not self._has_below:
            self._over(end)
            return
        self._apart = self.cell.system.loop.create_task(self._end_below(end), name=self.cell.path)
        self._apart.add_done_callback(lambda _: self._over(end))

    def worker_gone(self) -> None:
        waiting = self._workers_gone
        if waiting is not None and not self.workers and not waiting.done():
            waiting.set_result(None)

    def _ended(self, task: asyncio.Task[End]) -> None:
        if self.abandoned:
            return
        if not task.cancelled() and task.exception() is None:
            self._over(task.result())
            return
        # Cancelled before its first step; or settling its affairs failed, which is a crash too.
        error = None if task.cancelled() else task.exception()
        end = self.end or KILLED
        if error is not None:
            end = self.end = End(Reason.CRASHED, error, self._message)
        if self.starting is not None:
            self.starting.close()
        if self.end is None:
            self._settle(end)
        self._end_apart(end)

    def _over(self, end: End) -> None:
        """Tell all who are to know that nobody runs at this address any more."""
        cell = self.cell
        self.gone = True
        if self.killing is not None:
            self.killing.over()
        if self._deadline is not None:
            self._deadline.cancel()
        if cell.life is self:
            cell.life = None
        cell.last_end = end
        cell.system.life_ended(self, end)
        watchers, cell.watchers = cell.watchers, None
        for watcher in watchers or ():
            watcher.watched.pop(cell, None)
            watcher.cell.accept_own(Down(cell.path, end.reason, end.error), watcher)
        told, self._told_when_gone = self._told_when_gone, None
        for callback in told or ():
            callback()
        if end.reason is Reason.CRASHED and end.error is not None:
            self._failed(end.error)

    def when_gone(self, callback: Callable[[], object]) -> None:
        """Call back once this is over, which it must not be yet."""
        if self._told_when_gone is None:
            self._told_when_gone = []
        self._told_when_gone.append(callback)

    def _failed(self, error: BaseException) -> None:
        try:
            self.actor.on_failure(type(error), error, error.__traceback__)
        except BaseException as failure:  # noqa: BLE001  pykka's hook runs on the supervisor's time
            self.cell.log.error("on_failure failed: {}", in_words(failure))
            if isinstance(failure, SystemExit | KeyboardInterrupt):
                self.cell.system.leave(failure)


async def all_ended(lives: Iterable[Owner]) -> None:
    """Wait until all are over and everyone has been told of it."""
    missing = [life for life in lives if not life.gone]
    if not missing:
        return
    all_gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    count = len(missing)

    def one_less() -> None:
        nonlocal count
        count -= 1
        if count == 0 and not all_gone.done():
            all_gone.set_result(None)

    for life in missing:
        life.when_gone(one_less)
    await all_gone


def stack_of(error: BaseException) -> str:
    """The traceback as text, without values of variables."""
    return "".join(traceback.format_exception(error))
