"""What the simulations share: an empty ledger, to be copied for each simulated world."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.templates import Template, folder_in_memory


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    with folder_in_memory() as folder:
        yield Template(folder)
