"""The exchange actor: owns `fetch_positions` and order execution for one account.

Its mailbox never waits for a socket: every request to the venue runs in a worker, and the answer
comes back as a message. It connects, settles what an earlier life left open, and then serves
reads (shared), verdicts and closes (one at a time for a leg).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from actors import paths
from actors.exchange_alerts import worker_crashed
from actors.execution.cleanup import clean_up
from actors.execution.close import Close
from actors.execution.evidence import Inquiry
from actors.execution.health import Health, HealthState
from actors.execution.leg_opening import find_opening
from actors.execution.orders import Orders
from actors.execution.protective_stop import place_stop
from actors.execution.shared_reads import SharedReads
from actors.runtime import Actor, DeferredReply, Down, WorkerCrashed, WorkerDone, handles
from messages.execution import ErrorCode, ExecutionResult
from messages.settings import AccountSettings, Mode, Settings
from messages.to_alerts import RaiseAlert
from messages.to_exchange import (
    CleanedUp,
    CleanUp,
    CloseLeg,
    FindOpening,
    GetMarkets,
    JudgeLeg,
    Judgement,
    Markets,
    NotReady,
    Opening,
    PlaceStop,
    ReadPositions,
    ReadProtection,
    ReadQuote,
    Settled,
    SettleLeg,
    StopPlaced,
    StreamHint,
)
from messages.values import LegKey
from messages.venue import (
    Connected,
    OrderHint,
    PositionHint,
    Protection,
    Quote,
    Snapshot,
    VenueError,
    VenueErrorKind,
)
from messages.verdict import Unknown
from venues.port import Venue

T = TypeVar("T")

RECONNECT_FIRST = 1.0
RECONNECT_LAST = 60.0


class AccountUnusable(Exception):
    """The venue refuses this account's key: no waiting helps, so the account is quarantined."""


class Connect(msgspec.Struct, frozen=True):
    """Sent to itself: load the markets."""


class StartRead(msgspec.Struct, frozen=True):
    """Sent to itself: begin one read of all positions."""


class Errand(msgspec.Struct, frozen=True):
    """A worker's tag: what to do with its result, and (None: crash as well) with its crash."""

    then: Callable[[Any], None]
    crashed: Callable[[str], None] | None = None


class ExchangeState(msgspec.Struct):
    """`snapshots` counts reads of all positions; `calls` the venue's requests by endpoint."""

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
    closing: list[str] = []
    calls: dict[str, int] = {}


class Exchange(Actor[ExchangeState]):
    """One account at one venue. The `venue` outlives incarnations; this state does not."""

    def __init__(self, venue: Venue, account: AccountSettings, settings: Settings) -> None:
        super().__init__(ExchangeState(account=account.name, exchange=account.exchange))
        self._venue = venue
        self._account = account
        self._settings = settings
        self._markets: Markets | None = None
        self._told_identity = ""
        self._closing: dict[LegKey, list[DeferredReply[ExecutionResult]]] = {}
        self._health = Health(self, account.name, self.state.health)
        self._reads = SharedReads(
            account.name,
            fresh=settings.verdict.fresh,
            now=self.now,
            start_after=self._read_after,
        )
        self._inquiry = Inquiry(venue, self._reads, settings.verdict, self.now)
        self._orders = Orders(self, venue, settings.orders, self.now, self._inquiry.order_live)

    def on_start(self) -> None:
        self.tell_self(Connect())

    def _read_after(self, delay: float) -> None:
        self.after(delay, StartRead())

    # --- connecting -----------------------------------------------------------------------------

    @handles
    def connect(self, message: Connect) -> None:
        self.work(self._connected(), Errand(self._on_connected), name="connect")

    async def _connected(self) -> Connected | VenueError:
        answer = await self._venue.connect()
        if isinstance(answer, Connected):
            # Before anything else: what became of the orders of an earlier life?
            await self._orders.settle_open(None, self._account.name)
        return answer

    def _on_connected(self, answer: Connected | VenueError) -> None:
        self.state.calls = self._venue.calls()
        if isinstance(answer, Connected):
            self._markets = Markets(instruments=answer.instruments, hedged=answer.hedged)
            self.state.status = "ready"
            self.state.why = ""
            self.state.hedged = answer.hedged
            self.state.instruments = len(answer.instruments)
            self.state.reconnects = 0
            self.log.info(
                "Connected to {}: {} instruments, position mode {}",
                self._account.exchange,
                len(answer.instruments),
                {True: "hedge", False: "one-way", None: "not yet known"}[answer.hedged],
            )
            self._health.recovered()
            return
        self._refuse_if_unusable(answer)
        self.state.why = str(answer)
        self.state.reconnects += 1
        delay = min(RECONNECT_FIRST * 2 ** (self.state.reconnects - 1), RECONNECT_LAST)
        self.log.warning("Cannot connect ({}), trying again in {:.0f} s", answer, delay)
        self._health.troubled(answer)
        self._reads.refuse_all(f"not connected: {answer}")
        self.after(delay, Connect())

    def _refuse_if_unusable(self, error: VenueError) -> None:
        if error.kind in (VenueErrorKind.KEY, VenueErrorKind.RIGHTS):
            raise AccountUnusable(f"{self._account.name}: the venue refuses the key: {error}")

    # --- reads ----------------------------------------------------------------------------------

    @handles
    def get_markets(self, message: GetMarkets) -> Markets | NotReady:
        return self._markets or NotReady(why=self.state.why or "still connecting")

    @handles
    def read_positions(self, message: ReadPositions) -> Snapshot | DeferredReply[Snapshot]:
        if self._markets is None:
            return self._reads.unknown(self.state.why or "still connecting")
        return self._answer_later(
            self._reads.snapshot(message.not_before), self._reads.unknown, name="read"
        )

    @handles
    def start_read(self, message: StartRead) -> None:
        self.work(self._venue.fetch_positions(), Errand(self._on_read), name="positions")

    def _on_read(self, snapshot: Snapshot) -> None:
        self.state.snapshots += 1
        self.state.calls = self._venue.calls()
        self.state.last_read_at = snapshot.started_at
        self.state.last_read_positions = len(snapshot.positions)
        self._learn_mode(snapshot)
        self._reads.arrived(snapshot)
        if snapshot.complete:
            self._health.recovered()
            self.state.why = ""
            return
        self.state.failed_reads += 1
        problem = snapshot.problems[0]
        self.state.why = str(problem)
        self._refuse_if_unusable(problem)
        self._health.troubled(problem)

    def _learn_mode(self, snapshot: Snapshot) -> None:
        """Some venues tell their position mode by the positions only."""
        if self._markets is not None and snapshot.positions:
            hedged = any(position.hedged for position in snapshot.positions)
            self._markets = msgspec.structs.replace(self._markets, hedged=hedged)
            self.state.hedged = hedged

    @handles
    def judge(self, message: JudgeLeg) -> Judgement | DeferredReply[Judgement]:
        if self._markets is None:
            why = self.state.why or "still connecting"
            return Judgement(verdict=Unknown(why=why, failed=True))
        return self._answer_later(
            self._judged(message),
            lambda why: Judgement(verdict=Unknown(why=why, failed=True)),
            name="judge",
        )

    async def _judged(self, message: JudgeLeg) -> Judgement:
        """A verdict. An order whose worker died is settled first, or it would bar one for ever."""
        if message.key in self._inquiry.order_live and message.key not in self._closing:
            settled = await self._orders.settle_open(message.key, self._account.name)
            if not settled.unresolved and message.key not in self._closing:
                # The worker may have died before its intent was committed.
                self._inquiry.order_live.discard(message.key)
        return await self._inquiry.judge(message)

    @handles
    def find_opening(self, message: FindOpening) -> DeferredReply[Opening]:
        return self._answer_later(
            find_opening(self._venue, message, self.now),
            lambda why: Opening(why=why, failed=True),
            name="opening",
        )

    @handles
    def read_quote(self, message: ReadQuote) -> DeferredReply[Quote | VenueError]:
        return self._answer_later(self._venue.fetch_quote(message.symbol), _as_error, name="quote")

    @handles
    def read_protection(self, message: ReadProtection) -> DeferredReply[Protection]:
        return self._answer_later(
            self._venue.fetch_protection(message.symbols),
            lambda why: Protection(started_at=self.now(), problems=(_as_error(why),)),
            name="stops",
        )

    @handles
    def hint(self, message: StreamHint) -> None:
        match message.hint:
            case PositionHint() as hint:
                self._inquiry.hints[hint.key] = hint
            case OrderHint() as hint:
                self._orders.heard(hint)

    # --- orders ---------------------------------------------------------------------------------

    @handles
    def close(self, message: CloseLeg) -> ExecutionResult | DeferredReply[ExecutionResult]:
        if self._settings.mode is Mode.OBSERVE:
            return self._not_sent(message, "mode is observe: nothing is sent", permanent=True)
        if self._markets is None:
            return self._not_sent(message, self.state.why or "still connecting")
        later: DeferredReply[ExecutionResult] = self.later()
        waiting = self._closing.get(message.key)
        if waiting is not None:
            # One close of a leg at a time: a second asker gets the first one's result.
            waiting.append(later)
            return later
        self._closing[message.key] = [later]
        self.state.closing = sorted(str(key) for key in self._closing)
        close = Close(
            self,
            self._venue,
            self._inquiry,
            self._orders,
            self._markets,
            self._settings.orders,
            self._account.on_unknown,
            self.now,
            message,
        )
        self.work(
            close.run(),
            Errand(self._on_closed, lambda why: self._on_closed(self._not_sent(message, why))),
            name=f"close {message.key.actor_name}",
        )
        return later

    def _on_closed(self, result: ExecutionResult) -> None:
        self.state.calls = self._venue.calls()
        for later in self._closing.pop(result.key, []):
            later.set(result)
        self.state.closing = sorted(str(key) for key in self._closing)

    def _not_sent(self, message: CloseLeg, why: str, *, permanent: bool = False) -> ExecutionResult:
        return ExecutionResult(
            key=message.key,
            success=False,
            requested=message.quantity,
            error_code=ErrorCode.NETWORK,
            error_message=why,
            permanent=permanent,
        )

    @handles
    def settle(self, message: SettleLeg) -> Settled | DeferredReply[Settled]:
        if self._markets is None:
            return Settled(unresolved=1)
        if message.key in self._closing:
            return Settled(unresolved=1)
        return self._answer_later(
            self._orders.settle_open(message.key, self._account.name),
            lambda _: Settled(unresolved=1),
            name="settle",
        )

    @handles
    def protect(self, message: PlaceStop) -> StopPlaced | DeferredReply[StopPlaced]:
        if self._settings.mode is Mode.OBSERVE or self._markets is None:
            return StopPlaced(success=False, error=self.state.why or "mode is observe")
        return self._answer_later(
            place_stop(self, self._orders, self._inquiry, message),
            lambda why: StopPlaced(success=False, error=why),
            name="protect",
        )

    @handles
    def clean_up(self, message: CleanUp) -> CleanedUp | DeferredReply[CleanedUp]:
        if self._settings.mode is Mode.OBSERVE or self._markets is None:
            return CleanedUp()
        return self._answer_later(
            clean_up(self, self._reads, self._venue, self._markets, message),
            lambda _: CleanedUp(),
            name="clean-up",
        )

    # --- workers --------------------------------------------------------------------------------

    def _answer_later(
        self, job: Coroutine[Any, Any, T], if_crashed: Callable[[str], T], *, name: str
    ) -> DeferredReply[T]:
        """Run a request in a worker; a crash there costs this asker its answer, and no other."""
        later: DeferredReply[T] = self.later()
        self.work(job, Errand(later.set, lambda why: later.set(if_crashed(why))), name=name)
        return later

    @handles
    def worked(self, message: WorkerDone) -> None:
        if isinstance(message.tag, Errand):
            self.state.calls = self._venue.calls()
            message.tag.then(message.result)

    @handles
    def worker_down(self, message: Down) -> None:
        """A worker crashed: a bug. Whoever waits is told, and so are people."""
        errand = message.tag
        if not isinstance(errand, Errand) or errand.crashed is None:
            raise WorkerCrashed(f"{message.path}: {message.error!r}") from message.error
        self.log.opt(exception=message.error).error("{} crashed", message.path)
        self.state.worker_crashes += 1
        self.tell(paths.ALERTS, RaiseAlert(draft=worker_crashed(self._account.name, message)))
        errand.crashed(f"{message.path} crashed: {message.error!r}")


def _as_error(why: str) -> VenueError:
    return VenueError(kind=VenueErrorKind.OTHER, message=why)
