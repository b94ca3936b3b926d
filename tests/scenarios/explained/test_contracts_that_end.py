"""9.4 and 9.5: a contract is renamed, settled or delivered; a position goes to another account."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from messages.ledger import PositionRow
from messages.settings import OrphanPolicy
from messages.to_exchange import RefreshMarkets
from messages.values import Side
from simulator.contracts import delist, move_position, rename, settle
from tests.scenarios.explained.looking import ACCOUNTS, scanned_until_alerted, sent
from tests.scenarios.world import SETTLED_AT_ONCE, XRP, World, scenario, until, world

UNEXPLAINED = "unexplained_absence"
RENAMED = "XRPL/USDT:USDT"


def settled(guard: World, account: str, *, recorded: bool) -> None:
    exchange = guard.market.accounts[account].exchange
    price = guard.price(XRP, account)
    assert settle(guard.market, exchange, XRP, price, recorded=recorded) == 1


def moved(guard: World, account: str, *, recorded: bool) -> None:
    price = guard.price(XRP, account)
    move_position(guard.market, account, XRP, Side.LONG, to=None, price=price, recorded=recorded)


End = Callable[..., None]
ENDS = [settled, moved]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_5_an_end_that_the_venue_records_is_a_ghost_with_that_exit(
    tmp_path: Path, account: str, end: End
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await guard.scan("reconciliation", account)
        price = guard.price(XRP, account)
        end(guard, account, recorded=True)
        await guard.scan("reconciliation", account)
        closed = await guard.closed(row)
        assert closed.exit_source == "venue_history"
        assert closed.exit_price == price
        assert await guard.alerts(UNEXPLAINED) == ()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_5_an_end_without_a_record_is_for_a_person(
    tmp_path: Path, account: str, end: End
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await guard.scan("reconciliation", account)
        end(guard, account, recorded=False)
        await scanned_until_alerted(guard, UNEXPLAINED, account, "reconciliation")
        (alert,) = await guard.alerts(UNEXPLAINED)
        assert alert.level == "critical"
        assert "last seen" in alert.seen
        assert await guard.same(row)
        assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_5_a_contract_that_settled_and_was_delisted_is_explained_by_its_record(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await guard.scan("reconciliation", account)
        price = guard.price(XRP, account)
        settled(guard, account, recorded=True)
        delist(guard.market, guard.market.accounts[account].exchange, XRP)
        await guard.scan("reconciliation", account)
        closed = await guard.closed(row)
        assert (closed.exit_source, closed.exit_price) == ("venue_history", price)
        assert await guard.alerts(UNEXPLAINED) == ()
        # A row is never closed silently.
        assert await guard.alerts()
        assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_5_one_that_was_delisted_without_a_record_is_for_a_person(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await guard.scan("reconciliation", account)
        settled(guard, account, recorded=False)
        delist(guard.market, guard.market.accounts[account].exchange, XRP)
        await scanned_until_alerted(guard, UNEXPLAINED, account, "reconciliation")
        # Also when the rules are read anew, and nobody can say any more what it was.
        guard.system.tell(
            f"accounts/{account}/exchange", RefreshMarkets(symbol="something unheard of")
        )
        assert await guard.same(row)
        assert sent(guard) == []


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_5_one_that_ended_and_was_delisted_while_nobody_looked_is_told_by_its_row(
    tmp_path: Path, account: str, recorded: bool
) -> None:
    rows: list[PositionRow] = []

    async def before(guard: World) -> None:
        rows.append(await guard.both(XRP, Side.LONG, "10", hours=40, account=account))
        settled(guard, account, recorded=recorded)
        delist(guard.market, guard.market.accounts[account].exchange, XRP)

    async with world(
        tmp_path, accounts=(account,), before=before, verdict=SETTLED_AT_ONCE
    ) as guard:
        (row,) = rows
        for monitor in ("reconciliation", "orphans", "aged/scan"):
            await guard.scan(monitor, account)
        (alert,) = await guard.alerted("unusable_row")
        assert f"{row.id}" in alert.title
        assert XRP in alert.seen
        assert await guard.same(row)
        assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_4_a_renamed_contract_is_told_with_its_new_name_and_closed_under_neither(
    tmp_path: Path, account: str
) -> None:
    policy = {"orphans": OrphanPolicy.CLOSE}
    async with world(
        tmp_path, accounts=(account,), account=policy, verdict=SETTLED_AT_ONCE
    ) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await guard.scan("reconciliation", account)
        exchange = guard.market.accounts[account].exchange
        rename(guard.market, exchange, XRP, RENAMED, venue_id="XRPLUSDT")

        async def told() -> bool:
            for monitor in ("orphans", "reconciliation", "aged/scan"):
                await guard.scan(monitor, account)
            return any(
                alert.details.get("position_ids") == [row.id]
                or alert.details.get("position_id") == row.id
                for alert in await guard.alerts()
            )

        await until(told, "the old row is told of")
        for _ in range(3):
            await guard.scan("orphans", account)
            await guard.scan("reconciliation", account)
        assert await guard.same(row)
        assert guard.market.quantity(account, RENAMED, Side.LONG) == 10
        assert sent(guard) == []
        (orphan,) = await guard.alerted("orphaned_position")
        assert orphan.symbol == RENAMED
        assert f"row {row.id} has 10 {XRP}, which is not listed" in orphan.seen
