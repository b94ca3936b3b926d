"""What the guard asks of a venue, and how fast it can be flat: requests, weight and round trips.

The service itself (`supervisor.py run`, the real ccxt, TLS, SQLite) on the simulated venue with the
venue's real limits enforced and 100 ms of latency; a bare ccxt script with warm sockets reads and
closes as many legs beside it, in turn, in the same run. A decision is the instant at which the scan
that finds the legs aged is ordered; for both, flat is when the market has the last position gone.

Leaves out what a close costs in CPU (`bench/close.py`), and the wall clock that jumps in mid-wave:
a process of its own has none that a bench could set (there is a test of it).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from bench.parts.stage import (
    BARE,
    HOLDING,
    PRICE,
    BareScript,
    Guard,
    Venue,
    a_bare_script,
    a_guard,
    a_venue,
    now,
    until,
    weight,
)
from console.control.protocol import GetBudget, Reconcile
from messages.budget import Lane
from simulator.desk import ORDER_ENDPOINTS, LoggedRequest
from simulator.faults import Fault, FaultKind
from simulator.instruments import WHOLE, Exchange

ROUND_TRIP = 0.1
ROUNDS = 5
WAVES = (9, 50)
IDLE = (10, 200, 1000)
IDLE_SECONDS = 60.0
SETTLE_SECONDS = 20.0
"""Before an idle minute is counted: first looks and first rounds are over by then."""

FLEET, FLEET_LEGS = 10, 50
OPENED = 50
BAN_LEGS, BAN_SECONDS = 6, 30.0
AFTER_ROWS = 3.0
"""Seconds after the last row is closed: clean-up is part of what a close costs."""

ORDERS_A_SECOND = {Exchange.BYBIT: 10.0, Exchange.BINANCE: 30.0}
"""An account's order limit by the venues' documentation; Binance's comes in bursts of 300."""

INSTANT = 0.01
"""Seconds: what two readings of a clock on a busy machine may lie apart."""

BURST = {Exchange.BYBIT: 10, Exchange.BINANCE: 300}


@dataclass
class Wave:
    """Seconds from the decision; `requests` of the wave, by route."""

    legs: int
    first_order: float
    flat: float
    rows: float
    requests: int
    weight: int
    refused: int
    without_exit: int
    order_wait: float
    routes: Counter[str] = field(default_factory=Counter)


def seconds(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds()


async def guard_wave(venue: Venue, guard: Guard, account: str, count: int, *, cold: bool) -> Wave:
    """The bot's legs grow old, a scan finds them, and the guard closes all of them."""
    legs = venue.legs(count)
    venue.open(account, legs, now())
    guard.add_rows(account, legs, now(), PRICE)
    await guard.order(Reconcile(account=account))
    await venue.quiet()
    guard.make_old(account)
    if cold:
        venue.line.cut()
    venue.flat_at.clear()
    begun = now()
    await guard.look_for_aged(account)
    await until(lambda: account in venue.flat_at, f"{count} legs to be flat", 120)
    await until(lambda: not guard.active(account), f"{count} rows to be closed", 120)
    budget = (await guard.order(GetBudget(account=account))).budgets[0].use
    await asyncio.sleep(AFTER_ROWS)
    asked = venue.since(begun, account)
    orders = [it for it in asked if it.endpoint in ORDER_ENDPOINTS]
    return Wave(
        legs=count,
        first_order=seconds(begun, min(it.at for it in orders)),
        flat=seconds(begun, venue.flat_at[account]),
        rows=seconds(venue.flat_at[account], guard.closed_at(account)),
        requests=len(asked),
        weight=weight(venue.exchange, asked),
        refused=len(orders) - count,
        without_exit=guard.without_exit(account),
        order_wait=budget.longest_wait.get(Lane.ORDER, 0.0) if budget is not None else 0.0,
        routes=Counter(it.endpoint for it in asked),
    )


async def bare_wave(venue: Venue, script: BareScript, count: int) -> float:
    """Seconds until the script's legs are flat."""
    venue.open(BARE, venue.legs(count), now())
    await venue.quiet()
    await script.warm()
    venue.flat_at.clear()
    begun = now()
    refused = await script.close()
    if refused:
        raise SystemExit(f"{refused} orders of the bare script were refused: its pace is wrong")
    return seconds(begun, venue.flat_at[BARE])


async def waves(venue: Venue, folder: Path, rounds: int, log: Log) -> dict[str, float]:
    figures: dict[str, float] = {}
    async with a_guard(venue, folder / "waves", ("waves",)) as guard, a_bare_script(venue) as bare:
        for count in WAVES:
            done: list[Wave] = []
            bares: list[float] = []
            for turn in range(rounds):
                log.say(f"{count} legs, round {turn + 1} of {rounds}")
                done.append(await guard_wave(venue, guard, "waves", count, cold=False))
                bares.append(await bare_wave(venue, bare, count))
            log.routes(done[-1])
            figures |= of_waves(f"{count}", done, bares, venue.exchange)
    return figures


def of_waves(
    name: str, done: list[Wave], bares: list[float], exchange: Exchange
) -> dict[str, float]:
    count = done[0].legs
    flat = statistics.median([it.flat for it in done])
    figures = {
        f"{name}_first_order_round_trips": statistics.median([it.first_order for it in done])
        / ROUND_TRIP,
        f"{name}_flat_s": flat,
        f"{name}_rows_after_flat_s": statistics.median([it.rows for it in done]),
        f"{name}_requests_a_close": statistics.median([it.requests / count for it in done]),
        f"{name}_weight_a_close": statistics.median([it.weight / count for it in done]),
        f"{name}_order_wait_s": max(it.order_wait for it in done),
        f"{name}_orders_refused": float(max(it.refused for it in done)),
        f"{name}_rows_without_exit": float(max(it.without_exit for it in done)),
    }
    if bares:
        figures[f"{name}_bare_flat_s"] = statistics.median(bares)
        figures[f"{name}_flat_to_bare"] = statistics.median(
            [mine.flat / its for mine, its in zip(done, bares, strict=True)]
        )
    if count > BURST[exchange]:
        figures[f"{name}_flat_to_limit"] = flat / (count / ORDERS_A_SECOND[exchange])
    return figures


async def without_stream(venue: Venue, folder: Path, rounds: int, log: Log) -> dict[str, float]:
    """The same with cold sockets and no stream, whose connection could not be spared the cut."""
    count = WAVES[0]
    done = []
    async with a_guard(venue, folder / "quiet", ("quiet",), stream=False) as guard:
        for turn in range(rounds):
            log.say(f"{count} legs, cold and without a stream, round {turn + 1} of {rounds}")
            done.append(await guard_wave(venue, guard, "quiet", count, cold=True))
    log.routes(done[-1])
    return of_waves(f"{count}_cold_no_stream", done, [], venue.exchange)


async def idle(venue: Venue, folder: Path, log: Log) -> dict[str, float]:
    """What legs that hold cost in a minute in which nothing happens."""
    figures: dict[str, float] = {}
    for count in IDLE:
        name = f"idle-{count}"
        log.say(f"{count} legs that hold, {SETTLE_SECONDS + IDLE_SECONDS:g} s")
        async with a_guard(venue, folder / name, (name,)) as guard:
            legs = venue.legs(count)
            venue.open(name, legs, now() - HOLDING)
            # A little under water: each leg waits for break-even.
            guard.add_rows(name, legs, now() - HOLDING, PRICE * Decimal("1.01"))
            await guard.order(Reconcile(account=name))
            await guard.look_for_aged(name)
            await asyncio.sleep(SETTLE_SECONDS)
            begun = now()
            await asyncio.sleep(IDLE_SECONDS)
            asked = venue.since(begun, name)
        minutes = IDLE_SECONDS / 60
        figures[f"idle_{count}_requests_a_minute"] = len(asked) / minutes
        figures[f"idle_{count}_weight_a_minute"] = weight(venue.exchange, asked) / minutes
        log.counts(asked)
    return figures


async def opened_by_the_bot(venue: Venue, folder: Path, log: Log) -> dict[str, float]:
    """Fifty positions within a second, each with its row a moment later: what does that wake?"""
    log.say(f"{OPENED} positions that the bot opens in a second")
    async with a_guard(venue, folder / "opened", ("opened",)) as guard:
        await guard.order(Reconcile(account="opened"))
        await venue.quiet()
        begun = now()
        for leg in venue.legs(OPENED):
            venue.open("opened", [leg], now())
            await asyncio.sleep(1 / OPENED)
            guard.add_rows("opened", [leg], now(), PRICE)
        await asyncio.sleep(10)
        asked = venue.since(begun, "opened")
    log.counts(asked)
    return {
        "opened_reads": float(len(asked)),
        "opened_weight": float(weight(venue.exchange, asked)),
    }


async def banned(venue: Venue, folder: Path, log: Log) -> dict[str, float]:
    """Requests that leave after the venue has said until when it bans the address."""
    log.say(f"a ban of {BAN_SECONDS:g} s with {BAN_LEGS} aged legs")
    async with a_guard(venue, folder / "banned", ("banned",), check_every="1s") as guard:
        legs = venue.legs(BAN_LEGS)
        venue.open("banned", legs, now() - HOLDING)
        guard.add_rows("banned", legs, now() - HOLDING, PRICE * Decimal("1.01"))
        await guard.order(Reconcile(account="banned"))
        await guard.look_for_aged("banned")
        struck = now()
        venue.venue.faults.order(
            Fault(kind=FaultKind.BAN, count=None, seconds=BAN_SECONDS, status=418)
        )
        await until(lambda: bool(venue.since(struck)), "a request that meets the ban", 60)
        # What had left before the answer came did not know; a round trip later all do.
        await asyncio.sleep(ROUND_TRIP * 2)
        begun = now()
        await asyncio.sleep(BAN_SECONDS - 2)
        asked = venue.since(begun)
        venue.venue.faults.clear()
        await asyncio.sleep(2)
    log.counts(asked)
    return {"requests_into_a_ban": float(len(asked))}


async def fleet(venue: Venue, folder: Path, rounds: int, log: Log) -> dict[str, float]:
    """All accounts at once, against the slowest of them alone."""
    names = tuple(f"fleet-{n}" for n in range(FLEET))
    alone: dict[str, float] = {}
    together: list[float] = []
    async with a_guard(venue, folder / "fleet", names) as guard:
        for name in names[:2]:
            log.say(f"{name} alone, {FLEET_LEGS} legs")
            alone[name] = (await guard_wave(venue, guard, name, FLEET_LEGS, cold=False)).flat
        for turn in range(rounds):
            log.say(f"{FLEET} accounts of {FLEET_LEGS} legs, round {turn + 1} of {rounds}")
            legs = venue.legs(FLEET_LEGS)
            for name in names:
                venue.open(name, legs, now())
                guard.add_rows(name, legs, now(), PRICE)
            await guard.order(Reconcile())
            await venue.quiet()
            for name in names:
                guard.make_old(name)
            venue.flat_at.clear()
            begun = now()
            await asyncio.gather(*map(guard.look_for_aged, names))
            await until(lambda: set(names) <= set(venue.flat_at), "all accounts to be flat", 300)
            together.append(max(seconds(begun, venue.flat_at[name]) for name in names))
            await until(lambda: not any(map(guard.active, names)), "all rows to be closed", 300)
            await venue.quiet()
    flat = statistics.median(together)
    return {
        "fleet_flat_s": flat,
        "fleet_slowest_alone_s": max(alone.values()),
        "fleet_to_slowest_alone": flat / max(alone.values()),
    }


class Log:
    """Progress on stderr, since a run takes minutes."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def say(self, text: str) -> None:
        print(f"{self._exchange}: {text} ...", file=sys.stderr, flush=True)

    def routes(self, wave: Wave) -> None:
        told = ", ".join(f"{name} {count}" for name, count in wave.routes.most_common())
        print(
            f"    first {wave.first_order:.2f} s, flat {wave.flat:.2f} s, rows +{wave.rows:.2f} s;"
            f" {told}",
            file=sys.stderr,
            flush=True,
        )

    def counts(self, asked: list[LoggedRequest]) -> None:
        told = Counter(it.endpoint for it in asked).most_common()
        print(
            "    " + (", ".join(f"{name} {count}" for name, count in told) or "nothing"),
            file=sys.stderr,
            flush=True,
        )


PARTS = ("waves", "cold", "idle", "opened", "ban", "fleet")


async def measure(exchange: Exchange, parts: Sequence[str], rounds: int) -> dict[str, float]:
    log = Log(exchange)
    figures: dict[str, float] = {}
    symbols = max(*IDLE, *WAVES, FLEET_LEGS, OPENED)
    with tempfile.TemporaryDirectory(prefix="budget-") as name:
        folder = Path(name)
        for part in parts:
            # A venue of its own for each: what one part has used of a minute is not the next's.
            place = folder / part
            place.mkdir()
            async with a_venue(exchange, place, symbols=symbols, round_trip=ROUND_TRIP) as venue:
                match part:
                    case "waves":
                        figures |= await waves(venue, place, rounds, log)
                    case "cold":
                        figures |= await without_stream(venue, place, rounds, log)
                    case "idle":
                        figures |= await idle(venue, place, log)
                    case "opened":
                        figures |= await opened_by_the_bot(venue, place, log)
                    case "ban":
                        figures |= await banned(venue, place, log)
                    case "fleet":
                        figures |= await fleet(venue, place, rounds, log)
    return figures


def goals(exchange: Exchange, figures: dict[str, float]) -> list[dict[str, object]]:
    """The goals of `docs/spec/budget.md` that were measured."""
    few, many = WAVES
    wanted = [
        *((f"idle_{count}_weight_a_minute", 60.0) for count in IDLE),
        (f"{few}_requests_a_close", 4.0),
        (f"{many}_requests_a_close", 4.0),
        (f"{few}_cold_no_stream_requests_a_close", 5.0),
        (f"{few}_first_order_round_trips", 3.0),
        (f"{few}_cold_no_stream_first_order_round_trips", 5.0),
        (f"{few}_flat_to_bare", 1.5),
        (f"{few}_rows_after_flat_s", 1.0),
        (f"{many}_rows_after_flat_s", 1.0),
        (f"{few}_orders_refused", 0.0),
        (f"{many}_orders_refused", 0.0),
        (f"{few}_rows_without_exit", 0.0),
        (f"{many}_rows_without_exit", 0.0),
        ("requests_into_a_ban", 0.0),
        ("opened_reads", 3.0),
        ("fleet_to_slowest_alone", 1.5),
    ]
    # Where the venue's own order limit makes none of them wait, nothing else may.
    wanted += [(f"{n}_order_wait_s", INSTANT) for n in WAVES if n <= BURST[exchange]]
    if exchange is Exchange.BINANCE:
        wanted += [(f"{count}_weight_a_close", 8.0) for count in WAVES]
    # Where the venue takes fewer orders at once, its limit is the measure of speed.
    limited = many > BURST[exchange]
    wanted.append((f"{many}_flat_to_limit", 1.2) if limited else (f"{many}_flat_to_bare", 1.5))
    return [
        {
            "name": f"{exchange} {name}",
            "value": figures[name],
            "goal": f"<= {goal:g}",
            "met": figures[name] <= goal,
        }
        for name, goal in wanted
        if name in figures
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="What the guard asks of a venue, and how fast it can be flat."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="medians of this many")
    parser.add_argument(
        "--exchange", action="append", choices=[str(it) for it in WHOLE], help="default: all"
    )
    parser.add_argument("--part", action="append", choices=PARTS, help="default: all")
    given = parser.parse_args()
    figures: dict[str, float] = {}
    reached: list[dict[str, object]] = []
    for name in given.exchange or [str(it) for it in WHOLE]:
        exchange = Exchange(name)
        found = asyncio.run(measure(exchange, given.part or PARTS, given.rounds))
        figures |= {f"{exchange} {key}": value for key, value in found.items()}
        reached += goals(exchange, found)
    if given.json:
        print(json.dumps({"figures": figures, "goals": reached}, indent=2))
        return
    for key, value in figures.items():
        print(f"{key:50} {value:10.2f}")
    for one in reached:
        print(f"{one['name']:50} {one['goal']:>10}  {'met' if one['met'] else 'MISSED'}")


if __name__ == "__main__":
    main()
