"""OKX v5's private WebSockets: what a client says, and how the market's events are told.

`/ws/v5/private` has orders, positions and balances, `/ws/v5/business` the algo orders. Source: the
pages of "WebSocket" in OKX's v5 documentation. Left to others: sockets, and whom an event goes to
(`streams.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from simulator.instruments import Exchange, Listing
from simulator.logins import PASSPHRASE
from simulator.market import Market
from simulator.okx import LIFE, is_signed
from simulator.okx_order_rows import algo_row, fill_row, order_row
from simulator.okx_rows import balance_row, family, instrument_type, position_row
from simulator.state import Account, MarketEvent, Order, OrderChanged, Position
from simulator.wire import Row, encode, ms, text

HOST = "ws.okx.com"
PRIVATE, BUSINESS = "/ws/v5/private", "/ws/v5/business"
CHANNELS = {
    PRIVATE: ("orders", "positions", "account", "balance_and_position"),
    BUSINESS: ("orders-algo",),
}
BY_TYPE = ("orders", "positions", "orders-algo")
"""Channels whose subscription must name a type of contract."""
TYPES = ("ANY", "SWAP", "FUTURES", "SPOT", "MARGIN", "OPTION")
TOPICS = {"orders": "order", "positions": "position"}
"""What the channels are called where sockets of all exchanges are counted."""
CONNECTION = "a4d3ae55"
_OF_POSITION = (
    "posId instId instType mgnMode posSide pos ccy posCcy avgPx nonSettleAvgPx settledPnl tradeId "
    "uTime"
)
PING, PONG = b"ping", b"pong"


class Command(msgspec.Struct):
    """What a client sends."""

    op: str = ""
    id: str | int = ""
    args: list[dict[str, str | int]] = []


@dataclass(slots=True, eq=False)
class Session:
    """One socket: whose it is, and what it follows, each subscription as it was asked for."""

    market: Market
    path: str
    account: Account | None = None
    followed: list[dict[str, str]] = field(default_factory=list)

    @property
    def topics(self) -> set[str]:
        return {TOPICS.get(it["channel"], it["channel"]) for it in self.followed}

    def says(self, data: bytes, at: datetime) -> list[bytes]:
        """The answers to what a client said, in their order."""
        if data == PING:
            return [PONG]
        try:
            command = msgspec.json.decode(data, type=Command)
        except msgspec.MsgspecError:
            return [_refused("60012", f"Invalid request: {data.decode(errors='replace')}")]
        match command.op:
            case "login":
                return [encode(self._login(command, at))]
            case "subscribe" | "unsubscribe" if self.account is None:
                return [_refused("60011", "Please log in")]
            case "subscribe":
                return [frame for arg in command.args for frame in self._follow(command, arg, at)]
            case "unsubscribe":
                return [encode(self._leave(command, arg)) for arg in command.args]
            case other:
                return [_refused("60019", f"Invalid op: {other}")]

    def told(self, event: MarketEvent) -> Iterator[Row]:
        """The messages that an event makes for what is followed here."""
        for arg in self.followed:
            for row in self._rows(arg["channel"], event):
                if _covers(arg, event_listing(event)):
                    kind: Row = {}
                    if arg["channel"] != "orders" and arg["channel"] != "orders-algo":
                        kind = {"eventType": "event_update", "curPage": 1, "lastPage": True}
                    yield self._message(arg, [row], kind)

    def _login(self, command: Command, at: datetime) -> Row:
        account = owner_of(self.market, command.args, at)
        if isinstance(account, Account):
            self.account = account
            return {"event": "login", "code": "0", "msg": "", "connId": CONNECTION}
        code, message = account
        return {"event": "error", "code": code, "msg": message, "connId": CONNECTION}

    def _follow(self, command: Command, arg: dict[str, str | int], at: datetime) -> Iterator[bytes]:
        """Confirm a subscription; of positions and balances what there is follows at once."""
        wanted = {name: str(value) for name, value in arg.items()}
        channel = wanted.get("channel", "")
        if channel not in CHANNELS.get(self.path, ()):
            yield _refused("60018", f"Wrong URL or channel:{channel} doesn't exist.", command)
            return
        if channel in BY_TYPE and wanted.get("instType") not in TYPES:
            yield _refused("60013", "Invalid args: instType", command)
            return
        if wanted not in self.followed:
            self.followed.append(wanted)
        confirmed: Row = {"event": "subscribe", "arg": wanted, "connId": CONNECTION}
        yield encode(_with_id(command, confirmed))
        snapshot = self._snapshot(wanted, at)
        if snapshot is not None:
            kind: Row = {"eventType": "snapshot", "curPage": 1, "lastPage": True}
            yield encode(self._message(wanted, snapshot, kind))

    def _leave(self, command: Command, arg: dict[str, str | int]) -> Row:
        wanted = {name: str(value) for name, value in arg.items()}
        if wanted in self.followed:
            self.followed.remove(wanted)
        return _with_id(command, {"event": "unsubscribe", "arg": wanted, "connId": CONNECTION})

    def _message(self, arg: dict[str, str], rows: list[Row], kind: Row) -> Row:
        uid = "" if self.account is None else str(self.account.uid)
        return {"arg": {**arg, "uid": uid}, **kind, "data": rows}

    def _snapshot(self, arg: dict[str, str], at: datetime) -> list[Row] | None:
        if self.account is None:
            return None
        held = [it for it in self.account.positions.values() if it.size]
        match arg["channel"]:
            case "positions":
                return [self._position(it, at) for it in held if _covers(arg, it.listing)]
            case "account":
                return [balance_row(self.account, self.market.prices, at)]
            case "balance_and_position":
                return [self._both(self.account, held, at, "snapshot")]
            case _:
                return None

    def _rows(self, channel: str, event: MarketEvent) -> Iterator[Row]:
        account, prices = event.account, self.market.prices
        if isinstance(event, OrderChanged):
            if event.order.conditional:
                if channel == "orders-algo":
                    yield self._algo(event)
            elif channel == "orders":
                yield stream_order_row(event, self.market)
            return
        match channel:
            case "positions":
                yield self._position(event.position, event.at)
            case "account":
                coin = event.position.listing.instrument.settle
                yield balance_row(account, prices, event.at, [coin])
            case "balance_and_position":
                yield self._both(account, [event.position], event.at, "filled")

    def _position(self, position: Position, at: datetime) -> Row:
        if self.account is None:
            raise ValueError("a socket that nobody has logged in on is told nothing")
        return position_row(position, self.market.prices, self.account, at)

    def _algo(self, event: OrderChanged) -> Row:
        order = event.order
        became = event.account.orders.get(order.triggered_as)
        row = algo_row(order, event.account, became, self.market.prices.last(order.listing))
        names = "amendResult code msg reqId notionalUsd fee feeCcy"
        return {**row, **dict.fromkeys(names.split(), ""), "code": "0"}

    def _both(self, account: Account, held: list[Position], at: datetime, why: str) -> Row:
        names = _OF_POSITION.split()
        rows = [self._position(it, at) for it in held]
        balances = balance_row(account, self.market.prices, at)["details"]
        coins = balances if isinstance(balances, list) else []
        return {
            "pTime": str(ms(at)),
            "eventType": why,
            "balData": [{name: it[name] for name in ("ccy", "cashBal", "uTime")} for it in coins],
            "posData": [{name: row[name] for name in names} for row in rows],
            "trades": [
                {"instId": row["instId"], "tradeId": row["tradeId"]}
                for row in rows
                if why == "filled"
            ],
        }


def stream_order_row(event: OrderChanged, market: Market) -> Row:
    """An order as the stream tells it: the REST row, and what its last fill was."""
    order, fill = event.order, event.execution
    row = order_row(order, event.account, [] if fill is None else [fill])
    del row["cancelSourceReason"]
    of_fill = (
        "execType fillFeeCcy fillFwdPx fillIdxPx fillMarkPx fillMarkVol fillNotionalUsd fillPxUsd "
        "fillPxVol"
    )
    empty = "amendResult amendSource msg reqId"
    row |= dict.fromkeys((*of_fill.split(), *empty.split()), "")
    row |= {"code": "0", "fillFee": "0", "fillPnl": "0"}
    row |= {
        "lastPx": text(market.prices.last(order.listing)),
        "notionalUsd": _dollars(order, market),
    }
    if fill is not None:
        told = fill_row(fill, order.came_of)
        names = "execType fillFwdPx fillIdxPx fillMarkPx fillMarkVol fillPnl fillPxUsd fillPxVol"
        row |= {name: told[name] for name in names.split()}
        row |= {"fillFee": told["fee"], "fillFeeCcy": told["feeCcy"]}
        row["fillNotionalUsd"] = _dollars(order, market)
    return row


def owner_of(
    market: Market, args: list[dict[str, str | int]], at: datetime
) -> Account | tuple[str, str]:
    """The account that a login proves to be its own, or the code and the words of a refusal."""
    if len(args) != 1:
        return "60009", "Login failed."
    names = ("apiKey", "passphrase", "timestamp", "sign")
    key, passphrase, stamp, sign = (str(args[0].get(name, "")) for name in names)
    login = market.logins.find(key)
    if login is None or login.account.exchange is not Exchange.OKX:
        return "60005", "Invalid apiKey"
    if passphrase != PASSPHRASE:
        return "60024", "Wrong passphrase"
    if not stamp.isdecimal():
        return "60004", "Invalid timestamp"
    if abs(int(stamp) - at.timestamp()) > LIFE.total_seconds():
        return "60006", "Timestamp request expired"
    if not is_signed(login.secret, f"{stamp}GET/users/self/verify", sign):
        return "60007", "Invalid sign"
    return login.account


def event_listing(event: MarketEvent) -> Listing:
    return event.order.listing if isinstance(event, OrderChanged) else event.position.listing


def _covers(arg: dict[str, str], listing: Listing) -> bool:
    return (
        arg.get("instType", "ANY") in ("ANY", instrument_type(listing))
        and arg.get("instId", listing.id) == listing.id
        and arg.get("instFamily", family(listing)) == family(listing)
    )


def _dollars(order: Order, market: Market) -> str:
    listing = order.listing
    size = order.quantity * listing.instrument.contract_size
    return text(size if listing.inverse else size * market.prices.last(listing))


def _with_id(command: Command, reply: Row) -> Row:
    return {"id": str(command.id), **reply} if command.id != "" else reply


def _refused(code: str, message: str, command: Command | None = None) -> bytes:
    reply: Row = {"event": "error", "code": code, "msg": message, "connId": CONNECTION}
    return encode(reply if command is None else _with_id(command, reply))
