"""The alerts actor: stores, says once, reminds, resolves.

An alert is stored before anybody hears of it, together with a notice for each channel, so that a
restart loses none. `actors.delivery` sends the notices.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from actors import paths
from actors.ledger_client import ask_ledger
from actors.runtime import Actor, handles
from messages.ledger import Alert, AlertDraft, AlertLevel, AlertType
from messages.settings import Loudness, Settings
from messages.to_alerts import AckAlert, AlertStored, NewNotice, RaiseAlert, ResolveAlert
from messages.to_ledger import FindAlerts, StoreAck, StoreAlert, StoreReminder, StoreResolution

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
    """Everything that a person should hear of goes through here.

    `deliver` is called in this process with each alert that is raised, reminded of or resolved.
    `notices`: there is a delivery actor, to be told when the outbox has something new.
    """

    def __init__(
        self,
        settings: Settings,
        deliver: Callable[[str, AlertDraft], None] | None = None,
        *,
        notices: bool = False,
    ) -> None:
        super().__init__(AlertsState())
        self._settings = settings
        self._deliver = deliver
        self._notices = notices

    def on_start(self) -> None:
        self._arm()

    def _arm(self) -> None:
        every = min(self._settings.orphans.remind_every, self._settings.alerts.remind_every)
        self.after(min(TICK, every), Tick())

    @handles
    async def raised(self, message: RaiseAlert) -> None:
        stored = await ask_ledger(self, StoreAlert(draft=message.draft))
        if stored.new:
            self._say("ALERT", message.draft)
        else:
            self.state.repeated += 1

    @handles
    def stored(self, message: AlertStored) -> None:
        """It was stored in the transaction that it is about; it is only announced here."""
        self._say("ALERT", message.draft)

    @handles
    async def resolved(self, message: ResolveAlert) -> None:
        alert = await ask_ledger(
            self, StoreResolution(dedup_key=message.dedup_key, resolution=message.resolution)
        )
        if alert is None:
            return
        self.state.resolved += 1
        self.log.info("RESOLVED {}: {} ({})", alert.type, alert.title, message.resolution)
        self._hand_over("resolved", alert)

    @handles
    async def acked(self, message: AckAlert) -> Alert | None:
        return await ask_ledger(self, StoreAck(alert_id=message.alert_id, by=message.by))

    @handles
    async def tick(self, message: Tick) -> None:
        open_alerts = await ask_ledger(self, FindAlerts(open_only=True))
        now = self.now()
        for alert in open_alerts:
            if self._wants_reminder(alert) and _due(alert, now, self._every(alert)):
                self.state.reminded += 1
                await ask_ledger(self, StoreReminder(alert_id=alert.id))
                self._say("REMINDER", alert)
        self._arm()

    def _wants_reminder(self, alert: Alert) -> bool:
        loud = self._settings.alerts.loudness(alert.type) is Loudness.ON
        return alert.lasting and alert.acked_at is None and loud

    def _every(self, alert: Alert) -> timedelta:
        if alert.type in (AlertType.ORPHANED_POSITION, AlertType.NAKED_POSITION):
            return self._settings.orphans.remind_every
        return self._settings.alerts.remind_every

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
        self._hand_over(what.lower(), draft)

    def _hand_over(self, what: str, draft: AlertDraft) -> None:
        if self._deliver is not None:
            self._deliver(what, draft)
        if self._notices:
            self.tell(paths.DELIVERY, NewNotice())


def _due(alert: Alert, now: datetime, every: timedelta) -> bool:
    return now - (alert.reminded_at or alert.raised_at) >= every


_LEVELS = {
    AlertLevel.INFO: "INFO",
    AlertLevel.WARNING: "WARNING",
    AlertLevel.CRITICAL: "CRITICAL",
}
