"""What the system writes down and tells of: events in order, dead letters, crash reports.

Everything that leaves here has passed the scrubber. Starting and stopping is `system.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from loguru import logger as root_logger

from actors.runtime.crashes import CrashWriter, report_on
from actors.runtime.ends import End
from actors.runtime.events import (
    ChildCrashed,
    ChildStopped,
    ChildUnstoppable,
    CrashReport,
    DeadLetter,
    SlowHandler,
    SupervisionEvent,
)
from actors.runtime.ports import Address, Job, Owner
from actors.runtime.scrubber import Scrubber
from messages.values import Secret

# Seconds between an event and its being told of.
REPORT_AFTER = 0.001


class DeadLetters:
    """Messages that nobody took: how many, and the most recent."""

    def __init__(self) -> None:
        self.count = 0
        self.recent: deque[DeadLetter] = deque(maxlen=100)


class Journal:
    """The system's records. `loop` is set when the system starts; nothing is told before."""

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        on_event: Callable[[SupervisionEvent], None] | None,
        crash_dir: Path | None,
        secrets: Iterable[Secret],
    ) -> None:
        self.scrubber = Scrubber(secrets)
        self.logger = root_logger
        self.dead_letters = DeadLetters()
        self._on_event = on_event
        self._crashes = CrashWriter(crash_dir)
        self._events: deque[Callable[[], SupervisionEvent] | SupervisionEvent] = deque()
        self._telling = False

    def emit(self, event: SupervisionEvent | Callable[[], SupervisionEvent]) -> None:
        """Tell of an event soon, in order. What is costly to write is written then.

        A moment later, and not in the loop's next turn: a restart comes before its report.
        """
        self._events.append(event)
        if not self._telling:
            self._telling = True
            self.loop.call_later(REPORT_AFTER, self.flush)

    def flush(self) -> None:
        """Tell of all events that wait."""
        self._telling = False
        while self._events:
            event = self._events.popleft()
            try:
                made = event if isinstance(event, SupervisionEvent) else event()
                if self._on_event is not None:
                    self._on_event(made)
            except Exception as error:  # noqa: BLE001  a listener's bug must not stop the tree
                kind = type(error).__name__
                self.logger.error("an event could not be told of: {} in {!r}", kind, self._on_event)

    def dead_letter(self, path: str, message: object, why: str) -> None:
        letters = self.dead_letters
        letters.count += 1
        letter = DeadLetter(path=path, message=type(message).__name__, why=why)
        letters.recent.append(letter)
        # The first few are news, the thousandth is a number.
        if letters.count <= 20 or letters.count % 1000 == 0:
            self.logger.bind(actor=path).warning(
                "dead letter #{}: {} for {!r}: {}", letters.count, letter.message, path, why
            )
        self.emit(letter)

    def crashed(self, life: Owner, end: End, worker: Job | None = None) -> None:
        """An actor, or one of its workers, crashed: report, log line, file and event."""

        def event() -> ChildCrashed:
            report = self._report(life, end, worker)
            return ChildCrashed(path=report.path, report=report)

        self.emit(event)

    def stopped(self, life: Owner, end: End) -> None:
        self.emit(ChildStopped(path=life.cell.path, reason=str(end.reason)))

    def unstoppable(self, cell: Address, path: str, seconds: float) -> None:
        """An actor, or a worker of one, is abandoned after so many seconds of being killed."""
        log = cell.log if path == cell.path else cell.log.bind(actor=path)
        log.critical("ignores being cancelled and is abandoned after {:g} s", seconds)
        self.emit(ChildUnstoppable(path=path, seconds=seconds))

    def loop_blocked(self, path: str, message: str, seconds: float, stack: str) -> None:
        """Called on the guard's own thread, while the loop is blocked."""
        self.logger.bind(actor=path).error(
            "the loop is blocked for over {:g} s in {!r} ({})\n{}", seconds, path, message, stack
        )
        event = SlowHandler(path=path, message=message, seconds=seconds, stack=stack)
        self.loop.call_soon_threadsafe(self.emit, event)

    def scrubbed(self, value: object) -> Any:
        """A message as it may be logged."""
        return {"type": type(value).__name__, "message": self.scrubber.plain(value)}

    def _report(self, life: Owner, end: End, worker: Job | None) -> CrashReport:
        report = report_on(life, end, worker)
        log = life.cell.log.bind(actor=report.path)
        log.error("crashed: {}\n{}", report.error, report.traceback)
        self._crashes.write(report)
        return report
