"""TLS for the simulated venue: a throw-away CA and one certificate for all its hosts."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

HOSTS = (
    "api.bybit.com",
    "stream.bybit.com",
    "fapi.binance.com",
    "fstream.binance.com",
    "api.binance.com",
    "dapi.binance.com",
    "api.gateio.ws",
    "fx-ws.gateio.ws",
    "api.hyperliquid.xyz",
    "www.okx.com",
    "my.okx.com",
    "eea.okx.com",
    "app.okx.com",
    "ws.okx.com",
    "api.bitget.com",
    "ws.bitget.com",
    "localhost",
    "127.0.0.1",
)


def server_context(ca_file: Path) -> ssl.SSLContext:
    """A server's TLS context; the CA's certificate is written to `ca_file`, its key nowhere."""
    authority = trustme.CA(organization_name="simulated venue")
    ca_file.parent.mkdir(parents=True, exist_ok=True)
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*HOSTS).configure_cert(context)
    return context
