"""The WebSockets: of accounts, and of the market where that is simulated.

Left to others: where the sockets come from (`server.py`) and what happens in the market.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from aiohttp import WSMsgType, web

from simulator import (
    binance_feeds,
    binance_stream,
    bitget_stream,
    bybit_feeds,
    bybit_stream,
    gate_stream,
    hyperliquid_stream,
    okx_stream,
)
from simulator.binance_stream import Command, ListenKeys
from simulator.faults import ANY, FaultBook
from simulator.feeds import Feed
from simulator.hyperliquid_accounts import Addresses
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Account, MarketEvent
from simulator.wire import Row, encode, ms

_BY_TOPIC: dict[Exchange, Callable[[MarketEvent, Market], Iterable[tuple[str, Row]]]] = {
    Exchange.BYBIT: bybit_stream.events,
    Exchange.BITGET: bitget_stream.events,
    Exchange.HYPERLIQUID: hyperliquid_stream.events,
}
"""How those tell an event whose sockets follow topics: each topic with its message."""

_ONLY_AT = {hyperliquid_stream.HOST: hyperliquid_stream.PATH}
"""The path of the sockets where the host serves requests as well."""


@dataclass(slots=True, eq=False)
class _Connection:
    """One open socket. What is to be sent waits in `outbox`; None closes it.

    At Binance `keys` are the listen keys that it follows; `combined` frames name theirs. `place` is
    what its address serves: Bybit's category, Binance's kind of streams. `feeds` are the market's
    streams that it follows, by name. At OKX `okx` has what was said on it.
    """

    account: Account | None = None
    topics: set[str] = field(default_factory=set)
    keys: list[str] = field(default_factory=list)
    combined: bool = False
    okx: okx_stream.Session | None = None
    place: str | None = None
    feeds: dict[str, Feed] = field(default_factory=dict)
    outbox: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)


Says = Callable[[_Connection, bytes], None]
Opened = tuple[_Connection, Says]
"""A socket, and what answers a client's words on it."""


class Streams:
    """All open sockets of a venue; market events go out to those of their account."""

    def __init__(
        self,
        market: Market,
        now: Callable[[], datetime],
        faults: FaultBook,
        listen_keys: ListenKeys,
        addresses: Addresses,
    ) -> None:
        self._market = market
        self._addresses = addresses
        self._faults = faults
        self._now = now
        self._open: set[_Connection] = set()
        self._doors: dict[str, Callable[[web.BaseRequest], Opened | web.Response]] = {
            "stream.bybit.com": self._bybit,
            "fstream.binance.com": self._binance,
            okx_stream.HOST: self._okx,
            bitget_stream.HOST: self._bitget,
            gate_stream.HOST: self._gate,
            hyperliquid_stream.HOST: self._hyperliquid,
        }
        self._listen_keys = listen_keys
        listen_keys.on_end.append(self._end_key)

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

    def serves(self, host: str, path: str) -> bool:
        """Whether a request there asks for a socket."""
        return host in self._doors and _ONLY_AT.get(host, path) == path

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Open a socket for whoever asks for one, and keep it until either side ends."""
        opened = self._doors[request.host.partition(":")[0]](request)
        if isinstance(opened, web.Response):
            return opened
        return await self._serve(request, *opened)

    def _bybit(self, request: web.BaseRequest) -> Opened:
        return _Connection(place=bybit_feeds.category_of_path(request.path)), self._bybit_says

    def _binance(self, request: web.BaseRequest) -> Opened | web.Response:
        streams, combined = binance_stream.streams_named(request.path, dict(request.query))
        connection = _Connection(combined=combined, place=binance_feeds.place_of(request.path))
        # A number is the name of no stream: clients that subscribe later put one there.
        named = [it for it in streams if not it.isdecimal()]
        if not all(self._follow(connection, it) for it in named):
            return web.Response(status=401, text="listenKey is not valid")
        return connection, self._binance_says

    def _okx(self, request: web.BaseRequest) -> Opened:
        return _Connection(okx=okx_stream.Session(self._market, request.path)), self._okx_says

    def _bitget(self, request: web.BaseRequest) -> Opened | web.Response:
        if request.path != bitget_stream.PRIVATE:
            return web.Response(status=404, text=f"{request.path} is not simulated here")
        return _Connection(), self._bitget_says

    def _gate(self, request: web.BaseRequest) -> Opened:
        return _Connection(place=gate_stream.place_of(request.path)), self._gate_says

    def _hyperliquid(self, request: web.BaseRequest) -> Opened:  # noqa: ARG002  # one door for all
        return _Connection(), self._hyperliquid_says

    async def _serve(
        self,
        request: web.BaseRequest,
        connection: _Connection,
        says: Says,
    ) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        self._open.add(connection)
        writer = asyncio.create_task(self._write(socket, connection))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
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

    def tick(self) -> None:
        """Let time pass: a listen key that nobody kept alive ends, and its followers are told."""
        for key in self._listen_keys.expired():
            event = binance_stream.expired_event(key, self._now())
            for connection in self._open:
                if key in connection.keys:
                    self._push(connection, key, event)
            self._end_key(key)
        at = self._now()
        for connection in self._open:
            for name, feed in connection.feeds.items():
                for message in feed.due(at):
                    if not self._faults.silences(""):
                        self._push(connection, name, message)

    def push(self, account: Account, event: Row) -> None:
        """Send an event of Binance's to all who follow an account."""
        for connection in self._open:
            if connection.account is account:
                for key in connection.keys:
                    self._push(connection, key, event)

    def _push(self, connection: _Connection, key: str, event: object) -> None:
        payload = {"stream": key, "data": event} if connection.combined else event
        connection.outbox.put_nowait(encode(payload))

    def _follow(self, connection: _Connection, name: str) -> bool:
        """Let a socket follow one of Binance's streams, whose names may be listen keys."""
        feed = binance_feeds.feed_of(self._market, connection.place or "", name)
        if feed is None:
            return self._follow_key(connection, name)
        connection.feeds.setdefault(name, feed)
        return True

    def _follow_key(self, connection: _Connection, key: str) -> bool:
        """Let a socket follow a listen key; whether there is such a key."""
        account = self._listen_keys.account(key)
        if account is None or connection.account not in (None, account):
            return False
        connection.account = account
        connection.topics |= {"position", "order"}
        if key not in connection.keys:
            connection.keys.append(key)
        return True

    def _end_key(self, key: str) -> None:
        for connection in self._open:
            if key in connection.keys:
                connection.keys.remove(key)
                connection.topics.clear()

    def _binance_says(self, connection: _Connection, data: bytes) -> None:
        try:
            command = msgspec.json.decode(data, type=Command)
        except msgspec.MsgspecError as failure:
            refusal: Row = {"code": 3, "msg": f"Invalid JSON: {failure}"}
            connection.outbox.put_nowait(encode({"error": refusal}))
            return
        reply: Row = {"result": None, "id": command.id}
        match command.method:
            case "SUBSCRIBE":
                unknown = [it for it in command.params if not self._follow(connection, it)]
                if unknown:
                    # The venue would take any name and stay silent; here that is said at once.
                    refusal = {"code": 2, "msg": f"not simulated, or no valid key: {unknown}"}
                    reply = {"error": refusal, "id": command.id}
            case "UNSUBSCRIBE":
                for key in command.params:
                    connection.feeds.pop(key, None)
                    if key in connection.keys:
                        connection.keys.remove(key)
            case "LIST_SUBSCRIPTIONS":
                reply["result"] = [*connection.keys, *connection.feeds]
            case other:
                refusal = {"code": 2, "msg": f"Invalid request: unknown variant `{other}`"}
                reply = {"error": refusal, "id": command.id}
        connection.outbox.put_nowait(encode(reply))

    def _okx_says(self, connection: _Connection, data: bytes) -> None:
        session = connection.okx
        if session is None:
            return
        for frame in session.says(data, self._now()):
            connection.outbox.put_nowait(frame)
        connection.account, connection.topics = session.account, session.topics

    def _bybit_says(self, connection: _Connection, data: bytes) -> None:
        try:
            command = msgspec.json.decode(data, type=bybit_stream.Command)
        except msgspec.MsgspecError:
            connection.outbox.put_nowait(encode({"success": False, "ret_msg": "Params Error"}))
            return
        reply: Row = {"success": True, "ret_msg": "", "op": command.op, "conn_id": "simulated"}
        if command.req_id:
            reply["req_id"] = command.req_id
        match command.op:
            case "ping" if connection.place is not None:
                reply["ret_msg"] = "pong"
            case "subscribe" | "unsubscribe" if connection.place is not None:
                wrong = self._follow_topics(connection, command)
                if wrong is not None:
                    message = f"error:handler not found,topic:{wrong}"
                    reply |= {"success": False, "ret_msg": message}
            case "auth":
                now = self._now()
                connection.account = bybit_stream.owner_of(self._market, command.args, now)
                if connection.account is None:
                    reply |= {"success": False, "ret_msg": "Params Error"}
            case "subscribe" | "unsubscribe" if connection.account is None:
                reply |= {"success": False, "ret_msg": "Request not authorized"}
            case "subscribe" if (unknown := bybit_stream.unknown_topic(command.args)) is not None:
                message = f"error:handler not found,topic:{unknown}"
                reply |= {"success": False, "ret_msg": message}
            case "subscribe":
                connection.topics |= {str(topic) for topic in command.args}
            case "unsubscribe":
                connection.topics -= {str(topic) for topic in command.args}
            case "ping":
                reply |= {"op": "pong", "args": [str(ms(self._now()))]}
            case _:
                reply |= {"success": False, "ret_msg": "error:unknown op"}
        connection.outbox.put_nowait(encode(reply))

    def _bitget_says(self, connection: _Connection, data: bytes) -> None:
        said = bitget_stream.heard(self._market, connection.account, data, self._now())
        connection.account = said.account
        connection.topics = (connection.topics | said.followed) - said.left
        for reply in said.replies:
            connection.outbox.put_nowait(reply)

    def _hyperliquid_says(self, connection: _Connection, data: bytes) -> None:
        module = hyperliquid_stream
        try:
            command = msgspec.json.decode(data, type=module.Command)
        except msgspec.MsgspecError:
            said: list[Row] = [module.refused(module.Command(), "Error parsing JSON into")]
        else:
            said = list(self._hyperliquid_answers(connection, command))
        for row in said:
            connection.outbox.put_nowait(encode(row))

    def _hyperliquid_answers(
        self, connection: _Connection, command: hyperliquid_stream.Command
    ) -> Iterator[Row]:
        module, topic = hyperliquid_stream, str(command.subscription.get("type"))
        if command.method == "ping":
            yield module.pong()
            return
        account = module.owner_of(self._addresses, command)
        if account is None or command.method not in ("subscribe", "unsubscribe"):
            yield module.refused(command)
            return
        if connection.account not in (None, account):
            yield module.refused(command, "one address a socket is simulated, not")
        elif command.method == "unsubscribe":
            connection.topics -= {topic, module.MEANT.get(topic, topic)}
            yield module.taken(command)
        elif topic in connection.topics:
            yield module.refused(command, "Already subscribed:")
        else:
            connection.account = account
            connection.topics |= {topic, module.MEANT.get(topic, topic)}
            yield module.taken(command)
            yield from module.first_words(topic, account, self._market)

    def _follow_topics(self, connection: _Connection, command: bybit_stream.Command) -> str | None:
        """Follow Bybit's topics of the market, or no longer; the first that there is not."""
        for topic in map(str, command.args):
            if command.op == "unsubscribe":
                connection.feeds.pop(topic, None)
                continue
            feed = bybit_feeds.feed_of(self._market, connection.place or "", topic)
            if feed is None:
                return topic
            connection.feeds[topic] = feed
        return None

    def _gate_says(self, connection: _Connection, data: bytes) -> None:
        answer = gate_stream.answered(data, self._market, self._now())
        if answer.account is not None:
            connection.account = answer.account
        connection.topics |= answer.followed
        connection.topics -= answer.left
        connection.outbox.put_nowait(encode(answer.reply))

    def _tell_gate(self, event: MarketEvent, connection: _Connection) -> None:
        place = connection.place or ""
        for channel, contract, row in gate_stream.events(event, self._market, place):
            names = {f"{channel} {contract}", f"{channel} {gate_stream.ALL}"}
            if names & connection.topics:
                connection.outbox.put_nowait(encode(row))

    def _on_event(self, event: MarketEvent) -> None:
        listeners = [it for it in self._open if it.account is event.account]
        if not listeners or self._faults.silences(event.account.name):
            return
        if event.account.exchange is Exchange.BINANCE:
            for row in binance_stream.events(event, self._market):
                self.push(event.account, row)
            return
        if event.account.exchange is Exchange.GATE:
            for connection in listeners:
                self._tell_gate(event, connection)
            return
        if event.account.exchange is Exchange.OKX:
            for connection in listeners:
                if connection.okx is not None:
                    for row in connection.okx.told(event):
                        connection.outbox.put_nowait(encode(row))
            return
        for topic, row in _BY_TOPIC[event.account.exchange](event, self._market):
            payload = encode(row)
            for connection in listeners:
                if topic in connection.topics:
                    connection.outbox.put_nowait(payload)
