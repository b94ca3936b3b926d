"""An account's way through the limiter: which windows its requests touch, and what the venue says.

One limiter serves all clients of an address in the process; a login is known in it by a digest.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from messages.budget import BudgetUse, LimitScope
from messages.settings import AccountSettings
from messages.venue import VenueError, VenueErrorKind
from venues.exchanges.base import Exchange
from venues.exchanges.values import Asked, Charge
from venues.limits.limiter import Limiter, Ticket
from venues.limits.priority import current
from venues.limits.spending import Spendings
from venues.strict import Reply, capture_here

_LONGEST_HOLD = 10.0
"""Seconds for which requests wait for a limit that the venue says is used up. What lasts longer is
a ban: whoever asks is told so at once, and when it ends."""
_SHORTEST_HOLD = 0.1

_SALT = os.urandom(16)
_limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Limiter]] = (
    WeakKeyDictionary()
)


def limiter_of(settings: AccountSettings) -> Limiter:
    """The limiter of an account's address: of its exchange, and where it connects.

    All accounts of a process share it, since they share the machine's address. Simulated venues
    are told apart by where they listen. A loop has its own, since its clock is its own.
    """
    mine = _limiters.setdefault(asyncio.get_running_loop(), {})
    return mine.setdefault((settings.exchange, settings.connect or ""), Limiter())


@dataclass(slots=True, eq=False)
class Passage:
    """A request that was let through (`venues.strict.Passage`)."""

    access: Access
    asked: Asked
    ticket: Ticket

    def leaves(self) -> None:
        self.ticket.leaves()

    def ended(self) -> None:
        self.ticket.ended()

    def unsent(self) -> None:
        self.ticket.unsent()

    def heard(self, reply: Reply) -> None:
        self.access.heard(self.asked, reply)

    def hold(self, seconds: float | None) -> float:
        return self.ticket.hold(seconds, longest=_LONGEST_HOLD)


class Access:
    """One login at one address. `now` is the account's wall clock, which only words are made of."""

    def __init__(
        self, hooks: Exchange, settings: AccountSettings, now: Callable[[], datetime]
    ) -> None:
        self._hooks = hooks
        self._settings = settings
        self._now = now
        self._waits = settings.options.get("enableRateLimit", "true").lower() != "false"
        self._share = float(settings.share)
        self._spendings = Spendings()
        key = settings.key.reveal().encode()
        self._login = hashlib.blake2b(key, key=_SALT, digest_size=16).hexdigest()

    async def ask(self, asked: Asked) -> Passage:
        """Wait until a request may leave, in the lane of this task.

        Raises `TooLateError` and `BannedError`, as `Limiter.take`.
        """
        limiter, capture, priority = limiter_of(self._settings), capture_here(), current()
        charges = self._hooks.charges(asked)
        touched = limiter.charges(self._login, charges)
        if self._waits:
            ticket = await limiter.take(
                touched,
                priority,
                login=self._login,
                share=self._share,
                since=capture.since if capture is not None else None,
                until=capture.until if capture is not None else None,
            )
        else:
            ticket = limiter.count(touched, priority.lane)
        purpose = capture.name if capture is not None else ""
        self._spendings.note(limiter.clock(), purpose, ticket.lane, _weight(charges), ticket.waited)
        return Passage(self, asked, ticket)

    def heard(self, asked: Asked, reply: Reply) -> None:
        """Take the venue's own word of its limits."""
        limiter = limiter_of(self._settings)
        now = limiter.clock()
        for extra in self._hooks.charges_after(asked, reply):
            limiter.window(self._login, extra.limit).add(extra.amount, now)
        for told in self._hooks.told_use(asked, reply.headers):
            limiter.window(self._login, told.limit).tell(told.used, told.most, now, told.resets)

    def refused(self, reply: Reply, error: VenueError) -> float | None:
        """A request was refused for the rate: how many seconds nothing of its kind leaves.

        A ban of the address goes to all that share it.
        """
        left = None if error.retry_at is None else (error.retry_at - self._now()).total_seconds()
        if left is not None and left > 0:
            left = max(left, _SHORTEST_HOLD)
            if left > _LONGEST_HOLD or self._hooks.bars_address(reply):
                limiter = limiter_of(self._settings)
                limiter.bar(limiter.clock() + left)
                return left
        return reply.passage.hold(left) if reply.passage is not None else left

    def ban(self) -> VenueError | None:
        """The ban that holds now, as the error that a request would have met."""
        left = limiter_of(self._settings).barred
        if left <= 0:
            return None
        until = self._now() + timedelta(seconds=left)
        return VenueError(
            kind=VenueErrorKind.RATE_LIMIT,
            message=f"nothing was sent: {self._settings.exchange} bans this address until "
            f"{until:%Y-%m-%d %H:%M:%S} UTC",
            retry_at=until,
        )

    def use(self) -> BudgetUse:
        """The limits of this login and its address as they stand, and what was spent of them."""
        limiter = limiter_of(self._settings)
        now = limiter.clock()
        always = {limiter.window(self._login, limit) for limit in self._hooks.limits}
        ban = self.ban()
        waits = self._spendings.longest_wait(now)
        for lane, waited in limiter.waits(self._login):
            waits[lane] = max(waits.get(lane, 0.0), waited)
        return BudgetUse(
            account=self._settings.name,
            exchange=self._settings.exchange,
            share=self._share,
            limits=tuple(
                window.use(now)
                for window in limiter.windows(self._login)
                if window in always or not window.idle(now)
            ),
            spent=self._spendings.by_purpose(now),
            waiting=len(limiter.waits(self._login)),
            longest_wait=waits,
            banned_until=ban.retry_at if ban is not None else None,
        )


def _weight(charges: tuple[Charge, ...]) -> float:
    """What a request weighs for its address; for its login where the address does not count it."""
    for scope in (LimitScope.ADDRESS, LimitScope.LOGIN):
        amounts = [each.amount for each in charges if each.limit.scope is scope]
        if amounts:
            return max(amounts)
    return 0.0
