"""The actor that serves the status page, health and metrics to this machine.

GET only, loopback only, and only under a local name: a web page elsewhere that lets its own name
resolve to 127.0.0.1 is refused. The figures are in `metrics`, the page's content in `view`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from actors.runtime import Actor, System
from console.config.values import is_loopback
from console.web.facts import gather
from console.web.metrics import CONTENT_TYPE, exposition
from console.web.shared import Shared
from console.web.tally import Tally
from console.web.view import POSITIONS, view
from messages.settings import Settings

METRICS = "metrics"
"""Where the actor lives, beside the control socket's."""

MAX_WATCHERS = 16
LOOK_EVERY = 1.0
"""Seconds between two looks for the pages that are open; one look serves them all."""
LASTS = LOOK_EVERY / 2
"""Seconds. Pages wake a little apart: each second's first one looks for all."""
REST = 4.0
"""A look is followed by a pause of at least so many times its own length."""
_STATIC = Path(__file__).parent / "static"
_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_LOCAL_NAMES = frozenset(("127.0.0.1", "localhost", "[::1]"))
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class WebState(msgspec.Struct):
    """`address` is where it listens; `refused` counts requests from the wrong place or kind."""

    address: str
    requests: int = 0
    refused: int = 0
    watchers: int = 0


@dataclass(frozen=True)
class _Seen:
    """The page's parts as JSON."""

    at: datetime
    parts: dict[str, bytes]


class Web(Actor[WebState]):
    """Serves the pages. `address` is "host:port" on loopback; port 0 takes a free one.

    `settings` gives those in force.

    Raises ValueError at the start for any other host, OSError where the port is taken.
    """

    def __init__(self, address: str, settings: Callable[[], Settings], tally: Tally) -> None:
        super().__init__(WebState(address=address))
        self._settings_now = settings
        self._tally = tally
        self._page = Shared(self._look, lasts=LASTS, rest=REST)
        self._figures = Shared(self._scrape, lasts=LASTS)
        self._readiness = Shared(self._troubles, lasts=LASTS)

    @property
    def _settings(self) -> Settings:
        return self._settings_now()

    def on_start(self) -> None:
        if not is_loopback(self.state.address):
            raise ValueError(f"{self.state.address} is not on loopback: the page has no password")
        host, _, port = self.state.address.rpartition(":")
        family = socket.AF_INET6 if host == "[::1]" else socket.AF_INET
        name = {"localhost": "127.0.0.1", "[::1]": "::1"}.get(host.lower(), host)
        listening = socket.create_server((name, int(port)), family=family)
        self.state.address = f"{host}:{listening.getsockname()[1]}"
        self.work(self._serve(listening), name="http")
        self.log.info(f"Status page at http://{self.state.address}/")

    async def _serve(self, listening: socket.socket) -> None:
        app = web.Application(middlewares=[self._guarded])
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/events", self._events)
        for path in _FILES:
            app.router.add_get(path, self._file)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        try:
            await runner.setup()
            await web.SockSite(runner, listening).start()
            await asyncio.get_running_loop().create_future()
        finally:
            await runner.cleanup()
            listening.close()

    @property
    def _guarded(self) -> Middleware:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.state.requests += 1
            if _host_name(request.headers.get("Host", "")) not in _LOCAL_NAMES:
                return self._refused(403, "this page answers to 127.0.0.1 and localhost only")
            if request.method != "GET":
                return self._refused(405, "everything here is read-only: GET it")
            try:
                answer = await handler(request)
            except web.HTTPException as error:
                answer = web.Response(status=error.status, text=error.reason)
            if not answer.prepared:
                answer.headers.update(_HEADERS)
            return answer

        return guarded

    def _refused(self, status: int, why: str) -> web.Response:
        self.state.refused += 1
        return web.Response(status=status, text=why, headers=_HEADERS)

    async def _look(self) -> _Seen:
        facts = await gather(System.of(self), self._settings, positions=POSITIONS)
        # Whoever has an order to send comes in between.
        await asyncio.sleep(0)
        parts = view(facts, self._settings)
        await asyncio.sleep(0)
        return _Seen(facts.at, {name: msgspec.json.encode(part) for name, part in parts.items()})

    async def _scrape(self) -> bytes:
        facts = await gather(System.of(self), self._settings)
        return await exposition(facts, self._settings, self._tally)

    async def _troubles(self) -> list[str]:
        return (await gather(System.of(self), self._settings)).troubles(self._settings)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._figures.get(), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, _: web.Request) -> web.Response:
        troubles = await self._readiness.get()
        status = "not ready" if troubles else "ready"
        return web.json_response(
            {"status": status, "troubles": troubles}, status=503 if troubles else 200
        )

    async def _file(self, request: web.Request) -> web.Response:
        name, kind = _FILES[request.path]
        text = (_STATIC / name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=kind, charset="utf-8")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Each part of the page's content whenever it changes, and a sign of life in between."""
        if self.state.watchers >= MAX_WATCHERS:
            return web.Response(status=503, text=f"{MAX_WATCHERS} pages are open already")
        answer = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        self.state.watchers += 1
        try:
            await answer.prepare(request)
            sent: dict[str, bytes] = {}
            while True:
                seen = await self._page.get()
                for name, content in seen.parts.items():
                    if content != sent.get(name):
                        await _send(answer, name, content)
                        sent[name] = content
                await _send(answer, "beat", seen.at.isoformat().encode())
                await asyncio.sleep(LOOK_EVERY)
        except ConnectionError:
            # A page may be closed whenever its reader likes.
            return answer
        finally:
            self.state.watchers -= 1


async def _send(answer: web.StreamResponse, name: str, data: bytes) -> None:
    await answer.write(b"event: %s\ndata: %s\n\n" % (name.encode(), data))


def _host_name(host: str) -> str:
    """The Host header's name without its port."""
    return (
        host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    ).lower()
