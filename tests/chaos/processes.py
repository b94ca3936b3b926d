"""Processes that share nothing with the test: forked from a server that holds only modules.

A child forked from the test itself would believe that the locks which the test's own SQLite
connections had at that instant are held for ever: SQLite keeps them in the process's memory.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from console.service.logs import close_logs, set_up_logs
from console.service.run import run_service
from messages.settings import Settings

SERVED = multiprocessing.get_context("forkserver")
# Imported once by the server, so that a killed guard is back within a second.
SERVED.set_forkserver_preload(
    [
        "ccxt.async_support",
        "ccxt.pro",
        "tests.chaos.processes",
        "tests.chaos.venue_process",
        "tests.storage.postgres",
    ]
)


Making = Callable[[], Settings]


def start_service(settings: Making) -> BaseProcess:
    """Start the service as `supervisor.py run` does: its logs, signals and ordered stop.

    The settings are made there, since their secrets cross no boundary between processes.
    """
    process = SERVED.Process(target=_service, args=(settings,), daemon=True)
    process.start()
    return process


def _service(making: Making) -> None:
    settings = making()
    # A log that finds its disk full complains to stderr, at length: beside the log, not in between.
    sys.stderr = (settings.data_dir / "stderr").open("a", encoding="utf-8", buffering=1)
    set_up_logs(settings.data_dir)
    code = asyncio.run(run_service(settings))
    close_logs()
    sys.exit(int(code))
