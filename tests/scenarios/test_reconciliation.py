"""Scenario 5: does the ledger agree with the venue, leg by leg?"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from actors.aged_scan import Validate
from messages.values import Side
from tests.scenarios.world import ETH, XRP, World, scenario, until, world


@scenario
async def test_a_row_without_a_position_is_closed_by_itself_with_one_alert(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.gone(XRP, Side.LONG, "10", hours=1)
        report = await guard.scan("reconciliation")
        assert report.acted == 1
        closed = await guard.closed(row)
        assert closed.exit_reason == "reconciliation: position not found on exchange"
        await guard.scan("reconciliation")
        assert len(await guard.alerted("reconciliation_mismatch")) == 1


@scenario
async def test_another_quantity_is_alerted_once_and_not_changed(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        guard.market.open_position("bybit-main", ETH, Side.LONG, Decimal("0.5"))
        row = await guard.row(ETH, Side.LONG, "1.0", hours=1)
        for _ in range(2):
            report = await guard.scan("reconciliation")
            assert (report.found, report.acted) == (1, 0)
        (alert,) = await guard.alerted("reconciliation_mismatch")
        assert "1.0" in alert.seen
        assert "0.5" in alert.seen
        assert await guard.same(row)
        assert guard.orders() == []
        guard.market.open_position("bybit-main", ETH, Side.LONG, Decimal("0.5"))
        await guard.scan("reconciliation")

        async def resolved() -> bool:
            return (await guard.alerts("reconciliation_mismatch"))[0].resolved_at is not None

        await until(resolved, "the alert is resolved once both agree")


@pytest.mark.parametrize("ledger", ["1.0", "1.004"])
@scenario
async def test_equal_or_less_than_a_step_apart_says_nothing(tmp_path: Path, ledger: str) -> None:
    async with world(tmp_path) as guard:
        guard.market.open_position("bybit-main", ETH, Side.LONG, Decimal("1.0"))
        await guard.row(ETH, Side.LONG, ledger, hours=1)
        report = await guard.scan("reconciliation")
        assert (report.checked, report.found) == (1, 0)
        assert await guard.alerts() == ()


@scenario
async def test_long_in_the_ledger_and_short_at_the_venue_is_a_side_mismatch_never_netted(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        guard.market.open_position("bybit-main", ETH, Side.SHORT, Decimal("1.0"))
        row = await guard.row(ETH, Side.LONG, "1.0", hours=1)
        await guard.scan("reconciliation")
        (alert,) = await guard.alerted("reconciliation_mismatch")
        assert alert.details["venue_side"] == "short"
        assert await guard.same(row)
        assert guard.held(ETH, Side.SHORT) == 1


@pytest.mark.parametrize("account", ["bybit-main", "binance-main"])
@scenario
async def test_equal_long_and_short_in_hedge_mode_are_two_legs_and_not_flat(
    tmp_path: Path, account: str
) -> None:
    async def hedged(guard: World) -> None:
        guard.market.accounts[account].hedged = True

    async with world(tmp_path, accounts=(account,), before=hedged) as guard:
        for side in (Side.LONG, Side.SHORT):
            await guard.both(ETH, side, "1", hours=1, account=account)
        report = await guard.scan("reconciliation", account)
        assert (report.checked, report.found) == (2, 0)
        assert await guard.alerts() == ()


@scenario
async def test_spellings_of_one_symbol_are_one_leg_and_other_contracts_are_others(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        for spelling in ("BTCUSDT", "ETH/USDT:USDT", "XRP-USDT-SWAP", "1000PEPEUSDT"):
            await guard.row_as_written(spelling, "10")
        for symbol in ("BTC/USDT:USDT", "ETH/USDT:USDT", "XRP/USDT:USDT", "1000PEPE/USDT:USDT"):
            guard.market.open_position("bybit-main", symbol, Side.LONG, Decimal(10))
        report = await guard.scan("reconciliation")
        assert (report.checked, report.found) == (4, 0)
        await guard.row_as_written("PEPEUSDT", "10")
        report = await guard.scan("reconciliation")
        assert report.checked == 5
        assert report.found == 1
        # Inverse and dated contracts are outside what was read, so nothing is said of them.
        await guard.row_as_written("BTCUSD", "10")
        report = await guard.scan("reconciliation")
        assert report.acted == 0


@scenario
async def test_one_ghost_seen_by_three_actors_is_one_change_one_event_and_one_alert(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        guard.by_hand("bybit-main", XRP, Side.LONG)
        guard.system.tell("accounts/bybit-main/aged/scan", Validate())
        await asyncio.gather(guard.scan("aged/scan"), guard.scan("reconciliation"))
        await guard.closed(row)
        await guard.scan("reconciliation")
        events = await guard.events()
        ends = [e for e in events if "ghost" in e.kind]
        assert len(ends) == 1
        alerts = await guard.alerts()
        assert len(alerts) == 1
        assert (await guard.counters())["ghost_positions_handled"] == 1


@scenario
async def test_unusable_rows_are_alerted_left_alone_and_stop_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        good = await guard.both(XRP, Side.LONG, "10")
        bad = [
            await guard.row_as_written("ETHUSDT", "-5"),
            await guard.row_as_written("NOSUCHCOIN", "5"),
        ]
        await guard.scan("aged/scan")
        alerts = await guard.alerted("unusable_row", 2)
        assert {a.details["position_id"] for a in alerts} == set(bad)
        closed = await guard.closed(good)
        assert closed.exit_source == "fill"
        for row_id in bad:
            row = await guard.ledger.row(row_id)
            assert row is not None
            assert row.status == "active"
