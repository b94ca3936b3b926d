"""Loaded markets do not weigh on the garbage collector."""

from __future__ import annotations

import asyncio
import gc

from tests.venues.simulated import simulated
from venues.simulator.instruments import Exchange


def test_markets_are_set_apart_when_loaded_and_given_back_when_the_account_is_closed() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BYBIT) as at:
            await at.venue.connect()
            assert gc.get_freeze_count() > 0
        assert gc.get_freeze_count() == 0

    gc.unfreeze()
    asyncio.run(scenario())
