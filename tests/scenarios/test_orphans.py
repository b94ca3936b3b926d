"""Scenario 4: what is open at the venue and known to nobody."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from messages.settings import OrphanPolicy, VerdictSettings
from messages.values import OrderSide, Side
from simulator.state import Order, OrderSpec
from tests.scenarios.world import AVL, BTC, ETH, XRP, World, ago, scenario, until, world

SOON = VerdictSettings(
    confirm_after=timedelta(seconds=0.5),
    settle=timedelta(seconds=1),
    fresh=timedelta(seconds=0.2),
)
"""An orphan is acted on a second after it was first seen."""


async def acted(guard: World, account: str, count: int = 1) -> None:
    """Wait until the monitor has acted on so many orphans; it looks again by itself."""
    path = f"accounts/{account}/orphans"
    await until(lambda: guard.state(path)["actions"] >= count, f"{count} orphans are acted on")


@scenario
async def test_an_orphan_is_alerted_once_with_all_that_is_known(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        guard.market.open_position(
            "bybit-main", AVL, Side.LONG, Decimal(86), opened_at=ago(1), leverage=Decimal(10)
        )
        report = await guard.scan("orphans")
        assert report.found == 1
        (alert,) = await guard.alerted("orphaned_position")
        assert alert.title == f"ORPHANED POSITION DETECTED: bybit-main {AVL} long"
        assert alert.level == "critical"
        details = alert.details
        assert details["stop_loss"] == "NO STOP LOSS"
        assert details["contracts"] == "86"
        assert details["quantity"] == "86"
        assert details["leverage"] == "10"
        for name in ("entry_price", "mark_price", "unrealized_pnl", "liquidation_price"):
            assert details[name] is not None, name
        assert details["exchange"] == "bybit"


@scenario
async def test_where_all_is_tracked_nothing_is_alerted(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        await guard.both(AVL, Side.LONG, "86", hours=1)
        report = await guard.scan("orphans")
        assert (report.found, report.problem) == (0, "")
        assert await guard.alerts() == ()


@scenario
async def test_an_orphan_that_stays_is_said_once_and_resolved_when_it_goes(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        guard.market.open_position("bybit-main", AVL, Side.LONG, Decimal(86), opened_at=ago(1))
        for _ in range(3):
            await guard.scan("orphans")
        (alert,) = await guard.alerted("orphaned_position")
        assert alert.resolved_at is None
        guard.by_hand("bybit-main", AVL, Side.LONG)
        await guard.scan("orphans")

        async def resolved() -> bool:
            (found,) = await guard.alerts("orphaned_position")
            return found.resolved_at is not None

        await until(resolved, "the alert is resolved")
        (alert,) = await guard.alerts("orphaned_position")
        assert alert.resolution == "it is no longer on the exchange"


@scenario
async def test_a_known_position_without_a_stop_is_naked_and_one_with_a_stop_is_not(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as guard:
        await guard.both(BTC, Side.LONG, "0.01", hours=1)
        guard.market.open_position("bybit-main", ETH, Side.LONG, Decimal("0.1"))
        await guard.row(ETH, Side.LONG, "0.1", hours=1)
        await guard.scan("orphans")
        (alert,) = await guard.alerted("naked_position")
        assert alert.symbol == ETH
        assert "NO STOP LOSS" in alert.title


@pytest.mark.parametrize("account", ["bybit-main", "binance-main"])
@scenario
async def test_an_adopted_orphan_keeps_the_venues_open_time_and_is_adopted_once(
    tmp_path: Path, account: str
) -> None:
    """Bybit's position row tells it, Binance's fills do; an earlier life of the leg tells not."""
    policy = {"orphans": OrphanPolicy.ADOPT}
    async with world(tmp_path, accounts=(account,), account=policy, verdict=SOON) as guard:
        opened = ago(1)
        guard.market.open_position(account, XRP, Side.LONG, Decimal(30), opened_at=ago(48))
        guard.by_hand(account, XRP, Side.LONG, closed_at=ago(47))
        guard.market.open_position(account, XRP, Side.LONG, Decimal(20), opened_at=opened)
        guard.market.open_position(account, XRP, Side.LONG, Decimal(30), opened_at=ago(0.5))
        await guard.scan("orphans", account)
        await acted(guard, account)
        await guard.scan("orphans", account)
        (row,) = await guard.ledger.rows()
        assert (row.symbol, row.side, row.quantity) == (XRP, "long", Decimal(50))
        assert row.opened_at is not None
        assert abs((row.opened_at - opened).total_seconds()) < 1


@scenario
async def test_a_leg_whose_opening_the_fills_do_not_show_is_not_adopted_but_alerted(
    tmp_path: Path,
) -> None:
    policy = {"orphans": OrphanPolicy.ADOPT}
    names = ("binance-main",)
    async with world(tmp_path, accounts=names, account=policy, verdict=SOON) as guard:
        guard.market.open_position(
            "binance-main", XRP, Side.LONG, Decimal(50), opened_at=ago(24 * 120)
        )
        await guard.scan("orphans", "binance-main")
        await until(
            lambda: guard.venue.requests.count("fills", "binance-main") > 0,
            "its fills are asked for",
        )
        await guard.alerted("orphaned_position")
        await guard.scan("orphans", "binance-main")
        assert await guard.ledger.rows() == ()
        asked = guard.venue.requests.count("fills", "binance-main")
        await guard.scan("orphans", "binance-main")
        assert guard.venue.requests.count("fills", "binance-main") == asked


@scenario
async def test_an_hourly_cap_of_one_closes_one_of_three_orphans_and_alerts_all(
    tmp_path: Path,
) -> None:
    policy = {"orphans": OrphanPolicy.CLOSE, "orphan_actions_per_hour": 1}
    async with world(tmp_path, account=policy, verdict=SOON) as guard:
        for symbol, quantity in ((BTC, "0.01"), (ETH, "0.1"), (XRP, "50")):
            guard.market.open_position(
                "bybit-main", symbol, Side.LONG, Decimal(quantity), None, ago(1)
            )
        report = await guard.scan("orphans")
        assert report.found == 3
        await acted(guard, "bybit-main")
        await guard.scan("orphans")
        held = [s for s in (BTC, ETH, XRP) if guard.held(s, Side.LONG)]
        assert len(held) == 2
        assert len(await guard.alerted("orphaned_position", 3)) == 3
        assert len(guard.orders()) == 1


@scenario
async def test_a_protected_orphan_gets_one_reduce_only_stop(tmp_path: Path) -> None:
    policy = {"orphans": OrphanPolicy.PROTECT}
    async with world(tmp_path, account=policy, verdict=SOON) as guard:
        guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(50))
        await guard.scan("orphans")
        await acted(guard, "bybit-main")
        await guard.scan("orphans")
        (order,) = guard.orders()
        assert order.params["reduceOnly"] in (True, "true")
        assert Decimal(order.params["triggerPrice"]) < guard.price(XRP)
        assert guard.held(XRP, Side.LONG) == 50


@scenario
async def test_after_a_restart_an_orphan_is_not_announced_again(tmp_path: Path) -> None:
    async with world(tmp_path) as guard:
        guard.market.open_position("bybit-main", AVL, Side.LONG, Decimal(86), opened_at=ago(1))
        await guard.scan("orphans")
        await guard.alerted("orphaned_position")
        for path in ("accounts/bybit-main/orphans", "alerts"):
            guard.system.kill(path)
        await until(
            lambda: guard.state("accounts/bybit-main/orphans").get("scans", 0) > 0,
            "the new incarnation has scanned",
        )
        await guard.scan("orphans")
        assert len(await guard.alerts("orphaned_position")) == 1
        assert len(await guard.events("orphan_detected")) == 1


STOPS = [
    ("bybit-main", "attached", "stop loss"),
    ("bybit-main", "trigger", "stop loss"),
    ("binance-main", "trigger", "stop loss"),
    ("bybit-main", "half", "for 43 only"),
    ("bybit-main", "wrong side", "NO STOP LOSS"),
]


@pytest.mark.parametrize(("account", "how", "said"), STOPS)
@scenario
async def test_an_orphans_stops_are_seen_wherever_the_venue_keeps_them(
    tmp_path: Path, account: str, how: str, said: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SOON) as guard:
        owner = guard.market.accounts[account]
        listing = guard.market.listing(owner.exchange, AVL)
        price = guard.price(AVL, account)
        below, above = (
            listing.to_tick(price * Decimal("0.97")),
            listing.to_tick(price * Decimal("1.03")),
        )
        guard.market.open_position(
            account,
            AVL,
            Side.LONG,
            Decimal(86),
            opened_at=ago(1),
            stop_loss=below if how == "attached" else None,
        )
        if how != "attached":
            wrong = how == "wrong side"
            placed = guard.market.place(
                owner,
                OrderSpec(
                    symbol_id=listing.id,
                    side=OrderSide.BUY if wrong else OrderSide.SELL,
                    quantity=Decimal(43 if how == "half" else 86),
                    trigger_price=above if wrong else below,
                    trigger_rising=wrong,
                    reduce_only=not wrong,
                ),
            )
            assert isinstance(placed, Order), placed
        await guard.scan("orphans", account)
        (alert,) = await guard.alerted("orphaned_position")
        assert said in str(alert.details["stop_loss"])
