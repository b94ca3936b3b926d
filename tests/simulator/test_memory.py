"""The in-process venue: the same market behind the actors' own face, under faults and latency."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from messages.values import LegKey, OrderSide, Side
from messages.venue import (
    Accepted,
    Canceled,
    Connected,
    Fills,
    Hint,
    NoSuchOrder,
    OpenOrders,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionHint,
    ProtectionKind,
    Quote,
    Refused,
    VenueErrorKind,
)
from simulator import (
    Exchange,
    Fault,
    FaultBook,
    FaultKind,
    Market,
    MemoryVenue,
)
from tests.simulator.conftest import ACCOUNTS, BTC, ETH, START, Clock, dec, until
from tests.simulator.orders import close, held
from venues.port import Venue


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_it_is_a_venue_to_the_actors(market: Market, account: str) -> None:
    venue: Venue = MemoryVenue(market, account)
    connected = await venue.connect()
    assert isinstance(connected, Connected)
    assert connected.hedged is False
    assert connected.instruments[BTC].quantity_step == dec("0.001")
    quote = await venue.fetch_quote(BTC)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.last, quote.ask) == (dec("64249.9"), dec("64250"), dec("64250.1"))
    assert await venue.server_time() == START
    assert venue.calls() == {"connect": 1, "fetch_quote": 1, "server_time": 1}


async def test_a_close_is_accepted_found_and_in_the_history(
    venue: MemoryVenue, market: Market
) -> None:
    (leg,) = (await venue.fetch_positions()).positions
    assert (leg.quantity, leg.entry_price, leg.opened_at) == (dec("1"), dec("64000"), START)
    placed = await venue.place(close("0.4"))
    assert isinstance(placed, Accepted)
    found = await venue.find_order(BTC, "5e70")
    assert isinstance(found, OrderRecord)
    assert (found.status, found.filled, found.side) == (
        OrderStatus.FILLED,
        dec("0.4"),
        OrderSide.SELL,
    )
    fills = await venue.fetch_fills(BTC, START)
    assert isinstance(fills, Fills)
    assert [it.closed_quantity for it in fills.fills] == [0, dec("0.4")]
    assert held(market) == dec("0.6")
    assert isinstance(await venue.find_order(BTC, "never"), NoSuchOrder)


async def test_a_maker_order_rests_and_is_cancelled(venue: MemoryVenue) -> None:
    order = close(type=OrderType.LIMIT_MAKER, price=dec("64250.1"))
    placed = await venue.place(order)
    assert isinstance(placed, Accepted)
    resting = await venue.open_orders(BTC)
    assert isinstance(resting, OpenOrders)
    assert [it.order_id for it in resting.orders] == [placed.order_id]
    canceled = await venue.cancel(BTC, placed.order_id)
    assert isinstance(canceled, Canceled)
    assert canceled.record is not None
    assert canceled.record.status is OrderStatus.CANCELED
    assert isinstance(await venue.cancel(BTC, "no such id"), NoSuchOrder)


@pytest.mark.parametrize(
    ("account", "kind"),
    [("bybit-main", ProtectionKind.TRIGGER), ("binance-main", ProtectionKind.ALGO)],
)
async def test_stops_are_seen_and_work(market: Market, account: str, kind: ProtectionKind) -> None:
    market.open_position(account, BTC, Side.LONG, dec("1"))
    venue = MemoryVenue(market, account)
    key = LegKey(account, BTC, Side.LONG)
    stop = close(type=OrderType.STOP_MARKET, trigger_price=dec("60000"), key=key)
    assert isinstance(await venue.place(stop), Accepted)
    (order,) = (await venue.fetch_protection((BTC,))).orders
    assert (order.kind, order.trigger_price, order.quantity) == (kind, dec("60000"), dec("1"))
    assert (await venue.fetch_protection((ETH,))).orders == ()
    market.set_price(BTC, dec("59999"))
    assert (await venue.fetch_positions()).positions == ()
    found = await venue.find_order(BTC, "5e70")
    assert isinstance(found, OrderRecord)
    assert found.status is OrderStatus.FILLED


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        (close("0.0005"), VenueErrorKind.SIZE),
        (
            close(key=LegKey("bybit-main", ETH, Side.LONG)),
            VenueErrorKind.NOTHING_TO_REDUCE,
        ),
        (close(key=LegKey("bybit-main", "NO/SUCH:SUCH", Side.LONG)), VenueErrorKind.NOT_TRADABLE),
        (
            close(type=OrderType.LIMIT_AGGRESSIVE, price=dec("50000")),
            VenueErrorKind.PRICE_BAND,
        ),
    ],
)
async def test_refusals_have_the_meaning_of_the_venue_s_own_code(
    venue: MemoryVenue, order: OrderRequest, kind: VenueErrorKind, market: Market
) -> None:
    placed = await venue.place(order)
    assert isinstance(placed, Refused)
    assert placed.error.kind is kind
    assert held(market) == 1


async def test_the_same_id_twice_is_refused_as_a_duplicate(venue: MemoryVenue) -> None:
    assert isinstance(await venue.place(close("0.1")), Accepted)
    again = await venue.place(close("0.1"))
    assert isinstance(again, Refused)
    assert again.error.kind is VenueErrorKind.DUPLICATE_ID


async def test_latency_is_travelled_there_and_back(market: Market) -> None:
    trips: list[str] = []

    async def travel() -> None:
        trips.append("trip")

    await MemoryVenue(market, "bybit-main", latency=travel).fetch_positions()
    assert len(trips) == 2


async def test_the_stream_hints_at_both_sides_in_one_way_mode_and_ends_when_cut(
    venue: MemoryVenue, faults: FaultBook, market: Market
) -> None:
    hints: list[PositionHint] = []
    ready: list[bool] = []

    def told_of(hint: Hint) -> None:
        if isinstance(hint, PositionHint):
            hints.append(hint)

    watching = asyncio.create_task(venue.watch(told_of, lambda: ready.append(True)))
    await until(lambda: bool(ready), "the subscription")
    market.close_by_hand("bybit-main", BTC, Side.LONG, dec("0.4"))
    market.open_position("binance-main", BTC, Side.LONG, dec("9"))
    await until(lambda: len(hints) == 2, "the hints")
    told = {(it.key.side, it.quantity) for it in hints}
    assert told == {(Side.LONG, dec("0.6")), (Side.SHORT, dec("0"))}
    faults.order(Fault(kind=FaultKind.CUT_STREAM, account="bybit-main"))
    ended = await watching
    assert ended.kind is VenueErrorKind.NETWORK


async def test_hedge_mode_reduces_by_side(clock: Clock, rng: random.Random) -> None:
    market = Market(now=clock, rng=rng, volatility=0.0)
    market.add_account("bybit-main", Exchange.BYBIT, key="k", secret="s", hedged=True)
    for side in Side:
        market.open_position("bybit-main", BTC, side, dec("1"))
    venue = MemoryVenue(market, "bybit-main")
    assert isinstance(await venue.place(close(hedged=True)), Accepted)
    (left,) = (await venue.fetch_positions()).positions
    assert (left.key.side, left.hedged) == (Side.SHORT, True)


async def test_quantities_are_base_units_where_a_contract_is_a_fraction(
    clock: Clock, rng: random.Random
) -> None:
    listing = Market(now=clock, rng=rng).listing(Exchange.BYBIT, BTC)
    hundredths = msgspec.structs.replace(
        listing.instrument, contract_size=dec("0.01"), amount_step=dec("1"), min_amount=dec("1")
    )
    small = replace(listing, instrument=hundredths)
    market = Market(now=clock, rng=rng, listings=[small], volatility=0.0)
    market.add_account("bybit-main", Exchange.BYBIT, key="k", secret="s")
    market.open_position("bybit-main", BTC, Side.LONG, dec("0.03"))
    venue = MemoryVenue(market, "bybit-main")
    (leg,) = (await venue.fetch_positions()).positions
    assert (leg.contracts, leg.quantity) == (dec("3"), dec("0.03"))
    assert isinstance(await venue.place(close("0.02")), Accepted)
    fills = await venue.fetch_fills(BTC, START - timedelta(seconds=1))
    assert isinstance(fills, Fills)
    assert [it.quantity for it in fills.fills] == [dec("0.03"), dec("0.02")]


async def test_no_order_reached_the_venue_can_be_proven(venue: MemoryVenue) -> None:
    await venue.fetch_positions()
    assert venue.log.orders() == []
    await venue.place(close())
    (sent,) = venue.log.orders("bybit-main")
    assert sent.params["client_order_id"] == "5e70"
