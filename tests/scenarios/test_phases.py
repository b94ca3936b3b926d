"""Scenario 7 on the whole tree: targets that are waited for, holds, and trailing stops."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from messages.base import Done
from messages.settings import Mode
from messages.to_monitors import CloseByOrder
from messages.values import LegKey, Side
from tests.scenarios.world import AVL, XRP, World, scenario, until, world


def leg(side: Side) -> str:
    return f"accounts/bybit-main/aged/XRPUSDT.{side}"


def by_the_bot(guard: World, row_id: int, column: str, value: int) -> None:
    """The bot changes a row with plain SQL, from a connection of its own."""
    path = guard.settings.storage.url.reveal().removeprefix("sqlite:///")
    statements = {
        "held": "UPDATE positions SET held = ? WHERE id = ?",
        "trailing_active": "UPDATE positions SET trailing_active = ? WHERE id = ?",
    }
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        connection.execute(statements[column], (value, row_id))


async def says(guard: World, side: Side, words: str) -> None:
    await until(
        lambda: str(guard.state(leg(side))["status"]).startswith(words), f"it says: {words}"
    )


@pytest.mark.parametrize("side", list(Side))
@scenario
async def test_a_leg_in_grace_waits_for_break_even_and_is_closed_when_it_comes(
    tmp_path: Path, side: Side
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, side, "10", hours=4)
        entry = row.entry_price
        assert entry is not None
        against = entry * (1 - Decimal("0.01") * side.sign)
        guard.market.set_price(XRP, against.quantize(Decimal("0.0001")))
        await guard.scan("aged/scan")
        await says(guard, side, "holding")
        assert guard.state(leg(side))["phase"] == "grace"
        assert guard.orders() == []
        favour = entry * (1 + Decimal("0.01") * side.sign)
        guard.market.set_price(XRP, favour.quantize(Decimal("0.0001")))
        closed = await guard.closed(row)
        assert closed.exit_reason == "aged_close_grace"
        assert closed.realized_pnl is not None
        assert closed.realized_pnl > 0
        assert (await guard.counters())["grace_closes"] == 1


@scenario
async def test_a_profit_smaller_than_the_fees_does_not_close(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=4)
        assert row.entry_price is not None
        guard.market.set_price(XRP, row.entry_price + Decimal("0.0003"))
        await guard.scan("aged/scan")
        await says(guard, Side.LONG, "holding")
        assert await guard.same(row)


@scenario
async def test_a_loss_beyond_the_phases_waits_and_is_taken_in_the_market_phase(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        # A loss of half the entry: more than max_loss tolerates, whatever the hour.
        price = guard.price(XRP) * 2
        for side in Side:
            guard.market.accounts["bybit-main"].hedged = True
            guard.market.open_position("bybit-main", XRP, side, Decimal(10))
        waiting = await guard.row(XRP, Side.LONG, "10", price=price, hours=3 + 8 + 19)
        taken = await guard.row(XRP, Side.SHORT, "10", price=price / 4, hours=3 + 8 + 21)
        await guard.scan("aged/scan")
        closed = await guard.closed(taken)
        assert closed.exit_reason == "aged_close_market"
        assert closed.realized_pnl is not None
        assert closed.realized_pnl < 0
        await says(guard, Side.LONG, "holding")
        assert guard.state(leg(Side.LONG))["phase"] == "progressive"
        assert await guard.same(waiting)


@pytest.mark.parametrize("column", ["held", "trailing_active"])
@scenario
async def test_a_leg_that_is_held_or_trailing_is_left_alone_until_that_ends(
    tmp_path: Path, column: str
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=4)
        assert row.entry_price is not None
        guard.market.set_price(XRP, row.entry_price - Decimal("0.01"))
        await guard.scan("aged/scan")
        await says(guard, Side.LONG, "holding")
        by_the_bot(guard, row.id, column, 1)
        await says(guard, Side.LONG, "left alone")
        guard.market.set_price(XRP, row.entry_price + Decimal("0.02"))
        await guard.scan("aged/scan")
        assert await guard.same(row)
        assert guard.orders() == []
        by_the_bot(guard, row.id, column, 0)
        await guard.scan("aged/scan")
        assert (await guard.closed(row)).exit_source == "fill"


@pytest.mark.parametrize("hours", [0.5, 4])
@scenario
async def test_an_operators_order_closes_a_leg_whatever_its_age(
    tmp_path: Path, hours: float
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=hours)
        key = LegKey("bybit-main", XRP, Side.LONG)
        answer = await guard.system.ask(
            "accounts/bybit-main/aged/scan", CloseByOrder(key=key), timeout=30.0
        )
        assert isinstance(answer, Done)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert guard.held(XRP, Side.LONG) == 0


@scenario
async def test_observe_mode_sends_nothing_writes_no_row_and_says_what_it_would_do(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, mode=Mode.OBSERVE) as guard:
        due = await guard.both(XRP, Side.LONG, "10")
        ghost = await guard.gone(AVL, Side.LONG, "10")
        await guard.scan("aged/scan")
        await guard.scan("reconciliation")

        async def said() -> bool:
            return bool(await guard.events("would_close")) and bool(
                await guard.events("would_close_row")
            )

        await until(said, "it says what it would have done")
        assert await guard.same(due)
        assert await guard.same(ghost)
        assert guard.orders() == []
        # One ghost is one alert, of the type of whichever monitor saw it first.
        of_ghosts = ("ghost_position", "reconciliation_mismatch")

        async def alerted() -> bool:
            return any(alert.type in of_ghosts for alert in await guard.alerts())

        await until(alerted, "the ghost's alert")
        (alert,) = [alert for alert in await guard.alerts() if alert.type in of_ghosts]
        assert "mode is observe" in alert.done
        assert guard.venue.requests.count("order.cancel") == 0
