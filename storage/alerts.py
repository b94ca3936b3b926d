"""Alerts: stored before they are sent, one open alert for each `dedup_key`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from messages.ledger import Alert, AlertDraft, AlertRaised, AlertType, Lease, NoticeKind
from storage.database import Database, insert
from storage.outbox import alert_of, enqueue
from storage.tables import alerts

SAID_ONCE = "said once"
# The same non-lasting draft again within this time is a repeat after a lost reply, not news.
REPEAT_WINDOW = timedelta(minutes=1)

# Made once: each aged leg that ends resolves whatever may have been said of it.
_RESOLVING = (
    sa.update(alerts)
    .where(alerts.c.dedup_key == sa.bindparam("wanted"), alerts.c.resolved_at.is_(None))
    .values(
        resolved_at=sa.bindparam("resolved_at", type_=alerts.c.resolved_at.type),
        resolution=sa.bindparam("resolution", type_=alerts.c.resolution.type),
    )
    .returning(alerts)
)


def raise_in(
    connection: Connection, draft: AlertDraft, now: datetime, channels: Iterable[str]
) -> AlertRaised:
    """Store a draft within the open transaction, or touch the alert that it repeats."""
    known = _repeated(connection, draft, now)
    while known is None:
        written = connection.execute(_insertion(connection, draft, now)).mappings().one_or_none()
        if written is not None:
            alert = alert_of(written)
            enqueue(connection, alert.id, NoticeKind.RAISED, now, channels)
            return AlertRaised(alert=alert, new=True)
        # Another session has raised it since we looked; it is committed now and can be seen.
        known = _repeated(connection, draft, now)
    touched = (
        sa.update(alerts)
        .where(alerts.c.id == known)
        .values(
            last_seen_at=now,
            level=draft.level,
            title=draft.title,
            seen=draft.seen,
            done=draft.done,
            next_step=draft.next_step,
            details=draft.details,
        )
        .returning(alerts)
    )
    return AlertRaised(alert=alert_of(connection.execute(touched).mappings().one()), new=False)


def _repeated(connection: Connection, draft: AlertDraft, now: datetime) -> int | None:
    query = sa.select(alerts.c.id).where(alerts.c.dedup_key == draft.dedup_key)
    if draft.lasting:
        query = query.where(alerts.c.resolved_at.is_(None))
    else:
        query = query.where(
            alerts.c.lasting == sa.false(), alerts.c.last_seen_at > now - REPEAT_WINDOW
        )
    found: int | None = connection.execute(
        query.order_by(alerts.c.id.desc()).limit(1).with_for_update()
    ).scalar_one_or_none()
    return found


def _insertion(
    connection: Connection, draft: AlertDraft, now: datetime
) -> ReturningInsert[tuple[object, ...]]:
    return (
        insert(connection, alerts)
        .values(
            type=draft.type,
            level=draft.level,
            dedup_key=draft.dedup_key,
            title=draft.title,
            account=draft.account,
            symbol=draft.symbol,
            side=draft.side,
            seen=draft.seen,
            done=draft.done,
            next_step=draft.next_step,
            details=draft.details,
            lasting=draft.lasting,
            raised_at=now,
            last_seen_at=now,
            reminders=0,
            acked_by="",
            resolved_at=None if draft.lasting else now,
            resolution="" if draft.lasting else SAID_ONCE,
        )
        .on_conflict_do_nothing(
            index_elements=[alerts.c.dedup_key], index_where=alerts.c.resolved_at.is_(None)
        )
        .returning(alerts)
    )


class Alerts:
    """The ledger's methods about alerts."""

    _db: Database
    _channels: tuple[str, ...]

    async def raise_alert(self, draft: AlertDraft, *, lease: Lease | None = None) -> AlertRaised:
        """Store an alert, or touch the open one of the same `dedup_key`.

        An alert that is not `lasting` is stored as resolved; the same one again within a minute
        is taken for a repeat.
        """
        now = self._db.now()
        return await self._db.write(
            lambda connection: raise_in(connection, draft, now, self._channels), lease=lease
        )

    async def open_alerts(
        self,
        *,
        account: str | None = None,
        type: AlertType | None = None,  # noqa: A002
    ) -> tuple[Alert, ...]:
        """Alerts that are not resolved, oldest first."""
        query = sa.select(alerts).where(alerts.c.resolved_at.is_(None)).order_by(alerts.c.id)
        if account is not None:
            query = query.where(alerts.c.account == account)
        if type is not None:
            query = query.where(alerts.c.type == type)
        return await self._alerts(query)

    async def alerts(self, limit: int = 100, *, account: str | None = None) -> tuple[Alert, ...]:
        """The latest alerts, resolved ones among them, newest first."""
        query = sa.select(alerts).order_by(alerts.c.id.desc()).limit(limit)
        if account is not None:
            query = query.where(alerts.c.account == account)
        return await self._alerts(query)

    async def alert(self, alert_id: int) -> Alert | None:
        """One alert by id."""
        found = await self._alerts(sa.select(alerts).where(alerts.c.id == alert_id))
        return found[0] if found else None

    async def _alerts(self, query: sa.Select[tuple[object, ...]]) -> tuple[Alert, ...]:
        return await self._db.read(
            lambda connection: tuple(map(alert_of, connection.execute(query).mappings()))
        )

    async def resolve_alert(
        self, dedup_key: str, resolution: str, *, lease: Lease | None = None
    ) -> Alert | None:
        """Resolve the open alert of this key; None where there is none."""
        said = {"wanted": dedup_key, "resolved_at": self._db.now(), "resolution": resolution}
        return await self._told(_RESOLVING, NoticeKind.RESOLVED, lease, said)

    async def ack_alert(self, alert_id: int, by: str) -> Alert | None:
        """Note who has seen an alert; the first one stays noted. None: there is no such alert."""
        return await self._told(
            sa.update(alerts)
            .where(alerts.c.id == alert_id)
            .values(
                acked_at=sa.func.coalesce(
                    alerts.c.acked_at, sa.literal(self._db.now(), alerts.c.acked_at.type)
                ),
                acked_by=sa.case((alerts.c.acked_at.is_(None), by), else_=alerts.c.acked_by),
            )
            .returning(alerts),
            None,
            None,
        )

    async def reminded_alert(self, alert_id: int, *, lease: Lease | None = None) -> None:
        """Note that a reminder of an alert goes out now."""
        await self._told(
            sa.update(alerts)
            .where(alerts.c.id == alert_id)
            .values(reminded_at=self._db.now(), reminders=alerts.c.reminders + 1)
            .returning(alerts),
            NoticeKind.REMINDER,
            lease,
        )

    async def _told(
        self,
        statement: ReturningUpdate[tuple[object, ...]],
        kind: NoticeKind | None,
        lease: Lease | None,
        values: dict[str, object] | None = None,
    ) -> Alert | None:
        now = self._db.now()

        def job(connection: Connection) -> Alert | None:
            row = connection.execute(statement, values).mappings().one_or_none()
            if row is None:
                return None
            if kind is not None:
                enqueue(connection, row["id"], kind, now, self._channels)
            return alert_of(row)

        return await self._db.write(job, lease=lease)
