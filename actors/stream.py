"""The stream actor: follows an account's stream of positions and orders, and passes hints on.

A hint never decides. It wakes whoever can ask the venue: reconciliation for a leg that went
flat, the orphans' monitor for one that appeared, and the exchange actor's worker for an order
that it waits for. Each (re)connect wakes both monitors, since what happened before it is not in
the stream.
"""

from __future__ import annotations

import msgspec

from actors import paths
from actors.backoff import backoff
from actors.runtime import Actor, Down, WorkerDone, handles
from messages.settings import AccountSettings
from messages.to_exchange import StreamConnected, StreamHint, StreamStands
from messages.to_monitors import LookAt, ScanNow
from messages.values import ZERO
from messages.venue import PositionHint, VenueError, VenueErrorKind
from venues.port import Venue

RETRY_FIRST = 1.0
RETRY_LAST = 60.0


class Follow(msgspec.Struct, frozen=True):
    """Sent to itself: connect the stream."""


class StreamState(msgspec.Struct):
    account: str
    status: str = "connecting"
    connects: int = 0
    hints: int = 0
    failures: int = 0
    why: str = ""


class Stream(Actor[StreamState]):
    """One account's stream of positions and orders."""

    def __init__(self, venue: Venue, account: AccountSettings) -> None:
        super().__init__(StreamState(account=account.name))
        self._venue = venue
        self._account = account

    def on_start(self) -> None:
        self.tell_self(Follow())

    @handles
    def follow(self, message: Follow) -> None:
        self.work(
            self._venue.watch(
                lambda hint: self.tell_self(StreamHint(hint=hint)),
                lambda: self.tell_self(StreamConnected()),
            ),
            name="watch",
        )

    @handles
    def connected(self, message: StreamConnected) -> None:
        self.state.status = "connected"
        self.state.connects += 1
        self.state.failures = 0
        self.log.info("Position stream of {} connected", self._account.name)
        self._tell_exchange(standing=True)
        for monitor in (paths.reconciliation, paths.orphans):
            self.tell(monitor(self._account.name), ScanNow())

    @handles
    def hint(self, message: StreamHint) -> None:
        self.state.hints += 1
        self.tell(paths.exchange(self._account.name), message)
        if isinstance(message.hint, PositionHint):
            self._wake(message.hint)

    def _tell_exchange(self, *, standing: bool) -> None:
        self.tell(paths.exchange(self._account.name), StreamStands(standing=standing))

    def _wake(self, hint: PositionHint) -> None:
        look = LookAt(key=hint.key)
        if hint.quantity == ZERO:
            self.tell(paths.reconciliation(self._account.name), look)
        else:
            self.tell(paths.orphans(self._account.name), look)

    @handles
    def ended(self, message: WorkerDone) -> None:
        """A stream that ends is the venue's right: wait longer each time, and follow again."""
        error = message.result
        if not isinstance(error, VenueError):
            raise TypeError(f"the stream ended with {error!r}")
        self.state.why = str(error)
        self._tell_exchange(standing=False)
        if error.kind is VenueErrorKind.UNSUPPORTED:
            self.state.status = "not available"
            self.log.info("No position stream for {}: {}", self._account.name, error.message)
            return
        self.state.failures += 1
        self.state.status = "reconnecting"
        delay = backoff(self.state.failures, RETRY_FIRST, RETRY_LAST)
        self.log.warning("Position stream ended ({}), again in {:.0f} s", error, delay)
        self.after(delay, Follow())

    @handles
    def crashed(self, message: Down) -> None:
        raise RuntimeError(f"the stream's worker crashed: {message.reason}")
