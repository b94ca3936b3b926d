"""The prices of one exchange, for any number of askers: one list of all contracts for a window.

Prices are facts of an exchange, not of an account or a leg. Nobody asks, nothing is read: an asker
says how old a price it bears, and is served by what was read since, by the read under way, or by a
new one. A contract that is in no list is asked for by its name. Any account's venue will do to ask
through; the asker's own comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from actors import paths
from actors.context import Context
from actors.runtime import (
    Actor,
    AskFailed,
    AskFailure,
    ChildSpec,
    DeferredReply,
    Down,
    StartChild,
    WorkerDone,
    handles,
)
from messages.budget import Lane
from messages.to_prices import ReadPrice
from messages.venue import NotTold, Price, PriceKind, VenueError, VenueErrorKind
from messages.venue import Prices as Listed
from venues.limits.priority import Priority, asking
from venues.port import Venue

TRIES = 2
"""Accounts that are asked through before a price counts as unreadable: a key may be bad."""

PATIENCE = 30.0
"""Seconds that an asker waits for a price."""

_EVERYTHING = ""
"""The list of all contracts, where a flight is named by its symbol."""

Answer = Price | VenueError


class PricesState(msgspec.Struct):
    """`reads` counts lists, `named` questions for single contracts."""

    reads: int = 0
    named: int = 0
    contracts: int = 0
    last_problem: str = ""


class _Flight:
    """One question to the venue under way, and who waits for its answer."""

    def __init__(self, kinds: frozenset[PriceKind], begun: float, priority: Priority) -> None:
        self.kinds = kinds
        self.begun = begun
        self.priority = priority
        self.waiting: list[tuple[ReadPrice, DeferredReply[Answer]]] = []


class _Kept(msgspec.Struct, frozen=True):
    """The last list, and when the question for it left, by the loop's clock."""

    prices: Listed
    begun: float


class Prices(Actor[PricesState]):
    """`venues` gives the venues to ask through now, by account."""

    def __init__(self, venues: Callable[[], Mapping[str, Venue]]) -> None:
        super().__init__(PricesState())
        self._venues = venues
        self._kept: _Kept | None = None
        self._in_no_list: list[frozenset[PriceKind]] = []
        self._flights: dict[str, _Flight] = {}
        self._queue: dict[str, list[tuple[ReadPrice, DeferredReply[Answer]]]] = {}

    @handles
    def read(self, message: ReadPrice) -> Answer | DeferredReply[Answer]:
        if self._kept is not None and self._serves(message, self._kept):
            found = self._of(message.symbol, self._kept.prices)
            if found is not None:
                return found
        later: DeferredReply[Answer] = self.later()
        listed = not any(kinds <= message.kinds for kinds in self._in_no_list)
        self._wait(_EVERYTHING if listed else message.symbol, message, later)
        return later

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _serves(self, message: ReadPrice, kept: _Kept) -> bool:
        age = self._now() - kept.begun
        return message.kinds <= kept.prices.kinds and age <= message.max_age.total_seconds()

    def _of(self, symbol: str, prices: Listed) -> Answer | None:
        """A contract's price in a list; None where it is in none. Damage costs that one only."""
        why = prices.damaged.get(symbol)
        if why is not None:
            return VenueError(kind=VenueErrorKind.MALFORMED, message=why)
        return prices.by_symbol.get(symbol)

    # --- asking the venue -----------------------------------------------------------------------

    def _wait(self, what: str, message: ReadPrice, later: DeferredReply[Answer]) -> None:
        """Join the question under way, or the one after it, or ask."""
        flight = self._flights.get(what)
        if flight is None:
            self._ask(what, [(message, later)])
            return
        flight.priority.raise_to(message.lane)
        young = self._now() - flight.begun <= message.max_age.total_seconds()
        if young and message.kinds <= flight.kinds:
            flight.waiting.append((message, later))
        else:
            self._queue.setdefault(what, []).append((message, later))

    def _ask(self, what: str, askers: list[tuple[ReadPrice, DeferredReply[Answer]]]) -> None:
        kinds = frozenset[PriceKind]().union(*(message.kinds for message, _ in askers))
        priority = Priority(min(message.lane for message, _ in askers))
        flight = self._flights[what] = _Flight(kinds, self._now(), priority)
        flight.waiting = askers
        first = askers[0][0].account
        with asking(priority):
            job = self._list(kinds, first) if what == _EVERYTHING else self._named(what, first)
            self.work(job, what, name=what or "all prices")

    def _through(self, first: str) -> list[Venue]:
        """The venues to try, one after the other."""
        venues = self._venues()
        names = sorted(venues, key=lambda name: name != first)
        return [venues[name] for name in names[:TRIES]]

    async def _list(self, kinds: frozenset[PriceKind], first: str) -> Listed | NotTold | VenueError:
        answer: Listed | NotTold | VenueError = _no_venue()
        for venue in self._through(first):
            answer = await venue.fetch_prices(kinds)
            if not isinstance(answer, VenueError) or answer.kind is VenueErrorKind.RATE_LIMIT:
                break
        return answer

    async def _named(self, symbol: str, first: str) -> Answer:
        answer: Answer = _no_venue()
        for venue in self._through(first):
            answer = await venue.fetch_quote(symbol)
            if not isinstance(answer, VenueError) or answer.kind is VenueErrorKind.RATE_LIMIT:
                break
        return answer

    @handles
    def answered(self, message: WorkerDone) -> None:
        what = str(message.tag)
        flight = self._flights.pop(what)
        answer: Any = message.result
        if isinstance(answer, VenueError):
            self.state.last_problem = str(answer)
        if what != _EVERYTHING:
            self.state.named += 1
            for _, later in flight.waiting:
                later.set(answer)
        else:
            self._take_list(flight, answer)
        self._ask_for_the_rest(what)

    def _take_list(self, flight: _Flight, answer: Listed | NotTold | VenueError) -> None:
        match answer:
            case NotTold():
                self._in_no_list.append(flight.kinds)
                for asked, later in flight.waiting:
                    self._wait(asked.symbol, asked, later)
            case VenueError():
                for _, later in flight.waiting:
                    later.set(answer)
            case Listed():
                self.state.reads += 1
                self.state.contracts = len(answer.by_symbol)
                self.state.last_problem = ""
                self._kept = _Kept(answer, flight.begun)
                for asked, later in flight.waiting:
                    found = self._of(asked.symbol, answer)
                    if found is None:
                        self._wait(asked.symbol, asked, later)
                    else:
                        later.set(found)

    @handles
    def crashed(self, message: Down) -> None:
        """A question that crashed, which is a bug, costs those who waited for it their answer."""
        what = str(message.tag)
        flight = self._flights.pop(what, None)
        self.log.opt(exception=message.error).error("{} crashed", message.path)
        error = VenueError(kind=VenueErrorKind.OTHER, message=f"{message.path} crashed")
        self.state.last_problem = str(error)
        for _, later in flight.waiting if flight is not None else ():
            later.set(error)
        self._ask_for_the_rest(what)

    def _ask_for_the_rest(self, what: str) -> None:
        waiting = self._queue.pop(what, [])
        if waiting:
            self._ask(what, waiting)


class PriceReader:
    """An account's way to the prices of its exchange: it has the actor started where there is none.

    `spec` is how that actor is made; its name is the exchange's, shared by all its accounts.
    """

    def __init__(self, context: Context, account: str, spec: ChildSpec) -> None:
        self._context = context
        self._account = account
        self._spec = spec

    async def start(self) -> None:
        """Have the actor, where no other account has had it yet."""
        await self._context.attempt(paths.PRICES, StartChild(spec=self._spec))

    async def read(
        self,
        symbol: str,
        kinds: frozenset[PriceKind],
        *,
        max_age: timedelta,
        lane: Lane,
    ) -> Answer:
        """A contract's price that was asked for at most `max_age` ago."""
        request = ReadPrice(
            symbol=symbol, kinds=kinds, max_age=max_age, account=self._account, lane=lane
        )
        path = paths.prices(self._spec.name)
        answer = await self._context.attempt(path, request, timeout=PATIENCE)
        if isinstance(answer, AskFailed) and answer.why is AskFailure.NO_SUCH_ACTOR:
            # Their supervisor was restarted, and comes back empty.
            await self.start()
            answer = await self._context.attempt(path, request, timeout=PATIENCE)
        if isinstance(answer, AskFailed):
            return VenueError(kind=VenueErrorKind.NETWORK, message=f"no price: {answer}")
        return answer


def _no_venue() -> VenueError:
    return VenueError(kind=VenueErrorKind.NETWORK, message="no account to ask for prices through")
