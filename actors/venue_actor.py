"""An account's actor whose requests to the venue run in workers, each in a lane of its own.

The base of the exchange actor: what it shows of itself, and how it runs what waits for a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from actors import paths
from actors.execution.health import HealthState
from actors.runtime import (
    Actor,
    DeferredReply,
    Down,
    WorkerCrashed,
    WorkerDone,
    handles,
)
from messages.budget import Lane
from messages.settings import AccountSettings, Settings
from messages.to_alerts import RaiseAlert
from messages.venue import (
    VenueError,
    VenueErrorKind,
)
from rules.guard_alerts import worker_crashed
from venues.limits.priority import Priority, asking
from venues.port import Venue

T = TypeVar("T")


class WorkerCallbacks(msgspec.Struct, frozen=True):
    """A worker's tag. `crashed` None: the actor crashes with its worker."""

    then: Callable[[Any], None]
    crashed: Callable[[str], None] | None = None


class ExchangeState(msgspec.Struct):
    """`suspect` is why only reads are sent: it may not be the ledger's account. `wrong_identity`
    is the venue's own word that it is not. `undecided`: no order is sent before it is known.

    `snapshots` counts reads of all positions; `calls` the venue's requests by endpoint.
    """

    account: str
    exchange: str
    status: str = "connecting"
    why: str = ""
    hedged: bool | None = None
    instruments: int = 0
    snapshots: int = 0
    failed_reads: int = 0
    health: HealthState = msgspec.field(default_factory=HealthState)
    last_read_at: datetime | None = None
    last_read_positions: int = 0
    reconnects: int = 0
    worker_crashes: int = 0
    suspect: str = ""
    undecided: str = "it has not been compared with the ledger yet"
    wrong_identity: str = ""
    closing: list[str] = []
    calls: dict[str, int] = {}


class VenueActor(Actor[ExchangeState]):
    """One account at one venue. The `venue` outlives incarnations; this state does not."""

    def __init__(self, venue: Venue, account: AccountSettings, settings: Settings) -> None:
        super().__init__(ExchangeState(account=account.name, exchange=account.exchange))
        self._venue = venue
        self._account = account
        self._settings = settings

    def _work(
        self,
        lane: Lane | Priority,
        job: Coroutine[Any, Any, Any],
        then: Callable[[Any], None],
        crashed: Callable[[str], None] | None = None,
        *,
        name: str,
    ) -> None:
        """Run a job in a worker, whose requests to the venue go in this lane."""
        with asking(lane):
            self.work(job, WorkerCallbacks(then, crashed), name=name)

    def _answer_later(
        self,
        lane: Lane,
        job: Coroutine[Any, Any, T],
        if_crashed: Callable[[str], T],
        *,
        name: str,
    ) -> DeferredReply[T]:
        """Run a request in a worker; a crash there costs this asker its answer, and no other."""
        later: DeferredReply[T] = self.later()
        self._work(lane, job, later.set, lambda why: later.set(if_crashed(why)), name=name)
        return later

    @handles
    def worked(self, message: WorkerDone) -> None:
        if isinstance(message.tag, WorkerCallbacks):
            self.state.calls = self._venue.calls()
            message.tag.then(message.result)

    @handles
    def worker_down(self, message: Down) -> None:
        """A worker crashed, which is a bug: answer whoever waits for it, and raise an alert."""
        callbacks = message.tag
        if not isinstance(callbacks, WorkerCallbacks) or callbacks.crashed is None:
            raise WorkerCrashed(f"{message.path}: {message.error!r}") from message.error
        self.log.opt(exception=message.error).error("{} crashed", message.path)
        self.state.worker_crashes += 1
        self.tell(
            paths.ALERTS,
            RaiseAlert(draft=worker_crashed(self._account.name, message.path, repr(message.error))),
        )
        callbacks.crashed(f"{message.path} crashed: {message.error!r}")


def as_error(why: str) -> VenueError:
    """A crash, or a doubt of our own, as the venue's word would be."""
    return VenueError(kind=VenueErrorKind.OTHER, message=why)
