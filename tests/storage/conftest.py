"""Real databases for the ledger's tests: a fresh SQLite file or PostgreSQL database for each.

The PostgreSQL server is started once a session and listens on a socket in a folder of its own.
Tests that are coroutines are run to their end on a stock asyncio loop.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from storage import Ledger, open_ledger
from tests.storage.postgres import Server, memory_disk

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

OpenLedger = Callable[[], AbstractAsyncContextManager[Ledger]]


class Clock:
    """The ledger's injected clock: it stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **how_far: float) -> None:
        self.time += timedelta(**how_far)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
    return True


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


_numbers = itertools.count()


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """The URL of an empty database of the test's own."""
    name = f"ledger{next(_numbers)}"
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" STRATEGY wal_log')
    return postgres.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        with tempfile.TemporaryDirectory(prefix="sexton-", dir=memory_disk()) as folder:
            yield f"sqlite:///{folder}/ledger.db"
    else:
        yield request.getfixturevalue("postgres_url")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(url: str, clock: Clock) -> OpenLedger:
    """Opens the test's ledger: `async with opened() as ledger`; again, for a restart."""

    @asynccontextmanager
    async def _opened() -> AsyncIterator[Ledger]:
        async with await open_ledger(url, now=clock) as ledger:
            yield ledger

    return _opened
