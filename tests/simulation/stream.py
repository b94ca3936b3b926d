"""How a venue's stream reaches the guard in a simulated world: late, twice, not at all, or lying.

One `Line` an account carries its hints, and lasts as long as the world; a connection of it lives
until it is cut. Left to others: what the market itself tells (`MemoryVenue.watch`), and what is
to go wrong when (`venue_troubles.py`).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import detangle

from messages.venue import Hint, VenueError, VenueErrorKind

Follow = Callable[[Callable[[Hint], None], Callable[[], None]], "asyncio.Task[VenueError]"]
"""Begins to follow the market's own stream; takes what `Venue.watch` takes."""


class Line:
    """One account's stream. What is put on order strikes the next hints, one each.

    `late` hints hold up all that follow them, `held` ones are overtaken; both in seconds.
    `happened` counts what really struck.
    """

    def __init__(self, happened: Counter[str]) -> None:
        self.lost = 0
        self.doubled = 0
        self.late: deque[float] = deque()
        self.held: deque[float] = deque()
        self._happened = happened
        self._clear_at = 0.0
        self._connections: list[Connection] = []

    def connect(self, on_hint: Callable[[Hint], None]) -> Connection:
        """A new connection, over which hints reach `on_hint`."""
        connection = Connection(self, on_hint)
        self._connections.append(connection)
        return connection

    def drop(self, connection: Connection) -> None:
        self._connections.remove(connection)
        connection.alive = False

    def cut(self) -> None:
        """End what is connected; hints under way are lost."""
        for connection in self._connections:
            if not connection.cut.done():
                connection.cut.set_result(None)
                self._happened["stream cut"] += 1

    def say(self, hint: Hint) -> bool:
        """Tell a hint of one's own making to whoever is connected. False: nobody is."""
        for connection in self._connections:
            connection.carry(hint)
        return bool(self._connections)

    def calm(self) -> None:
        """Nothing that is on order strikes any more."""
        self.lost = self.doubled = 0
        self.late.clear()
        self.held.clear()

    def arrivals(self) -> tuple[float, ...]:
        """After how many seconds the next hint arrives; not at all, or twice."""
        if self.lost:
            self.lost -= 1
            self._happened["hint lost"] += 1
            return ()
        now = detangle.now()
        if self.held:
            return (self.held.popleft(),)
        due = now + detangle.uniform(0.005, 0.05, steps=8)
        if self.late:
            due = now + self.late.popleft()
            self._happened["hint late"] += 1
        self._clear_at = due = max(due, self._clear_at)
        if self.doubled:
            self.doubled -= 1
            self._happened["hint twice"] += 1
            return (due - now, due - now + detangle.uniform(0.0, 2.0, steps=8))
        return (due - now,)

    def overtaken(self) -> None:
        self._happened["hint out of order"] += 1


class Connection:
    """One life of the socket. `cut` is set when it ends."""

    def __init__(self, line: Line, on_hint: Callable[[Hint], None]) -> None:
        self.alive = True
        self.cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line = line
        self._on_hint = on_hint
        self._sent = 0
        self._latest = 0

    def carry(self, hint: Hint) -> None:
        """Send a hint on its way."""
        self._sent += 1
        for seconds in self._line.arrivals():
            asyncio.get_running_loop().call_later(seconds, self._arrive, hint, self._sent)

    def _arrive(self, hint: Hint, number: int) -> None:
        if not self.alive or self.cut.done():
            return
        if number < self._latest:
            self._line.overtaken()
        self._latest = max(self._latest, number)
        self._on_hint(hint)


async def carried(
    line: Line,
    follow: Follow,
    on_hint: Callable[[Hint], None],
    on_connected: Callable[[], None],
) -> VenueError:
    """Follow the market's own stream through a line until one of both ends."""
    connection = line.connect(on_hint)
    following = follow(connection.carry, on_connected)
    try:
        either: list[asyncio.Future[Any]] = [following, connection.cut]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            return following.result()
        return VenueError(kind=VenueErrorKind.NETWORK, message="the stream was cut")
    finally:
        following.cancel()
        line.drop(connection)
