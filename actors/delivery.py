"""The delivery actor: works off the outbox of notices, each channel at its own pace.

A notice leaves the outbox when its channel has taken it, so each is sent at least once, across
restarts, and perhaps twice after a crash in between. A channel that refuses is tried again for
ever, at ever longer intervals. The alerts actor stores; `actors.alerting.notifications` words.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec

from actors import paths
from actors.alerting.daily_summary import Summaries
from actors.alerting.notifications import Channel, notification_of
from actors.backoff import backoff
from actors.ledger_client import ask_ledger
from actors.runtime import Actor, Down, WorkerDone, handles
from messages.ledger import Delivery, NoticeKind
from messages.settings import Loudness, Settings
from messages.to_alerts import NewNotice, RaiseAlert, ResolveAlert
from messages.to_ledger import NoteDelivered, NoteDeliveryFailed, PendingDeliveries
from rules.guard_alerts import channel_key, channel_refuses

RETRY_FIRST = 1.0
RETRY_LAST = 300.0
SEND_LIMIT = 60.0
"""Seconds that one notice may take."""
LOOK_EVERY = 30.0
"""Seconds between looks at the outbox: whoever stored a notice may have died before saying so."""
TROUBLED_AFTER = 5
"""Refusals in a row after which the other channels are told."""
BATCH = 100


class WorkOff(msgspec.Struct, frozen=True):
    """Sent to itself: send what waits on one channel."""

    channel: str


class Look(msgspec.Struct, frozen=True):
    """Sent to itself: look at every channel."""


class SummaryDue(msgspec.Struct, frozen=True):
    """Sent to itself: is it time for the daily summary?"""


class ChannelState(msgspec.Struct):
    """`skipped` notices were outdated or of a type that is off; `refusals` is how many in a row."""

    sent: int = 0
    skipped: int = 0
    failed: int = 0
    refusals: int = 0
    resting: bool = False
    last_error: str = ""


class DelivererState(msgspec.Struct):
    """`elsewhere` counts notices that wait for channels that are not configured now."""

    channels: dict[str, ChannelState]
    sending: dict[str, int] = {}
    elsewhere: int = 0
    summaries: int = 0


class Deliverer(Actor[DelivererState]):
    """Carries notices to people. The channels outlive incarnations."""

    def __init__(self, settings: Settings, channels: tuple[Channel, ...]) -> None:
        super().__init__(DelivererState(channels={c.name: ChannelState() for c in channels}))
        self._settings = settings
        self._channels = {channel.name: channel for channel in channels}
        self._exchanges = {account.name: account.exchange for account in settings.accounts}
        self._summaries = Summaries(self, settings)

    def on_start(self) -> None:
        self.tell_self(Look())
        if self._settings.alerts.daily_summary is not None:
            self.tell_self(SummaryDue())

    @handles
    async def look(self, message: Look) -> None:
        await self._all()
        waiting = await ask_ledger(self, PendingDeliveries(limit=1_000))
        strangers = [d.channel for d in waiting if d.channel not in self._channels]
        if strangers and not self.state.elsewhere:
            self.log.warning(
                "{} notices wait for channels that are not configured: {}",
                len(strangers),
                ", ".join(sorted(set(strangers))),
            )
        self.state.elsewhere = len(strangers)
        self.after(LOOK_EVERY, Look())

    @handles
    async def new_notice(self, message: NewNotice) -> None:
        await self._all()

    @handles
    async def work_off(self, message: WorkOff) -> None:
        self.state.channels[message.channel].resting = False
        await self._next(message.channel)

    @handles
    async def summary_due(self, message: SummaryDue) -> None:
        self.after(await self._summaries.tend(), SummaryDue())

    async def _all(self) -> None:
        for name in self._channels:
            await self._next(name)

    async def _next(self, name: str) -> None:
        """Send the next notice of a channel, unless it is at work or at rest."""
        if name in self.state.sending or self.state.channels[name].resting:
            return
        while True:
            waiting = await ask_ledger(self, PendingDeliveries(channel=name, limit=BATCH))
            wanted = [d for d in waiting if not self._outdated(d, waiting)]
            for delivery in waiting:
                if delivery not in wanted:
                    self.state.channels[name].skipped += 1
                    await self._done_with(delivery)
            if wanted:
                self._send(name, _choose(wanted))
                return
            if len(waiting) < BATCH:
                return

    def _outdated(self, delivery: Delivery, waiting: tuple[Delivery, ...]) -> bool:
        """Whether it is a reminder of what is over, or of a type that is switched off."""
        alert = delivery.alert
        loudness = self._settings.alerts.loudness(alert.type)
        if loudness is Loudness.OFF:
            return True
        if delivery.kind is not NoticeKind.REMINDER:
            return False
        newer = any(d.alert.id == alert.id and d.id > delivery.id for d in waiting)
        over = alert.resolved_at is not None or alert.acked_at is not None
        return newer or over or loudness is Loudness.SILENT

    def _send(self, name: str, delivery: Delivery) -> None:
        self.state.sending[name] = delivery.id
        self.work(self._sent(self._channels[name], delivery), delivery, name=f"send {name}")

    async def _sent(self, channel: Channel, delivery: Delivery) -> str | None:
        silent = self._settings.alerts.loudness(delivery.alert.type) is Loudness.SILENT
        notice = notification_of(delivery, self._exchanges, silent=silent)
        scrubber = self.system.scrubber
        clean = msgspec.structs.replace(
            notice, title=scrubber.text(notice.title), body=scrubber.text(notice.body)
        )
        try:
            async with asyncio.timeout(SEND_LIMIT):
                return await channel.send(clean)
        except TimeoutError:
            # A channel that hangs is the outside world's doing: the notice stays, and rests.
            return f"no answer within {SEND_LIMIT:g} s"

    @handles
    async def worked(self, message: WorkerDone) -> None:
        delivery = message.tag
        if not isinstance(delivery, Delivery):
            return
        if isinstance(message.result, str):
            await self._refused(delivery, message.result)
            return
        state = self.state.channels[delivery.channel]
        await self._done_with(delivery)
        if state.refusals >= TROUBLED_AFTER or state.sent == 0:
            # After a restart too: this state does not know what an earlier incarnation raised.
            resolution = "it takes notices again"
            self.tell(
                paths.ALERTS,
                ResolveAlert(dedup_key=channel_key(delivery.channel), resolution=resolution),
            )
        state.sent += 1
        state.refusals = 0
        state.last_error = ""
        self.state.sending.pop(delivery.channel, None)
        await self._next(delivery.channel)

    @handles
    async def crashed(self, message: Down) -> None:
        """A channel's own code failed. It may be an operator's function: the notice stays."""
        if isinstance(message.tag, Delivery):
            await self._refused(message.tag, f"its code failed: {type(message.error).__name__}")

    async def _refused(self, delivery: Delivery, why: str) -> None:
        name = delivery.channel
        why = self.system.scrubber.text(why)
        await ask_ledger(self, NoteDeliveryFailed(delivery_id=delivery.id, channel=name, why=why))
        state = self.state.channels[name]
        state.failed += 1
        state.refusals += 1
        state.last_error = why
        state.resting = True
        self.state.sending.pop(name, None)
        delay = backoff(state.refusals, RETRY_FIRST, RETRY_LAST)
        self.log.warning("Channel {} refused a notice ({}), again in {:.0f} s", name, why, delay)
        if state.refusals == TROUBLED_AFTER:
            self.tell(paths.ALERTS, RaiseAlert(draft=channel_refuses(name, TROUBLED_AFTER, why)))
        self.after(timedelta(seconds=delay), WorkOff(channel=name))

    async def _done_with(self, delivery: Delivery) -> None:
        await ask_ledger(self, NoteDelivered(delivery_id=delivery.id, channel=delivery.channel))


def _choose(wanted: list[Delivery]) -> Delivery:
    """The least tried, of each alert the oldest: one refused for what it says stops no other."""
    first: dict[int, Delivery] = {}
    for delivery in wanted:
        first.setdefault(delivery.alert.id, delivery)
    return min(first.values(), key=lambda delivery: (delivery.attempts, delivery.id))
