"""SQLite in trouble: each kind gives a clear error, and nothing committed is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import LedgerRefused, LedgerUnavailable, open_ledger
from tests.storage import small_disk
from tests.storage.build import event, intent, position
from tests.storage.conftest import Clock, OpenLedger


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def overwrite(file: Path, offset: int, content: bytes) -> None:
    file.touch()
    with file.open("r+b") as out:
        out.seek(offset)
        out.write(content)


def content(file: Path) -> bytes:
    return file.read_bytes()


def fill(url: str, limit: int) -> tuple[int, int, str]:
    done = subprocess.run(
        [sys.executable, "-m", small_disk.__name__, url, str(limit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    written, read, error = done.stdout.split(maxsplit=2)
    return int(written), int(read), error


async def test_a_file_that_may_not_grow_is_an_outage_and_what_was_committed_stays(
    url: str, opened: OpenLedger
) -> None:
    written, read, error = fill(url, 600_000)
    assert written == read
    assert written > 5
    assert "fails to read or write" in error or "disk is full" in error
    async with opened() as ledger:
        assert len(await ledger.events(limit=10_000)) == written
        await ledger.append_event(event("there is room again"))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk; the file size limit is tested in any case")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_is_named_and_after_room_is_made_work_goes_on(
    full_disk: Path, clock: Clock
) -> None:
    url = f"sqlite:///{full_disk}/ledger.db"
    ballast = full_disk / "ballast"
    ballast.write_bytes(b"x" * 200_000)
    written, read, error = fill(url, 0)
    assert written == read
    assert "the disk is full; free space" in error
    ballast.unlink()
    async with await open_ledger(url, now=clock) as ledger:
        assert len(await ledger.events(limit=10_000)) == written
        await ledger.commit_intent(intent())


async def test_a_ledger_that_ran_full_while_open_takes_writes_again_without_a_restart(
    full_disk: Path, clock: Clock
) -> None:
    ballast = full_disk / "ballast"
    async with await open_ledger(f"sqlite:///{full_disk}/l.db", now=clock) as ledger:
        with ballast.open("wb") as out:
            out.write(b"x" * (shutil.disk_usage(full_disk).free - 8192))
        draft = event(details={"text": "x" * 100_000})
        with pytest.raises(LedgerUnavailable, match="disk is full"):
            await ledger.append_event(draft)
        assert await ledger.events() == ()
        ballast.unlink()
        stored = await ledger.append_event(draft)
        assert await ledger.events() == (stored,)


async def test_a_read_only_file_can_be_read_and_says_why_it_takes_no_write(
    opened: OpenLedger, file: Path, clock: Clock
) -> None:
    async with opened() as ledger:
        row = await ledger.add_position(position())
    read_only = f"sqlite:///file:{file}?mode=ro&uri=true"
    async with await open_ledger(read_only, now=clock) as ledger:
        assert await ledger.active_rows() == (row,)
        with pytest.raises(LedgerUnavailable, match=r"read-only; make file and folder writable"):
            await ledger.commit_intent(intent())
    async with opened() as ledger:
        assert await ledger.active_rows() == (row,)
        assert await ledger.intents() == ()


async def test_a_file_that_another_program_keeps_locked_is_an_outage_and_then_none(
    url: str, file: Path, clock: Clock
) -> None:
    async with await open_ledger(url, now=clock, patience=0.8) as ledger:
        row = await ledger.add_position(position())
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        write = asyncio.create_task(ledger.append_event(event()))
        assert await ledger.active_rows() == (row,)
        with pytest.raises(LedgerUnavailable, match=r"locked.*find the program"):
            await write
        other.rollback()
        other.close()
        await ledger.append_event(event())


async def test_a_short_lock_is_waited_for(opened: OpenLedger, file: Path) -> None:
    async with opened() as ledger:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.2, other.rollback)
        await ledger.append_event(event())
        other.close()


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    opened: OpenLedger, file: Path
) -> None:
    diary = b"dear diary, " * 100
    overwrite(file, 0, diary)
    with pytest.raises(LedgerRefused, match="no SQLite database"):
        async with opened():
            pass
    assert content(file) == diary


async def test_a_damaged_file_is_refused_with_the_way_out(opened: OpenLedger, file: Path) -> None:
    async with opened() as ledger:
        for number in range(50):
            await ledger.append_event(event(f"e{number}", details={"text": "x" * 2000}))
    overwrite(file, 4096, os.urandom(len(content(file)) - 4096))
    with pytest.raises(LedgerRefused, match=r"damaged.*backup"):
        async with opened() as ledger:
            await ledger.events()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, clock: Clock) -> None:
    overwrite(tmp_path / "file", 0, b"")
    with pytest.raises(LedgerUnavailable, match="folder can't be made"):
        await open_ledger(f"sqlite:///{tmp_path}/file/below/l.db", now=clock)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "no database URL"),
        ("just a file.db", "no database URL"),
        ("mysql://root:hunter2@localhost/x", "only sqlite and postgresql"),
    ],
)
async def test_an_unusable_url_is_refused_without_being_shown(
    bad: str, why: str, clock: Clock
) -> None:
    with pytest.raises(LedgerRefused, match=why) as refused:
        await open_ledger(bad, now=clock)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_every_commit_waits_for_the_disk(opened: OpenLedger) -> None:
    async with opened() as ledger, ledger._db.engines.write.connect() as connection:
        found = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous")
        ]
    full = 2
    assert found == ["wal", full]


async def test_a_caller_killed_in_mid_write_leaves_the_write_whole(opened: OpenLedger) -> None:
    async with opened() as ledger:
        for number in range(20):
            task = asyncio.create_task(
                ledger.commit_intent(intent(f"sx-{number}"), event=event(f"e{number}"))
            )
            for _ in range(number):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await ledger.append_event(event("last"))
    async with opened() as ledger:
        stored = {one.client_order_id.removeprefix("sx-") for one in await ledger.intents()}
        told = {one.event_id.removeprefix("e") for one in await ledger.events()} - {"last"}
    assert stored == told
    assert len(stored) > 10
