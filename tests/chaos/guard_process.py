"""A guard in a process of its own, whose closes can be driven from await to await."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec
from loguru import logger

from actors.aged_leg import AgedLeg
from actors.execution.close import Close
from console.service.run import serving
from messages.settings import Settings
from messages.values import Secret
from tests.chaos.awaits import Driven, Recorder
from tests.chaos.processes import SERVED


def start_guard(settings: Settings, *, sites: Path, kill_at: str | None = None) -> BaseProcess:
    """Start a guard; it records its close's awaits and, if told, dies by SIGKILL at one."""
    packed = msgspec.json.encode(settings, enc_hook=_plain)
    process = SERVED.Process(target=_run, args=(packed, sites, kill_at), daemon=True)
    process.start()
    return process


def _plain(value: object) -> str:
    """Secrets refuse to be pickled, and the settings of a test hold none that is one."""
    return value.reveal() if isinstance(value, Secret) else str(value)


def _typed(kind: type, value: str) -> object:
    return kind(value)


def _run(packed: bytes, sites: Path, kill_at: str | None) -> None:
    settings = msgspec.json.decode(packed, type=Settings, dec_hook=_typed)
    logger.remove()
    logger.add(settings.data_dir / "guard.log", level="DEBUG")
    # A forked child must not run the parent's test session when it ends.
    try:
        _drive_closes(Recorder(sites, kill_at))
        asyncio.run(_serve(settings))
    finally:
        sys.stdout.flush()
        os._exit(0)


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
