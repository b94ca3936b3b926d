"""Bybit v5's private WebSocket: what a client says, and how the market's events are told.

Source: the pages of "WebSocket Stream" in Bybit's v5 documentation. Left to others: sockets, and
whom an event goes to (`streams.py`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime

import msgspec

from simulator.bybit_order_rows import execution_row, order_row
from simulator.bybit_rows import category, flat_row, position_row, wallet_row
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import Account, MarketEvent, Order, OrderChanged, Position
from simulator.wire import Row, ms

TOPICS = frozenset(
    {
        "wallet",
        *(
            f"{topic}{suffix}"
            for topic in ("order", "execution", "position")
            for suffix in ("", ".linear", ".inverse")
        ),
    }
)
"""What can be followed; those with a category hold that category only."""


class Command(msgspec.Struct):
    """What a client sends."""

    op: str = ""
    req_id: str | int = ""
    args: list[object] = []


def owner_of(market: Market, args: list[object], at: datetime) -> Account | None:
    """The account that an `auth` proves to be its own: key, expiry, signature."""
    if len(args) != 3:
        return None
    key, expires, signature = (str(arg) for arg in args)
    login = market.logins.find(key)
    if login is None or not expires.isdecimal():
        return None
    if login.account.exchange is not Exchange.BYBIT:
        return None
    secret = login.secret.reveal().encode()
    expected = hmac.new(secret, f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
    fresh = int(expires) > ms(at)
    return login.account if fresh and hmac.compare_digest(expected, signature) else None


def unknown_topic(args: list[object]) -> str | None:
    """The first topic that cannot be followed, or None."""
    return next((str(it) for it in args if str(it) not in TOPICS), None)


def events(event: MarketEvent, market: Market) -> Iterator[tuple[str, Row]]:
    """The topics that an event is told under, each with its message, in Bybit's own order.

    A position is told at every change of an order in it, changed or not, says the documentation.
    """
    at = ms(event.at)
    if isinstance(event, OrderChanged):
        order, listing = event.order, event.order.listing
        yield from _told("order", listing, at, order_row(order))
        if event.execution is not None:
            yield from _told("execution", listing, at, _execution_row(event))
            coin = listing.instrument.settle
            yield "wallet", _message("wallet", at, wallet_row(market, event.account, [coin]))
        else:
            yield from _told("position", listing, at, _slot_row(market, event.account, order))
        return
    row = _position_row(event.position, market, event.account)
    yield from _told("position", event.position.listing, at, row)


def _told(topic: str, listing: Listing, at: int, row: Row) -> Iterator[tuple[str, Row]]:
    for name in (topic, f"{topic}.{category(listing)}"):
        yield name, _message(name, at, row)


def _message(topic: str, at: int, row: Row) -> Row:
    return {"id": f"{topic}-{at}", "topic": topic, "creationTime": at, "data": [row]}


def _execution_row(event: OrderChanged) -> Row:
    if event.execution is None:
        raise ValueError("an event without an execution has no row of one")
    row = execution_row(event.execution, event.order)
    return {**row, "isLeverage": "0", "marketUnit": ""}


def _position_row(position: Position, market: Market, account: Account) -> Row:
    """The stream names the entry `entryPrice`, and the category in each row."""
    row = position_row(position, market.prices, account)
    row["entryPrice"] = row.pop("avgPrice")
    return {**row, "category": category(position.listing)}


def _slot_row(market: Market, account: Account, order: Order) -> Row:
    position = account.position(order.listing.id, order.spec.slot)
    if position is not None:
        return _position_row(position, market, account)
    row = flat_row(order.listing, order.spec.slot, market.prices, account)
    row["entryPrice"] = row.pop("avgPrice")
    return {**row, "category": category(order.listing)}
