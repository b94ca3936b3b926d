"""A look at a ledger that changes nothing: not its schema, not even its file.

`open_ledger` migrates; whoever only wants to know what is there comes here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from messages.ledger import Lease
from messages.values import Secret
from storage.columns import as_instant
from storage.engine import parse, sqlite_file
from storage.sources.reading import ForeignDatabase, parse_source
from storage.tables import HEAD


class LedgerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`schema` is None for a database that is still empty; `file` is SQLite's.

    `leases` are those that somebody holds; `expires_at` is by the database's clock.
    """

    schema: str | None
    head: str = HEAD
    file: Path | None = None
    exists: bool = True
    foreign: bool = False
    leases: tuple[Lease, ...] = ()


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
    held = []
    if "leases" in tables:
        for row in await database.fetch("SELECT * FROM leases WHERE holder <> ''"):
            until = as_instant(row["expires_at"])
            if until is not None:
                held.append(
                    Lease(
                        account=str(row["account"]),
                        holder=str(row["holder"]),
                        token=int(row["token"]),
                        expires_at=until,
                    )
                )
    return LedgerFacts(schema=schema, file=file, leases=tuple(held))
