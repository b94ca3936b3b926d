"""The position stream of Bybit and Binance USD-M: hints that a leg has changed. REST decides.

For it: a subscription, its hints as they come, its end. Left to others: a fresh REST read at each
connection, and connecting again. Hints are taken from the messages themselves: ccxt's cache is
live and mutable, and of two changes between two awaits its future tells one.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from messages.values import ZERO, LegKey, Side
from messages.venue import Hint, PositionHint, VenueError, VenueErrorKind
from venues.client import Client, VenueCallError
from venues.rows import Row

OnHint = Callable[[Hint], None]
OnConnected = Callable[[], None]


async def watch(client: Client, on_hint: OnHint, on_connected: OnConnected) -> VenueError:
    """Follow the stream until it ends, and say why.

    `on_connected` is called when the venue has taken the subscription (Bybit) or the socket with
    the listen key stands (Binance). A change of a leg that no loaded market fits tells no hint:
    the REST reads find it.
    """
    if not client.facts.streams:
        return VenueError(
            kind=VenueErrorKind.OTHER,
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
        # Its first answer would be a REST snapshot, and the subscription would wait for a second
        # call: whatever changes in between would be lost.
        exchange.options["watchPositions"] = {
            "fetchPositionsSnapshot": False,
            "awaitPositionsSnapshot": False,
        }
        _listen(client, exchange, on_hint, on_connected)
        async with client.call("watch"):
            while True:
                await exchange.watch_positions()
    except VenueCallError as failed:
        return failed.error
    finally:
        await exchange.close()
        if session is not None:
            await session.close()


def _listen(client: Client, exchange: Any, on_hint: OnHint, on_connected: OnConnected) -> None:
    understand = exchange.handle_message
    connected = exchange.on_connected

    def handle_message(socket: Any, message: Any) -> Any:
        if isinstance(message, Mapping):
            if message.get("op") == "subscribe" and message.get("success") is True:
                on_connected()
            for hint in _hints(client, message):
                on_hint(hint)
        return understand(socket, message)

    def socket_stands(socket: Any, message: Any = None) -> Any:
        if client.facts.exchange == "binanceusdm":
            on_connected()
        return connected(socket, message)

    if client.facts.exchange == "bybit":
        # The documented type of req_id is a string; ccxt counts.
        ids = itertools.count(1)
        exchange.request_id = lambda: str(next(ids))
    exchange.handle_message = handle_message
    exchange.on_connected = socket_stands


def _hints(client: Client, message: Mapping[str, Any]) -> Iterator[PositionHint]:
    rows: Any = []
    if str(message.get("topic", "")).startswith("position"):
        rows = message.get("data")
    elif message.get("e") == "ACCOUNT_UPDATE" and isinstance(message.get("a"), Mapping):
        rows = [_binance_row(row) for row in message["a"].get("P") or []]
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, Mapping):
            yield from _row_hints(client, row)


def _binance_row(row: Any) -> Any:
    """The stream's short names as those of the REST row."""
    if not isinstance(row, Mapping):
        return row
    return {
        "symbol": row.get("s"),
        "positionAmt": row.get("pa"),
        "positionSide": row.get("ps"),
    }


def _row_hints(client: Client, row: Row) -> Iterator[PositionHint]:
    reading = client.facts.read_row(row)
    instrument = client.by_venue_id(str(row.get("symbol")))
    if reading is None or instrument is None:
        return
    quantity = reading.size * instrument.contract_size
    if reading.hedged and reading.side is None:
        # A flat hedge leg: only the row's own words say which one.
        named = str(row.get("positionSide") or "").lower()
        sides = {Side(named): ZERO} if named in ("long", "short") else {}
    elif reading.hedged and reading.side is not None:
        sides = {reading.side: quantity}
    else:
        # One-way: the symbol holds this side and surely nothing of the other.
        sides = {side: quantity if side is reading.side else ZERO for side in Side}
    at = client.now()
    for side, held in sides.items():
        key = LegKey(client.settings.name, instrument.symbol, side)
        yield PositionHint(key=key, quantity=held, at=at)
