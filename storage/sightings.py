"""What was last seen of each leg: an absence must account for that much.

Leaves what an absence means to `rules`. A whole account is written in one statement, since it
happens at each complete read.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from messages.ledger import LastSeen, Lease
from messages.values import LegKey, Side
from storage.columns import clean, exact_text, instant_text
from storage.database import Database
from storage.tables import last_seen

# The sightings travel as one JSON document, so that their number is bounded by nothing: a
# multi-row VALUES list of a large account has more parameters than either database takes.
_ROWS = {
    "sqlite": """SELECT :account, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
            json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'),
            json_extract(value, '$[5]'), json_extract(value, '$[6]')
        FROM json_each(:seen) WHERE true""",
    "postgresql": """SELECT CAST(:account AS text), value ->> 0, value ->> 1,
            CAST(value ->> 2 AS timestamptz), CAST(value ->> 3 AS timestamptz),
            CAST(value ->> 4 AS numeric), CAST(value ->> 5 AS numeric),
            CAST(value ->> 6 AS timestamptz)
        FROM jsonb_array_elements(CAST(:seen AS jsonb))""",
}
_SAVING = {
    # Nothing from outside is in this statement.
    dialect: sa.text(f"""
        INSERT INTO last_seen (account, symbol, side,
            started_at, finished_at, quantity, entry_price, changed_at)
        {rows}
        ON CONFLICT (account, symbol, side) DO UPDATE SET
            started_at = excluded.started_at, finished_at = excluded.finished_at,
            quantity = excluded.quantity, entry_price = excluded.entry_price,
            changed_at = excluded.changed_at
        WHERE excluded.finished_at >= last_seen.finished_at""")
    for dialect, rows in _ROWS.items()
}
_FINDING = (
    sa.select(last_seen)
    .where(last_seen.c.account == sa.bindparam("account"))
    .order_by(last_seen.c.symbol, last_seen.c.side)
)


class Sightings:
    """The ledger's methods about what was last seen."""

    _db: Database

    async def save_last_seen(
        self, account: str, seen: Iterable[LastSeen], *, lease: Lease | None = None
    ) -> None:
        """Remember sightings of an account's legs. An older one never replaces a newer.

        Age is told by `finished_at`, the end of the read that showed the leg.
        """
        newest: dict[tuple[str, str], LastSeen] = {}
        for one in seen:
            leg = (clean(one.key.symbol), str(one.key.side))
            if leg not in newest or newest[leg].finished_at <= one.finished_at:
                newest[leg] = one
        # Always in the same order, so that two writers never wait for each other.
        document = msgspec.json.encode([_row(leg, newest[leg]) for leg in sorted(newest)])
        said = {"account": clean(account), "seen": document.decode()}

        def job(connection: Connection) -> None:
            connection.execute(_SAVING[connection.dialect.name], said)

        if newest:
            await self._db.write(job, lease=lease)

    async def last_seen(self, account: str) -> tuple[LastSeen, ...]:
        """What was last seen of every leg of an account that ever was seen, by leg."""
        return await self._db.read(
            lambda connection: tuple(
                map(_seen, connection.execute(_FINDING, {"account": account}).mappings())
            )
        )


def _row(leg: tuple[str, str], seen: LastSeen) -> list[str | None]:
    return [
        *leg,
        instant_text(seen.started_at),
        instant_text(seen.finished_at),
        exact_text(seen.quantity),
        None if seen.entry_price is None else exact_text(seen.entry_price),
        None if seen.changed_at is None else instant_text(seen.changed_at),
    ]


def _seen(row: RowMapping) -> LastSeen:
    fields = dict(row)
    key = LegKey(fields.pop("account"), fields.pop("symbol"), Side(fields.pop("side")))
    return LastSeen(key=key, **fields)
