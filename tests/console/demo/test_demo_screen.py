"""The demo at a terminal: the live view, the bot's doings above it, and a summary at the end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.console.processes import command
from tests.console.terminal import Terminal

ALTERNATE_SCREEN = "\x1b[?1049h"
LEFT_IT = "\x1b[?1049l"


@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "Ctrl-C"])
def test_at_a_terminal_the_demo_shows_the_live_view_until_a_key_ends_it(
    tmp_path: Path, key: str
) -> None:
    with Terminal("demo", "--for", "60", "--dir", str(tmp_path / "demo")) as terminal:
        terminal.wait_for("The bot: ")
        terminal.wait_for("s left, q ends it")
        for panel in ("actors", "positions", "alerts", "events"):
            terminal.wait_for(f" {panel} ")
        terminal.press(key)
        assert terminal.wait() == 0
        assert ALTERNATE_SCREEN in terminal.raw
        summary = terminal.raw.rpartition(LEFT_IT)[2]
        assert "The demo is ended early after" in summary
        assert "The venue still holds" in summary


def test_at_a_terminal_the_demo_ends_by_itself(tmp_path: Path) -> None:
    with Terminal("demo", "--for", "5", "--dir", str(tmp_path / "demo")) as terminal:
        assert terminal.wait() == 0
        assert "The demo is over after" in terminal.raw.rpartition(LEFT_IT)[2]


def test_a_terminal_that_cannot_draw_gets_lines_of_log(tmp_path: Path) -> None:
    with Terminal("demo", "--for", "60", "--dir", str(tmp_path / "demo"), term="dumb") as terminal:
        terminal.wait_for("Look in from another terminal")
        terminal.signal(signal.SIGTERM)
        assert terminal.wait() == 0
        assert ALTERNATE_SCREEN not in terminal.raw
        assert "The demo is ended early after" in terminal.text


def test_the_live_view_without_a_terminal_says_what_to_use_instead(tmp_path: Path) -> None:
    (tmp_path / "sexton.toml").write_text("", encoding="utf-8")
    done = command("top", config=tmp_path / "sexton.toml")
    assert done.returncode == 2
    assert done.stderr.startswith("top needs a terminal: `tree`, `positions`")
