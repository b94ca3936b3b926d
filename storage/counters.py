"""The statistics of `docs/spec/mission.md` A7: durable counters by account and name."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from messages.ledger import Lease
from storage.database import Database, Insert, insert
from storage.tables import counters


def add(connection: Connection, account: str, amounts: Mapping[str, int]) -> None:
    """Move counters within the open transaction, always in the order of their names."""
    for name, amount in sorted(amounts.items()):
        values = {"account": account, "name": name, "value": amount}
        connection.execute(_addition(insert(connection, counters)), values)


@functools.cache
def _addition(plain: Insert) -> Insert:
    return plain.on_conflict_do_update(
        index_elements=[counters.c.account, counters.c.name],
        set_={"value": counters.c.value + plain.excluded.value},
    )


class Counters:
    """The ledger's methods about counters."""

    _db: Database

    async def counters(self) -> dict[str, dict[str, int]]:
        """All counters: account → name → value."""
        query = sa.select(counters).order_by(counters.c.account, counters.c.name)

        def job(connection: Connection) -> dict[str, dict[str, int]]:
            found: dict[str, dict[str, int]] = {}
            for row in connection.execute(query):
                found.setdefault(row.account, {})[row.name] = row.value
            return found

        return await self._db.read(job)

    async def bump(
        self, account: str, amounts: Mapping[str, int], *, lease: Lease | None = None
    ) -> None:
        """Add to an account's counters.

        The one write that counts twice if it is repeated after a lost reply; what must be exact
        goes with `close_rows`, which moves counters in the closing transaction.
        """
        await self._db.write(lambda connection: add(connection, account, amounts), lease=lease)
