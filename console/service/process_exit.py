"""The end of the service's process: at once when everything is closed.

What Python does at its own end takes seconds on a busy machine: it waits for every thread (an
import of ccxt, a notice to a server that is slow to answer) and takes ccxt's modules apart. None
of that is worth a restart's time. The ordered stop is in `console.service.run`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

LAST_WORDS = 1.0
"""Seconds that jobs in threads have for what they are at, an operator's alert function say."""


def run_and_leave(main: Coroutine[Any, Any, int], *, closing: Callable[[], None]) -> NoReturn:
    """Run `main` as `asyncio.run` does, call `closing`, and end the process with main's result.

    Nothing that was registered for the interpreter's end is called. An exception that leaves
    `main` is raised, in the ordinary way and after `closing`.
    """
    runner = asyncio.Runner()
    try:
        jobs = ThreadPoolExecutor(thread_name_prefix="job")
        runner.get_loop().set_default_executor(jobs)
        code = runner.run(main)
        jobs.shutdown(wait=False, cancel_futures=True)
        _wait_for_threads(LAST_WORDS)
    except BaseException:
        runner.close()
        raise
    finally:
        closing()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _wait_for_threads(within: float) -> None:
    deadline = time.monotonic() + within
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
