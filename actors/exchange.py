"""The exchange actor: owns `fetch_positions` and order execution for one account.

Its mailbox never waits for a socket: every request to the venue runs in a worker, and the answer
comes back as a message. It connects, settles what an earlier incarnation left open, and then serves
reads (shared), verdicts and closes (one at a time for a leg). What only asks is `ReadingExchange`;
here is what may send.
"""

from __future__ import annotations

import msgspec

from actors.exchange_reading import ReadingExchange
from actors.execution.cleanup import clean_up
from actors.execution.close import Close
from actors.execution.close_context import CloseContext
from actors.execution.protective_stop import place_stop
from actors.execution.shared_orders import SharedOrders
from actors.runtime import (
    ChildSpec,
    DeferredReply,
    handles,
)
from actors.venue_actor import as_error
from messages.budget import Lane
from messages.execution import ErrorCode, ExecutionResult
from messages.settings import AccountSettings, Leftovers, Mode, Settings
from messages.to_exchange import (
    CleanedUp,
    CleanUp,
    CloseLeg,
    PlaceStop,
    SetSuspect,
    Settled,
    SettleLeg,
    StopPlaced,
    StreamStands,
)
from venues.port import Venue

WARM_EVERY = 60.0
"""Seconds: below the 75 after which an idle socket is dropped."""

MOST_SOCKETS = 8
"""Sockets that are kept open where there are as many positions: each costs a question a minute."""


class StartOrders(msgspec.Struct, frozen=True):
    """Sent to itself: begin one read of the resting orders that somebody waits for."""


class KeepWarm(msgspec.Struct, frozen=True):
    """Sent to itself: use the sockets that orders would need, before the venue drops them."""


class Exchange(ReadingExchange):
    """One account at one venue, with its orders."""

    def __init__(
        self, venue: Venue, account: AccountSettings, settings: Settings, prices: ChildSpec
    ) -> None:
        super().__init__(venue, account, settings, prices)
        self._resting = SharedOrders(lambda delay: self.after(delay, StartOrders()))

    def on_start(self) -> None:
        super().on_start()
        self.after(WARM_EVERY, KeepWarm())

    @handles
    def stream_stands(self, message: StreamStands) -> None:
        self._orders.news.standing = message.standing

    @handles
    def set_suspect(self, message: SetSuspect) -> None:
        """Reconciliation says whether this is the ledger's account."""
        self.state.suspect = message.why
        doubted, seen = self._doubted_at, message.seen_at
        if message.undecided or doubted is None or (seen is not None and seen >= doubted):
            self.state.undecided = message.undecided

    def _barred(self) -> str:
        """Why nothing but reads may be sent now; empty where orders may."""
        if self._settings.mode is Mode.OBSERVE:
            return "mode is observe: nothing is sent"
        if self._markets is None:
            return self.state.why or "still connecting"
        doubt = self._doubt()
        return doubt[1] if doubt is not None else ""

    def _doubt(self) -> tuple[ErrorCode, str] | None:
        """Why it may not be the ledger's account; None where it is."""
        state = self.state
        if suspect := state.wrong_identity or state.suspect:
            return ErrorCode.ACCOUNT_SUSPECT, f"the account is suspect: {suspect}"
        undecided = state.undecided if self._asked_whose else "the venue is asked whose login it is"
        if undecided:
            why = f"it is being found out whether this is the ledger's account: {undecided}"
            return ErrorCode.ACCOUNT_UNDECIDED, why
        return None

    # --- orders ---------------------------------------------------------------------------------

    @handles
    def close(self, message: CloseLeg) -> ExecutionResult | DeferredReply[ExecutionResult]:
        barred = self._barred()
        if barred or self._markets is None:
            doubt = self._doubt()
            code = ErrorCode.NETWORK if doubt is None else doubt[0]
            observed = self._settings.mode is Mode.OBSERVE
            return self._not_sent(message, barred, code=code, permanent=observed)
        later: DeferredReply[ExecutionResult] = self.later()
        waiting = self._closing.get(message.key)
        if waiting is not None:
            # One close of a leg at a time: a second asker gets the first one's result.
            waiting.append(later)
            return later
        self._closing[message.key] = [later]
        self.state.closing = sorted(str(key) for key in self._closing)
        close = Close(
            CloseContext(
                actor=self,
                venue=self._venue,
                prices=self._prices,
                leg_judge=self._leg_judge,
                orders=self._orders,
                markets=self._markets,
                settings=self._settings.orders,
                on_unknown=self._account.on_unknown,
                doubt=self._doubt,
            ),
            message,
        )
        self._work(
            Lane.CLOSE,
            close.run(),
            self._on_closed,
            lambda why: self._on_closed(self._not_sent(message, why)),
            name=f"close {message.key.actor_name}",
        )
        return later

    def _on_closed(self, result: ExecutionResult) -> None:
        self.state.calls = self._venue.calls()
        if result.error_code in (ErrorCode.MIN_SIZE, ErrorCode.NOT_TRADABLE):
            self._doubt_rules()
        for later in self._closing.pop(result.key, []):
            later.set(result)
        self.state.closing = sorted(str(key) for key in self._closing)

    def _not_sent(
        self,
        message: CloseLeg,
        why: str,
        *,
        code: ErrorCode = ErrorCode.NETWORK,
        permanent: bool = False,
    ) -> ExecutionResult:
        return ExecutionResult(
            key=message.key,
            success=False,
            requested=message.quantity,
            error_code=code,
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
            Lane.CLOSE,
            self._orders.settle_open(message.key, self._account.name),
            lambda _: Settled(unresolved=1),
            name="settle",
        )

    @handles
    def protect(self, message: PlaceStop) -> StopPlaced | DeferredReply[StopPlaced]:
        barred = self._barred()
        if barred:
            waits = not (self.state.wrong_identity or self.state.suspect)
            return StopPlaced(success=False, error=barred, waits=waits)
        return self._answer_later(
            Lane.CLOSE,
            place_stop(
                self,
                self._orders,
                self._leg_judge,
                message,
                being_closed=self._closing.__contains__,
            ),
            lambda why: StopPlaced(success=False, error=why),
            name="protect",
        )

    @handles
    def clean_up(self, message: CleanUp) -> CleanedUp | DeferredReply[CleanedUp]:
        # A row was closed on a record of its end, so this account is the ledger's.
        doubt = self._doubt()
        suspect = doubt is not None and doubt[0] is ErrorCode.ACCOUNT_SUSPECT
        if self._settings.mode is Mode.OBSERVE or suspect or self._markets is None:
            return CleanedUp()
        return self._answer_later(
            Lane.ROUND,
            clean_up(
                self,
                self._reads,
                self._resting,
                self._venue,
                self._markets,
                message,
                own=self._orders.own_ids,
                # Of a source's rows the guard has copies: the bot's own record may still be open.
                only_own=self._account.leftovers is Leftovers.OWN
                or self._settings.ledger is not None,
            ),
            lambda _: CleanedUp(),
            name="clean-up",
        )

    @handles
    def start_orders(self, message: StartOrders) -> None:
        self._work(
            Lane.ROUND,
            self._venue.resting(self._resting.begin()),
            self._resting.arrived,
            lambda why: self._resting.arrived(as_error(why)),
            name="resting orders",
        )

    @handles
    def keep_warm(self, message: KeepWarm) -> None:
        """The first order after an hour of calm shall pay no handshake."""
        self.after(WARM_EVERY, KeepWarm())
        sockets = min(self.state.last_read_positions, MOST_SOCKETS)
        if sockets and self._settings.mode is Mode.ENFORCE:
            self._work(
                Lane.ROUND, self._venue.keep_warm(sockets), _nothing, _nothing, name="keep warm"
            )


def _nothing(_: object) -> None:
    """For what is only done to have been done."""
