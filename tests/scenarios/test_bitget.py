"""The whole guard on the simulated Bitget, in one-way and hedge mode, over HTTPS and real ccxt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.settings import OrphanPolicy, VerdictSettings
from messages.values import Side
from simulator.faults import FaultKind
from simulator.instruments import Exchange
from tests.scenarios.world import AVL, BTC, ETH, XRP, World, ago, scenario, until, world

ACCOUNT = "bitget-main"
SOON = VerdictSettings(
    confirm_after=timedelta(seconds=0.5),
    settle=timedelta(seconds=1),
    fresh=timedelta(seconds=0.2),
)
modes = pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])


@asynccontextmanager
async def bitget(
    tmp_path: Path, *, hedged: bool = False, limits: bool = False, **changes: Any
) -> AsyncIterator[World]:
    async def before(guard: World) -> None:
        guard.market.set_mode(ACCOUNT, hedged=hedged)
        guard.venue.limits = limits

    async with world(tmp_path, accounts=(ACCOUNT,), before=before, **changes) as guard:
        yield guard


@modes
@scenario
async def test_a_position_closed_by_hand_is_an_explained_ghost_and_no_order_is_sent(
    tmp_path: Path, hedged: bool
) -> None:
    async with bitget(tmp_path, hedged=hedged) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=ACCOUNT)
        guard.by_hand(ACCOUNT, XRP, Side.LONG)
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        assert closed.exit_reason == "ghost_detected_aged_close"
        assert closed.exit_source == "venue_history"
        assert closed.exit_price is not None
        assert guard.orders(ACCOUNT) == []


@modes
@pytest.mark.parametrize("side", list(Side))
@scenario
async def test_an_aged_position_is_closed_exactly_once(
    tmp_path: Path, hedged: bool, side: Side
) -> None:
    async with bitget(tmp_path, hedged=hedged) as guard:
        row = await guard.both(XRP, side, "10", account=ACCOUNT)
        if hedged:
            guard.market.open_position(ACCOUNT, XRP, side.opposite, Decimal(7))
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert closed.exit_price is not None
        (order,) = guard.orders(ACCOUNT)
        assert Decimal(order.params["size"]) == 10
        if hedged:
            # The side names the leg, and the other leg is none of this close's business.
            named = "buy" if side is Side.LONG else "sell"
            assert (order.params["side"], order.params["tradeSide"].lower()) == (named, "close")
            assert guard.held(XRP, side.opposite, ACCOUNT) == 7
        else:
            assert order.params["reduceOnly"] == "YES"
        assert guard.held(XRP, side, ACCOUNT) == 0


@scenario
async def test_a_position_half_closed_by_hand_is_closed_for_what_is_there(tmp_path: Path) -> None:
    async with bitget(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "100", account=ACCOUNT)
        guard.by_hand(ACCOUNT, XRP, Side.LONG, Decimal(50))
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        (order,) = guard.orders(ACCOUNT)
        assert Decimal(order.params["size"]) == 50
        assert closed.exit_source == "fill"
        (mismatch,) = await guard.events("quantity_mismatch")
        assert (mismatch.details["ledger"], mismatch.details["exchange"]) == ("100", "50")


@modes
@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
@scenario
async def test_an_order_whose_reply_is_lost_is_found_by_its_id_and_not_sent_again(
    tmp_path: Path, kind: FaultKind, hedged: bool
) -> None:
    async with bitget(tmp_path, hedged=hedged) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=ACCOUNT)
        guard.fault(kind, "order.create", code="40725", message="service return an error")
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert len(guard.orders(ACCOUNT)) == 1
        (intent,) = await guard.ledger.intents(account=ACCOUNT)
        assert (intent.state, intent.filled) == ("done", Decimal(10))


@scenario
async def test_an_order_that_never_arrived_is_tried_again_under_another_id(
    tmp_path: Path,
) -> None:
    async with bitget(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=ACCOUNT)
        guard.fault(FaultKind.DROP_BEFORE, "order.create")
        await guard.scan("aged/scan", ACCOUNT)
        await guard.closed(row, seconds=60)
        first, second = await guard.ledger.intents(account=ACCOUNT)
        assert (first.state, second.state) == ("never_arrived", "done")
        assert first.client_order_id != second.client_order_id


@modes
@scenario
async def test_after_partial_fills_the_rest_is_closed(tmp_path: Path, hedged: bool) -> None:
    async with bitget(tmp_path, hedged=hedged) as guard:
        row = await guard.both(AVL, Side.LONG, "100", account=ACCOUNT)
        guard.market.set_book_depth(Exchange.BITGET, AVL, Decimal(40))
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row, seconds=40)
        assert closed.exit_source == "fill"
        filled = [it.filled for it in await guard.ledger.intents(account=ACCOUNT)]
        assert sum(filled) == 100
        assert guard.held(AVL, Side.LONG, ACCOUNT) == 0


@modes
@scenario
async def test_orphans_are_told_with_their_stop_or_without_one(
    tmp_path: Path, hedged: bool
) -> None:
    async with bitget(tmp_path, hedged=hedged) as guard:
        guard.market.open_position(ACCOUNT, AVL, Side.LONG, Decimal(86), opened_at=ago(1))
        guard.market.open_position(
            ACCOUNT, BTC, Side.LONG, Decimal("0.1"), opened_at=ago(1), stop_loss=Decimal(61000)
        )
        report = await guard.scan("orphans", ACCOUNT)
        assert (report.found, report.problem) == (2, "")
        alerts = {it.symbol: it for it in await guard.alerted("orphaned_position", 2)}
        assert alerts[AVL].details["stop_loss"] == "NO STOP LOSS"
        assert "61000" in str(alerts[BTC].details["stop_loss"])


@modes
@scenario
async def test_a_protected_orphan_gets_one_stop_that_ends_with_it(
    tmp_path: Path, hedged: bool
) -> None:
    policy = {"orphans": OrphanPolicy.PROTECT}
    async with bitget(tmp_path, hedged=hedged, account=policy, verdict=SOON) as guard:
        guard.market.open_position(ACCOUNT, XRP, Side.SHORT, Decimal(50), opened_at=ago(1))
        path = f"accounts/{ACCOUNT}/orphans"
        await guard.scan("orphans", ACCOUNT)
        await until(lambda: guard.state(path)["actions"] >= 1, "the orphan is protected")
        await guard.scan("orphans", ACCOUNT)
        (order,) = guard.orders(ACCOUNT)
        assert order.params["planType"] == "pos_loss"
        listing = guard.market.listing(Exchange.BITGET, XRP)
        (stop,) = guard.market.accounts[ACCOUNT].live_orders(listing.id)
        assert stop.spec.trigger_price is not None
        assert stop.spec.trigger_price > guard.price(XRP, ACCOUNT)
        guard.by_hand(ACCOUNT, XRP, Side.SHORT)
        assert guard.market.accounts[ACCOUNT].live_orders(listing.id) == []


@modes
@scenario
async def test_a_known_leg_without_a_stop_is_naked_and_one_with_a_stop_is_not(
    tmp_path: Path, hedged: bool
) -> None:
    async with bitget(tmp_path, hedged=hedged) as guard:
        await guard.both(BTC, Side.LONG, "0.01", hours=1, account=ACCOUNT)
        guard.market.open_position(ACCOUNT, ETH, Side.LONG, Decimal("0.1"))
        await guard.row(ETH, Side.LONG, "0.1", hours=1, account=ACCOUNT)
        await guard.scan("orphans", ACCOUNT)
        (alert,) = await guard.alerted("naked_position")
        assert alert.symbol == ETH


@scenario
async def test_another_quantity_or_side_is_told_and_nothing_is_changed(tmp_path: Path) -> None:
    async with bitget(tmp_path) as guard:
        guard.market.open_position(ACCOUNT, ETH, Side.LONG, Decimal("0.5"))
        less = await guard.row(ETH, Side.LONG, "1.0", hours=1, account=ACCOUNT)
        guard.market.open_position(ACCOUNT, XRP, Side.SHORT, Decimal(20))
        turned = await guard.row(XRP, Side.LONG, "20", hours=1, account=ACCOUNT)
        await guard.scan("reconciliation", ACCOUNT)
        alerts = {it.symbol: it for it in await guard.alerted("reconciliation_mismatch", 2)}
        assert "0.5" in alerts[ETH].seen
        assert alerts[XRP].details["venue_side"] == "short"
        assert await guard.same(less)
        assert await guard.same(turned)
        assert guard.orders(ACCOUNT) == []


@scenario
async def test_a_stop_that_fired_closes_its_row_with_its_own_price(tmp_path: Path) -> None:
    async with bitget(tmp_path) as guard:
        row = await guard.both(BTC, Side.LONG, "0.1", hours=1, account=ACCOUNT)
        guard.market.set_price(BTC, guard.price(BTC, ACCOUNT) * Decimal("0.9"))
        assert guard.held(BTC, Side.LONG, ACCOUNT) == 0
        await guard.scan("reconciliation", ACCOUNT)
        closed = await guard.closed(row)
        assert closed.exit_source == "venue_history"
        assert closed.exit_price is not None
        assert guard.orders(ACCOUNT) == []


@modes
@scenario
async def test_a_close_by_hand_is_noticed_by_the_stream(tmp_path: Path, hedged: bool) -> None:
    async with bitget(tmp_path, hedged=hedged, account={"stream": True}) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=ACCOUNT)
        path = f"accounts/{ACCOUNT}/stream"
        await until(lambda: guard.state(path).get("connects", 0) >= 1, "the stream stands")
        guard.by_hand(ACCOUNT, XRP, Side.LONG)
        closed = await guard.closed(row)
        assert closed.exit_reason == "reconciliation: position not found on exchange"


@scenario
async def test_under_the_venues_limits_five_closes_are_sent_once_each(tmp_path: Path) -> None:
    symbols = (XRP, AVL, "DOGE/USDT:USDT", "ADA/USDT:USDT", "LINK/USDT:USDT")
    async with bitget(tmp_path, limits=True) as guard:
        rows = [await guard.both(symbol, Side.LONG, "100", account=ACCOUNT) for symbol in symbols]
        await guard.scan("aged/scan", ACCOUNT)
        for row in rows:
            assert (await guard.closed(row)).exit_source == "fill"
        assert len(guard.orders(ACCOUNT)) == len(symbols)
