"""The venue as a process, and under a thousand closes at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from messages.values import Side
from simulator import Fault, FaultKind, SimulatedVenue, linear
from tests.simulator.conftest import ACCOUNTS, client, dec, still_venue, until
from venues.transport import loopback_session

PROGRAM = """
from pathlib import Path
import sys
from simulator import run_forever
run_forever(port=0, ca_file=Path(sys.argv[1]), seed=3)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_says_where_it_is_serves_and_stops_on_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    ca_file = tmp_path / "sub" / "ca.pem"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        str(ca_file),
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    try:
        assert process.stderr is not None
        while b"Simulated venue at" not in (line := await process.stderr.readline()):
            assert line, "the process ended"
        connect = line.decode().split("Simulated venue at ")[1].split(",")[0]
        async with (
            loopback_session(connect, ca_file) as session,
            session.get("https://fapi.binance.com/fapi/v1/time") as reply,
        ):
            assert reply.status == 200
    finally:
        process.send_signal(number)
        _, rest = await process.communicate()
    assert process.returncode == 0
    assert b"Simulated venue stopped" in rest
    assert b"Traceback" not in rest
    assert b"secret" not in rest


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_thousand_closes_at_once_are_each_done_once_in_a_few_seconds(account: str) -> None:
    venue = SimulatedVenue(seed=1, volatility=0.0)
    exchange_of = venue.market.accounts[account].exchange
    symbols = [f"T{number:03}/USDT:USDT" for number in range(1000)]
    for symbol in symbols:
        venue.market.list(linear(exchange_of, symbol.partition("/")[0], "10", "0.01", "1"))
        venue.market.open_position(account, symbol, Side.LONG, dec("5"))
    async with venue, client(venue, account) as exchange:
        await exchange.load_markets()
        # All are signed at once; the last may leave later than Bybit's 5 s on a busy machine.
        exchange.options["recvWindow"] = 60_000
        started = time.perf_counter()
        await asyncio.gather(
            *(
                exchange.create_order(symbol, "market", "sell", 5, None, {"reduceOnly": True})
                for symbol in symbols
            )
        )
        elapsed = time.perf_counter() - started
        held = [venue.market.quantity(account, symbol, Side.LONG) for symbol in symbols]
        assert not any(held)
        assert len(venue.requests.orders(account)) == 1000
        # Client and venue share the core here; the limit only catches what grows with the square.
        assert elapsed < 15


async def test_a_venue_that_is_stopped_answers_nobody() -> None:
    async with still_venue() as venue, loopback_session(venue.connect, venue.ca_file) as session:
        await venue.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("https://api.bybit.com/v5/market/time")


async def test_a_stop_does_not_wait_for_a_delayed_request() -> None:
    async with still_venue() as venue, loopback_session(venue.connect, venue.ca_file) as session:
        venue.faults.order(Fault(kind=FaultKind.DELAY, seconds=60))
        waiting = asyncio.ensure_future(session.get("https://api.bybit.com/v5/market/time"))
        await until(lambda: venue.requests.count("time") == 1, "the request")
        started = time.perf_counter()
        await venue.stop()
        assert time.perf_counter() - started < 10
        with pytest.raises(aiohttp.ClientError):
            await waiting
