"""Positions: the bot's rows, and the writes that close them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.sql.dml import ReturningUpdate

from messages.ledger import (
    AlertDraft,
    ClosedRows,
    EventDraft,
    Intent,
    Lease,
    NewPosition,
    PositionRow,
    RowClose,
    RowStatus,
)
from messages.values import check_amounts
from storage import alerts, audit, fills
from storage import counters as statistics
from storage.active import ActiveReader
from storage.database import Database, insert
from storage.orders import put_intent
from storage.tables import positions

_INTERNAL = ("revision", "closing_event", "request_id")
_COLUMNS = [column for column in positions.c if column.name not in _INTERNAL]


class Unchanged(Enum):
    """Says that a value stays as it is, where None is a value."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


def row_of(row: RowMapping) -> PositionRow:
    return PositionRow(**row)


# Made once: SQLAlchemy takes longer to work out what a statement says than SQLite to run it.
_CLOSING = (
    sa.update(positions)
    .where(positions.c.id == sa.bindparam("row_id"), positions.c.status == RowStatus.ACTIVE)
    .values(
        status=RowStatus.CLOSED,
        revision=positions.c.revision + 1,
        **{
            name: sa.bindparam(name, type_=positions.c[name].type)
            for name in (
                "exit_price",
                "exit_source",
                "exit_reason",
                "realized_pnl",
                "closed_at",
                "closing_event",
                "updated_at",
            )
        },
    )
)


def close_in(
    connection: Connection, closes: Sequence[RowClose], event_id: str, now: datetime
) -> tuple[int, ...]:
    """Close what is still active, within the open transaction. Returns the ids that changed.

    Always in the order of ids, so that two closings never wait for each other.
    """
    in_order = sorted(closes, key=lambda close: close.row_id)
    return tuple(close.row_id for close in in_order if _close(connection, close, event_id, now))


def _moved(connection: Connection, closes: Sequence[RowClose]) -> tuple[int, ...]:
    """Rows that are still active and have changed since they were judged, held until the end.

    Instants are compared here: triggers write them in another spelling than this program.
    """
    judged = {close.row_id: close.changed_at for close in closes if close.changed_at is not None}
    if not judged:
        return ()
    query = (
        sa.select(positions.c.id, positions.c.updated_at)
        .where(positions.c.id.in_(judged), positions.c.status == RowStatus.ACTIVE)
        .order_by(positions.c.id)
        .with_for_update()
    )
    return tuple(row.id for row in connection.execute(query) if row.updated_at != judged[row.id])


def _close(connection: Connection, close: RowClose, event_id: str, now: datetime) -> bool:
    result = connection.execute(
        _CLOSING,
        {
            "row_id": close.row_id,
            "exit_price": close.exit_price,
            "exit_source": close.exit_source,
            "exit_reason": close.reason,
            "realized_pnl": close.realized_pnl,
            "closed_at": close.closed_at,
            "closing_event": event_id,
            "updated_at": now,
        },
    )
    return result.rowcount > 0


def _closed_before(
    connection: Connection, closes: Sequence[RowClose], event_id: str
) -> tuple[int, ...]:
    ids = [close.row_id for close in closes]
    query = sa.select(positions.c.id).where(
        positions.c.id.in_(ids), positions.c.closing_event == event_id
    )
    return tuple(connection.execute(query.order_by(positions.c.id)).scalars())


class Positions:
    """The ledger's methods about positions."""

    _db: Database
    _channels: tuple[str, ...]
    _active: ActiveReader

    async def add_position(
        self, new: NewPosition, *, event: EventDraft | None = None, lease: Lease | None = None
    ) -> PositionRow:
        """Write an active row. A `request_id` that is there already returns its row unchanged."""
        values = {
            "account": new.account,
            "symbol": new.symbol,
            "side": str(new.side),
            "quantity": new.quantity,
            "entry_price": new.entry_price,
            "opened_at": new.opened_at,
            "stop_price": new.stop_price,
            "trailing_active": new.trailing_active,
            "held": new.held,
            "request_id": new.request_id,
            "updated_at": self._db.now(),
            "revision": 1,
        }

        def job(connection: Connection) -> PositionRow:
            statement = (
                insert(connection, positions)
                .values(**values)
                .on_conflict_do_nothing(index_elements=[positions.c.request_id])
                .returning(*_COLUMNS)
            )
            written = connection.execute(statement).mappings().one_or_none()
            if written is None:
                stored = sa.select(*_COLUMNS).where(positions.c.request_id == new.request_id)
                written = connection.execute(stored).mappings().one()
            elif event is not None:
                audit.append(connection, (event,))
            return row_of(written)

        return await self._db.write(job, lease=lease)

    async def active_rows(self, account: str | None = None) -> tuple[PositionRow, ...]:
        """Every active row, of one account or of all, oldest id first."""
        return await self._db.read_shared("active rows", account, self._active.read_each)

    async def rows(
        self,
        *,
        account: str | None = None,
        symbol: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> tuple[PositionRow, ...]:
        """Rows that match exactly what is given, newest id first."""
        query = sa.select(*_COLUMNS).order_by(positions.c.id.desc()).limit(limit)
        for column, value in (
            (positions.c.account, account),
            (positions.c.symbol, symbol),
            (positions.c.status, status),
        ):
            if value is not None:
                query = query.where(column == value)
        return await self._rows(query)

    async def closed_since(self, account: str, since: datetime) -> tuple[PositionRow, ...]:
        """Rows of an account that were closed at `since` or later, by whomever, newest first.

        What counts is when it was written: a bot may date its exit back, or not at all.
        """
        query = (
            sa.select(*_COLUMNS)
            .where(positions.c.account == account, positions.c.updated_at >= since)
            .where(positions.c.status == sa.literal_column("'closed'"))
            .order_by(positions.c.updated_at.desc(), positions.c.id.desc())
        )
        return await self._rows(query)

    async def row(self, row_id: int) -> PositionRow | None:
        """One row by id."""
        found = await self._rows(sa.select(*_COLUMNS).where(positions.c.id == row_id))
        return found[0] if found else None

    async def _rows(self, query: sa.Select[tuple[object, ...]]) -> tuple[PositionRow, ...]:
        return await self._db.read(
            lambda connection: tuple(map(row_of, connection.execute(query).mappings()))
        )

    async def close_rows(
        self,
        closes: Sequence[RowClose],
        *,
        event: EventDraft,
        alert: AlertDraft | None = None,
        settles: Sequence[Intent] = (),
        counters: Mapping[str, int] | None = None,
        lease: Lease | None = None,
    ) -> ClosedRows:
        """Close the rows among `closes` that are still active, with all that belongs to it.

        If one of them has changed since it was judged, nothing is written. The event, the alert
        and the counters (of the event's account) are written only if a row changed; the fills only
        of rows that did, as the event's leg's; the intents in `settles` in any case. Repeated with
        the same event id, it changes nothing more and names the same rows.
        """
        now = self._db.now()

        def job(connection: Connection) -> ClosedRows:
            moved = _moved(connection, closes)
            if moved:
                return ClosedRows(changed=(), moved=moved)
            changed = close_in(connection, closes, event.event_id, now)
            for intent in settles:
                put_intent(connection, intent)
            if not changed:
                return ClosedRows(changed=_closed_before(connection, closes, event.event_id))
            fills.book(connection, closes, changed, event, now)
            audit.append(connection, (event,))
            if alert is not None:
                alerts.raise_in(connection, alert, now, self._channels)
            if counters:
                statistics.add(connection, event.account, counters)
            return ClosedRows(changed=changed)

        return await self._db.write(job, lease=lease)

    async def amend_position(
        self,
        account: str,
        row_id: int,
        *,
        quantity: Decimal | None = None,
        entry_price: Decimal | None = None,
        stop_price: Decimal | Unchanged | None = UNCHANGED,
        trailing_active: bool | None = None,
    ) -> PositionRow | None:
        """Change what is given of an account's active row: the bot's own right.

        Returns the row as it is now; None where the account has no such active row. Raises
        ValueError for what is no amount.
        """
        stop = None if isinstance(stop_price, Unchanged) else stop_price
        check_amounts(quantity, entry_price, stop)
        given = {
            "quantity": quantity,
            "entry_price": entry_price,
            "trailing_active": trailing_active,
        }
        changes: dict[str, object] = {
            name: value for name, value in given.items() if value is not None
        }
        if not isinstance(stop_price, Unchanged):
            changes["stop_price"] = stop_price
        query = (
            sa.update(positions)
            .where(positions.c.id == row_id, positions.c.account == account)
            .where(positions.c.status == RowStatus.ACTIVE)
            .values(**changes, updated_at=self._db.now(), revision=positions.c.revision + 1)
            .returning(*_COLUMNS)
        )

        def job(connection: Connection) -> PositionRow | None:
            row = connection.execute(query).mappings().one_or_none()
            return None if row is None else row_of(row)

        return await self._db.write(job)

    async def set_held(
        self,
        row_ids: Iterable[int],
        held: bool,
        *,
        event: EventDraft | None = None,
        lease: Lease | None = None,
    ) -> tuple[int, ...]:
        """Hold or release active rows. Returns the ids that changed; the event only if any did."""
        query = (
            sa.update(positions)
            .where(positions.c.id.in_(tuple(row_ids)))
            .where(positions.c.status == RowStatus.ACTIVE)
            .where(positions.c.held != held)
            .values(held=held, updated_at=self._db.now(), revision=positions.c.revision + 1)
            .returning(positions.c.id)
        )
        return await self._update_rows(query, event, lease)

    async def set_stop(
        self,
        row_ids: Iterable[int],
        price: Decimal | None,
        *,
        event: EventDraft | None = None,
        lease: Lease | None = None,
    ) -> tuple[int, ...]:
        """Write the stop price (quote currency) of active rows. Returns the ids it was set on."""
        query = (
            sa.update(positions)
            .where(positions.c.id.in_(tuple(row_ids)))
            .where(positions.c.status == RowStatus.ACTIVE)
            .values(stop_price=price, updated_at=self._db.now(), revision=positions.c.revision + 1)
            .returning(positions.c.id)
        )
        return await self._update_rows(query, event, lease)

    async def _update_rows(
        self,
        query: ReturningUpdate[int],
        event: EventDraft | None,
        lease: Lease | None,
    ) -> tuple[int, ...]:
        def job(connection: Connection) -> tuple[int, ...]:
            changed = tuple(sorted(row.id for row in connection.execute(query)))
            if changed and event is not None:
                audit.append(connection, (event,))
            return changed

        return await self._db.write(job, lease=lease)
