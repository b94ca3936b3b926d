"""The guard's own stop dies with its leg, and a bot's is not touched (scenario 9.18)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from messages.settings import OrphanPolicy, VerdictSettings
from messages.values import OrderSide, Side
from simulator.state import Order, OrderSpec
from tests.scenarios.world import XRP, ago, scenario, until, world

QUICK = VerdictSettings(
    confirm_after=timedelta(seconds=0.3),
    settle=timedelta(seconds=1),
    fresh=timedelta(seconds=0.2),
)


@pytest.mark.parametrize("account", ["bybit-main", "binance-main"])
@scenario
async def test_a_protected_orphan_that_is_closed_by_hand_takes_our_stop_with_it(
    tmp_path: Path, account: str
) -> None:
    protect = {"orphans": OrphanPolicy.PROTECT}
    async with world(tmp_path, accounts=(account,), verdict=QUICK, account=protect) as guard:
        price = guard.price(XRP, account)
        guard.market.open_position(account, XRP, Side.LONG, Decimal(10), price, ago(1))
        owner = guard.market.accounts[account]

        def stops() -> int:
            return sum(o.spec.trigger_price is not None for o in owner.live_orders("XRPUSDT"))

        async def protected() -> bool:
            await guard.scan("orphans", account)
            return stops() == 1

        await until(protected, "the orphan has a stop of ours")
        target = OrderSpec(
            symbol_id="XRPUSDT",
            side=OrderSide.SELL,
            quantity=Decimal(10),
            reduce_only=True,
            trigger_price=price * 2,
            trigger_rising=True,
        )
        theirs = guard.market.place(owner, target)
        assert isinstance(theirs, Order), theirs
        guard.by_hand(account, XRP, Side.LONG)

        async def ours_is_gone() -> bool:
            await guard.scan("orphans", account)
            return stops() <= 1

        await until(ours_is_gone, "our stop is cancelled")
        assert theirs.state.live
