"""The private WebSockets: Bybit v5 (`/v5/private`) and Binance's user data stream.

Left to others: where the sockets come from (`server.py`) and what happens in the market.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from aiohttp import WSMsgType, web

from simulator import binance_rows, bybit_rows
from simulator.binance_account import listen_key
from simulator.faults import ANY, FaultBook
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import (
    Account,
    Execution,
    MarketEvent,
    Order,
    Position,
    PositionChanged,
    State,
)
from simulator.wire import Row, encode, ms, text


class _Command(msgspec.Struct):
    """What a Bybit client sends."""

    op: str = ""
    req_id: str | int = ""
    args: list[object] = []


@dataclass(slots=True, eq=False)
class _Connection:
    """One open socket. What is to be sent waits in `outbox`; None closes it."""

    account: Account | None = None
    topics: set[str] = field(default_factory=set)
    outbox: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)


class Streams:
    """All open sockets of a venue; market events go out to those of their account."""

    def __init__(self, market: Market, now: Callable[[], datetime], faults: FaultBook) -> None:
        self._market = market
        self._faults = faults
        self._now = now
        self._open: set[_Connection] = set()

    def start(self) -> None:
        self._market.listen(self._on_event)

    def stop(self) -> None:
        self._market.unlisten(self._on_event)
        self.cut(ANY)

    def cut(self, account: str) -> None:
        """End the sockets of one account, or of all (`*`)."""
        for connection in tuple(self._open):
            if account == ANY or (connection.account and connection.account.name == account):
                connection.outbox.put_nowait(None)

    def say(self, account: str, frame: bytes) -> None:
        """Send any frame, whatever it is, on all sockets of an account."""
        for connection in self._open:
            if connection.account is not None and connection.account.name == account:
                connection.outbox.put_nowait(frame)

    def followers(self, account: str, topic: str) -> int:
        """How many sockets of an account follow a topic (`position`, `order`) now."""
        return sum(
            it.account is not None and it.account.name == account and topic in it.topics
            for it in self._open
        )

    def connected(self, account: str) -> bool:
        """Whether an account follows its positions now."""
        return self.followers(account, "position") > 0

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Open a socket for whoever asks on a stream host, and keep it until either side ends."""
        if request.host.partition(":")[0] == "stream.bybit.com":
            return await self._serve(request, _Connection(), self._bybit_says)
        key = request.query.get("listenKey") or request.path.rpartition("/")[2]
        for account in self._market.accounts.values():
            if account.exchange is Exchange.BINANCE and listen_key(account) == key:
                connection = _Connection(account, {"position", "order"})
                return await self._serve(request, connection, None)
        return web.Response(status=401, text="listenKey is not valid")

    async def _serve(
        self,
        request: web.BaseRequest,
        connection: _Connection,
        says: Callable[[_Connection, bytes], None] | None,
    ) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        self._open.add(connection)
        writer = asyncio.create_task(self._write(socket, connection))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and says is not None:
                    says(connection, message.data.encode())
        finally:
            self._open.discard(connection)
            connection.outbox.put_nowait(None)
            await writer
        return socket

    async def _write(self, socket: web.WebSocketResponse, connection: _Connection) -> None:
        while (payload := await connection.outbox.get()) is not None and not socket.closed:
            try:
                await socket.send_str(payload.decode())
            except ConnectionError:
                # The client is gone; its reader ends by itself.
                return
        await socket.close()

    def _bybit_says(self, connection: _Connection, data: bytes) -> None:
        try:
            command = msgspec.json.decode(data, type=_Command)
        except msgspec.MsgspecError:
            connection.outbox.put_nowait(encode({"success": False, "ret_msg": "Params Error"}))
            return
        reply: Row = {"success": True, "ret_msg": "", "op": command.op, "conn_id": "simulated"}
        if command.req_id:
            reply["req_id"] = command.req_id
        match command.op:
            case "auth":
                connection.account = self._bybit_owner(command.args)
                if connection.account is None:
                    reply |= {"success": False, "ret_msg": "Params Error"}
            case "subscribe" if connection.account is None:
                reply |= {"success": False, "ret_msg": "Request not authorized"}
            case "subscribe":
                connection.topics |= {str(topic) for topic in command.args}
            case "ping":
                reply |= {"op": "pong", "args": [str(ms(self._now()))]}
            case _:
                reply |= {"success": False, "ret_msg": "error:unknown op"}
        connection.outbox.put_nowait(encode(reply))

    def _bybit_owner(self, args: list[object]) -> Account | None:
        if len(args) != 3:
            return None
        key, expires, signature = (str(arg) for arg in args)
        login = self._market.logins.find(key)
        if login is None or not expires.isdecimal():
            return None
        account = login.account
        if account.exchange is not Exchange.BYBIT:
            return None
        secret = login.secret.reveal().encode()
        expected = hmac.new(secret, f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        fresh = int(expires) > ms(self._now())
        return account if fresh and hmac.compare_digest(expected, signature) else None

    def _on_event(self, event: MarketEvent) -> None:
        listeners = [it for it in self._open if it.account is event.account]
        if not listeners or self._faults.silences(event.account.name):
            return
        topic = "position" if isinstance(event, PositionChanged) else "order"
        payload = encode(self._words(event))
        for connection in listeners:
            if topic in connection.topics:
                connection.outbox.put_nowait(payload)

    def _words(self, event: MarketEvent) -> Row:
        at, bybit = ms(event.at), event.account.exchange is Exchange.BYBIT
        if isinstance(event, PositionChanged):
            if bybit:
                return _bybit_topic("position", at, self._bybit_position(event.position))
            return self._account_update(event.account, event.position, at)
        if bybit:
            return _bybit_topic("order", at, bybit_rows.order_row(event.order))
        return _order_update(event.order, event.execution, at)

    def _bybit_position(self, position: Position) -> Row:
        row = bybit_rows.position_row(position, self._market.prices)
        row["entryPrice"] = row.pop("avgPrice")
        row["category"] = bybit_rows.category(position.listing)
        return row

    def _account_update(self, account: Account, position: Position, at: int) -> Row:
        settle = position.listing.instrument.settle
        wallet = text(account.wallet.get(settle))
        mark = self._market.prices.mark(position.listing)
        balances = [{"a": settle, "wb": wallet, "cw": wallet, "bc": "0"}]
        positions = [
            {
                "s": position.listing.id,
                "pa": text(position.size),
                "ep": text(position.entry),
                "bep": text(position.entry),
                "cr": text(position.realized),
                "up": text(position.unrealized(mark)),
                "mt": "cross",
                "iw": "0",
                "ps": binance_rows.POSITION_SIDES[position.slot],
            }
        ]
        body: Row = {"m": "ORDER", "B": balances, "P": positions}
        return {"e": "ACCOUNT_UPDATE", "E": at, "T": at, "a": body}


def _bybit_topic(topic: str, at: int, row: Row) -> Row:
    return {"id": f"{topic}-{at}", "topic": topic, "creationTime": at, "data": [row]}


def _order_update(order: Order, execution: Execution | None, at: int) -> Row:
    """ORDER_TRADE_UPDATE, or ALGO_UPDATE for a conditional order."""
    if order.conditional:
        row = binance_rows.algo_row(order)
        body: Row = {
            "caid": row["clientAlgoId"],
            "aid": row["algoId"],
            "at": "CONDITIONAL",
            "o": row["orderType"],
            "s": row["symbol"],
            "S": row["side"],
            "ps": row["positionSide"],
            "f": row["timeInForce"],
            "q": row["quantity"],
            # Told in the moment that it fires; REST says FINISHED once its order has ended.
            "X": "TRIGGERED" if order.state is State.TRIGGERED else row["algoStatus"],
            "ai": row["actualOrderId"],
            "ap": "0.00000",
            "aq": "0.00000",
            "act": "0",
            "tp": row["triggerPrice"],
            "p": row["price"],
            "V": row["selfTradePreventionMode"],
            "wt": row["workingType"],
            "pm": row["priceMatch"],
            "cp": row["closePosition"],
            "pP": row["priceProtect"],
            "R": row["reduceOnly"],
            "tt": row["triggerTime"],
            "gtd": row["goodTillDate"],
            "rm": "",
        }
        return {"e": "ALGO_UPDATE", "E": at, "T": at, "o": body}
    row = binance_rows.order_row(order)
    body = {
        "s": row["symbol"],
        "c": row["clientOrderId"],
        "S": row["side"],
        "o": row["type"],
        "f": row["timeInForce"],
        "q": row["origQty"],
        "p": row["price"],
        "ap": row["avgPrice"],
        "sp": row["stopPrice"],
        "x": "TRADE" if execution else row["status"],
        "X": row["status"],
        "i": row["orderId"],
        "l": text(execution.quantity) if execution else "0",
        "z": row["executedQty"],
        "L": text(execution.price) if execution else "0",
        "n": text(execution.fee) if execution else "0",
        "N": order.listing.instrument.settle,
        "T": row["updateTime"],
        "t": int(execution.id) if execution else 0,
        "b": "0",
        "a": "0",
        "m": bool(execution and execution.maker),
        "R": row["reduceOnly"],
        "wt": row["workingType"],
        "ot": row["origType"],
        "ps": row["positionSide"],
        "cp": row["closePosition"],
        "rp": text(execution.pnl) if execution else "0",
        "pP": row["priceProtect"],
        "V": row["selfTradePreventionMode"],
        "pm": row["priceMatch"],
        "gtd": row["goodTillDate"],
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": at, "T": at, "o": body}
