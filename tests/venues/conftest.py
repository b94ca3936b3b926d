"""Opens a gateway on a canned venue; everything runs in one `asyncio.run` of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from messages.settings import AccountSettings
from messages.values import Secret
from tests.venues.bodies import BY_EXCHANGE
from tests.venues.canned import CannedVenue
from venues.gateway import open_venue
from venues.port import Venue

KEY = "a-key-to-look-for"
SECRET = "a2V5LXRvLWxvb2stZm9y"
PASSWORD = "a-pass-phrase"


def now() -> datetime:
    return datetime.now(UTC)


def settings_of(exchange: str, connect: str, ca_file: Path, **other: object) -> AccountSettings:
    wallet = exchange == "hyperliquid"
    base = AccountSettings(
        name="main",
        exchange=exchange,
        key=Secret("0x" + "11" * 20 if wallet else KEY),
        secret=Secret("0x" + "22" * 32 if wallet else SECRET),
        password=Secret(PASSWORD),
        connect=connect,
        ca_file=ca_file,
        settles=BY_EXCHANGE[exchange].settles,
        request_timeout=timedelta(seconds=20),
        # No venue is there to be spared, and the spacing would be most of a test's time.
        options={"enableRateLimit": "false"},
    )
    return msgspec.structs.replace(base, **other)


Opened = Callable[..., AbstractAsyncContextManager[tuple[CannedVenue, Venue]]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """`async with opened("bybit") as (canned, venue):`, markets being canned."""

    @asynccontextmanager
    async def open_one(exchange: str, **other: object) -> AsyncIterator[tuple[CannedVenue, Venue]]:
        async with CannedVenue(tmp_path / "ca.pem") as canned:
            BY_EXCHANGE[exchange].install(canned)
            connect = str(other.pop("connect", canned.connect))
            settings = settings_of(exchange, connect, canned.ca_file, **other)
            venue = open_venue(settings, now=now)
            try:
                yield canned, venue
            finally:
                await venue.close()

    return open_one


def run(coroutine: Awaitable[None]) -> None:
    async def main() -> None:
        await coroutine

    asyncio.run(main())
