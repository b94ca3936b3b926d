"""Real processes for the tests: the simulated venue, the service, the demo, and one-shot commands.

They are ended by the fixtures that started them. Leaves what is asserted to the tests.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0


def command(
    *arguments: str, config: Path | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    return subprocess.run(
        [sys.executable, str(ROOT / "supervisor.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        env=_environment(config),
        cwd=cwd,
        check=False,
    )


def as_json(*arguments: str, config: Path) -> Any:
    """What a command prints with --json; it must succeed."""
    done = command(*arguments, "--json", config=config)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition of another process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)


class Process:
    """A long-lived command whose stderr is collected as it comes."""

    def __init__(
        self,
        *arguments: str,
        config: Path | None = None,
        cwd: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "supervisor.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(config) | (environment or {}),
            cwd=cwd,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for a line of stderr that matches."""
        found: list[re.Match[str]] = []

        def said() -> bool:
            found.extend(match for line in self.lines if (match := re.search(pattern, line)))
            ended = self._process.poll() is not None and not self._reader.is_alive()
            assert found or not ended, f"it ended without {pattern!r}:\n{self.output}"
            return bool(found)

        until(said, f"{pattern} in:\n{self.output}")
        return found[0]

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        return code

    def stdout(self, seconds: float = PATIENCE) -> str:
        """All of stdout, once it has ended."""
        assert self._process.stdout is not None
        text = self._process.stdout.read()
        self.wait(seconds)
        return text

    def end(self) -> None:
        """Make sure that nothing is left behind."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()


def write_config(folder: Path, connect: str, *, mode: str = "observe", extra: str = "") -> Path:
    """A configuration for the simulated venue's two accounts."""
    accounts: Sequence[tuple[str, str]] = (("bybit", "bybit"), ("binance", "binanceusdm"))
    parts = [f'mode = "{mode}"\ndata_dir = "var"\n{extra}']
    for name, exchange in accounts:
        parts.append(
            f'[accounts.{name}-main]\nexchange = "{exchange}"\nkey = "demo-{name}-key"\n'
            f'secret = "demo-{name}-secret"\nconnect = "{connect}"\nca_file = "venue-ca.pem"\n'
        )
    file = folder / "sexton.toml"
    file.write_text("\n".join(parts), encoding="utf-8")
    return file


def _environment(config: Path | None) -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEXTON_")}
    return environment | ({"SEXTON_CONFIG": str(config)} if config is not None else {})
