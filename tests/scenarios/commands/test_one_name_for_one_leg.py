"""9.10: contracts that differ in settle currency or expiry only are legs of their own."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec

from actors import paths
from messages.to_monitors import CloseByOrder, Ordered
from messages.values import LegKey, Side
from simulator.instruments import Exchange, quarter_end
from tests.scenarios.commands.kit import BYBIT, outcome
from tests.scenarios.world import World, now, scenario, until, world

EXPIRY = quarter_end(now())
CODE = EXPIRY.strftime("%y%m%d")
LINEAR, INVERSE = f"BTC/USD:USD-{CODE}", f"BTC/USD:BTC-{CODE}"


async def listed(guard: World) -> None:
    """Two contracts of one coin and one expiry, the one in dollars and the other in coins."""
    market = guard.market
    linear = market.listing(Exchange.BYBIT, f"BTC/USDT:USDT-{CODE}")
    inverse = market.listing(Exchange.BYBIT, "BTC/USD:BTC")
    day = EXPIRY.strftime("%d%b%y").upper()
    of_linear = msgspec.structs.replace(
        linear.instrument, symbol=LINEAR, quote="USD", settle="USD", venue_id=f"BTCUSDX-{day}"
    )
    of_inverse = msgspec.structs.replace(
        inverse.instrument, symbol=INVERSE, venue_id="BTCUSDZ26", expires_at=EXPIRY
    )
    market.list(replace(linear, instrument=of_linear))
    market.list(replace(inverse, instrument=of_inverse))
    market.accounts[BYBIT].wallet["USD"] = Decimal(10_000_000)


@scenario
async def test_9_10_an_order_for_the_inverse_leg_leaves_the_linear_one_alone(
    tmp_path: Path,
) -> None:
    settles = {"settles": ("USD", "BTC")}
    async with world(tmp_path, account=settles, before=listed) as guard:
        linear = await guard.both(LINEAR, Side.LONG, "0.5", hours=4)
        inverse = await guard.both(INVERSE, Side.LONG, "1000", hours=4)
        keys = [LegKey(BYBIT, symbol, Side.LONG) for symbol in (LINEAR, INVERSE)]
        assert len({paths.aged_leg(key) for key in keys}) == 2
        # Bought above the market, and in grace: nothing but the order closes either.
        for row in (linear, inverse):
            assert row.entry_price is not None
            amended = row.entry_price * 2
            assert await guard.ledger.amend_position(BYBIT, row.id, entry_price=amended)
        await guard.scan("aged/scan")
        await until(
            lambda: all(guard.alive(str(paths.aged_leg(key))) for key in keys), "both have actors"
        )
        answer = await guard.system.ask(
            paths.aged_scan(BYBIT), CloseByOrder(key=keys[1], by="ann"), timeout=60.0
        )
        assert isinstance(answer, Ordered), answer
        assert (await outcome(guard, answer.command)).key == keys[1]
        await guard.closed(inverse)
        assert guard.held(INVERSE, Side.LONG) == 0
        assert guard.held(LINEAR, Side.LONG) == Decimal("0.5")
        assert await guard.same(linear)
