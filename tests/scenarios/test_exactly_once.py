"""Scenario 6, and 2.4 and 2.5: a close happens once, whatever is lost on the way."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from messages.to_exchange import JudgeLeg, Judgement
from messages.values import LegKey, OrderSide, Side
from messages.venue import OrderType
from simulator.faults import FaultKind
from simulator.instruments import Exchange
from simulator.state import Order, OrderSpec
from tests.scenarios.world import AVL, XRP, World, scenario, until, world

ACCOUNTS = ["bybit-main", "binance-main"]


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
@scenario
async def test_an_order_whose_reply_is_lost_is_found_by_its_id_and_not_sent_again(
    tmp_path: Path, account: str, kind: FaultKind
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        guard.fault(kind, "order.create", status=504)
        await guard.scan("aged/scan", account)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert len(guard.orders(account)) == 1
        (intent,) = await guard.ledger.intents(account=account)
        assert (intent.state, intent.filled) == ("done", Decimal(10))
        assert await guard.events("order_outcome_unknown")


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_an_order_that_never_reached_the_venue_is_tried_again_under_another_id(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        guard.fault(FaultKind.DROP_BEFORE, "order.create")
        await guard.scan("aged/scan", account)
        await guard.closed(row, seconds=60)
        first, second = await guard.ledger.intents(account=account)
        assert first.state == "never_arrived"
        assert second.state == "done"
        assert first.client_order_id != second.client_order_id
        waited = second.created_at - first.created_at
        assert waited >= guard.settings.orders.arrival_limit


@scenario
async def test_ten_askers_of_an_exchange_actor_that_crashes_all_get_an_answer(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        guard.fault(FaultKind.DELAY, "positions", seconds=0.5)
        key = LegKey("bybit-main", XRP, Side.LONG)
        asks = [
            asyncio.create_task(
                guard.system.attempt("accounts/bybit-main/exchange", JudgeLeg(key=key))
            )
            for _ in range(10)
        ]
        await until(
            lambda: guard.venue.requests.count("positions", "bybit-main") > 0, "a read is out"
        )
        guard.system.kill("accounts/bybit-main/exchange")
        answers = await asyncio.gather(*asks)
        assert all(isinstance(a, Judgement) or a.why for a in answers)
        await guard.ready()
        await guard.scan("aged/scan")
        await guard.closed(row)
        assert len(guard.orders()) == 1


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_after_partial_fills_the_rest_is_closed_and_the_total_is_the_position(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(AVL, Side.LONG, "100", account=account)
        exchange = guard.market.accounts[account].exchange
        guard.market.set_book_depth(exchange, AVL, Decimal(40))
        await guard.scan("aged/scan", account)
        closed = await guard.closed(row, seconds=40)
        assert closed.exit_source == "fill"
        filled = [i.filled for i in await guard.ledger.intents(account=account)]
        assert sum(filled) == 100
        assert len([f for f in filled if f > 0]) >= 3
        assert guard.held(AVL, Side.LONG, account) == 0


@scenario
async def test_dust_below_the_smallest_order_is_said_and_left_to_an_operator(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        guard.market.open_position("bybit-main", AVL, Side.LONG, Decimal("0.4"))
        await guard.row(AVL, Side.LONG, "0.4")
        await guard.scan("aged/scan")
        (alert,) = await guard.alerted("operator_needed")
        assert "MIN_SIZE" in alert.seen
        assert guard.orders() == []


@scenario
async def test_a_liquidation_during_our_close_is_recorded_as_one(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        guard.fault(FaultKind.DELAY, "order.create", seconds=0.5)
        await guard.scan("aged/scan")
        await until(lambda: bool(guard.orders()), "the close is on its way")
        guard.market.liquidate("bybit-main", XRP, Side.LONG)
        closed = await guard.closed(row)
        assert closed.exit_source == "venue_history"
        (alert,) = await guard.alerted("ghost_position")
        assert "liquidated" in alert.next_step
        assert guard.held(XRP, Side.LONG) == 0


@scenario
async def test_while_the_database_is_away_no_order_leaves_and_then_all_catches_up(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        rows = [await guard.both(s, Side.LONG, "10") for s in (XRP, AVL)]
        with closing(sqlite3.connect(tmp_path / "sexton.db", isolation_level=None)) as thief:
            thief.execute("BEGIN EXCLUSIVE")
            scan = asyncio.create_task(guard.scan("aged/scan"))
            await until(
                lambda: guard.state("ledger")["available"] is False, "the ledger is away", 40
            )
            assert guard.orders() == []
            thief.execute("ROLLBACK")
        await scan
        for row in rows:
            await guard.closed(row)
        assert len(guard.orders()) == 2
        for order in guard.orders():
            name = "orderLinkId" if "orderLinkId" in order.params else "newClientOrderId"
            intent = await guard.ledger.intent(order.params[name])
            assert intent is not None
            assert intent.created_at <= order.at


@scenario
async def test_a_resting_take_profit_that_reserves_the_size_is_cancelled_and_the_stop_stays(
    tmp_path: Path,
) -> None:
    account = "binance-main"
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        rest_take_profit(guard, account)
        # A market order of the whole size goes before what rests; a refusal is ordered here.
        guard.fault(FaultKind.ERROR_CODE, "order.create", code="-4118")
        await guard.scan("aged/scan", account)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        (cancelled,) = await guard.events("resting_order_cancelled")
        assert cancelled.symbol == XRP
        assert (await guard.ledger.intents(account=account))[-1].type is OrderType.MARKET


def rest_take_profit(guard: World, account: str) -> None:
    """A reduce-only limit of the bot's, above the market, that holds the whole size."""
    listing = guard.market.listing(Exchange.BINANCE, XRP)
    price = listing.to_tick(guard.price(XRP, account) * Decimal("1.03"))
    placed = guard.market.place(
        guard.market.accounts[account],
        OrderSpec(
            symbol_id=listing.id,
            side=OrderSide.SELL,
            quantity=Decimal(10),
            price=price,
            reduce_only=True,
            client_id="bots-take-profit",
        ),
    )
    assert isinstance(placed, Order)
