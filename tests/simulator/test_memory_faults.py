"""The in-process venue under ordered faults: what is lost, what lies, what arrives late."""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
import pytest

from messages.values import Side
from messages.venue import (
    NoSuchOrder,
    OrderRecord,
    OutcomeUnknown,
    Refused,
    VenueError,
    VenueErrorKind,
)
from simulator import (
    Fault,
    FaultBook,
    FaultKind,
    Market,
    MemoryVenue,
    demo_market,
)
from tests.simulator.conftest import BTC, ETH, START, Clock, dec, until
from tests.simulator.orders import close, held


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        (FaultKind.DROP_BEFORE, False),
        (FaultKind.DROP_AFTER, True),
        (FaultKind.HTML, False),
        (FaultKind.EMPTY_BODY, False),
        (FaultKind.TRUNCATED, True),
        (FaultKind.STATUS, False),
    ],
)
async def test_after_a_lost_or_damaged_reply_only_a_look_up_tells(
    venue: MemoryVenue, faults: FaultBook, market: Market, kind: FaultKind, done: bool
) -> None:
    faults.order(Fault(kind=kind, endpoint="order.create"))
    assert isinstance(await venue.place(close()), OutcomeUnknown)
    assert (held(market) == 0) is done
    found = await venue.find_order(BTC, "5e70")
    assert isinstance(found, OrderRecord if done else NoSuchOrder)


@pytest.mark.parametrize("kind", [FaultKind.DELAY, FaultKind.DELAY_REPLY])
async def test_a_request_that_timed_out_arrives_all_the_same(
    venue: MemoryVenue, faults: FaultBook, market: Market, kind: FaultKind
) -> None:
    faults.order(Fault(kind=kind, endpoint="order.create", seconds=0.25))
    assert isinstance(await venue.place(close()), OutcomeUnknown)
    await until(lambda: held(market) == 0, "the late close")


@pytest.mark.parametrize("kind", list(VenueErrorKind))
async def test_any_kind_of_error_can_be_ordered(
    venue: MemoryVenue, faults: FaultBook, market: Market, kind: VenueErrorKind
) -> None:
    faults.order(Fault(kind=FaultKind.ERROR_CODE, endpoint="order.create", code=str(kind)))
    placed = await venue.place(close())
    assert isinstance(placed, Refused | OutcomeUnknown)
    assert placed.error.kind is kind
    assert held(market) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("170131", VenueErrorKind.WRONG_ROUTING),
        ("110007", VenueErrorKind.MARGIN),
        ("10006", VenueErrorKind.RATE_LIMIT),
        ("99999", VenueErrorKind.OTHER),
        ("10016", VenueErrorKind.MAINTENANCE),
    ],
)
async def test_the_venue_s_own_codes_can_be_ordered(
    venue: MemoryVenue, faults: FaultBook, code: str, kind: VenueErrorKind
) -> None:
    faults.order(Fault(kind=FaultKind.ERROR_CODE, endpoint="order.create", code=code))
    placed = await venue.place(close())
    # As at the gateway, what is not known to be a refusal may hide anything.
    unsure = kind in (VenueErrorKind.OTHER, VenueErrorKind.MAINTENANCE)
    assert isinstance(placed, OutcomeUnknown if unsure else Refused)
    assert (placed.error.kind, placed.error.code) == (kind, code)


async def test_past_its_last_instant_an_order_is_not_sent(
    venue: MemoryVenue, market: Market
) -> None:
    late = msgspec.structs.replace(close(), not_after=START - timedelta(seconds=1))
    placed = await venue.place(late)
    assert isinstance(placed, Refused)
    assert placed.error.kind is VenueErrorKind.RATE_LIMIT
    assert held(market) == 1


@pytest.mark.parametrize(
    ("kind", "complete", "shown"),
    [
        (FaultKind.EMPTY_LIST, True, 0),
        (FaultKind.SHORT_LIST, True, 1),
        (FaultKind.TRUNCATED, False, 1),
        (FaultKind.MISSING_LIST, False, 0),
        (FaultKind.STATUS, False, 0),
        (FaultKind.DROP_AFTER, False, 0),
    ],
)
async def test_reads_lie_or_break_as_ordered(
    venue: MemoryVenue,
    faults: FaultBook,
    market: Market,
    kind: FaultKind,
    complete: bool,
    shown: int,
) -> None:
    market.open_position("bybit-main", ETH, Side.SHORT, dec("1"))
    faults.order(Fault(kind=kind, endpoint="positions"))
    read = await venue.fetch_positions()
    assert (read.complete, len(read.positions)) == (complete, shown)
    assert len((await venue.fetch_positions()).positions) == 2


async def test_a_stale_read_looks_complete_and_shows_what_was(
    venue: MemoryVenue, faults: FaultBook, market: Market, clock: Clock
) -> None:
    clock.advance(minutes=1)
    market.close_by_hand("bybit-main", BTC, Side.LONG)
    faults.order(Fault(kind=FaultKind.STALE, endpoint="positions", seconds=30))
    stale = await venue.fetch_positions()
    assert (stale.complete, len(stale.positions)) == (True, 1)
    assert (await venue.fetch_positions()).positions == ()


async def test_the_same_seed_makes_the_same_story(clock: Clock) -> None:
    async def story(seed: int) -> list[str]:
        clock.at = START
        market = demo_market(clock, seed)
        faults = FaultBook(random.Random(seed))
        faults.order(Fault(kind=FaultKind.DROP_AFTER, count=None, probability=0.3))
        market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
        venue = MemoryVenue(market, "bybit-main", faults=faults)
        told = []
        for number in range(30):
            clock.advance(seconds=20)
            told.append(repr(await venue.place(close("0.01", f"5e70{number}"))))
            told.append(repr(await venue.fetch_quote(BTC)))
        return told

    assert await story(5) == await story(5)
    assert await story(5) != await story(6)


async def test_an_error_in_a_read_is_a_value(venue: MemoryVenue, faults: FaultBook) -> None:
    faults.order(Fault(kind=FaultKind.STATUS, count=None, status=429))
    for answer in (
        await venue.connect(),
        await venue.fetch_quote(BTC),
        await venue.find_order(BTC, "5e70"),
        await venue.open_orders(BTC),
        await venue.fetch_fills(BTC, START),
        await venue.cancel(BTC, "1"),
        await venue.key_rights(),
    ):
        assert isinstance(answer, VenueError)
        assert (answer.kind, answer.http_status) == (VenueErrorKind.RATE_LIMIT, 429)
    assert [it.kind for it in (await venue.fetch_protection(())).problems] == [
        VenueErrorKind.RATE_LIMIT
    ]
