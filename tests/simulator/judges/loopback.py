"""Carries the hosts that a foreign client asks for to a venue on loopback, and nothing else."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from simulator import SimulatedVenue

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


@contextmanager
def hosts_lead_to(venue: SimulatedVenue, *domains: str) -> Iterator[ssl.SSLContext]:
    """Let every host of these domains be the venue, whatever port it is asked at.

    Other names cannot be resolved meanwhile. Gives a TLS context that trusts the venue's CA.
    """
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or name in LOCAL:
            return real(host, port, *args, **options)
        if not name.endswith(domains):
            raise socket.gaierror(socket.EAI_NONAME, f"no such host in a test: {name}")
        address = ("127.0.0.1", venue.port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield ssl.create_default_context(cafile=str(venue.ca_file))
