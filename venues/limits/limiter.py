"""Who may send now: one queue for an address, with the windows of the address and of its logins.

A request needs room in all the windows that it touches, at once. The best lane goes first, in a
lane the oldest; who waits for a window lets nobody younger, or of a worse lane, past it there.
Nobody else's window is held up by that. Time is a monotonic clock's, so that a wall clock that is
set delays nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from messages.budget import Lane, LimitScope
from venues.exchanges.values import Charge, Limit
from venues.limits.priority import Priority
from venues.limits.windows import Counted, Window
from venues.strict import BannedError, TooLateError

Charges = tuple[tuple[Window, float], ...]

_MANY_WINDOWS = 1000
"""Windows of single instruments come and go; from so many on the idle ones are dropped."""


def loop_time() -> float:
    """The running loop's clock: monotonic, and virtual where the loop is."""
    return asyncio.get_running_loop().time()


@dataclass(slots=True, eq=False)
class Ticket:
    """One request that was let through. `waited` is in seconds."""

    limiter: Limiter
    lane: Lane
    waited: float
    counted: tuple[tuple[Window, Counted], ...]

    def leaves(self) -> None:
        """It goes onto the wire now."""
        now = self.limiter.clock()
        for window, counted in self.counted:
            window.left(counted, now)

    def ended(self) -> None:
        """It has been answered, or has failed."""
        now = self.limiter.clock()
        for window, counted in self.counted:
            window.answered(counted, now)
        self.limiter.look()

    def unsent(self) -> None:
        """It was never sent, and costs nothing."""
        for window, counted in self.counted:
            window.take_back(counted)
        self.limiter.look()

    def hold(self, seconds: float | None, *, longest: float) -> float:
        """The venue refused it for its rate: hold what it counts in, and say for how long.

        A login's own windows, where it counts in any. Nothing said: for the shortest of them.
        For no more than `longest` seconds.
        """
        mine = [w for w, c in self.counted if c.amount > 0 and w.limit.scope is LimitScope.LOGIN]
        held = mine or [window for window, _ in self.counted]
        shortest = min((window.limit.seconds for window in held), default=1.0)
        seconds = min(shortest if seconds is None or seconds <= 0 else seconds, longest)
        for window in held:
            window.hold(self.limiter.clock() + seconds)
        self.limiter.look()
        return seconds


@dataclass(slots=True, eq=False)
class _Waiter:
    charges: Charges
    priority: Priority
    login: str
    share: float
    came: float
    since: float
    number: int
    future: asyncio.Future[Ticket]

    @property
    def place(self) -> tuple[int, float, int]:
        return int(self.priority.lane), self.since, self.number


@dataclass(slots=True, eq=False)
class _Queue:
    """Who waits for the same windows: only the first of them need be looked at."""

    _heap: list[tuple[tuple[int, float, int], _Waiter]] = field(default_factory=list)

    def push(self, waiter: _Waiter) -> bool:
        """Whether it is the first now."""
        heapq.heappush(self._heap, (waiter.place, waiter))
        return self.first() is waiter

    def first(self) -> _Waiter | None:
        """The first who still waits; whoever was cancelled, or has been raised, is dropped."""
        while self._heap:
            place, waiter = self._heap[0]
            if not waiter.future.done() and place == waiter.place:
                return waiter
            heapq.heappop(self._heap)
        return None

    def pop(self) -> None:
        heapq.heappop(self._heap)

    def windows(self) -> list[Window]:
        return [window for _, waiter in self._heap[:1] for window, _ in waiter.charges]

    def waiting(self) -> list[_Waiter]:
        return [
            each for place, each in self._heap if not each.future.done() and place == each.place
        ]


class Limiter:
    """One address at one exchange: its windows, those of its logins, and who waits for them."""

    def __init__(self, clock: Callable[[], float] = loop_time) -> None:
        self.clock = clock
        self._windows: dict[tuple[str, str], Window] = {}
        self._queues: dict[tuple[int, ...], _Queue] = {}
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._barred = float("-inf")
        self._tidy_at = _MANY_WINDOWS

    async def take(
        self,
        charges: Charges,
        priority: Priority,
        *,
        login: str = "",
        share: float = 1.0,
        since: float | None = None,
        until: float | None = None,
    ) -> Ticket:
        """Wait until a request may leave.

        `share` (0 to 1) bounds what rounds may use of each window. `since` is when it began to
        wait, if that was earlier, and `until` when it need not be sent any more.

        Raises `TooLateError` at `until`, and `BannedError` where a ban holds or begins: neither
        has counted anything.
        """
        now = self.clock()
        if now < self._barred:
            raise BannedError("the address is banned")
        if not self._queues and _fit(charges, priority.lane, share, now):
            return self._ticket(charges, priority.lane, 0.0, now)
        loop = asyncio.get_running_loop()
        waiter = _Waiter(
            charges,
            priority,
            login,
            share,
            now,
            now if since is None else since,
            next(self._numbers),
            loop.create_future(),
        )
        late = None
        if until is not None:
            late = loop.call_later(max(0.0, until - now), _give_up, waiter)
        try:
            with priority.told(lambda: self._raised(waiter)):
                if self._queue_of(charges).push(waiter):
                    self.look(now)
                ticket = await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled():
                if waiter.future.exception() is None:
                    waiter.future.result().unsent()
            else:
                self.look()
            raise
        except TooLateError:
            self.look()
            raise
        finally:
            if late is not None:
                late.cancel()
        return ticket

    def count(self, charges: Charges, lane: Lane) -> Ticket:
        """Count a request that waits for nobody."""
        return self._ticket(charges, lane, 0.0, self.clock())

    def charges(self, login: str, charges: tuple[Charge, ...]) -> Charges:
        """The windows that a login's request touches, and how much it counts in each."""
        return tuple((self.window(login, each.limit), each.amount) for each in charges)

    def window(self, login: str, limit: Limit) -> Window:
        """The window of a limit: the address's one, or the login's own."""
        key = (login if limit.scope is LimitScope.LOGIN else "", limit.name)
        found = self._windows.get(key)
        if found is None:
            if len(self._windows) >= self._tidy_at:
                self._forget_idle()
            found = self._windows[key] = Window(limit)
        return found

    def windows(self, login: str) -> list[Window]:
        """The address's windows and one login's, as far as something was ever counted in them."""
        return [window for (owner, _), window in self._windows.items() if owner in ("", login)]

    def waits(self, login: str) -> list[tuple[Lane, float]]:
        """A login's waiting requests: their lanes, and for how many seconds they have waited."""
        now = self.clock()
        return [
            (waiter.priority.lane, now - waiter.came)
            for queue in self._queues.values()
            for waiter in queue.waiting()
            if waiter.login == login
        ]

    def bar(self, until: float) -> None:
        """A ban: nothing leaves before this instant, and whoever waits is told."""
        self._barred = max(self._barred, until)
        queues, self._queues = self._queues, {}
        for queue in queues.values():
            for waiter in queue.waiting():
                waiter.future.set_exception(BannedError("the address is banned"))

    @property
    def barred(self) -> float:
        """Seconds that a ban still lasts; 0 where there is none."""
        return max(0.0, self._barred - self.clock())

    def look(self, at: float | None = None) -> None:
        """Let through whoever may leave now, and look again when the next one may."""
        now = self.clock() if at is None else at
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        taken: set[Window] = set()
        wake = float("inf")
        firsts: list[tuple[tuple[int, float, int], tuple[int, ...]]] = []
        for key in list(self._queues):
            first = self._queues[key].first()
            if first is None:
                del self._queues[key]
            else:
                firsts.append((first.place, key))
        heapq.heapify(firsts)
        while firsts:
            _, key = heapq.heappop(firsts)
            queue = self._queues[key]
            waiter = queue.first()
            if waiter is None:
                del self._queues[key]
                continue
            full = self._full(waiter, taken, now)
            if full is not None:
                taken.update(full)
                wake = min(wake, max((each.changes_at(now) for each in full), default=wake))
                continue
            queue.pop()
            lane = waiter.priority.lane
            waiter.future.set_result(self._ticket(waiter.charges, lane, now - waiter.came, now))
            following = queue.first()
            if following is None:
                del self._queues[key]
            else:
                heapq.heappush(firsts, (following.place, key))
        if wake < float("inf"):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, wake - now), self.look)

    def _full(self, waiter: _Waiter, taken: set[Window], now: float) -> list[Window] | None:
        """The windows that a request waits for itself; none of its own behind others; or None."""
        if any(amount > 0 and window in taken for window, amount in waiter.charges):
            return []
        lane = waiter.priority.lane
        full = [
            window
            for window, amount in waiter.charges
            if not window.fits(amount, lane, waiter.share, now)
        ]
        return full or None

    def _ticket(self, charges: Charges, lane: Lane, waited: float, now: float) -> Ticket:
        counted = tuple((window, window.add(amount, now)) for window, amount in charges)
        return Ticket(self, lane, waited, counted)

    def _queue_of(self, charges: Charges) -> _Queue:
        return self._queues.setdefault(tuple(id(window) for window, _ in charges), _Queue())

    def _raised(self, waiter: _Waiter) -> None:
        if not waiter.future.done() and self._queue_of(waiter.charges).push(waiter):
            self.look()

    def _forget_idle(self) -> None:
        now = self.clock()
        waited_for = {window for queue in self._queues.values() for window in queue.windows()}
        self._windows = {
            key: window
            for key, window in self._windows.items()
            if window in waited_for or not window.idle(now)
        }
        self._tidy_at = max(_MANY_WINDOWS, 2 * len(self._windows))


def _fit(charges: Charges, lane: Lane, share: float, now: float) -> bool:
    return all(window.fits(amount, lane, share, now) for window, amount in charges)


def _give_up(waiter: _Waiter) -> None:
    if not waiter.future.done():
        waiter.future.set_exception(TooLateError("its turn did not come in time"))
