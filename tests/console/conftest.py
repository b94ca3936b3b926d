"""One demo and one simulated venue for the whole room: they run while other tests do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_textual_snapshot import SVGImageExtension

from tests.console.processes import Process

DEMO_SECONDS = 40

# The plugin names it as syrupy 4 did, `_file_extension`; without this the stored screens would be
# `.raw` files, which no viewer opens.
SVGImageExtension.file_extension = "svg"


class Demo:
    """The demo as a user starts it, with `--json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "sexton.toml"
        seconds = str(DEMO_SECONDS)
        self.process = Process("demo", "--for", seconds, "--json", "--dir", str(folder))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What acts on the running demo comes before what only reads how it ended."""
    items.sort(key=lambda item: "test_actors_of_the_demo" not in item.nodeid)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    started = Demo(tmp_path_factory.mktemp("demo"))
    yield started
    started.process.end()


@pytest.fixture(scope="session")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """`supervisor.py venue`: where it listens, and the folder with its CA."""
    folder = tmp_path_factory.mktemp("venue")
    process = Process("venue", "--port", "0", "--ca-file", "venue-ca.pem", cwd=folder)
    connect = process.wait_for(r"ready at (127\.0\.0\.1:\d+)").group(1)
    yield connect, folder
    process.signal(15)
    assert process.wait() == 0
    process.end()
