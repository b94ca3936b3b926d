"""Opens and keeps one ccxt instance: session, strict hook, exact numbers, shared markets.

Everything about *having* a ccxt client is here, and nothing of what is asked of it. ccxt is
imported in a worker thread at the first connect: the import costs a second and 94 MB, and neither
`--help` nor the event loop may pay for that.
"""

from __future__ import annotations

import asyncio
import importlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

import aiohttp

from messages.settings import AccountSettings
from messages.values import LegKey
from messages.venue import Instrument, VenueError, VenueErrorKind
from venues.errors import classify
from venues.exchanges import EXCHANGES
from venues.exchanges.base import Exchange
from venues.exchanges.values import Asked, Facts
from venues.limits.access import Access
from venues.limits.limiter import loop_time
from venues.markets import read_instruments
from venues.strict import (
    BannedError,
    CannotTellError,
    Capture,
    MalformedReplyError,
    Reply,
    TooLateError,
    WrongAccountError,
    capturing,
    demand_strict_replies,
    let_through,
)
from venues.transport import loopback_session, venue_session

_with_markets: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""An instance with loaded markets for each exchange, so that accounts share one copy of them."""


_MOST_REMEMBERED = 1000
_NO_LIMIT = 1e12

SHAPES = (TypeError, KeyError, IndexError, AttributeError, ValueError, ArithmeticError)
"""What ccxt raises for a reply of a shape that it did not foresee."""


class VenueCallError(Exception):
    """A call's typed failure on its way out of the gateway; it never leaves it.

    `refusal` says that the venue itself is known to have said no, so that nothing was done;
    `answered` that it said something, known or not; `sent` are the requests that had left by
    then, as (HTTP method, path). `slowed` is in how many seconds the venue takes such a request
    again, where it was for the rate that it said no.
    """

    def __init__(
        self,
        error: VenueError,
        *,
        refusal: bool = False,
        answered: bool = False,
        sent: tuple[tuple[str, str], ...] = (),
        slowed: float | None = None,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.refusal = refusal
        self.answered = answered
        self.sent = sent
        self.slowed = slowed


class Client:
    """One account's ccxt instance. `now` is the account's clock; ccxt signs by the machine's."""

    def __init__(self, settings: AccountSettings, now: Callable[[], datetime]) -> None:
        self.settings = settings
        self.hooks: Exchange = EXCHANGES[settings.exchange]
        self.facts: Facts = self.hooks.facts
        self.now = now
        self.access = Access(self.hooks, settings, now)
        self.counts: Counter[str] = Counter()
        self.instruments: dict[str, Instrument] = {}
        self.margin: dict[LegKey, dict[str, str]] = {}
        self.sent_at: dict[str, datetime] = {}
        self._ccxt: Any = None
        self._exchange: Any = None
        self._session: aiohttp.ClientSession | None = None
        self._connecting = asyncio.Lock()

    @property
    def exchange(self) -> Any:
        """The ccxt instance. Raises RuntimeError before the first connect: that is a bug here."""
        if self._exchange is None:
            raise RuntimeError("connect() first")
        return self._exchange

    @property
    def connected(self) -> bool:
        return bool(self.instruments)

    async def ready(self) -> None:
        """Connect where that has not been done. Raises `VenueCallError`."""
        if not self.connected:
            await self.load(reload=False)

    async def load(self, *, reload: bool) -> None:
        """Load the markets, from a sister account's where it has them. Raises `VenueCallError`."""
        async with self._connecting:
            if self.connected and not reload:
                return
            await self._open()
            sister = _with_markets.get(self._market_key())
            await self._prepare()
            async with self.call("connect"):
                if sister is not None and sister is not self._exchange and not reload:
                    self._exchange.set_markets_from_exchange(sister)
                else:
                    await self._exchange.load_markets(True, dict(self.facts.market_params))
                instruments = read_instruments(self.hooks, self._exchange.markets)
                if not instruments:
                    raise MalformedReplyError("the venue lists no derivative that can be sized")
            self.instruments = instruments
            _with_markets[self._market_key()] = self._exchange

    async def _prepare(self) -> None:
        """Ask what kind of account it is, where that matters. Raises `VenueCallError`."""
        try:
            async with self.call("connect"):
                await self.hooks.prepare(self)
        except VenueCallError as failed:
            if not failed.answered or not self.hooks.settles_account_kind(self, failed.error):
                raise

    def _market_key(self) -> str:
        # Accounts on one simulated venue share its markets, but not the real venue's; and which
        # markets are loaded depends on the settle currencies.
        settles = ",".join(sorted(self.settings.settles))
        return f"{self.settings.exchange} {self.settings.connect or ''} {settles}"

    async def _open(self) -> None:
        if self._exchange is not None:
            return
        self._ccxt = await asyncio.to_thread(importlib.import_module, "ccxt.async_support")
        try:
            self._session = self.new_session()
        except OSError as error:
            # The simulated venue writes its CA file when it starts, which may be after us.
            message = f"{self.settings.ca_file} cannot be read: {error}"
            raise VenueCallError(
                VenueError(kind=VenueErrorKind.NETWORK, message=message)
            ) from error
        self._exchange = self.make(self._ccxt, self._session)

    def new_session(self) -> aiohttp.ClientSession:
        """A session to the venue, or to the settings' loopback address.

        Raises OSError where the CA file cannot be read.
        """
        if self.settings.connect is None or self.settings.ca_file is None:
            return venue_session(self.settings.ca_file)
        return loopback_session(self.settings.connect, self.settings.ca_file)

    def make(self, module: Any, session: aiohttp.ClientSession) -> Any:
        """A ccxt instance of a module's class for this account, with the strict hook in place."""
        settings, facts = self.settings, self.facts
        options = self.hooks.ccxt_options(settings)
        given = dict(settings.options)
        # Not one of ccxt's `options`: whether requests wait is `Access`'s to know.
        given.pop("enableRateLimit", None)
        config: dict[str, Any] = {
            "timeout": int(settings.request_timeout.total_seconds() * 1000),
            "enableRateLimit": True,
            "maxRetriesOnFailure": 0,
            "session": session,
            # A stream's few frames pass ccxt's own limiter, which stands still with the wall clock.
            "tokenBucket": {"tokens": _NO_LIMIT},
            "options": {**options, **given},
        }
        if facts.wallet:
            config["walletAddress"] = settings.key.reveal()
            config["privateKey"] = settings.secret.reveal()
        else:
            config["apiKey"] = settings.key.reveal()
            config["secret"] = settings.secret.reveal()
        if settings.password is not None:
            config["password"] = settings.password.reveal()
        exchange = getattr(module, settings.exchange)(config)
        # ccxt's own way to keep numbers as they were written.
        exchange.number = str
        exchange.timeout_on_exit = 0
        # Currencies serve deposits; each call spared here is one that cannot fail.
        exchange.has["fetchCurrencies"] = False
        self.hooks.adjust(exchange)
        exchange.calculate_rate_limiter_cost = _asked
        exchange.throttle = self._wait
        demand_strict_replies(exchange, facts.places, facts.success)
        return exchange

    async def _wait(self, asked: Asked) -> None:
        """What ccxt awaits before it signs a request, in place of its own limiter."""
        let_through(await self.access.ask(asked))

    @asynccontextmanager
    async def call(
        self, name: str, *, not_after: datetime | None = None, since: float | None = None
    ) -> AsyncIterator[Capture]:
        """Run ccxt calls inside: count their requests under `name`, turn failures into one type.

        Past `not_after` (aware UTC) nothing but questions is sent, and nothing waits for its turn
        any longer. `since` (the loop's seconds) is when it began to wait, where it was refused
        before.

        Raises `VenueCallError` only. Type and key errors are turned too: ccxt raises them for
        replies of an unforeseen shape, and a damaged reply is not a crash.
        """
        if (banned := self.access.ban()) is not None:
            raise self._into_ban(banned)
        until = None if not_after is None else (not_after - self.now()).total_seconds()
        capture = Capture(
            name,
            lambda: not_after is None or self.now() <= not_after,
            lambda: self.access.ban() is not None,
            since,
            None if until is None else loop_time() + until,
        )
        with capturing(capture):
            try:
                yield capture
            except VenueCallError:
                raise
            except BannedError as late:
                error = self.access.ban() or VenueError(
                    kind=VenueErrorKind.RATE_LIMIT, message=str(late)
                )
                raise self._into_ban(error, capture) from late
            except TooLateError as late:
                message = f"nothing was sent: it waited too long in the rate limiter ({late})"
                raise VenueCallError(
                    VenueError(kind=VenueErrorKind.RATE_LIMIT, message=message),
                    refusal=capture.only_questions,
                    sent=tuple(capture.sent),
                ) from late
            except (CannotTellError, WrongAccountError) as error:
                wrong = isinstance(error, WrongAccountError)
                kind = VenueErrorKind.KEY if wrong else VenueErrorKind.OTHER
                raise VenueCallError(
                    VenueError(kind=kind, message=str(error)),
                    sent=tuple(capture.sent),
                ) from error
            except self._expected() as error:
                found = classify(self.settings, self.hooks, error, capture.answer, self.now())
                raise VenueCallError(
                    found.error,
                    refusal=found.refusal,
                    answered=found.answered,
                    sent=tuple(capture.sent),
                    slowed=self._slowed(found.error, capture.answer),
                ) from error
            finally:
                self.counts[name] += len(capture.sent)

    def _into_ban(self, error: VenueError, capture: Capture | None = None) -> VenueCallError:
        left = None if error.retry_at is None else (error.retry_at - self.now()).total_seconds()
        return VenueCallError(
            error,
            refusal=capture is None or capture.only_questions,
            sent=() if capture is None else tuple(capture.sent),
            slowed=left,
        )

    def _slowed(self, error: VenueError, answer: Reply | None) -> float | None:
        if error.kind is not VenueErrorKind.RATE_LIMIT or answer is None:
            return None
        return self.access.refused(answer, error)

    def _expected(self) -> tuple[type[Exception], ...]:
        weather = (aiohttp.ClientError, TimeoutError, OSError)
        return (self._ccxt.BaseError, MalformedReplyError, *weather, *SHAPES)

    def note_sent(self, client_order_id: str) -> None:
        """Remember when an order of ours left, so that no look-up reads history before that."""
        while len(self.sent_at) >= _MOST_REMEMBERED:
            del self.sent_at[next(iter(self.sent_at))]
        self.sent_at[client_order_id] = self.now()

    def by_venue_id(self, venue_id: str) -> Instrument | None:
        """The derivative that the venue calls so; spot markets of the same name are passed over."""
        for market in self.exchange.markets_by_id.get(venue_id, []):
            found = self.instruments.get(market["symbol"])
            if found is not None:
                return found
        return None

    async def close(self) -> None:
        """Give the sockets back. The client may be opened again afterwards."""
        exchange, self._exchange = self._exchange, None
        session, self._session = self._session, None
        self.instruments = {}
        if exchange is not None:
            await exchange.close()
        if session is not None:
            await session.close()


def _asked(api: Any, method: str, path: str, params: Any, config: Any = None) -> Asked:  # noqa: ARG001
    """What ccxt takes for a request's cost, and passes on unread to `throttle`."""
    return Asked((api,) if isinstance(api, str) else tuple(api), method, path, params)
