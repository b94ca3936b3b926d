"""An account's private stream: hints of legs and orders. REST decides.

One socket, its subscriptions, its frames as they come, and its end. What the messages say is read
in `stream_hints.py`; whoever listens reads by REST at each connection, and connects again.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from messages.venue import Hint, VenueError, VenueErrorKind
from venues.client import Client, VenueCallError
from venues.stream_hints import HeardFees, is_data, read_hints

OnHint = Callable[[Hint], None]
OnConnected = Callable[[], None]


async def watch(client: Client, on_hint: OnHint, on_connected: OnConnected) -> VenueError:
    """Follow positions and orders on one socket until it ends, and say why.

    `on_connected` is called when the venue has confirmed the subscriptions, or the socket stands
    where that is all there is. If that takes longer than the account's request time-out, the watch
    ends.
    """
    if not client.facts.streams:
        return VenueError(
            kind=VenueErrorKind.UNSUPPORTED,
            message=f"{client.facts.exchange} has no position stream here; REST reads go on",
        )
    try:
        await client.ready()
    except VenueCallError as failed:
        return failed.error
    module = await asyncio.to_thread(importlib.import_module, "ccxt.pro")
    try:
        session = client.new_session()
    except OSError as error:
        return VenueError(kind=VenueErrorKind.NETWORK, message=str(error))
    exchange = client.make(module, session)
    try:
        exchange.set_markets_from_exchange(client.exchange)
        # What was asked at connect, such as the kind of account, holds here as well.
        exchange.options = {**exchange.options, **client.exchange.options}
        # Its first answer would be a REST snapshot, and the subscription would wait for a second
        # call: whatever changes in between would be lost.
        exchange.options["watchPositions"] = {
            "fetchPositionsSnapshot": False,
            "awaitPositionsSnapshot": False,
        }
        ear = _Ear(client, exchange, on_hint, on_connected)
        async with client.call("watch"):
            await _first_end(
                ear.listen(),
                _for_ever(exchange.watch_positions),
                _for_ever(exchange.watch_orders),
            )
    except VenueCallError as failed:
        return failed.error
    finally:
        await exchange.close()
        await session.close()


async def _for_ever(follow: Callable[[], Awaitable[object]]) -> NoReturn:
    while True:
        await follow()


async def _first_end(*endless: Awaitable[NoReturn]) -> NoReturn:
    """Run all of them until one fails, and raise what it raised."""
    tasks = [asyncio.ensure_future(each) for each in endless]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        raise next(iter(done)).exception() or RuntimeError("an endless task has ended")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Ear:
    """Hears the socket in ccxt's place, and leaves to ccxt what is about the socket itself.

    ccxt's caches are live and mutable, of two changes between two awaits its future tells one,
    and whatever its reading of a damaged frame raises would silently end its receiving.
    """

    def __init__(
        self, client: Client, exchange: Any, on_hint: OnHint, on_connected: OnConnected
    ) -> None:
        self._client = client
        self._exchange = exchange
        self._on_hint = on_hint
        self._on_connected = on_connected
        self._frames: asyncio.Queue[tuple[Any, str | bytes]] = asyncio.Queue()
        self._limit = asyncio.timeout(client.settings.request_timeout.total_seconds())
        self._confirmed = 0
        self._fees = HeardFees()
        self._opened = exchange.on_connected
        exchange.on_connected = self._open
        client.hooks.prepare_stream(exchange)

    async def listen(self) -> NoReturn:
        """Tell hints for as long as frames come.

        Raises `VenueCallError` where the subscriptions do not stand in time, and what ccxt makes
        of the venue's errors.
        """
        try:
            async with self._limit:
                while True:
                    socket, frame = await self._frames.get()
                    # Whatever comes proves that the socket lives. ccxt would go by its pongs
                    # alone, some of which are no JSON and never get back to it.
                    socket.lastPong = self._exchange.milliseconds()
                    try:
                        message = json.loads(frame)
                    except (ValueError, RecursionError):
                        # Nobody knows what it was; the REST reads go on, and find what it told.
                        continue
                    if isinstance(message, Mapping):
                        self._hear(socket, message)
        except TimeoutError as late:
            message = "the venue did not confirm the stream's subscriptions in time"
            error = VenueError(kind=VenueErrorKind.NETWORK, message=message)
            raise VenueCallError(error) from late

    def _open(self, socket: Any, message: Any = None) -> None:
        socket.handle_text_or_binary_message = lambda frame: self._frames.put_nowait(
            (socket, frame)
        )
        self._opened(socket, message)
        if not self._client.facts.stream_topics:
            self._stand()

    def _hear(self, socket: Any, message: Mapping[str, Any]) -> None:
        hooks = self._client.hooks
        if is_data(self._client, message):
            for hint in read_hints(self._client, message, self._fees):
                self._on_hint(hint)
            return
        if ended := hooks.ends_stream(message):
            # The socket stays open all the same.
            raise VenueCallError(VenueError(kind=VenueErrorKind.NETWORK, message=ended))
        if hooks.confirms_subscription(message):
            self._confirmed += 1
            if self._confirmed == hooks.facts.stream_topics:
                self._stand()
        self._exchange.handle_message(socket, message)

    def _stand(self) -> None:
        self._limit.reschedule(None)
        self._on_connected()
