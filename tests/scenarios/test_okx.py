"""The guard at work on OKX: contracts of many units, algo orders apart, every kind of trouble."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.settings import OnUnexplained, OrphanPolicy
from messages.values import Side
from simulator.desk import LoggedRequest
from simulator.faults import FaultKind
from simulator.instruments import Exchange
from tests.scenarios.world import (
    AVL,
    BTC,
    ETH,
    SETTLED_AT_ONCE,
    XRP,
    World,
    ago,
    scenario,
    until,
    world,
)

OKX = "okx-main"
sides = pytest.mark.parametrize("side", [Side.LONG, Side.SHORT])


@asynccontextmanager
async def okx_world(tmp_path: Path, **changes: Any) -> AsyncIterator[World]:
    async with world(tmp_path, accounts=(OKX,), **changes) as guard:
        yield guard


def sent(guard: World) -> list[LoggedRequest]:
    return guard.orders(OKX)


@sides
@scenario
async def test_a_position_closed_by_hand_is_a_ghost_and_no_order_is_sent(
    tmp_path: Path, side: Side
) -> None:
    async with okx_world(tmp_path) as guard:
        row = await guard.both(XRP, side, "10", account=OKX)
        price = guard.price(XRP, OKX) * Decimal("1.1")
        guard.by_hand(OKX, XRP, side, price=price.quantize(Decimal("0.0001")))
        await guard.scan("aged/scan", OKX)
        closed = await guard.closed(row)
        assert closed.exit_reason == "ghost_detected_aged_close"
        assert closed.exit_source == "venue_history"
        assert closed.exit_price == price.quantize(Decimal("0.0001"))
        assert sent(guard) == []
        assert len(await guard.alerted("ghost_position")) == 1


@scenario
async def test_a_row_whose_leg_left_no_trace_stays_and_is_told(tmp_path: Path) -> None:
    async with okx_world(tmp_path, verdict=SETTLED_AT_ONCE) as guard:
        row = await guard.row(XRP, Side.LONG, "10", account=OKX)
        await guard.scan("aged/scan", OKX)
        (alert,) = await guard.alerted("unexplained_absence")
        assert alert.symbol == XRP
        assert await guard.same(row)
        assert sent(guard) == []
        assert guard.settings.verdict.unexplained is not OnUnexplained.ACCEPT


@pytest.mark.parametrize(
    "fault", [FaultKind.EMPTY_LIST, FaultKind.EMPTY_BODY, FaultKind.HTML, FaultKind.STATUS]
)
@scenario
async def test_a_read_that_fails_or_flickers_buries_nothing(
    tmp_path: Path, fault: FaultKind
) -> None:
    async with okx_world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=OKX)
        guard.fault(fault, "positions.list", count=2, account=OKX)
        report = await guard.scan("reconciliation", OKX)
        assert report.acted == 0
        assert await guard.same(row)
        assert guard.held(XRP, Side.LONG, OKX) == 10


@pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])
@sides
@scenario
async def test_an_aged_position_is_closed_exactly_once(
    tmp_path: Path, side: Side, hedged: bool
) -> None:
    async def prepare(guard: World) -> None:
        guard.market.set_mode(OKX, hedged=hedged)

    async with okx_world(tmp_path, before=prepare) as guard:
        row = await guard.both(BTC, side, "0.5", account=OKX)
        await guard.scan("aged/scan", OKX)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert closed.exit_price is not None
        assert guard.held(BTC, side, OKX) == 0
        (order,) = sent(guard)
        # Contracts are of 0.01 BTC.
        assert order.params["sz"] == "50"
        assert order.params["tdMode"] == "cross"
        assert order.params.get("posSide", "net") == (side.value if hedged else "net")


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
@scenario
async def test_an_order_whose_reply_is_lost_is_found_by_its_id_and_not_sent_again(
    tmp_path: Path, kind: FaultKind
) -> None:
    async with okx_world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=OKX)
        guard.fault(kind, "order.create", code="50013", message="Systems are busy")
        await guard.scan("aged/scan", OKX)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert len(sent(guard)) == 1
        (intent,) = await guard.ledger.intents(account=OKX)
        assert (intent.state, intent.filled) == ("done", Decimal(10))
        assert await guard.events("order_outcome_unknown")


@scenario
async def test_an_order_that_never_reached_the_venue_is_tried_again_under_another_id(
    tmp_path: Path,
) -> None:
    async with okx_world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=OKX)
        guard.fault(FaultKind.DROP_BEFORE, "order.create")
        await guard.scan("aged/scan", OKX)
        await guard.closed(row)
        first, second = await guard.ledger.intents(account=OKX)
        assert (first.state, second.state) == ("never_arrived", "done")
        assert first.client_order_id != second.client_order_id


@scenario
async def test_after_partial_fills_the_rest_is_closed_and_the_total_is_the_position(
    tmp_path: Path,
) -> None:
    async with okx_world(tmp_path) as guard:
        row = await guard.both(AVL, Side.LONG, "100", account=OKX)
        guard.market.set_book_depth(Exchange.OKX, AVL, Decimal(40))
        await guard.scan("aged/scan", OKX)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        filled = [it.filled for it in await guard.ledger.intents(account=OKX)]
        assert sum(filled) == 100
        assert len([it for it in filled if it > 0]) >= 3
        assert guard.held(AVL, Side.LONG, OKX) == 0


@scenario
async def test_an_orphan_with_a_stop_is_told_with_it_and_one_without_is_told_so(
    tmp_path: Path,
) -> None:
    async with okx_world(tmp_path) as guard:
        guard.market.open_position(OKX, AVL, Side.LONG, Decimal(80), opened_at=ago(1))
        stop = Decimal("2900.00")
        guard.market.open_position(
            OKX, ETH, Side.LONG, Decimal("0.5"), opened_at=ago(1), stop_loss=stop
        )
        report = await guard.scan("orphans", OKX)
        assert report.found == 2
        told = {it.symbol: it.details for it in await guard.alerted("orphaned_position", 2)}
        assert told[AVL]["stop_loss"] == "NO STOP LOSS"
        assert told[AVL]["quantity"] == "80"
        assert told[AVL]["contracts"] == "8"
        assert "2900" in str(told[ETH]["stop_loss"])


@scenario
async def test_an_adopted_orphan_keeps_the_time_at_which_the_venue_opened_it(
    tmp_path: Path,
) -> None:
    policy = {"orphans": OrphanPolicy.ADOPT}
    async with okx_world(tmp_path, account=policy, verdict=SETTLED_AT_ONCE) as guard:
        opened = ago(1)
        guard.market.open_position(OKX, XRP, Side.LONG, Decimal(30), opened_at=ago(48))
        guard.by_hand(OKX, XRP, Side.LONG, closed_at=ago(47))
        guard.market.open_position(OKX, XRP, Side.LONG, Decimal(50), opened_at=opened)
        await guard.scan("orphans", OKX)
        path = f"accounts/{OKX}/orphans"
        await until(lambda: guard.state(path)["actions"] >= 1, "the orphan is adopted")
        (row,) = await guard.ledger.rows()
        assert (row.symbol, row.side, row.quantity) == (XRP, "long", Decimal(50))
        assert row.opened_at is not None
        assert abs((row.opened_at - opened).total_seconds()) < 1


@scenario
async def test_a_known_position_without_a_stop_is_naked_and_one_with_a_stop_is_not(
    tmp_path: Path,
) -> None:
    async with okx_world(tmp_path) as guard:
        await guard.both(BTC, Side.LONG, "0.01", hours=1, account=OKX)
        guard.market.open_position(OKX, ETH, Side.LONG, Decimal("0.1"))
        await guard.row(ETH, Side.LONG, "0.1", hours=1, account=OKX)
        await guard.scan("orphans", OKX)
        (alert,) = await guard.alerted("naked_position")
        assert alert.symbol == ETH


@scenario
async def test_another_quantity_is_alerted_once_and_not_changed(tmp_path: Path) -> None:
    async with okx_world(tmp_path) as guard:
        guard.market.open_position(OKX, ETH, Side.LONG, Decimal("0.5"))
        row = await guard.row(ETH, Side.LONG, "1.0", hours=1, account=OKX)
        for _ in range(2):
            report = await guard.scan("reconciliation", OKX)
            assert (report.found, report.acted) == (1, 0)
        (alert,) = await guard.alerted("reconciliation_mismatch")
        assert "0.5" in alert.seen
        assert await guard.same(row)
        assert sent(guard) == []


@scenario
async def test_what_a_person_closes_is_heard_by_the_stream(tmp_path: Path) -> None:
    async with okx_world(tmp_path, account={"stream": True}) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=OKX)
        followed = guard.venue.streams.connected
        await until(lambda: followed(OKX), "the stream stands")
        guard.market.close_by_hand(OKX, XRP, Side.LONG)
        await guard.closed(row)
        assert sent(guard) == []
