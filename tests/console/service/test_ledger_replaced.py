"""The database file is replaced under a running service: it stops, and says so (scenario 9.14)."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from console.cli.exit_codes import ExitCode
from tests.console.processes import Process, write_config


def restored(file: Path) -> None:
    """A backup of the same ledger takes its place."""
    backup = file.with_name("backup.db")
    with sqlite3.connect(file) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    backup.replace(file)


def exchanged(file: Path) -> None:
    """Another guard's ledger, made elsewhere, takes its place."""
    other = file.with_name("other.db")
    with sqlite3.connect(file) as source, sqlite3.connect(other) as target:
        source.backup(target)
        target.execute("UPDATE origin SET ledger_id = 'cd' || substr(ledger_id, 3)")
    other.replace(file)


def deleted(file: Path) -> None:
    for one in file.parent.glob("sexton.db*"):
        one.unlink()


@pytest.mark.parametrize("happens", [restored, exchanged, deleted])
def test_9_14_a_service_whose_ledger_was_replaced_stops_and_says_so(
    venue: tuple[str, Path], tmp_path: Path, happens: Callable[[Path], None]
) -> None:
    connect, folder = venue
    shutil.copy(folder / "venue-ca.pem", tmp_path)
    config = write_config(tmp_path, connect)
    process = Process("run", "--config", str(config), cwd=tmp_path)
    try:
        process.wait_for("Sexton is ready: observe mode")
        happens(tmp_path / "var/sexton.db")
        said = process.wait_for("Stopping: the ledger is not the one that was opened").string
        assert process.wait() == ExitCode.NO_LEDGER
    finally:
        process.end()
    assert str(tmp_path / "var/sexton.db") in said
    assert "Start the guard again on the one that the bot writes to" in said
    # Nothing was made in the place of what is gone.
    assert (tmp_path / "var/sexton.db").exists() is (happens is not deleted)
