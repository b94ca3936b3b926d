"""The ledger's own id, and a database that is not the one that was opened any more."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from storage import LedgerRefused, open_ledger
from tests.storage.build import event, intent, position
from tests.storage.conftest import Clock, OpenLedger
from tests.storage.postgres import Server
from tests.storage.test_positions import bot_says

FILE = "sqlite:///{}/ledger.db"


async def test_the_id_is_made_with_the_database_and_stays(opened: OpenLedger) -> None:
    async with opened() as ledger:
        made = ledger.ledger_id
    async with opened() as ledger, opened() as second:
        assert ledger.ledger_id == second.ledger_id == made
    assert re.fullmatch(r"[0-9a-f]{32}", made)


async def test_a_new_database_has_another_id_unless_one_is_given(
    tmp_path: Path, clock: Clock
) -> None:
    ids = []
    for name, given in (("a", None), ("b", None), ("c", "ab" * 16)):
        url = f"sqlite:///{tmp_path}/{name}.db"
        async with await open_ledger(url, now=clock, ledger_id=given) as ledger:
            ids.append(ledger.ledger_id)
    assert len(set(ids)) == 3
    assert ids[2] == "ab" * 16


async def test_a_ledger_in_use_is_the_same_whatever_is_written_into_it(
    opened: OpenLedger, url: str
) -> None:
    async with opened() as ledger, opened() as second:
        assert await ledger.still_the_same_file() is None
        await second.commit_intent(intent(), event=event())
        await second.add_position(position())
        assert await ledger.still_the_same_file() is None
        await bot_says(url, "DELETE FROM events")
        assert await ledger.still_the_same_file() is None


async def test_a_database_in_memory_is_always_the_same(clock: Clock) -> None:
    async with await open_ledger("sqlite://", now=clock) as ledger:
        assert await ledger.still_the_same_file() is None


def restored(file: Path, folder: Path) -> None:
    """A backup put in the ledger's place, as `mv` does: the same ledger id, another inode."""
    backup = folder / "backup.db"
    with sqlite3.connect(file) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    backup.rename(file)


def renamed(file: Path, folder: Path) -> None:
    file.rename(folder / "elsewhere.db")


def fresh(file: Path, folder: Path) -> None:
    (folder / "new.db").touch()
    (folder / "new.db").rename(file)


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (restored, "another file stands in the place"),
        (fresh, "another file stands in the place"),
        (renamed, "is gone; it was deleted or moved"),
        (lambda file, _folder: file.unlink(), "is gone; it was deleted or moved"),
        (lambda _file, folder: shutil.rmtree(folder), "is gone; it was deleted or moved"),
    ],
)
async def test_a_file_that_is_not_the_one_that_was_opened_is_seen(
    tmp_path: Path, clock: Clock, happens: object, said: str
) -> None:
    folder = tmp_path / "var"
    file = folder / "ledger.db"
    async with await open_ledger(f"sqlite:///{file}", now=clock) as ledger:
        await ledger.add_position(position())
        assert await ledger.still_the_same_file() is None
        assert callable(happens)
        happens(file, folder)
        replaced = await ledger.still_the_same_file()
    assert replaced is not None
    assert said in replaced.why
    assert str(file) in replaced.why


async def test_a_relative_path_is_watched_although_the_folder_is_left(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with await open_ledger("sqlite:///ledger.db", now=clock) as ledger:
        monkeypatch.chdir("/")
        assert await ledger.still_the_same_file() is None
        (tmp_path / "ledger.db").unlink()
        assert await ledger.still_the_same_file() is not None


async def test_no_connection_is_made_to_a_file_that_was_put_in_the_ledgers_place(
    tmp_path: Path, clock: Clock
) -> None:
    """The pool opens readers when they are needed: one of the new file would mix two ledgers."""
    file = tmp_path / "ledger.db"
    async with await open_ledger(FILE.format(tmp_path), now=clock) as ledger:
        await ledger.add_position(position())
        await ledger._db.engines.read.dispose()
        restored(file, tmp_path)
        with pytest.raises(LedgerRefused, match="another file stands in the place"):
            await ledger.active_rows()


async def test_an_older_state_in_the_same_file_is_seen(opened: OpenLedger, url: str) -> None:
    async with opened() as ledger:
        await ledger.commit_intent(intent("sx-1"))
        await ledger.commit_intent(intent("sx-2"))
        assert await ledger.still_the_same_file() is None
        await bot_says(url, "DELETE FROM intents WHERE client_order_id = 'sx-2'")
        replaced = await ledger.still_the_same_file()
    assert replaced is not None
    assert "an older state of this ledger: intent 2 is gone, the newest is 1" in replaced.why


async def test_another_ledger_under_the_same_name_is_seen(opened: OpenLedger, url: str) -> None:
    async with opened() as ledger:
        await bot_says(url, "UPDATE origin SET ledger_id = 'another'")
        replaced = await ledger.still_the_same_file()
    assert replaced is not None
    assert f"another ledger now: another, and it was {ledger.ledger_id}" in replaced.why


async def test_a_postgresql_database_that_was_made_anew_is_seen(
    postgres: Server, postgres_url: str, clock: Clock
) -> None:
    name = postgres_url.partition("@/")[2].partition("?")[0]
    async with await open_ledger(postgres_url, now=clock) as ledger:
        with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            admin.execute(f'CREATE DATABASE "{name}"')
        replaced = await ledger.still_the_same_file()
        assert replaced is not None
        assert "has lost a table of the ledger" in replaced.why
        async with await open_ledger(postgres_url, now=clock) as new:
            assert new.ledger_id != ledger.ledger_id
        replaced = await ledger.still_the_same_file()
    assert replaced is not None
    assert "another ledger now" in replaced.why


async def test_a_ledger_that_has_lost_its_id_is_refused(opened: OpenLedger, url: str) -> None:
    async with opened():
        pass
    await bot_says(url, "DELETE FROM origin")
    with pytest.raises(LedgerRefused, match="lost its id"):
        async with opened():
            pass


async def test_the_check_asks_the_database_one_thing(opened: OpenLedger) -> None:
    said: list[str] = []
    async with opened() as ledger:
        await ledger.still_the_same_file()
        sa.event.listen(
            ledger._db.engines.read.sync_engine,
            "before_cursor_execute",
            lambda *call: said.append(call[2]),
        )
        await ledger.still_the_same_file()
    assert len([line for line in said if not line.startswith("BEGIN")]) == 1
