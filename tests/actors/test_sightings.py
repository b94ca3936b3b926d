"""Which read is the last sight of a leg, where orders of ours go between the reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from actors.execution.sightings import Sightings
from messages.values import LegKey, Side
from messages.venue import Scope, Snapshot, VenuePosition

KEY = LegKey("a", "BTC/USDT:USDT", Side.LONG)
BEGAN = datetime(2026, 1, 5, tzinfo=UTC)


def read(seconds: float, quantity: str) -> Snapshot:
    """A read that shows the leg with this size."""
    at = BEGAN + timedelta(seconds=seconds)
    size = Decimal(quantity)
    return Snapshot(
        account="a",
        scope=Scope(settles=frozenset({"USDT"})),
        started_at=at,
        finished_at=at + timedelta(seconds=0.1),
        positions=(VenuePosition(key=KEY, contracts=size, quantity=size),),
    )


def last(sightings: Sightings) -> tuple[datetime, Decimal]:
    seen = sightings.last_seen(KEY)
    assert seen is not None
    return seen.started_at, seen.quantity


def test_a_read_that_crosses_an_order_of_ours_leaves_the_sight_from_before_it() -> None:
    sightings = Sightings()
    sightings.observe(read(0, "2"))
    sightings.observe(read(1, "2"), lambda key: key == KEY)
    assert last(sightings) == (BEGAN, Decimal(2))
    sightings.observe(read(2, "2"))
    assert last(sightings) == (BEGAN + timedelta(seconds=2), Decimal(2))


def test_one_that_shows_more_than_before_is_a_sight_of_its_own() -> None:
    sightings = Sightings()
    sightings.observe(read(0, "2"))
    sightings.observe(read(1, "5"), lambda key: key == KEY)
    assert last(sightings) == (BEGAN + timedelta(seconds=1), Decimal(5))


def test_a_first_sight_counts_whatever_is_on_its_way() -> None:
    sightings = Sightings()
    sightings.observe(read(0, "2"), lambda key: key == KEY)
    assert last(sightings) == (BEGAN, Decimal(2))
