"""Hyperliquid's WebSocket: what a client says, and how the market's events are told.

Source: the pages "Subscriptions" and "Timeouts and heartbeats" of the venue's documentation.
Nothing is signed: whoever knows an address may follow it. Not served: public channels, requests by
`post`. Left to others: sockets, and whom an event goes to (`streams.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from simulator.hyperliquid_accounts import Addresses
from simulator.hyperliquid_rows import (
    basic_order,
    clearinghouse,
    fill_rows,
    status_word,
)
from simulator.market import Market
from simulator.state import Account, MarketEvent, OrderChanged
from simulator.wire import Row, encode, ms

HOST = "api.hyperliquid.xyz"
PATH = "/ws"
TOPICS = ("clearinghouseState", "orderUpdates", "userFills", "userEvents")
MEANT = {"clearinghouseState": "position", "userFills": "position", "orderUpdates": "order"}
"""What a channel is about, in the word that is the same for all exchanges."""
FIRST_FILLS = 2000


class Command(msgspec.Struct):
    """What a client sends."""

    method: str = ""
    subscription: dict[str, object] = {}


def owner_of(addresses: Addresses, command: Command) -> Account | None:
    """The account that a subscription is about; None for one that is not understood."""
    kind, user = command.subscription.get("type"), str(command.subscription.get("user", ""))
    known = kind in TOPICS and user.startswith("0x") and not command.subscription.get("dex")
    return addresses.read(user) if known else None


def refused(command: Command, why: str = "Invalid subscription") -> Row:
    return {"channel": "error", "data": f"{why} {encode(command.subscription).decode()}"}


def taken(command: Command) -> Row:
    """The confirmation of a subscription, or of its end."""
    said = {"method": command.method, "subscription": command.subscription}
    return {"channel": "subscriptionResponse", "data": said}


def pong() -> Row:
    return {"channel": "pong"}


def first_words(topic: str, account: Account, market: Market) -> Iterator[Row]:
    """What a new follower is told at once."""
    if topic == "clearinghouseState":
        yield _state(account, market)
    elif topic == "userFills":
        every = [pair for name in account.executions for pair in fill_rows(account, name, market)]
        every.sort(key=lambda pair: (pair[0].at, pair[0].sequence))
        rows = [row for _, row in every[: -FIRST_FILLS - 1 : -1]]
        told = {"isSnapshot": True, "user": account.key.lower(), "fills": rows}
        yield {"channel": "userFills", "data": told}


def events(event: MarketEvent, market: Market) -> Iterator[tuple[str, Row]]:
    """The topics that an event is told under, each with its message."""
    account = event.account
    if not isinstance(event, OrderChanged):
        yield "clearinghouseState", _state(account, market)
        return
    order = event.order
    told: Row = {
        "order": basic_order(order),
        "status": status_word(order),
        "statusTimestamp": ms(event.at),
    }
    yield "orderUpdates", {"channel": "orderUpdates", "data": [told]}
    if event.execution is None:
        return
    done = fill_rows(account, order.listing.id, market)
    fills = [row for execution, row in done if execution is event.execution]
    user = account.key.lower()
    yield "userFills", {"channel": "userFills", "data": {"user": user, "fills": fills}}
    yield "userEvents", {"channel": "user", "data": {"fills": fills}}


def _state(account: Account, market: Market) -> Row:
    held = list(account.positions.values())
    state = clearinghouse(account, held, market, ms(market.now()))
    told = {"dex": "", "user": account.key.lower(), "clearinghouseState": state}
    return {"channel": "clearinghouseState", "data": told}
