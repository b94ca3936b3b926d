"""An operator's own query as positions: which column is what, and in which unit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from uuid import UUID

from messages.ledger import PositionRow
from storage.columns import as_decimal, as_flag, as_instant
from storage.errors import LedgerRefused
from storage.sources.reading import ForeignDatabase, Record

REQUIRED = ("id", "symbol", "side", "quantity", "entry_price", "opened_at")
OPTIONAL = ("account", "exchange", "stop_price", "trailing_active", "held", "updated_at")


def check_columns(columns: Mapping[str, str], query: str) -> None:
    """Refuse an empty query and names that are no columns of ours."""
    if not query.strip():
        raise LedgerRefused("a source of kind query needs a query")
    unknown = sorted(set(columns) - {*REQUIRED, *OPTIONAL})
    if unknown:
        known = ", ".join((*REQUIRED, *OPTIONAL))
        raise LedgerRefused(f"source.columns names {unknown}; what can be mapped is {known}")


async def read(
    database: ForeignDatabase, query: str, columns: Mapping[str, str]
) -> Sequence[tuple[str, PositionRow]]:
    """Every row of the query as (exchange, row); the account is empty unless a column has it.

    An id that is no whole number, as a UUID, becomes one that is made of it alone. Raises
    LedgerRefused where a required column is missing, or an id is missing or not the only one.
    """
    records = await database.fetch_foreign(query)
    rows = [_row(record, columns) for record in records]
    seen: set[int] = set()
    for record, (_, row) in zip(records, rows, strict=True):
        if row.id in seen:
            said = record.get(columns.get("id", "id"))
            raise LedgerRefused(
                f"the source's id {said!r} is no whole number of its own: two rows have it"
            )
        seen.add(row.id)
    return rows


def _row(record: Record, columns: Mapping[str, str]) -> tuple[str, PositionRow]:
    def value(name: str) -> object:
        return record.get(columns.get(name, name))

    missing = [
        columns.get(name, name) for name in REQUIRED if columns.get(name, name) not in record
    ]
    if missing:
        raise LedgerRefused(f"the source's query has no {missing}; it has {sorted(record)}")
    opened_at = as_instant(value("opened_at"))
    row = PositionRow(
        id=_id(value("id")),
        account=str(value("account") or ""),
        symbol=str(value("symbol")),
        side=str(value("side")),
        quantity=as_decimal(value("quantity")),
        entry_price=as_decimal(value("entry_price")),
        opened_at=opened_at,
        stop_price=as_decimal(value("stop_price")),
        trailing_active=as_flag(value("trailing_active")),
        held=as_flag(value("held")),
        updated_at=as_instant(value("updated_at")) or opened_at,
    )
    return str(value("exchange") or ""), row


def _id(said: object) -> int:
    number = as_decimal(said)
    if number is not None and number == int(number):
        return int(number)
    if isinstance(said, str | UUID) and str(said).strip():
        # 63 bits, which every database's whole numbers hold.
        return int.from_bytes(hashlib.sha256(str(said).encode()).digest()[:8], "big") >> 1
    raise LedgerRefused(f"the source's id {said!r} is no whole number and no text")
