"""The gateway on the simulated OKX: contracts of 0.01 BTC, algos apart, newest fills first."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

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
    KeyRights,
    Markets,
    NoSuchOrder,
    OpenOrders,
    OrderRecord,
    OrderStatus,
    OrderType,
    OutcomeUnknown,
    PriceKind,
    Prices,
    ProtectionKind,
    Quote,
    Refused,
    VenueError,
    VenueErrorKind,
)
from simulator import Exchange, Fault, FaultKind
from simulator.state import Order, OrderSpec
from tests.venues.conftest import now, run
from tests.venues.simulated import BTC, FIRST_ID, LONG, SHORT, Opened, simulated

INVERSE = "BTC/USD:BTC"
SECOND_ID = FIRST_ID[:-1] + "2"
modes = pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])
sides = pytest.mark.parametrize("side", [LONG, SHORT])


def okx(**options: Any) -> Any:
    return simulated(Exchange.OKX, **options)


async def found(at: Opened, client_order_id: str = FIRST_ID, symbol: str = BTC) -> OrderRecord:
    record = await at.venue.find_order(symbol, client_order_id)
    assert isinstance(record, OrderRecord), record
    return record


async def stop(at: Opened, side: Side = LONG, away: str = "0.05") -> tuple[str, Decimal]:
    """Place a stop of 0.5 BTC; its id and its trigger."""
    last = at.market.price(Exchange.OKX, BTC)
    trigger = (last * (1 - Decimal(away) * side.sign)).quantize(Decimal("0.1"))
    order = at.order("0.5", OrderType.STOP_MARKET, side, trigger_price=trigger)
    placed = await at.venue.place(order)
    assert isinstance(placed, Accepted), placed
    return placed.order_id, trigger


@modes
@sides
def test_a_leg_is_read_in_base_units_and_closed(hedged: bool, side: Side) -> None:
    async def scenario() -> None:
        async with okx(hedged=hedged) as at:
            at.hold("0.5", side)
            (leg,) = (await at.venue.fetch_positions()).positions
            assert (leg.key.side, leg.quantity, leg.hedged) == (side, Decimal("0.5"), hedged)
            placed = await at.venue.place(at.order("0.2", side=side))
            assert isinstance(placed, Accepted), placed
            (sent,) = at.sim.requests.orders()
            assert sent.params["sz"] == "20"
            record = await found(at)
            assert (record.status, record.filled) == (OrderStatus.FILLED, Decimal("0.2"))
            assert record.side is side.closing
            assert record.fee is not None
            assert record.fee > 0
            by_name = await at.venue.fetch_position(LegKey("main", BTC, side))
            assert [it.quantity for it in by_name.positions] == [Decimal("0.3")]
            second = at.order("0.3", side=side, client_order_id=SECOND_ID)
            assert isinstance(await at.venue.place(second), Accepted)
            flat = await at.venue.fetch_position(LegKey("main", BTC, side))
            assert flat.complete
            assert flat.positions == ()

    run(scenario())


def test_an_inverse_leg_is_read_in_dollars_and_closed() -> None:
    async def scenario() -> None:
        async with okx(settles=("USDT", "BTC")) as at:
            at.hold("500", symbol=INVERSE)
            at.hold("0.1")
            snapshot = await at.venue.fetch_positions()
            held = {it.key.symbol: it.quantity for it in snapshot.positions}
            assert held == {INVERSE: Decimal(500), BTC: Decimal("0.1")}
            assert isinstance(await at.venue.place(at.order("500", symbol=INVERSE)), Accepted)
            record = await found(at, symbol=INVERSE)
            assert (record.filled, record.fee_currency) == (Decimal(500), "BTC")

    run(scenario())


@modes
def test_refusals_are_told_apart(hedged: bool) -> None:
    async def scenario() -> None:
        async with okx(hedged=hedged) as at:
            nothing = await at.venue.place(at.order("0.2"))
            assert isinstance(nothing, Refused), nothing
            assert nothing.error.kind is VenueErrorKind.NOTHING_TO_REDUCE
            assert nothing.error.code == "51169"
            off_step = await at.venue.place(at.order("0.00015"))
            assert isinstance(off_step, Refused), off_step
            assert off_step.error.kind is VenueErrorKind.SIZE
            at.hold("0.5")
            far = at.order("0.1", OrderType.LIMIT_MAKER, price=Decimal("30000"))
            beyond = await at.venue.place(far)
            assert isinstance(beyond, Refused), beyond
            assert beyond.error.kind is VenueErrorKind.PRICE_BAND
            last = at.market.price(Exchange.OKX, BTC)
            price = (last * Decimal("1.01")).quantize(Decimal("0.1"))
            maker = at.order("0.4", OrderType.LIMIT_MAKER, price=price)
            assert isinstance(await at.venue.place(maker), Accepted)
            again = await at.venue.place(maker)
            assert isinstance(again, Refused), again
            assert again.error.kind is VenueErrorKind.DUPLICATE_ID
            passed = at.order("0.1", OrderType.STOP_MARKET, trigger_price=last + 100)
            passed = msgspec.structs.replace(passed, client_order_id=SECOND_ID)
            would_trigger = await at.venue.place(passed)
            assert isinstance(would_trigger, Refused), would_trigger
            assert would_trigger.error.kind is VenueErrorKind.PRICE_BAND
            assert at.market.quantity("main", BTC, LONG) == Decimal("0.5")

    run(scenario())


def test_what_resting_closes_have_reserved_cannot_be_closed_in_hedge_mode() -> None:
    async def scenario() -> None:
        async with okx(hedged=True) as at:
            at.hold("0.5")
            price = (at.market.price(Exchange.OKX, BTC) * Decimal("1.01")).quantize(Decimal("0.1"))
            maker = at.order("0.4", OrderType.LIMIT_MAKER, price=price)
            assert isinstance(await at.venue.place(maker), Accepted)
            blocked = await at.venue.place(at.order("0.5", client_order_id=SECOND_ID))
            assert isinstance(blocked, Refused), blocked
            assert blocked.error.code == "51112"

    run(scenario())


@pytest.mark.parametrize(("code", "status"), [("50013", 429), ("50001", 503), ("50004", 400)])
def test_a_busy_venue_has_refused_nothing(code: str, status: int) -> None:
    async def scenario() -> None:
        async with okx() as at:
            at.hold("0.5")
            busy = Fault(
                kind=FaultKind.ERROR_AFTER, endpoint="order.create", code=code, status=status
            )
            at.sim.faults.order(busy)
            placed = await at.venue.place(at.order("0.5"))
            assert isinstance(placed, OutcomeUnknown), placed
            assert (await found(at)).filled == Decimal("0.5")
            assert at.sim.requests.count("order.create") == 1

    run(scenario())


@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.STOP_MARKET])
def test_an_order_whose_reply_is_lost_is_found_by_its_id_and_never_sent_twice(
    kind: OrderType,
) -> None:
    async def scenario() -> None:
        async with okx() as at:
            at.hold("0.5")
            endpoint = "algo.create" if kind is OrderType.STOP_MARKET else "order.create"
            at.sim.faults.order(Fault(kind=FaultKind.DROP_AFTER, endpoint=endpoint))
            trigger = Decimal("61000") if kind is OrderType.STOP_MARKET else None
            placed = await at.venue.place(at.order("0.5", kind, trigger_price=trigger))
            assert isinstance(placed, OutcomeUnknown), placed
            record = await found(at)
            expected = OrderStatus.OPEN if trigger else OrderStatus.FILLED
            assert record.status is expected
            assert at.sim.requests.count(endpoint) == 1

    run(scenario())


def test_an_order_that_never_arrived_is_nowhere() -> None:
    async def scenario() -> None:
        async with okx() as at:
            at.hold("0.5")
            at.sim.faults.order(Fault(kind=FaultKind.DROP_BEFORE, endpoint="order.create"))
            assert isinstance(await at.venue.place(at.order("0.5")), OutcomeUnknown)
            told = await at.venue.find_order(BTC, FIRST_ID)
            assert told == NoSuchOrder(client_order_id=FIRST_ID)

    run(scenario())


@modes
@sides
def test_a_stop_is_seen_as_cover_fires_and_its_fill_is_read_of_the_order_it_became(
    hedged: bool, side: Side
) -> None:
    async def scenario() -> None:
        async with okx(hedged=hedged) as at:
            at.hold("0.5", side)
            order_id, trigger = await stop(at, side)
            assert (await found(at)).status is OrderStatus.OPEN
            protection = await at.venue.fetch_protection((BTC,))
            assert protection.problems == ()
            (cover,) = protection.orders
            assert (cover.trigger_price, cover.quantity) == (trigger, Decimal("0.5"))
            assert (cover.side, cover.is_stop) == (side.closing, True)
            assert cover.kind is ProtectionKind.ALGO
            assert cover.client_order_id == FIRST_ID
            # Half of what it sends finds a buyer at once: its actualSz says 50, the fill is 25.
            at.market.set_book_depth(Exchange.OKX, BTC, Decimal("0.25"))
            at.market.set_price(BTC, trigger - 10 * side.sign)
            fired = await found(at)
            assert fired.filled == Decimal("0.25")
            assert fired.client_order_id == FIRST_ID
            assert fired.order_id != order_id
            algo = at.market.accounts["main"].orders[order_id]
            assert algo.triggered_as == fired.order_id

    run(scenario())


def test_an_order_that_came_of_a_stop_is_cancelled_under_its_own_id() -> None:
    async def scenario() -> None:
        async with okx() as at:
            at.hold("0.5")
            # Placed elsewhere: a stop that goes on as a limit order, which rests.
            owner = at.market.accounts["main"]
            elsewhere = OrderSpec(
                symbol_id="BTC-USDT-SWAP",
                side=OrderSide.SELL,
                quantity=Decimal(50),
                price=Decimal("62995"),
                reduce_only=True,
                client_id=FIRST_ID,
                trigger_price=Decimal("63000"),
                trigger_rising=False,
            )
            assert isinstance(at.market.place(owner, elsewhere), Order)
            at.market.set_price(BTC, Decimal("62990"))
            (algo,) = owner.by_client_id[FIRST_ID][:1]
            listed = await at.venue.open_orders(BTC)
            assert isinstance(listed, OpenOrders), listed
            (resting,) = listed.orders
            assert resting.order_id == algo.triggered_as
            assert resting.client_order_id == FIRST_ID
            ended = await at.venue.cancel(BTC, resting.order_id)
            assert isinstance(ended, Canceled), ended
            assert ended.record is not None
            assert ended.record.order_id == algo.triggered_as
            assert owner.orders[algo.triggered_as].state.value == "canceled"

    run(scenario())


def test_a_stop_is_cancelled_and_a_second_cancel_tells_the_same() -> None:
    async def scenario() -> None:
        async with okx() as at:
            at.hold("0.5")
            order_id, _ = await stop(at)
            for _ in range(2):
                ended = await at.venue.cancel(BTC, order_id, trigger=True)
                assert isinstance(ended, Canceled), ended
                assert ended.record is not None
                assert ended.record.filled == 0
            assert (await at.venue.fetch_protection((BTC,))).orders == ()
            assert (await found(at)).status is OrderStatus.CANCELED

    run(scenario())


def test_a_cancel_that_comes_too_late_tells_of_the_fill() -> None:
    async def scenario() -> None:
        async with okx() as at:
            at.hold("0.5")
            placed = await at.venue.place(at.order("0.5"))
            assert isinstance(placed, Accepted), placed
            ended = await at.venue.cancel(BTC, placed.order_id)
            assert isinstance(ended, Canceled), ended
            assert ended.record is not None
            assert ended.record.filled == Decimal("0.5")
            assert isinstance(await at.venue.cancel(BTC, "123456"), NoSuchOrder)

    run(scenario())


def test_what_closes_the_whole_position_covers_it() -> None:
    async def scenario() -> None:
        async with okx() as at:
            at.hold("0.5", stop_loss=Decimal("60000"), take_profit=Decimal("70000"))
            protection = await at.venue.fetch_protection((BTC,))
            assert protection.problems == ()
            stops = [it for it in protection.orders if it.is_stop]
            assert [(it.trigger_price, it.quantity) for it in stops] == [(Decimal("60000"), None)]
            profits = [it for it in protection.orders if not it.is_stop]
            assert [it.trigger_price for it in profits] == [Decimal("70000")]
            at.market.set_price(BTC, Decimal("59990"))
            assert (await at.venue.fetch_positions()).positions == ()
            assert (await at.venue.fetch_protection((BTC,))).orders == ()

    run(scenario())


def test_an_isolated_leg_is_closed_in_its_own_margin_mode() -> None:
    async def scenario() -> None:
        async with okx() as at:
            at.market.accounts["main"].isolated.add("BTC-USDT-SWAP")
            at.hold("0.5")
            assert (await at.venue.fetch_positions()).complete
            assert isinstance(await at.venue.place(at.order("0.5")), Accepted)
            (sent,) = at.sim.requests.orders()
            assert sent.params["tdMode"] == "isolated"

    run(scenario())


def test_fills_tell_their_kind_fee_profit_and_order() -> None:
    async def scenario() -> None:
        async with okx() as at:
            since = now() - timedelta(minutes=1)
            at.hold("0.5")
            assert isinstance(await at.venue.place(at.order("0.2")), Accepted)
            at.market.close_by_hand("main", BTC, LONG, Decimal("0.1"), Decimal("64000"))
            at.market.deleverage("main", BTC, LONG, Decimal("0.1"))
            at.market.liquidate("main", BTC, LONG)
            told = await at.venue.fetch_fills(BTC, since)
            assert isinstance(told, Fills), told
            opened, ours, by_hand, reduced, forced = told.fills
            assert opened.side is OrderSide.BUY
            assert (ours.client_order_id, ours.quantity) == (FIRST_ID, Decimal("0.2"))
            assert ours.fee > 0
            assert ours.fee_currency == "USDT"
            assert by_hand.price == Decimal("64000")
            assert by_hand.kind is FillKind.TRADE
            assert (reduced.kind, forced.kind) == (FillKind.ADL, FillKind.LIQUIDATION)

    run(scenario())


def test_fills_are_whole_over_several_pages_that_come_newest_first() -> None:
    async def scenario() -> None:
        async with okx() as at:
            since = now() - timedelta(days=9)
            for number in range(250):
                opened_at = since + timedelta(seconds=1 + number)
                at.market.open_position("main", BTC, LONG, Decimal("0.001"), opened_at=opened_at)
            told = await at.venue.fetch_fills(BTC, since)
            assert isinstance(told, Fills), told
            assert len({it.fill_id for it in told.fills}) == len(told.fills) == 250
            assert list(told.fills) == sorted(told.fills, key=lambda fill: fill.at)
            assert at.sim.requests.count("fills") == 3

    run(scenario())


def test_closed_positions_are_told_with_their_kind() -> None:
    async def scenario() -> None:
        async with okx() as at:
            since = now() - timedelta(minutes=1)
            before = now() - timedelta(seconds=30)
            at.market.open_position("main", BTC, LONG, Decimal("0.5"), opened_at=before)
            ended_at = before + timedelta(seconds=10)
            price = Decimal("65000")
            at.market.close_by_hand("main", BTC, LONG, price=price, closed_at=ended_at)
            at.hold("0.3", SHORT)
            at.market.liquidate("main", BTC, SHORT)
            told = await at.venue.closed_positions(BTC, since)
            assert isinstance(told, ClosedPositions), told
            by_hand, forced = sorted(told.records, key=lambda it: it.ended_at)
            assert (by_hand.side, by_hand.quantity) == (LONG, Decimal("0.5"))
            assert by_hand.exit_price == price
            assert (forced.side, forced.kind) == (SHORT, FillKind.LIQUIDATION)

    run(scenario())


def test_prices_clock_rights_and_identity_are_told() -> None:
    async def scenario() -> None:
        async with okx() as at:
            every = frozenset(PriceKind)
            prices = await at.venue.fetch_prices(every)
            assert isinstance(prices, Prices), prices
            assert prices.damaged == {}
            assert prices.by_symbol[BTC].mark == at.market.price(Exchange.OKX, BTC)
            for symbol in [it.symbol for it in at.market.listings(Exchange.OKX)]:
                quote = await at.venue.fetch_quote(symbol)
                if symbol in prices.by_symbol or "USDT" in symbol:
                    assert isinstance(quote, Quote), quote
            clock = await at.venue.server_time()
            assert not isinstance(clock, VenueError)
            assert abs(clock - now()) < timedelta(seconds=2)
            assert await at.venue.key_rights() == KeyRights(read=True, trade=True, withdraw=False)
            who = await at.venue.identity()
            uid = str(at.market.accounts["main"].uid)
            assert who == Identity(id=uid, sub_account=False, label="main")

    run(scenario())


def test_the_largest_market_order_is_known() -> None:
    async def scenario() -> None:
        async with okx() as at:
            listed = at.market.listing(Exchange.OKX, BTC).instrument
            markets = await at.venue.reload_markets()
            assert isinstance(markets, Markets), markets
            assert markets.instruments[BTC].max_market_amount == listed.max_market_amount

    run(scenario())


def test_with_the_venues_limits_on_nothing_is_refused() -> None:
    async def scenario() -> None:
        async with okx(limits=True, hedged=True) as at:
            at.hold("0.5")
            for _ in range(7):
                assert (await at.venue.fetch_positions()).complete
            for number in range(25):
                order = at.order("0.001", client_order_id=f"{FIRST_ID[:-2]}{number:02}")
                assert isinstance(await at.venue.place(order), Accepted)
            for _ in range(12):
                protection = await at.venue.fetch_protection((BTC,))
                assert protection.problems == ()

    run(scenario())


@modes
def test_portfolio_margin_is_refused_in_words_where_a_close_could_open_a_position(
    hedged: bool,
) -> None:
    async def scenario() -> None:
        async with okx(hedged=hedged) as at:
            at.market.accounts["main"].margin_mode = "PORTFOLIO_MARGIN"
            who = await at.venue.identity()
            if hedged:
                assert isinstance(who, Identity), who
            else:
                assert isinstance(who, VenueError), who
                assert who.kind is VenueErrorKind.KEY
                assert "portfolio margin" in who.message

    run(scenario())
