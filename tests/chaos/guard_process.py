"""A guard in a process of its own, forked from one that has imported everything already."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from loguru import logger

from actors.aged import AgedLeg
from actors.execution import Close
from console.service import serving
from messages.settings import Settings
from tests.chaos.awaits import Driven, Recorder

FORK = multiprocessing.get_context("fork")


def start_guard(
    settings: Settings, *, sites: Path, kill_at: str | None = None
) -> multiprocessing.process.BaseProcess:
    """Start a guard; it records its close's awaits and, if told, dies by SIGKILL at one."""
    process = FORK.Process(target=_run, args=(settings, sites, kill_at), daemon=True)
    process.start()
    return process


def _run(settings: Settings, sites: Path, kill_at: str | None) -> None:
    _close_inherited_sockets()
    logger.remove()
    logger.add(settings.data_dir / "guard.log", level="DEBUG")
    # A forked child must not run the parent's test session when it ends.
    try:
        _drive_closes(Recorder(sites, kill_at))
        asyncio.run(_serve(settings))
    finally:
        sys.stdout.flush()
        os._exit(0)


def _close_inherited_sockets() -> None:
    """A fork keeps the parent's sockets: the venue's port would stay taken while it restarts."""
    for descriptor in tuple(Path("/proc/self/fd").iterdir()):
        # The listing's own descriptor is closed by now, and is a link to nothing.
        if descriptor.is_socket():
            os.close(int(descriptor.name))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serving(settings):
        await stop.wait()


def _drive_closes(recorder: Recorder) -> None:
    """Let the close path be driven step by step: the leg's side of it and the exchange's."""
    run, close = Close.run, AgedLeg._close

    async def driven_run(self: Close) -> Any:
        return await Driven(run(self), recorder)

    async def driven_close(self: AgedLeg, *args: Any) -> Any:
        inner: Coroutine[Any, Any, Any] = close(self, *args)
        return await Driven(inner, recorder)

    Close.run = driven_run  # type: ignore[method-assign]  # instrumented in this process only
    AgedLeg._close = driven_close  # type: ignore[method-assign, assignment]  # likewise
