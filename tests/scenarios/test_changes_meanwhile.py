"""The world goes on while a leg is judged or closed: the bot trades, an operator thinks again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from actors import paths
from actors.ledger_client import event
from messages.ledger import Intent, IntentState, PositionRow
from messages.settings import OrderSettings
from messages.to_ledger import SetHeld
from messages.to_monitors import CloseByOrder
from messages.values import LegKey, Side
from messages.venue import OrderType
from simulator.faults import FaultKind
from simulator.server import SimulatedVenue
from tests.scenarios.world import XRP, World, ago, now, scenario, until, world

LEG = "accounts/bybit-main/aged/XRPUSDT.long"
ACCOUNTS = ["bybit-main", "binance-main"]


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_row_that_the_bot_rewrites_while_its_leg_is_judged_is_not_buried(
    tmp_path: Path, account: str
) -> None:
    """The bot enters again under its old row, while the guard reads how the old position ended."""
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        guard.by_hand(account, XRP, Side.LONG)
        guard.fault(FaultKind.DELAY_REPLY, "fills", seconds=1.5, count=1, account=account)
        asked = guard.venue.requests.count("fills", account)
        scanning = asyncio.create_task(guard.scan("reconciliation", account))
        await until(
            lambda: guard.venue.requests.count("fills", account) > asked, "the fills are asked for"
        )
        guard.market.open_position(account, XRP, Side.LONG, Decimal(25))
        rewritten = await guard.ledger.amend_position(account, row.id, quantity=Decimal(25))
        assert rewritten is not None
        report = await scanning
        assert report.acted == 0
        assert await guard.same(rewritten)
        assert guard.held(XRP, Side.LONG, account) == 25
        assert (await guard.counters()).get("ghost_positions_detected", 0) == 0


async def hold(guard: World, row: PositionRow) -> None:
    by_hand = event("position_held", now(), actor="an operator", account=row.account)
    await guard.system.ask(paths.LEDGER, SetHeld(row_ids=(row.id,), held=True, event=by_hand))


@scenario
async def test_a_hold_takes_back_an_operators_order_to_close(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        refusing = guard.fault(FaultKind.ERROR_CODE, "order.create", code="10016", count=None)
        key = LegKey("bybit-main", XRP, Side.LONG)
        await guard.system.ask(paths.aged_scan("bybit-main"), CloseByOrder(key=key), timeout=60.0)
        await until(lambda: guard.state(LEG).get("failures", 0) >= 1, "a round has failed")
        await hold(guard, row)
        guard.venue.faults.clear(refusing)
        await until(lambda: not guard.alive(LEG), "a leg that is not aged has no actor then")
        assert await guard.same(row)
        assert guard.held(XRP, Side.LONG) == 10


@scenario
async def test_a_hold_stops_a_close_before_its_next_order(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        guard.fault(FaultKind.ERROR_CODE, "order.create", code="10006", count=2)
        await guard.scan("aged/scan")
        await until(lambda: len(guard.orders()) >= 1, "the first order is refused")
        await hold(guard, row)
        sent = len(guard.orders())
        await until(
            lambda: guard.state(LEG)["status"] == "left alone: held by an operator", "it is held"
        )
        assert len(guard.orders()) <= sent + 1, "what was on its way when the hold came"
        assert await guard.same(row)
        assert guard.held(XRP, Side.LONG) == 10
        assert guard.state(LEG)["failures"] == 0


@scenario
async def test_a_hold_takes_back_our_order_that_rests(tmp_path: Path) -> None:
    """It would rest for a minute, and a price that comes by would close what is held."""
    patient = OrderSettings(
        ladder=(OrderType.LIMIT_MAKER, OrderType.MARKET), maker_wait=timedelta(minutes=1)
    )
    async with (
        SimulatedVenue(seed=7, volatility=0.0) as venue,
        world(tmp_path, orders=patient, venue=venue) as guard,
    ):
        row = await guard.both(XRP, Side.LONG, "10")
        owner = guard.market.accounts["bybit-main"]

        def resting() -> int:
            return sum(o.spec.trigger_price is None for o in owner.live_orders("XRPUSDT"))

        await guard.scan("aged/scan")
        await until(lambda: resting() == 1, "our order rests")
        await hold(guard, row)
        await until(lambda: resting() == 0, "it is taken back")
        await until(
            lambda: guard.state(LEG)["status"] == "left alone: held by an operator", "it is held"
        )
        assert len(guard.orders()) == 1
        assert await guard.same(row)
        assert guard.held(XRP, Side.LONG) == 10


@scenario
async def test_a_position_of_the_other_side_leaves_the_row_for_a_person(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        guard.market.open_position(
            "bybit-main", XRP, Side.SHORT, Decimal(10), guard.price(XRP), ago(40)
        )
        row = await guard.row(XRP, Side.LONG, "10")
        await guard.scan("aged/scan")
        await until(
            lambda: "the venue holds the other side" in guard.state(LEG).get("status", ""),
            "the aged leg is left alone",
        )
        await guard.scan("reconciliation")
        assert await guard.same(row)
        assert guard.held(XRP, Side.SHORT) == 10
        assert guard.orders() == []
        (alert,) = await guard.alerted("reconciliation_mismatch")
        assert "short" in alert.seen


@scenario
async def test_a_close_that_was_sized_without_a_read_is_booked_as_ours(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "100")
        guard.by_hand("bybit-main", XRP, Side.LONG, Decimal(40))
        guard.fault(FaultKind.STATUS, "positions", status=503, count=3)
        await guard.scan("aged/scan")
        closed = await guard.closed(row)
        assert closed.exit_reason == "aged_close_market"
        assert closed.exit_source == "fill"
        assert closed.exit_price is not None
        assert closed.exit_price > 0


@scenario
async def test_an_own_fill_of_unknown_price_is_booked_by_the_venues_history(tmp_path: Path) -> None:
    """An earlier life closed the leg, and died before it knew at what price."""
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        key = LegKey("bybit-main", XRP, Side.LONG)
        ours = Intent(
            client_order_id="5e70" + "0" * 24,
            key=key,
            purpose="close",
            row_ids=(row.id,),
            attempt=1,
            type=OrderType.MARKET,
            quantity=Decimal(10),
            seen_quantity=Decimal(10),
            created_at=now(),
            phase="market",
        )
        await guard.ledger.commit_intent(ours)
        guard.by_hand("bybit-main", XRP, Side.LONG)
        filled = msgspec.structs.replace(
            ours, state=IntentState.DONE, filled=Decimal(10), settled_at=now()
        )
        await guard.ledger.update_intent(filled)
        await guard.scan("reconciliation")
        closed = await guard.closed(row)
        assert closed.exit_reason == "aged_close_market"
        assert closed.exit_source == "venue_history"
        assert (
            closed.exit_price == guard.market.accounts["bybit-main"].executions["XRPUSDT"][-1].price
        )
