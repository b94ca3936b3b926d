"""How fast the runtime is, beside pykka's threads and bare asyncio, in one run.

`python bench/runtime.py [--json] [--rounds N]`. What is compared alternates, round by round, and
the figure is the median of the rounds. Ratios are what matters: figures differ by machine.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pykka
from loguru import logger

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors.runtime import Actor, ChildSpec, StartChild, StopChild, Supervisor, System, handles
from messages.base import Request

TELLS = 20_000
ASKS = 4_000
THREAD_TELLS = 10_000
THREAD_ASKS = 1_000
CRASHES = 200
MANY = 100_000
FEW_STOPS, MANY_STOPS = 1_000, 4_000


class Count(msgspec.Struct, frozen=True):
    pass


class Crash(msgspec.Struct, frozen=True):
    pass


class Total(Request[int], frozen=True):
    pass


class CounterState(msgspec.Struct):
    total: int = 0


class Counter(Actor[CounterState]):
    # Unbounded for the measure: the queues that it is compared with are.
    mailbox_bound = 1_000_000

    def __init__(self) -> None:
        super().__init__(CounterState())

    @handles
    def count(self, _: Count) -> None:
        self.state.total += 1

    @handles
    def total(self, _: Total) -> int:
        return self.state.total

    @handles
    def crash(self, _: Crash) -> None:
        raise ValueError("told to crash")


class ThreadCounter(pykka.ThreadingActor):
    """The same, on pykka's own threads."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Count):
            self.total += 1
            return None
        return self.total


async def _system(count: int = 1) -> System:
    system = System()
    specs = [ChildSpec(f"a{number}", Counter) for number in range(count)]
    await system.start(ChildSpec("root", lambda: Supervisor(specs, intensity=None)))
    return system


async def sexton_tells() -> float:
    """Tells handled a second."""
    system = await _system()
    before = time.perf_counter()
    for _ in range(TELLS):
        system.tell("a0", Count())
    assert await system.ask("a0", Total()) == TELLS
    rate = TELLS / (time.perf_counter() - before)
    await system.stop()
    return rate


async def sexton_asks() -> float:
    """Round trips a second, one after the other."""
    system = await _system()
    request = Total()
    before = time.perf_counter()
    for _ in range(ASKS):
        await system.ask("a0", request)
    rate = ASKS / (time.perf_counter() - before)
    await system.stop()
    return rate


async def sexton_restart() -> float:
    """Seconds from sending what crashes an actor to the answer of its next incarnation."""
    system = await _system()
    request = Total()
    times = []
    for _ in range(CRASHES):
        before = time.perf_counter()
        system.tell("a0", Crash())
        await system.ask("a0", request)
        times.append(time.perf_counter() - before)
        # Let the report of this crash be written before the next one is timed.
        await asyncio.sleep(0.003)
    await system.stop()
    return statistics.median(times)


async def bare_tells() -> float:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    total = 0

    async def drain() -> None:
        nonlocal total
        while total < TELLS:
            await queue.get()
            total += 1

    task = asyncio.create_task(drain())
    before = time.perf_counter()
    for _ in range(TELLS):
        queue.put_nowait(Count())
    await task
    return TELLS / (time.perf_counter() - before)


async def bare_asks() -> float:
    queue: asyncio.Queue[tuple[Any, asyncio.Future[int]]] = asyncio.Queue()

    async def serve() -> None:
        while True:
            _, reply = await queue.get()
            reply.set_result(0)

    task = asyncio.create_task(serve())
    loop = asyncio.get_running_loop()
    request = Total()
    before = time.perf_counter()
    for _ in range(ASKS):
        reply: asyncio.Future[int] = loop.create_future()
        queue.put_nowait((request, reply))
        await reply
    rate = ASKS / (time.perf_counter() - before)
    task.cancel()
    return rate


async def bare_restart() -> float:
    """A task that fails, whose done-callback starts the next one on the same queue."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    tasks: list[asyncio.Task[None]] = []

    async def serve() -> None:
        while True:
            item = await queue.get()
            if isinstance(item, Crash):
                raise ValueError("told to crash")
            item.set_result(0)

    def start() -> None:
        task = asyncio.create_task(serve())
        task.add_done_callback(ended)
        tasks[:] = [task]

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            start()

    start()
    loop = asyncio.get_running_loop()
    times = []
    for _ in range(CRASHES):
        before = time.perf_counter()
        queue.put_nowait(Crash())
        reply: asyncio.Future[int] = loop.create_future()
        queue.put_nowait(reply)
        await reply
        times.append(time.perf_counter() - before)
        await asyncio.sleep(0.003)
    tasks[0].cancel()
    return statistics.median(times)


async def thread_tells() -> float:
    ref = ThreadCounter.start()
    before = time.perf_counter()
    for _ in range(THREAD_TELLS):
        ref.tell(Count())
    assert ref.ask(Total()) == THREAD_TELLS
    rate = THREAD_TELLS / (time.perf_counter() - before)
    ref.stop()
    return rate


async def thread_asks() -> float:
    ref = ThreadCounter.start()
    request = Total()
    before = time.perf_counter()
    for _ in range(THREAD_ASKS):
        ref.ask(request)
    rate = THREAD_ASKS / (time.perf_counter() - before)
    ref.stop()
    return rate


def measure_many(count: int) -> dict[str, float]:
    """Start so many supervised actors in this fresh process: seconds, and memory over idle.

    Seconds of processor time: nothing in it waits, and what else the machine does is left out.
    """

    async def main() -> dict[str, float]:
        await (await _system(10)).stop()
        gc.collect()
        idle = _resident()
        before = time.process_time()
        system = await _system(count)
        seconds = time.process_time() - before
        assert await system.ask(f"a{count - 1}", Total()) == 0
        grown = _resident() - idle
        before = time.process_time()
        await system.stop()
        return {"start": seconds, "memory": grown, "stop": time.process_time() - before}

    return asyncio.run(main())


async def stops_one_by_one(count: int) -> float:
    """Seconds of processor time to stop so many dynamic children, each by an order of its own."""
    system = await _system(0)
    for number in range(count):
        await system.ask("", StartChild(ChildSpec(f"d{number}", Counter)))
    before = time.process_time()
    for number in range(count):
        await system.ask("", StopChild(f"d{number}"))
    seconds = time.process_time() - before
    await system.stop()
    return seconds


def _resident() -> float:
    """This process's resident memory in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmRSS")


def measure_many_apart() -> dict[str, float]:
    command = [sys.executable, __file__, "--many", str(MANY)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


async def _alternating(
    contestants: dict[str, Callable[[], Awaitable[float]]], rounds: int
) -> dict[str, float]:
    results: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds):
        print(f"round {turn + 1} of {rounds} ...", file=sys.stderr)
        for name, run in contestants.items():
            gc.collect()
            results[name].append(await run())
    return {name: statistics.median(values) for name, values in results.items()}


def run_all(rounds: int) -> dict[str, Any]:
    """All figures, and the goals with whether each is met."""
    figures = asyncio.run(
        _alternating(
            {
                "tells_sexton": sexton_tells,
                "tells_bare": bare_tells,
                "tells_threads": thread_tells,
                "asks_sexton": sexton_asks,
                "asks_bare": bare_asks,
                "asks_threads": thread_asks,
                "restart_sexton": sexton_restart,
                "restart_bare": bare_restart,
                "stop_one_by_one_1000": functools.partial(stops_one_by_one, FEW_STOPS),
                "stop_one_by_one_4000": functools.partial(stops_one_by_one, MANY_STOPS),
            },
            rounds,
        )
    )
    print("100,000 actors ...", file=sys.stderr)
    many = [measure_many_apart() for _ in range(rounds)]
    figures["start_100000"] = statistics.median(run["start"] for run in many)
    figures["memory_100000"] = statistics.median(run["memory"] for run in many)
    figures["stop_100000"] = statistics.median(run["stop"] for run in many)
    stops = figures["stop_one_by_one_4000"] / figures["stop_one_by_one_1000"]
    goals = [
        _at_least("asks, times bare asyncio", figures["asks_sexton"] / figures["asks_bare"], 0.8),
        _at_most(
            "restart, times a bare task's", figures["restart_sexton"] / figures["restart_bare"], 2.0
        ),
        _at_least(
            "tells, times pykka's threads", figures["tells_sexton"] / figures["tells_threads"], 8
        ),
        _at_most("start of 100,000 supervised actors, s", figures["start_100000"], 6.0),
        _at_most("memory of 100,000 over idle, MB", figures["memory_100000"], 400.0),
        # Linear is 4; a search among the children at each stop would make it 16.
        _at_most("stops of 4,000 one by one, times 1,000's", stops, 6.0),
    ]
    return {"figures": figures, "goals": goals}


def _at_least(name: str, value: float, goal: float) -> dict[str, Any]:
    return {"name": name, "value": value, "goal": f">= {goal:g}", "met": value >= goal}


def _at_most(name: str, value: float, goal: float) -> dict[str, Any]:
    return {"name": name, "value": value, "goal": f"<= {goal:g}", "met": value <= goal}


def show(result: dict[str, Any]) -> None:
    figures = result["figures"]
    print(f"{'':26}{'sexton':>12}{'bare asyncio':>14}{'pykka threads':>15}")
    for label, key, scale, form in (
        ("tells a second", "tells", 1.0, ",.0f"),
        ("asks a second", "asks", 1.0, ",.0f"),
        ("crash to next answer, µs", "restart", 1e6, ",.0f"),
    ):
        cells = [figures.get(f"{key}_{who}") for who in ("sexton", "bare", "threads")]
        shown = ["-" if cell is None else format(cell * scale, form) for cell in cells]
        print(f"{label:26}{shown[0]:>12}{shown[1]:>14}{shown[2]:>15}")
    print(
        f"100,000 supervised actors: start {figures['start_100000']:.2f} s, "
        f"stop {figures['stop_100000']:.2f} s, {figures['memory_100000']:.0f} MB over idle"
    )
    # No goal: the threads' figure moves by three with the machine.
    asks = figures["asks_sexton"] / figures["asks_threads"]
    print(f"asks are {asks:.1f} times pykka's threads'\n")
    for goal in result["goals"]:
        mark = "met" if goal["met"] else "NOT MET"
        print(f"{goal['name']:42}{goal['value']:>8.2f}   {goal['goal']:>8}   {mark}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=5, help="rounds to take the median of")
    parser.add_argument("--many", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    # Reports of the crashes that are timed here would go to the terminal and be timed as well.
    logger.remove()
    logger.add(lambda _: None, level="ERROR")
    if options.many:
        print(json.dumps(measure_many(options.many)))
        return 0
    result = run_all(options.rounds)
    if options.json:
        print(json.dumps(result))
    else:
        show(result)
    return 0 if all(goal["met"] for goal in result["goals"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
