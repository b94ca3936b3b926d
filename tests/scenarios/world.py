"""A guard at work: the simulated venue over HTTPS, the gateway on ccxt, SQLite, the whole tree."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec

import msgspec

from actors.runtime import System
from actors.tree import guard_tree
from messages.ledger import Alert, Event, NewPosition, PositionRow
from messages.settings import (
    AccountSettings,
    AgedSettings,
    ControlSettings,
    Mode,
    OrderSettings,
    OrphanSettings,
    ReconciliationSettings,
    Settings,
    StorageSettings,
    VerdictSettings,
)
from messages.to_monitors import ScanNow, ScanReport
from messages.values import Secret, Side
from simulator.desk import LoggedRequest
from simulator.faults import Fault, FaultKind
from simulator.instruments import Exchange
from simulator.logins import PASSPHRASE
from simulator.market import Market
from simulator.server import SimulatedVenue
from storage import Ledger, open_ledger
from storage.sources import open_source
from venues.gateway import open_venue
from venues.port import Venue

P = ParamSpec("P")

BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"
SOL = "SOL/USDT:USDT"
XRP = "XRP/USDT:USDT"
AVL = "AVL/USDT:USDT"

SETTLED_AT_ONCE = VerdictSettings(
    confirm_after=timedelta(seconds=0.5),
    settle=timedelta(seconds=1),
    fresh=timedelta(seconds=0.2),
)
"""For what is decided only when `settle` is over: a leg that is gone without a record, say."""

A_MINUTE = 1 / 60
"""Hours: longer than the `settle` of these settings."""

NEVER = timedelta(days=1)
"""An interval that no test waits for: the monitors then run when they are asked to."""


def scenario(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test on a loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def now() -> datetime:
    return datetime.now(UTC)


def ago(hours: float) -> datetime:
    return now() - timedelta(hours=hours)


class MovableClock:
    """The guard's wall clock. It can be moved on, for what lasts longer than a test may."""

    def __init__(self) -> None:
        self._moved = timedelta(0)

    def __call__(self) -> datetime:
        return now() + self._moved

    def move(self, by: timedelta) -> None:
        self._moved += by


async def until(
    condition: Callable[[], Awaitable[bool] | bool], what: str, seconds: float = 60.0
) -> None:
    """Wait for a condition; say what did not come."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"waited {seconds} s for: {what}")
        await asyncio.sleep(0.02)


class World:
    """Handles on all that a test looks at. Quantities are base units."""

    def __init__(
        self, venue: SimulatedVenue, ledger: Ledger, system: System, settings: Settings
    ) -> None:
        self.venue = venue
        self.ledger = ledger
        self.system = system
        self.settings = settings

    @property
    def market(self) -> Market:
        return self.venue.market

    async def row(
        self,
        symbol: str,
        side: Side,
        quantity: str,
        *,
        price: str | Decimal | None = None,
        hours: float = 40.0,
        account: str = "bybit-main",
    ) -> PositionRow:
        """A ledger row, as old as said: 40 hours are the market phase, 4 the grace phase."""
        entry = Decimal(price) if price is not None else self.price(symbol, account)
        return await self.ledger.add_position(
            NewPosition(
                account=account,
                symbol=symbol,
                side=side,
                quantity=Decimal(quantity),
                entry_price=entry,
                opened_at=ago(hours),
            )
        )

    async def both(
        self,
        symbol: str,
        side: Side,
        quantity: str,
        *,
        hours: float = 40.0,
        account: str = "bybit-main",
        stop_loss: Decimal | None = None,
    ) -> PositionRow:
        """The same position at the venue and in the ledger, protected by a stop."""
        price = self.price(symbol, account)
        stop = stop_loss or price * (1 - Decimal("0.05") * side.sign)
        position = self.market.open_position(
            account, symbol, side, Decimal(quantity), price, ago(hours), stop_loss=stop
        )
        # The stop as well was attached then: what is closed "a minute ago" came after it.
        position.updated_at = ago(hours)
        return await self.row(symbol, side, quantity, price=price, hours=hours, account=account)

    def by_hand(
        self,
        account: str,
        symbol: str,
        side: Side,
        quantity: Decimal | None = None,
        *,
        price: Decimal | None = None,
        closed_at: datetime | None = None,
    ) -> None:
        """A person closes a position, or a part; longer ago than a bot has to write its row."""
        self.market.close_by_hand(
            account, symbol, side, quantity, price=price, closed_at=closed_at or ago(A_MINUTE)
        )

    async def gone(
        self,
        symbol: str,
        side: Side,
        quantity: str,
        *,
        price: str | Decimal | None = None,
        hours: float = 40.0,
        account: str = "bybit-main",
    ) -> PositionRow:
        """A ledger row whose position was closed by hand before the guard ever looked."""
        entry = Decimal(price) if price is not None else self.price(symbol, account)
        self.market.open_position(account, symbol, side, Decimal(quantity), entry, ago(hours))
        self.by_hand(account, symbol, side)
        return await self.row(symbol, side, quantity, price=entry, hours=hours, account=account)

    async def row_as_written(
        self, symbol: str, quantity: str, *, hours: float = 1.0, account: str = "bybit-main"
    ) -> int:
        """A row as a bot writes it: one plain SQL insert from another process's connection."""
        path = self.settings.storage.url.reveal().removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
            cursor = connection.execute(
                "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at)"
                " VALUES (?, ?, 'long', ?, 2.5, ?)",
                (account, symbol, quantity, ago(hours).isoformat()),
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def price(self, symbol: str, account: str = "bybit-main") -> Decimal:
        return self.market.price(self.market.accounts[account].exchange, symbol)

    def held(self, symbol: str, side: Side, account: str = "bybit-main") -> Decimal:
        return self.market.quantity(account, symbol, side)

    async def scan(self, monitor: str, account: str = "bybit-main") -> ScanReport:
        """Run one monitor now: `aged/scan`, `orphans` or `reconciliation`."""
        return await self.system.ask(f"accounts/{account}/{monitor}", ScanNow(), timeout=60.0)

    async def ready(self, *accounts: str) -> None:
        for account in accounts or tuple(a.name for a in self.settings.accounts):
            await until(partial(self._had_first_round, account), f"{account} is ready", 60.0)

    def _had_first_round(self, account: str) -> bool:
        """Connected, and every monitor has been through once."""
        base = f"accounts/{account}"
        return bool(
            self.state(f"{base}/exchange")["status"] == "ready"
            and self.state(f"{base}/orphans")["scans"]
            and self.state(f"{base}/reconciliation")["passes"]
            and self.state(f"{base}/aged/scan")["scans"]
        )

    def state(self, path: str) -> dict[str, Any]:
        """An actor's state as a dump shows it; empty where there is no such actor."""
        if not any(node.path == path for node in self.system.tree()):
            return {"status": "none"}
        dumped: dict[str, Any] = self.system.dump(path)
        state = dumped["state"]
        return dict(state) if isinstance(state, dict) else {}

    def alive(self, path: str) -> bool:
        return any(node.path == path for node in self.system.tree())

    async def closed(self, row: PositionRow, seconds: float = 60.0) -> PositionRow:
        """Wait for a row to be closed, and return it."""

        async def is_closed() -> bool:
            found = await self.ledger.row(row.id)
            return found is not None and found.status == "closed"

        await until(is_closed, f"row {row.id} is closed", seconds)
        found = await self.ledger.row(row.id)
        assert found is not None
        return found

    async def same(self, row: PositionRow) -> bool:
        found = await self.ledger.row(row.id)
        return found is not None and found.status == "active"

    async def events(self, kind: str | None = None) -> tuple[Event, ...]:
        return await self.ledger.events(kind=kind, limit=10_000)

    async def alerts(self, type_: str | None = None) -> tuple[Alert, ...]:
        alerts = await self.ledger.alerts(limit=1_000)
        return tuple(a for a in alerts if type_ is None or a.type == type_)

    async def alerted(self, type_: str, count: int = 1) -> tuple[Alert, ...]:
        async def enough() -> bool:
            return len(await self.alerts(type_)) >= count

        await until(enough, f"{count} alerts of type {type_}")
        return await self.alerts(type_)

    async def counters(self, account: str = "bybit-main") -> dict[str, int]:
        return (await self.ledger.counters()).get(account, {})

    def orders(self, account: str = "bybit-main") -> list[LoggedRequest]:
        """Every request to create an order that reached the venue."""
        return self.venue.requests.orders(account)

    def reads(self, account: str = "bybit-main") -> int:
        """How many requests for all positions reached the venue."""
        return sum(
            request.endpoint == "positions"
            and request.account == account
            and "symbol" not in request.params
            for request in self.venue.requests.requests
        )

    def fault(self, kind: FaultKind, endpoint: str, **more: Any) -> int:
        """Order a fault of the venue; returns its id."""
        return self.venue.faults.order(Fault(kind=kind, endpoint=endpoint, **more))


PASSWORDS = {it: Secret(PASSPHRASE) for it in (Exchange.OKX, Exchange.BITGET)}
"""What a key needs besides its secret, where an exchange asks for it."""
WALLETS = {Exchange.HYPERLIQUID: ("0x" + "a1" * 20, "0x" + "22" * 32)}
"""An address and the private key of an API wallet, where they stand for key and secret."""
SETTLES = {Exchange.HYPERLIQUID: ("USDC",)}


def exchange_of(account: str) -> Exchange:
    """The exchange of an account: its name begins with the exchange's, as `okx-main`."""
    word = account.partition("-")[0]
    return next(it for it in Exchange if it.value.startswith(word))


def login_of(account: str) -> tuple[str, str]:
    """The key and the secret of an account."""
    word = account.partition("-")[0]
    return WALLETS.get(exchange_of(account), (f"demo-{word}-key", f"demo-{word}-secret"))


def open_account(market: Market, name: str) -> None:
    """Open an account that the default world does not have."""
    if name not in market.accounts:
        key, secret = login_of(name)
        market.add_account(name, exchange_of(name), key=key, secret=secret)


def settings_for(
    tmp_path: Path, venue: SimulatedVenue, names: tuple[str, ...], **changes: Any
) -> Settings:
    """Settings with quick confirmations and monitors that run only when asked."""
    per_account = changes.pop("account", {})
    return msgspec.structs.replace(
        Settings(
            mode=Mode.ENFORCE,
            data_dir=tmp_path,
            storage=StorageSettings(url=Secret(f"sqlite:///{tmp_path}/sexton.db")),
            control=ControlSettings(socket=tmp_path / "sexton.sock"),
            accounts=tuple(
                msgspec.structs.replace(
                    AccountSettings(
                        name=name,
                        exchange=exchange_of(name).value,
                        key=Secret(login_of(name)[0]),
                        secret=Secret(login_of(name)[1]),
                        password=PASSWORDS.get(exchange_of(name)),
                        settles=SETTLES.get(exchange_of(name), ("USDT",)),
                        connect=venue.connect,
                        ca_file=venue.ca_file,
                        stream=False,
                    ),
                    **per_account,
                )
                for name in names
            ),
            aged=AgedSettings(
                scan_every=NEVER, validate_every=NEVER, check_every=timedelta(seconds=0.2)
            ),
            verdict=VerdictSettings(
                confirm_after=timedelta(seconds=0.5),
                settle=timedelta(seconds=30),
                fresh=timedelta(seconds=0.2),
            ),
            orders=OrderSettings(
                backoff_first=timedelta(seconds=0.05),
                backoff_last=timedelta(seconds=0.2),
                rate_limit_wait=timedelta(seconds=0.5),
                maker_wait=timedelta(seconds=1),
                fill_wait=timedelta(seconds=2),
                arrival_limit=timedelta(seconds=3),
            ),
            orphans=OrphanSettings(every=NEVER, remind_every=NEVER),
            reconciliation=ReconciliationSettings(every=NEVER),
        ),
        **changes,
    )


@asynccontextmanager
async def _standing(venue: SimulatedVenue | None) -> AsyncIterator[SimulatedVenue]:
    if venue is not None:
        yield venue
        return
    async with SimulatedVenue(seed=7) as own:
        yield own


@asynccontextmanager
async def world(
    tmp_path: Path,
    *,
    accounts: tuple[str, ...] = ("bybit-main",),
    before: Callable[[World], Awaitable[Any]] | None = None,
    wrap: Callable[[Venue], Venue] | None = None,
    clock: Callable[[], datetime] = now,
    venue: SimulatedVenue | None = None,
    **changes: Any,
) -> AsyncIterator[World]:
    """A running guard. `before` prepares market and ledger before the tree starts.

    `wrap` stands between the actors and each gateway, for what the simulated venue cannot say.
    `clock` is the guard's own; the venue's and the leases' goes on as it does. Without `venue`
    it has one of its own.
    """
    async with _standing(venue) as venue:
        for name in accounts:
            open_account(venue.market, name)
        settings = settings_for(tmp_path, venue, accounts, **changes)
        ledger = await open_ledger(settings.storage.url, now=now, data_dir=tmp_path)
        venues = {a.name: open_venue(a, now=clock) for a in settings.accounts}
        source = await open_source(settings.ledger) if settings.ledger is not None else None
        system = System(now=clock, seed=1)
        guard = World(venue, ledger, system, settings)
        if before is not None:
            await before(guard)
        shown: dict[str, Venue] = {
            name: wrap(gateway) if wrap is not None else gateway for name, gateway in venues.items()
        }
        tree = guard_tree(settings, ledger=ledger, venues=shown, source=source)
        await system.start(tree)
        try:
            await guard.ready(*accounts)
            yield guard
        finally:
            # Twice is fine: a test may have stopped the tree itself.
            await system.stop()
            for gateway in venues.values():
                await gateway.close()
            await ledger.close()
