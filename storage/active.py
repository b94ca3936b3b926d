"""Reading the active rows, which every monitor and every aged leg does all day.

A row that reads as it did the last time is not decoded again. This is no cache of the ledger:
every read asks the database, and only what a value means is remembered. Leaves what columns mean
to `columns`, and writes to `positions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.util import await_only

from messages.ledger import PositionRow, RowStatus
from storage.columns import as_decimal, as_flag, as_instant, as_words
from storage.tables import positions

_FIELDS = msgspec.structs.fields(PositionRow)
_DECODERS: dict[object, Callable[[Any], Any]] = {
    int: int,
    bool: as_flag,
    str: as_words,
    str | None: as_words,
    Decimal | None: as_decimal,
    datetime | None: as_instant,
}
_DECODE = tuple((field.name, _DECODERS[field.type]) for field in _FIELDS)

# Without a type, a column's value comes as the driver has it.
_EVERY = (
    sa.select(*(sa.type_coerce(positions.c[field.name], sa.types.NullType()) for field in _FIELDS))
    .where(positions.c.status == sa.bindparam("status", RowStatus.ACTIVE))
    .order_by(positions.c.id)
)
_OF_ACCOUNT = _EVERY.where(positions.c.account == sa.bindparam("account"))

Raw = tuple[Any, ...]

PART = 500
"""Rows that are looked at in one turn of the loop."""


class ActiveReader:
    """Reads active rows, of one account or of all, and knows what each said the last time.

    Holds as many rows as the last reads had. Where nothing has changed, the same tuple of the
    same rows comes back.
    """

    def __init__(self) -> None:
        self._known: dict[str | None, dict[int, tuple[Raw, PositionRow]]] = {}
        self._rows: dict[str | None, tuple[PositionRow, ...]] = {}

    def read_each(
        self, connection: Connection, accounts: Sequence[str | None]
    ) -> dict[str | None, tuple[PositionRow, ...]]:
        """What `read` tells of each of them, from one transaction."""
        return {account: self.read(connection, account) for account in accounts}

    def read(self, connection: Connection, account: str | None) -> tuple[PositionRow, ...]:
        """Every active row, oldest id first, as the open transaction sees it."""
        if account is None:
            found = connection.execute(_EVERY)
        else:
            found = connection.execute(_OF_ACCOUNT, {"account": account})
        # Reads of this kind follow each other (`reading`): two never mix what they remember.
        before = self._known.pop(account, {})
        now: dict[int, tuple[Raw, PositionRow]] = {}
        for part in found.partitions(PART):
            for raw in map(tuple, part):
                now[raw[0]] = _as_before(before.get(raw[0]), raw)
            # Whoever has an order to send comes in between.
            await_only(asyncio.sleep(0))
        rows = tuple(row for _, row in now.values())
        if rows == (same := self._rows.pop(account, ())):
            rows = same
        if rows:
            self._known[account], self._rows[account] = now, rows
        return rows


def _as_before(known: tuple[Raw, PositionRow] | None, raw: Raw) -> tuple[Raw, PositionRow]:
    if known is not None and known[0] == raw:
        return known
    values = {name: decode(value) for (name, decode), value in zip(_DECODE, raw, strict=True)}
    return raw, PositionRow(**values)
