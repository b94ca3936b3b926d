"""The simulated venue as a server: one loopback port, TLS, every host told apart by its name.

Left to others: what a request means (`desk.py`), sockets (`streams.py`), the operators' side
(`admin.py`), the process (`process.py`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from simulator.admin import Admin
from simulator.binance import Binance
from simulator.bitget import Bitget
from simulator.bybit import Bybit
from simulator.desk import Answer, Desk, RequestLog
from simulator.faults import FaultBook, FaultKind
from simulator.gate import Gate
from simulator.hyperliquid import Hyperliquid
from simulator.market import Market
from simulator.okx import Okx
from simulator.streams import Streams
from simulator.tls import server_context
from simulator.wire import HttpRequest, RestProtocol
from simulator.world import demo_market

OPERATORS = frozenset({"localhost", "127.0.0.1"})
TICK_SECONDS = 0.25
STOP_SECONDS = 0.5
"""How long a stop waits for requests under way, such as those that a fault delays."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class SimulatedVenue:
    """Bybit and Binance USD-M on one port. An async context manager, or `start` and `stop`.

    Stopped and started again it keeps its market, its CA and its port. Without a market it makes
    the default world; without `ca_file` the CA's certificate goes to a temporary folder. `limits`
    lets the exchanges' own limits refuse; `latency` is how long each request takes, in seconds,
    half of it before it has its effect. Raises ValueError for a host that is not loopback, OSError
    where the port is taken.
    """

    def __init__(
        self,
        market: Market | None = None,
        *,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        ca_file: Path | None = None,
        now: Callable[[], datetime] = utc_now,
        volatility: float = 0.03,
        limits: bool = False,
        latency: float = 0.0,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the simulated venue listens on loopback only, not on {host}")
        self.market = market or demo_market(now, seed, volatility=volatility)
        self.faults = FaultBook(random.Random(seed))  # noqa: S311  # chances, not secrets
        binance = Binance(self.market)
        self.hyperliquid = Hyperliquid(self.market)
        # A further exchange is served by one more protocol in this list.
        protocols: tuple[RestProtocol, ...] = (
            Bybit(self.market),
            binance,
            Okx(self.market),
            Bitget(self.market),
            Gate(self.market),
            self.hyperliquid,
        )
        self._by_host = {host: it.exchange for it in protocols for host in it.hosts}
        self.desk = Desk(self.market, self.faults, {it.exchange: it for it in protocols})
        self.limits = limits
        self.desk.latency = latency
        self.streams = Streams(
            self.market,
            self.market.now,
            self.faults,
            binance.listen_keys,
            self.hyperliquid.addresses,
        )
        binance.on_push.append(self.streams.push)
        self.faults.on_cut.append(self.streams.cut)
        self.host = host
        self.port = port
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if ca_file is None:
            self._folder = tempfile.TemporaryDirectory(prefix="venue-ca-")
            ca_file = Path(self._folder.name) / "venue-ca.pem"
        self.ca_file = ca_file
        self._tls = server_context(ca_file)
        self._admin = Admin(self.market, self.faults, self.desk, self.streams)
        self._runner: web.ServerRunner | None = None
        self._ticker: asyncio.Task[None] | None = None

    @property
    def connect(self) -> str:
        """Where clients are to be carried: "127.0.0.1:PORT"."""
        return f"{self.host}:{self.port}"

    @property
    def limits(self) -> bool:
        """Whether the exchanges' own limits refuse; they are counted and told all the same."""
        return self.desk.enforces_quotas

    @limits.setter
    def limits(self, enforced: bool) -> None:
        self.desk.enforces_quotas = enforced

    @property
    def requests(self) -> RequestLog:
        return self.desk.log

    async def start(self) -> None:
        server = web.Server(self._handle, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, self.host, self.port, ssl_context=self._tls, reuse_address=True
        )
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        self.streams.start()
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Cut every connection and leave the port. The market stays as it is."""
        if self._runner is None:
            return
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        self.streams.stop()
        await self._runner.cleanup()
        self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()
        if self._folder is not None:
            self._folder.cleanup()

    async def _tick(self) -> None:
        # Stops, resting orders and the stream must move without a request as well.
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.hyperliquid.pass_time(self.market.tick())
            self.streams.tick()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        host = request.host.partition(":")[0]
        if host in OPERATORS:
            answer = self._admin.answer(request.method, request.path, await request.read())
            return _response(answer)
        if self.streams.serves(host, request.path):
            return await self.streams.serve(request)
        exchange = self._by_host.get(host)
        if exchange is None:
            return web.Response(status=421, text=f"{host} is not simulated here")
        path, _, query = request.raw_path.partition("?")
        body = await request.read()
        if exchange is self.hyperliquid.exchange:
            # All its questions have one path.
            path = self.hyperliquid.path_of(path, body)
        pending = self.desk.receive(
            exchange,
            HttpRequest(request.method, path, query, request.headers, body, request.remote or ""),
        )
        if isinstance(pending, Answer):
            return _response(pending)
        if (wait := pending.seconds(FaultKind.DELAY) + self.desk.latency / 2) > 0:
            await asyncio.sleep(wait)
        if pending.struck_by(FaultKind.DROP_BEFORE) is not None:
            return _cut(request)
        answer = self.desk.answer(pending)
        if (wait := pending.seconds(FaultKind.DELAY_REPLY) + self.desk.latency / 2) > 0:
            await asyncio.sleep(wait)
        if pending.struck_by(FaultKind.DROP_AFTER) is not None:
            return _cut(request)
        return _response(answer)


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type,
        charset="utf-8",
        headers=answer.headers,
    )


def _cut(request: web.BaseRequest) -> web.Response:
    """Reset the connection under the client, who gets not one byte of a reply."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)
