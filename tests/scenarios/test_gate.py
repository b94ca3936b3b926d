"""The whole guard on the simulated Gate: what is closed, what is told, and what is never done."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from messages.settings import OrphanPolicy, VerdictSettings
from messages.values import Side
from simulator.faults import FaultKind
from simulator.instruments import Exchange
from simulator.views import opening_fills
from tests.scenarios.world import AVL, BTC, ETH, XRP, World, ago, scenario, until, world

ACCOUNT = "gate-main"
SOON = VerdictSettings(
    confirm_after=timedelta(seconds=0.5),
    settle=timedelta(seconds=1),
    fresh=timedelta(seconds=0.2),
)
"""An orphan is acted on a second after it was first seen."""


def nothing_was_opened(guard: World) -> None:
    assert opening_fills(guard.market, ACCOUNT) == []


@scenario
async def test_a_position_closed_by_hand_is_an_explained_ghost_and_no_order_is_sent(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=(ACCOUNT,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=ACCOUNT)
        guard.by_hand(ACCOUNT, XRP, Side.LONG)
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        # Whichever monitor looked first: both bury it on the venue's own record.
        assert closed.exit_reason in (
            "ghost_detected_aged_close",
            "reconciliation: position not found on exchange",
        )
        assert closed.exit_source == "venue_history"
        assert guard.orders(ACCOUNT) == []
        assert len(await guard.alerted("ghost_position")) == 1


@pytest.mark.parametrize("side", list(Side), ids=str)
@pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])
@scenario
async def test_an_aged_position_is_closed_exactly_once(
    tmp_path: Path, side: Side, hedged: bool
) -> None:
    async def before(guard: World) -> None:
        guard.market.set_mode(ACCOUNT, hedged=hedged)

    async with world(tmp_path, accounts=(ACCOUNT,), before=before) as guard:
        row = await guard.both(BTC, side, "0.5", account=ACCOUNT)
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        assert (closed.exit_reason, closed.exit_source) == ("aged_close_market", "fill")
        (order,) = guard.orders(ACCOUNT)
        assert order.params["reduce_only"] == "true"
        assert abs(int(order.params["size"])) == 5000
        assert guard.held(BTC, side, ACCOUNT) == 0
        nothing_was_opened(guard)


@scenario
async def test_an_orphan_is_alerted_once_with_and_without_its_stop(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=(ACCOUNT,)) as guard:
        below = guard.market.listing(Exchange.GATE, XRP).to_tick(
            guard.price(XRP, ACCOUNT) * Decimal("0.95")
        )
        guard.market.open_position(ACCOUNT, AVL, Side.LONG, Decimal(86), opened_at=ago(1))
        guard.market.open_position(
            ACCOUNT, XRP, Side.LONG, Decimal(20), opened_at=ago(1), stop_loss=below
        )
        report = await guard.scan("orphans", ACCOUNT)
        assert report.found == 2
        alerts = await guard.alerted("orphaned_position", 2)
        told = {alert.symbol: str(alert.details["stop_loss"]) for alert in alerts}
        assert told[AVL] == "NO STOP LOSS"
        assert "stop loss" in told[XRP]
        assert {alert.details["exchange"] for alert in alerts} == {"gate"}
        await guard.scan("orphans", ACCOUNT)
        assert len(await guard.alerts("orphaned_position")) == 2
        assert guard.orders(ACCOUNT) == []


@scenario
async def test_a_protected_orphan_gets_one_reduce_only_stop_that_covers_it(tmp_path: Path) -> None:
    policy = {"orphans": OrphanPolicy.PROTECT}
    async with world(tmp_path, accounts=(ACCOUNT,), account=policy, verdict=SOON) as guard:
        guard.market.open_position(ACCOUNT, XRP, Side.LONG, Decimal(50))
        await guard.scan("orphans", ACCOUNT)
        path = f"accounts/{ACCOUNT}/orphans"
        await until(lambda: guard.state(path)["actions"] >= 1, "the orphan is protected")
        await guard.scan("orphans", ACCOUNT)
        (order,) = guard.orders(ACCOUNT)
        assert order.endpoint == "algo.create"
        assert order.params["initial.reduce_only"] == "true"
        trigger = Decimal(order.params["trigger.price"])
        assert trigger < guard.price(XRP, ACCOUNT)
        guard.market.set_price(XRP, trigger * Decimal("0.99"))
        assert guard.held(XRP, Side.LONG, ACCOUNT) == 0
        nothing_was_opened(guard)


@scenario
async def test_a_known_position_without_a_stop_is_naked_and_one_with_a_stop_is_not(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=(ACCOUNT,)) as guard:
        await guard.both(BTC, Side.LONG, "0.01", hours=1, account=ACCOUNT)
        guard.market.open_position(ACCOUNT, ETH, Side.LONG, Decimal("0.1"))
        await guard.row(ETH, Side.LONG, "0.1", hours=1, account=ACCOUNT)
        await guard.scan("orphans", ACCOUNT)
        (alert,) = await guard.alerted("naked_position")
        assert alert.symbol == ETH
        assert "NO STOP LOSS" in alert.title


@scenario
async def test_a_position_half_closed_by_hand_is_closed_for_what_is_there(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=(ACCOUNT,)) as guard:
        row = await guard.both(XRP, Side.LONG, "100", account=ACCOUNT)
        guard.by_hand(ACCOUNT, XRP, Side.LONG, Decimal(50))
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        (order,) = guard.orders(ACCOUNT)
        assert order.params["size"] == "-50"
        (mismatch,) = await guard.events("quantity_mismatch")
        assert (mismatch.details["ledger"], mismatch.details["exchange"]) == ("100", "50")
        nothing_was_opened(guard)


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
@scenario
async def test_an_order_whose_reply_is_lost_is_found_by_its_id_and_not_sent_again(
    tmp_path: Path, kind: FaultKind
) -> None:
    async with world(tmp_path, accounts=(ACCOUNT,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=ACCOUNT)
        guard.fault(kind, "order.create", code="SERVER_ERROR")
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert len(guard.orders(ACCOUNT)) == 1
        (intent,) = await guard.ledger.intents(account=ACCOUNT)
        assert (intent.state, intent.filled) == ("done", Decimal(10))
        assert await guard.events("order_outcome_unknown")
        nothing_was_opened(guard)


@scenario
async def test_an_order_that_never_reached_the_venue_is_tried_again_under_another_id(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=(ACCOUNT,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=ACCOUNT)
        guard.fault(FaultKind.DROP_BEFORE, "order.create")
        await guard.scan("aged/scan", ACCOUNT)
        await guard.closed(row)
        first, second = await guard.ledger.intents(account=ACCOUNT)
        assert (first.state, second.state) == ("never_arrived", "done")
        assert first.client_order_id != second.client_order_id


@scenario
async def test_after_partial_fills_the_rest_is_closed_and_the_total_is_the_position(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=(ACCOUNT,)) as guard:
        row = await guard.both(AVL, Side.LONG, "100", account=ACCOUNT)
        guard.market.set_book_depth(Exchange.GATE, AVL, Decimal(40))
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        filled = [intent.filled for intent in await guard.ledger.intents(account=ACCOUNT)]
        assert sum(filled) == 100
        assert len([it for it in filled if it > 0]) >= 3
        assert guard.held(AVL, Side.LONG, ACCOUNT) == 0
        nothing_was_opened(guard)


@scenario
async def test_a_liquidated_position_is_recorded_as_one(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=(ACCOUNT,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=ACCOUNT)
        guard.fault(FaultKind.DELAY, "order.create", seconds=0.5)
        await guard.scan("aged/scan", ACCOUNT)
        await until(lambda: bool(guard.orders(ACCOUNT)), "the close is on its way")
        guard.market.liquidate(ACCOUNT, XRP, Side.LONG)
        closed = await guard.closed(row)
        assert closed.exit_source == "venue_history"
        (alert,) = await guard.alerted("ghost_position")
        assert "liquidated" in alert.next_step


@scenario
async def test_a_read_that_is_damaged_buries_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, accounts=(ACCOUNT,)) as guard:
        row = await guard.both(BTC, Side.LONG, "0.01", hours=4, account=ACCOUNT)
        guard.fault(FaultKind.MISSING_LIST, "positions", count=None)
        await guard.scan("reconciliation", ACCOUNT)
        assert await guard.same(row)
        assert await guard.alerts("ghost_position") == ()


@scenario
async def test_a_close_is_followed_by_stream_and_sent_once(
    tmp_path: Path,
) -> None:
    streaming = {"stream": True}
    async with world(tmp_path, accounts=(ACCOUNT,), account=streaming, verdict=SOON) as guard:
        path = f"accounts/{ACCOUNT}/stream"
        await until(lambda: guard.state(path)["status"] == "connected", "the stream stands")
        row = await guard.both(XRP, Side.LONG, "10", account=ACCOUNT)
        await guard.scan("aged/scan", ACCOUNT)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert len(guard.orders(ACCOUNT)) == 1
