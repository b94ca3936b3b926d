"""A small HTTPS server with canned answers, which the real ccxt classes talk to on loopback.

For it: answering any host's path with the body that a test says. Left to others: the bodies.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import trustme
from aiohttp import web

HOSTS = (
    "api.bybit.com",
    "stream.bybit.com",
    "fapi.binance.com",
    "fstream.binance.com",
    "api.binance.com",
    "www.okx.com",
    "api.bitget.com",
    "api.gateio.ws",
    "api.kucoin.com",
    "api-futures.kucoin.com",
    "api.hyperliquid.xyz",
    "futures.kraken.com",
    "api.mexc.com",
    "contract.mexc.com",
    "open-api.bingx.com",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: str

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, wherever the venue wants them."""
        if self.body.startswith("{"):
            return {**self.query, **json.loads(self.body)}
        if self.body.startswith("["):
            return {**self.query, **json.loads(self.body)[0]}
        pairs = (pair.partition("=") for pair in self.body.split("&") if pair)
        return {**self.query, **{key: value for key, _, value in pairs}}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: JSON of `body`, or `text` as it is; `cut` drops the line in mid-reply."""

    body: Any = None
    text: str | None = None
    status: int = 200
    cut: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def written(self) -> str:
        return self.text if self.text is not None else json.dumps(self.body)


Route = Answer | Callable[[Seen], Answer]


@dataclass
class CannedVenue:
    """Answers by (method, end of path); a later route of the same key replaces an earlier one."""

    ca_file: Path
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    on_frame: Callable[[Any], list[Any]] = field(default=lambda _frame: [])
    """What a socket says to a client's frame; one that asks for no socket never sees it."""
    connect: str = ""
    _runner: web.AppRunner | None = None

    def on(self, method: str, path: str, route: Route | dict[str, Any] | list[Any]) -> None:
        answer = Answer(body=route) if isinstance(route, dict | list) else route
        self.routes[(method, path)] = answer

    def asked(self, path: str) -> list[Seen]:
        return [request for request in self.seen if request.path.endswith(path)]

    async def __aenter__(self) -> CannedVenue:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(*HOSTS).configure_cert(context)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.connect = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Leave the port: nobody answers there any more."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            for frame in self.on_frame(json.loads(message.data)):
                await socket.send_json(frame)
        return socket

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._talk(request)
        seen = Seen(request.method, request.path, dict(request.query), await request.text())
        self.seen.append(seen)
        answer = self._find(seen)
        if answer.cut:
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(answer.written.encode())
            assert request.transport is not None
            request.transport.close()
            return response
        return web.Response(
            status=answer.status,
            text=answer.written,
            content_type="application/json",
            headers=answer.headers,
        )

    def _find(self, seen: Seen) -> Answer:
        path = seen.path
        if path == "/info":
            path = f"/info#{json.loads(seen.body)['type']}"
        fitting = [key for key in self.routes if key[0] == seen.method and path.endswith(key[1])]
        if not fitting:
            return Answer(body={"unexpected": f"{seen.method} {path}"}, status=404)
        route = self.routes[max(fitting, key=lambda key: len(key[1]))]
        return route if isinstance(route, Answer) else route(seen)
