"""The ledger is made anew after a close, and its rows begin at 1 again (scenario 9.13)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from messages.settings import AgedSettings
from messages.values import Side
from simulator.server import SimulatedVenue
from tests.scenarios.world import NEVER, SETTLED_AT_ONCE, XRP, scenario, world

AGED_AT_ONCE = AgedSettings(
    max_age=timedelta(0),
    grace=timedelta(0),
    market_after=timedelta(0),
    scan_every=NEVER,
    validate_every=NEVER,
    check_every=timedelta(seconds=0.2),
)


@pytest.mark.parametrize("account", ["bybit-main", "binance-main"])
@scenario
async def test_9_13_the_same_row_in_a_new_ledger_is_closed_by_an_order_of_its_own(
    tmp_path: Path, account: str
) -> None:
    async with SimulatedVenue(seed=7) as venue:
        lives = []
        for folder in (tmp_path / "old", tmp_path / "new"):
            folder.mkdir()
            async with world(
                folder,
                accounts=(account,),
                venue=venue,
                aged=AGED_AT_ONCE,
                verdict=SETTLED_AT_ONCE,
            ) as guard:
                # The second time the venue knows of an order for row 1 that filled all of it.
                row = await guard.both(XRP, Side.LONG, "10", hours=0, account=account)
                await guard.scan("aged/scan", account)
                closed = await guard.closed(row)
                (intent,) = await guard.ledger.intents(account=account)
                lives.append((row, closed, intent))
                assert guard.held(XRP, Side.LONG, account) == 0
                assert await guard.alerts("unexplained_absence") == ()
        (first, closed, old), (second, closed_again, new) = lives
        same = {"opened_at": None, "updated_at": None, "entry_price": None}
        assert msgspec.structs.replace(first, **same) == msgspec.structs.replace(second, **same)
        assert len(venue.requests.orders(account)) == 2
        assert old.client_order_id != new.client_order_id
        assert old.order_id != new.order_id
        assert (closed.exit_source, closed_again.exit_source) == ("fill", "fill")
        assert closed_again.exit_price == new.average
