"""What a close costs this project: 1,000 aged legs that are told to close at the same instant.

The whole tree runs on a market in memory that answers at once, and on SQLite as it is shipped, so
that what is measured is the project and the disk, not a venue. Every step of every task is timed
by the loop thread's own CPU clock; a validation's share is what its worker used, and the mean cost
of the exchange actor's two messages for it. Leaves out ccxt, the network, and the venue's limits.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Generator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from loguru import logger

from actors import paths
from actors.aged_memory import AgedState
from actors.runtime import System
from actors.tree import guard_tree
from messages.ledger import NewPosition, RowStatus
from messages.settings import (
    AccountSettings,
    AgedSettings,
    ControlSettings,
    Mode,
    OrphanSettings,
    ReconciliationSettings,
    Settings,
    StorageSettings,
)
from messages.to_exchange import JudgeLeg, Judgement
from messages.to_monitors import CloseByOrder
from messages.values import LegKey, Secret, Side
from messages.verdict import Present
from simulator import Exchange, Market, MemoryVenue
from simulator.instruments import linear
from storage import Ledger, open_ledger

ACCOUNTS = 5
SYMBOLS = 100
"""An account. In hedge mode each of them has two legs."""

ROUNDS = 2
"""Each has its thousand closes; more with `--rounds`. So many end within two minutes."""

QUANTITY = Decimal(10)
ENTRY = Decimal(100)
AGE = timedelta(hours=4)
NEVER = timedelta(days=1)
GOAL_SHARE_MS = 5.0
GOAL_ADDED_MS = 500.0
EXCHANGE = "accounts/[^/]+/exchange"


def now() -> datetime:
    return datetime.now(UTC)


class Meter:
    """CPU seconds of the loop's thread, by task: each task's total, and its life on the wall."""

    def __init__(self) -> None:
        self._tasks: list[tuple[asyncio.Task[Any], Metered]] = []

    def install(self) -> None:
        asyncio.get_running_loop().set_task_factory(self._make)

    def _make(self, loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> asyncio.Task[Any]:
        metered = Metered(coro)
        task = asyncio.Task(metered, loop=loop, **more)
        # The loop names a task only after its factory has made it.
        self._tasks.append((task, metered))
        return task

    def named(self, pattern: str) -> list[Metered]:
        """The tasks whose whole name matches."""
        return [it for task, it in self._tasks if re.fullmatch(pattern, task.get_name())]

    def longest_step(self) -> tuple[float, str]:
        """The longest step of any task since `forget_longest`, in seconds, and whose it was."""
        return max(
            ((it.longest, f"{task.get_name()}: {it.name}") for task, it in self._tasks),
            default=(0.0, ""),
        )

    def forget_longest(self) -> None:
        self.forget_ended()
        for _, metered in self._tasks:
            metered.longest = 0.0

    def forget_ended(self) -> None:
        """Start afresh, with the tasks that go on."""
        self._tasks = [(task, it) for task, it in self._tasks if not task.done()]


class Metered(Coroutine[Any, Any, Any]):
    """A coroutine that adds up the CPU time of its own steps, and knows the longest."""

    def __init__(self, inner: Coroutine[Any, Any, Any]) -> None:
        self._inner = inner
        self.name = getattr(inner, "__qualname__", "")
        self.cpu = 0.0
        self.longest = 0.0
        self.begun = time.perf_counter()
        self.ended = self.begun

    def send(self, value: Any) -> Any:
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._inner.throw, *error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()

    def _step(self, run: Any, *given: Any) -> Any:
        at = time.thread_time()
        try:
            return run(*given)
        finally:
            step = time.thread_time() - at
            self.cpu += step
            self.longest = max(self.longest, step)
            self.ended = time.perf_counter()


class Bench:
    """One guard over a market of its own, with every leg aged, waiting for break-even, and due."""

    def __init__(self, folder: Path) -> None:
        names = tuple(f"bench-{number}" for number in range(ACCOUNTS))
        self.market = Market(
            now=now,
            rng=random.Random(1),  # a market's noise, not a secret
            listings=[
                linear(Exchange.BYBIT, f"C{number}", str(ENTRY), "0.01", "0.1")
                for number in range(SYMBOLS)
            ],
            volatility=0,
        )
        for name in names:
            self.market.add_account(
                name, Exchange.BYBIT, key=name, secret=name, hedged=True, usdt=Decimal(10**9)
            )
        self.venues = {name: MemoryVenue(self.market, name, now=now) for name in names}
        self.keys = [
            LegKey(name, f"C{number}/USDT:USDT", side)
            for name in names
            for number in range(SYMBOLS)
            for side in Side
        ]
        self.settings = Settings(
            mode=Mode.ENFORCE,
            data_dir=folder,
            storage=StorageSettings(url=Secret(f"sqlite:///{folder}/sexton.db")),
            control=ControlSettings(socket=folder / "sexton.sock"),
            accounts=tuple(
                AccountSettings(
                    name=name, exchange="bybit", key=Secret(name), secret=Secret(name), stream=False
                )
                for name in names
            ),
            aged=AgedSettings(scan_every=NEVER, validate_every=None, check_every=NEVER),
            orphans=OrphanSettings(every=NEVER),
            reconciliation=ReconciliationSettings(every=NEVER),
        )

    async def fill(self, ledger: Ledger) -> None:
        """Every leg at the venue and in the ledger, 1 % under water: grace does not let it go."""
        opened = now() - AGE
        for key in self.keys:
            self.market.open_position(
                key.account, key.symbol, key.side, QUANTITY, ENTRY, opened, leverage=Decimal(1)
            )
        await asyncio.gather(
            *(
                ledger.add_position(
                    NewPosition(
                        account=key.account,
                        symbol=key.symbol,
                        side=key.side,
                        quantity=QUANTITY,
                        entry_price=ENTRY * (1 + Decimal("0.01") * key.side.sign),
                        opened_at=opened,
                    )
                )
                for key in self.keys
            )
        )

    def reads(self) -> int:
        return sum(venue.calls().get("fetch_positions", 0) for venue in self.venues.values())

    def most_reads_in_a_window(self) -> int:
        """The most position reads of one account within one freshness window."""
        fresh = self.settings.verdict.fresh
        most = 0
        for venue in self.venues.values():
            begun = [it.at for it in venue.log.requests if it.path == "fetch_positions"]
            # Windows are counted from each read; the log's clock ticks a moment after the asker's.
            slack = fresh - timedelta(milliseconds=50)
            most = max(most, *(sum(at <= it < at + slack for it in begun) for at in begun))
        return most

    def orders(self) -> Counter[str]:
        """Orders that reached the venue, by leg."""
        return Counter(
            f"{it.account} {it.params['symbol']} {it.params['side']}"
            for venue in self.venues.values()
            for it in venue.log.orders(venue.account)
        )


async def one_round(folder: Path) -> dict[str, float]:
    """Validate all legs at once, then close all of them at once."""
    bench = Bench(folder)
    meter = Meter()
    meter.install()
    ledger = await open_ledger(bench.settings.storage.url, now=now, data_dir=folder)
    await bench.fill(ledger)
    system = System(now=now, seed=1, slow_handler=3600.0)
    await system.start(guard_tree(bench.settings, ledger=ledger, venues=bench.venues))
    try:
        await _until(lambda: _waiting(system, bench), 120)
        figures = await _validations(system, bench, meter)
        return figures | await _closes(system, bench, meter, ledger)
    finally:
        await system.stop()
        await ledger.close()


async def _validations(system: System, bench: Bench, meter: Meter) -> dict[str, float]:
    """1,000 askers at once, with the validation alone on the loop."""
    await asyncio.sleep(bench.settings.verdict.fresh.total_seconds())
    meter.forget_ended()
    before = bench.reads()
    gc.collect()
    begun, cpu = time.perf_counter(), time.thread_time()
    judged: list[Judgement] = await asyncio.gather(
        *(system.ask(paths.exchange(key.account), JudgeLeg(key=key)) for key in bench.keys)
    )
    wall, cpu = time.perf_counter() - begun, time.thread_time() - cpu
    if not all(isinstance(one.verdict, Present) for one in judged):
        raise SystemExit("not every leg was judged to be there")
    return {
        "burst_validations_per_s": len(judged) / wall,
        "burst_cpu_per_validation_ms": cpu / len(judged) * 1000,
        "burst_reads_per_account": (bench.reads() - before) / ACCOUNTS,
    }


async def _closes(system: System, bench: Bench, meter: Meter, ledger: Ledger) -> dict[str, float]:
    await asyncio.sleep(bench.settings.verdict.fresh.total_seconds())
    meter.forget_ended()
    before = bench.reads()
    mailboxes = meter.named(EXCHANGE)
    used = sum(it.cpu for it in mailboxes)
    gc.collect()
    begun, cpu = time.perf_counter(), time.thread_time()
    in_time = datetime.now(UTC) + timedelta(minutes=10)
    for key in bench.keys:
        # Each command is stored before its leg's actor is told of it.
        system.tell(paths.aged_scan(key.account), CloseByOrder(key=key, expires_at=in_time))
    await _until(lambda: not any(_alive(system, key) for key in bench.keys), 600)
    wall, cpu = time.perf_counter() - begun, time.thread_time() - cpu
    rows = await ledger.rows()
    closed = [row for row in rows if row.status == RowStatus.CLOSED]
    if len(closed) != len(bench.keys) or any(row.exit_source != "fill" for row in closed):
        raise SystemExit(f"{len(closed)} of {len(bench.keys)} rows were closed by a fill of ours")
    judges = meter.named(f"{EXCHANGE}/judge(#.*)?")
    closes = meter.named(f"{EXCHANGE}/close .*")
    workers = len(meter.named(f"{EXCHANGE}/.*"))
    # A worker costs its actor two messages: the request, and the worker's result.
    messages = (sum(it.cpu for it in mailboxes) - used) / workers * 1000
    shares = sorted(it.cpu * 1000 + messages for it in judges)
    taken = sorted((it.ended - it.begun) * 1000 for it in judges)
    orders = bench.orders()
    return {
        "legs": float(len(bench.keys)),
        "share_p50_ms": _at(shares, 0.5),
        "share_p99_ms": _at(shares, 0.99),
        "validation_latency_p50_ms": _at(taken, 0.5),
        "validation_latency_p99_ms": _at(taken, 0.99),
        "close_worker_cpu_p50_ms": _at(sorted(it.cpu * 1000 for it in closes), 0.5),
        "cpu_per_close_ms": cpu / len(bench.keys) * 1000,
        "exchange_actor_cpu_per_worker_ms": messages,
        "closes_per_s": len(bench.keys) / wall,
        "close_reads_per_account": (bench.reads() - before) / ACCOUNTS,
        "most_reads_per_account_and_window": float(bench.most_reads_in_a_window()),
        "duplicate_orders": float(sum(count - 1 for count in orders.values())),
        "legs_without_order": float(len(bench.keys) - len(orders)),
    }


def _waiting(system: System, bench: Bench) -> bool:
    """Whether every leg has its actor, and each of them has looked and holds."""
    states = system.states_of(AgedState)
    return len(states) == len(bench.keys) and all(
        state.status.startswith("holding") for state in states.values()
    )


def _alive(system: System, key: LegKey) -> bool:
    return system.knows(paths.aged_leg(key))


async def _until(condition: Any, seconds: float) -> None:
    deadline = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > deadline:
            raise SystemExit(f"the legs did not get there within {seconds} s")
        await asyncio.sleep(0.1)


def _at(ordered: list[float], part: float) -> float:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def goals(figures: dict[str, float]) -> list[dict[str, object]]:
    """The goals of mission G1 and G2."""
    wanted = (
        ("share_p99_ms", GOAL_SHARE_MS, "<"),
        ("validation_latency_p99_ms", GOAL_ADDED_MS, "<"),
        ("most_reads_per_account_and_window", 1.0, "<="),
        ("burst_reads_per_account", 1.0, "<="),
        ("duplicate_orders", 0.0, "<="),
        ("legs_without_order", 0.0, "<="),
    )
    return [
        {
            "name": name,
            "value": figures[name],
            "goal": f"{sign} {goal:g}",
            "met": figures[name] < goal or (sign == "<=" and figures[name] == goal),
        }
        for name, goal, sign in wanted
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="What a close costs this project.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="medians of this many")
    given = parser.parse_args()
    logger.remove()
    rounds = []
    for turn in range(given.rounds):
        print(f"round {turn + 1} of {given.rounds} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(asyncio.run(one_round(Path(folder))))
    figures = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    reached = goals(figures)
    if given.json:
        print(json.dumps({"figures": figures, "goals": reached}, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:40} {value:12.3f}")
    for one in reached:
        print(f"{one['name']:40} {one['goal']:>12}  {'met' if one['met'] else 'MISSED'}")


if __name__ == "__main__":
    main()
