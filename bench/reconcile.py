"""What reconciling costs, and how soon it notices: diffs of up to 100,000 legs, and detection.

Measures CPU time and memory of the pure rules on made-up facts: 95 % of the legs agree, the rest
are ghosts, orphans, quantity and side mismatches. The sizes run in turn, beside msgspec decoding
the same rows, so that a busy machine slows all of them. Then a whole guard on the simulated venue
over HTTPS says how long after a close by hand its ledger row is closed: by the scan alone, and
with the position stream.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
from loguru import logger

from actors.runtime import System
from actors.tree import guard_tree
from messages.ledger import NewPosition, PositionRow, RowStatus
from messages.settings import (
    AccountSettings,
    AgedSettings,
    ControlSettings,
    Mode,
    OrphanSettings,
    ReconciliationSettings,
    Settings,
    StorageSettings,
    VerdictSettings,
)
from messages.values import LegKey, Secret, Side
from messages.venue import Instrument, Kind, Scope, Snapshot, VenuePosition
from rules.diff import Comparison, compare
from rules.legs import LedgerView, ledger_legs
from rules.symbols import SymbolIndex
from simulator.server import SimulatedVenue
from storage import open_ledger
from venues.gateway import open_venue

ACCOUNT = "bench"
SIZES = (1_000, 10_000, 100_000)
ROUNDS = 7
AT = datetime(2026, 1, 1, tzinfo=UTC)
GOAL_MS = 250.0
GOAL_TIMES_DECODE = 3.0
"""Rows to legs and the diff, in what msgspec takes to decode the same rows from JSON."""

GOAL_GROWTH = 2.0

GUARDED = "bybit-main"
SYMBOL = "XRP/USDT:USDT"
INTERVAL = timedelta(seconds=5)
"""Between two scans here. The stream's guard has no second scan within the measurement."""

CLOSES = 5
GOAL_NOTICED_S = 1.0


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Both views of one account, and how many findings of each sort are in them."""

    instruments: dict[str, Instrument]
    rows: tuple[PositionRow, ...]
    snapshot: Snapshot
    each: int


def facts(size: int) -> Facts:
    """An account with two hedge legs a symbol, mostly, and one in a hundred of each finding."""
    instruments: dict[str, Instrument] = {}
    rows: list[PositionRow] = []
    positions: list[VenuePosition] = []
    for number in range(size):
        name, side = f"C{number // 2}", Side.LONG if number % 2 else Side.SHORT
        symbol = f"{name}/USDT:USDT"
        instruments[symbol] = _instrument(name, symbol)
        sort = number % 100
        if sort == 6:
            # A side mismatch is a net leg's, and needs its symbol to itself.
            side = Side.LONG
        if sort == 7:
            continue
        if sort != 5:
            rows.append(_row(number, name, side))
        if sort == 0:
            continue
        shown = side.opposite if sort == 6 else side
        quantity = Decimal("0.5") if sort == 2 else Decimal("1.50")
        positions.append(
            VenuePosition(
                key=LegKey(ACCOUNT, symbol, shown),
                contracts=quantity,
                quantity=quantity,
                hedged=sort != 6,
            )
        )
    snapshot = Snapshot(
        account=ACCOUNT,
        scope=Scope(frozenset({"USDT"})),
        started_at=AT,
        finished_at=AT,
        positions=tuple(positions),
    )
    return Facts(instruments=instruments, rows=tuple(rows), snapshot=snapshot, each=size // 100)


def measure() -> dict[str, float]:
    """CPU milliseconds and peak bytes, medians over alternating rounds."""
    made = {size: facts(size) for size in SIZES}
    index = {size: SymbolIndex(made[size].instruments) for size in SIZES}
    views = {size: _legs(made[size], index[size]) for size in SIZES}
    for size in SIZES:
        _check(_compared(made[size], views[size]), made[size])
    diff: dict[int, list[float]] = {size: [] for size in SIZES}
    rows: dict[int, list[float]] = {size: [] for size in SIZES}
    decoded: dict[int, list[float]] = {size: [] for size in SIZES}
    texts = {size: msgspec.json.encode(made[size].rows) for size in SIZES}
    decoder = msgspec.json.Decoder(tuple[PositionRow, ...])
    for turn in range(ROUNDS):
        print(f"round {turn + 1} of {ROUNDS} ...", file=sys.stderr)
        for size in SIZES:
            diff[size].append(_cpu_ms(lambda s=size: _compared(made[s], views[s])))  # type: ignore[misc]  # a bound default has no annotation
            decoded[size].append(_cpu_ms(lambda s=size: decoder.decode(texts[s])))  # type: ignore[misc]  # a bound default has no annotation
            rows[size].append(_cpu_ms(lambda s=size: _legs(made[s], index[s])))  # type: ignore[misc]  # a bound default has no annotation
    figures: dict[str, float] = {}
    for size in SIZES:
        figures[f"diff_{size}_legs_cpu_ms"] = statistics.median(diff[size])
        figures[f"diff_{size}_legs_cpu_ms_worst"] = max(diff[size])
        figures[f"rows_to_legs_{size}_cpu_ms"] = statistics.median(rows[size])
        figures[f"diff_{size}_legs_peak_mb"] = _peak_mb(
            lambda s=size: _compared(made[s], views[s])  # type: ignore[misc]  # a bound default has no annotation
        )
        figures[f"rows_and_diff_{size}_cpu_ms"] = (
            figures[f"rows_to_legs_{size}_cpu_ms"] + figures[f"diff_{size}_legs_cpu_ms"]
        )
        figures[f"decode_{size}_rows_cpu_ms"] = statistics.median(decoded[size])
        figures[f"rows_and_diff_{size}_times_decode"] = (
            figures[f"rows_and_diff_{size}_cpu_ms"] / figures[f"decode_{size}_rows_cpu_ms"]
        )
    least, most = SIZES[0], SIZES[-1]
    figures["diff_cost_per_leg_growth"] = (figures[f"diff_{most}_legs_cpu_ms"] / most) / (
        figures[f"diff_{least}_legs_cpu_ms"] / least
    )
    return figures


def clock() -> datetime:
    return datetime.now(UTC)


async def detect(folder: Path, *, stream: bool) -> dict[str, float]:
    """Seconds from a close by hand to its being noticed, and to its row being closed."""
    name = "stream" if stream else "scan"
    async with SimulatedVenue(seed=1, volatility=0) as venue:
        settings = _guarding(folder, venue, stream=stream)
        ledger = await open_ledger(settings.storage.url, now=clock)
        gateway = open_venue(settings.accounts[0], now=clock)
        system = System(now=clock, seed=1, slow_handler=3600.0)
        await system.start(guard_tree(settings, ledger=ledger, venues={GUARDED: gateway}))
        noticed: list[float] = []
        closed: list[float] = []
        try:
            await _until(lambda: _ready(system, stream=stream), 30)
            for number in range(CLOSES):
                price = venue.market.price(venue.market.accounts[GUARDED].exchange, SYMBOL)
                venue.market.open_position(GUARDED, SYMBOL, Side.LONG, Decimal(10), price)
                row = await ledger.add_position(
                    NewPosition(
                        account=GUARDED,
                        symbol=SYMBOL,
                        side=Side.LONG,
                        quantity=Decimal(10),
                        entry_price=price,
                        opened_at=clock(),
                    )
                )
                # Past the row's settling time, and somewhere else in the interval each time.
                settle = settings.verdict.settle + INTERVAL * number / CLOSES
                await asyncio.sleep(settle.total_seconds())
                hints, reads = _hints(system, stream=stream), venue.requests.count("positions")
                begun = time.perf_counter()
                venue.market.close_by_hand(GUARDED, SYMBOL, Side.LONG)
                await _until(
                    lambda seen=hints, read=reads: (  # type: ignore[misc]  # a bound default has no annotation
                        _hints(system, stream=stream) > seen
                        if stream
                        else venue.requests.count("positions") > read
                    ),
                    60,
                )
                noticed.append(time.perf_counter() - begun)

                async def gone(row_id: int = row.id) -> bool:
                    found = await ledger.row(row_id)
                    return found is not None and found.status == RowStatus.CLOSED

                await _until(gone, 60)
                closed.append(time.perf_counter() - begun)
        finally:
            await system.stop()
            await gateway.close()
            await ledger.close()
    return {
        f"{name}_noticed_p50_s": statistics.median(noticed),
        f"{name}_noticed_worst_s": max(noticed),
        f"{name}_row_closed_p50_s": statistics.median(closed),
        f"{name}_row_closed_worst_s": max(closed),
    }


def _guarding(folder: Path, venue: SimulatedVenue, *, stream: bool) -> Settings:
    never = timedelta(days=1)
    return Settings(
        mode=Mode.ENFORCE,
        data_dir=folder,
        storage=StorageSettings(url=Secret(f"sqlite:///{folder}/{stream}.db")),
        control=ControlSettings(socket=folder / "sexton.sock"),
        accounts=(
            AccountSettings(
                name=GUARDED,
                exchange="bybit",
                key=Secret("demo-bybit-key"),
                secret=Secret("demo-bybit-secret"),
                connect=venue.connect,
                ca_file=venue.ca_file,
                stream=stream,
            ),
        ),
        aged=AgedSettings(scan_every=never, validate_every=None),
        # The default settling time would be most of the bench; it delays no detection after it.
        verdict=VerdictSettings(settle=timedelta(seconds=2)),
        orphans=OrphanSettings(every=never),
        reconciliation=ReconciliationSettings(every=never if stream else INTERVAL),
    )


def _ready(system: System, *, stream: bool) -> bool:
    base = f"accounts/{GUARDED}"
    if not system.knows(f"{base}/reconciliation"):
        return False
    passes = system.dump(f"{base}/reconciliation")["state"]["passes"]
    return bool(passes and (not stream or system.dump(f"{base}/stream")["state"]["connects"]))


def _hints(system: System, *, stream: bool) -> int:
    return int(system.dump(f"accounts/{GUARDED}/stream")["state"]["hints"]) if stream else 0


async def _until(condition: Callable[[], bool | Awaitable[bool]], seconds: float) -> None:
    deadline = time.perf_counter() + seconds
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        if time.perf_counter() > deadline:
            raise SystemExit(f"the guard did not get there within {seconds} s")
        await asyncio.sleep(0.005)


def goals(figures: dict[str, float]) -> list[dict[str, object]]:
    """G3's and G4's bounds, and that the cost of a leg does not grow with their number."""
    confirming = VerdictSettings().confirm_after + VerdictSettings().fresh
    wanted = (
        (f"rows_and_diff_{SIZES[-1]}_cpu_ms", GOAL_MS),
        (f"rows_and_diff_{SIZES[-1]}_times_decode", GOAL_TIMES_DECODE),
        ("diff_cost_per_leg_growth", GOAL_GROWTH),
        ("stream_noticed_worst_s", GOAL_NOTICED_S),
        ("scan_row_closed_worst_s", (INTERVAL + confirming).total_seconds()),
    )
    return [
        {"name": name, "value": figures[name], "goal": f"< {goal:g}", "met": figures[name] < goal}
        for name, goal in wanted
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="What reconciling costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json: bool = parser.parse_args().json
    logger.remove()
    figures = measure()
    with tempfile.TemporaryDirectory() as folder:
        for stream in (False, True):
            print(f"a close by hand, {'with' if stream else 'without'} stream ...", file=sys.stderr)
            figures |= asyncio.run(detect(Path(folder), stream=stream))
    reached = goals(figures)
    if as_json:
        print(json.dumps({"figures": figures, "goals": reached}, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:40} {value:12.3f}")
    for one in reached:
        print(f"{one['name']:40} {one['goal']:>12}  {'met' if one['met'] else 'MISSED'}")


def _instrument(name: str, symbol: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        venue_id=f"{name}USDT",
        base=name,
        quote="USDT",
        settle="USDT",
        kind=Kind.LINEAR,
        contract_size=Decimal(1),
        amount_step=Decimal("0.001"),
        min_amount=Decimal("0.001"),
        price_step=Decimal("0.01"),
    )


def _row(number: int, name: str, side: Side) -> PositionRow:
    return PositionRow(
        id=number,
        account=ACCOUNT,
        symbol=f"{name}USDT",
        side=side.value,
        quantity=Decimal("1.5"),
        entry_price=Decimal(10),
        opened_at=AT,
    )


def _legs(of: Facts, index: SymbolIndex) -> LedgerView:
    return ledger_legs(of.rows, ACCOUNT, index)


def _compared(of: Facts, view: LedgerView) -> Comparison:
    return compare(view.legs, of.snapshot, of.instruments)


def _check(found: Comparison, of: Facts) -> None:
    """A diff that is fast and wrong is not measured."""
    counts = [len(found.missing), len(found.orphans), len(found.quantity), len(found.side)]
    if counts != [of.each] * 4 or found.unknown or found.unclear:
        raise SystemExit(f"the diff found {counts}, not {of.each} of each")


def _cpu_ms(run: Callable[[], object]) -> float:
    gc.collect()
    begun = time.process_time()
    run()
    return (time.process_time() - begun) * 1000


def _peak_mb(run: Callable[[], object]) -> float:
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    main()
