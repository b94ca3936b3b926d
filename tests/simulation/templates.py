"""Empty ledgers to start from: migrated once, and copied for each simulated world.

Left to others: what is written into them.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage import open_ledger
from tests.simulation.scene import START

IN_MEMORY = Path("/dev/shm")
"""A disk costs a simulation half of its time, and a killed process needs none to be simulated."""


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder for a while, in memory where the machine has such a place."""
    where = IN_MEMORY if IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="sexton-simulation-", dir=where) as folder:
        yield Path(folder)


class Template:
    """An empty ledger, migrated once, to be copied for each simulated world."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "template.db"
        self._folder = folder
        self._copies = 0

        async def make() -> None:
            ledger = await open_ledger(f"sqlite:///{self._file}", now=lambda: START)
            await ledger.close()

        asyncio.run(make())

    def copy(self) -> Path:
        self._copies += 1
        path = self._folder / f"world-{self._copies}.db"
        shutil.copyfile(self._file, path)
        return path

    def remove(self, path: Path) -> None:
        """Delete a copy and all that SQLite and the leases left beside it."""
        for file in self._folder.glob(f"{path.name}*"):
            file.unlink()
