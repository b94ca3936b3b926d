"""The `monitoring.positions` shape as positions: base units, and symbols like BTCUSDT.

The one source that can be written back to: a row that is closed here gets status `closed`
there, and nothing else of it is touched.
"""

from __future__ import annotations

from collections.abc import Sequence

from messages.ledger import PositionRow, RowClose
from storage.columns import as_decimal, as_flag, as_instant
from storage.errors import LedgerRefused
from storage.sources.reading import ForeignDatabase


def table(database: ForeignDatabase) -> str:
    """The table's name: SQLite has no schemas."""
    return "positions" if database.backend == "sqlite" else "monitoring.positions"


async def check(database: ForeignDatabase) -> None:
    """Refuse a database without the table."""
    schema = None if database.backend == "sqlite" else "monitoring"
    if "positions" not in await database.tables(schema):
        raise LedgerRefused(f"the source has no table {table(database)}")


async def read(database: ForeignDatabase) -> Sequence[tuple[str, PositionRow]]:
    """Active positions as (exchange, row); the row's account is still empty."""
    found = await database.fetch(
        f"SELECT * FROM {table(database)} WHERE status = 'active' ORDER BY id"  # noqa: S608
    )
    return [
        (
            str(record["exchange"]),
            PositionRow(
                id=int(record["id"]),
                account="",
                symbol=str(record["symbol"]),
                side=str(record["side"]),
                quantity=as_decimal(record["quantity"]),
                entry_price=as_decimal(record["entry_price"]),
                opened_at=as_instant(record["opened_at"]),
                stop_price=as_decimal(record["stop_loss_price"]),
                trailing_active=as_flag(record["trailing_activated"]),
                updated_at=as_instant(record.get("updated_at") or record["opened_at"]),
            ),
        )
        for record in found
    ]


async def write_back(database: ForeignDatabase, closes: Sequence[RowClose]) -> tuple[int, ...]:
    """Close rows that are still active there. Returns the ids that changed."""
    changed = await database.write(
        f"UPDATE {table(database)} SET status = 'closed'"  # noqa: S608 - a name of ours
        " WHERE id = :id AND status = 'active'",
        [{"id": close.row_id} for close in closes],
    )
    return tuple(close.row_id for close, did in zip(closes, changed, strict=True) if did)
