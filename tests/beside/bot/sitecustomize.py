"""Given to freqtrade's interpreter: the exchanges' hosts lead to the simulated venue.

Nothing else of freqtrade is changed. `BESIDE_PORT` is the venue's port on loopback, `BESIDE_CA` the
certificate of its throw-away CA. No other host can be resolved, so nothing leaves the machine.
"""

import os
import socket
import sys

PORT, CA = int(os.environ.get("BESIDE_PORT", "0")), os.environ.get("BESIDE_CA", "")
EXCHANGES = (".bybit.com", ".bytick.com", ".binance.com")
LOCAL = {"127.0.0.1", "::1", "0.0.0.0", "localhost"}


def redirect() -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ[name] = CA
    resolve = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or name in LOCAL:
            return resolve(host, port, *args, **options)
        if name.endswith(EXCHANGES):
            address = ("127.0.0.1", PORT)
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]
        print(f"beside: no such host here: {name}", file=sys.stderr)
        raise socket.gaierror(socket.EAI_NONAME, "no such host beside the simulated venue")

    socket.getaddrinfo = getaddrinfo
    try:
        import aiohttp.connector
        import aiohttp.resolver
        import certifi
    except ImportError:
        return
    # ccxt trusts what certifi names, and aiohttp may resolve names without the function above.
    certifi.where = lambda: CA
    aiohttp.resolver.DefaultResolver = aiohttp.resolver.ThreadedResolver
    aiohttp.connector.DefaultResolver = aiohttp.resolver.ThreadedResolver


if PORT:
    redirect()
