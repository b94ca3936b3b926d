"""How a call travels to the market in memory and back: latency, time-outs, ordered faults.

Left to others: what is asked (`memory.py`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from messages.venue import VenueError, VenueErrorKind
from simulator.desk import LoggedRequest, RequestLog
from simulator.faults import Fault, FaultBook, FaultKind
from simulator.market import Market
from simulator.memory_words import error_of, is_refusal
from simulator.state import Account
from simulator.wire import ms

T = TypeVar("T")

ENDPOINTS = {
    "connect": "instruments",
    "fetch_positions": "positions",
    "fetch_position": "positions",
    "fetch_quote": "ticker",
    "fetch_prices": "ticker",
    "fetch_protection": "protection",
    "place": "order.create",
    "find_order": "order.find",
    "open_orders": "order.open",
    "resting": "order.open",
    "cancel": "order.cancel",
    "fetch_fills": "fills",
    "closed_positions": "closed",
    "identity": "rights",
    "server_time": "time",
    "key_rights": "rights",
}
"""The word that a fault's `endpoint` uses for each method; the method's name does as well."""

_ASKED = {"fetch_positions": "positions.list", "fetch_position": "positions.named"}
_BEFORE = (
    FaultKind.BAN,
    FaultKind.STATUS,
    FaultKind.ERROR_CODE,
    FaultKind.EMPTY_BODY,
    FaultKind.HTML,
)
_BEGINNING = datetime.fromtimestamp(0, UTC)
_DAMAGE = (FaultKind.TRUNCATED, FaultKind.MISSING_LIST)


@dataclass(frozen=True, slots=True)
class Failed(Generic[T]):
    """A call that got no good answer. `refused`: the venue said that nothing was done.

    `partly` is what a truncated reply still shows.
    """

    error: VenueError
    refused: bool = False
    partly: T | None = None


class Strikes:
    """The faults that struck one call."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self._faults = faults

    def first(self, *kinds: FaultKind) -> Fault | None:
        return next((fault for fault in self._faults if fault.kind in kinds), None)

    def seconds(self, kind: FaultKind) -> float:
        return sum(fault.seconds for fault in self._faults if fault.kind is kind)

    def window(self, at: datetime) -> tuple[datetime, datetime]:
        """Between which instants a history may show its records."""
        first, last = _BEGINNING, at
        if self.first(FaultKind.CUT_HISTORY):
            first = at - timedelta(seconds=self.seconds(FaultKind.CUT_HISTORY))
        if self.first(FaultKind.STALE):
            last = at - timedelta(seconds=self.seconds(FaultKind.STALE))
        return first, last

    def thin(self, rows: list[T]) -> list[T]:
        """Rows as a lying reply shows them: none, or the first half of them."""
        if self.first(FaultKind.EMPTY_LIST):
            return []
        return rows[: len(rows) // 2] if self.first(FaultKind.SHORT_LIST) else rows


class Wire:
    """One account's way to the market. Every effect is one synchronous step at the venue."""

    def __init__(
        self,
        market: Market,
        key: str,
        *,
        latency: Callable[[], Awaitable[None]] | None,
        faults: FaultBook | None,
        log: RequestLog,
        timeout: float,
    ) -> None:
        self._market = market
        opened = market.account_of(key)
        if opened is None:
            raise KeyError(key)
        self._key = key
        self._opened = opened
        self._latency = latency
        self._faults = faults
        self._log = log
        self._timeout = timeout
        self.calls: Counter[str] = Counter()

    @property
    def owner(self) -> Account:
        """The account that the key opens now, or opened last."""
        self._opened = self._market.account_of(self._key) or self._opened
        return self._opened

    async def call(
        self, method: str, effect: Callable[[Strikes], T], **params: str
    ) -> T | Failed[T]:
        """Send one request: there, its effect in one step, and back."""
        self.calls[method] += 1
        struck: tuple[Fault, ...] = ()
        if self._faults is not None:
            asked = _ASKED.get(method, ENDPOINTS[method])
            struck = self._faults.strike(asked, self.owner.name, path=method)
        strikes = Strikes(struck)
        await self._travel()
        if (wait := strikes.seconds(FaultKind.DELAY)) >= self._timeout:
            # The client gives up, and the request arrives all the same.
            late = wait - self._timeout
            asyncio.get_running_loop().call_later(
                late, self._arrive, method, effect, strikes, params
            )
            await asyncio.sleep(self._timeout)
            return Failed(VenueError(kind=VenueErrorKind.NETWORK, message="timed out"))
        await asyncio.sleep(wait)
        if strikes.first(FaultKind.DROP_BEFORE):
            return Failed(VenueError(kind=VenueErrorKind.NETWORK, message="connection lost"))
        result = self._arrive(method, effect, strikes, params)
        if (wait := strikes.seconds(FaultKind.DELAY_REPLY)) >= self._timeout:
            await asyncio.sleep(self._timeout)
            return Failed(VenueError(kind=VenueErrorKind.NETWORK, message="timed out"))
        await asyncio.sleep(wait)
        await self._travel()
        if strikes.first(FaultKind.DROP_AFTER):
            return Failed(VenueError(kind=VenueErrorKind.NETWORK, message="reply lost"))
        if (after := strikes.first(FaultKind.ERROR_AFTER)) is not None:
            return Failed(error_of(self.owner.exchange, after.code, after.message))
        if not isinstance(result, Failed) and strikes.first(*_DAMAGE):
            partly = result if strikes.first(FaultKind.TRUNCATED) else None
            error = VenueError(kind=VenueErrorKind.MALFORMED, message="the reply is damaged")
            return Failed(error, partly=partly)
        return result

    def _arrive(
        self,
        method: str,
        effect: Callable[[Strikes], T],
        strikes: Strikes,
        params: dict[str, str],
    ) -> T | Failed[T]:
        """The request is at the venue: a fault answers for it, or it takes effect."""
        at = self._market.tick()
        self._log.add(
            LoggedRequest(
                at=at,
                exchange=self.owner.exchange,
                account=self.owner.name,
                method=method,
                endpoint=ENDPOINTS[method],
                path=method,
                params={name: value for name, value in params.items() if value},
            )
        )
        if self._key not in self._market.logins:
            error = VenueError(kind=VenueErrorKind.KEY, message="the key opens no account")
            return Failed(error, refused=True)
        instead = strikes.first(*_BEFORE)
        return effect(strikes) if instead is None else self._instead(instead)

    def _instead(self, fault: Fault) -> Failed[T]:
        match fault.kind:
            case FaultKind.STATUS if fault.status in (403, 429):
                kind, refused = VenueErrorKind.RATE_LIMIT, True
            case FaultKind.BAN:
                until = "" if fault.until is None else str(ms(fault.until))
                return Failed(
                    VenueError(
                        kind=VenueErrorKind.RATE_LIMIT,
                        message=f"Way too many requests; IP banned until {until}.",
                        http_status=fault.status,
                    ),
                    refused=True,
                )
            case FaultKind.STATUS:
                kind, refused = VenueErrorKind.NETWORK, False
            case FaultKind.ERROR_CODE:
                error = error_of(self.owner.exchange, fault.code, fault.message)
                return Failed(error, refused=is_refusal(self.owner.exchange, error))
            case _:
                kind, refused = VenueErrorKind.MALFORMED, False
        status = fault.status if fault.kind is FaultKind.STATUS else None
        return Failed(
            VenueError(kind=kind, message=fault.message, http_status=status), refused=refused
        )

    async def _travel(self) -> None:
        if self._latency is not None:
            await self._latency()


def plain(answer: T | VenueError | Failed[T]) -> T | VenueError:
    return answer.error if isinstance(answer, Failed) else answer
