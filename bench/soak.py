"""Fifty accounts with 200 positions each, guarded for minutes: memory, loop latency, intervals.

The venue is a process of its own and the real ccxt classes talk to it over HTTPS; two legs of an
account are aged and wait for break-even. Monitors run each `--interval` seconds instead of each
five minutes, so that a short soak has many rounds. Beside it runs a process that does nothing but
sleep: how late that one wakes is the machine's doing. Leaves closes to `bench/close.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import resource
import signal
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

from loguru import logger

from actors import paths
from actors.aged_scan import AgedScanState
from actors.orphans import OrphansState
from actors.reconciliation import ReconciliationState
from actors.runtime import System
from actors.tree import guard_tree
from actors.venue_actor import ExchangeState
from console.service.garbage_collection import collecting_gently
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
from messages.values import Secret, Side
from messages.venue import Snapshot
from simulator import Exchange, Market
from simulator.instruments import linear
from simulator.server import SimulatedVenue
from storage import open_ledger
from venues.gateway import CcxtVenue

ACCOUNTS = 50
SYMBOLS = 100
"""An account, each with two hedge legs."""

AGED_SYMBOLS = 1
WARM_ROUNDS = 3
"""Intervals left out of all figures: by then each account has the reads that it keeps."""

SAMPLE = 0.01
ENTRY = Decimal(100)
FORK = multiprocessing.get_context("fork")


def now() -> datetime:
    return datetime.now(UTC)


def names() -> tuple[str, ...]:
    return tuple(f"soak-{number}" for number in range(ACCOUNTS))


def serve(ca_file: Path, told: Connection) -> None:
    """The venue's process: every account with the same 200 legs, each protected by a stop."""

    async def run() -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        market = Market(
            now=now,
            rng=random.Random(1),  # a market's noise, not a secret
            listings=[
                linear(Exchange.BYBIT, f"C{number}", str(ENTRY), "0.01", "0.1")
                for number in range(SYMBOLS)
            ],
            volatility=0,
        )
        for name in names():
            market.add_account(
                name, Exchange.BYBIT, key=name, secret=name, hedged=True, usdt=Decimal(10**9)
            )
            for number in range(SYMBOLS):
                for side in Side:
                    market.open_position(
                        name,
                        f"C{number}/USDT:USDT",
                        side,
                        Decimal(10),
                        ENTRY,
                        now() - timedelta(hours=1),
                        stop_loss=ENTRY * (1 - Decimal("0.1") * side.sign),
                        leverage=Decimal(1),
                    )
        async with SimulatedVenue(market, ca_file=ca_file) as venue:
            told.send(venue.connect)
            await stopped.wait()

    asyncio.run(run())


def idle(seconds: float, told: Connection) -> None:
    """The bystander's process: sleeps as the sampled loop does, and tells how late it woke."""
    late = []
    end = time.monotonic() + seconds
    while (begun := time.monotonic()) < end:
        time.sleep(SAMPLE)
        late.append((time.monotonic() - begun - SAMPLE) * 1000)
    told.send(at(sorted(late), 0.99))


class Timed(CcxtVenue):
    """The gateway, and when each read of all positions began (seconds, monotonic)."""

    def __init__(self, settings: AccountSettings) -> None:
        super().__init__(settings, now)
        self.reads: list[float] = []

    async def fetch_positions(self) -> Snapshot:
        self.reads.append(time.monotonic())
        return await super().fetch_positions()


def soak_settings(folder: Path, connect: str, ca_file: Path, interval: timedelta) -> Settings:
    return Settings(
        mode=Mode.ENFORCE,
        data_dir=folder,
        storage=StorageSettings(url=Secret(f"sqlite:///{folder}/sexton.db")),
        control=ControlSettings(socket=folder / "sexton.sock"),
        accounts=tuple(
            AccountSettings(
                name=name,
                exchange="bybit",
                key=Secret(name),
                secret=Secret(name),
                connect=connect,
                ca_file=ca_file,
            )
            for name in names()
        ),
        aged=AgedSettings(scan_every=interval, validate_every=interval),
        orphans=OrphanSettings(every=interval),
        reconciliation=ReconciliationSettings(every=interval),
    )


def write_rows(file: Path) -> None:
    """The rows as a bot writes them. The aged ones are 1 % under water: grace holds them."""
    rows = []
    for name in names():
        for number in range(SYMBOLS):
            for side in Side:
                opened = now() - timedelta(hours=4 if number < AGED_SYMBOLS else 1)
                entry = float(ENTRY) * (1 + 0.01 * side.sign)
                rows.append((name, f"C{number}USDT", side.value, 10, entry, opened.isoformat()))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany(
            "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )


async def soak(folder: Path, connect: str, seconds: float, interval: float) -> dict[str, float]:
    settings = soak_settings(folder, connect, folder / "ca.pem", timedelta(seconds=interval))
    ledger = await open_ledger(settings.storage.url, now=now, data_dir=folder)
    write_rows(folder / "sexton.db")
    venues = {account.name: Timed(account) for account in settings.accounts}
    system = System(now=now, seed=1, slow_handler=3600.0)
    begun = time.monotonic()
    await system.start(guard_tree(settings, ledger=ledger, venues=venues))
    try:
        while not all(ready(system, name) for name in names()):
            if time.monotonic() - begun > 300:
                raise SystemExit("the accounts were not connected within 300 s")
            await asyncio.sleep(0.1)
        connected = time.monotonic() - begun
        await asyncio.sleep(WARM_ROUNDS * interval)
        before = rounds(system)
        bystander, theirs = FORK.Pipe()
        FORK.Process(target=idle, args=(seconds, theirs), daemon=True).start()
        late, memory, load = await sample(seconds)
        done = {path: count - before[path] for path, count in rounds(system).items()}
        half, quarter = len(memory) // 2, len(memory) // 4
        first, last = statistics.median(memory[:half]), statistics.median(memory[half:])
        reads = [b - a for venue in venues.values() for a, b in pairwise(venue.reads)]
        return {
            "accounts": float(ACCOUNTS),
            "legs": float(ACCOUNTS * SYMBOLS * 2),
            "minutes": seconds / 60,
            "all_ready_s": connected,
            "loop_latency_p50_ms": at(late, 0.5),
            "loop_latency_p99_ms": at(late, 0.99),
            "loop_latency_worst_ms": late[-1],
            "idle_process_latency_p99_ms": await asyncio.to_thread(bystander.recv),
            "machine_load_mean": statistics.mean(load),
            "memory_first_half_mb": first,
            "memory_second_half_mb": last,
            "memory_growth_percent": (last / first - 1) * 100,
            "memory_growth_in_the_last_quarter_mb": statistics.median(memory[-quarter:])
            - statistics.median(memory[-2 * quarter : -quarter]),
            "reads": float(sum(len(venue.reads) for venue in venues.values())),
            "shortest_time_between_reads_s": min(reads),
            "reads_within_a_window": float(
                sum(gap < settings.verdict.fresh.total_seconds() - 0.05 for gap in reads)
            ),
            "fewest_rounds_of_a_monitor": float(min(done.values())),
            "rounds_missed": float(
                sum(count < int(seconds / interval) - 1 for count in done.values())
            ),
            "restarts": float(sum(node.restarts for node in system.tree())),
            "cpu_percent": resource.getrusage(resource.RUSAGE_SELF).ru_utime
            / (time.monotonic() - begun)
            * 100,
        }
    finally:
        await system.stop()
        for venue in venues.values():
            await venue.close()
        await ledger.close()


async def sample(seconds: float) -> tuple[list[float], list[float], list[float]]:
    """How late the loop came to a sleeper (ms, sorted); each second resident memory (MB) and load.

    The load is that of the last minute: processes that want a core, ours among them.
    """
    late: list[float] = []
    memory: list[float] = []
    load: list[float] = []
    end = time.monotonic() + seconds
    while (begun := time.monotonic()) < end:
        await asyncio.sleep(SAMPLE)
        late.append((time.monotonic() - begun - SAMPLE) * 1000)
        if len(memory) < seconds - (end - begun):
            pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240  # no disk
            memory.append(pages * resource.getpagesize() / 1e6)
            load.append(os.getloadavg()[0])
    return sorted(late), memory, load


def ready(system: System, name: str) -> bool:
    # An actor that waits to be started again has no state; it is counted as a restart.
    state = system.state_of(paths.exchange(name), ExchangeState)
    return state is not None and state.status == "ready"


def rounds(system: System) -> dict[str, int]:
    """How often each monitor of each account has been through."""
    found: dict[str, int] = {}
    for name in names():
        aged = system.state_of(paths.aged_scan(name), AgedScanState)
        orphans = system.state_of(paths.orphans(name), OrphansState)
        compared = system.state_of(paths.reconciliation(name), ReconciliationState)
        found[paths.aged_scan(name)] = aged.scans if aged else 0
        found[paths.orphans(name)] = orphans.scans if orphans else 0
        found[paths.reconciliation(name)] = compared.passes if compared else 0
    return found


def at(ordered: list[float], part: float) -> float:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


async def as_in_service(soaking: Awaitable[dict[str, float]]) -> dict[str, float]:
    """With the collector as the service has it."""
    async with collecting_gently():
        return await soaking


def goals(figures: dict[str, float]) -> list[dict[str, object]]:
    wanted = (
        ("loop_latency_p99_ms", 50.0),
        ("memory_growth_percent", 2.0),
        ("reads_within_a_window", 1.0),
        ("rounds_missed", 1.0),
        ("restarts", 1.0),
    )
    return [
        {"name": name, "value": figures[name], "goal": f"< {goal:g}", "met": figures[name] < goal}
        for name, goal in wanted
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Fifty accounts for minutes.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    logger.remove()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here, there = FORK.Pipe()
        process = FORK.Process(target=serve, args=(folder / "ca.pem", there), daemon=True)
        process.start()
        try:
            if not here.poll(60):
                raise SystemExit("the simulated venue did not start")
            figures = asyncio.run(
                as_in_service(soak(folder, here.recv(), given.minutes * 60, given.interval))
            )
        finally:
            process.terminate()
            process.join()
    reached = goals(figures)
    if given.json:
        print(json.dumps({"figures": figures, "goals": reached}, indent=2))
        return
    for figure, value in figures.items():
        print(f"{figure:40} {value:12.3f}")
    for one in reached:
        print(f"{one['name']:40} {one['goal']:>12}  {'met' if one['met'] else 'MISSED'}")


if __name__ == "__main__":
    main()
