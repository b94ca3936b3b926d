"""A position that the bot has just opened is no orphan yet, and nobody touches it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from messages.ledger import NewPosition
from messages.settings import OrphanPolicy, VerdictSettings
from messages.values import Side
from simulator.faults import FaultKind
from tests.scenarios.world import AVL, XRP, World, ago, now, scenario, until, world

ACCOUNTS = ["bybit-main", "binance-main"]
SETTLE = 3.0


def quick(account: str, policy: OrphanPolicy, **more: Any) -> dict[str, Any]:
    """An account that follows its stream, and a guard that waits for rows for three seconds."""
    return {
        "accounts": (account,),
        "account": {"orphans": policy, "stream": True, **more},
        "verdict": VerdictSettings(
            confirm_after=timedelta(seconds=0.5),
            settle=timedelta(seconds=SETTLE),
            fresh=timedelta(seconds=0.2),
        ),
    }


async def followed(guard: World, account: str) -> None:
    path = f"accounts/{account}/stream"
    await until(lambda: guard.state(path).get("status") == "connected", "the stream is up")


def monitor(guard: World, account: str) -> dict[str, Any]:
    return guard.state(f"accounts/{account}/orphans")


async def seen_fresh(guard: World, account: str) -> None:
    await until(lambda: bool(monitor(guard, account)["fresh"]), "the stream has shown it")


@pytest.mark.parametrize("policy", OrphanPolicy)
@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_row_that_the_bot_writes_late_finds_its_position_as_it_was(
    tmp_path: Path, account: str, policy: OrphanPolicy
) -> None:
    async with world(tmp_path, **quick(account, policy)) as guard:
        await followed(guard, account)
        guard.market.open_position(account, XRP, Side.LONG, Decimal(10))
        await seen_fresh(guard, account)
        assert monitor(guard, account)["orphans"] == []
        row = await guard.row(XRP, Side.LONG, "10", hours=0, account=account)
        scans = monitor(guard, account)["scans"]
        await until(lambda: monitor(guard, account)["scans"] > scans, "it has looked again")
        assert monitor(guard, account)["fresh"] == []
        assert guard.held(XRP, Side.LONG, account) == 10
        assert guard.orders(account) == []
        assert [found.id for found in await guard.ledger.rows()] == [row.id]
        assert await guard.alerts("orphaned_position") == ()


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_position_without_a_row_is_called_an_orphan_and_closed_when_it_has_settled(
    tmp_path: Path, account: str
) -> None:
    """No interval comes to help: the monitor looks again by itself."""
    async with world(tmp_path, **quick(account, OrphanPolicy.CLOSE)) as guard:
        await followed(guard, account)
        opened = now()
        guard.market.open_position(account, XRP, Side.LONG, Decimal(10))
        (alert,) = await guard.alerted("orphaned_position")
        settled = opened + timedelta(seconds=SETTLE)
        # The venue's clock gives its word in whole milliseconds.
        assert alert.raised_at >= settled - timedelta(milliseconds=10)
        await until(lambda: not guard.held(XRP, Side.LONG, account), "the orphan is closed")
        assert now() >= settled
        assert len(guard.orders(account)) == 1


@scenario
async def test_reads_that_fail_just_when_it_has_settled_do_not_leave_it_to_the_next_interval(
    tmp_path: Path,
) -> None:
    account = "binance-main"
    async with world(tmp_path, **quick(account, OrphanPolicy.ALERT)) as guard:
        await followed(guard, account)
        guard.market.open_position(account, XRP, Side.LONG, Decimal(10))
        await seen_fresh(guard, account)
        scans = monitor(guard, account)["scans"]
        fault = guard.fault(FaultKind.STATUS, "positions", status=503, count=None)
        await until(lambda: monitor(guard, account)["scans"] > scans, "it has looked in vain")
        assert await guard.alerts("orphaned_position") == ()
        guard.venue.faults.clear(fault)
        (alert,) = await guard.alerted("orphaned_position")
        assert alert.symbol == XRP


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_an_old_position_is_told_of_at_the_first_look_and_acted_on_once_it_has_settled(
    tmp_path: Path, account: str
) -> None:
    """Bybit's positions tell when they were opened, Binance's when they last changed."""
    async with world(tmp_path, **quick(account, OrphanPolicy.ADOPT, stream=False)) as guard:
        guard.market.open_position(account, XRP, Side.LONG, Decimal(10), opened_at=ago(1))
        seen = now()
        report = await guard.scan("orphans", account)
        assert (report.found, report.acted) == (1, 0)
        await guard.alerted("orphaned_position")

        async def adopted() -> bool:
            return bool(await guard.events("orphan_adopted"))

        await until(adopted, "the orphan is adopted")
        (event,) = await guard.events("orphan_adopted")
        assert event.at >= seen + timedelta(seconds=SETTLE)


@scenario
async def test_a_position_that_is_traded_meanwhile_is_left_alone_for_as_long_again(
    tmp_path: Path,
) -> None:
    account = "bybit-main"
    async with world(tmp_path, **quick(account, OrphanPolicy.CLOSE, stream=False)) as guard:
        guard.market.open_position(account, XRP, Side.LONG, Decimal(10), opened_at=ago(1))
        await guard.scan("orphans", account)
        await asyncio.sleep(SETTLE / 2)  # so that the trade is well apart from the first look
        guard.market.open_position(account, XRP, Side.LONG, Decimal(5))
        traded = now()
        await guard.scan("orphans", account)
        await until(lambda: not guard.held(XRP, Side.LONG, account), "the orphan is closed")
        (order,) = guard.orders(account)
        assert order.at >= traded + timedelta(seconds=SETTLE)


@scenario
async def test_an_adoption_that_is_repeated_after_an_outage_writes_no_second_row(
    tmp_path: Path,
) -> None:
    account = "bybit-main"
    async with world(tmp_path, **quick(account, OrphanPolicy.ADOPT, stream=False)) as guard:
        opened = ago(1)
        guard.market.open_position(account, XRP, Side.LONG, Decimal(10), opened_at=opened)
        await guard.scan("orphans", account)

        async def adopted() -> bool:
            return bool(await guard.ledger.rows())

        await until(adopted, "the orphan is adopted")
        (row,) = await guard.ledger.rows()
        (seen,) = await guard.ledger.orphan_records(account)
        name = f"adopt:{account} {XRP} long:{seen.first_seen_at.isoformat()}"
        with closing(sqlite3.connect(tmp_path / "sexton.db")) as connection:
            assert connection.execute("SELECT request_id FROM positions").fetchall() == [(name,)]
        again = NewPosition(
            account=account,
            symbol=XRP,
            side=Side.LONG,
            quantity=Decimal(10),
            entry_price=guard.price(XRP),
            opened_at=opened,
            request_id=name,
        )
        assert (await guard.ledger.add_position(again)).id == row.id


@scenario
async def test_a_restart_neither_forgets_nor_shortens_the_wait(tmp_path: Path) -> None:
    account = "bybit-main"
    path = f"accounts/{account}/orphans"
    async with world(tmp_path, **quick(account, OrphanPolicy.CLOSE)) as guard:
        await followed(guard, account)
        opened = now()
        guard.market.open_position(account, AVL, Side.LONG, Decimal(86))
        await seen_fresh(guard, account)
        guard.system.kill(path)
        await until(partial(has_scanned, guard, path), "the new incarnation has scanned")
        assert guard.held(AVL, Side.LONG) == 86
        await guard.alerted("orphaned_position")
        await until(lambda: not guard.held(AVL, Side.LONG), "the orphan is closed")
        (order,) = guard.orders(account)
        assert order.at >= opened + timedelta(seconds=SETTLE)
        assert len(await guard.events("orphan_detected")) == 1


def has_scanned(guard: World, path: str) -> bool:
    return bool(guard.state(path).get("scans", 0))
