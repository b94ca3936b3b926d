"""Crash reports: made after the restart is under way, complete, bounded and without secrets."""

from __future__ import annotations

from pathlib import Path

import msgspec
from loguru import logger

from actors.runtime.ends import End
from actors.runtime.errors import in_words
from actors.runtime.events import CrashReport
from actors.runtime.incarnation import stack_of
from actors.runtime.ports import Job, Owner

# Files kept in the crash directory; the oldest go first.
KEPT = 200


def report_on(life: Owner, end: End, worker: Job | None = None) -> CrashReport:
    """All that is known about a crash: of an actor, or of one of its workers."""
    cell = life.cell
    scrub = cell.system.scrubber
    assert end.error is not None
    # Plain values first: a Secret met in them is then known to the texts.
    state = scrub.plain(life.actor.state)
    message = scrub.plain(end.message)
    recent = tuple(
        {"type": type(item).__name__, "message": scrub.plain(item)} for item in life.recent or ()
    )
    return CrashReport(
        at=cell.system.now(),
        path=worker.path if worker is not None else cell.path,
        class_name=worker.coroutine_name if worker is not None else type(life.actor).__name__,
        error=scrub.text(in_words(end.error)),
        traceback=scrub.text(stack_of(end.error)),
        message_type=type(end.message).__name__ if end.message is not None else "",
        message=message,
        state=state,
        recent=recent,
        restarts=cell.restarts,
        mailbox=len(cell.mailbox),
        uptime=cell.system.loop.time() - life.started_at,
    )


class CrashWriter:
    """Writes one JSON file a crash into a directory, and keeps the newest."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._count = 0

    def write(self, report: CrashReport) -> None:
        if self._directory is None:
            return
        self._count += 1
        name = (report.path or "root").replace("/", "~")
        stamp = report.at.strftime("%Y%m%dT%H%M%S.%f")
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            path = self._directory / f"{stamp}-{self._count:04d}-{name}.json"
            path.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
            for old in sorted(self._directory.glob("*.json"))[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            # A full disk must not keep an actor from its restart; the log has the report too.
            logger.error("crash report of {} could not be written: {}", report.path, error)
