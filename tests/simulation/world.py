"""A simulated world: market, database file, and the guard as a process in it.

Everything runs on detangle's loop, in virtual time. The guard is the tree of the real actors on
the real ledger; it can be killed like a process and started again on the same market and file.
Bot and guard share a machine, and its clock. Left to others: the process itself (`process.py`),
bot and trader (`people.py`), what goes wrong (`troubles.py`) and what must hold (`invariants.py`).
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import detangle
import msgspec

from actors import alerts as alerts_actor
from actors.runtime import NoSuchActor, System
from actors.runtime.events import ChildCrashed, SupervisionEvent
from actors.runtime.ports import Owner
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
from simulator import Exchange, Market
from tests.simulation.happenings import CountedFaults
from tests.simulation.invariants import Watch, WatchedLog
from tests.simulation.people import People
from tests.simulation.process import REPLY_TIMEOUT, Process
from tests.simulation.scene import ACCOUNTS, BINANCE, BYBIT, Clock, true_now
from tests.simulation.stream import Line


@contextmanager
def coarse_ticks(every: timedelta) -> Iterator[None]:
    """Let the alerts actor look for due reminders less often than each 30 s.

    The tick is a constant of the actor, and 20,000 of them would be most of a simulated week.
    """
    kept = alerts_actor.TICK
    alerts_actor.TICK = every
    try:
        yield
    finally:
        alerts_actor.TICK = kept


class World(People):
    """Handles on all of it. Quantities are base units, prices quote currency."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        *,
        seed: int,
        volatility: float = 0.03,
        hedged: bool = False,
    ) -> None:
        self.seed = seed
        self.settings = settings
        self.clock = Clock()
        self.rng = random.Random(seed)
        self.market = Market(now=true_now, rng=random.Random(seed), volatility=volatility)
        self.market.add_account(BYBIT, Exchange.BYBIT, key="b", secret="b")
        self.market.add_account(BINANCE, Exchange.BINANCE, key="c", secret="c", hedged=hedged)
        for owner in self.market.accounts.values():
            owner.leverage = Decimal(2)  # so that a stop may be far enough away to be left alone
        self.happened: Counter[str] = Counter()
        rng = random.Random(seed + 1)
        self.faults = CountedFaults(rng, self.happened, REPLY_TIMEOUT, self.tell)
        self.lines = {name: Line(self.happened) for name in self.market.accounts}
        self.bugs: Counter[str] = Counter()
        self.to_double: Counter[str] = Counter()
        self.truth = sqlite3.connect(path, isolation_level=None, timeout=0.0)
        self.story: list[tuple[datetime, str]] = []
        self.deliveries: list[tuple[str, str]] = []
        self.crashes: list[str] = []
        self.ended: list[str] = []
        self.lives = 0
        self.messages = 0
        self.process: Process | None = None
        self.watch = Watch(self.market, self.truth, settings, true_now, self.happened)
        self.requests = WatchedLog(self.watch.on_request)

    # --- the guard as a process -----------------------------------------------------------------

    async def start_guard(self) -> None:
        """Start the guard on whatever market and database hold now."""
        self.lives += 1
        self.process = Process(f"guard-{self.lives}", self)
        self.tell(f"the guard starts ({self.process.name})")
        await detangle.spawn(self.process.run(), host=self.process.name)

    async def start_second(self) -> Process:
        """Start another guard beside the one that runs, on the same ledger."""
        self.lives += 1
        second = Process(f"guard-{self.lives}", self)
        self.tell(f"a second guard starts ({second.name})")
        await detangle.spawn(second.run(), host=second.name)
        return second

    async def stop_guard(self) -> None:
        if self.process is not None:
            self.tell("the guard is stopped")
            self._count_messages(self.process)
            await detangle.spawn(self.process.stop(), host=self.process.name)
            self.process = None

    async def kill_guard(self) -> None:
        if self.process is not None:
            process, self.process = self.process, None
            await self.kill_one(process)

    async def kill_one(self, process: Process) -> None:
        self.tell(f"kill -9 of {process.name}")
        self._count_messages(process)
        await process.kill()

    def _count_messages(self, process: Process) -> None:
        """What the actors that run at the end of a life have handled."""
        self.messages += sum(node.handled for node in process.system.tree())

    @property
    def system(self) -> System:
        assert self.process is not None, "the guard does not run"
        return self.process.system

    def life_of(self, path: str) -> Owner | None:
        """The incarnation of an actor that runs at a path now; None for workers."""
        try:
            return self.system._cell(path).life
        except NoSuchActor:
            return None

    def on_event(self, event: SupervisionEvent) -> None:
        match event:
            case ChildCrashed(path=path, report=report):
                self.crashes.append(f"{path} by {report.message_type}: {report.error}")
                self.tell(f"CRASH of {path} by {report.message_type}: {report.error}")
            case _:
                pass

    def deliver(self, what: str, draft: Any) -> None:
        self.deliveries.append((what, draft.dedup_key))

    # --- truth ----------------------------------------------------------------------------------

    def active_rows(self) -> list[tuple[int, LegKey, Decimal]]:
        rows = self.truth.execute(
            "SELECT id, account, symbol, side, quantity FROM positions WHERE status = 'active'"
        )
        return [(i, LegKey(a, s, Side(d)), Decimal(str(q))) for i, a, s, d, q in rows]

    def closed_at(self) -> dict[int, datetime]:
        """When each closed row was closed."""
        rows = self.truth.execute(
            "SELECT id, coalesce(closed_at, updated_at) FROM positions WHERE status = 'closed'"
        )
        return {row_id: datetime.fromisoformat(at) for row_id, at in rows}

    def alerts(self) -> list[tuple[str, str, bool]]:
        """Every alert that was ever stored: type, dedup key, whether it is still open."""
        rows = self.truth.execute("SELECT type, dedup_key, resolved_at FROM alerts ORDER BY id")
        return [(kind, key, resolved is None) for kind, key, resolved in rows]

    def trail(self) -> list[tuple[Any, ...]]:
        """The audit trail without the ids of its events, which number all of a test process's."""
        return self.truth.execute(
            "SELECT at, kind, account, symbol, side, actor, details FROM events ORDER BY seq"
        ).fetchall()

    def tell(self, text: str) -> None:
        self.story.append((true_now(), text))


def sim_settings(
    path: Path, *, every: timedelta, check: timedelta, lease: timedelta, **changes: Any
) -> Settings:
    """Settings for two accounts whose monitors all run at the same interval."""
    per_account = changes.pop("account", {})
    streams = changes.pop("streams", (BYBIT,))
    settings = Settings(
        mode=Mode.ENFORCE,
        data_dir=path.parent,
        storage=StorageSettings(url=Secret(f"sqlite:///{path}"), lease=lease),
        control=ControlSettings(socket=path.parent / "sexton.sock"),
        accounts=tuple(
            msgspec.structs.replace(
                AccountSettings(
                    name=name,
                    exchange="bybit" if name == BYBIT else "binanceusdm",
                    key=Secret("b"),
                    secret=Secret("b"),
                    stream=name in streams,
                ),
                **per_account,
            )
            for name in ACCOUNTS
        ),
        aged=AgedSettings(scan_every=every, validate_every=every, check_every=check),
        verdict=VerdictSettings(),
        orphans=OrphanSettings(every=every, remind_every=timedelta(days=1)),
        reconciliation=ReconciliationSettings(every=every),
    )
    return msgspec.structs.replace(settings, **changes)


async def until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float, what: str
) -> None:
    """Wait in virtual time for a condition; say what did not come."""
    deadline = detangle.now() + seconds
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        if detangle.now() > deadline:
            raise AssertionError(f"waited {seconds} s for: {what}")
        await asyncio.sleep(1.0)
