"""A simulated venue at the end of a long line, and a guard and a bare script in front of it.

The venue enforces its real limits and lives in the bench's own process, so that what happened is
read off the market itself; the guard is `supervisor.py run`, a process, as is the bare script.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from actors import paths
from bench.parts.line import Line
from console.control.client import CommandRefusedError, ControlClient, NoServiceError
from console.control.protocol import Ask, Command, Reconcile
from console.control.replies import Reply
from messages.values import Side
from simulator import Exchange, Market
from simulator.binance_quotas import weight_of
from simulator.desk import LoggedRequest
from simulator.instruments import linear
from simulator.server import SimulatedVenue
from simulator.state import MarketEvent

R = TypeVar("R", bound=Reply)

ROOT = Path(__file__).resolve().parents[2]
PRICE = Decimal(100)
QUANTITY = Decimal(10)
OLD = timedelta(days=3)
"""An age at which a leg is closed at market, whatever the price."""

HOLDING = timedelta(hours=4)
"""An age at which a leg that is a little under water waits for break-even."""

BARE = "bare"


def now() -> datetime:
    return datetime.now(UTC)


async def until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait for a condition. Raises SystemExit where it does not come."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise SystemExit(f"waited {seconds:g} s for: {what}")
        await asyncio.sleep(0.01)


@dataclass
class Venue:
    """The venue's side: so many `symbols`, at a price that never moves."""

    exchange: Exchange
    venue: SimulatedVenue
    line: Line
    symbols: int
    flat_at: dict[str, datetime] = field(default_factory=dict)
    """When an account's last position went."""

    @property
    def market(self) -> Market:
        return self.venue.market

    def add_account(self, name: str) -> None:
        self.market.add_account(name, self.exchange, key=name, secret=name, usdt=Decimal(10**9))

    def open(self, account: str, legs: list[tuple[str, Side]], opened_at: datetime) -> None:
        for symbol, side in legs:
            self.market.open_position(
                account, symbol, side, QUANTITY, PRICE, opened_at, leverage=Decimal(1)
            )

    def legs(self, count: int) -> list[tuple[str, Side]]:
        """That many legs. Raises SystemExit where there are fewer symbols."""
        if count > self.symbols:
            raise SystemExit(f"{count} legs need as many symbols, not {self.symbols}")
        return [(f"C{n}/USDT:USDT", Side.LONG) for n in range(count)]

    def held(self, account: str) -> int:
        return sum(1 for it in self.market.accounts[account].positions.values() if it.size)

    def note(self, event: MarketEvent) -> None:
        name = event.account.name
        if not self.held(name):
            self.flat_at.setdefault(name, event.at)

    def since(self, begun: datetime, account: str | None = None) -> list[LoggedRequest]:
        """What was asked since an instant: all of it, or an account's and what names none."""
        return [
            it
            for it in self.venue.requests.requests
            if it.at >= begun and (account is None or it.account in (account, ""))
        ]

    async def quiet(self, seconds: float = 3.0, within: float = 60.0) -> None:
        """Wait until nobody has asked anything for so long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while loop.time() < deadline:
            requests = self.venue.requests.requests
            if not requests or now() - requests[-1].at > timedelta(seconds=seconds):
                return
            await asyncio.sleep(0.05)


def weight(exchange: Exchange, requests: list[LoggedRequest]) -> int:
    """What requests cost by the venue's tables: weight at Binance, a request each at Bybit."""
    if exchange is Exchange.BYBIT:
        return len(requests)
    return sum(weight_of(it.method, it.path, it.params) for it in requests)


@asynccontextmanager
async def a_venue(
    exchange: Exchange, folder: Path, *, symbols: int, round_trip: float
) -> AsyncIterator[Venue]:
    market = Market(
        now=now,
        rng=random.Random(1),  # a market's noise, not a secret
        listings=[linear(exchange, f"C{n}", str(PRICE), "0.01", "0.1") for n in range(symbols)],
        volatility=0,
    )
    ca_file = folder / "venue-ca.pem"
    async with SimulatedVenue(market, ca_file=ca_file, limits=True) as venue:
        line = Line(venue.port, round_trip)
        await line.start()
        it = Venue(exchange, venue, line, symbols)
        market.listen(it.note)
        it.add_account(BARE)
        yield it
        await line.stop()


class Guard:
    """A running service and its ledger, to which a bot's rows are added as a bot does."""

    def __init__(self, folder: Path, accounts: tuple[str, ...]) -> None:
        self.folder = folder
        self.accounts = accounts

    async def order(self, command: Command[R]) -> R:
        """What an operator does at the control socket. Raises NoServiceError."""
        async with ControlClient(self.folder / "s.sock", timeout=120) as control:
            return await control.call(command)

    async def look_for_aged(self, account: str) -> None:
        """Have the scan for aged legs made now, and no other."""
        await self.order(Ask(path=paths.aged_scan(account), message="ScanNow"))

    def add_rows(
        self, account: str, legs: list[tuple[str, Side]], opened_at: datetime, entry: Decimal
    ) -> None:
        """`entry` is a long's price; a short's is mirrored around the market's."""
        with closing(sqlite3.connect(self.folder / "s.db", timeout=30)) as ledger, ledger:
            ledger.executemany(
                "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        account,
                        symbol,
                        side.value,
                        str(QUANTITY),
                        str(PRICE + (entry - PRICE) * side.sign),
                        _instant(opened_at),
                    )
                    for symbol, side in legs
                ],
            )

    def make_old(self, account: str) -> None:
        with closing(sqlite3.connect(self.folder / "s.db", timeout=30)) as ledger, ledger:
            ledger.execute(
                "UPDATE positions SET opened_at = ? WHERE account = ? AND status = 'active'",
                (_instant(now() - OLD), account),
            )

    def active(self, account: str) -> int:
        return self._count("status = 'active' AND account = ?", account)

    def without_exit(self, account: str) -> int:
        """Rows that are closed without an exit that a fill told."""
        return self._count(
            "status = 'closed' AND (exit_price IS NULL OR exit_source <> 'fill') AND account = ?",
            account,
        )

    def closed_at(self, account: str) -> datetime:
        with closing(sqlite3.connect(self.folder / "s.db", timeout=30)) as ledger:
            found = ledger.execute(
                "SELECT max(closed_at) FROM positions WHERE account = ?", (account,)
            ).fetchone()[0]
        return datetime.fromisoformat(found)

    def _count(self, condition: str, account: str) -> int:
        query = f"SELECT count(*) FROM positions WHERE {condition}"  # constants of this file
        with closing(sqlite3.connect(self.folder / "s.db", timeout=30)) as ledger:
            return int(ledger.execute(query, (account,)).fetchone()[0])


def _instant(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="microseconds")


@asynccontextmanager
async def a_guard(
    venue: Venue,
    folder: Path,
    accounts: tuple[str, ...],
    *,
    stream: bool = True,
    check_every: str = "10s",
) -> AsyncIterator[Guard]:
    """A service over these accounts; only what is ordered starts a scan for aged legs."""
    await asyncio.to_thread(folder.mkdir, mode=0o700)
    lines = [
        'mode = "enforce"',
        f'data_dir = "{folder}"',
        "[storage]",
        f'url = "sqlite:///{folder}/s.db"',
        "[control]",
        f'socket = "{folder}/s.sock"',
        "[aged]",
        'scan_every = "1d"',
        f'check_every = "{check_every}"',
    ]
    for name in accounts:
        if name not in venue.market.accounts:
            venue.add_account(name)
        lines += [
            f"[accounts.{name}]",
            f'exchange = "{venue.exchange}"',
            f'key = "{name}"',
            f'secret = "{name}"',
            f'connect = "{venue.line.connect}"',
            f'ca_file = "{venue.venue.ca_file}"',
            f"stream = {'true' if stream else 'false'}",
        ]
    config = folder / "s.toml"
    config.write_text("\n".join(lines) + "\n")
    config.chmod(0o600)
    log = (folder / "guard.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "supervisor.py"),
        "run",
        "--config",
        str(config),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=ROOT,
    )
    guard = Guard(folder, accounts)
    try:
        for name in accounts:
            await _ready(guard, name, process)
        yield guard
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()
        log.close()


async def _ready(guard: Guard, account: str, process: asyncio.subprocess.Process) -> None:
    """Wait until an account can be read. Raises SystemExit where the service has ended."""
    deadline = asyncio.get_running_loop().time() + 60
    why = ""
    while asyncio.get_running_loop().time() < deadline:
        if process.returncode is not None:
            raise SystemExit(f"the guard has ended: see {guard.folder / 'guard.log'}")
        try:
            reports = (await guard.order(Reconcile(account=account))).reports
        except (NoServiceError, CommandRefusedError) as error:
            why = str(error)
        else:
            why = "; ".join(one.problem for one in reports.values() if one.problem)
            if not why:
                return
        await asyncio.sleep(0.1)
    raise SystemExit(f"{account} is not ready after a minute: {why}")


class BareScript:
    """`bench.parts.bare` as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def close(self) -> int:
        """Close all that its account holds. Returns how many orders were refused."""
        return int(await self._order("close"))

    async def warm(self) -> None:
        """Open its sockets."""
        await self._order("warm")

    async def _order(self, word: str) -> str:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("started without pipes")
        self._process.stdin.write(word.encode() + b"\n")
        await self._process.stdin.drain()
        return (await self._process.stdout.readline()).decode().strip()


@asynccontextmanager
async def a_bare_script(venue: Venue) -> AsyncIterator[BareScript]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.parts.bare",
        str(venue.exchange),
        venue.line.connect,
        str(venue.venue.ca_file),
        BARE,
        BARE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    if process.stdout is None or (await process.stdout.readline()).strip() != b"ready":
        raise SystemExit("the bare script did not start")
    try:
        yield BareScript(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
