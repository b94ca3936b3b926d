"""The script that the guard is measured against: it reads once, closes all, and checks nothing.

A process of its own with a warm ccxt and warm sockets, which keeps the venue's order limit and
knows no other safety: no rows, no second look, no record of what it sends. Each line on stdin is
one order to it: "warm", or "close", which it answers with one line when every order is
acknowledged: how many the venue refused.

    python -m bench.parts.bare EXCHANGE HOST:PORT CA_FILE KEY SECRET
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from pathlib import Path

import ccxt.async_support as ccxt

from venues.transport import loopback_session

ORDERS_A_WINDOW = {"bybit": (10, 1.1), "binanceusdm": (300, 10.0)}
"""Most orders in so many seconds; Bybit's second has a little more, or jitter gets some refused."""

WARM = 12


class Pace:
    """As many at once as the venue allows, and no more in any window."""

    def __init__(self, most: int, seconds: float) -> None:
        self._recent: deque[float] = deque(maxlen=most)
        self._seconds = seconds
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        async with self._turn:
            if len(self._recent) == self._recent.maxlen:
                await asyncio.sleep(max(self._recent[0] + self._seconds - time.monotonic(), 0))
            self._recent.append(time.monotonic())


async def run(name: str, connect: str, ca_file: Path, key: str, secret: str) -> None:
    session = loopback_session(connect, ca_file)
    exchange = getattr(ccxt, name)(
        {
            "apiKey": key,
            "secret": secret,
            "session": session,
            "enableRateLimit": False,
            "options": {
                "fetchMarkets": {"types": ["linear"]},
                "enableUnifiedMargin": False,
                "enableUnifiedAccount": True,
            },
        }
    )
    exchange.has["fetchCurrencies"] = False
    await exchange.load_markets()
    pace = Pace(*ORDERS_A_WINDOW[name])
    loop = asyncio.get_running_loop()

    async def close(symbol: str, side: str, amount: float) -> int:
        await pace.wait()
        try:
            await exchange.create_order(symbol, "market", side, amount, None, {"reduceOnly": True})
        except ccxt.BaseError as error:
            print(error, file=sys.stderr, flush=True)
            return 1
        return 0

    print("ready", flush=True)
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line == "warm":
            await asyncio.gather(*(exchange.fetch_time() for _ in range(WARM)))
            print("warm", flush=True)
            continue
        held = [it for it in await exchange.fetch_positions() if float(it["contracts"] or 0)]
        refused = await asyncio.gather(
            *(
                close(it["symbol"], "sell" if it["side"] == "long" else "buy", it["contracts"])
                for it in held
            )
        )
        print(sum(refused), flush=True)
    await exchange.close()
    await session.close()


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(run(given[0], given[1], Path(given[2]), given[3], given[4]))
