"""What looking costs a large guard: 200 accounts, 5,000 legs, all of them aged, 500 open alerts.

The whole tree runs on a market in memory and on SQLite, with the control socket and the status
page as they are shipped. Measured are one look of the live view (the service's CPU, the bytes that
cross the socket, the drawing) and one look of the page (the CPU, the bytes of an event), and how
late the loop comes to others meanwhile. Leaves what the guard itself costs to the other benches.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from aiohttp import ClientSession
from loguru import logger

from actors.runtime import ChildSpec, System
from actors.tree import guard_tree
from bench.close import Meter
from console.control.server import Control
from console.service.garbage_collection import collecting_gently
from console.top.app import Top
from console.top.look import look_at
from console.web.server import LASTS, METRICS, Web
from console.web.tally import Tally
from messages.ledger import AlertDraft, AlertLevel, AlertType, NewPosition
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
from simulator import Exchange, Market, MemoryVenue
from simulator.instruments import linear
from storage import Ledger, open_ledger

ACCOUNTS = 200
SYMBOLS = 25
ALERTS = 500
ROUNDS = 5
ENTRY = Decimal(100)
NEVER = timedelta(days=1)
GOAL_LOOK_MS = 250.0
GOAL_EVENT_KB = 256.0
GOAL_OTHERS_WAIT_MS = 30.0
SOON = 0.005


def now() -> datetime:
    return datetime.now(UTC)


def names() -> tuple[str, ...]:
    return tuple(f"views-{number}" for number in range(ACCOUNTS))


def make_settings(folder: Path) -> Settings:
    return Settings(
        mode=Mode.ENFORCE,
        data_dir=folder,
        storage=StorageSettings(url=Secret(f"sqlite:///{folder}/sexton.db")),
        control=ControlSettings(socket=folder / "sexton.sock", http="127.0.0.1:0"),
        accounts=tuple(
            AccountSettings(
                name=name, exchange="bybit", key=Secret(name), secret=Secret(name), stream=False
            )
            for name in names()
        ),
        aged=AgedSettings(scan_every=NEVER, validate_every=None, check_every=NEVER),
        orphans=OrphanSettings(every=NEVER),
        reconciliation=ReconciliationSettings(every=NEVER),
    )


def make_market() -> Market:
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
        market.add_account(name, Exchange.BYBIT, key=name, secret=name, usdt=Decimal(10**9))
        for number in range(SYMBOLS):
            market.open_position(
                name, f"C{number}/USDT:USDT", Side.LONG, Decimal(10), ENTRY,
                now() - timedelta(hours=4), stop_loss=Decimal(95), leverage=Decimal(1),
            )  # fmt: skip
    return market


async def fill(ledger: Ledger) -> None:
    """Rows 1 % under water, which grace does not let go, and alerts about some of them."""
    for name in names():
        await asyncio.gather(
            *(
                ledger.add_position(
                    NewPosition(
                        account=name,
                        symbol=f"C{number}USDT",
                        side=Side.LONG,
                        quantity=Decimal(10),
                        entry_price=ENTRY * Decimal("1.01"),
                        opened_at=now() - timedelta(hours=4, seconds=number),
                    )
                )
                for number in range(SYMBOLS)
            )
        )
    kinds = (AlertType.NAKED_POSITION, AlertType.OPERATOR_NEEDED, AlertType.CLOSE_FAILED)
    for number in range(ALERTS):
        await ledger.raise_alert(
            AlertDraft(
                type=kinds[number % len(kinds)],
                level=AlertLevel.CRITICAL,
                dedup_key=f"views-{number}",
                title=f"A trouble of the size that such titles have, number {number}",
                account=f"views-{number % ACCOUNTS}",
                symbol=f"C{number % SYMBOLS}/USDT:USDT",
                side="long",
                seen="what was seen, in a sentence or two, with prices and sizes " * 3,
            )
        )


async def timed(
    meter: Meter, job: Callable[[], Awaitable[object]], *, apart: float = 0.0
) -> dict[str, float]:
    """A few runs of a job: its milliseconds on the wall, and how long others wait for the loop.

    That is told twice: by a sleeper's worst lateness, which a busy machine lengthens, and by the
    longest step of any task in the thread's own CPU time, which it does not. Each run begins
    `apart` seconds after the one before has ended.
    """
    meter.forget_longest()
    walls, late = [], 0.0
    over = False

    async def others() -> None:
        nonlocal late
        while not over:
            begun = time.perf_counter()
            await asyncio.sleep(SOON)
            late = max(late, (time.perf_counter() - begun - SOON) * 1000)

    watching = asyncio.create_task(others())
    cpu = time.process_time()
    for _ in range(ROUNDS):
        await asyncio.sleep(apart)
        begun = time.perf_counter()
        # In a task of its own, whose steps are measured.
        await asyncio.create_task(_awaited(job), name="look")
        walls.append((time.perf_counter() - begun) * 1000)
    cpu = (time.process_time() - cpu) / ROUNDS * 1000
    over = True
    await watching
    longest, whose = meter.longest_step()
    print(f"    longest step {longest * 1000:.1f} ms: {whose}", file=sys.stderr)
    return {
        "wall_ms": statistics.median(walls),
        "cpu_ms": cpu,
        "others_wait_ms": late,
        "longest_step_ms": longest * 1000,
    }


async def _awaited(job: Callable[[], Awaitable[object]]) -> None:
    await job()


async def as_in_service(folder: Path) -> dict[str, float]:
    meter = Meter()
    meter.install()
    async with collecting_gently():
        return await measure(folder, meter)


async def measure(folder: Path, meter: Meter) -> dict[str, float]:
    settings, market = make_settings(folder), make_market()
    ledger = await open_ledger(settings.storage.url, now=now, data_dir=folder)
    print(f"{ACCOUNTS * SYMBOLS} rows and as many actors ...", file=sys.stderr)
    await fill(ledger)
    system = System(now=now, seed=1, slow_handler=3600.0)
    control = ChildSpec(
        "control", lambda: Control(settings.control.socket, mode="enforce", accounts=names)
    )
    page = ChildSpec(METRICS, lambda: Web("127.0.0.1:0", lambda: settings, Tally(names())))
    venues = {name: MemoryVenue(market, name, now=now) for name in names()}
    await system.start(
        guard_tree(settings, ledger=ledger, venues=venues, operator_children=(control, page))
    )
    try:
        await settled(system)
        print(f"{ROUNDS} looks of each kind ...", file=sys.stderr)
        figures = {
            "actors": float(len(system.tree())),
            "alerts": float(len(await ledger.open_alerts())),
        }
        socket = settings.control.socket
        look = await timed(meter, lambda: look_at(socket, now()))
        figures |= {f"top_look_{name}": value for name, value in look.items()}
        figures |= await drawing(socket)
        address = system.dump(METRICS)["state"]["address"]
        figures |= await watching(meter, f"http://{address}/events")
        async with ClientSession() as session:

            async def scrape() -> None:
                async with session.get(f"http://{address}/metrics") as answer:
                    await answer.read()

            metrics = await timed(meter, scrape, apart=LASTS)
        figures |= {f"metrics_{name}": value for name, value in metrics.items()}

        whole = await timed(meter, system.dump_in_parts)
        figures |= {f"dump_{name}": value for name, value in whole.items()}
        return figures
    finally:
        await system.stop()
        await ledger.close()


async def settled(system: System) -> None:
    """Every leg has its actor, and all of them wait for their price."""
    begun = time.monotonic()
    while True:
        legs = sum(node.class_name == "AgedLeg" for node in system.tree())
        if legs == ACCOUNTS * SYMBOLS and not any(node.mailbox for node in system.tree()):
            return
        if time.monotonic() - begun > 300:
            raise SystemExit(f"only {legs} legs have an actor after 300 s")
        await asyncio.sleep(1.0)


async def drawing(socket: Path) -> dict[str, float]:
    """The view's own share: one look that differs from the last one, drawn."""
    app = Top(socket, every=3600.0)
    async with app.run_test(size=(160, 50)) as pilot:
        walls = []
        for _ in range(ROUNDS):
            look = await look_at(socket, now())
            begun = time.perf_counter()
            app.show(look)
            await pilot.pause()
            walls.append((time.perf_counter() - begun) * 1000)
        return {"top_draw_ms": statistics.median(walls)}


async def watching(meter: Meter, url: str) -> dict[str, float]:
    """A page that is open: the bytes of each of its first events, and how the loop fares."""
    sizes: list[int] = []

    async def looks() -> None:
        async with ClientSession(read_bufsize=2**24) as session, session.get(url) as events:
            name = ""
            beats = 0
            async for line in events.content:
                if line.startswith(b"event: "):
                    name = line.decode().strip()
                elif line.startswith(b"data: ") and name != "event: beat":
                    sizes.append(len(line))
                elif line.startswith(b"data: "):
                    beats += 1
                    if beats == ROUNDS:
                        return

    figures = await timed(meter, looks)
    return {
        "page_first_kb": sum(sizes) / 1024,
        "page_largest_event_kb": max(sizes) / 1024,
        "page_cpu_a_second_ms": figures["cpu_ms"] / figures["wall_ms"] * 1000,
        "page_others_wait_ms": figures["others_wait_ms"],
        "page_longest_step_ms": figures["longest_step_ms"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What looking costs a large guard.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    logger.remove()
    with tempfile.TemporaryDirectory() as name:
        figures = asyncio.run(as_in_service(Path(name)))
    goals = [
        {"name": name, "value": figures[name], "goal": f"< {goal:g}", "met": figures[name] < goal}
        for name, goal in (
            ("top_look_wall_ms", GOAL_LOOK_MS),
            ("top_draw_ms", GOAL_LOOK_MS),
            ("page_largest_event_kb", GOAL_EVENT_KB),
            ("top_look_others_wait_ms", GOAL_OTHERS_WAIT_MS),
            ("page_others_wait_ms", GOAL_OTHERS_WAIT_MS),
            ("metrics_others_wait_ms", GOAL_OTHERS_WAIT_MS),
            ("dump_others_wait_ms", GOAL_OTHERS_WAIT_MS),
            ("top_look_longest_step_ms", GOAL_OTHERS_WAIT_MS),
            ("page_longest_step_ms", GOAL_OTHERS_WAIT_MS),
            ("metrics_longest_step_ms", GOAL_OTHERS_WAIT_MS),
            ("dump_longest_step_ms", GOAL_OTHERS_WAIT_MS),
        )
    ]
    if given.json:
        print(json.dumps({"figures": figures, "goals": goals}, indent=2))
        return
    for figure, value in figures.items():
        print(f"{figure:40} {value:12.3f}")
    for one in goals:
        print(f"{one['name']:40} {one['goal']:>12}  {'met' if one['met'] else 'MISSED'}")


if __name__ == "__main__":
    main()
