"""The guard that the documents show: one account in observe mode, with one trouble of each kind.

A real service on a simulated venue whose prices stand still, so that what it prints is the same
each time but for ages, instants and numbers drawn by chance. Leaves comparing to `samples`.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import NamedTuple

from console.config.reader import load_config
from console.control import protocol as p
from console.service.run import Running, serving, utc_now
from console.top.app import Top
from messages.ledger import NewPosition
from messages.settings import Settings
from messages.values import Side
from simulator.instruments import Exchange
from simulator.server import SimulatedVenue
from storage import open_ledger
from tests.console.screens import text_of
from tests.console.terminal import Terminal
from tests.scenarios.world import until

ACCOUNT = "bybit-main"
SHOWN_FOLDER = "/srv/sexton"
WIDTH, HEIGHT = 112, 24
CONFIG = """\
mode = "observe"
data_dir = "var"

[accounts.bybit-main]
exchange = "bybit"
key = "demo-bybit-key"
secret = "demo-bybit-secret"
connect = "{connect}"
ca_file = "venue-ca.pem"

[verdict]
confirm_after = "500ms"
settle = "1s"
fresh = "500ms"
"""


class Guard:
    """A running guard whose folder is where the documents' commands are run."""

    def __init__(self, running: Running, folder: Path) -> None:
        self._running = running
        self._folder = folder

    async def said(self, command: str) -> str:
        """What a command prints at a terminal; `top` is the live view's screen."""
        if command.split()[0] == "top":
            return await self._screen()
        code, text = await self.ran(command)
        assert code == 0, f"{command}: {code}: {text}"
        return text

    async def ran(self, command: str) -> tuple[int, str]:
        """A command's exit code, and what it prints at a terminal."""
        return await asyncio.to_thread(self._typed, command)

    def _typed(self, command: str) -> tuple[int, str]:
        arguments = shlex.split(command)
        with Terminal(*arguments, cwd=self._folder, width=WIDTH, term="dumb") as terminal:
            code = terminal.wait()
            text = terminal.text.replace("\r\n", "\n").replace(str(self._folder), SHOWN_FOLDER)
            lines = "\n".join(line.rstrip() for line in text.splitlines())
            return code, lines.strip("\n") + "\n"

    async def _screen(self) -> str:
        app = Top(self._running.settings.control.socket, every=0.2)
        async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
            async with asyncio.timeout(20):
                while " XRPUSDT " not in text_of(app):
                    await pilot.pause()
            return text_of(app)


@asynccontextmanager
async def guard(folder: Path) -> AsyncIterator[Guard]:
    """The guard, once it has found everything."""
    async with SimulatedVenue(volatility=0, ca_file=folder / "venue-ca.pem") as venue:
        config = folder / "sexton.toml"
        config.write_text(CONFIG.format(connect=venue.connect), encoding="utf-8")
        config.chmod(0o600)
        settings = load_config(config)
        await _keep(venue, settings, _FIRST)
        async with serving(settings, config) as running:
            await until(partial(_found, running, p.Scan(), 2), "the orphan and the naked position")
            # Only now, so that they are always found in the same order.
            await _keep(venue, settings, _LATER)
            await until(partial(_found, running, p.Reconcile(), 4), "the ghost and the mismatch")
            await until(partial(_looked, running), "the aged legs wait for their price")
            yield Guard(running, folder)


async def _found(running: Running, command: p.Scan | p.Reconcile, count: int) -> bool:
    """Whether so many alerts are open after one more look."""
    await running.operator.answer(command)
    return len(await running.ledger.open_alerts()) == count


async def _looked(running: Running) -> bool:
    legs = await running.operator.answer(p.GetLegs())
    return isinstance(legs, p.Legs) and all(leg.price is not None for leg in legs.legs)


class _Kept(NamedTuple):
    """A position as it is kept, in base units: at the venue, in the ledger, or with None in one."""

    symbol: str
    side: Side
    venue: str | None
    ledger: str | None
    hours: float = 1.0
    against: str = "0"
    """How far the price went against it, as a part of the entry."""
    stop: bool = True


_FIRST = (
    _Kept("BTC", Side.LONG, "0.01", "0.01"),
    _Kept("SOL", Side.SHORT, "12", "12", hours=5.0, against="0.01"),
    _Kept("LINK", Side.LONG, "150", "150", hours=14.0, against="0.03"),
    _Kept("DOGE", Side.LONG, "9000", "9000", stop=False),
    _Kept("ETH", Side.SHORT, "0.5", None, stop=False),
)
_LATER = (
    _Kept("XRP", Side.LONG, None, "3500"),
    _Kept("ADA", Side.SHORT, "2000", "4000"),
)


async def _keep(venue: SimulatedVenue, settings: Settings, positions: tuple[_Kept, ...]) -> None:
    """Open the positions at the venue, and write the rows, as the bot would have."""
    async with await open_ledger(settings.storage.url, now=utc_now) as ledger:
        for kept in positions:
            symbol = f"{kept.symbol}/USDT:USDT"
            listing = venue.market.listing(Exchange.BYBIT, symbol)
            price = venue.market.price(Exchange.BYBIT, symbol)
            entry = listing.to_tick(price * (1 + Decimal(kept.against) * kept.side.sign))
            opened = utc_now() - timedelta(hours=kept.hours)
            if kept.venue is not None:
                stop = listing.to_tick(price * (1 - Decimal("0.06") * kept.side.sign))
                venue.market.open_position(
                    ACCOUNT, symbol, kept.side, Decimal(kept.venue), entry, opened,
                    stop_loss=stop if kept.stop else None,
                )  # fmt: skip
            else:
                # It was closed by hand since, and the bot has not noticed.
                size = Decimal(kept.ledger or 0)
                venue.market.open_position(ACCOUNT, symbol, kept.side, size, entry, opened)
                ended = utc_now() - timedelta(minutes=10)
                venue.market.close_by_hand(ACCOUNT, symbol, kept.side, closed_at=ended)
            if kept.ledger is not None:
                row = NewPosition(
                    account=ACCOUNT,
                    symbol=f"{kept.symbol}USDT",
                    side=kept.side,
                    quantity=Decimal(kept.ledger),
                    entry_price=entry,
                    opened_at=opened,
                )
                await ledger.add_position(row)
