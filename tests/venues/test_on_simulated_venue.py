"""The gateway on the simulated Bybit and Binance USD-M: what is sent, found, filled, protected."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from messages.values import LegKey, OrderSide
from messages.venue import (
    Accepted,
    Canceled,
    FillKind,
    Fills,
    KeyRights,
    NoSuchOrder,
    OpenOrders,
    OrderRecord,
    OrderStatus,
    OrderType,
    OutcomeUnknown,
    ProtectionKind,
    Quote,
    Refused,
    VenueError,
    VenueErrorKind,
)
from simulator import Exchange, Fault, FaultKind
from simulator.instruments import WHOLE
from tests.venues.conftest import now, run
from tests.venues.simulated import BTC, FIRST_ID, LONG, SHORT, simulated

both = pytest.mark.parametrize("exchange", WHOLE, ids=lambda exchange: exchange.value)


@both
def test_a_market_close_is_reduce_only_and_its_fill_is_read_from_the_order(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            placed = await at.venue.place(at.order("0.2"))
            assert isinstance(placed, Accepted), placed
            record = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.order_id == placed.order_id
            assert record.client_order_id == FIRST_ID
            assert record.side is OrderSide.SELL
            assert record.status is OrderStatus.FILLED
            assert record.filled == record.quantity == Decimal("0.2")
            assert record.reduce_only is True
            assert record.average is not None
            assert at.market.quantity("main", BTC, LONG) == Decimal("0.3")

    run(scenario())


@both
def test_a_close_can_never_open_or_flip_a_leg(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            placed = await at.venue.place(at.order("0.2"))
            assert isinstance(placed, Refused), placed
            assert placed.error.kind is VenueErrorKind.NOTHING_TO_REDUCE
            assert at.market.quantity("main", BTC, SHORT) == 0

    run(scenario())


@both
def test_a_quantity_off_the_step_is_refused_without_a_request(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            for quantity in ("0.0005", "0.00100001", "0"):
                placed = await at.venue.place(at.order(quantity))
                assert isinstance(placed, Refused)
                assert placed.error.kind is VenueErrorKind.SIZE
            assert at.sim.requests.orders() == []

    run(scenario())


@both
def test_an_aggressive_limit_fills_at_once_and_never_rests(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            at.market.set_book_depth(exchange, BTC, Decimal("0.1"))
            quote = await at.venue.fetch_quote(BTC)
            assert isinstance(quote, Quote), quote
            price = (quote.last * Decimal("0.999")).quantize(Decimal("0.1"))
            order = at.order("0.5", OrderType.LIMIT_AGGRESSIVE, price=price)
            assert isinstance(await at.venue.place(order), Accepted)
            record = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.status.final
            assert record.status is not OrderStatus.FILLED
            assert record.filled == Decimal("0.1")
            assert await at.venue.open_orders(BTC) == OpenOrders(symbol=BTC, orders=())

    run(scenario())


@both
def test_a_maker_order_rests_is_listed_and_is_cancelled_with_its_record(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            quote = await at.venue.fetch_quote(BTC)
            assert isinstance(quote, Quote), quote
            price = (quote.ask * Decimal("1.01")).quantize(Decimal("0.1"))
            placed = await at.venue.place(at.order("0.5", OrderType.LIMIT_MAKER, price=price))
            assert isinstance(placed, Accepted), placed
            resting = await at.venue.open_orders(BTC)
            assert isinstance(resting, OpenOrders), resting
            (order,) = resting.orders
            assert order.client_order_id == FIRST_ID
            assert order.price == price
            assert order.filled == 0
            cancelled = await at.venue.cancel(BTC, placed.order_id)
            assert isinstance(cancelled, Canceled), cancelled
            assert cancelled.record is not None
            assert cancelled.record.status is OrderStatus.CANCELED
            assert cancelled.record.filled == 0
            again = await at.venue.cancel(BTC, placed.order_id)
            assert isinstance(again, Canceled), again

    run(scenario())


@both
def test_cancelling_a_filled_order_tells_of_the_fill_and_not_of_a_cancel(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            placed = await at.venue.place(at.order("0.5"))
            assert isinstance(placed, Accepted), placed
            ended = await at.venue.cancel(BTC, placed.order_id)
            assert isinstance(ended, Canceled), ended
            assert ended.record is not None
            assert ended.record.status is OrderStatus.FILLED
            assert ended.record.filled == Decimal("0.5")
            unheard = "9" * 12 if exchange is Exchange.BINANCE else "no-such-order"
            assert isinstance(await at.venue.cancel(BTC, unheard), NoSuchOrder)

    run(scenario())


@both
def test_an_order_whose_reply_is_lost_is_unknown_and_then_found_by_its_id(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            at.sim.faults.order(Fault(kind=FaultKind.DROP_AFTER, endpoint="order.create"))
            placed = await at.venue.place(at.order("0.5"))
            assert isinstance(placed, OutcomeUnknown), placed
            assert placed.error.kind is VenueErrorKind.NETWORK
            record = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.filled == Decimal("0.5")
            assert at.sim.requests.count("order.create") == 1

    run(scenario())


@both
def test_a_time_out_on_an_order_that_was_done_is_unknown_and_then_found(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange, timeout=timedelta(seconds=1)) as at:
            at.hold("0.5")
            slow = Fault(kind=FaultKind.DELAY_REPLY, endpoint="order.create", seconds=2.5)
            at.sim.faults.order(slow)
            placed = await at.venue.place(at.order("0.5"))
            assert isinstance(placed, OutcomeUnknown), placed
            assert placed.error.kind is VenueErrorKind.NETWORK
            record = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.status is OrderStatus.FILLED

    run(scenario())


@both
def test_the_id_of_a_resting_order_is_refused_as_a_duplicate(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            price = (at.market.price(exchange, BTC) * Decimal("1.01")).quantize(Decimal("0.1"))
            order = at.order("0.1", OrderType.LIMIT_MAKER, price=price)
            assert isinstance(await at.venue.place(order), Accepted)
            again = await at.venue.place(order)
            assert isinstance(again, Refused), again
            assert again.error.kind is VenueErrorKind.DUPLICATE_ID

    run(scenario())


@both
def test_an_order_that_never_arrived_is_nowhere(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            at.sim.faults.order(Fault(kind=FaultKind.DROP_BEFORE, endpoint="order.create"))
            placed = await at.venue.place(at.order("0.5"))
            assert isinstance(placed, OutcomeUnknown), placed
            found = await at.venue.find_order(BTC, FIRST_ID)
            assert found == NoSuchOrder(client_order_id=FIRST_ID)

    run(scenario())


@both
@pytest.mark.parametrize(
    "fault", [FaultKind.EMPTY_BODY, FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.STATUS]
)
def test_a_damaged_look_up_never_says_that_an_order_does_not_exist(
    exchange: Exchange, fault: FaultKind
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            endpoints = ("order.open", "order.history", "order.find", "algo.find")
            for endpoint in endpoints:
                at.sim.faults.order(Fault(kind=fault, endpoint=endpoint, count=None))
            found = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(found, VenueError), found

    run(scenario())


@both
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
def test_a_damaged_read_shows_nothing_and_says_why(exchange: Exchange, fault: FaultKind) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            at.sim.faults.order(Fault(kind=fault, endpoint="positions"))
            assert not (await at.venue.fetch_positions()).complete
            snapshot = await at.venue.fetch_positions()
            assert snapshot.complete
            assert [p.quantity for p in snapshot.positions] == [Decimal("0.5")]

    run(scenario())


@both
def test_hedge_legs_are_read_and_closed_apart(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange, hedged=True) as at:
            at.hold("0.5", LONG)
            at.hold("0.3", SHORT)
            snapshot = await at.venue.fetch_positions()
            legs = {p.key.side: p for p in snapshot.positions}
            assert {side: leg.quantity for side, leg in legs.items()} == {
                LONG: Decimal("0.5"),
                SHORT: Decimal("0.3"),
            }
            assert all(leg.hedged for leg in legs.values())
            placed = await at.venue.place(at.order("0.3", side=SHORT))
            assert isinstance(placed, Accepted), placed
            record = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.position_side is SHORT
            assert at.market.quantity("main", BTC, LONG) == Decimal("0.5")
            by_symbol = await at.venue.fetch_position(LegKey("main", BTC, SHORT))
            assert by_symbol.complete
            assert [p.key.side for p in by_symbol.positions] == [LONG]

    run(scenario())


def test_an_inverse_leg_is_read_in_quote_units_and_closed() -> None:
    async def scenario() -> None:
        async with simulated(Exchange.BYBIT, settles=("USDT", "BTC")) as at:
            at.hold("500", symbol="BTC/USD:BTC")
            at.hold("0.1")
            snapshot = await at.venue.fetch_positions()
            held = {p.key.symbol: p.quantity for p in snapshot.positions}
            assert held == {"BTC/USD:BTC": Decimal(500), BTC: Decimal("0.1")}
            assert snapshot.scope.covers("BTC/USD:BTC")
            assert not snapshot.scope.covers("ETH/USD:ETH")
            placed = await at.venue.place(at.order("500", symbol="BTC/USD:BTC"))
            assert isinstance(placed, Accepted), placed
            record = await at.venue.find_order("BTC/USD:BTC", FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.filled == 500

    run(scenario())


@both
def test_a_stop_rests_as_protection_and_fires_as_a_fill(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5")
            price = at.market.price(exchange, BTC)
            trigger = (price * Decimal("0.95")).quantize(Decimal("0.1"))
            order = at.order("0.5", OrderType.STOP_MARKET, trigger_price=trigger)
            placed = await at.venue.place(order)
            assert isinstance(placed, Accepted), placed
            resting = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(resting, OrderRecord), resting
            assert resting.status is OrderStatus.OPEN
            protection = await at.venue.fetch_protection((BTC,))
            assert protection.problems == ()
            (stop,) = protection.orders
            assert stop.trigger_price == trigger
            assert stop.quantity == Decimal("0.5")
            assert stop.side is OrderSide.SELL
            assert stop.is_stop
            assert stop.reduce_only
            assert stop.client_order_id == FIRST_ID
            assert (stop.kind is ProtectionKind.ALGO) == (exchange is Exchange.BINANCE)
            listed = await at.venue.open_orders(BTC)
            assert isinstance(listed, OpenOrders)
            assert [o.client_order_id for o in listed.orders] == [FIRST_ID]
            at.market.set_price(BTC, trigger - 10)
            fired = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(fired, OrderRecord), fired
            assert fired.status is OrderStatus.FILLED
            assert fired.filled == Decimal("0.5")
            assert fired.client_order_id == FIRST_ID

    run(scenario())


@both
def test_a_stop_is_cancelled_as_the_trigger_order_that_it_is(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            at.hold("0.5", SHORT)
            trigger = (at.market.price(exchange, BTC) * Decimal("1.05")).quantize(Decimal("0.1"))
            order = at.order("0.5", OrderType.STOP_MARKET, SHORT, trigger_price=trigger)
            placed = await at.venue.place(order)
            assert isinstance(placed, Accepted), placed
            protection = await at.venue.fetch_protection((BTC,))
            assert [stop.is_stop for stop in protection.orders] == [True]
            ended = await at.venue.cancel(BTC, placed.order_id, trigger=True)
            assert isinstance(ended, Canceled), ended
            assert (await at.venue.fetch_protection((BTC,))).orders == ()

    run(scenario())


@both
def test_attached_stops_are_seen_with_the_position_or_as_an_algo_order(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            stop_loss = Decimal("60000")
            at.hold("0.5", stop_loss=stop_loss, take_profit=Decimal("70000"))
            (position,) = (await at.venue.fetch_positions()).positions
            protection = await at.venue.fetch_protection((BTC,))
            assert protection.problems == ()
            if exchange is Exchange.BYBIT:
                assert position.stop_loss == stop_loss
                assert position.take_profit == Decimal("70000")
            stops = [order for order in protection.orders if order.is_stop]
            profits = [order for order in protection.orders if not order.is_stop]
            if exchange is Exchange.BINANCE:
                assert [order.trigger_price for order in stops] == [stop_loss]
                assert [order.quantity for order in stops] == [None]
                assert [order.trigger_price for order in profits] == [Decimal("70000")]

    run(scenario())


@both
def test_fills_are_told_with_price_fee_and_the_order_that_they_belong_to(
    exchange: Exchange,
) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            since = now() - timedelta(minutes=1)
            at.hold("0.5")
            assert isinstance(await at.venue.place(at.order("0.2")), Accepted)
            at.market.close_by_hand("main", BTC, LONG, Decimal("0.1"), Decimal("64000"))
            at.market.liquidate("main", BTC, LONG)
            told = await at.venue.fetch_fills(BTC, since)
            assert isinstance(told, Fills), told
            opened, ours, by_hand, forced = told.fills
            assert opened.side is OrderSide.BUY
            assert ours.client_order_id == FIRST_ID
            assert ours.quantity == Decimal("0.2")
            assert ours.fee > 0
            assert ours.fee_currency == "USDT"
            assert by_hand.price == Decimal("64000")
            assert by_hand.kind is FillKind.TRADE
            assert forced.kind is FillKind.LIQUIDATION
            assert forced.quantity == Decimal("0.2")

    run(scenario())


@both
def test_all_pages_of_fills_are_read(exchange: Exchange) -> None:
    count = 250 if exchange is Exchange.BYBIT else 1100

    async def scenario() -> None:
        async with simulated(exchange) as at:
            since = now() - timedelta(days=9)
            for number in range(count):
                opened_at = since + timedelta(seconds=1 + number)
                at.market.open_position("main", BTC, LONG, Decimal("0.001"), opened_at=opened_at)
            told = await at.venue.fetch_fills(BTC, since)
            assert isinstance(told, Fills), told
            assert len(told.fills) == count
            assert list(told.fills) == sorted(told.fills, key=lambda fill: fill.at)

    run(scenario())


@both
def test_the_venue_tells_its_clock_and_the_rights_of_the_key(exchange: Exchange) -> None:
    async def scenario() -> None:
        async with simulated(exchange) as at:
            clock = await at.venue.server_time()
            assert not isinstance(clock, VenueError)
            assert abs(clock - now()) < timedelta(seconds=2)
            rights = await at.venue.key_rights()
            assert rights == KeyRights(read=True, trade=True, withdraw=False)

    run(scenario())
