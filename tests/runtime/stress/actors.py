"""What the random trees are made of: actors that do whatever an order or their mood says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from actors.runtime import (
    Actor,
    AskedItself,
    AskFailed,
    AskFailure,
    DeferredReply,
    Down,
    Ignore,
    Outage,
    Supervisor,
    WorkerDone,
    handles,
)
from actors.runtime.ports import Owner
from messages.base import Request

if TYPE_CHECKING:
    from tests.runtime.stress.trial import Trial


class Odd(BaseException):
    """Not an `Exception`: what a Rust extension's panic looks like."""


ERRORS: dict[str, BaseException] = {
    "value error": ValueError("told to"),
    "outage": Outage("told to"),
    "odd": Odd("told to"),
    "group": BaseExceptionGroup("told to", [Odd("inside"), ValueError("inside")]),
    "generator exit": GeneratorExit(),
    "cancelled": asyncio.CancelledError(),
    "stop iteration": StopIteration(),
}

SHORT = 0.2
LONG = 20.0


class Order(Request[str], frozen=True):
    """Told or asked; each has a number of its own, so that its way can be followed."""

    number: int
    kind: str
    path: str = ""
    """Where some of them go on."""


class Mood(msgspec.Struct):
    """How the incarnations at one address start and stop from now on."""

    factory: str = ""
    start: str = ""
    stop: str = ""


class Nothing(msgspec.Struct):
    """An empty state."""


class Stress(Actor[Nothing]):
    """Does as it is told, however bad."""

    def __init__(self, trial: Trial, mood: Mood) -> None:
        super().__init__(Nothing())
        self.trial = trial
        self.mood = mood

    def adopt(self, life: Owner) -> None:
        super().adopt(life)
        self.trial.begins(life)

    def on_start(self) -> Any:
        mood, self.mood.start = self.mood.start, ""
        if mood.startswith("slowly "):
            return self._start_slowly(mood.removeprefix("slowly "))
        return self._start(mood)

    def _start(self, mood: str) -> Any:
        if mood in ERRORS:
            if self.trial.rng.random() < 0.3:
                self.work(self.job("endless"))
            raise ERRORS[mood]
        if mood == "ignore":
            return Ignore()
        if mood == "kill itself":
            self.trial.system.kill(self.path)
        return None

    async def _start_slowly(self, mood: str) -> Any:
        await asyncio.sleep(LONG if mood == "long" else SHORT)
        return self._start(mood)

    def on_stop(self) -> Any:
        mood, self.mood.stop = self.mood.stop, ""
        if mood in ERRORS:
            raise ERRORS[mood]
        if mood == "slow":
            return asyncio.sleep(SHORT)
        if mood == "long":
            return asyncio.sleep(LONG)
        if mood == "deaf":
            return self.trial.deaf()
        return None

    @handles
    def obey(self, order: Order) -> Any:
        self.trial.takes(self._life, order)
        if order.kind in ERRORS:
            raise ERRORS[order.kind]
        known = getattr(self, f"do_{order.kind.replace(' ', '_')}", None)
        if known is None:
            self.trial.has_handled(order)
            return order.kind
        result = known(order)
        if asyncio.iscoroutine(result):
            return self._finish(order, result)
        self.trial.has_handled(order)
        return result

    async def _finish(self, order: Order, job: Any) -> Any:
        result = await job
        self.trial.has_handled(order)
        return result

    def do_finish(self, order: Order) -> None:
        self.stop()

    def do_kill_itself(self, order: Order) -> None:
        self.trial.system.kill(self.path)

    def do_cancel_itself(self, order: Order) -> None:
        self._life.task.cancel()

    def do_promise(self, order: Order) -> DeferredReply[str]:
        return self.later()

    def do_promise_of_a_worker(self, order: Order) -> DeferredReply[str]:
        reply: DeferredReply[str] = self.later()
        self.work(self.job("short"), reply)
        return reply

    def do_work(self, order: Order) -> None:
        self.work(self.job("long"))

    def do_failing_work(self, order: Order) -> None:
        self.work(self.job("odd"))

    def do_deaf_work(self, order: Order) -> None:
        self.work(self.job("deaf"))

    def do_plan(self, order: Order) -> None:
        self.after(SHORT, Order(number=self.trial.own(), kind="note"))

    async def do_take(self, order: Order) -> str:
        await asyncio.sleep(SHORT)
        return "taken"

    async def do_take_long(self, order: Order) -> str:
        await asyncio.sleep(LONG)
        return "taken"

    async def do_take_and_fail(self, order: Order) -> str:
        await asyncio.sleep(SHORT)
        raise ERRORS["odd"]

    async def do_swallow(self, order: Order) -> str:
        """Ignores one cancellation, and ends then of its own accord."""
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            return "swallowed"
        return "not cancelled"

    async def do_swallow_and_wait(self, order: Order) -> str:
        """Ignores one cancellation, and waits on."""
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            await asyncio.sleep(LONG)
        return "waited"

    async def do_deaf(self, order: Order) -> str:
        await self.trial.deaf()
        return "heard at last"

    async def do_ask(self, order: Order) -> str:
        asked = Order(number=self.trial.sends(), kind="take")
        try:
            answer = await self.attempt(order.path, asked, timeout=1e9)
        except AskedItself:
            self.trial.never_left(asked)
            raise
        if isinstance(answer, AskFailed) and answer.why is AskFailure.CYCLE:
            self.trial.never_left(asked)
        return str(answer)

    async def job(self, kind: str) -> str:
        with self.trial.job(self._life):
            if kind == "odd":
                await asyncio.sleep(SHORT)
                raise ERRORS["odd"]
            if kind == "deaf":
                await self.trial.deaf()
            elif kind == "endless":
                await asyncio.Event().wait()
            else:
                await asyncio.sleep(LONG if kind == "long" else SHORT)
        return kind

    @handles
    def worker_ended(self, message: WorkerDone | Down) -> None:
        if isinstance(message.tag, DeferredReply):
            message.tag.set("from a worker")


class StressSupervisor(Supervisor):
    """Tells the trial of its incarnations, and how it counts."""

    def __init__(self, trial: Trial, children: Any, options: dict[str, Any]) -> None:
        super().__init__(children, **options)
        self.trial = trial
        trial.count(self, self._limits, options)

    def adopt(self, life: Owner) -> None:
        super().adopt(life)
        self.trial.begins(life)
