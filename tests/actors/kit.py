"""A ledger, the alert actors and channels, with receivers on loopback that note what arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from actors.alerting.notifications import Channel
from actors.alerts import Alerts
from actors.delivery import Deliverer
from actors.ledger import LedgerActor
from actors.runtime import ChildSpec, Supervisor, System
from messages.ledger import AlertDraft, AlertLevel, AlertType
from messages.settings import (
    AccountSettings,
    AlertSettings,
    ControlSettings,
    Mode,
    Settings,
    StorageSettings,
)
from messages.values import Secret
from storage import Ledger, open_ledger


class Clock:
    """A wall clock that a test sets ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Receiver:
    """A web server that takes Apprise's JSON, or refuses as it is told."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.refused = 0
        self.refuse: Callable[[dict[str, Any]], bool] = lambda _: False
        self.port = 0

    @property
    def url(self) -> Secret:
        return Secret(f"json://127.0.0.1:{self.port}/hook-hidden-token")

    @property
    def titles(self) -> list[str]:
        return [notice["title"] for notice in self.taken]

    async def handle(self, request: web.Request) -> web.Response:
        notice = await request.json()
        if self.refuse(notice):
            self.refused += 1
            return web.Response(status=503)
        self.taken.append(notice)
        return web.Response()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/{any:.*}", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.port = runner.addresses[0][1]
    try:
        yield found
    finally:
        await runner.cleanup()


class Guard:
    """The alert side of a guard."""

    def __init__(self, system: System, ledger: Ledger) -> None:
        self.system = system
        self.ledger = ledger

    @property
    def delivery(self) -> dict[str, Any]:
        state: dict[str, Any] = self.system.dump("delivery")["state"]
        return state


def settings_of(folder: Path, **alerts: Any) -> Settings:
    return Settings(
        mode=Mode.OBSERVE,
        data_dir=folder,
        storage=StorageSettings(url=Secret(f"sqlite:///{folder}/sexton.db")),
        control=ControlSettings(socket=folder / "s.sock"),
        accounts=(
            AccountSettings(
                name="bybit-main", exchange="bybit", key=Secret("k"), secret=Secret("s")
            ),
        ),
        alerts=AlertSettings(**{"daily_summary": None, **alerts}),
    )


@asynccontextmanager
async def guard(
    settings: Settings, channels: Sequence[Channel], clock: Callable[[], datetime] | None = None
) -> AsyncIterator[Guard]:
    """Ledger, alerts and delivery at work on the settings' database file."""
    now = clock or Clock()
    ledger = await open_ledger(settings.storage.url, now=now)
    system = System(now=now, secrets=settings.alerts.channels)
    names = tuple(channel.name for channel in channels)
    children = (
        ChildSpec("ledger", partial(LedgerActor, ledger, {}, names)),
        ChildSpec("alerts", partial(Alerts, settings, notices=bool(channels))),
        ChildSpec("delivery", partial(Deliverer, settings, tuple(channels)), shutdown=1.0),
    )
    await system.start(ChildSpec("sexton", partial(Supervisor, children, intensity=100)))
    try:
        yield Guard(system, ledger)
    finally:
        await system.stop()
        await ledger.close()


async def until(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Wait for a condition; say what did not come."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"waited {seconds} s for: {what}"
        await asyncio.sleep(0.01)


def draft(**changes: Any) -> AlertDraft:
    base = AlertDraft(
        type=AlertType.ORPHANED_POSITION,
        level=AlertLevel.CRITICAL,
        dedup_key="orphan:1",
        title="ORPHANED POSITION DETECTED",
        account="bybit-main",
        symbol="BTC/USDT:USDT",
        side="long",
        seen="0.5 long that no row knows of",
        done="nothing",
        next_step="adopt or close it",
        details={"stop_loss": "NO STOP LOSS"},
    )
    return msgspec.structs.replace(base, **changes)
