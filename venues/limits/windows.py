"""One limit of a venue over its last stretch of time: what is counted, and what still fits.

A request counts from when it is let through until it has certainly dropped out of the venue's own
window. The venue counts it somewhere between its leaving and its answer, so its time runs from the
answer; from `_LONGEST_WAY` after its leaving where the answer takes longer than that. With the
latest instant for what was, and the earliest for what comes, two bursts never meet at the venue,
however their ways differ.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field

from messages.budget import Lane, LimitUse
from venues.exchanges.values import Limit

_LONGEST_WAY = 1.0
"""Seconds that a request may need to the venue while its answer is awaited."""
_WAY_OF_LONG_WINDOWS = 0.05
"""The same as a part of a window's length, where that is more: long windows can afford it."""

OPEN_TO = {Lane.ORDER: 1.0, Lane.CLOSE: 0.9, Lane.ANSWER: 0.8, Lane.ROUND: 0.8}
"""What part of a limit each lane may fill, everybody's use counted.

An order may use all. The last tenth is the orders' alone, so that the reads of one wave of closes
never make the next order wait; the tenth before it is for orders and what they wait for, so that a
person or a verdict cannot hold up a close. What rounds may use besides is `share`.
"""

_order = itertools.count()


@dataclass(slots=True, eq=False)
class Counted:
    """A request's part in one window. `arrived` (monotonic seconds) is the latest that may be."""

    amount: float
    arrived: float
    gone: bool = False


@dataclass(slots=True, eq=False)
class Window:
    """A limit's last `limit.seconds`. All instants are monotonic seconds of one clock."""

    limit: Limit
    most: float = 0.0
    _own: float = 0.0
    _others: float = 0.0
    _others_end: float = 0.0
    _held: float = float("-inf")
    _leaving: list[tuple[float, int, Counted]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.most = self.limit.most

    @property
    def way(self) -> float:
        """Seconds after which a request has arrived, its answer or no."""
        return max(_LONGEST_WAY, self.limit.seconds * _WAY_OF_LONG_WINDOWS)

    def fits(self, amount: float, lane: Lane, share: float, now: float) -> bool:
        """Whether so much may be asked now. What is more than all that a lane may use goes alone.

        What counts nothing here goes unless the venue has said to wait.
        """
        self._turn(now)
        if now < self._held:
            return False
        if amount <= 0:
            return True
        bound = self.most * OPEN_TO[lane]
        own_bound = self.most * share if lane is Lane.ROUND else bound
        if amount > min(bound, own_bound):
            return self._own <= 0
        return self._own + self._others + amount <= bound and self._own + amount <= own_bound

    def add(self, amount: float, now: float) -> Counted:
        """Count a request that is let through now."""
        counted = Counted(amount, now + self.way)
        if amount > 0:
            self._own += amount
            self._push(counted)
        return counted

    def left(self, counted: Counted, now: float) -> None:
        """It goes onto the wire now, and not when it was let through."""
        counted.arrived = now + self.way

    def answered(self, counted: Counted, now: float) -> None:
        """Its answer is here, so it arrived before."""
        if counted.amount > 0 and now < counted.arrived:
            counted.arrived = now
            self._push(counted)

    def take_back(self, counted: Counted) -> None:
        """It was never sent."""
        if counted.amount > 0 and not counted.gone:
            counted.gone = True
            self._own -= counted.amount

    def tell(
        self, used: float, most: float | None, now: float, resets: float | None = None
    ) -> None:
        """The venue's own word: so much is used of so much, by whomever, for `resets` seconds.

        What is on its way here may be in its count already, so that only what goes beyond all of
        ours is called others'. The next answer corrects it.
        """
        self._turn(now)
        if not math.isfinite(used):
            return
        if most is not None and 0 < most < math.inf:
            self.most = most
        self._others = max(0.0, used - self._own)
        lasts = self.limit.seconds if resets is None else min(resets, self.limit.seconds)
        self._others_end = now + lasts

    def hold(self, until: float) -> None:
        """The venue refused: nothing more before this instant."""
        self._held = max(self._held, until)

    def changes_at(self, now: float) -> float:
        """The next instant at which more may fit; infinite where nothing is counted."""
        self._turn(now)
        if now < self._held:
            return self._held
        while self._leaving and self._leaving[0][2].gone:
            heapq.heappop(self._leaving)
        others = self._others_end if self._others > 0 else float("inf")
        return min(self._leaving[0][0] if self._leaving else float("inf"), others)

    def idle(self, now: float) -> bool:
        """Whether nothing is counted, so that it need not be kept."""
        self._turn(now)
        return self._own <= 0 and self._others <= 0 and now >= self._held

    def use(self, now: float) -> LimitUse:
        """The window as it stands."""
        self._turn(now)
        return LimitUse(
            scope=self.limit.scope,
            name=self.limit.name,
            unit=self.limit.unit,
            seconds=self.limit.seconds,
            limit=self.most,
            used=self._own + self._others,
            used_by_guard=self._own,
        )

    def _push(self, counted: Counted) -> None:
        ends = counted.arrived + self.limit.seconds
        heapq.heappush(self._leaving, (ends, next(_order), counted))

    def _turn(self, now: float) -> None:
        while self._leaving and self._leaving[0][0] <= now:
            _, _, counted = heapq.heappop(self._leaving)
            if counted.gone:
                continue
            if counted.arrived + self.limit.seconds > now:
                # It left later than it was let through.
                self._push(counted)
                continue
            counted.gone = True
            self._own -= counted.amount
        if not self._leaving:
            self._own = 0.0
        if now >= self._others_end:
            self._others = 0.0
