"""What the simulations share: an empty ledger to copy, in memory where there is such a place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.world import Template

IN_MEMORY = Path("/dev/shm")
"""A disk costs a simulation half of its time, and a killed process needs none to be simulated."""


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    where = IN_MEMORY if IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="sexton-simulation-", dir=where) as folder:
        yield Template(Path(folder))
