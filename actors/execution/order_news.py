"""What the stream tells of orders that somebody waits for.

A hint wakes whoever asks the venue for the order's record. The stream's word itself is taken only
for an order that the venue has accepted, of the id that it gave: it then tells the end without a
question. It tells nothing of an order whose outcome is unknown, and its silence proves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

from messages.venue import OrderHint, OrderRecord

STREAM_WAIT = 0.7
"""Seconds that the stream has to tell of an order's end before the venue is asked."""


class News:
    """What was heard of one client order id while somebody waits for it."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()
        self._ends: dict[str, OrderRecord] = {}

    def hear(self, hint: OrderHint) -> None:
        if hint.end is not None:
            self._ends[hint.order_id] = hint.end
        self._heard.set()

    def ignore_so_far(self) -> None:
        """Only what comes from now on ends a wait."""
        self._heard.clear()

    async def wait(self, seconds: float) -> None:
        """Until there is news, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), seconds)

    async def end_of(self, order_id: str) -> OrderRecord | None:
        """How the order of this id ended, if the stream says so in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + STREAM_WAIT
        while order_id not in self._ends and loop.time() < until:
            self.ignore_so_far()
            await self.wait(until - loop.time())
        return self._ends.get(order_id)


class OrderNews:
    """The news of all orders that are waited for. `standing`: a stream tells of orders now."""

    def __init__(self) -> None:
        self.standing = False
        self._waiting: dict[str, list[News]] = {}

    @contextmanager
    def of(self, client_order_id: str) -> Iterator[News]:
        """Listen for one order, inside."""
        news = News()
        waiting = self._waiting.setdefault(client_order_id, [])
        waiting.append(news)
        # Whatever ends the wait, a cancelled worker included: nobody listens for this id any more.
        try:
            yield news
        finally:
            waiting.remove(news)
            if not waiting:
                del self._waiting[client_order_id]

    def heard(self, hint: OrderHint) -> None:
        """The stream has news of an order: whoever waits for it looks at once."""
        # An exchange actor that is new was not told when the stream began to stand.
        self.standing = True
        for news in self._waiting.get(hint.client_order_id, ()):
            news.hear(hint)
