"""Deliveries: each notice of an alert waits here, per channel, until it has been delivered.

Notices are written in the transaction that raises, reminds or resolves, for the channels that
`use_channels` named: so none is lost between being stored and being sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from messages.ledger import Alert, AlertLevel, AlertType, Delivery, NoticeKind
from storage.database import Database
from storage.tables import alerts, deliveries


def alert_of(row: RowMapping) -> Alert:
    fields = {column.name: row[column] for column in alerts.c}
    fields["type"] = AlertType(fields["type"])
    fields["level"] = AlertLevel(fields["level"])
    return Alert(**fields)


def enqueue(
    connection: Connection, alert_id: int, kind: NoticeKind, now: datetime, channels: Iterable[str]
) -> None:
    """Queue one notice on each channel, within the open transaction."""
    for channel in channels:
        connection.execute(
            sa.insert(deliveries).values(
                alert_id=alert_id, kind=kind, channel=channel, created_at=now
            )
        )


def _delivery(row: RowMapping) -> Delivery:
    return Delivery(
        id=row[deliveries.c.id],
        alert=alert_of(row),
        kind=NoticeKind(row[deliveries.c.kind]),
        channel=row[deliveries.c.channel],
        created_at=row[deliveries.c.created_at],
        attempts=row[deliveries.c.attempts],
        tried_at=row[deliveries.c.tried_at],
        last_error=row[deliveries.c.last_error],
    )


class Outbox:
    """The ledger's methods about deliveries."""

    _db: Database
    _channels: tuple[str, ...]

    def use_channels(self, names: Iterable[str]) -> None:
        """Name the channels that notices written from now on are queued for."""
        self._channels = tuple(names)

    async def pending_deliveries(
        self, limit: int = 100, *, channel: str | None = None
    ) -> tuple[Delivery, ...]:
        """Notices not yet delivered, oldest first, with the alert as it is now.

        With `channel` only that one's: a channel that is down never hides another's.
        """
        query = (
            sa.select(alerts, deliveries)
            .join(alerts, alerts.c.id == deliveries.c.alert_id)
            .where(deliveries.c.delivered_at.is_(None))
            .order_by(deliveries.c.id)
            .limit(limit)
        )
        if channel is not None:
            query = query.where(deliveries.c.channel == channel)
        return await self._db.read(
            lambda connection: tuple(map(_delivery, connection.execute(query).mappings()))
        )

    async def delivered(self, delivery_id: int, channel: str) -> None:
        """Note that a notice has gone out on its channel, or is not wanted there."""
        now = self._db.now()
        await self._tried(delivery_id, channel, now, delivered_at=now, last_error="")

    async def delivery_failed(self, delivery_id: int, channel: str, why: str) -> None:
        """Note a failed try; the notice stays pending."""
        await self._tried(delivery_id, channel, self._db.now(), last_error=why)

    async def _tried(self, delivery_id: int, channel: str, now: datetime, **values: object) -> None:
        statement = (
            sa.update(deliveries)
            .where(deliveries.c.id == delivery_id, deliveries.c.channel == channel)
            .where(deliveries.c.delivered_at.is_(None))
            .values(tried_at=now, attempts=deliveries.c.attempts + 1, **values)
        )

        def job(connection: Connection) -> None:
            connection.execute(statement)

        await self._db.write(job)
