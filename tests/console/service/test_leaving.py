"""The service's process ends when it has said that it stopped, whatever its threads are at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from console.control import protocol as p
from console.control.client import call
from messages.ledger import AlertDraft, AlertLevel, AlertType
from tests.console.processes import PATIENCE, ROOT, Process, until, write_config

HANGS = """
import pathlib, time

def told(alert_type, exchange, symbol, details):
    pathlib.Path("told").touch()
    time.sleep(3600)
"""


def test_an_alert_function_that_hangs_does_not_keep_a_stopped_service_alive(
    venue: tuple[str, Path], tmp_path: Path
) -> None:
    connect, folder = venue
    (tmp_path / "venue-ca.pem").write_bytes((folder / "venue-ca.pem").read_bytes())
    (tmp_path / "hanging.py").write_text(HANGS, encoding="utf-8")
    config = write_config(tmp_path, connect, extra='[alerts]\ncallable = "hanging:told"\n')
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    process = Process(
        "run", "--config", str(config), cwd=tmp_path, environment={"PYTHONPATH": path}
    )
    try:
        process.wait_for("Sexton is ready")
        draft = AlertDraft(
            type=AlertType.OPERATOR_NEEDED, level=AlertLevel.CRITICAL, dedup_key="k", title="Here"
        )
        fields: dict[str, object] = {"draft": draft}
        call(
            tmp_path / "var/sexton.sock", p.Tell(path="alerts", message="RaiseAlert", fields=fields)
        )
        until((tmp_path / "told").exists, "the function is called")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert "Stopped" in process.output
        log = (tmp_path / "var/log/sexton.jsonl").read_text(encoding="utf-8")
        assert '"Stopped"' in log.splitlines()[-1]
    finally:
        process.end()


ENDS = """
import asyncio, threading, time
from console.service.process_exit import run_and_leave

def job():
    began.set()
    time.sleep({job})
    print("done")

async def main():
    asyncio.get_running_loop().run_in_executor(None, job)
    began.wait()
    {last}

began = threading.Event()
run_and_leave(main(), closing=lambda: print("closed"))
"""


def ended(last: str, *, job: float = 0) -> subprocess.CompletedProcess[str]:
    """A process whose main ends so, beside a job in a thread that takes so many seconds."""
    return subprocess.run(
        [sys.executable, "-c", ENDS.format(last=last, job=job)],
        capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE, check=False,
    )  # fmt: skip


def test_what_was_written_is_flushed_and_the_exit_code_is_the_mains() -> None:
    done = ended("print('written'); return 7", job=3600)
    assert (done.returncode, done.stdout) == (7, "written\nclosed\n")


def test_a_job_that_ends_soon_is_let_end() -> None:
    assert ended("return 0", job=0.1).stdout == "done\nclosed\n"


def test_a_crash_is_raised_as_ever() -> None:
    done = ended("raise RuntimeError('broken')")
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: broken\n")
    assert done.stdout.splitlines()[-1] == "closed"
