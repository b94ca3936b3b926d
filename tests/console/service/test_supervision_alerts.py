"""Crashes and quarantines become alerts that operators see, by way of the real alerts actor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from actors.alerts import Alerts
from actors.ledger import LedgerActor
from actors.runtime import Actor, Backoff, ChildSpec, Quarantine, Supervisor, System, handles
from console.config.reader import load_config
from console.service.supervision_alerts import SupervisionAlerts
from messages.ledger import Alert, AlertType
from storage import Ledger, open_ledger


class Break(msgspec.Struct, frozen=True):
    """Makes the actor below crash."""


class State(msgspec.Struct):
    broken: int = 0


class Fragile(Actor[State]):
    def __init__(self) -> None:
        super().__init__(State())

    @handles
    def broken(self, message: Break) -> None:
        raise LookupError("no such thing")


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def system(folder: Path) -> AsyncIterator[tuple[System, Ledger]]:
    file = folder / "sexton.toml"
    file.write_text(
        'mode = "observe"\n[accounts.a]\nexchange = "bybit"\nkey = "k"\nsecret = "s"',
        encoding="utf-8",
    )
    settings = load_config(file)
    ledger = await open_ledger(settings.storage.url, now=now)
    listener = SupervisionAlerts()
    running = System(on_event=listener.event)
    listener.attach(running)
    account = partial(Supervisor, (ChildSpec("part", Fragile),), intensity=0)
    accounts = partial(
        Supervisor,
        (ChildSpec("a", account),),
        intensity=None,
        backoff=Backoff(first=0.001, jitter=0.0),
        quarantine=Quarantine(after=1),
    )
    children = (
        ChildSpec("ledger", partial(LedgerActor, ledger, {})),
        ChildSpec("alerts", partial(Alerts, settings)),
        ChildSpec("fragile", Fragile),
        ChildSpec("accounts", accounts),
    )
    await running.start(ChildSpec("sexton", partial(Supervisor, children, intensity=100)))
    try:
        yield running, ledger
    finally:
        await running.stop()
        await ledger.close()


async def alerts_until(
    ledger: Ledger, condition: Callable[[tuple[Alert, ...]], bool]
) -> tuple[Alert, ...]:
    async with asyncio.timeout(10):
        while True:
            found = await ledger.alerts()
            if condition(found):
                return found


def test_a_crash_is_an_alert_that_names_actor_error_and_what_to_do(tmp_path: Path) -> None:
    async def scenario() -> Alert:
        async with system(tmp_path) as (running, ledger):
            running.tell("fragile", Break())
            return (await alerts_until(ledger, bool))[0]

    alert = asyncio.run(scenario())
    assert alert.type is AlertType.ACTOR_CRASHED
    assert "fragile crashed: " in alert.title
    assert "no such thing" in alert.title
    assert "Break" in alert.seen
    assert alert.next_step


def test_an_actor_that_keeps_crashing_the_same_way_is_one_alert(tmp_path: Path) -> None:
    async def scenario() -> tuple[Alert, ...]:
        async with system(tmp_path) as (running, ledger):
            for _ in range(5):
                running.tell("fragile", Break())
            # The account's crash comes after the others, and ends the waiting.
            running.tell("accounts/a/part", Break())
            return await alerts_until(ledger, lambda found: any(a.account == "a" for a in found))

    found = asyncio.run(scenario())
    assert len([a for a in found if a.title.startswith("fragile")]) == 1


def test_an_account_that_gives_up_again_and_again_is_announced_as_quarantined(
    tmp_path: Path,
) -> None:
    async def scenario() -> tuple[Alert, ...]:
        async with system(tmp_path) as (running, ledger):
            found: tuple[Alert, ...] = ()
            async with asyncio.timeout(30):
                while not any(a.type is AlertType.ACCOUNT_QUARANTINED for a in found):
                    if "accounts/a/part" in {node.path for node in running.tree()}:
                        running.tell("accounts/a/part", Break())
                    found = await ledger.alerts()
            return found

    found = asyncio.run(scenario())
    quarantine = next(a for a in found if a.type is AlertType.ACCOUNT_QUARANTINED)
    assert quarantine.account == "a"
    assert quarantine.level == "critical"
    assert quarantine.resolved_at is None
