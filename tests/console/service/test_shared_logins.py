"""One login under two names is refused at start, before anything is opened (scenario 9.16)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.cli.exit_codes import ExitCode
from console.service.key_rights import KeyRefusedError
from console.service.run import run_service
from console.service.shared_logins import refuse_shared_logins, shared_logins
from messages.settings import AccountSettings, ControlSettings, Mode, Settings, StorageSettings
from messages.values import Secret
from simulator import Exchange, Market, SimulatedVenue
from simulator.faults import Fault, FaultKind

EXCHANGES = (Exchange.BYBIT, Exchange.BINANCE)


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def two_names(
    folder: Path, exchange: Exchange, *, one_login: bool = True
) -> AsyncIterator[tuple[Settings, SimulatedVenue]]:
    market = Market(now=now, rng=random.Random(1), volatility=0.0)
    main = market.add_account("main", exchange, key="main-key", secret="main-secret")
    if one_login:
        market.logins.add(main, "two-key", Secret("two-secret"))
    else:
        market.add_account("two", exchange, key="two-key", secret="two-secret")
    async with SimulatedVenue(market) as venue:
        settings = Settings(
            mode=Mode.OBSERVE,
            data_dir=folder,
            storage=StorageSettings(url=Secret(f"sqlite:///{folder}/sexton.db")),
            control=ControlSettings(socket=folder / "sexton.sock"),
            accounts=tuple(
                AccountSettings(
                    name=name,
                    exchange=exchange.value,
                    key=Secret(f"{name}-key"),
                    secret=Secret(f"{name}-secret"),
                    connect=venue.connect,
                    ca_file=venue.ca_file,
                )
                for name in ("main", "two")
            ),
        )
        yield settings, venue


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_9_16_the_service_ends_before_it_opens_anything(tmp_path: Path, exchange: Exchange) -> None:
    async def refused() -> None:
        async with two_names(tmp_path, exchange) as (settings, _):
            with pytest.raises(KeyRefusedError, match="two: it is the same login as main"):
                await refuse_shared_logins(settings, now=now)
            assert await run_service(settings) is ExitCode.USAGE

    asyncio.run(refused())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_two_logins_of_one_exchange_are_taken(tmp_path: Path, exchange: Exchange) -> None:
    async def taken() -> None:
        async with two_names(tmp_path, exchange, one_login=False) as (settings, _):
            await refuse_shared_logins(settings, now=now)

    asyncio.run(taken())


def test_an_exchange_that_does_not_answer_keeps_the_guard_from_nothing(tmp_path: Path) -> None:
    async def taken() -> None:
        async with two_names(tmp_path, Exchange.BYBIT) as (settings, venue):
            venue.faults.order(Fault(kind=FaultKind.STATUS, status=503, count=None))
            await refuse_shared_logins(settings, now=now)

    asyncio.run(taken())


@pytest.mark.parametrize("new", ["main", "two"])
def test_at_a_reload_it_is_the_new_name_that_is_refused(tmp_path: Path, new: str) -> None:
    async def refused() -> None:
        async with two_names(tmp_path, Exchange.BYBIT) as (settings, _):
            assert set(await shared_logins(settings.accounts, now=now, new=[new])) == {new}
            assert await shared_logins(settings.accounts, now=now, new=[]) == {}

    asyncio.run(refused())
