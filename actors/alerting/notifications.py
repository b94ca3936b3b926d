"""What is sent to people: an alert's notification in words, and what a channel must offer.

`actors.delivery` decides when and how often; `console.service.channels` has the channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from messages.ledger import Alert, AlertLevel, AlertType, Delivery, NoticeKind


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One message to people, and the facts it is made of.

    `exchange` is the account's ccxt id. `silent` asks the channel to make no sound, where it can.
    """

    kind: NoticeKind
    type: AlertType
    level: AlertLevel
    exchange: str
    symbol: str
    title: str
    body: str
    silent: bool
    details: dict[str, object]


class Channel(Protocol):
    """A way to people. Names are unique, the same after a restart, and hold no secret."""

    @property
    def name(self) -> str: ...

    async def send(self, notice: Notification) -> str | None:
        """Send it; None when it was taken, or why it was not, without any secret."""


def notification_of(
    delivery: Delivery, exchanges: Mapping[str, str], *, silent: bool
) -> Notification:
    """The words of a delivery that waits. `exchanges` has each account's ccxt id."""
    alert = delivery.alert
    return Notification(
        kind=delivery.kind,
        type=alert.type,
        level=AlertLevel.INFO if delivery.kind is NoticeKind.RESOLVED else alert.level,
        exchange=exchanges.get(alert.account, ""),
        symbol=alert.symbol,
        title=_title(delivery),
        body=_body(delivery),
        silent=silent,
        details={
            **alert.details,
            "kind": delivery.kind.value,
            "alert_id": alert.id,
            "account": alert.account,
            "side": alert.side,
            "level": alert.level.value,
            "title": alert.title,
            "seen": alert.seen,
            "done": alert.done,
            "next_step": alert.next_step,
            "raised_at": alert.raised_at.isoformat(),
            "resolution": alert.resolution if delivery.kind is NoticeKind.RESOLVED else "",
        },
    )


def _title(delivery: Delivery) -> str:
    alert = delivery.alert
    match delivery.kind:
        case NoticeKind.RAISED:
            word = alert.level.value.upper()
        case NoticeKind.REMINDER:
            word = f"STILL {alert.level.value.upper()}"
        case NoticeKind.RESOLVED:
            word = "RESOLVED"
    return f"{word}: {alert.title}"


def _body(delivery: Delivery) -> str:
    alert = delivery.alert
    where = " ".join(word for word in (alert.account, alert.symbol, alert.side) if word)
    lines = [where] if where else []
    if delivery.kind is NoticeKind.RESOLVED:
        lines.append(f"It is over: {alert.resolution}")
    sentences = (("Seen", alert.seen), ("Done", alert.done), ("Next", alert.next_step))
    lines += [f"{word}: {text}" for word, text in sentences if text]
    lines += [f"{name.replace('_', ' ')}: {value}" for name, value in alert.details.items()]
    lines.append(f"{alert.type.value}, raised {alert.raised_at:%Y-%m-%d %H:%M:%S} UTC")
    if _open(alert):
        lines.append(f"Seen it? `sexton ack {alert.id}`")
    return "\n".join(lines)


def _open(alert: Alert) -> bool:
    return alert.lasting and alert.resolved_at is None and alert.acked_at is None
