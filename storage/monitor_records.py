"""What must survive of aged legs and orphans between one incarnation and the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from messages.ledger import AgedRecord, Lease, OrphanRecord
from messages.values import LegKey, Side
from storage.columns import clean
from storage.database import Database, insert
from storage.tables import aged, orphan_actions, orphans

_LEG = sa.tuple_(aged.c.account, aged.c.symbol, aged.c.side)


def _key(fields: dict[str, object]) -> LegKey:
    side = Side(str(fields.pop("side")))
    return LegKey(str(fields.pop("account")), str(fields.pop("symbol")), side)


def _is(table: sa.Table, key: LegKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.account == key.account, table.c.symbol == key.symbol, table.c.side == key.side
    )


def _put(connection: Connection, table: sa.Table, key: LegKey, **values: object) -> None:
    connection.execute(
        insert(connection, table)
        .values(account=key.account, symbol=key.symbol, side=key.side, **values)
        .on_conflict_do_update(
            index_elements=[table.c.account, table.c.symbol, table.c.side], set_=values
        )
    )


def _aged(row: RowMapping) -> AgedRecord:
    fields = dict(row)
    key = _key(fields)
    fields["row_ids"] = tuple(fields["row_ids"])
    return AgedRecord(key=key, **fields)


def _aged_each(connection: Connection, keys: Sequence[LegKey]) -> dict[LegKey, AgedRecord | None]:
    legs = {key: (clean(key.account), clean(key.symbol), key.side.value) for key in keys}
    query = sa.select(aged).where(_LEG.in_(sorted(set(legs.values()))))
    found = {
        (row["account"], row["symbol"], row["side"]): _aged(row)
        for row in connection.execute(query).mappings()
    }
    return {key: found.get(leg) for key, leg in legs.items()}


def _orphan(row: RowMapping) -> OrphanRecord:
    fields = dict(row)
    return OrphanRecord(key=_key(fields), **fields)


class Records:
    """The ledger's methods about aged legs and orphans."""

    _db: Database

    async def aged_record(self, key: LegKey) -> AgedRecord | None:
        """An aged leg's record."""
        return await self._db.read_shared("aged record", key, _aged_each)

    async def aged_records(self, account: str | None = None) -> tuple[AgedRecord, ...]:
        """The records of an account's aged legs, or of all accounts', by leg."""
        query = sa.select(aged).order_by(aged.c.account, aged.c.symbol, aged.c.side)
        if account is not None:
            query = query.where(aged.c.account == account)
        return await self._aged(query)

    async def _aged(self, query: sa.Select[tuple[object, ...]]) -> tuple[AgedRecord, ...]:
        return await self._db.read(
            lambda connection: tuple(map(_aged, connection.execute(query).mappings()))
        )

    async def save_aged(self, record: AgedRecord, *, lease: Lease | None = None) -> None:
        """Write an aged leg's record over the one that is there."""

        def job(connection: Connection) -> None:
            _put(
                connection,
                aged,
                record.key,
                row_ids=record.row_ids,
                phase=record.phase,
                attempts=record.attempts,
                operator_needed=record.operator_needed,
                updated_at=record.updated_at,
            )

        await self._db.write(job, lease=lease)

    async def drop_aged(self, key: LegKey, *, lease: Lease | None = None) -> None:
        """Forget an aged leg."""
        await self._drop(aged, key, lease)

    async def orphan_record(self, key: LegKey) -> OrphanRecord | None:
        """An orphan's record."""
        found = await self._orphans(sa.select(orphans).where(_is(orphans, key)))
        return found[0] if found else None

    async def orphan_records(self, account: str | None = None) -> tuple[OrphanRecord, ...]:
        """The orphans under watch of an account, or of all accounts, by leg."""
        query = sa.select(orphans).order_by(orphans.c.account, orphans.c.symbol, orphans.c.side)
        if account is not None:
            query = query.where(orphans.c.account == account)
        return await self._orphans(query)

    async def _orphans(self, query: sa.Select[tuple[object, ...]]) -> tuple[OrphanRecord, ...]:
        return await self._db.read(
            lambda connection: tuple(map(_orphan, connection.execute(query).mappings()))
        )

    async def save_orphan(self, record: OrphanRecord, *, lease: Lease | None = None) -> None:
        """Write an orphan's record. Its action is also kept for `orphan_actions_since`."""

        def job(connection: Connection) -> None:
            _put(
                connection,
                orphans,
                record.key,
                first_seen_at=record.first_seen_at,
                action=record.action,
                acted_at=record.acted_at,
            )
            if record.acted_at is not None:
                connection.execute(
                    insert(connection, orphan_actions)
                    .values(
                        account=record.key.account,
                        symbol=record.key.symbol,
                        side=record.key.side,
                        acted_at=record.acted_at,
                        action=record.action,
                    )
                    .on_conflict_do_nothing()
                )

        await self._db.write(job, lease=lease)

    async def drop_orphan(self, key: LegKey, *, lease: Lease | None = None) -> None:
        """Forget an orphan; what was done about it stays counted."""
        await self._drop(orphans, key, lease)

    async def orphan_actions_since(self, account: str, since: datetime) -> int:
        """How many actions on an account's orphans were taken at or after an instant."""
        query = (
            sa.select(sa.func.count())
            .select_from(orphan_actions)
            .where(orphan_actions.c.account == account, orphan_actions.c.acted_at >= since)
        )
        return await self._db.read(lambda connection: connection.execute(query).scalar_one())

    async def _drop(self, table: sa.Table, key: LegKey, lease: Lease | None) -> None:
        def job(connection: Connection) -> None:
            connection.execute(sa.delete(table).where(_is(table, key)))

        await self._db.write(job, lease=lease)
