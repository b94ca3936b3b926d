"""Finds where a coroutine waits, and kills the process at one of those places.

A coroutine is driven by hand; each time it gives control away, the chain of awaits is walked down.
Its frames in the project's own code are the await's site. The sites of a
path are thereby enumerated by running it, not by reading it.
"""

from __future__ import annotations

import os
import signal
import types
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, Generic, TypeVar

R = TypeVar("R")
ROOT = Path(__file__).parents[2]
ROOMS = tuple(str(ROOT / room) for room in ("actors", "venues", "storage"))


class Driven(Generic[R]):
    """An awaitable that runs `inner` and calls `at_await` with the site of each suspension."""

    def __init__(self, inner: Coroutine[Any, Any, R], at_await: Callable[[str], None]) -> None:
        self._inner = inner
        self._at_await = at_await

    def __await__(self) -> Generator[Any, Any, R]:
        inner = self._inner
        try:
            waiting = inner.send(None)
            while True:
                self._at_await(site_of(inner))
                try:
                    sent = yield waiting
                except BaseException as error:  # noqa: BLE001  # passed on to the coroutine
                    waiting = inner.throw(error)
                else:
                    waiting = inner.send(sent)
        except StopIteration as done:
            result: R = done.value
            return result


def site_of(coroutine: Any) -> str:
    """The chain of awaits in the project's own code, outermost first: file, line and function."""
    chain = []
    current = coroutine
    while current is not None:
        frame = getattr(current, "cr_frame", None) or getattr(current, "gi_frame", None)
        if isinstance(frame, types.FrameType) and frame.f_code.co_filename.startswith(ROOMS):
            where = Path(frame.f_code.co_filename).relative_to(ROOT)
            chain.append(f"{where}:{frame.f_lineno} {frame.f_code.co_name}")
        current = getattr(current, "cr_await", None) or getattr(current, "gi_yieldfrom", None)
    return " > ".join(chain)


class Recorder:
    """Writes each site down the first time it is met; kills this process at one of them."""

    def __init__(self, file: Path, kill_at: str | None) -> None:
        self._file = file
        self._kill_at = kill_at
        self._seen: set[str] = set()

    def __call__(self, site: str) -> None:
        if not site or site in self._seen:
            return
        self._seen.add(site)
        with self._file.open("a", encoding="utf-8") as out:
            out.write(site + "\n")
        if site == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
