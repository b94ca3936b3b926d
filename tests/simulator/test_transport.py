"""The loopback session: every name leads to one port, and nothing leads anywhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.simulator.conftest import still_venue
from venues.transport import loopback_address, loopback_session


@pytest.mark.parametrize("host", ["api.bybit.com", "fapi.binance.com"])
async def test_an_exchange_s_own_url_is_answered_by_the_local_venue(host: str) -> None:
    path = "/v5/market/time" if "bybit" in host else "/fapi/v1/time"
    async with still_venue() as venue, loopback_session(venue.connect, venue.ca_file) as session:
        async with session.get(f"https://{host}{path}") as reply:
            assert reply.status == 200
            assert reply.url.host == host
        assert venue.requests.count("time") == 1


@pytest.mark.parametrize(
    "url", ["https://example.com/", "http://192.0.2.1/", "https://127.0.0.1:9/", "http://[::1]:9/"]
)
async def test_no_other_host_can_be_reached(url: str) -> None:
    async with still_venue() as venue, loopback_session(venue.connect, venue.ca_file) as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url)
        assert not venue.requests.counts


async def test_a_proxy_does_not_lead_out_either() -> None:
    async with still_venue() as venue, loopback_session(venue.connect, venue.ca_file) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as raised:
            await session.get("https://api.bybit.com/", proxy="http://192.0.2.1:3128")
        assert "may be reached" in str(raised.value.os_error)


async def test_a_venue_with_another_ca_is_not_believed(tmp_path: Path) -> None:
    async with (
        still_venue() as venue,
        still_venue(ca_file=tmp_path / "other.pem") as other,
        loopback_session(venue.connect, other.ca_file) as session,
    ):
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get("https://api.bybit.com/v5/market/time")


@pytest.mark.parametrize(
    "connect", ["10.0.0.1:8443", "api.bybit.com:443", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", ""]
)
def test_an_address_that_is_no_port_of_this_machine_is_refused(connect: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        loopback_address(connect)


@pytest.mark.parametrize(
    ("connect", "address"),
    [
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("localhost:1", ("127.0.0.1", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_addresses_of_this_machine_are_taken(connect: str, address: tuple[str, int]) -> None:
    assert loopback_address(connect) == address


def test_importing_transport_and_simulator_opens_no_connection() -> None:
    program = (
        "import socket, sys\n"
        "def audit(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.bind'):\n"
        "        sys.exit(f'{event} {args}')\n"
        "sys.addaudithook(audit)\n"
        "import venues.transport, simulator\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
