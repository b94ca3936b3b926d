"""The gateway on the simulated Gate: what is sent, read, found, filled, protected, and refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from messages.values import LegKey, OrderSide, Side
from messages.venue import (
    Accepted,
    Canceled,
    ClosedPositions,
    FillKind,
    Fills,
    Identity,
    NoSuchOrder,
    OpenOrders,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    OrderType,
    OutcomeUnknown,
    PriceKind,
    Prices,
    Quote,
    Refused,
    VenueError,
    VenueErrorKind,
)
from simulator import Exchange, Fault, FaultKind
from simulator.contracts import change_instrument, halt, settle
from simulator.instruments import quarter_end
from tests.venues.conftest import now, run
from tests.venues.simulated import BTC, FIRST_ID, LONG, SHORT, Opened, simulated

GATE = Exchange.GATE
INVERSE = "BTC/USD:BTC"
both_modes = pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])
both_sides = pytest.mark.parametrize("side", list(Side), ids=str)


def on_gate(
    test: Callable[[Opened], Awaitable[None]],
    *,
    hedged: bool = False,
    settles: tuple[str, ...] = ("USDT",),
    timeout: timedelta = timedelta(seconds=20),
    limits: bool = False,
) -> None:
    async def scenario() -> None:
        async with simulated(
            GATE, hedged=hedged, settles=settles, timeout=timeout, limits=limits
        ) as at:
            await test(at)

    run(scenario())


def number(order: int) -> str:
    return f"5e70{order:024d}"


async def placed(at: Opened, order: OrderRequest) -> Accepted:
    told = await at.venue.place(order)
    assert isinstance(told, Accepted), told
    return told


async def record(at: Opened, client_order_id: str = FIRST_ID, symbol: str = BTC) -> OrderRecord:
    found = await at.venue.find_order(symbol, client_order_id)
    assert isinstance(found, OrderRecord), found
    return found


def stop_price(at: Opened, side: Side, away: str = "0.05") -> Decimal:
    price = at.market.price(GATE, BTC) * (1 - Decimal(away) * side.sign)
    return price.quantize(Decimal("0.1"))


@both_modes
@both_sides
def test_a_leg_is_read_in_base_units_and_closed_by_a_reduce_only_market_order(
    hedged: bool, side: Side
) -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5", side)
        snapshot = await at.venue.fetch_positions()
        assert snapshot.complete, snapshot.problems
        (leg,) = snapshot.positions
        assert leg.key.side is side
        assert leg.quantity == Decimal("0.5")
        assert leg.contracts == 5000
        assert leg.hedged is hedged
        assert leg.opened_at is not None
        done = await placed(at, at.order("0.2", side=side))
        assert done.end is not None
        found = await record(at)
        assert found.order_id == done.order_id
        assert found.client_order_id == FIRST_ID
        assert found.side is side.closing
        assert found.status is OrderStatus.FILLED
        assert found.filled == found.quantity == Decimal("0.2")
        assert found.reduce_only is True
        assert found.average is not None
        assert at.market.quantity("main", BTC, side) == Decimal("0.3")
        assert at.market.quantity("main", BTC, SHORT if side is LONG else LONG) == 0

    on_gate(test, hedged=hedged)


@both_modes
def test_each_leg_of_a_symbol_is_told_by_its_name(hedged: bool) -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5", LONG)
        for side, held in ((LONG, [Decimal("0.5")]), (SHORT, [])):
            snapshot = await at.venue.fetch_position(LegKey("main", BTC, side))
            assert snapshot.complete, snapshot.problems
            assert [it.quantity for it in snapshot.positions if it.key.side is side] == held
            assert (LegKey("main", BTC, side) in snapshot.flat) is not bool(held)

    on_gate(test, hedged=hedged)


def test_hedge_legs_are_read_and_closed_apart() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5", LONG)
        at.hold("0.3", SHORT)
        snapshot = await at.venue.fetch_positions()
        legs = {leg.key.side: leg.quantity for leg in snapshot.positions}
        assert legs == {LONG: Decimal("0.5"), SHORT: Decimal("0.3")}
        await placed(at, at.order("0.3", side=SHORT))
        assert at.market.quantity("main", BTC, LONG) == Decimal("0.5")
        named = await at.venue.fetch_position(LegKey("main", BTC, SHORT))
        assert named.complete, named.problems
        assert [leg.key.side for leg in named.positions] == [LONG]
        assert LegKey("main", BTC, SHORT) in named.flat

    on_gate(test, hedged=True)


@both_modes
def test_a_close_can_never_open_or_flip_a_leg(hedged: bool) -> None:
    async def test(at: Opened) -> None:
        told = await at.venue.place(at.order("0.2"))
        assert isinstance(told, Refused), told
        assert told.error.kind is VenueErrorKind.NOTHING_TO_REDUCE
        at.hold("0.1")
        await placed(at, at.order("0.2", client_order_id=number(2)))
        assert at.market.quantity("main", BTC, LONG) == 0
        assert at.market.quantity("main", BTC, SHORT) == 0

    on_gate(test, hedged=hedged)


def test_a_quantity_between_two_contracts_is_refused_without_a_request() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        for quantity in ("0.00005", "0.10001", "0"):
            told = await at.venue.place(at.order(quantity))
            assert isinstance(told, Refused)
            assert told.error.kind is VenueErrorKind.SIZE
        assert at.sim.requests.orders() == []

    on_gate(test)


def test_an_inverse_leg_is_read_in_quote_units_and_closed() -> None:
    async def test(at: Opened) -> None:
        at.hold("500", symbol=INVERSE)
        at.hold("0.1")
        snapshot = await at.venue.fetch_positions()
        assert snapshot.complete, snapshot.problems
        held = {leg.key.symbol: leg.quantity for leg in snapshot.positions}
        assert held == {INVERSE: Decimal(500), BTC: Decimal("0.1")}
        await placed(at, at.order("200", symbol=INVERSE))
        assert at.market.quantity("main", INVERSE, LONG) == 300
        assert (await record(at, symbol=INVERSE)).filled == 200

    on_gate(test, settles=("USDT", "BTC"))


def test_a_dated_leg_is_read_closed_and_found_at_the_delivery_api() -> None:
    async def test(at: Opened) -> None:
        symbol = f"BTC/USDT:USDT-{quarter_end(now()).strftime('%y%m%d')}"
        at.hold("0.5", symbol=symbol)
        snapshot = await at.venue.fetch_positions()
        assert {leg.key.symbol for leg in snapshot.positions} == {symbol}
        named = await at.venue.fetch_position(LegKey("main", symbol, LONG))
        assert [leg.quantity for leg in named.positions] == [Decimal("0.5")], named
        await placed(at, at.order("0.2", symbol=symbol))
        assert (await record(at, symbol=symbol)).filled == Decimal("0.2")
        told = await at.venue.fetch_fills(symbol, now() - timedelta(hours=1))
        assert isinstance(told, Fills), told
        assert [fill.quantity for fill in told.fills] == [Decimal("0.5"), Decimal("0.2")]

    on_gate(test)


def test_an_aggressive_limit_fills_at_once_and_never_rests() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        at.market.set_book_depth(GATE, BTC, Decimal("0.1"))
        quote = await at.venue.fetch_quote(BTC)
        assert isinstance(quote, Quote), quote
        price = (quote.last * Decimal("0.999")).quantize(Decimal("0.1"))
        await placed(at, at.order("0.5", OrderType.LIMIT_AGGRESSIVE, price=price))
        found = await record(at)
        assert found.status is OrderStatus.CANCELED
        assert found.filled == Decimal("0.1")
        assert await at.venue.open_orders(BTC) == OpenOrders(symbol=BTC, orders=())

    on_gate(test)


def test_a_maker_order_rests_is_listed_and_is_cancelled_with_its_record() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        price = stop_price(at, SHORT, "0.01")
        done = await placed(at, at.order("0.5", OrderType.LIMIT_MAKER, price=price))
        resting = await at.venue.open_orders(BTC)
        assert isinstance(resting, OpenOrders), resting
        (order,) = resting.orders
        assert (order.client_order_id, order.price, order.filled) == (FIRST_ID, price, Decimal(0))
        for _ in range(2):
            ended = await at.venue.cancel(BTC, done.order_id)
            assert isinstance(ended, Canceled), ended
            assert ended.record is not None
            assert ended.record.status is OrderStatus.CANCELED
            assert ended.record.filled == 0

    on_gate(test)


def test_a_maker_order_that_would_take_is_refused_for_its_price() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        price = stop_price(at, LONG, "0.01")
        told = await at.venue.place(at.order("0.5", OrderType.LIMIT_MAKER, price=price))
        assert isinstance(told, Refused), told
        assert told.error.code == "ORDER_POC_IMMEDIATE"
        assert told.error.kind is VenueErrorKind.PRICE_BAND

    on_gate(test)


def test_cancelling_a_filled_order_tells_of_the_fill_and_not_of_a_cancel() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        done = await placed(at, at.order("0.5"))
        ended = await at.venue.cancel(BTC, done.order_id)
        assert isinstance(ended, Canceled), ended
        assert ended.record is not None
        assert ended.record.status is OrderStatus.FILLED
        assert isinstance(await at.venue.cancel(BTC, "9" * 12), NoSuchOrder)

    on_gate(test)


def test_refusals_are_told_apart() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        change_instrument(at.market, at.market.listing(GATE, BTC), max_market_amount=Decimal(1000))
        told = await at.venue.place(at.order("0.5"))
        assert isinstance(told, Refused), told
        assert (told.error.code, told.error.kind) == ("SIZE_TOO_LARGE", VenueErrorKind.SIZE)
        away = stop_price(at, SHORT, "0.5")
        far = at.order("0.1", OrderType.LIMIT_AGGRESSIVE, price=away, client_order_id=number(2))
        assert isinstance(await at.venue.place(far), Accepted)
        low = stop_price(at, LONG, "0.5")
        deep = at.order("0.1", OrderType.LIMIT_AGGRESSIVE, price=low, client_order_id=number(3))
        told = await at.venue.place(deep)
        assert isinstance(told, Refused), told
        assert told.error.kind is VenueErrorKind.PRICE_BAND
        above = at.order(
            "0.1",
            OrderType.STOP_MARKET,
            trigger_price=stop_price(at, SHORT),
            client_order_id=number(4),
        )
        told = await at.venue.place(above)
        assert isinstance(told, Refused), told
        assert told.error.kind is VenueErrorKind.PRICE_BAND
        halt(at.market, GATE, BTC)
        told = await at.venue.place(at.order("0.1", client_order_id=number(5)))
        assert isinstance(told, Refused), told
        assert told.error.kind is VenueErrorKind.NOT_TRADABLE
        at.market.accounts["main"].can_trade = False
        told = await at.venue.place(at.order("0.1", client_order_id=number(6)))
        assert isinstance(told, Refused), told
        assert told.error.kind is VenueErrorKind.RIGHTS

    on_gate(test)


def test_the_most_contracts_of_one_market_order_are_known_before_it_is_sent() -> None:
    async def test(at: Opened) -> None:
        listing = at.market.listing(GATE, BTC)
        change_instrument(at.market, listing, max_market_amount=Decimal(300_000))
        await at.venue.reload_markets()
        markets = await at.venue.reload_markets()
        assert not isinstance(markets, VenueError)
        assert markets.instruments[BTC].max_market_amount == 300_000

    on_gate(test)


def test_an_order_whose_reply_is_lost_is_unknown_and_then_found_by_its_id() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        at.sim.faults.order(Fault(kind=FaultKind.DROP_AFTER, endpoint="order.create"))
        told = await at.venue.place(at.order("0.5"))
        assert isinstance(told, OutcomeUnknown), told
        assert (await record(at)).filled == Decimal("0.5")
        assert at.sim.requests.count("order.create") == 1

    on_gate(test)


def test_a_stop_whose_reply_is_lost_is_found_among_the_triggers() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        at.sim.faults.order(Fault(kind=FaultKind.DROP_AFTER, endpoint="algo.create"))
        order = at.order("0.5", OrderType.STOP_MARKET, trigger_price=stop_price(at, LONG))
        assert isinstance(await at.venue.place(order), OutcomeUnknown)
        found = await record(at)
        assert found.status is OrderStatus.OPEN
        assert found.trigger_price == stop_price(at, LONG)
        assert at.sim.requests.count("algo.create") == 1

    on_gate(test)


def test_an_order_that_never_arrived_is_nowhere() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        at.sim.faults.order(Fault(kind=FaultKind.DROP_BEFORE, endpoint="order.create"))
        assert isinstance(await at.venue.place(at.order("0.5")), OutcomeUnknown)
        found = await at.venue.find_order(BTC, FIRST_ID)
        assert found == NoSuchOrder(client_order_id=FIRST_ID)

    on_gate(test)


def test_an_order_that_never_arrived_is_nowhere_on_a_busy_contract_either() -> None:
    async def test(at: Opened) -> None:
        for count in range(140):
            opened_at = now() - timedelta(hours=5, seconds=-count)
            at.market.open_position("main", BTC, LONG, Decimal("0.01"), opened_at=opened_at)
        at.sim.faults.order(Fault(kind=FaultKind.DROP_BEFORE, endpoint="order.create"))
        assert isinstance(await at.venue.place(at.order("0.5")), OutcomeUnknown)
        found = await at.venue.find_order(BTC, FIRST_ID)
        assert found == NoSuchOrder(client_order_id=FIRST_ID)

    on_gate(test)


def test_a_stop_behind_a_hundred_others_is_found() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        for count in range(130):
            trigger = stop_price(at, LONG, "0.05") - count
            order = at.order(
                "0.1",
                OrderType.STOP_MARKET,
                trigger_price=trigger,
                client_order_id=number(count),
            )
            await placed(at, order)
        assert (await record(at, number(0))).status is OrderStatus.OPEN
        protection = await at.venue.fetch_protection((BTC,))
        assert (len(protection.orders), protection.problems) == (130, ())
        listed = await at.venue.open_orders(BTC)
        assert isinstance(listed, OpenOrders), listed
        assert len(listed.orders) == 130
        for order_id in list(at.market.accounts["main"].live["BTC_USDT"]):
            order_now = at.market.accounts["main"].orders[order_id]
            at.market.cancel(at.market.accounts["main"], order_now)
        assert (await record(at, number(0))).status is OrderStatus.CANCELED

    on_gate(test)


def test_the_id_of_an_order_is_refused_as_a_duplicate() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        order = at.order("0.1", OrderType.LIMIT_MAKER, price=stop_price(at, SHORT, "0.01"))
        await placed(at, order)
        again = await at.venue.place(order)
        assert isinstance(again, Refused), again
        assert again.error.kind is VenueErrorKind.DUPLICATE_ID

    on_gate(test)


@pytest.mark.parametrize(
    "fault", [FaultKind.EMPTY_BODY, FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.STATUS]
)
def test_a_damaged_look_up_never_says_that_an_order_does_not_exist(fault: FaultKind) -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        for endpoint in ("order.history", "order.find", "algo.open", "algo.find"):
            at.sim.faults.order(Fault(kind=fault, endpoint=endpoint, count=None))
        assert isinstance(await at.venue.find_order(BTC, FIRST_ID), VenueError)

    on_gate(test)


@pytest.mark.parametrize(
    "fault",
    [
        FaultKind.EMPTY_BODY,
        FaultKind.HTML,
        FaultKind.TRUNCATED,
        FaultKind.STATUS,
        FaultKind.MISSING_LIST,
    ],
)
def test_a_damaged_read_shows_nothing_and_says_why(fault: FaultKind) -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        at.sim.faults.order(Fault(kind=fault, endpoint="positions"))
        assert not (await at.venue.fetch_positions()).complete
        assert (await at.venue.fetch_positions()).complete

    on_gate(test)


@both_modes
@both_sides
def test_a_stop_is_placed_seen_as_cover_fired_and_followed_to_its_order(
    hedged: bool, side: Side
) -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5", side)
        trigger = stop_price(at, side)
        order = at.order("0.5", OrderType.STOP_MARKET, side, trigger_price=trigger)
        done = await placed(at, order)
        protection = await at.venue.fetch_protection((BTC,))
        assert protection.problems == ()
        (stop,) = protection.orders
        assert (stop.order_id, stop.client_order_id) == (done.order_id, FIRST_ID)
        assert (stop.trigger_price, stop.quantity) == (trigger, Decimal("0.5"))
        assert stop.side is side.closing
        assert stop.is_stop
        assert stop.reduce_only
        at.market.set_price(BTC, trigger - 10 * side.sign)
        assert at.market.quantity("main", BTC, side) == 0
        fired = await record(at)
        assert fired.status is OrderStatus.FILLED
        assert fired.filled == Decimal("0.5")
        assert fired.client_order_id == FIRST_ID
        assert (await at.venue.fetch_protection((BTC,))).orders == ()

    on_gate(test, hedged=hedged)


def test_a_stop_that_finds_nothing_to_close_has_failed() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        trigger = stop_price(at, LONG)
        await placed(at, at.order("0.5", OrderType.STOP_MARKET, trigger_price=trigger))
        at.market.close_by_hand("main", BTC, LONG)
        at.market.set_price(BTC, trigger - 10)
        found = await record(at)
        assert found.status is OrderStatus.REJECTED
        assert found.filled == 0

    on_gate(test)


@both_modes
def test_a_stop_is_cancelled_as_the_trigger_order_that_it_is(hedged: bool) -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5", SHORT)
        order = at.order("0.5", OrderType.STOP_MARKET, SHORT, trigger_price=stop_price(at, SHORT))
        done = await placed(at, order)
        ended = await at.venue.cancel(BTC, done.order_id, trigger=True)
        assert isinstance(ended, Canceled), ended
        assert ended.record is not None
        assert ended.record.status is OrderStatus.CANCELED
        assert (await at.venue.fetch_protection((BTC,))).orders == ()

    on_gate(test, hedged=hedged)


@both_modes
def test_stops_of_a_position_cover_all_of_it(hedged: bool) -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5", stop_loss=Decimal("60000"), take_profit=Decimal("70000"))
        protection = await at.venue.fetch_protection((BTC,))
        assert protection.problems == ()
        stops = [order for order in protection.orders if order.is_stop]
        assert [(it.trigger_price, it.quantity) for it in stops] == [(Decimal("60000"), None)]
        assert stops[0].side is OrderSide.SELL
        assert stops[0].position_side is LONG
        profits = [order for order in protection.orders if not order.is_stop]
        assert [order.trigger_price for order in profits] == [Decimal("70000")]

    on_gate(test, hedged=hedged)


def test_orders_that_the_venue_ended_are_told_as_ended() -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        price = stop_price(at, SHORT, "0.01")
        await placed(at, at.order("0.5", OrderType.LIMIT_MAKER, price=price))
        at.market.close_by_hand("main", BTC, LONG)
        assert (await record(at)).status is OrderStatus.CANCELED
        at.hold("0.5")
        order = at.order("0.5", OrderType.LIMIT_MAKER, price=price, client_order_id=number(2))
        await placed(at, order)
        at.market.liquidate("main", BTC, LONG)
        ended = await record(at, number(2))
        assert ended.status is OrderStatus.CANCELED
        assert ended.filled == 0

    on_gate(test)


def test_fills_are_told_with_price_fee_kind_and_what_they_closed() -> None:
    async def test(at: Opened) -> None:
        since = now() - timedelta(minutes=1)
        at.hold("0.5")
        await placed(at, at.order("0.2"))
        at.market.close_by_hand("main", BTC, LONG, Decimal("0.1"), Decimal("64000"))
        at.market.deleverage("main", BTC, LONG, Decimal("0.1"))
        at.market.liquidate("main", BTC, LONG)
        at.hold("0.1")
        settle(at.market, GATE, BTC)
        told = await at.venue.fetch_fills(BTC, since)
        assert isinstance(told, Fills), told
        opened, ours, by_hand, leveraged, forced, again, settled = told.fills
        assert opened.side is again.side is OrderSide.BUY
        assert opened.closed_quantity == 0
        assert ours.client_order_id == FIRST_ID
        assert ours.quantity == ours.closed_quantity == Decimal("0.2")
        assert ours.fee > 0
        assert ours.fee_currency == "USDT"
        assert by_hand.price == Decimal("64000")
        kinds = (FillKind.TRADE, FillKind.ADL, FillKind.LIQUIDATION, FillKind.SETTLEMENT)
        assert (by_hand.kind, leveraged.kind, forced.kind, settled.kind) == kinds
        own = await at.venue.order_fills(BTC, ours.order_id, since)
        assert isinstance(own, Fills), own
        assert [fill.fill_id for fill in own.fills] == [ours.fill_id]

    on_gate(test)


def test_all_pages_of_fills_are_read() -> None:
    async def test(at: Opened) -> None:
        since = now() - timedelta(days=9)
        for count in range(250):
            opened_at = since + timedelta(seconds=1 + count)
            at.market.open_position("main", BTC, LONG, Decimal("0.001"), opened_at=opened_at)
        told = await at.venue.fetch_fills(BTC, since)
        assert isinstance(told, Fills), told
        assert len(told.fills) == 250
        assert list(told.fills) == sorted(told.fills, key=lambda fill: fill.at)
        assert at.sim.requests.count("fills") == 3
        cut = Fault(kind=FaultKind.MISSING_LIST, endpoint="fills", page=2)
        at.sim.faults.order(cut)
        assert isinstance(await at.venue.fetch_fills(BTC, since), VenueError)

    on_gate(test)


def test_an_end_is_one_record_for_all_that_closed_the_position() -> None:
    async def test(at: Opened) -> None:
        since = now() - timedelta(hours=2)
        opened_at = now() - timedelta(hours=1)
        at.market.open_position(
            "main", BTC, LONG, Decimal("0.5"), Decimal("64000"), opened_at=opened_at
        )
        at.market.close_by_hand("main", BTC, LONG, Decimal("0.2"), Decimal("65000"))
        at.market.close_by_hand("main", BTC, LONG, None, Decimal("66000"))
        at.hold("0.1", SHORT)
        told = await at.venue.closed_positions(BTC, since)
        assert isinstance(told, ClosedPositions), told
        (ended,) = told.records
        assert ended.side is LONG
        assert ended.quantity == Decimal("0.5")
        assert ended.entry_price == Decimal("64000")
        assert ended.exit_price == Decimal("65600")
        assert ended.kind is FillKind.TRADE

    on_gate(test)


def test_whose_login_it_is_and_what_time_it_is_are_told() -> None:
    async def test(at: Opened) -> None:
        told = await at.venue.identity()
        assert isinstance(told, Identity), told
        assert told.id == str(at.market.accounts["main"].uid)
        clock = await at.venue.server_time()
        assert not isinstance(clock, VenueError)
        assert abs(clock - now()) < timedelta(seconds=2)

    on_gate(test)


def test_prices_of_all_perpetuals_come_in_one_list() -> None:
    async def test(at: Opened) -> None:
        before = at.sim.requests.count("ticker")
        told = await at.venue.fetch_prices(frozenset(PriceKind))
        assert isinstance(told, Prices), told
        assert at.sim.requests.count("ticker") == before + 1
        assert told.damaged == {}
        listed = {it.symbol for it in at.market.listings(GATE) if it.instrument.settle == "USDT"}
        assert {it for it in listed if "-" not in it} <= set(told.by_symbol)
        assert told.by_symbol[BTC].last == at.market.price(GATE, BTC)

    on_gate(test)


def test_with_the_venues_limits_enforced_every_order_is_taken_once_and_every_read_whole() -> None:
    async def test(at: Opened) -> None:
        at.hold("1")
        last = now() + timedelta(seconds=30)

        async def close(count: int) -> None:
            order = at.order("0.001", client_order_id=number(count))
            await placed(at, msgspec.structs.replace(order, not_after=last))

        await asyncio.gather(*(close(count) for count in range(130)))
        assert at.market.quantity("main", BTC, LONG) == Decimal("0.87")
        reads = await asyncio.gather(*(at.venue.fetch_positions() for _ in range(60)))
        assert all(snapshot.complete for snapshot in reads)

    on_gate(test, limits=True)


def test_what_dated_futures_may_be_asked_is_no_limit_of_perpetuals() -> None:
    async def test(at: Opened) -> None:
        symbol = f"BTC/USDT:USDT-{quarter_end(now()).strftime('%y%m%d')}"
        at.hold("0.5")
        at.hold("0.5", symbol=symbol)
        await placed(at, at.order("0.1"))
        await placed(at, at.order("0.1", symbol=symbol, client_order_id=number(2)))
        limits = {limit.name: limit.limit for limit in at.venue.budget().limits}
        assert limits["POST {settle}/orders"] == 100
        assert limits["POST delivery/{settle}/orders"] == 500

    on_gate(test, limits=True)


def test_a_rate_limit_says_when_it_ends() -> None:
    async def test(at: Opened) -> None:
        at.sim.faults.order(Fault(kind=FaultKind.BAN, endpoint="positions", seconds=3))
        snapshot = await at.venue.fetch_positions()
        (problem,) = snapshot.problems
        assert problem.kind is VenueErrorKind.RATE_LIMIT
        assert problem.retry_at is not None
        assert problem.retry_at > now()

    on_gate(test)


def test_a_wrong_secret_and_a_wrong_clock_are_told_apart() -> None:
    async def test(at: Opened) -> None:
        at.sim.desk.skew = timedelta(minutes=5)
        (problem,) = (await at.venue.fetch_positions()).problems
        assert problem.kind is VenueErrorKind.CLOCK
        at.sim.desk.skew = timedelta(0)
        at.market.logins.revoke("test-key-of-main")
        (problem,) = (await at.venue.fetch_positions()).problems
        assert problem.kind is VenueErrorKind.KEY

    on_gate(test)


@pytest.mark.parametrize(("part", "whole"), [("delivery", True), ("futures", False)])
def test_who_never_opened_an_account_of_dated_futures_holds_none(part: str, whole: bool) -> None:
    async def test(at: Opened) -> None:
        at.hold("0.5")
        never = Fault(
            kind=FaultKind.ERROR_CODE,
            endpoint=f"/api/v4/{part}/usdt/positions",
            code="USER_NOT_FOUND",
            message="please transfer funds first to create futures account",
            count=None,
        )
        at.sim.faults.order(never)
        snapshot = await at.venue.fetch_positions()
        assert snapshot.complete is whole
        assert len(snapshot.positions) == whole

    on_gate(test)
