"""An operator's own query as positions: which column is what, and in which unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

    Raises LedgerRefused where a required column is missing or an id is no whole number.
    """
    return [_row(record, columns) for record in await database.fetch(query)]


def _row(record: Record, columns: Mapping[str, str]) -> tuple[str, PositionRow]:
    def value(name: str) -> object:
        return record.get(columns.get(name, name))

    missing = [
        columns.get(name, name) for name in REQUIRED if columns.get(name, name) not in record
    ]
    if missing:
        raise LedgerRefused(f"the source's query has no {missing}; it has {sorted(record)}")
    number = as_decimal(value("id"))
    if number is None or number != int(number):
        raise LedgerRefused(f"the source's id {value('id')!r} is no whole number")
    opened_at = as_instant(value("opened_at"))
    row = PositionRow(
        id=int(number),
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
