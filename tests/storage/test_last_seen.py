"""What was last seen of each leg: the newest read counts, whichever is written last."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
import sqlalchemy as sa

from messages.ledger import LastSeen, Lease
from messages.values import LegKey, Side
from storage import StaleLease
from tests.storage.build import KEY
from tests.storage.conftest import START, OpenLedger

SECOND = timedelta(seconds=1)


def seen(key: LegKey = KEY, after: float = 0, **changes: object) -> LastSeen:
    at = START + after * SECOND
    sighting = LastSeen(
        key=key, started_at=at - SECOND, finished_at=at, quantity=Decimal("0.123456789012345678")
    )
    return msgspec.structs.replace(sighting, **changes)


async def test_what_was_seen_outlives_the_guard_exactly(opened: OpenLedger) -> None:
    whole = seen(entry_price=Decimal("65000.10"), changed_at=START - timedelta(days=3))
    short = seen(LegKey("bybit-main", "BTC/USDT:USDT", Side.SHORT), quantity=Decimal(0))
    async with opened() as ledger:
        await ledger.save_last_seen("bybit-main", [short, whole])
        await ledger.save_last_seen("bybit-main", [])
    async with opened() as ledger:
        assert await ledger.last_seen("bybit-main") == (whole, short)
        assert await ledger.last_seen("binance") == ()


async def test_an_older_sighting_never_replaces_a_newer_one(opened: OpenLedger) -> None:
    late, early = seen(after=0.000002), seen(after=0.000001, quantity=Decimal(9))
    async with opened() as ledger:
        await ledger.save_last_seen("bybit-main", [late])
        await ledger.save_last_seen("bybit-main", [early])
        assert await ledger.last_seen("bybit-main") == (late,)
        latest = seen(after=10, quantity=Decimal("1e-9"), entry_price=Decimal(5))
        await ledger.save_last_seen("bybit-main", [latest, late, early])
        assert await ledger.last_seen("bybit-main") == (latest,)


async def test_legs_whose_names_differ_in_settle_currency_or_side_are_kept_apart(
    opened: OpenLedger,
) -> None:
    legs = [
        LegKey("bybit-main", symbol, side)
        for symbol in ("BTC/USD:BTC", "BTC/USD:BTC-261225", "BTC/USD:USD")
        for side in (Side.LONG, Side.SHORT)
    ]
    sightings = tuple(seen(key, n) for n, key in enumerate(legs))
    async with opened() as ledger:
        await ledger.save_last_seen("bybit-main", sightings)
        assert await ledger.last_seen("bybit-main") == sightings


async def test_ten_thousand_legs_are_one_statement_and_take_no_second(opened: OpenLedger) -> None:
    keys = [LegKey("bybit-main", f"C{n:04}/USDT:USDT", side) for n in range(5000) for side in Side]
    said: list[str] = []
    async with opened() as ledger:
        sa.event.listen(
            ledger._db.engines.write.sync_engine,
            "before_cursor_execute",
            lambda *call: said.append(call[2]),
        )
        await ledger.save_last_seen("bybit-main", [seen(key) for key in keys])
        said.clear()
        later = [seen(key, 1) for key in keys]
        begun = time.thread_time()
        await ledger.save_last_seen("bybit-main", later)
        ours = time.thread_time() - begun
        assert [line for line in said if "last_seen" in line] == [said[-1]]
        assert {one.finished_at for one in await ledger.last_seen("bybit-main")} == {START + SECOND}
    assert ours < 0.5


async def test_a_guard_that_has_lost_the_account_writes_no_sighting(opened: OpenLedger) -> None:
    async with opened() as ledger, opened() as other:
        mine = await ledger.acquire_lease("bybit-main", "one", timedelta(minutes=1))
        assert isinstance(mine, Lease)
        await ledger.release_lease(mine)
        await other.acquire_lease("bybit-main", "two", timedelta(minutes=1))
        with pytest.raises(StaleLease):
            await ledger.save_last_seen("bybit-main", [seen()], lease=mine)
        assert await ledger.last_seen("bybit-main") == ()


def test_a_number_that_is_none_was_never_seen() -> None:
    for bad in ("NaN", "Infinity"):
        with pytest.raises(ValueError, match="no amount"):
            seen(quantity=Decimal(bad))
