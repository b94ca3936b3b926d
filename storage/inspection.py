"""A look at a ledger that changes nothing: not its schema, not even its file.

`open_ledger` migrates; whoever only wants to know what is there comes here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from messages.ledger import AccountIdentity, Lease, PositionRow
from messages.values import Secret
from storage.columns import as_decimal, as_flag, as_instant
from storage.engine import parse, sqlite_file
from storage.sources.reading import ForeignDatabase, Record, parse_source
from storage.tables import HEAD


class LedgerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`schema` is None for a database that is still empty; `file` is SQLite's.

    `leases` are those that somebody holds; `expires_at` is by the database's clock. `rows` are the
    active ones, `identities` who each account is, as far as its venue has told.
    """

    schema: str | None
    head: str = HEAD
    file: Path | None = None
    exists: bool = True
    foreign: bool = False
    leases: tuple[Lease, ...] = ()
    rows: tuple[PositionRow, ...] = ()
    identities: tuple[AccountIdentity, ...] = ()


async def inspect_ledger(url: Secret) -> LedgerFacts:
    """What is at `url`. Raises LedgerUnavailable or LedgerRefused where it can't be read."""
    file = sqlite_file(parse(url)) if url.reveal().startswith("sqlite") else None
    if file is not None and not file.exists():
        return LedgerFacts(schema=None, file=file, exists=False)
    database = ForeignDatabase(parse_source(url))
    tables = await database.tables()
    if "alembic_version" not in tables:
        return LedgerFacts(schema=None, file=file, foreign="positions" in tables)
    found = await database.fetch("SELECT version_num FROM alembic_version")
    schema = str(found[0]["version_num"]) if found else None
    return LedgerFacts(
        schema=schema,
        file=file,
        leases=await _leases(database) if "leases" in tables else (),
        rows=await _active_rows(database) if "positions" in tables else (),
        identities=await _identities(database) if "identities" in tables else (),
    )


async def _leases(database: ForeignDatabase) -> tuple[Lease, ...]:
    found = await database.fetch("SELECT * FROM leases WHERE holder <> ''")
    held = [(row, as_instant(row["expires_at"])) for row in found]
    return tuple(
        Lease(
            account=str(row["account"]),
            holder=str(row["holder"]),
            token=int(row["token"]),
            expires_at=until,
        )
        for row, until in held
        if until is not None
    )


async def _active_rows(database: ForeignDatabase) -> tuple[PositionRow, ...]:
    found = await database.fetch("SELECT * FROM positions WHERE status = 'active' ORDER BY id")
    return tuple(map(_row, found))


def _row(row: Record) -> PositionRow:
    return PositionRow(
        id=int(row["id"]),
        account=str(row["account"]),
        symbol=str(row["symbol"]),
        side=str(row["side"]),
        quantity=as_decimal(row["quantity"]),
        entry_price=as_decimal(row["entry_price"]),
        opened_at=as_instant(row["opened_at"]),
        held=as_flag(row["held"]),
        updated_at=as_instant(row["updated_at"]),
    )


async def _identities(database: ForeignDatabase) -> tuple[AccountIdentity, ...]:
    found = await database.fetch("SELECT * FROM identities ORDER BY account")
    told = [(row, as_instant(row["stored_at"])) for row in found]
    return tuple(
        AccountIdentity(
            account=str(row["account"]),
            exchange=str(row["exchange"]),
            identity=str(row["identity"]),
            stored_at=at,
        )
        for row, at in told
        if at is not None
    )
