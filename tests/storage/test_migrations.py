"""Migrations: from every earlier version, once, under a lock; never backwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

import storage
from storage import LedgerRefused, open_ledger, tables
from storage.engine import parse
from tests.storage.build import position
from tests.storage.conftest import START, Clock, OpenLedger
from tests.storage.test_positions import bot_insert, bot_says

SCRIPTS = str(Path(storage.__file__).parent / "migrations")
VERSIONS = [script.revision for script in reversed(list(ScriptDirectory(SCRIPTS).walk_revisions()))]


async def made_by_version(url: str, version: str) -> None:
    """A ledger as the program of an earlier version left it."""

    def upgrade(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", SCRIPTS)
        config.attributes["connection"] = connection
        command.upgrade(config, version)

    engine = create_async_engine(parse(url))
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


def test_the_program_knows_the_latest_migration() -> None:
    assert VERSIONS[-1] == tables.HEAD
    assert sorted(VERSIONS) == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_ledger_of_each_version_is_brought_up_to_date_and_keeps_its_rows(
    opened: OpenLedger, url: str, version: str
) -> None:
    await made_by_version(url, version)
    await bot_says(url, bot_insert("7"))
    async with opened() as ledger:
        (row,) = await ledger.active_rows()
        assert row.quantity == 7
        assert await ledger.pending_deliveries() == ()


async def test_the_migrated_tables_are_those_that_the_queries_name(
    opened: OpenLedger, url: str
) -> None:
    async with opened():
        pass

    def differences(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [
            difference
            for difference in compare_metadata(context, tables.metadata)
            if "alembic_version" not in str(difference)
        ]

    engine = create_async_engine(parse(url))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_guards_that_start_at_once_migrate_once(url: str, clock: Clock) -> None:
    ledgers = await asyncio.gather(*(open_ledger(url, now=clock) for _ in range(4)))
    await ledgers[0].add_position(position())
    assert [len(await ledger.active_rows()) for ledger in ledgers] == [1, 1, 1, 1]
    for ledger in ledgers:
        await ledger.close()


async def test_a_ledger_newer_than_the_program_is_refused_and_left_alone(
    opened: OpenLedger, url: str
) -> None:
    async with opened() as ledger:
        await ledger.add_position(position())
    await bot_says(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerRefused, match=r"schema 9999.*upgrade this program"):
        async with opened():
            pass
    await bot_says(url, f"UPDATE alembic_version SET version_num = '{tables.HEAD}'")
    async with opened() as ledger:
        assert len(await ledger.active_rows()) == 1


async def test_another_programs_positions_are_not_taken_for_ours(
    opened: OpenLedger, url: str
) -> None:
    await bot_says(url, "CREATE TABLE positions (id INTEGER, symbol TEXT)")
    with pytest.raises(LedgerRefused, match="did not make"):
        async with opened():
            pass
    await bot_says(url, "INSERT INTO positions (id) VALUES (1)")


async def test_a_sqlite_file_is_copied_before_it_is_upgraded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    await made_by_version(url, VERSIONS[0])
    await bot_says(url, bot_insert())
    folder = tmp_path / "var"
    for _ in range(2):
        async with await open_ledger(url, now=lambda: START, data_dir=folder):
            pass
    (copy,) = folder.iterdir()
    engine = create_async_engine(parse(f"sqlite:///{copy}"))
    async with engine.connect() as connection:
        stamp = sa.text("SELECT version_num FROM alembic_version")
        assert (await connection.execute(stamp)).scalar() == VERSIONS[0]
        count = sa.text("SELECT count(*) FROM positions")
        assert (await connection.execute(count)).scalar() == 1
    await engine.dispose()
