"""Scenario 3: all aged legs of an account are judged from one fetch."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from actors.aged_scan import Validate
from messages.ledger import PositionRow
from messages.settings import AgedSettings
from messages.values import Side
from simulator.faults import FaultKind
from tests.scenarios.world import AVL, BTC, ETH, NEVER, SOL, XRP, World, scenario, until, world

FIVE = ((BTC, "0.01"), (ETH, "0.1"), (SOL, "1"), (XRP, "100"), (AVL, "100"))

EVERY_HALF_SECOND = AgedSettings(
    scan_every=NEVER, validate_every=timedelta(seconds=0.5), check_every=timedelta(seconds=0.2)
)
OFF = msgspec.structs.replace(EVERY_HALF_SECOND, validate_every=NEVER)


async def five_losing(guard: World) -> dict[str, PositionRow]:
    """Aged legs in grace that no price lets go: bought far above the market."""
    rows: dict[str, PositionRow] = {}
    for symbol, quantity in FIVE:
        guard.market.open_position("bybit-main", symbol, Side.LONG, Decimal(quantity))
        rows[symbol] = await guard.row(
            symbol, Side.LONG, quantity, price=guard.price(symbol) * 2, hours=4
        )
    return rows


@scenario
async def test_one_of_three_closed_by_hand_is_found_within_one_interval(tmp_path: Path) -> None:
    async with world(tmp_path, aged=EVERY_HALF_SECOND) as guard:
        rows = await five_losing(guard)
        await guard.scan("aged/scan")
        guard.by_hand("bybit-main", XRP, Side.LONG)
        closed = await guard.closed(rows[XRP], seconds=5)
        assert closed.exit_reason == "ghost_detected_periodic_validation"
        for symbol, row in rows.items():
            if symbol != XRP:
                assert await guard.same(row)
        await until(
            lambda: not guard.alive("accounts/bybit-main/aged/XRPUSDT.long"),
            "the ghost's actor is gone",
        )
        assert guard.alive("accounts/bybit-main/aged/BTCUSDT.long")
        assert guard.orders() == []


@scenario
async def test_three_ghosts_of_five_are_found_from_one_fetch(tmp_path: Path) -> None:
    async with world(tmp_path, aged=OFF) as guard:
        rows = await five_losing(guard)
        await guard.scan("aged/scan")
        gone = (BTC, SOL, AVL)
        for symbol in gone:
            guard.by_hand("bybit-main", symbol, Side.LONG)
        before = guard.reads()
        guard.system.tell("accounts/bybit-main/aged/scan", Validate())
        for symbol in gone:
            await guard.closed(rows[symbol])
        assert guard.reads() - before == 1
        assert await guard.same(rows[ETH])
        assert await guard.same(rows[XRP])
        assert (await guard.counters())["ghost_positions_handled"] == 3


@scenario
async def test_validation_lives_on_while_every_second_read_fails(tmp_path: Path) -> None:
    async with world(tmp_path, aged=EVERY_HALF_SECOND) as guard:
        rows = await five_losing(guard)
        await guard.scan("aged/scan")
        guard.fault(FaultKind.STATUS, "positions", status=503, count=None, probability=0.5)

        def lives_on() -> bool:
            state = guard.state("accounts/bybit-main/aged/scan")
            good = state["validations"] - state["validation_errors"]
            return bool(state["validation_errors"] >= 2 and good >= 2)

        await until(lives_on, "two failed and two good validations")
        for row in rows.values():
            assert await guard.same(row)

        async def counted() -> bool:
            return (await guard.counters()).get("position_validation_failures", 0) >= 2

        await until(counted, "both failures are counted")
        assert (await guard.counters()).get("ghost_positions_detected", 0) == 0


@scenario
async def test_legs_that_close_together_share_one_validation_fetch(tmp_path: Path) -> None:
    async def prepare(guard: World) -> None:
        for symbol, quantity in FIVE:
            for side in (Side.LONG, Side.SHORT):
                await guard.both(symbol, side, quantity)

    def hedge(guard: World) -> None:
        guard.market.accounts["bybit-main"].hedged = True

    async def before(guard: World) -> None:
        hedge(guard)
        await prepare(guard)

    async with world(tmp_path, before=before) as guard:
        await until(lambda: len(guard.orders()) >= 10, "ten closes were sent")
        log = list(guard.venue.requests.requests)
        first = log.index(guard.orders()[0])
        reads = [r for r in log[:first] if r.endpoint == "positions"]
        windows = (log[first].at - reads[0].at) / guard.settings.verdict.fresh
        assert len(reads) <= 1 + windows
        for row in await guard.ledger.rows():
            closed = await guard.closed(row)
            assert closed.exit_source == "fill"
        validated = await guard.events("close_decided")
        assert len(validated) == 10
