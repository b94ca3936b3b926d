"""The in-process venue on a simulated loop: virtual time, drawn latency, one seed one story."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import detangle
import pytest

from messages.values import Side
from simulator import Fault, FaultBook, FaultKind, MemoryVenue, demo_market, opening_fills
from tests.simulator.conftest import BTC, START, dec
from tests.simulator.orders import close


async def latency() -> None:
    await asyncio.sleep(detangle.uniform(0.01, 0.4))


async def busy_day(seed: int) -> list[str]:
    """Four askers close a position bit by bit for a day, over a bad line."""
    market = demo_market(lambda: START + timedelta(seconds=detangle.now()), seed)
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    faults = FaultBook(random.Random(seed))
    faults.order(Fault(kind=FaultKind.DROP_AFTER, count=None, probability=0.2))
    faults.order(Fault(kind=FaultKind.DELAY, count=None, probability=0.1, seconds=11))
    venue = MemoryVenue(market, "bybit-main", latency=latency, faults=faults)
    told: list[str] = []

    async def asker(name: str) -> None:
        for number in range(24):
            told.append(f"{detangle.now():.6f} {await venue.fetch_positions()!r}")
            told.append(repr(await venue.place(close("0.05", f"{name}{number}"))))
            await asyncio.sleep(3600)

    await asyncio.gather(*map(asker, "abcd"))
    assert market.quantity("bybit-main", BTC, Side.LONG) == 0
    assert opening_fills(market) == []
    return told


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_repeats_a_day_at_the_venue(seed: int) -> None:
    first = detangle.run(lambda: busy_day(seed), seed=seed)
    assert detangle.run(lambda: busy_day(seed), seed=seed) == first


def test_another_seed_makes_another_day() -> None:
    first = detangle.run(lambda: busy_day(1), seed=1)
    assert detangle.run(lambda: busy_day(2), seed=2) != first
