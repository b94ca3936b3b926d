"""9.8: positions cannot be read while an aged leg is closed (`on_unknown = proceed`)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from messages.values import Side
from simulator.faults import FaultKind
from storage.bot import Book
from tests.scenarios.explained.looking import ACCOUNTS
from tests.scenarios.world import XRP, World, now, scenario, until, world


def leg_of(account: str) -> str:
    return f"accounts/{account}/aged/XRPUSDT.long"


def rounds(guard: World, account: str) -> int:
    """How many rounds of the close have failed: each had its chance to send again."""
    return int(guard.state(leg_of(account)).get("failures", 0))


async def closed_blindly(guard: World, account: str) -> int:
    """The leg is closed while no read of it succeeds. Returns the fault."""
    fault = guard.fault(FaultKind.STATUS, "positions", status=503, count=None)
    await guard.scan("aged/scan", account)
    await until(lambda: not guard.held(XRP, Side.LONG, account), "our order has filled all")
    return fault


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_8_one_order_leaves_and_no_second_until_the_leg_is_shown(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        fault = await closed_blindly(guard, account)
        await until(
            lambda: rounds(guard, account) >= 3 or len(guard.orders(account)) > 1,
            "three rounds without a look",
        )
        assert len(guard.orders(account)) == 1
        assert await guard.same(row)
        guard.venue.faults.clear(fault)
        closed = await guard.closed(row)
        assert (closed.exit_source, closed.exit_reason) == ("fill", "aged_close_market")
        assert len(guard.orders(account)) == 1


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_8_the_position_that_the_bot_opens_meanwhile_stays(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        fault = await closed_blindly(guard, account)
        guard.market.open_position(account, XRP, Side.LONG, Decimal(10))
        await until(lambda: rounds(guard, account) >= 3, "three rounds without a look")
        assert guard.held(XRP, Side.LONG, account) == 10
        guard.venue.faults.clear(fault)
        await guard.alerted("operator_needed")
        assert guard.held(XRP, Side.LONG, account) == 10
        book = Book(guard.ledger, account, now)
        assert await book.close(row.id, exit_price=Decimal("0.5"), realized_pnl=Decimal(0))
        fresh = await book.open(XRP, Side.LONG, Decimal(10), guard.price(XRP, account))
        await until(lambda: not guard.alive(leg_of(account)), "the old rows' actor has ended")
        for monitor in ("aged/scan", "reconciliation"):
            await guard.scan(monitor, account)
        assert await guard.same(fresh)
        assert guard.held(XRP, Side.LONG, account) == 10
        assert len(guard.orders(account)) == 1
