"""9.3: two strategies hold opposite rows of one symbol, and the account holds their net."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from actors.aged_scan import Validate
from messages.ledger import PositionRow
from messages.values import Side
from tests.scenarios.explained.looking import ACCOUNTS, sent, types_of_alerts
from tests.scenarios.world import SETTLED_AT_ONCE, SOL, World, ago, scenario, until, world

MISMATCH = "reconciliation_mismatch"


async def long_ten_and_short_four(guard: World, account: str, hours: float) -> list[PositionRow]:
    price = guard.price(SOL, account)
    guard.market.open_position(
        account, SOL, Side.LONG, Decimal(10), price, ago(hours), stop_loss=price * Decimal("0.95")
    )
    guard.market.open_position(account, SOL, Side.SHORT, Decimal(4), price, ago(hours))
    rows = [
        await guard.row(SOL, Side.LONG, "10", hours=hours, account=account),
        await guard.row(SOL, Side.SHORT, "4", hours=hours, account=account),
    ]
    assert guard.held(SOL, Side.LONG, account) == 6
    return rows


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_3_opposite_rows_that_add_up_to_the_net_position_are_left_in_peace(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        rows = await long_ten_and_short_four(guard, account, hours=1)
        for _ in range(3):
            report = await guard.scan("reconciliation", account)
            assert (report.found, report.acted) == (0, 0)
        await guard.scan("orphans", account)
        for row in rows:
            assert await guard.same(row)
        assert await types_of_alerts(guard) == []
        assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_3_a_net_that_differs_is_one_mismatch_for_a_person(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        rows = await long_ten_and_short_four(guard, account, hours=1)
        guard.by_hand(account, SOL, Side.LONG, Decimal(1))
        for _ in range(3):
            await guard.scan("reconciliation", account)
        (alert,) = await guard.alerted(MISMATCH)
        assert "6" in alert.seen
        assert "5" in alert.seen
        for row in rows:
            assert await guard.same(row)
        assert await types_of_alerts(guard) == [MISMATCH]
        assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_3_where_the_net_is_nothing_neither_row_is_a_ghost(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        price = guard.price(SOL, account)
        for side in (Side.LONG, Side.SHORT):
            guard.market.open_position(account, SOL, side, Decimal(4), price, ago(1))
        rows = [
            await guard.row(SOL, side, "4", hours=1, account=account)
            for side in (Side.LONG, Side.SHORT)
        ]
        for _ in range(3):
            await guard.scan("reconciliation", account)
        for row in rows:
            assert await guard.same(row)
        assert await types_of_alerts(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_3_aged_opposite_rows_are_not_closed_and_not_buried(
    tmp_path: Path, account: str
) -> None:
    """A close of one row would change the other's share of the net."""
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        rows = await long_ten_and_short_four(guard, account, hours=40)
        scan = f"accounts/{account}/aged/scan"
        await guard.scan("aged/scan", account)
        legs = [f"accounts/{account}/aged/{name}" for name in aged_names(guard, account)]
        await until(
            lambda: all("net" in str(guard.state(leg).get("status")) for leg in legs),
            "each aged leg says why it waits",
        )
        guard.system.tell(scan, Validate())
        await until(lambda: guard.state(scan)["validations"] > 0, "they are validated")
        for row in rows:
            assert await guard.same(row)
        assert guard.held(SOL, Side.LONG, account) == 6
        assert sent(guard) == []


def aged_names(guard: World, account: str) -> list[str]:
    base = f"accounts/{account}/aged/"
    paths = (node.path for node in guard.system.tree())
    names = [p.removeprefix(base) for p in paths if p.startswith(base + "SOL")]
    assert len(names) == 2
    return names


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_hedged_account_that_was_emptied_while_nobody_looked_has_two_ghosts(
    tmp_path: Path, account: str
) -> None:
    """No position tells the mode any more, and no order of ours ever did."""
    rows: list[PositionRow] = []

    async def before(guard: World) -> None:
        guard.market.set_mode(account, hedged=True)
        for side in Side:
            rows.append(await guard.gone(SOL, side, "4", hours=1, account=account))

    async with world(
        tmp_path, accounts=(account,), before=before, verdict=SETTLED_AT_ONCE
    ) as guard:
        await guard.scan("reconciliation", account)
        for row in rows:
            assert (await guard.closed(row)).exit_source == "venue_history"
        assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_one_way_account_with_no_net_at_the_start_has_none(
    tmp_path: Path, account: str
) -> None:
    rows: list[PositionRow] = []

    async def before(guard: World) -> None:
        for side in Side:
            price = guard.price(SOL, account)
            guard.market.open_position(account, SOL, side, Decimal(4), price, ago(1))
            rows.append(await guard.row(SOL, side, "4", hours=1, account=account))

    async with world(
        tmp_path, accounts=(account,), before=before, verdict=SETTLED_AT_ONCE
    ) as guard:
        for _ in range(3):
            await guard.scan("reconciliation", account)
        for row in rows:
            assert await guard.same(row)
        assert await types_of_alerts(guard) == []
