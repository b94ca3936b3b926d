"""A guard whose configuration file can be rewritten: the service in this process, over the venue.

The whole of `serving`, with its control socket; what is asserted is left to the tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from console.config.reader import load_config
from console.control import protocol as p
from console.control.client import ControlClient
from console.service.run import Running, serving
from messages.ledger import NewPosition, PositionRow
from messages.values import Side
from simulator import SimulatedVenue

XRP = "XRP/USDT:USDT"

QUICK = """
mode = "enforce"
data_dir = "var"
[aged]
max_age = "3h"
scan_every = "200ms"
check_every = "200ms"
validate_every = "off"
[verdict]
confirm_after = "300ms"
settle = "10s"
fresh = "200ms"
[orders]
backoff_first = "50ms"
backoff_last = "200ms"
fill_wait = "2s"
arrival_limit = "3s"
[orphans]
every = "1d"
[reconciliation]
every = "1d"
"""


def account(name: str, venue: SimulatedVenue, **keys: Any) -> str:
    """An [accounts.NAME] table; `keys` are further ones, or others than the usual."""
    kind = name.partition("-")[0]
    given = {
        "exchange": "bybit" if kind == "bybit" else "binanceusdm",
        "key": f"demo-{kind}-key",
        "secret": f"demo-{kind}-secret",
        "connect": venue.connect,
        "ca_file": str(venue.ca_file),
        **keys,
    }
    lines = [f"{key} = {_toml(value)}" for key, value in given.items()]
    return "\n".join((f"[accounts.{name}]", *lines, ""))


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


@dataclass(frozen=True)
class Guard:
    """Handles on a running guard."""

    venue: SimulatedVenue
    file: Path
    running: Running
    client: ControlClient

    def write(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")

    def both(self, settings: str = QUICK) -> str:
        """A configuration of both accounts."""
        return settings + account("bybit-main", self.venue) + account("binance-main", self.venue)

    async def reload(self, text: str, *, dry_run: bool = False) -> p.Reloaded:
        self.write(text)
        return await self.client.call(p.Reload(dry_run=dry_run, by="ann"))

    def life(self, path: str) -> object:
        """The incarnation at a path: another object after each restart."""
        return self.running.system.cells[path].life

    def there(self, path: str) -> bool:
        return path in self.running.system.cells

    def state(self, path: str) -> dict[str, Any]:
        state = self.running.system.dump(path)["state"] if self.there(path) else None
        return state if isinstance(state, dict) else {}

    async def ready(self, *names: str) -> None:
        for name in names:
            path = f"accounts/{name}/exchange"

            def is_ready(path: str = path) -> bool:
                return self.state(path).get("status") == "ready"

            await until(is_ready, f"{name} is connected")

    async def position(self, hours: float, name: str = "bybit-main") -> PositionRow:
        """Ten XRP long, at the venue and in the ledger, as old as said."""
        market = self.venue.market
        price = market.price(market.accounts[name].exchange, XRP)
        opened = datetime.now(UTC) - timedelta(hours=hours)
        market.open_position(name, XRP, Side.LONG, Decimal(10), price, opened, stop_loss=price / 2)
        return await self.running.ledger.add_position(
            NewPosition(
                account=name,
                symbol=XRP,
                side=Side.LONG,
                quantity=Decimal(10),
                entry_price=price,
                opened_at=opened,
            )
        )

    async def closed(self, row: PositionRow) -> PositionRow:
        async def is_closed() -> bool:
            found = await self.running.ledger.row(row.id)
            return found is not None and found.status == "closed"

        await until(is_closed, f"row {row.id} is closed")
        found = await self.running.ledger.row(row.id)
        assert found is not None
        return found


@asynccontextmanager
async def guard(
    folder: Path, settings: str = QUICK, *names: str, **keys: Any
) -> AsyncIterator[Guard]:
    """A guard of these accounts, or of both, connected. `keys` go into each account's table."""
    names = names or ("bybit-main", "binance-main")
    async with SimulatedVenue(seed=7) as venue:
        file = folder / "sexton.toml"
        tables = (account(name, venue, **keys) for name in names)
        file.write_text("\n".join((settings, *tables)), encoding="utf-8")
        checked = load_config(file)
        async with (
            serving(checked, file) as running,
            ControlClient(checked.control.socket) as client,
        ):
            found = Guard(venue, file, running, client)
            await found.ready(*names)
            yield found


async def until(
    condition: Callable[[], Awaitable[bool] | bool], what: str, seconds: float = 40.0
) -> None:
    """Wait for a condition; say what did not come."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert asyncio.get_running_loop().time() < deadline, f"waited {seconds} s for: {what}"
        await asyncio.sleep(0.02)
