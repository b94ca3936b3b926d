"""A simulated world: market, database file, bot and trader, and the guard as a process in it.

Everything runs on detangle's loop, in virtual time. The guard is the tree of the real actors on
the real ledger; it can be killed like a process and started again on the same market and file.
Bot and guard share a machine, and its clock. Left to others: the process itself (`process.py`),
what goes wrong and when (`troubles.py`), and what must hold (`invariants.py`).
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import detangle
import msgspec

from actors import alerts as alerts_actor
from actors import paths
from actors.runtime import NoSuchActor, System
from actors.runtime.events import ChildCrashed, SupervisionEvent
from actors.runtime.life import Life
from messages.requests import LookAt
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
from tests.simulation.happenings import CountedFaults
from tests.simulation.invariants import Watch, WatchedLog
from tests.simulation.process import REPLY_TIMEOUT, Process
from tests.simulation.stream import Line
from venues.simulator import Exchange, Market

START = datetime(2026, 1, 5, tzinfo=UTC)

BYBIT = "bybit-main"
BINANCE = "binance-main"
ACCOUNTS = (BYBIT, BINANCE)
SYMBOLS = tuple(f"{base}/USDT:USDT" for base in ("BTC", "ETH", "SOL", "XRP", "LINK", "AVL"))
STAKE = Decimal(2000)
"""Quote currency that one trade is worth, about."""


def true_now() -> datetime:
    """The venue's clock, which never jumps."""
    return START + timedelta(seconds=detangle.now())


class Clock:
    """The guard's wall clock: the true one, and by how much it is off."""

    def __init__(self) -> None:
        self.off = timedelta(0)

    def __call__(self) -> datetime:
        return true_now() + self.off


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


class Trade:
    """A position that the bot made. `row_id` is None where no row was written.

    `made_at` is in seconds of virtual time.
    """

    def __init__(
        self, account: str, symbol: str, side: Side, quantity: Decimal, row_id: int | None
    ) -> None:
        self.key = LegKey(account, symbol, side)
        self.quantity = quantity
        self.row_id = row_id
        self.made_at = detangle.now()


class World:
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

    def life_of(self, path: str) -> Life | None:
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

    # --- bot and trader -------------------------------------------------------------------------

    def price(self, account: str, symbol: str) -> Decimal:
        self.market.tick()
        return self.market.price(self.market.accounts[account].exchange, symbol)

    def held(self, key: LegKey) -> Decimal:
        self.market.tick()  # what waited to be filled may be due
        return self.market.quantity(key.account, key.symbol, key.side)

    def amount(self, account: str, symbol: str) -> Decimal:
        """What the stake buys, in whole steps."""
        listing = self.market.listing(self.market.accounts[account].exchange, symbol)
        step = listing.instrument.quantity_step
        steps = STAKE * Decimal(self.rng.randint(50, 150)) / 100 / listing.price // step
        return max(steps, Decimal(4)) * step

    def open(
        self,
        account: str,
        symbol: str,
        side: Side,
        *,
        row: bool = True,
        stop: bool = True,
        hours: float = 0.0,
        quantity: Decimal | None = None,
    ) -> Trade:
        """The bot opens a position, and writes its row unless it forgets it."""
        price = self.price(account, symbol)
        amount = quantity or self.amount(account, symbol)
        at = true_now() - timedelta(hours=hours)
        self.market.open_position(
            account,
            symbol,
            side,
            amount,
            price,
            at,
            stop_loss=self._stop(account, symbol, side, price) if stop else None,
        )
        row_id = self.write_row(account, symbol, side, amount, price, at) if row else None
        self.tell(
            f"bot opens {account} {symbol} {side} {amount} at {price}"
            f"{'' if row else ', forgets the row'}{'' if stop else ', without a stop'}"
        )
        return Trade(account, symbol, side, amount, row_id)

    async def open_slowly(self, account: str, symbol: str, side: Side, delay: float) -> Trade:
        """The bot writes its row when it orders, and is filled `delay` seconds later."""
        await self.writable()
        price, amount = self.price(account, symbol), self.amount(account, symbol)
        row_id = self.write_row(account, symbol, side, amount, price, true_now(), filled=False)
        self.tell(f"bot orders {account} {symbol} {side} {amount}, row {row_id}")
        if self.process is not None:
            # Somebody looks just now, when the venue has nothing yet.
            key = LegKey(account, symbol, side)
            self.system.tell(paths.reconciliation(account), LookAt(key=key))
        await asyncio.sleep(delay)
        stop = self._stop(account, symbol, side, price)
        self.market.open_position(account, symbol, side, amount, price, stop_loss=stop)
        self.watch.row_written(row_id, LegKey(account, symbol, side), true_now())
        self.tell(f"bot's order for row {row_id} is filled")
        self.happened["bot opens slowly"] += 1
        return Trade(account, symbol, side, amount, row_id)

    def _stop(self, account: str, symbol: str, side: Side, price: Decimal) -> Decimal:
        listing = self.market.listing(self.market.accounts[account].exchange, symbol)
        return listing.to_tick(price * (1 - Decimal("0.2") * side.sign))

    def write_row(
        self,
        account: str,
        symbol: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        opened_at: datetime,
        *,
        filled: bool = True,
    ) -> int:
        """One plain SQL insert from another process. Raises sqlite3.OperationalError if locked.

        `revision` 1 spares the row the database's own stamp, which is in real time.
        """
        cursor = self.truth.execute(
            "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at,"
            " updated_at, revision) VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
            (
                account,
                symbol,
                side.value,
                str(quantity),
                str(price),
                (opened_at + self.clock.off).isoformat(),
                self.clock().isoformat(),
            ),
        )
        assert cursor.lastrowid is not None
        self.watch.row_written(
            cursor.lastrowid, LegKey(account, symbol, side), opened_at if filled else None
        )
        return cursor.lastrowid

    async def writable(self) -> None:
        """Wait until no transaction of the guard holds the file: the bot has its turn then."""
        while True:
            try:
                self.truth.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                await asyncio.sleep(0.003)
            else:
                self.truth.execute("ROLLBACK")
                return

    def bot_closes(self, trade: Trade) -> None:
        """The bot closes its position and its row in one go."""
        self.tell(f"bot closes {trade.key}")
        if self.held(trade.key):
            self.market.close_by_hand(*_leg(trade.key))
        self.truth.execute(
            "UPDATE positions SET status = 'closed', exit_reason = 'bot' "
            "WHERE id = ? AND status = 'active'",
            (trade.row_id,),
        )

    def hand_closes(self, trade: Trade, fraction: Decimal = Decimal(1)) -> Decimal:
        """A trader closes a position, or a part of it, in the exchange's own app."""
        held = self.held(trade.key)
        listing = self.market.listing(
            self.market.accounts[trade.key.account].exchange, trade.key.symbol
        )
        step = listing.instrument.quantity_step
        amount = held if fraction == 1 else held * fraction // step * step
        if amount:
            self.tell(f"trader closes {amount} of {held} {trade.key}")
            self.happened["trader closes"] += 1
            self.market.close_by_hand(*_leg(trade.key), amount)
        return amount

    def hand_adds(self, trade: Trade) -> None:
        """A trader buys more of what the bot holds."""
        self._by_hand(trade.key, self.held(trade.key))
        self.happened["trader adds"] += 1

    def hand_flips(self, trade: Trade) -> None:
        """A trader closes a position and opens the opposite one."""
        amount = self.hand_closes(trade)
        if amount:
            key = LegKey(trade.key.account, trade.key.symbol, trade.key.side.opposite)
            self._by_hand(key, amount)
            self.happened["trader flips"] += 1

    def _by_hand(self, key: LegKey, amount: Decimal) -> None:
        self.tell(f"trader opens {amount} of {key}")
        self.market.open_position(*_leg(key), amount)

    def liquidates(self, trade: Trade) -> None:
        if self.held(trade.key):
            self.tell(f"the venue liquidates {trade.key}")
            self.happened["liquidation"] += 1
            self.market.liquidate(*_leg(trade.key))

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


def _leg(key: LegKey) -> tuple[str, str, Side]:
    return key.account, key.symbol, key.side


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
