"""`venue` as a process: it serves as its switches say, and prints a configuration that works."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import pytest

from console.config.reader import load_config
from messages.settings import AccountSettings, Settings
from venues.transport import loopback_session


@asynccontextmanager
async def running(folder: Path, *switches: str) -> AsyncIterator[Settings]:
    """A venue process, and the settings that its own configuration makes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "supervisor.py",
        "venue",
        "--port",
        "0",
        "--ca-file",
        str(folder / "ca.pem"),
        *switches,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        while sum(line.startswith("ca_file") for line in lines) < 2:
            line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
            assert line, "the process ended"
            lines.append(line)
        config = folder / "sexton.toml"
        config.write_text("".join(lines))
        yield load_config(config)
    finally:
        process.send_signal(signal.SIGTERM)
        _, logged = await process.communicate()
    assert process.returncode == 0, logged
    assert b"demo-bybit-secret" not in logged


@asynccontextmanager
async def bybit(account: AccountSettings) -> AsyncIterator[Any]:
    assert account.connect is not None
    assert account.ca_file is not None
    session = loopback_session(account.connect, account.ca_file)
    exchange = ccxt.bybit(
        {
            "session": session,
            "apiKey": account.key.reveal(),
            "secret": account.secret.reveal(),
            "enableRateLimit": False,
        }
    )
    exchange.timeout_on_exit = 0
    try:
        yield exchange
    finally:
        await exchange.close()
        await session.close()


def account_of(settings: Settings) -> AccountSettings:
    (account,) = [it for it in settings.accounts if it.name == "bybit-main"]
    return account


@pytest.mark.parametrize(("switches", "sides"), [((), 1), (("--hedge",), 2)])
def test_its_configuration_leads_to_it_in_the_mode_that_was_asked_for(
    tmp_path: Path, switches: tuple[str, ...], sides: int
) -> None:
    async def scenario() -> None:
        async with running(tmp_path, *switches) as settings:
            assert {it.name for it in settings.accounts} == {"bybit-main", "binance-main"}
            async with bybit(account_of(settings)) as exchange:
                query = {"category": "linear", "symbol": "BTCUSDT"}
                told = await exchange.privateGetV5PositionList(query)
                assert len(told["result"]["list"]) == sides

    asyncio.run(scenario())


def test_limits_refuse_and_latency_is_felt_where_they_were_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            running(tmp_path, "--limits", "--latency", "200ms") as settings,
            bybit(account_of(settings)) as exchange,
        ):
            started = time.monotonic()
            await exchange.publicGetV5MarketTime()
            assert time.monotonic() - started >= 0.2
            answers = await asyncio.gather(
                *(exchange.privateGetV5UserQueryApi() for _ in range(30)), return_exceptions=True
            )
            assert any(isinstance(it, ccxt.RateLimitExceeded) for it in answers)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("switches", "said"),
    [(("--latency", "fast"), "--latency must be"), (("--host", "0.0.0.0"), "loopback only")],
)
def test_what_cannot_be_is_refused_with_words(
    tmp_path: Path, switches: tuple[str, ...], said: str
) -> None:
    async def scenario() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "supervisor.py",
            "venue",
            "--ca-file",
            str(tmp_path / "ca.pem"),
            *switches,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        written, logged = await process.communicate()
        assert (process.returncode, written) == (2, b"")
        assert said in logged.decode()

    asyncio.run(scenario())
