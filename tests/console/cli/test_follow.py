"""`events`: filters, and --follow through restarts of the service until Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.console.processes import ROOT, Process, as_json, command, until, write_config


class Follower:
    """`events --follow` as a process, with both its streams in files."""

    def __init__(self, config: Path, folder: Path, *options: str) -> None:
        self.out, self.err = folder / "out", folder / "err"
        command = ("events", "--follow", *options, "--config", str(config))
        # A background job has SIGINT ignored, which a child inherits; a handler it does not.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "supervisor.py"), *command], stdout=out, stderr=err
            )

    def said(self, text: str) -> bool:
        return text in self.err.read_text()

    def lines(self) -> list[str]:
        return self.out.read_text().splitlines()


@pytest.fixture
def config(venue: tuple[str, Path], tmp_path: Path) -> Path:
    connect, folder = venue
    (tmp_path / "venue-ca.pem").write_bytes((folder / "venue-ca.pem").read_bytes())
    return write_config(tmp_path, connect)


@pytest.fixture
def service(config: Path) -> Iterator[Process]:
    running = started(config)
    yield running
    running.end()


def started(config: Path) -> Process:
    running = Process("run", "--config", str(config), cwd=config.parent)
    running.wait_for("Connected to bybit")
    return running


def add(config: Path, symbol: str) -> None:
    arguments = ("position", "add", "bybit-main", symbol, "long", "0.5", "60000")
    assert command(*arguments, config=config).returncode == 0


def test_new_events_follow_across_a_restart_that_is_told_and_ctrl_c_is_a_good_end(
    config: Path, service: Process, tmp_path: Path
) -> None:
    add(config, "BTCUSDT")
    assert command("hold", "BTCUSDT", config=config).returncode == 0
    follower = Follower(config, tmp_path, "--json", "--kind", "operator_hold")
    try:
        until(lambda: len(follower.lines()) == 1, "what has been is shown")
        assert command("release", "BTCUSDT", config=config).returncode == 0
        assert command("hold", "BTCUSDT", config=config).returncode == 0
        until(lambda: len(follower.lines()) == 2, "a new event is shown, and none of another kind")
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
        until(lambda: follower.said("the service went away"), "that it went is told")
        again = started(config)
        try:
            assert command("release", "BTCUSDT", config=config).returncode == 0
            assert command("hold", "BTCUSDT", config=config).returncode == 0
            until(lambda: follower.said("the service was started again"), "its return is told")
            until(lambda: len(follower.lines()) == 3, "events go on")
        finally:
            again.end()
        follower.process.send_signal(signal.SIGINT)
        assert follower.process.wait(30) == 0
    finally:
        follower.process.kill()
        follower.process.wait()
    shown = [json.loads(line) for line in follower.lines()]
    assert {event["kind"] for event in shown} == {"operator_hold"}
    stored = as_json("events", "--kind", "operator_hold", config=config)
    assert [event["seq"] for event in shown] == [event["seq"] for event in stored]
    assert "Traceback" not in follower.err.read_text()
    assert follower.err.read_text().count("went away") == 1


def test_following_needs_a_service_at_the_beginning(config: Path) -> None:
    done = command("events", "--follow", config=config)
    assert done.returncode == 3
    assert done.stderr.startswith("no service listens at")
    assert done.stderr.count("\n") == 1


def test_events_are_shown_since_a_time_or_for_a_while_back(config: Path, service: Process) -> None:
    add(config, "BTCUSDT")
    assert command("hold", "BTCUSDT", config=config).returncode == 0
    assert as_json("events", "--since", "1h", config=config)
    after = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert as_json("events", "--since", after, config=config) == []
    code = "print([e.kind for e in events(since='1h', kind='operator_hold')])"
    shown = command("repl", "-c", code, config=config)
    assert shown.stdout == "['operator_hold']\n", shown.stderr
    wrong = command("events", "--since", "yesterday", config=config)
    assert wrong.returncode == 2
    assert "--since 'yesterday': allowed: a duration such as 90m" in wrong.stderr
