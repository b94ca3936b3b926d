"""9.1: the key opens another wallet than the one that the ledger speaks of."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from messages.ledger import PositionRow
from messages.settings import OrphanPolicy
from messages.values import Side
from simulator.faults import FaultKind
from tests.scenarios.explained.looking import (
    ACCOUNTS,
    scanned_until_alerted,
    scanned_until_over,
    sent,
    types_of_alerts,
)
from tests.scenarios.world import (
    AVL,
    BTC,
    ETH,
    SETTLED_AT_ONCE,
    SOL,
    XRP,
    World,
    scenario,
    world,
)

FIVE = ((BTC, "0.01"), (ETH, "0.1"), (SOL, "1"), (XRP, "100"), (AVL, "100"))
SUSPECT = "account_suspect"


async def five_rows(guard: World, account: str) -> list[PositionRow]:
    return [
        await guard.both(symbol, Side.LONG, quantity, hours=1, account=account)
        for symbol, quantity in FIVE
    ]


def lead_to_a_stranger(guard: World, account: str) -> None:
    """The configured key opens an account that holds nothing that the ledger knows."""
    market = guard.market
    stranger = market.add_account(
        "stranger", market.accounts[account].exchange, key="stranger-key", secret="stranger-secret"
    )
    market.logins.lead(f"demo-{account.split('-')[0]}-key", stranger)


@pytest.mark.parametrize("from_the_start", [True, False], ids=["from the start", "replaced"])
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_1_a_key_of_an_empty_wallet_makes_the_account_suspect_and_buries_nothing(
    tmp_path: Path, account: str, from_the_start: bool
) -> None:
    rows: list[PositionRow] = []

    async def before(guard: World) -> None:
        rows.extend(await five_rows(guard, account))
        if from_the_start:
            lead_to_a_stranger(guard, account)

    async with world(
        tmp_path, accounts=(account,), before=before, verdict=SETTLED_AT_ONCE
    ) as guard:
        if not from_the_start:
            lead_to_a_stranger(guard, account)
        await scanned_until_alerted(guard, SUSPECT, account, "reconciliation")
        for monitor in ("reconciliation", "aged/scan", "orphans"):
            await guard.scan(monitor, account)
        (alert,) = await guard.alerts(SUSPECT)
        assert alert.level == "critical"
        assert await types_of_alerts(guard) == [SUSPECT]
        for row in rows:
            assert await guard.same(row)
        assert sent(guard) == []
        assert (await guard.counters(account)).get("ghost_positions_detected", 0) == 0


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_1_no_position_of_a_strangers_wallet_is_closed_as_an_orphan(
    tmp_path: Path, account: str
) -> None:
    async def before(guard: World) -> None:
        await five_rows(guard, account)
        lead_to_a_stranger(guard, account)
        guard.market.open_position("stranger", "DOGE/USDT:USDT", Side.LONG, Decimal(500))

    policy = {"orphans": OrphanPolicy.CLOSE}
    async with world(
        tmp_path, accounts=(account,), before=before, verdict=SETTLED_AT_ONCE, account=policy
    ) as guard:
        await scanned_until_alerted(guard, SUSPECT, account, "reconciliation")
        for _ in range(3):
            await guard.scan("orphans", account)
        assert guard.market.quantity("stranger", "DOGE/USDT:USDT", Side.LONG) == 500
        assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_1_it_is_over_when_the_right_key_is_back(tmp_path: Path, account: str) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        rows = await five_rows(guard, account)
        await guard.scan("reconciliation", account)
        lead_to_a_stranger(guard, account)
        await scanned_until_alerted(guard, SUSPECT, account, "reconciliation")
        key = f"demo-{account.split('-')[0]}-key"
        guard.market.logins.lead(key, guard.market.accounts[account])
        await scanned_until_over(guard, SUSPECT, account, "reconciliation")
        assert await types_of_alerts(guard) == [SUSPECT]
        for row in rows:
            assert await guard.same(row)


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_1_five_legs_that_were_closed_by_hand_are_ghosts_and_no_suspicion(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        rows = await five_rows(guard, account)
        await guard.scan("reconciliation", account)
        for symbol, _ in FIVE:
            guard.by_hand(account, symbol, Side.LONG)
        await guard.scan("reconciliation", account)
        for row in rows:
            assert (await guard.closed(row)).exit_source == "venue_history"
        assert set(await types_of_alerts(guard)) == {"reconciliation_mismatch"}


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_1_a_read_that_fails_does_not_end_the_suspicion(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        await five_rows(guard, account)
        await guard.scan("reconciliation", account)
        lead_to_a_stranger(guard, account)
        await scanned_until_alerted(guard, SUSPECT, account, "reconciliation")
        guard.fault(FaultKind.STATUS, "positions", status=503, count=None)
        for _ in range(2):
            assert (await guard.scan("reconciliation", account)).problem
        (alert,) = await guard.alerts(SUSPECT)
        assert alert.resolved_at is None
        assert guard.state(f"accounts/{account}/exchange")["suspect"]
