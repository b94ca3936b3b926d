"""One random tree under random trouble, and the invariants that are looked at after each step.

1. No address has two running incarnations, and none starts while something below the last one runs.
2. No actor runs that no supervisor lists.
3. Each ask is answered, and none by its time-out.
4. Each message is handled once, or a dead letter, or in a crash report; never two of these.
5. An ordered stop ends within the deadlines below it.
6. A supervisor gives up when it has counted more than `intensity` in `period`, and only then.
7. When the trouble is over, nobody waits for a return for ever.

Whoever ignored being killed was told of as abandoned, and is exempt from 1 and 2.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from actors.runtime import (
    AskFailed,
    AskFailure,
    Backoff,
    ChildSpec,
    Quarantine,
    Restart,
    RestartChild,
    StartChild,
    StartFailed,
    StopChild,
    Strategy,
    SupervisionEvent,
    System,
)
from actors.runtime.ends import End
from actors.runtime.events import SupervisorGaveUp
from actors.runtime.killing import GRACE
from actors.runtime.ports import Address, Job, Owner
from actors.runtime.restart_limits import RestartLimits
from actors.runtime.running import leave, running_systems
from tests.runtime.stress.actors import ERRORS, LONG, Mood, Order, Stress, StressSupervisor
from tests.runtime.stress.loop import Hang, VirtualLoop

KINDS = (
    *("note",) * 4,
    *ERRORS,
    "finish",
    "kill itself",
    "cancel itself",
    "promise",
    "promise of a worker",
    "work",
    "failing work",
    "deaf work",
    "plan",
    "take",
    "take long",
    "take and fail",
    "swallow",
    "swallow and wait",
    "deaf",
    "ask",
)
STARTS = ("", *ERRORS, "ignore", "kill itself", "slowly ", "slowly long", "slowly ignore")
STARTS += tuple(f"slowly {error}" for error in ERRORS)
STOPS = ("", *ERRORS, "slow", "long", "deaf")
RUBBISH: tuple[Any, ...] = (
    StartChild("rubbish"),  # type: ignore[arg-type]  # rubbish on purpose
    StartChild(None),  # type: ignore[arg-type]
    StopChild(["no", "name"]),  # type: ignore[arg-type]
    RestartChild({}),  # type: ignore[arg-type]
    StopChild("a stranger"),
    "not even a request",
)
DEADLINES = (0.0, 0.1, 1.0, 5.0)


class Broken(AssertionError):
    """An invariant does not hold."""


class Watched(System):
    """Tells the trial where messages end."""

    def __init__(self, trial: Trial, seed: int) -> None:
        super().__init__(seed=seed, on_event=trial.hear)
        self._trial = trial

    def dead_letter(self, path: str, message: object, why: str) -> None:
        if isinstance(message, Order):
            self._trial.dead[message.number] += 1
        super().dead_letter(path, message, why)

    def unstoppable(self, cell: Address, path: str, seconds: float) -> None:
        self._trial.unstoppable.add(path)
        super().unstoppable(cell, path, seconds)

    def crashed(self, life: Owner, end: End, worker: Job | None = None) -> None:
        if isinstance(end.message, Order):
            self._trial.crashed[end.message.number] += 1
        super().crashed(life, end, worker)


__all__ = ["Broken", "Hang", "Trial", "run_trial"]


class Trial:
    """One tree, its troubles, and the books that are kept of it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.system = Watched(self, seed)
        self.moods: dict[str, Mood] = {}
        self.lives: dict[Owner, None] = {}
        self.jobs: dict[object, Owner] = {}
        self.events: Counter[str] = Counter()
        self.unstoppable: set[str] = set()
        self.heard: list[str] = []
        self.gave_up = 0
        self.told_to_give_up = 0
        self.numbers = iter(range(1, 10**9))
        self.sent: list[int] = []
        self.taken: dict[int, Owner] = {}
        self.handled: Counter[int] = Counter()
        self.dead: Counter[int] = Counter()
        self.crashed: Counter[int] = Counter()
        self.asked: list[asyncio.Task[Any]] = []
        self.released = False
        self.failure: Broken | None = None
        self.names = iter(range(10**9))

    def broken_by(self, text: str) -> Broken:
        """The failure of this trial, kept: raised inside an actor it would be the actor's crash."""
        self.failure = self.failure or Broken(text)
        return self.failure

    # What the actors tell

    def begins(self, life: Owner) -> None:
        path = life.cell.path
        below = f"{path}/" if path else ""
        for other in self.lives:
            there = other.cell.path
            if (there == path and other is not life) or there.startswith(below):
                if other is life or not _runs(other):
                    continue
                raise self.broken_by(f"{path!r} starts while {there!r} of before still runs")
        for owner in self.jobs.values():
            if owner is not life and owner.cell.path == path and not self._given_up(owner):
                raise self.broken_by(f"{path!r} starts while a worker of before still runs")
        self.lives[life] = None

    def _given_up(self, owner: Owner) -> bool:
        prefix = f"{owner.cell.path}/" if owner.cell.path else ""
        return getattr(owner, "abandoned", False) or any(
            path.startswith(f"{prefix}worker-") for path in self.unstoppable
        )

    def takes(self, life: Owner, order: Order) -> None:
        if order.number in self.taken:
            raise self.broken_by(f"message {order.number} ({order.kind}) is handled twice")
        self.taken[order.number] = life

    def has_handled(self, order: Order) -> None:
        self.handled[order.number] += 1

    def sends(self) -> int:
        number = next(self.numbers)
        self.sent.append(number)
        return number

    def never_left(self, order: Order) -> None:
        """It was refused to its sender at once: a circle of asks."""
        self.sent.remove(order.number)

    def own(self) -> int:
        """The number of a message to oneself: it dies with its sender."""
        return next(self.numbers)

    @contextlib.contextmanager
    def job(self, life: Owner) -> Iterator[None]:
        key = object()
        self.jobs[key] = life
        try:
            yield
        finally:
            del self.jobs[key]

    async def deaf(self) -> None:
        while not self.released:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(LONG)

    def history(self) -> tuple[list[str], Counter[int], Counter[int], Counter[int]]:
        """What happened, to be compared with another run."""
        return self.heard, self.handled, self.dead, self.crashed

    def hear(self, event: SupervisionEvent) -> None:
        self.heard.append(f"{type(event).__name__} {event.path}")
        self.events[type(event).__name__] += 1
        self.gave_up += isinstance(event, SupervisorGaveUp)

    def count(self, of: StressSupervisor, limits: RestartLimits, options: dict[str, Any]) -> None:
        """Count again what a supervisor counts, from the same failures."""
        right: Callable[..., float | None] = limits.wait_for
        intensity, period = options["intensity"], options["period"]
        times: list[float] = []

        def wait_for(failures: Any, *, ran: float, outage: bool, now: float, rng: Any) -> Any:
            was_quarantined = failures.quarantined
            wait = right(failures, ran=ran, outage=outage, now=now, rng=rng)
            if not outage and not was_quarantined:
                times.append(now)
            recent = [at for at in times if now - at <= period]
            over = intensity is not None and len(recent) > intensity
            expected = over and not outage and not was_quarantined
            if options["quarantine"] is not None:
                expected = False
            if (wait is None) != expected:
                raise self.broken_by(
                    f"{len(recent)} failures in {period} s, {intensity} allowed: {wait}"
                )
            self.told_to_give_up += wait is None
            return wait

        of._limits = _Counting(limits, wait_for)  # type: ignore[assignment]  # the same, looked at

    # The tree

    def supervisor(self, depth: int, wide: int) -> dict[str, Any]:
        rng = self.rng
        quarantine = Quarantine(after=2, backoff=Backoff(first=1.0, cap=4.0, reset_after=30.0))
        return {
            "strategy": rng.choice(list(Strategy)),
            "intensity": rng.choice((0, 1, 3, 10, None)),
            "period": rng.choice((0.5, 5.0, 60.0)),
            "backoff": rng.choice((None, None, Backoff(first=0.1, cap=2.0, reset_after=10.0))),
            "quarantine": quarantine if rng.random() < 0.2 else None,
            "auto_shutdown": rng.choice(("never", "never", "any", "all")),
            "max_children": rng.choice((None, None, wide + 3)),
        }

    def spec(self, depth: int, auto_shutdown: str) -> ChildSpec:
        """A random child; a supervisor with children of its own where there is depth left."""
        rng = self.rng
        name = f"c{next(self.names)}"
        restart = rng.choice((Restart.PERMANENT, Restart.PERMANENT, *Restart))
        significant = (
            auto_shutdown != "never" and restart is not Restart.PERMANENT and rng.random() < 0.5
        )
        options: dict[str, Any] = {"restart": restart, "significant": significant}
        if depth > 0 and rng.random() < 0.4:
            wide = rng.randrange(4)
            of = self.supervisor(depth, wide)
            children = [self.spec(depth - 1, of["auto_shutdown"]) for _ in range(wide)]
            return ChildSpec(
                name, functools.partial(StressSupervisor, self, children, of), **options
            )
        if rng.random() < 0.7:
            options["shutdown"] = rng.choice(DEADLINES)
        mood = self.moods[name] = Mood()
        return ChildSpec(name, functools.partial(self.make, mood), **options)

    def make(self, mood: Mood) -> Stress:
        trouble, mood.factory = mood.factory, ""
        if trouble:
            raise ERRORS[trouble]
        return Stress(self, mood)

    async def run(self) -> None:
        rng = self.rng
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.each_turn = self.check
        wide = rng.choice((1, 2, 3, 4, 5)) if rng.random() < 0.98 else rng.randrange(100, 300)
        of = self.supervisor(3, wide)
        if rng.random() < 0.8:
            of |= {"intensity": None, "auto_shutdown": "never"}
        children = [self.spec(rng.randrange(3), of["auto_shutdown"]) for _ in range(wide)]
        for mood in self.moods.values():
            if rng.random() < 0.02:
                mood.start = rng.choice(STARTS)
        root = ChildSpec("root", functools.partial(StressSupervisor, self, children, of))
        with contextlib.suppress(StartFailed):
            await self.system.start(root)
        for _ in range(rng.randrange(5, 40)):
            self.trouble()
            if rng.random() < 0.6:
                await asyncio.sleep(rng.choice((0.0, 0.0, 0.01, 0.15, 1.0, 3.0, 30.0)))
        if rng.random() < 0.5:
            await self.settle_down()
        await self.end()

    # Trouble

    def trouble(self) -> None:
        """One thing that somebody does to the tree."""
        rng = self.rng
        paths = list(self.system.cells)
        path = rng.choice(paths) if paths and rng.random() < 0.97 else "nobody/here"
        if not path and rng.random() < 0.9:
            # A tree that has lost its root has little left to show.
            path = rng.choice(paths)
        waiting = [path for path, cell in self.system.cells.items() if cell.status == "waiting"]
        if waiting and rng.random() < 0.25:
            path = rng.choice(waiting)
        cell = self.system.cells.get(path)
        draw = rng.random()
        if draw < 0.35:
            self.send(path, rng.choice(KINDS), rng.choice(paths or [""]))
        elif draw < 0.45:
            mood = self.moods.get(path.rpartition("/")[2])
            if mood is not None:
                which = rng.choice(("factory", "start", "stop"))
                moods = {"factory": tuple(ERRORS), "start": STARTS, "stop": STOPS}
                setattr(mood, which, rng.choice(moods[which]))
        elif draw < 0.62 and cell is not None:
            for _ in range(rng.choice((1, 1, 1, 2))):
                self.system.kill(path)
        elif draw < 0.66 and cell is not None and cell.life is not None:
            if hasattr(cell.life, "task"):
                cell.life.task.cancel()
        elif draw < 0.72 and cell is not None:
            self.system.suspend(path) if rng.random() < 0.5 else self.system.resume(path)
        elif draw < 0.80 and cell is not None and cell.parent is not None:
            self.ask(cell.parent.path, StopChild(cell.name))
        elif draw < 0.88 and cell is not None and cell.parent is not None:
            self.ask(cell.parent.path, RestartChild(cell.name))
        elif draw < 0.96 and cell is not None and cell.children is not None:
            auto = rng.choice(("never", "any"))
            self.ask(path, StartChild(self.spec(rng.randrange(2), auto)))
        elif cell is not None and cell.children is not None:
            self.ask(path, rng.choice(RUBBISH))

    def send(self, path: str, kind: str, then: str) -> None:
        order = Order(number=self.sends(), kind=kind, path=then)
        if self.rng.random() < 0.5:
            self.system.tell(path, order)
        else:
            self.ask(path, order)

    def ask(self, path: str, request: Any) -> None:
        job = self.system.attempt(path, request, timeout=1e9)
        name = f"{type(request).__name__} to {path!r}"
        self.asked.append(asyncio.get_running_loop().create_task(job, name=name))

    # The end

    async def settle_down(self) -> None:
        """No more trouble: whoever is to run must run again."""
        self.quiet()
        await asyncio.sleep(1000.0)
        for cell in list(self.system.cells.values()):
            # The root's own end is told to whoever started the system, and brought back by nobody.
            if (
                cell.path
                and cell.life is None
                and cell.status in ("waiting", "restarting", "running")
            ):
                raise self.broken_by(f"{cell.path!r} is {cell.status} long after the last trouble")

    def quiet(self) -> None:
        self.released = True
        for mood in self.moods.values():
            mood.factory = mood.start = mood.stop = ""
        for path in list(self.system.cells):
            self.system.resume(path)

    async def end(self) -> None:
        loop = asyncio.get_running_loop()
        bound = self.bound("")
        before = loop.time()
        stops = [asyncio.create_task(self.system.stop()) for _ in range(self.rng.choice((1, 2)))]
        await asyncio.gather(*stops)
        took = loop.time() - before
        if took > bound:
            raise self.broken_by(f"the stop took {took} s, and its deadlines allow {bound} s")
        self.check()
        for life in self.lives:
            if _runs(life):
                raise self.broken_by(f"{life.cell.path!r} runs on after the stop")
        if self.system.cells:
            raise self.broken_by(f"left after the stop: {list(self.system.cells)}")
        self.quiet()
        await asyncio.sleep(10 * LONG)
        self.books()

    def bound(self, path: str) -> float:
        """Seconds that a stop of this address may take at most."""
        cell = self.system.cells.get(path)
        if cell is None:
            return 0.0
        if cell.children is None:
            deadline = cell.spec.shutdown
            own = 5.0 if not isinstance(deadline, int | float) else deadline
            return own + 2 * GRACE + 0.01
        below = sum(self.bound(child.path) for child in cell.children.values())
        # What it is doing when the order comes is stopped as well, and may be another stop.
        return 2 * below + 2 * GRACE + 0.01

    def check(self) -> None:
        """Look at all that runs: is it listed?"""
        if self.failure is not None:
            raise self.failure
        cells = self.system.cells
        over = []
        for life in self.lives:
            if not _runs(life):
                over.append(life)
                continue
            cell = life.cell
            listed = cells.get(cell.path) is cell and cell.life is life
            if listed and cell.parent is not None:
                above = cell.parent
                listed = (above.children or {}).get(cell.name) is cell and above.life is not None
            if not listed:
                raise self.broken_by(f"{cell.path!r} runs, and nobody lists it")
        for life in over:
            del self.lives[life]

    def books(self) -> None:
        for task in self.asked:
            if not task.done():
                raise self.broken_by(f"an ask was never answered: {task.get_name()}")
            answer = task.result()
            if isinstance(answer, AskFailed) and answer.why is AskFailure.TIMED_OUT:
                raise self.broken_by(f"an ask was answered by its time-out: {answer}")
        for number in self.sent:
            ends = (self.handled[number], self.dead[number], self.crashed[number])
            taker = self.taken.get(number)
            late = taker is not None and getattr(taker, "abandoned", False) and ends == (1, 1, 0)
            if sum(ends) != 1 and not late:
                raise self.broken_by(f"message {number}: handled, dead, crashed are {ends}")
        if self.gave_up != self.told_to_give_up:
            raise self.broken_by(f"{self.gave_up} gave up, {self.told_to_give_up} should have")


class _Counting:
    """A supervisor's limits, with `wait_for` looked at."""

    def __init__(self, limits: RestartLimits, wait_for: Any) -> None:
        self._limits = limits
        self.wait_for = wait_for

    def __getattr__(self, name: str) -> Any:
        return getattr(self._limits, name)


def _runs(life: Owner) -> bool:
    """Whether anything of an incarnation's own task goes on; the runtime's word is not taken."""
    if getattr(life, "abandoned", False):
        return False
    task = getattr(life, "task", None)
    return (life.end is None) if task is None else not task.done()


def run_trial(seed: int) -> Trial:
    """One tree. Raises `Broken`, or whatever else went wrong, with the seed in a note."""
    trial = Trial(seed)
    loop = VirtualLoop(random.Random(seed + 1))
    try:
        loop.run_until_complete(trial.run())
    except BaseException as error:
        error.add_note(f"replay: python -m tests.runtime.stress.run --first {seed} --seeds 1")
        raise
    finally:
        loop.each_turn = lambda: None
        _close(loop)
        # A tree that broke never came to its own end: nothing else in this process may find it.
        for system in running_systems():
            if system.loop is loop:
                leave(system)
    return trial


def _close(loop: VirtualLoop) -> None:
    loop.failures.clear()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.close()
