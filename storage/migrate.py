"""Brings a database to the schema that this program knows, or refuses it.

One transaction under a lock: two guards that start at once migrate once, and a step that fails
leaves the database as it was.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from storage.errors import LedgerRefused, translated
from storage.tables import HEAD

# Any number that no other program is likely to use as an advisory lock: "sexton" in ASCII.
MIGRATION_LOCK = 0x736578746F6E


def schema_version(conn: Connection) -> str | None:
    """The version stamped in the database; None where it has none of our tables."""
    if not sa.inspect(conn).has_table("alembic_version"):
        return None
    found: str | None = conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found


def migrate(conn: Connection, ledger_id: str | None = None) -> None:
    """Upgrade within the connection's open transaction. `ledger_id` is for one that has none yet.

    Raises LedgerRefused for a schema newer than this program, or a database that is another
    program's.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    found = schema_version(conn)
    if found == HEAD:
        return
    if found is None:
        _refuse_foreign(conn)
    elif found > HEAD:
        raise LedgerRefused(
            f"the ledger has schema {found} and this program knows only {HEAD}: it was written by"
            " a newer version; upgrade this program, or point storage.url elsewhere"
        )
    _upgrade(conn, ledger_id)


def back_up(file: Path, folder: Path) -> Path | None:
    """Copy a SQLite file of an older schema into `folder`. Returns the copy, if one was needed.

    Blocks while it copies: it runs once, before anything else does.
    """
    if not file.exists():
        return None
    copy = folder / f"ledger-before-{HEAD}.db"
    try:
        with closing(sqlite3.connect(file)) as source:
            found = _stamped(source)
            if found is None or found >= HEAD:
                return None
            folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(copy)) as target:
                source.backup(target)
    except (sqlite3.Error, OSError) as error:
        known = translated(error)
        if known is None:
            raise
        raise known from error
    return copy


def _stamped(connection: sqlite3.Connection) -> str | None:
    known = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.execute(known).fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _refuse_foreign(conn: Connection) -> None:
    inspector = sa.inspect(conn)
    if inspector.has_table("positions"):
        raise LedgerRefused(
            "the database has a table `positions` that this program did not make; point"
            " storage.url at a database or schema of its own"
        )


def _upgrade(conn: Connection, ledger_id: str | None) -> None:
    # Alembic costs a third of a second to import, and is needed only where a step is missing.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = conn
    config.attributes["ledger_id"] = ledger_id
    command.upgrade(config, "head")
