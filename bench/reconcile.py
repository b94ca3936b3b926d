"""What reconciling costs: the diff of two views of 1,000, 10,000 and 100,000 legs.

Measures CPU time and memory of the pure rules on made-up facts: 95 % of the legs agree, the rest
are ghosts, orphans, quantity and side mismatches. The sizes run in turn, so that a busy machine
slows all of them. Leaves the time from a venue-side close to its detection to the running system.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from messages.ledger import PositionRow
from messages.values import LegKey, Side
from messages.venue import Instrument, Kind, Scope, Snapshot, VenuePosition
from rules.diff import Comparison, compare
from rules.legs import LedgerView, ledger_legs
from rules.symbols import SymbolIndex

ACCOUNT = "bench"
SIZES = (1_000, 10_000, 100_000)
ROUNDS = 7
AT = datetime(2026, 1, 1, tzinfo=UTC)
GOAL_MS = 250.0
GOAL_GROWTH = 2.0


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Both views of one account, and how many findings of each sort are in them."""

    instruments: dict[str, Instrument]
    rows: tuple[PositionRow, ...]
    snapshot: Snapshot
    each: int


def facts(size: int) -> Facts:
    """An account in hedge mode with two legs a symbol, one in a hundred of each finding."""
    instruments: dict[str, Instrument] = {}
    rows: list[PositionRow] = []
    positions: list[VenuePosition] = []
    for number in range(size):
        name, side = f"C{number // 2}", Side.LONG if number % 2 else Side.SHORT
        symbol = f"{name}/USDT:USDT"
        instruments[symbol] = _instrument(name, symbol)
        sort = number % 100
        if sort == 6:
            # A side mismatch needs its symbol to itself.
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
                hedged=True,
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
    for _ in range(ROUNDS):
        for size in SIZES:
            diff[size].append(_cpu_ms(lambda s=size: _compared(made[s], views[s])))  # type: ignore[misc]  # a bound default has no annotation
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
    least, most = SIZES[0], SIZES[-1]
    figures["diff_cost_per_leg_growth"] = (figures[f"diff_{most}_legs_cpu_ms"] / most) / (
        figures[f"diff_{least}_legs_cpu_ms"] / least
    )
    return figures


def goals(figures: dict[str, float]) -> list[dict[str, object]]:
    """G4's bound, and that the cost of a leg does not grow with their number."""
    wanted = (
        (f"diff_{SIZES[-1]}_legs_cpu_ms", GOAL_MS),
        ("diff_cost_per_leg_growth", GOAL_GROWTH),
    )
    return [
        {"name": name, "value": figures[name], "goal": f"< {goal:g}", "met": figures[name] < goal}
        for name, goal in wanted
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="What reconciling costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json: bool = parser.parse_args().json
    figures = measure()
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
    if counts != [of.each] * 4 or found.unknown or found.doubtful:
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
