"""How another program's SQLite file is read so that nothing is ever made or changed beside it.

A reader of a WAL database makes `-wal` and `-shm` files where there are none, and they are its
user's: a bot of another user then fails to start. SQLite's `immutable` makes none, but says
nothing of a writer either, so what was read counts only if nobody has written meanwhile.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from storage.errors import LedgerUnavailable

_WAL_MODE = b"\x02\x02"
"""Bytes 18 and 19 of the header (SQLite's file format, 1.3.3)."""


class FileChanged(Exception):
    """The file was written to while it was read: what was read is of no moment. Read again."""


class Way(msgspec.Struct, frozen=True):
    """Which file to open, and with which parameters of SQLite's URI."""

    file: Path
    query: Mapping[str, str]


@contextmanager
def readable(file: Path) -> Iterator[Way]:
    """The way to read a file now; read it within the block.

    Raises FileChanged at the block's end, LedgerUnavailable where the file can't be had.
    """
    wal, shared = file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")
    try:
        before = _state(file, wal)
        alone = not wal.exists()
        in_wal_mode = _header(file) == _WAL_MODE
        attended = not alone and shared.exists()
    except OSError as error:
        raise LedgerUnavailable(f"the source's file can't be opened: {error}") from error
    if not in_wal_mode or attended:
        yield Way(file, {"mode": "ro"})
    elif alone:
        try:
            yield Way(file, {"mode": "ro", "immutable": "1"})
        finally:
            _unchanged(file, wal, before)
    else:
        # Its bot has crashed: SQLite would put the WAL in order beside it, with files of its own.
        with tempfile.TemporaryDirectory(prefix="sexton-source-") as folder:
            copy = Path(folder) / "source.db"
            try:
                shutil.copyfile(file, copy)
                shutil.copyfile(wal, copy.with_name(f"{copy.name}-wal"))
            except OSError as error:
                raise LedgerUnavailable(f"the source's file can't be copied: {error}") from error
            _unchanged(file, wal, before)
            yield Way(copy, {"mode": "rw"})


def _header(file: Path) -> bytes:
    with file.open("rb") as content:
        return content.read(20)[18:]


def _state(*files: Path) -> tuple[tuple[int, ...], ...]:
    found = []
    for file in files:
        if files[0] is file or file.exists():
            stat = file.stat()
            found.append((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _unchanged(file: Path, wal: Path, before: tuple[tuple[int, ...], ...]) -> None:
    try:
        after = _state(file, wal)
    except OSError as error:
        raise FileChanged(f"{file} has gone while it was read") from error
    if after != before:
        raise FileChanged(f"{file} was written to while it was read")
