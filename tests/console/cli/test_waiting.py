"""A command that takes its time says at a terminal what it waits for."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.console.processes import command, write_config
from tests.console.terminal import Terminal

WORDS = "waiting for the service"


def test_at_a_terminal_a_slow_service_is_said_to_be_waited_for(tmp_path: Path) -> None:
    config, listener = _slow_service(tmp_path)
    with listener, Terminal("tree", "--config", str(config)) as terminal:
        connection, _ = listener.accept()
        terminal.wait_for(WORDS)
        connection.close()
        assert terminal.wait() == 3
        assert "the service at " in terminal.text


def test_without_a_terminal_only_the_outcome_is_written(tmp_path: Path) -> None:
    config, listener = _slow_service(tmp_path)
    listener.close()
    done = command("tree", config=config)
    assert done.returncode == 3
    assert WORDS not in done.stderr


def _slow_service(folder: Path) -> tuple[Path, socket.socket]:
    """A configuration whose socket somebody listens at who says nothing."""
    config = write_config(folder, "127.0.0.1:1")
    (folder / "var").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "var/sexton.sock"))
    listener.listen()
    return config, listener
