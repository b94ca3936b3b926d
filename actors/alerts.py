"""The alerts actor: stores, says once, reminds, resolves.

An alert is in the ledger before anybody hears of it, so a restart loses none. Delivery to
people's channels is the `deliver` callable, which hands over to the console's side.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from actors import paths
from actors.runtime import Actor, handles
from messages.ledger import Alert, AlertDraft, AlertLevel
from messages.requests import (
    AckAlert,
    AlertStored,
    FindAlerts,
    RaiseAlert,
    ResolveAlert,
    StoreAck,
    StoreAlert,
    StoreReminder,
    StoreResolution,
)
from messages.settings import Settings

TICK = timedelta(seconds=30)


class Tick(msgspec.Struct, frozen=True):
    """Sent to itself: is a reminder due?"""


class AlertsState(msgspec.Struct):
    """`open` counts alerts that last until something resolves them."""

    raised: int = 0
    repeated: int = 0
    resolved: int = 0
    reminded: int = 0
    last: str = ""


class Alerts(Actor[AlertsState]):
    """Everything that a person should hear of goes through here."""

    def __init__(
        self, settings: Settings, deliver: Callable[[str, AlertDraft], None] | None = None
    ) -> None:
        super().__init__(AlertsState())
        self._settings = settings
        self._deliver = deliver

    def on_start(self) -> None:
        self._arm()

    def _arm(self) -> None:
        self.after(min(TICK, self._settings.orphans.remind_every), Tick())

    @handles
    async def raised(self, message: RaiseAlert) -> None:
        stored = await self.ask(paths.LEDGER, StoreAlert(draft=message.draft), timeout=300.0)
        if stored.new:
            self._say("ALERT", message.draft)
        else:
            self.state.repeated += 1

    @handles
    def stored(self, message: AlertStored) -> None:
        """Written together with what it speaks of; only said here."""
        self._say("ALERT", message.draft)

    @handles
    async def resolved(self, message: ResolveAlert) -> None:
        alert = await self.ask(
            paths.LEDGER,
            StoreResolution(dedup_key=message.dedup_key, resolution=message.resolution),
            timeout=300.0,
        )
        if alert is None:
            return
        self.state.resolved += 1
        self.log.info("RESOLVED {}: {} ({})", alert.type, alert.title, message.resolution)
        if self._deliver is not None:
            self._deliver("resolved", alert)

    @handles
    async def acked(self, message: AckAlert) -> Alert | None:
        return await self.ask(
            paths.LEDGER, StoreAck(alert_id=message.alert_id, by=message.by), timeout=300.0
        )

    @handles
    async def tick(self, message: Tick) -> None:
        open_alerts = await self.ask(paths.LEDGER, FindAlerts(open_only=True), timeout=300.0)
        now = self.now()
        for alert in open_alerts:
            if alert.lasting and alert.acked_at is None and _due(alert, now, self._every):
                self.state.reminded += 1
                self._say("REMINDER", alert)
                await self.ask(paths.LEDGER, StoreReminder(alert_id=alert.id), timeout=300.0)
        self._arm()

    @property
    def _every(self) -> timedelta:
        return self._settings.orphans.remind_every

    def _say(self, what: str, draft: AlertDraft) -> None:
        if what == "ALERT":
            self.state.raised += 1
        self.state.last = draft.title
        self.log.bind(alert=draft.type.value, account=draft.account, symbol=draft.symbol).log(
            _LEVELS[draft.level],
            "{} {}: {}. Seen: {}. Done: {}. Next: {}",
            what,
            draft.type.value,
            draft.title,
            draft.seen,
            draft.done,
            draft.next_step,
        )
        if self._deliver is not None:
            self._deliver(what.lower(), draft)


def _due(alert: Alert, now: datetime, every: timedelta) -> bool:
    return now - (alert.reminded_at or alert.raised_at) >= every


_LEVELS = {
    AlertLevel.INFO: "INFO",
    AlertLevel.WARNING: "WARNING",
    AlertLevel.CRITICAL: "CRITICAL",
}
