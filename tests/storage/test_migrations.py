"""Migrations: from every earlier version, once, under a lock; never backwards."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from decimal import Decimal
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
from messages.ledger import BookedFill, CommandKind, LastSeen, Lease, NewCommand
from rules.ids import is_ours
from storage import LedgerRefused, open_ledger, tables
from storage.engine import parse
from tests.storage.build import KEY, close, event, position
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


RELEASED = "0003"

LEG = "'bybit-main', 'BTC/USDT:USDT', 'long'"
LEFT_BY_THE_RELEASE = (
    bot_insert("7"),
    bot_insert("3"),
    "UPDATE positions SET status = 'closed', exit_price = 5, exit_source = 'fill',"
    " exit_reason = 'ghost', realized_pnl = 1, closed_at = '2026-02-02 00:00:00.000000+00:00'"
    " WHERE id = 2",
    "INSERT INTO intents (client_order_id, account, symbol, side, purpose, row_ids, attempt, type,"
    " quantity, seen_quantity, created_at, hedged, phase, state, order_id, filled, fee, error,"
    f" booked) VALUES ('5e7096bcfe7662becdfbfa3f7434', {LEG}, 'close', '[1]', 1, 'market', 7, 7,"
    " '2026-02-01 00:00:00.000000+00:00', {false}, 'market', 'sent', 'o1', 0, 0, '', {false})",
    "INSERT INTO events (event_id, at, kind, account, symbol, side, actor, details) VALUES ('e1',"
    f" '2026-02-01 00:00:00.000000+00:00', 'intent_created', {LEG}, 'aged', '{{{{}}}}')",
    f"INSERT INTO aged VALUES ({LEG}, '[1]', 'market', 3, '', '2026-02-01 00:00:00.000000+00:00')",
    "INSERT INTO counters VALUES ('bybit-main', 'closes', 4)",
    "INSERT INTO leases VALUES ('bybit-main', '', 9, '2026-02-01 00:00:00.000000+00:00')",
)


async def test_a_ledger_that_the_release_has_used_goes_on_with_all_that_is_new(
    opened: OpenLedger, url: str
) -> None:
    await made_by_version(url, RELEASED)
    false = "0" if url.startswith("sqlite") else "false"
    await bot_says(url, *(one.format(false=false) for one in LEFT_BY_THE_RELEASE))
    async with opened() as ledger:
        made = ledger.ledger_id
        (row,) = await ledger.active_rows()
        (closed,) = await ledger.rows(status="closed")
        assert (row.quantity, closed.exit_price) == (Decimal(7), Decimal(5))
        assert closed.exit_source == "fill"
        (intent,) = await ledger.intents(open_only=True)
        assert is_ours(intent.client_order_id, made, {intent.client_order_id})
        assert [it.event_id for it in await ledger.events()] == ["e1"]
        assert await ledger.counters() == {"bybit-main": {"closes": 4}}
        record = await ledger.aged_record(KEY)
        assert record is not None
        assert record.attempts == 3
        lease = await ledger.acquire_lease("bybit-main", "me", timedelta(minutes=1))
        assert isinstance(lease, Lease)
        assert lease.token == 10
        seen = LastSeen(key=KEY, started_at=START, finished_at=START, quantity=Decimal(7))
        await ledger.save_last_seen("bybit-main", [seen], lease=lease)
        fills = (BookedFill(fill_id="f1", quantity=Decimal(7)),)
        told = event(symbol=KEY.symbol, side=KEY.side.value, event_id="e2")
        await ledger.close_rows([close(row.id, fills=fills)], event=told, lease=lease)
        ordered = NewCommand(kind=CommandKind.ACCEPT, key=KEY, row_ids=(1,), expires_at=START)
        given = await ledger.store_command(ordered)
        await ledger.store_identity("bybit-main", "bybit", "1001")
    async with opened() as ledger:
        assert ledger.ledger_id == made
        assert await ledger.last_seen("bybit-main") == (seen,)
        (booked,) = await ledger.booked_fills(KEY, START)
        assert (booked.fill_id, booked.row_id) == ("f1", row.id)
        assert await ledger.commands() == (given,)
        assert len(await ledger.identities()) == 1
        assert await ledger.still_the_same_file() is None


async def test_two_copies_of_an_old_ledger_get_two_ids(tmp_path: Path) -> None:
    await made_by_version(f"sqlite:///{tmp_path}/one.db", RELEASED)
    shutil.copyfile(tmp_path / "one.db", tmp_path / "two.db")
    ids = set()
    for name in ("one", "two"):
        url = f"sqlite:///{tmp_path}/{name}.db"
        async with await open_ledger(url, now=lambda: START) as ledger:
            ids.add(ledger.ledger_id)
    assert len(ids) == 2


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
