"""Another program's open positions, copied into this ledger's rows, and kept the same.

The guard then judges, holds and closes its own copy, and the other database is only read. A copy
is known by its `request_id`. Leaves reading the other database to `storage.sources`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from messages.ledger import PositionRow, RowClose, RowStatus
from storage.database import Database, insert
from storage.tables import positions

LEFT = "closed in the source"
"""Why a copy is closed whose original is not open any more: the bot's own doing."""

_PREFIX = "source:"
_CHUNK = 500
_COPIED = (
    "account",
    "symbol",
    "side",
    "quantity",
    "entry_price",
    "opened_at",
    "stop_price",
    "trailing_active",
)


class Mirror:
    """The ledger's method about copies."""

    _db: Database

    async def mirror(self, source: str, rows: Sequence[PositionRow]) -> tuple[RowClose, ...]:
        """Make the copies of `source` (a short name) equal to `rows`, its open positions.

        Returns the closings, under the source's own ids, of what this guard has closed and the
        source still has open. Such a copy opens again only if its original changed after its
        closing (`updated_at`). One that the source holds is held; no hold is ended here.
        """
        now = self._db.now()
        named = {f"{_PREFIX}{source}:{row.id}": row for row in rows}

        def job(connection: Connection) -> tuple[RowClose, ...]:
            known = {str(copy["request_id"]): copy for copy in _known(connection, source, named)}
            ended = []
            for name, row in named.items():
                copy = known.get(name)
                if copy is None:
                    values = {**_values(row), "request_id": name, "revision": 1, "updated_at": now}
                    connection.execute(insert(connection, positions).values(**values))
                elif copy["status"] == RowStatus.ACTIVE:
                    _amend(connection, copy, row, now)
                elif copy["exit_reason"] == LEFT or _changed_since(row, copy["closed_at"]):
                    _reopen(connection, copy, row, now)
                else:
                    ended.append(_closing(copy, row))
            _close_left(connection, known, named, now)
            return tuple(ended)

        return await self._db.write(job)


def _known(
    connection: Connection, source: str, named: Mapping[str, PositionRow]
) -> Iterator[RowMapping]:
    """The active copies, and the closed ones whose originals are open."""
    prefix = f"{_PREFIX}{source}:"
    active = sa.select(positions).where(
        positions.c.status == RowStatus.ACTIVE,
        positions.c.request_id.startswith(prefix, autoescape=True),
    )
    yield from connection.execute(active).mappings()
    names = sorted(named)
    for start in range(0, len(names), _CHUNK):
        closed = sa.select(positions).where(
            positions.c.status != RowStatus.ACTIVE,
            positions.c.request_id.in_(names[start : start + _CHUNK]),
        )
        yield from connection.execute(closed).mappings()


def _values(row: PositionRow) -> dict[str, object]:
    copied = {name: getattr(row, name) for name in _COPIED}
    return {**copied, "side": str(row.side), "held": row.held}


def _amend(connection: Connection, copy: RowMapping, row: PositionRow, now: datetime) -> None:
    changes = {n: v for n, v in _values(row).items() if copy[n] != v and (n != "held" or v)}
    if changes:
        _update(connection, copy, changes, now)


def _reopen(connection: Connection, copy: RowMapping, row: PositionRow, now: datetime) -> None:
    nothing = ("exit_price", "exit_source", "exit_reason", "realized_pnl", "closed_at")
    cleared: dict[str, object] = dict.fromkeys((*nothing, "closing_event"))
    values = {**_values(row), **cleared, "status": RowStatus.ACTIVE}
    _update(connection, copy, values, now)


def _close_left(
    connection: Connection,
    known: Mapping[str, RowMapping],
    named: Iterable[str],
    now: datetime,
) -> None:
    for name in sorted(known.keys() - set(named)):
        values = {"status": RowStatus.CLOSED, "exit_reason": LEFT, "closed_at": now}
        _update(connection, known[name], values, now)


def _update(
    connection: Connection, copy: RowMapping, values: Mapping[str, object], now: datetime
) -> None:
    connection.execute(
        sa.update(positions)
        .where(positions.c.id == copy["id"])
        .values(**values, updated_at=now, revision=positions.c.revision + 1)
    )


def _changed_since(row: PositionRow, closed_at: datetime | None) -> bool:
    return row.updated_at is not None and closed_at is not None and row.updated_at > closed_at


def _closing(copy: RowMapping, row: PositionRow) -> RowClose:
    return RowClose(
        row_id=row.id,
        reason=copy["exit_reason"],
        exit_price=copy["exit_price"],
        exit_source=copy["exit_source"],
        realized_pnl=copy["realized_pnl"],
        closed_at=copy["closed_at"],
    )
