"""Fills by the row that they ended, so that none of them is booked for another row as well."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.dml import ReturningInsert

from messages.ledger import BookedFill, EventDraft, RowClose
from messages.values import LegKey
from storage.database import Database, Insert, insert
from storage.tables import booked_fills

_KEY = [booked_fills.c[name] for name in ("account", "symbol", "fill_id", "row_id")]
_THIS_PART = sa.and_(*(column == sa.bindparam(f"of_{column.name}") for column in _KEY))
_PART = sa.select(booked_fills.c.quantity).where(_THIS_PART).with_for_update()
_ADDING = (
    sa.update(booked_fills)
    .where(_THIS_PART)
    .values(
        {
            name: sa.bindparam(f"new_{name}", type_=booked_fills.c[name].type)
            for name in ("quantity", "closed_at", "booked_at")
        }
    )
)


def book(
    connection: Connection,
    closes: Sequence[RowClose],
    changed: Sequence[int],
    leg: EventDraft,
    now: datetime,
) -> None:
    """Store the fills of those closings that took place, within the open transaction.

    A row that was closed, opened again and closed by another part of the same fill has both.
    """
    for close in closes:
        if close.row_id in changed:
            for fill in sorted(close.fills, key=lambda fill: fill.fill_id):
                _book(connection, close, fill, leg, now)


def _book(
    connection: Connection, close: RowClose, fill: BookedFill, leg: EventDraft, now: datetime
) -> None:
    values = {
        "account": leg.account,
        "symbol": leg.symbol,
        "side": leg.side,
        "fill_id": fill.fill_id,
        "row_id": close.row_id,
        "order_id": fill.order_id,
        "quantity": fill.quantity,
        "closed_at": close.closed_at,
        "booked_at": now,
    }
    statement = _booking(insert(connection, booked_fills))
    if connection.execute(statement, values).one_or_none() is not None:
        return
    # Added up here and not in SQL: SQLite has no exact decimals.
    which = {f"of_{column.name}": values[column.name] for column in _KEY}
    before = connection.execute(_PART, which).scalar_one()
    changes = {
        "new_quantity": before + fill.quantity,
        "new_closed_at": close.closed_at,
        "new_booked_at": now,
    }
    connection.execute(_ADDING, {**which, **changes})


@functools.cache
def _booking(plain: Insert) -> ReturningInsert[tuple[str]]:
    return plain.on_conflict_do_nothing(index_elements=_KEY).returning(booked_fills.c.fill_id)


class Fills:
    """The ledger's method about booked fills."""

    _db: Database

    async def booked_fills(self, key: LegKey, since: datetime) -> tuple[BookedFill, ...]:
        """The fills of a leg that ended rows of it, of rows closed at `since` or later.

        Both the closing's own instant and the one at which it was written count: rather one too
        many than a fill that is taken for another row's.
        """
        query = (
            sa.select(
                booked_fills.c.fill_id,
                booked_fills.c.quantity,
                booked_fills.c.order_id,
                booked_fills.c.row_id,
            )
            .where(
                booked_fills.c.account == key.account,
                booked_fills.c.symbol == key.symbol,
                booked_fills.c.side == key.side,
                sa.or_(booked_fills.c.booked_at >= since, booked_fills.c.closed_at >= since),
            )
            .order_by(booked_fills.c.booked_at, booked_fills.c.row_id, booked_fills.c.fill_id)
        )
        return await self._db.read(
            lambda connection: tuple(
                BookedFill(**row) for row in connection.execute(query).mappings()
            )
        )
