"""Events: the append-only audit trail, in the order of `seq`."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.sql.dml import ReturningInsert

from messages.ledger import Event, EventDraft, Lease
from storage.database import Database, Insert, insert
from storage.tables import events

# PostgreSQL hands `seq` out before the commit; one appender at a time keeps readers of
# `after_seq` from overtaking an event that commits late.
APPEND_LOCK = 0x736578746F6F


def event_of(row: RowMapping) -> Event:
    return Event(**row)


def append(connection: Connection, drafts: Iterable[EventDraft]) -> tuple[Event, ...]:
    """Append drafts within the open transaction; one whose id is there already is left alone."""
    wanted = tuple(drafts)
    if connection.dialect.name == "postgresql" and wanted:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPEND_LOCK})
    return tuple(_append(connection, draft) for draft in wanted)


def _append(connection: Connection, draft: EventDraft) -> Event:
    values = {
        "event_id": draft.event_id,
        "at": draft.at,
        "kind": draft.kind,
        "account": draft.account,
        "symbol": draft.symbol,
        "side": draft.side,
        "actor": draft.actor,
        "details": draft.details,
    }
    statement = _appending(insert(connection, events))
    written = connection.execute(statement, values).mappings().one_or_none()
    if written is None:
        stored = sa.select(events).where(events.c.event_id == draft.event_id)
        written = connection.execute(stored).mappings().one()
    return event_of(written)


@functools.cache
def _appending(plain: Insert) -> ReturningInsert[tuple[object, ...]]:
    return plain.on_conflict_do_nothing(index_elements=[events.c.event_id]).returning(events)


class Events:
    """The ledger's methods about events."""

    _db: Database

    async def append_event(self, draft: EventDraft, *, lease: Lease | None = None) -> Event:
        """Append one event; the stored one is returned where its id was there already."""
        (event,) = await self.append_events((draft,), lease=lease)
        return event

    async def append_events(
        self, drafts: Iterable[EventDraft], *, lease: Lease | None = None
    ) -> tuple[Event, ...]:
        """Append several events in one transaction, in the order given."""
        wanted = tuple(drafts)
        return await self._db.write(lambda connection: append(connection, wanted), lease=lease)

    async def event_symbols(self) -> tuple[str, ...]:
        """Every symbol that events speak of, as they spell it."""
        query = sa.select(events.c.symbol).where(events.c.symbol != "").distinct()
        found = await self._db.read(lambda connection: connection.execute(query).scalars().all())
        return tuple(sorted(found))

    async def events(
        self,
        *,
        account: str | None = None,
        symbol: str | None = None,
        kind: str | None = None,
        after_seq: int = 0,
        since: datetime | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> tuple[Event, ...]:
        """Events beyond `after_seq` that match, at most `limit`, oldest first unless asked."""
        query = sa.select(events).where(events.c.seq > after_seq).limit(limit)
        if since is not None:
            query = query.where(events.c.at >= since)
        for column, value in (
            (events.c.account, account),
            (events.c.symbol, symbol),
            (events.c.kind, kind),
        ):
            if value is not None:
                query = query.where(column == value)
        query = query.order_by(events.c.seq.desc() if newest_first else events.c.seq)
        return await self._db.read(
            lambda connection: tuple(map(event_of, connection.execute(query).mappings()))
        )
