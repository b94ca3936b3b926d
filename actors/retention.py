"""The retention actor: sees to it that old events leave the ledger, an hour at a time.

Leaves the pruning to the ledger actor, as all writing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from actors import paths
from actors.runtime import Actor, AskFailed, handles
from messages.to_alerts import RaiseAlert, ResolveAlert
from messages.to_ledger import PruneEvents
from rules.guard_alerts import RETENTION_KEY, events_stay

EVERY = timedelta(hours=1)
PATIENCE = 1800.0
"""Seconds for one pruning: the first of a large ledger takes minutes."""


class Prune(msgspec.Struct, frozen=True):
    """Sent to itself: let go of what is too old."""


class RetentionState(msgspec.Struct):
    removed: int = 0
    passes: int = 0
    last_pass: datetime | None = None
    last_problem: str = ""


class Retention(Actor[RetentionState]):
    """`keep` is the age at which an event goes; `export` the file that it goes to first, if any."""

    def __init__(self, keep: timedelta, export: Path | None) -> None:
        super().__init__(RetentionState())
        self._keep = keep
        self._export = export

    def on_start(self) -> None:
        self.tell_self(Prune())

    @handles
    async def prune(self, message: Prune) -> None:
        answer = await self.attempt(
            paths.LEDGER,
            PruneEvents(older_than=self.now() - self._keep, export=self._export),
            timeout=PATIENCE,
        )
        problem = answer.reason if isinstance(answer, AskFailed) else answer.problem
        self.state.passes += 1
        self.state.last_pass = self.now()
        self.state.last_problem = problem
        if not isinstance(answer, AskFailed):
            self.state.removed += answer.removed
            if answer.removed:
                where = f", kept in {self._export}" if self._export else ""
                self.log.info("{} old events left the ledger{}", answer.removed, where)
        if problem:
            self._report(problem)
        else:
            self.tell(
                paths.ALERTS,
                ResolveAlert(
                    dedup_key=RETENTION_KEY, resolution="old events leave the ledger again"
                ),
            )
        self.after(EVERY, Prune())

    def _report(self, problem: str) -> None:
        self.log.error("Old events stay in the ledger: {}", problem)
        self.tell(paths.ALERTS, RaiseAlert(draft=events_stay(problem)))
