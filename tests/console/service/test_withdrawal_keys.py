"""`run` does not act with a key that may take the money out, unless told so by name."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from console.cli.exit_codes import ExitCode
from console.service.key_rights import KeyRefusedError, refuse_withdrawal_keys
from console.service.run import run_service
from messages.settings import (
    AccountSettings,
    ControlSettings,
    Mode,
    Settings,
    StorageSettings,
)
from messages.values import Secret
from simulator import Exchange, Market, SimulatedVenue
from simulator.faults import Fault, FaultKind


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def account_with(
    folder: Path, *, can_withdraw: bool, silent: bool = False
) -> AsyncIterator[Settings]:
    market = Market(now=now, rng=random.Random(1), volatility=0.0)
    market.add_account(
        "main", Exchange.BYBIT, key="the-key", secret="the-secret", can_withdraw=can_withdraw
    )
    async with SimulatedVenue(market) as venue:
        if silent:
            fault = Fault(kind=FaultKind.STATUS, endpoint="rights", status=503, count=None)
            venue.faults.order(fault)
        yield Settings(
            mode=Mode.ENFORCE,
            data_dir=folder,
            storage=StorageSettings(url=Secret(f"sqlite:///{folder}/sexton.db")),
            control=ControlSettings(socket=folder / "sexton.sock"),
            accounts=(
                AccountSettings(
                    name="main",
                    exchange="bybit",
                    key=Secret("the-key"),
                    secret=Secret("the-secret"),
                    connect=venue.connect,
                    ca_file=venue.ca_file,
                ),
            ),
        )


def allowed(settings: Settings) -> Settings:
    (account,) = settings.accounts
    account = msgspec.structs.replace(account, allow_withdraw=True)
    return msgspec.structs.replace(settings, accounts=(account,))


def test_the_service_ends_with_usage_before_it_opens_anything(tmp_path: Path) -> None:
    async def refused() -> None:
        async with account_with(tmp_path, can_withdraw=True) as settings:
            assert await run_service(settings) is ExitCode.USAGE

    asyncio.run(refused())
    assert list(tmp_path.iterdir()) == []


def test_the_refusal_names_the_account_and_the_cure(tmp_path: Path) -> None:
    async def refused() -> None:
        async with account_with(tmp_path, can_withdraw=True) as settings:
            with pytest.raises(KeyRefusedError, match=r"main: .*allow_withdraw = true"):
                await refuse_withdrawal_keys(settings, now=now)

    asyncio.run(refused())


def test_allowed_by_name_or_only_observing_such_a_key_is_taken(tmp_path: Path) -> None:
    async def taken() -> None:
        async with account_with(tmp_path, can_withdraw=True) as settings:
            await refuse_withdrawal_keys(allowed(settings), now=now)
            observing = msgspec.structs.replace(settings, mode=Mode.OBSERVE)
            await refuse_withdrawal_keys(observing, now=now)

    asyncio.run(taken())


def test_a_key_that_may_not_withdraw_is_taken(tmp_path: Path) -> None:
    async def taken() -> None:
        async with account_with(tmp_path, can_withdraw=False) as settings:
            await refuse_withdrawal_keys(settings, now=now)

    asyncio.run(taken())


def test_an_exchange_that_does_not_answer_keeps_the_guard_from_nothing(tmp_path: Path) -> None:
    async def taken() -> None:
        async with account_with(tmp_path, can_withdraw=True, silent=True) as settings:
            await refuse_withdrawal_keys(settings, now=now)

    asyncio.run(taken())
