"""After a leg has ended its orders go; the bot's orders for its next entry do not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from messages.settings import Leftovers
from messages.values import OrderSide, Side
from simulator.state import Order, OrderSpec
from tests.scenarios.world import XRP, World, scenario, world

ACCOUNTS = ["bybit-main", "binance-main"]


def place(
    guard: World, account: str, name: str, side: OrderSide, at: str, *, entry: bool = False
) -> None:
    """An order of the bot's: a resting entry, or a reduce-only stop, at a share of the price."""
    owner = guard.market.accounts[account]
    listing = guard.market.listing(owner.exchange, XRP)
    price = listing.to_tick(guard.price(XRP, account) * Decimal(at))
    placed = guard.market.place(
        owner,
        OrderSpec(
            symbol_id=listing.id,
            side=side,
            quantity=Decimal(100),
            price=price if entry else None,
            trigger_price=None if entry else price,
            trigger_rising=False,
            reduce_only=not entry,
            client_id=name,
        ),
    )
    assert isinstance(placed, Order), placed


def resting(guard: World, account: str) -> set[str]:
    owner = guard.market.accounts[account]
    listing = guard.market.listing(owner.exchange, XRP)
    return {order.spec.client_id for order in owner.live_orders(listing.id)}


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("reenters", [True, False])
@scenario
async def test_a_stop_that_belongs_to_the_bots_next_entry_stays_and_any_other_goes(
    tmp_path: Path, account: str, reenters: bool
) -> None:
    cleaning = {"leftovers": Leftovers.ALL}
    async with world(tmp_path, accounts=(account,), account=cleaning) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        guard.by_hand(account, XRP, Side.LONG)
        left = resting(guard, account)
        place(guard, account, "bot-stop", OrderSide.SELL, "0.9")
        if reenters:
            place(guard, account, "bot-entry", OrderSide.BUY, "0.98", entry=True)
        await guard.scan("reconciliation", account)
        await guard.closed(row)
        assert guard.venue.requests.count("order.open", account) > 0
        assert resting(guard, account) - left == ({"bot-entry", "bot-stop"} if reenters else set())
        assert len(await guard.events("leftovers_cancelled")) == (0 if reenters else 1)


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_unless_told_so_the_guard_cancels_no_order_that_is_not_its_own(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        guard.by_hand(account, XRP, Side.LONG)
        place(guard, account, "bot-stop", OrderSide.SELL, "0.9")
        await guard.scan("reconciliation", account)
        await guard.closed(row)
        assert "bot-stop" in resting(guard, account)
        assert guard.venue.requests.count("order.cancel") == 0
        assert await guard.events("leftovers_cancelled") == ()
