"""Scenario 1: a ghost before a close. None of these buries the living."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from messages.settings import OnUnexplained, OnUnknown, VerdictSettings
from messages.values import Side
from messages.verdict import Evidence, ExplainedBy
from simulator.faults import FaultKind
from simulator.instruments import Exchange
from tests.scenarios.world import SETTLED_AT_ONCE, XRP, World, scenario, until, world

LEG = "accounts/bybit-main/aged/XRPUSDT.long"


@scenario
async def test_a_position_closed_by_hand_is_a_ghost_and_no_order_is_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        guard.by_hand("bybit-main", XRP, Side.LONG)
        await guard.scan("aged/scan")
        closed = await guard.closed(row)
        assert closed.exit_reason == "ghost_detected_aged_close"
        assert guard.orders() == []
        await until(lambda: not guard.alive(LEG), "the aged actor is gone")
        counters = await guard.counters()
        assert counters["ghost_positions_detected"] == 1
        assert counters["ghost_positions_handled"] == 1
        (event,) = await guard.events("aged_ghost_position_detected")
        assert event.symbol == XRP
        assert event.details["exchange"] == "bybit"
        assert event.details["position_id"] == [row.id]
        assert event.details["reason"] == "ghost_detected_aged_close"
        assert all("170131" not in str(e.details) for e in await guard.events())
        assert len(await guard.alerted("ghost_position")) == 1


@scenario
async def test_a_position_half_closed_by_hand_is_closed_for_what_is_there(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "100")
        guard.by_hand("bybit-main", XRP, Side.LONG, Decimal(50))
        await guard.scan("aged/scan")
        closed = await guard.closed(row)
        (order,) = guard.orders()
        assert Decimal(order.params["qty"]) == 50
        assert order.params["reduceOnly"] in (True, "true")
        assert guard.held(XRP, Side.LONG) == 0
        assert closed.exit_source == "fill"
        assert closed.exit_reason == "aged_close_market"
        counters = await guard.counters()
        assert counters["quantity_mismatches"] == 1
        assert counters.get("ghost_positions_detected", 0) == 0
        (mismatch,) = await guard.events("quantity_mismatch")
        assert (mismatch.details["ledger"], mismatch.details["exchange"]) == ("100", "50")


@scenario
async def test_a_failed_validation_proceeds_reduce_only_with_the_ledgers_quantity(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "100")
        guard.fault(FaultKind.STATUS, "positions", status=503, count=3)
        await guard.scan("aged/scan")
        await guard.closed(row)
        first = guard.orders()[0]
        assert Decimal(first.params["qty"]) == 100
        assert first.params["reduceOnly"] in (True, "true")
        assert (await guard.counters())["position_validation_failures"] >= 1
        assert (await guard.counters()).get("ghost_positions_detected", 0) == 0
        assert guard.held(XRP, Side.LONG) == 0


@scenario
async def test_where_told_to_wait_nothing_is_sent_until_a_read_succeeds(tmp_path: Path) -> None:
    async with world(tmp_path, account={"on_unknown": OnUnknown.WAIT}) as guard:
        row = await guard.both(XRP, Side.LONG, "100")
        fault = guard.fault(FaultKind.STATUS, "positions", status=503, count=None)
        await guard.scan("aged/scan")

        async def failed_twice() -> bool:
            return (await guard.counters()).get("position_validation_failures", 0) >= 2

        await until(failed_twice, "two failed validations")
        assert guard.orders() == []
        assert guard.alive(LEG)
        guard.venue.faults.clear(fault)
        await guard.closed(row)
        assert len(guard.orders()) == 1


@scenario
async def test_a_position_that_is_there_is_closed_with_one_shared_read(tmp_path: Path) -> None:
    # The window is long enough for a busy machine to get from the validation to the order.
    one_window = VerdictSettings(settle=timedelta(seconds=30), fresh=timedelta(seconds=3))
    async with world(tmp_path, verdict=one_window) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        before = guard.reads()
        await guard.scan("aged/scan")
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
        assert closed.exit_price is not None
        (order,) = guard.orders()
        log = list(guard.venue.requests.requests)
        reads = [r for r in log[: log.index(order)] if r.endpoint == "positions"]
        assert len(reads) - before == 1


@scenario
async def test_a_flickering_read_makes_no_ghost(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        guard.fault(FaultKind.EMPTY_LIST, "positions", count=1)
        await guard.scan("aged/scan")
        closed = await guard.closed(row)
        assert closed.exit_reason == "aged_close_market"
        assert (await guard.counters()).get("ghost_positions_detected", 0) == 0
        assert guard.held(XRP, Side.LONG) == 0


@pytest.mark.parametrize(
    ("account", "lists"),
    [("bybit-main", "positions"), ("binance-main", "/fapi/v3/positionRisk")],
)
@scenario
async def test_lists_that_keep_leaving_a_leg_out_do_not_bury_it_while_the_venue_names_it(
    tmp_path: Path, account: str, lists: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        guard.fault(FaultKind.EMPTY_LIST, lists, count=2, account=account)
        report = await guard.scan("reconciliation", account)
        assert report.found == 1
        assert report.acted == 0
        assert await guard.same(row)
        assert guard.held(XRP, Side.LONG, account) == 10
        report = await guard.scan("reconciliation", account)
        assert report.found == 0


@pytest.mark.parametrize("account", ["bybit-main", "binance-main"])
@scenario
async def test_a_ghost_is_buried_once_the_venue_names_its_leg_flat_and_its_fills_say_how_it_ended(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.gone(XRP, Side.LONG, "10", hours=1, account=account)
        await guard.scan("reconciliation", account)
        await guard.closed(row)
        (event,) = await guard.events("reconciliation_ghost_closed")
        evidence = msgspec.convert(event.details["evidence"], Evidence, strict=False)
        assert evidence.named_flat_at == evidence.reads[-1].started_at
        assert evidence.accounting.explained_by is ExplainedBy.FILLS
        assert evidence.accounting.closed == 10


@scenario
async def test_where_the_venue_cannot_be_asked_for_the_leg_by_name_nothing_is_buried(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, accounts=("binance-main",)) as guard:
        row = await guard.gone(XRP, Side.LONG, "10", hours=1, account="binance-main")
        guard.fault(FaultKind.STATUS, "/fapi/v2/positionRisk", status=503, count=1)
        report = await guard.scan("reconciliation", "binance-main")
        assert report.acted == 0
        assert await guard.same(row)
        await guard.scan("reconciliation", "binance-main")
        await guard.closed(row)


@scenario
async def test_a_row_too_young_gets_no_verdict(tmp_path: Path) -> None:
    async with world(
        tmp_path,
        verdict=VerdictSettings(confirm_after=timedelta(seconds=0.3), fresh=timedelta(seconds=0.1)),
    ) as guard:
        row = await guard.row(XRP, Side.LONG, "10", hours=5 / 3600)
        report = await guard.scan("reconciliation")
        assert report.found == 1
        assert report.acted == 0
        assert await guard.same(row)
        assert await guard.alerts() == ()


@scenario
async def test_a_ghosts_real_exit_comes_from_the_trade_history(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        row = await guard.both(XRP, Side.LONG, "10")
        exit_price = guard.price(XRP) * Decimal("1.1")
        exit_price = exit_price.quantize(Decimal("0.0001"))
        guard.by_hand("bybit-main", XRP, Side.LONG, price=exit_price)
        await guard.scan("aged/scan")
        closed = await guard.closed(row)
        assert closed.exit_source == "venue_history"
        assert closed.exit_price == exit_price
        assert row.entry_price is not None
        gross = (exit_price - row.entry_price) * 10
        assert closed.realized_pnl is not None
        assert gross * Decimal("0.9") < closed.realized_pnl < gross


@scenario
async def test_a_leg_whose_closing_fills_cannot_be_found_is_told_and_its_row_stays(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, verdict=SETTLED_AT_ONCE) as guard:
        row = await guard.row(XRP, Side.LONG, "10")
        await guard.scan("aged/scan")
        (alert,) = await guard.alerted("unexplained_absence")
        assert (alert.level, alert.symbol) == ("critical", XRP)
        assert "the executions were read whole and show no closing" in alert.seen
        assert await guard.same(row)
        assert guard.orders() == []
        assert guard.venue.requests.count("order.cancel") == 0
        assert (await guard.counters()).get("ghost_positions_detected", 0) == 0
        await guard.scan("reconciliation")
        assert len(await guard.alerts("unexplained_absence")) == 1


@scenario
async def test_where_the_settings_accept_it_such_a_row_is_closed_in_time_with_an_unknown_exit(
    tmp_path: Path,
) -> None:
    accepting = msgspec.structs.replace(
        SETTLED_AT_ONCE, unexplained=OnUnexplained.ACCEPT, accept_after=timedelta(seconds=2)
    )
    async with world(tmp_path, verdict=accepting) as guard:
        row = await guard.row(XRP, Side.LONG, "10", hours=1)
        await guard.scan("reconciliation")
        (alert,) = await guard.alerted("unexplained_absence")

        async def accepted() -> bool:
            await guard.scan("reconciliation")
            return not await guard.same(row)

        await until(accepted, "it has been gone for long enough")
        closed = await guard.closed(row)
        assert closed.exit_source == "unknown"
        assert closed.exit_price == row.entry_price
        assert closed.realized_pnl == 0
        assert closed.exit_reason == "accepted: gone from the exchange without a record"
        (ghost,) = await guard.alerted("ghost_position")
        assert "unknown" in ghost.done

        async def over() -> bool:
            await guard.scan("reconciliation")
            (told,) = await guard.alerts("unexplained_absence")
            return told.resolved_at is not None

        await until(over, f"{alert.title} needs nobody any more")


@scenario
async def test_a_truncated_read_is_unknown_for_what_it_did_not_show(tmp_path: Path) -> None:
    async def crowd(guard: World) -> None:
        """List more than one page of 200 holds."""
        like = guard.market.listing(Exchange.BYBIT, XRP)
        for number in range(205):
            symbol = f"C{number}/USDT:USDT"
            coin = msgspec.structs.replace(
                like.instrument, symbol=symbol, venue_id=f"C{number}USDT", base=f"C{number}"
            )
            guard.market.list(replace(like, instrument=coin))

    async with world(tmp_path, account={"on_unknown": OnUnknown.WAIT}, before=crowd) as guard:
        for number in range(205):
            guard.market.open_position("bybit-main", f"C{number}/USDT:USDT", Side.LONG, Decimal(10))
        shown = await guard.row("C0/USDT:USDT", Side.LONG, "10", price="2", hours=1)
        gone = await guard.row(XRP, Side.LONG, "10", hours=1)
        guard.fault(FaultKind.MISSING_LIST, "positions", page=2, count=None)
        report = await guard.scan("reconciliation")
        assert "malformed" in report.problem
        assert report.acted == 0
        assert await guard.same(shown)
        assert await guard.same(gone)


@pytest.mark.parametrize("account", ["bybit-main", "binance-main"])
@scenario
async def test_in_hedge_mode_only_the_leg_that_is_gone_is_a_ghost(
    tmp_path: Path, account: str
) -> None:
    async def hedged(guard: World) -> None:
        guard.market.accounts[account].hedged = True

    async with world(tmp_path, accounts=(account,), before=hedged) as guard:
        long = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        short = await guard.both(XRP, Side.SHORT, "10", hours=1, account=account)
        guard.by_hand(account, XRP, Side.LONG)
        await guard.scan("reconciliation", account)
        closed = await guard.closed(long)
        assert closed.exit_reason == "reconciliation: position not found on exchange"
        assert await guard.same(short)
        assert guard.held(XRP, Side.SHORT, account) == 10
