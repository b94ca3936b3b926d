"""Retention: what is old and settled leaves the ledger, first into a file if wanted.

Positions, their fills and intents stay for good. Nothing that is open, pending or unresolved is
touched.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from messages.ledger import Event
from storage.audit import event_of
from storage.database import Database
from storage.tables import alerts, commands, deliveries, events, orphan_actions

BATCH = 2_000
"""Rows a transaction: other writers get their turn in between."""


class Retention:
    """The ledger's method about old rows."""

    _db: Database

    async def prune(self, older_than: datetime, export: Path | None = None) -> int:
        """Remove events from before `older_than`; returns how many.

        With `export` they are appended to that file as JSON Lines, and are on the disk before
        they are removed: a crash in between exports some twice, and loses none. Deliveries that
        went out, alerts that are resolved, commands that have ended and orphan actions of that age
        go too. Raises OSError
        where the file can't be written; nothing of that batch is removed then.
        """
        removed = 0
        while batch := await self._db.read(lambda connection: _old(connection, older_than)):
            if export is not None:
                await asyncio.to_thread(_append_lines, export, batch)
            await self._db.write(partial(_remove, [event.seq for event in batch]), alone=True)
            removed += len(batch)
        await self._db.write(lambda connection: _remove_settled(connection, older_than), alone=True)
        return removed


def _old(connection: Connection, older_than: datetime) -> tuple[Event, ...]:
    query = sa.select(events).where(events.c.at < older_than).order_by(events.c.seq).limit(BATCH)
    return tuple(map(event_of, connection.execute(query).mappings()))


def _append_lines(file: Path, batch: Sequence[Event]) -> None:
    with file.open("ab") as out:
        out.write(b"".join(msgspec.json.encode(event) + b"\n" for event in batch))
        out.flush()
        os.fsync(out.fileno())


def _remove(seqs: list[int], connection: Connection) -> None:
    connection.execute(sa.delete(events).where(events.c.seq.in_(seqs)))


def _remove_settled(connection: Connection, older_than: datetime) -> None:
    connection.execute(sa.delete(deliveries).where(deliveries.c.delivered_at < older_than))
    waiting = sa.exists().where(deliveries.c.alert_id == alerts.c.id)
    connection.execute(sa.delete(alerts).where(alerts.c.resolved_at < older_than, ~waiting))
    connection.execute(sa.delete(commands).where(commands.c.ended_at < older_than))
    connection.execute(sa.delete(orphan_actions).where(orphan_actions.c.acted_at < older_than))
