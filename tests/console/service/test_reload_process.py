"""`reload` as a command and SIGHUP, on a service in a process of its own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.processes import Process, as_json, command, until, write_config


class Service:
    """A running service on the simulated venue, observing, whose file can be rewritten."""

    def __init__(self, folder: Path, connect: str) -> None:
        self.folder = folder
        self.connect = connect
        self.config = self.write("3h")
        self.process = Process("run", "--config", str(self.config), cwd=folder)
        self.process.wait_for("Sexton is ready: observe mode")

    def write(self, max_age: str, *, more: str = "") -> Path:
        extra = f'[aged]\nmax_age = "{max_age}"\n{more}'
        return write_config(self.folder, self.connect, extra=extra)


@pytest.fixture
def service(venue: tuple[str, Path], tmp_path: Path) -> Iterator[Service]:
    connect, folder = venue
    (tmp_path / "venue-ca.pem").write_bytes((folder / "venue-ca.pem").read_bytes())
    running = Service(tmp_path, connect)
    yield running
    running.process.end()


def test_sighup_and_the_command_reload_a_running_service(service: Service) -> None:
    # By the signal: the log tells.
    service.write("4h")
    service.process.signal(signal.SIGHUP)
    service.process.wait_for(r"Reloaded: aged\.max_age: 3h -> 4h")
    until(
        lambda: len(as_json("events", "--kind", "config_reloaded", config=service.config)) == 1,
        "the reload is in the trail",
    )
    # By the command: first dry, then in earnest.
    service.write("5h")
    dry = command("reload", "--dry-run", config=service.config)
    assert (dry.returncode, dry.stdout) == (0, "would take: aged.max_age: 4h -> 5h\n")
    done = as_json("reload", config=service.config)
    assert done["applied"] == [
        {"key": "aged.max_age", "before": "4h", "after": "5h", "refused": ""}
    ]
    assert set(done["restarted"]) == {"accounts/bybit-main", "accounts/binance-main"}
    again = command("reload", config=service.config)
    assert (again.returncode, again.stdout) == (0, f"nothing in {service.config} has changed\n")
    # What can't be taken is an exit code of its own, and what can be is.
    service.write("6h", more='[storage]\nlease = "30s"\n')
    partly = command("reload", config=service.config)
    assert partly.returncode == 1
    assert partly.stdout.splitlines()[:2] == [
        "taken: aged.max_age: 5h -> 6h",
        "refused: storage.lease: 15s -> 30s: needs a restart of the service",
    ]
    # A file with mistakes says what every command says of it.
    service.write("six")
    wrong = command("reload", config=service.config)
    assert wrong.returncode == 2
    assert wrong.stderr == command("show-config", config=service.config).stderr
    service.process.signal(signal.SIGHUP)
    service.process.wait_for(
        r"Nothing was reloaded: .*aged\.max_age = \"six\": allowed: a duration"
    )
    service.process.signal(signal.SIGTERM)
    assert service.process.wait() == 0
    log = (service.folder / "var/log/sexton.jsonl").read_text(encoding="utf-8").splitlines()
    reloaded = [entry for line in log if "Reloaded: " in (entry := json.loads(line))["message"]]
    assert len(reloaded) == 3


def test_reload_without_a_service_says_so(tmp_path: Path) -> None:
    config = write_config(tmp_path, "127.0.0.1:1")
    done = command("reload", config=config)
    assert done.returncode == 3
    assert "no service listens at" in done.stderr
    assert done.stderr.count("\n") == 1
