"""A disk that can be filled to its last page, and emptied again."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

SIZE = "24m"
LEFT = 8192
"""Bytes that stay free on a full disk: not enough for SQLite to write a transaction."""


def mountable() -> bool:
    """Whether this user may mount a disk at all: elsewhere than as root, it is not to be had."""
    return os.geteuid() == 0


class SmallDisk:
    """A file system of its own in memory, mounted at `folder`. Raises CalledProcessError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room for a transaction. Whoever writes meanwhile may leave none at all."""
        room = max(shutil.disk_usage(self.folder).free - LEFT, 0)
        try:
            self._ballast.write_bytes(b"x" * room)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self.folder)]
        subprocess.run(mount, check=True, capture_output=True)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Lazily: a process that was just killed may hold a file for a moment more.
        subprocess.run(["umount", "-l", str(self.folder)], check=True, capture_output=True)
