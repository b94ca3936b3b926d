"""Gate's private channels of futures: what a client says, and how the market's events are told.

Source: the pages "Futures WebSocket v4" and "Delivery WebSocket v4" of Gate's documentation. Left
to others: sockets, and whom an event goes to (`streams.py`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from simulator.gate_order_rows import order_row, trade_row, trigger_row
from simulator.gate_rows import position_row, seconds, sized
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import Account, MarketEvent, OrderChanged, Position
from simulator.wire import Row, ms

HOST = "fx-ws.gateio.ws"
CHANNELS = frozenset(
    {"futures.positions", "futures.orders", "futures.usertrades", "futures.autoorders"}
)
ALL = "!all"
TOPICS = {"futures.positions": "position", "futures.orders": "order"}
"""What onlookers call two of the channels."""
MOST_SKEW = 60
AS_NUMBERS = (
    "cross_leverage_limit",
    "entry_price",
    "history_pnl",
    "history_point",
    "last_close_pnl",
    "leverage",
    "leverage_max",
    "liq_price",
    "maintenance_rate",
    "margin",
    "realised_pnl",
    "realised_point",
    "risk_limit",
)
"""Fields of a position that the channel writes as numbers."""


class Command(msgspec.Struct):
    """What a client sends."""

    channel: str
    event: str = ""
    time: int = 0
    id: int | str | None = None
    payload: list[str] = []
    auth: dict[str, str] = {}


@dataclass(slots=True)
class Answer:
    """What is said back; the account that was proved, and what it follows from now on, or not."""

    reply: Row
    account: Account | None = None
    followed: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)


def place_of(path: str) -> str:
    """What an address serves: "usdt", "btc", or "delivery/usdt"."""
    return path.removeprefix("/v4/ws/").strip("/").lower()


def belongs(listing: Listing, place: str) -> bool:
    it = listing.instrument
    prefix = "" if it.expires_at is None else "delivery/"
    return place == f"{prefix}{it.settle.lower()}"


def answered(data: bytes, market: Market, at: datetime) -> Answer:
    """Each subscription bears its own proof of a key; the first of its payload is the user's id."""
    try:
        command = msgspec.json.decode(data, type=Command)
    except msgspec.MsgspecError as failure:
        return Answer({"time": seconds(at), "error": _error(1, f"invalid message: {failure}")})
    reply: Row = {
        "time": seconds(at),
        "time_ms": ms(at),
        "id": command.id,
        "conn_id": "simulated",
        "trace_id": "simulated",
        "channel": command.channel,
        "event": command.event,
        "payload": command.payload,
        "error": None,
        "result": {"status": "success"},
    }
    if command.channel == "futures.ping":
        told = {"channel": "futures.pong", "event": "", "result": None}
        return Answer({**reply, **told})
    refusal = _refusal(command, market, at)
    if refusal is not None:
        return Answer({**reply, "error": refusal, "result": None})
    owner = _owner(command, market)
    names = {f"{command.channel} {name}" for name in command.payload[1:] or [ALL]}
    if command.event == "unsubscribe":
        return Answer(reply, owner, left=names)
    if command.channel in TOPICS:
        names.add(TOPICS[command.channel])
    return Answer(reply, owner, followed=names)


def _error(code: int, message: str) -> Row:
    return {"code": code, "message": message}


def _owner(command: Command, market: Market) -> Account | None:
    """The account that a command proves to be its own."""
    login = market.logins.find(command.auth.get("KEY", ""))
    if login is None or login.account.exchange is not Exchange.GATE:
        return None
    signed = f"channel={command.channel}&event={command.event}&time={command.time}"
    secret = login.secret.reveal().encode()
    expected = hmac.new(secret, signed.encode(), hashlib.sha512).hexdigest()
    proved = hmac.compare_digest(expected, command.auth.get("SIGN", "").lower())
    return login.account if proved else None


def _refusal(command: Command, market: Market, at: datetime) -> Row | None:
    if command.event not in ("subscribe", "unsubscribe"):
        return _error(1, f"unknown event {command.event}")
    if command.channel not in CHANNELS:
        # The venue has more channels; here they would stay silent.
        return _error(2, f"unknown channel {command.channel}")
    owner = _owner(command, market)
    if owner is None or abs(command.time - seconds(at)) > MOST_SKEW:
        known = market.logins.find(command.auth.get("KEY", "")) is not None
        label = "INVALID_SIGN" if known else "INVALID_KEY"
        return _error(4, f'{{"label":"{label}","message":"authentication failed"}}')
    if not command.payload or command.payload[0] != str(owner.uid):
        return _error(2, "unknown user id")
    names = [it for it in command.payload[1:] if it != ALL]
    unknown = [it for it in names if market.find_listing(Exchange.GATE, it) is None]
    return _error(2, f"unknown contract {unknown[0]}") if unknown else None


def events(event: MarketEvent, market: Market, place: str) -> Iterator[tuple[str, str, Row]]:
    """The channels that an event is told under, each with its contract and its message."""
    owner, at = event.account, event.at
    if isinstance(event, OrderChanged):
        order, listing = event.order, event.order.listing
        if not belongs(listing, place):
            return
        channel = "futures.autoorders" if order.conditional else "futures.orders"
        row = trigger_row(order, owner) if order.conditional else order_row(order, owner)
        if not order.conditional:
            # While it rests, the channel says here what became of it just now.
            resting = "_update" if order.filled or order.amended else "_new"
            row = {"finish_as": resting, "finish_time": 0, **row}
            for name in ("create_time", "finish_time", "update_time"):
                row[f"{name}_ms"] = round(float(str(row[name])) * 1000)
            row |= {"user": str(owner.uid), "price": float(str(row["price"]))}
            row["fill_price"] = float(str(row["fill_price"]))
        yield channel, listing.id, _message(channel, at, row)
        if event.execution is not None:
            trade = trade_row(event.execution, owner, "id")
            trade |= {"id": event.execution.id, "create_time_ms": ms(at)}
            yield "futures.usertrades", listing.id, _message("futures.usertrades", at, trade)
        return
    if belongs(event.position.listing, place):
        row = _position(event.position, market, owner, at)
        name = event.position.listing.id
        yield "futures.positions", name, _message("futures.positions", at, row)


def _position(position: Position, market: Market, owner: Account, at: datetime) -> Row:
    row = position_row(position, owner, market.prices)
    told: Row = {name: float(str(row[name])) for name in AS_NUMBERS}
    same = {name: row[name] for name in ("contract", "mode", "size", "update_id")}
    return {**told, **same, "user": str(owner.uid), "time": seconds(at), "time_ms": ms(at)}


def _message(channel: str, at: datetime, row: Row) -> Row:
    return {
        "time": seconds(at),
        "time_ms": ms(at),
        "channel": channel,
        "event": "update",
        "result": [sized(row, as_text=False)],
    }
