"""The position stream wakes those who ask the venue; it never decides."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from messages.settings import VerdictSettings
from messages.values import Side
from simulator.faults import FaultKind
from tests.scenarios.world import AVL, XRP, World, scenario, until, world

ACCOUNTS = ["bybit-main", "binance-main"]


async def connected(guard: World, account: str, times: int = 1) -> None:
    await until(
        lambda: guard.state(f"accounts/{account}/stream").get("connects", 0) >= times,
        f"the stream stands for the {times}. time",
        30,
    )


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_manual_close_is_noticed_by_the_stream_and_judged_by_a_read(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), account={"stream": True}) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await connected(guard, account)
        reads = guard.reads(account)
        guard.by_hand(account, XRP, Side.LONG)
        closed = await guard.closed(row)
        assert closed.exit_reason == "reconciliation: position not found on exchange"
        assert closed.exit_source == "venue_history"
        assert guard.reads(account) > reads
        (ended,) = await guard.events("reconciliation_ghost_closed")
        assert ended.details["evidence"]


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_position_opened_by_hand_is_an_orphan_once_it_has_settled_without_an_interval(
    tmp_path: Path, account: str
) -> None:
    soon = VerdictSettings(
        confirm_after=timedelta(seconds=0.5),
        settle=timedelta(seconds=2),
        fresh=timedelta(seconds=0.2),
    )
    stream = {"stream": True}
    async with world(tmp_path, accounts=(account,), account=stream, verdict=soon) as guard:
        await connected(guard, account)
        guard.market.open_position(account, AVL, Side.LONG, Decimal(86))
        (alert,) = await guard.alerted("orphaned_position")
        assert alert.symbol == AVL


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_what_happened_while_the_socket_was_cut_is_found_after_it_stands_again(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), account={"stream": True}) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1, account=account)
        await connected(guard, account)
        guard.fault(FaultKind.CUT_STREAM, "*", account=account)
        guard.by_hand(account, XRP, Side.LONG)
        await connected(guard, account, 2)
        await guard.closed(row)


@scenario
async def test_a_stream_that_says_flat_while_the_venue_shows_the_leg_closes_nothing(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, account={"stream": True}) as guard:
        row = await guard.both(XRP, Side.LONG, "10", hours=1)
        await connected(guard, "bybit-main")
        guard.by_hand("bybit-main", XRP, Side.LONG)
        guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(10))
        await until(
            lambda: guard.state("accounts/bybit-main/stream")["hints"] >= 2, "both hints came"
        )
        await guard.scan("reconciliation")
        assert await guard.same(row)
