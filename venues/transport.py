"""The HTTP sessions that ccxt is given: to the real venue, or all traffic to one loopback port.

In the second case every URL is left as it is, since ccxt chooses error tables by its own addresses:
the name resolution is replaced instead. The venue that listens there is somebody else's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from pathlib import Path

import aiohttp
import certifi
from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

IDLE_SECONDS = 75.0
"""For how long an idle socket is kept: a handshake costs an order three times its own way."""


def venue_session(ca_file: Path | None) -> aiohttp.ClientSession:
    """A session to the real venue for ccxt, which would drop idle sockets after 15 seconds.

    Made and closed as `loopback_session`. TLS is verified against `ca_file`, or the usual CAs.
    Raises OSError where the file cannot be read.
    """
    context = ssl.create_default_context(cafile=str(ca_file or certifi.where()))
    connector = aiohttp.TCPConnector(ssl=context, keepalive_timeout=IDLE_SECONDS)
    return aiohttp.ClientSession(connector=connector, trust_env=False)


def loopback_address(connect: str) -> tuple[str, int]:
    """Split "host:port"; raises ValueError where that is not a port of this machine."""
    host, colon, port = connect.rpartition(":")
    host = host.strip("[]")
    if host == "localhost":
        host = "127.0.0.1"
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{connect!r} is not host:port")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(f"{connect!r} is not a loopback address, such as 127.0.0.1:8443")
    return host, int(port)


class LoopbackResolver(AbstractResolver):
    """Answers every name with one loopback address and port."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002  # aiohttp's interface
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  # likewise
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=self._host,
                port=self._port,
                family=socket.AF_INET6 if ":" in self._host else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        return None


class LoopbackConnector(aiohttp.TCPConnector):
    """A connector whose sockets can go to one loopback port and nowhere else."""

    def __init__(self, connect: str, ca_file: Path) -> None:
        host, port = loopback_address(connect)
        self._allowed = (host, port)
        super().__init__(
            ssl=ssl.create_default_context(cafile=str(ca_file)),
            resolver=LoopbackResolver(host, port),
            socket_factory=self._socket,
            keepalive_timeout=IDLE_SECONDS,
        )

    def _socket(self, info: AddrInfoType) -> socket.socket:
        # URLs with a literal address never pass the resolver, so the socket is the last check.
        family, kind, proto, _, address = info
        if tuple(address[:2]) != self._allowed:
            raise OSError(f"only {self._allowed} may be reached, not {address}")
        return socket.socket(family, kind, proto)


def loopback_session(connect: str, ca_file: Path) -> aiohttp.ClientSession:
    """A session for ccxt (`{"session": …}`) that reaches only `connect` ("127.0.0.1:8443").

    TLS is verified against `ca_file` alone. It must be made inside a running loop, and whoever
    makes it closes it: ccxt does not. Raises ValueError for an address that is not loopback and
    OSError where the CA file cannot be read.
    """
    asyncio.get_running_loop()
    return aiohttp.ClientSession(connector=LoopbackConnector(connect, ca_file), trust_env=False)
