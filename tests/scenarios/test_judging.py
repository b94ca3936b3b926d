"""Gathering what a verdict needs, against the market in memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from actors.execution.evidence import LegJudge
from actors.execution.shared_reads import SharedReads
from actors.runtime import Actor
from messages.settings import VerdictSettings
from messages.to_exchange import JudgeLeg
from messages.values import LegKey, Side
from messages.verdict import Unknown
from simulator import Exchange, Market, MemoryVenue
from tests.scenarios.world import XRP, now, scenario

SECOND = timedelta(seconds=1)


class Alone(Actor[None]):
    """The exchange actor's place, with nobody to ask: an orphan's verdict needs no ledger."""

    def __init__(self) -> None:
        super().__init__(None)


@scenario
async def test_a_leg_is_judged_by_a_read_from_now_on_where_the_clock_jumped_back() -> None:
    """All that is asked for lies ahead then: the change of the row, and the read's earliest."""
    market = Market(now=now, rng=random.Random(1))
    market.add_account("bybit", Exchange.BYBIT, key="k", secret="s")
    venue = MemoryVenue(market, "bybit")
    await venue.connect()
    settings = VerdictSettings(fresh=SECOND / 10)
    began: list[datetime] = []
    reading: set[asyncio.Task[None]] = set()

    async def read(delay: float) -> None:
        await asyncio.sleep(delay)
        assert reads.began()
        snapshot = await venue.fetch_positions()
        began.append(snapshot.started_at)
        reads.arrived(snapshot)

    def start_after(delay: float) -> Callable[[], object]:
        task = asyncio.ensure_future(read(delay))
        reading.add(task)
        return task.cancel

    reads = SharedReads("bybit", fresh=settings.fresh, now=now, start_after=start_after)
    leg_judge = LegJudge(Alone(), venue, reads, settings, now)
    asked = now()
    request = JudgeLeg(
        key=LegKey("bybit", XRP, Side.LONG),
        changed_at=asked + 30 * SECOND,
        not_before=asked + 60 * SECOND,
    )
    judgement = await leg_judge.judge(request)
    await asyncio.gather(*reading)
    assert isinstance(judgement.verdict, Unknown)
    assert began[0] >= asked
