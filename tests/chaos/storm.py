"""A storm over the real thing: guard and PostgreSQL as processes, the venue over HTTPS.

A bot trades while guard, database and venue are killed, frozen, cut and restarted on a schedule
from a seed. The market sees every change itself, so what is checked at the end is not what the
guard believes. Left to others: how long it blows (`test_storm.py`, `long.py`).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

import msgspec

from messages.ledger import AlertType, NewPosition, PositionRow, RowStatus
from messages.settings import Settings
from messages.values import ZERO, LegKey, Secret, Side
from rules.ids import is_ours
from storage import Ledger, LedgerUnavailable, open_ledger
from tests.chaos.guard_process import start_guard
from tests.scenarios.world import ago, now, settings_for
from tests.storage.postgres import Server
from venues.simulator.faults import Fault, FaultKind
from venues.simulator.server import SimulatedVenue
from venues.simulator.state import MarketEvent, OrderChanged, PositionChanged, Slot

T = TypeVar("T")

ACCOUNT = "bybit-main"
SYMBOLS = tuple(f"{base}/USDT:USDT" for base in ("SOL", "XRP", "DOGE", "LINK", "ADA", "AVL"))
QUANTITY = Decimal(1000)
CALM = 60.0
"""Seconds after the storm within which everything must have come to rest."""


class Storm:
    """One run. `broken` lists what did not hold, `story` what happened when."""

    def __init__(
        self,
        venue: SimulatedVenue,
        server: Server,
        url: str,
        ledger: Ledger,
        folder: Path,
        seed: int,
    ) -> None:
        self.venue = venue
        self.server = server
        self.ledger = ledger
        self.rng = random.Random(seed)
        self.story: list[str] = []
        self.broken: list[str] = []
        self.troubles: Counter[str] = Counter()
        self.trades: Counter[str] = Counter()
        self._settings = storm_settings(folder, venue, url)
        self._guards = 0
        self.ended = 0
        self._guard: BaseProcess | None = None
        self._flat_at: dict[LegKey, datetime] = {}
        self._opened: dict[int, tuple[LegKey, datetime]] = {}
        self._orphans: list[LegKey] = []
        self._busy: set[LegKey] = set()
        venue.market.accounts[ACCOUNT].hedged = True
        venue.market.listen(self._on_event)

    # --- the run --------------------------------------------------------------------------------

    async def blow(self, seconds: float) -> None:
        """Trade and make trouble for so long."""
        self._start_guard()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        trading = asyncio.create_task(self._trade(end))
        troubles = (
            self._kill_guard,
            self._freeze_guard,
            self._restart_venue,
            self._halt_database,
            self._freeze_database,
            self._cut_streams,
            self._brown_out,
        )
        # Each sort once in a drawn order, then again in another: a short storm has them all.
        while loop.time() < end:
            for trouble in self.rng.sample(troubles, len(troubles)):
                if loop.time() >= end:
                    break
                name = trouble.__name__.strip("_")
                self.troubles[name] += 1
                self._tell(name)
                await trouble()
                await asyncio.sleep(self.rng.uniform(0.2, 1.5))
        await trading
        self.venue.faults.clear()

    async def calm_down(self) -> None:
        """Wait until venue and ledger agree and no order is in doubt; then check the record."""
        self._tell("the storm is over")
        deadline = asyncio.get_running_loop().time() + CALM
        while (restless := await self._restless()) is not None:
            self._revive()
            if asyncio.get_running_loop().time() > deadline:
                self.broken.append(f"not at rest after {CALM:g} s: {restless}")
                break
            await asyncio.sleep(0.2)
        if self.ended > self.troubles["halt_database"] + self.troubles["freeze_database"]:
            self.broken.append(f"the guard ended by itself {self.ended} times")
        await self._check_record()
        await self.stop_guard()

    async def stop_guard(self) -> None:
        if self._guard is not None and self._guard.is_alive():
            self._guard.terminate()
            await asyncio.to_thread(self._guard.join, 40)
            if self._guard.is_alive():
                self.broken.append("the guard does not stop on SIGTERM")
                self._guard.kill()

    # --- trouble --------------------------------------------------------------------------------

    async def _kill_guard(self) -> None:
        self._signal(signal.SIGKILL)
        assert self._guard is not None
        await asyncio.to_thread(self._guard.join)
        self._start_guard()

    async def _freeze_guard(self) -> None:
        self._signal(signal.SIGSTOP)
        await asyncio.sleep(self.rng.uniform(0.5, 3))
        self._signal(signal.SIGCONT)

    async def _restart_venue(self) -> None:
        await self.venue.stop()
        await asyncio.sleep(self.rng.uniform(0.1, 2))
        await self.venue.start()

    async def _halt_database(self) -> None:
        await asyncio.to_thread(self.server.halt)
        await asyncio.sleep(self.rng.uniform(0.1, 2))
        await asyncio.to_thread(self.server.start)

    async def _freeze_database(self) -> None:
        self.server.freeze()
        await asyncio.sleep(self.rng.uniform(0.5, 2))
        self.server.thaw()

    async def _cut_streams(self) -> None:
        self.venue.faults.order(Fault(kind=FaultKind.CUT_STREAM))

    async def _brown_out(self) -> None:
        for kind in self.rng.sample(
            (
                FaultKind.STATUS,
                FaultKind.DROP_AFTER,
                FaultKind.DROP_BEFORE,
                FaultKind.TRUNCATED,
                FaultKind.EMPTY_BODY,
                FaultKind.HTML,
                FaultKind.MISSING_LIST,
                FaultKind.DELAY_REPLY,
            ),
            3,
        ):
            self.venue.faults.order(Fault(kind=kind, count=None, probability=0.3, seconds=1.0))
        await asyncio.sleep(self.rng.uniform(1, 3))
        self.venue.faults.clear()

    def _start_guard(self) -> None:
        self._guards += 1
        folder = self._settings.data_dir
        self._guard = start_guard(self._settings, sites=folder / f"sites-{self._guards}")

    def _signal(self, number: signal.Signals) -> None:
        self._revive()
        assert self._guard is not None
        assert self._guard.pid is not None
        os.kill(self._guard.pid, number)

    def _revive(self) -> None:
        """What systemd does: a guard that could not have its ledger at its start comes back."""
        if self._guard is not None and not self._guard.is_alive():
            self.ended += 1
            self._tell("the guard had ended by itself, and is started again")
            self._start_guard()

    # --- the bot --------------------------------------------------------------------------------

    async def _trade(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < end:
            free = [
                key
                for symbol in SYMBOLS
                for side in Side
                if (key := LegKey(ACCOUNT, symbol, side)) not in self._busy
            ]
            if free:
                key = self.rng.choice(free)
                other = msgspec.structs.replace(key, side=key.side.opposite)
                trades = [self._aged, self._aged, self._ghost]
                if other not in self._busy:
                    # Beside a ghost an orphan would be a side mismatch, which is for review only.
                    trades.append(self._orphan)
                trade = self.rng.choice(trades)
                self._busy |= {key, other} if trade == self._orphan else {key}
                await trade(key)
            await asyncio.sleep(self.rng.uniform(0.3, 1.5))

    async def _aged(self, key: LegKey) -> None:
        """A position that is due at once: the guard must close it."""
        self._open(key)
        await self._write(key, hours=40)
        self.trades["aged"] += 1

    async def _ghost(self, key: LegKey) -> None:
        """A young position that its owner closes by hand; nobody tells the ledger."""
        self._open(key)
        await self._write(key, hours=1)
        await asyncio.sleep(self.rng.uniform(0.1, 1))
        self.venue.market.close_by_hand(*key_of(key))
        self._tell(f"{key} is closed by hand")
        self.trades["ghost"] += 1

    async def _orphan(self, key: LegKey) -> None:
        """A position that no row knows."""
        self._open(key)
        self._orphans.append(key)
        self.trades["orphan"] += 1

    def _open(self, key: LegKey) -> None:
        price = self._price(key)
        self.venue.market.open_position(*key_of(key), QUANTITY, price, now())
        self._tell(f"{key} is opened")

    async def _write(self, key: LegKey, *, hours: float) -> None:
        new = NewPosition(
            account=ACCOUNT,
            symbol=key.symbol,
            side=key.side,
            quantity=QUANTITY,
            entry_price=self._price(key),
            opened_at=ago(hours),
            request_id=f"{key}:{len(self._opened)}",
        )
        row = await patiently(lambda: self.ledger.add_position(new))
        self._opened[row.id] = key, now()

    def _price(self, key: LegKey) -> Decimal:
        return self.venue.market.price(self.venue.market.accounts[ACCOUNT].exchange, key.symbol)

    # --- what must hold -------------------------------------------------------------------------

    def _on_event(self, event: MarketEvent) -> None:
        match event:
            case PositionChanged(position=position, at=at) if not position.size:
                side = Side.SHORT if position.slot is Slot.SHORT else Side.LONG
                self._flat_at[LegKey(ACCOUNT, position.listing.symbol, side)] = at
            case OrderChanged(order=order, execution=execution):
                if not is_ours(order.spec.client_id):
                    return
                if not order.reduces:
                    self.broken.append(f"1: {order.spec.client_id} is not reduce-only")
                if execution is not None and execution.closed != execution.quantity:
                    self.broken.append(f"1: {order.spec.client_id} opened or flipped a leg")
            case _:
                pass

    async def _restless(self) -> str | None:
        """What is not settled yet: a due row, a ghost, an open intent, an orphan without alert."""
        active = await patiently(lambda: self.ledger.active_rows(ACCOUNT))
        if active:
            return f"active rows {[row.id for row in active]}"
        unsettled = await patiently(lambda: self.ledger.intents(account=ACCOUNT, open_only=True))
        if unsettled:
            return f"open intents {[intent.client_order_id for intent in unsettled]}"
        alerted = {(a.symbol, a.side) for a in await patiently(self.ledger.open_alerts)}
        silent = [k for k in self._orphans if (k.symbol, k.side.value) not in alerted]
        return f"orphans without an alert: {silent}" if silent else None

    async def _check_record(self) -> None:
        held = {
            LegKey(ACCOUNT, symbol, side)
            for symbol in SYMBOLS
            for side in Side
            if self.venue.market.quantity(ACCOUNT, symbol, side)
        }
        if held != set(self._orphans):
            self.broken.append(f"the venue holds {held}, left open were {self._orphans}")
        rows = await patiently(lambda: self.ledger.rows(limit=10_000))
        for row in rows:
            self._check_row(row)
        intents = await patiently(lambda: self.ledger.intents(account=ACCOUNT))
        filled: Counter[int] = Counter()
        for intent in intents:
            for row_id in intent.row_ids:
                filled[row_id] += int(intent.filled)
        self.broken += [
            f"2: {n} of {QUANTITY} filled for row {i}" for i, n in filled.items() if n > QUANTITY
        ]
        said = Counter(
            (alert.symbol, alert.side)
            for alert in await patiently(lambda: self.ledger.alerts(limit=10_000))
            if alert.type is AlertType.ORPHANED_POSITION
        )
        for key in self._orphans:
            if said[key.symbol, key.side.value] != 1:
                self.broken.append(f"5: {said[key.symbol, key.side.value]} alerts of orphan {key}")

    def _check_row(self, row: PositionRow) -> None:
        if row.status != RowStatus.CLOSED or row.id not in self._opened:
            return
        key, at = self._opened[row.id]
        flat = self._flat_at.get(key)
        if flat is None or flat < at - timedelta(minutes=1):
            self.broken.append(f"3: row {row.id} of {key} is closed and the leg never was flat")
        if row.exit_source == "fill" and (row.exit_price is None or row.exit_price <= ZERO):
            self.broken.append(f"3: row {row.id} is closed by a fill without a price")

    def _tell(self, text: str) -> None:
        self.story.append(f"{now():%H:%M:%S.%f} {text}")

    def report(self) -> str:
        return "\n".join([*self.story, *self.broken])


def key_of(key: LegKey) -> tuple[str, str, Side]:
    return key.account, key.symbol, key.side


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """The bot too waits for a database that is away."""
    while True:
        try:
            return await work()
        except LedgerUnavailable:
            await asyncio.sleep(0.1)


def storm_settings(folder: Path, venue: SimulatedVenue, url: str) -> Settings:
    """Every monitor each second or two, so that a short storm meets all of them."""
    settings = settings_for(folder, venue, (ACCOUNT,), account={"stream": True})
    often = timedelta(seconds=1)
    return msgspec.structs.replace(
        settings,
        storage=msgspec.structs.replace(
            settings.storage, url=Secret(url), lease=timedelta(seconds=3)
        ),
        aged=msgspec.structs.replace(
            settings.aged, scan_every=often, validate_every=often, check_every=often
        ),
        verdict=msgspec.structs.replace(settings.verdict, settle=timedelta(seconds=3)),
        orders=msgspec.structs.replace(settings.orders, arrival_limit=timedelta(seconds=4)),
        orphans=msgspec.structs.replace(settings.orphans, every=often),
        reconciliation=msgspec.structs.replace(settings.reconciliation, every=often * 2),
    )


@asynccontextmanager
async def storm(folder: Path, server: Server, url: str, seed: int) -> AsyncIterator[Storm]:
    """A storm about to blow; whatever it started is ended afterwards."""
    async with SimulatedVenue(seed=seed, volatility=0) as venue:
        ledger = await open_ledger(Secret(url), now=now)
        blowing = Storm(venue, server, url, ledger, folder, seed)
        try:
            yield blowing
        finally:
            await blowing.stop_guard()
            await ledger.close()
