"""The gateway on the simulated Bitget, in one-way and hedge mode: read, sent, found, protected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from messages.settings import AccountSettings
from messages.values import LegKey, OrderSide, Secret, Side
from messages.venue import (
    Accepted,
    Canceled,
    ClosedPositions,
    FillKind,
    Fills,
    Identity,
    InstrumentStatus,
    KeyRights,
    Markets,
    NoSuchOrder,
    OpenOrders,
    OrderRecord,
    OrderStatus,
    OrderType,
    OutcomeUnknown,
    Placement,
    PriceKind,
    Prices,
    Quote,
    Refused,
    VenueError,
    VenueErrorKind,
)
from simulator import Exchange, Fault, FaultKind, contracts
from tests.venues.conftest import now, run
from tests.venues.simulated import BTC, FIRST_ID, LONG, SHORT, Opened, simulated
from venues.gateway import open_venue

BITGET = Exchange.BITGET
SECOND_ID = "5e70" + "0" * 23 + "2"
INVERSE = "BTC/USD:BTC"
modes = pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])
legs = pytest.mark.parametrize("side", list(Side), ids=lambda side: side.value)


def beyond(at: Opened, side: Side, fraction: str) -> Decimal:
    """A price on the losing side of the market, or with a negative fraction on the winning one."""
    away = Decimal(fraction) * side.sign
    return (at.market.price(BITGET, BTC) * (1 - away)).quantize(Decimal("0.1"))


async def record(at: Opened, client_order_id: str = FIRST_ID) -> OrderRecord:
    found = await at.venue.find_order(BTC, client_order_id)
    assert isinstance(found, OrderRecord), found
    return found


@modes
@legs
def test_a_leg_is_read_and_closed_and_nothing_is_opened(hedged: bool, side: Side) -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=hedged) as at:
            at.hold("0.5", side)
            (leg,) = (await at.venue.fetch_positions()).positions
            assert (leg.key.side, leg.quantity, leg.hedged) == (side, Decimal("0.5"), hedged)
            assert leg.opened_at is not None
            assert abs(leg.opened_at - now()) < timedelta(minutes=1)
            placed = await at.venue.place(at.order("0.2", side=side))
            assert isinstance(placed, Accepted), placed
            done = await record(at)
            assert done.order_id == placed.order_id
            assert done.side is side.closing
            assert done.status is OrderStatus.FILLED
            assert done.filled == done.quantity == Decimal("0.2")
            assert done.position_side is (side if hedged else None)
            assert done.fee is not None
            assert done.fee > 0
            assert at.market.quantity("main", BTC, side) == Decimal("0.3")
            rest = at.order("0.3", side=side, client_order_id=SECOND_ID)
            assert isinstance(await at.venue.place(rest), Accepted)
            assert (await at.venue.fetch_positions()).positions == ()
            once_more = at.order("0.3", side=side, client_order_id=FIRST_ID[:-1] + "3")
            refused = await at.venue.place(once_more)
            assert isinstance(refused, Refused), refused
            assert refused.error.kind is VenueErrorKind.NOTHING_TO_REDUCE
            assert refused.error.code == "22002"
            assert at.market.quantity("main", BTC, side.opposite) == 0

    run(scenario())


def test_hedge_legs_are_read_and_closed_apart() -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=True) as at:
            at.hold("0.5", LONG)
            at.hold("0.3", SHORT)
            read = {p.key.side: p.quantity for p in (await at.venue.fetch_positions()).positions}
            assert read == {LONG: Decimal("0.5"), SHORT: Decimal("0.3")}
            assert isinstance(await at.venue.place(at.order("0.3", side=SHORT)), Accepted)
            assert (await record(at)).position_side is SHORT
            left = await at.venue.fetch_position(LegKey("main", BTC, SHORT))
            assert left.complete
            assert [p.key.side for p in left.positions] == [LONG]
            assert at.market.quantity("main", BTC, LONG) == Decimal("0.5")

    run(scenario())


def test_contracts_of_all_product_types_are_read_and_closed() -> None:
    held = {BTC: "0.2", "BTC/USDC:USDC": "0.0300", INVERSE: "0.015"}

    async def scenario() -> None:
        async with simulated(BITGET, settles=("USDT", "USDC", "BTC")) as at:
            for symbol, quantity in held.items():
                at.hold(quantity, symbol=symbol)
            snapshot = await at.venue.fetch_positions()
            assert snapshot.complete
            # Coin futures are sized in their coin as well, and not in dollars.
            read = {p.key.symbol: p.quantity for p in snapshot.positions}
            assert read == {symbol: Decimal(quantity) for symbol, quantity in held.items()}
            for number, (symbol, quantity) in enumerate(held.items(), 1):
                own = f"5e70{number:024x}"
                order = at.order(quantity, symbol=symbol, client_order_id=own)
                assert isinstance(await at.venue.place(order), Accepted)
                found = await at.venue.find_order(symbol, own)
                assert isinstance(found, OrderRecord), found
                assert found.filled == Decimal(quantity)
            assert (await at.venue.fetch_positions()).positions == ()

    run(scenario())


def test_what_settles_elsewhere_is_not_called_absent() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.hold("0.015", symbol=INVERSE)
            snapshot = await at.venue.fetch_positions()
            assert snapshot.positions == ()
            assert snapshot.scope.covers(BTC)
            assert not snapshot.scope.covers(INVERSE)

    run(scenario())


def test_an_isolated_leg_is_closed_in_its_own_margin_mode() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.market.accounts["main"].isolated.add("BTCUSDT")
            at.hold("0.5")
            await at.venue.fetch_positions()
            assert isinstance(await at.venue.place(at.order("0.5")), Accepted)
            assert at.sim.requests.orders()[0].params["marginMode"] == "isolated"

    run(scenario())


def _rights(at: Opened) -> None:
    at.market.accounts["main"].can_trade = False


def _halt(at: Opened) -> None:
    contracts.halt(at.market, BITGET, BTC)


def _nothing(at: Opened) -> None:
    del at


@pytest.mark.parametrize(
    ("change", "price", "kind", "code"),
    [
        (_rights, None, VenueErrorKind.RIGHTS, "40014"),
        (_halt, None, VenueErrorKind.NOT_TRADABLE, "40308"),
        (_nothing, "30000", VenueErrorKind.PRICE_BAND, "40815"),
    ],
)
def test_refusals_are_told_apart(
    change: Callable[[Opened], None], price: str | None, kind: VenueErrorKind, code: str
) -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.hold("0.5")
            change(at)
            limit = Decimal(price) if price else None
            type_ = OrderType.LIMIT_AGGRESSIVE if price else OrderType.MARKET
            refused = await at.venue.place(at.order("0.5", type_, price=limit))
            assert isinstance(refused, Refused), refused
            assert (refused.error.kind, refused.error.code) == (kind, code)
            assert at.market.quantity("main", BTC, LONG) == Decimal("0.5")

    run(scenario())


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("40762", VenueErrorKind.MARGIN),
        ("45110", VenueErrorKind.SIZE),
        ("40309", VenueErrorKind.NOT_TRADABLE),
        ("40786", VenueErrorKind.DUPLICATE_ID),
    ],
)
def test_a_refusal_in_the_venues_own_code_is_one(code: str, kind: VenueErrorKind) -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.hold("0.5")
            fault = Fault(
                kind=FaultKind.ERROR_CODE, endpoint="order.create", code=code, message="no"
            )
            at.sim.faults.order(fault)
            refused = await at.venue.place(at.order("0.5"))
            assert isinstance(refused, Refused), refused
            assert refused.error.kind is kind

    run(scenario())


def test_a_service_error_leaves_the_outcome_open() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.hold("0.5")
            fault = Fault(
                kind=FaultKind.ERROR_AFTER,
                endpoint="order.create",
                code="40725",
                message="service return an error",
            )
            at.sim.faults.order(fault)
            placed = await at.venue.place(at.order("0.5"))
            assert isinstance(placed, OutcomeUnknown), placed
            assert (await record(at)).filled == Decimal("0.5")

    run(scenario())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": Secret("another")}, "40012"),
        ({"secret": Secret("another-secret")}, "40009"),
        ({"key": Secret("no-such-key")}, "40037"),
    ],
)
def test_wrong_credentials_are_told_at_connect(changes: dict[str, Secret], code: str) -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            settings: AccountSettings = msgspec.structs.replace(at.settings, **changes)
            other = open_venue(settings, now=now)
            try:
                refused = await other.connect()
            finally:
                await other.close()
            assert isinstance(refused, VenueError), refused
            assert (refused.kind, refused.code) == (VenueErrorKind.KEY, code)

    run(scenario())


def test_a_clock_that_is_off_is_told() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.sim.desk.skew = timedelta(minutes=2)
            snapshot = await at.venue.fetch_positions()
            assert [it.kind for it in snapshot.problems] == [VenueErrorKind.CLOCK]

    run(scenario())


@modes
def test_an_aggressive_limit_fills_at_once_and_never_rests(hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=hedged) as at:
            at.hold("0.5")
            at.market.set_book_depth(BITGET, BTC, Decimal("0.1"))
            order = at.order("0.5", OrderType.LIMIT_AGGRESSIVE, price=beyond(at, LONG, "0.001"))
            assert isinstance(await at.venue.place(order), Accepted)
            done = await record(at)
            assert (done.status, done.filled) == (OrderStatus.CANCELED, Decimal("0.1"))
            assert await at.venue.open_orders(BTC) == OpenOrders(symbol=BTC, orders=())

    run(scenario())


@modes
def test_a_maker_order_rests_is_listed_and_is_cancelled_with_its_record(hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=hedged) as at:
            at.hold("0.5")
            price = beyond(at, LONG, "-0.01")
            order = at.order("0.5", OrderType.LIMIT_MAKER, price=price)
            placed = await at.venue.place(order)
            assert isinstance(placed, Accepted), placed
            resting = await at.venue.open_orders(BTC)
            assert isinstance(resting, OpenOrders), resting
            (listed,) = resting.orders
            assert (listed.client_order_id, listed.price) == (FIRST_ID, price)
            assert listed.filled == 0
            assert listed.side is OrderSide.SELL
            twice = await at.venue.place(order)
            assert isinstance(twice, Refused), twice
            if hedged:
                # All of the leg is reserved by what rests.
                assert twice.error.kind is VenueErrorKind.NOTHING_TO_REDUCE
            else:
                assert twice.error.kind is VenueErrorKind.DUPLICATE_ID
            cancelled = await at.venue.cancel(BTC, placed.order_id)
            assert isinstance(cancelled, Canceled), cancelled
            assert cancelled.record is not None
            assert cancelled.record.status is OrderStatus.CANCELED

    run(scenario())


def test_a_late_cancel_tells_of_the_fill_and_one_of_nothing_of_nothing() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.hold("0.5")
            placed = await at.venue.place(at.order("0.5"))
            assert isinstance(placed, Accepted), placed
            ended = await at.venue.cancel(BTC, placed.order_id)
            assert isinstance(ended, Canceled), ended
            assert ended.record is not None
            assert ended.record.filled == Decimal("0.5")
            assert isinstance(await at.venue.cancel(BTC, "999"), NoSuchOrder)
            assert isinstance(await at.venue.cancel(BTC, "999", trigger=True), NoSuchOrder)

    run(scenario())


@modes
def test_a_lost_reply_is_found_by_the_client_id_and_nothing_is_sent_twice(hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=hedged) as at:
            at.hold("0.5")
            at.sim.faults.order(Fault(kind=FaultKind.DROP_AFTER, endpoint="order.create"))
            placed = await at.venue.place(at.order("0.5"))
            assert isinstance(placed, OutcomeUnknown), placed
            assert (await record(at)).filled == Decimal("0.5")
            assert at.sim.requests.count("order.create") == 1

    run(scenario())


def test_an_order_that_never_arrived_is_nowhere() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.hold("0.5")
            at.sim.faults.order(Fault(kind=FaultKind.DROP_BEFORE, endpoint="order.create"))
            assert isinstance(await at.venue.place(at.order("0.5")), OutcomeUnknown)
            found = await at.venue.find_order(BTC, FIRST_ID)
            assert found == NoSuchOrder(client_order_id=FIRST_ID)

    run(scenario())


DAMAGE = [FaultKind.EMPTY_BODY, FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.STATUS]


@pytest.mark.parametrize("fault", DAMAGE)
def test_a_damaged_look_up_never_says_that_an_order_does_not_exist(fault: FaultKind) -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            for endpoint in ("order.find", "algo.open", "algo.history"):
                broken = Fault(kind=fault, endpoint=endpoint, count=1)
                at.sim.faults.order(broken)
                found = await at.venue.find_order(BTC, FIRST_ID)
                assert isinstance(found, VenueError), (endpoint, found)

    run(scenario())


@pytest.mark.parametrize("fault", [*DAMAGE, FaultKind.MISSING_LIST])
def test_a_damaged_read_shows_nothing_and_says_why(fault: FaultKind) -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.hold("0.5")
            at.sim.faults.order(Fault(kind=fault, endpoint="positions"))
            assert not (await at.venue.fetch_positions()).complete
            assert (await at.venue.fetch_positions()).complete

    run(scenario())


@modes
@legs
def test_a_stop_covers_its_leg_until_it_is_cancelled(hedged: bool, side: Side) -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=hedged) as at:
            at.hold("0.5", side)
            trigger = beyond(at, side, "0.05")
            order = at.order("0.5", OrderType.STOP_MARKET, side, trigger_price=trigger)
            placed = await at.venue.place(order)
            assert isinstance(placed, Accepted), placed
            assert (await record(at)).status is OrderStatus.OPEN
            protection = await at.venue.fetch_protection((BTC,))
            assert protection.problems == ()
            (stop,) = protection.orders
            # A position's stop has no size: it closes all that is there.
            assert (stop.trigger_price, stop.quantity) == (trigger, None)
            assert (stop.side, stop.is_stop, stop.reduce_only) == (side.closing, True, True)
            assert stop.client_order_id == FIRST_ID
            listed = await at.venue.open_orders(BTC)
            assert isinstance(listed, OpenOrders), listed
            assert [(it.client_order_id, it.reduce_only) for it in listed.orders] == [
                (FIRST_ID, True)
            ]
            ended = await at.venue.cancel(BTC, placed.order_id, trigger=True)
            assert isinstance(ended, Canceled), ended
            assert ended.record is not None
            assert ended.record.status is OrderStatus.CANCELED
            assert (await at.venue.fetch_protection((BTC,))).orders == ()

    run(scenario())


@modes
@legs
def test_a_stop_that_fires_is_found_as_what_it_became(hedged: bool, side: Side) -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=hedged) as at:
            at.hold("0.5", side)
            trigger = beyond(at, side, "0.05")
            order = at.order("0.5", OrderType.STOP_MARKET, side, trigger_price=trigger)
            placed = await at.venue.place(order)
            assert isinstance(placed, Accepted), placed
            at.market.set_price(BTC, beyond(at, side, "0.06"))
            assert at.market.quantity("main", BTC, side) == 0
            fired = await record(at)
            assert (fired.status, fired.filled) == (OrderStatus.FILLED, Decimal("0.5"))
            assert fired.order_id != placed.order_id
            assert fired.client_order_id == FIRST_ID
            assert fired.fee is not None
            late = await at.venue.cancel(BTC, placed.order_id, trigger=True)
            assert isinstance(late, Canceled), late
            assert late.record is not None
            assert late.record.filled == Decimal("0.5")

    run(scenario())


def test_a_stop_that_would_fire_at_once_is_refused() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            at.hold("0.5")
            wrong = beyond(at, LONG, "-0.05")
            order = at.order("0.5", OrderType.STOP_MARKET, trigger_price=wrong)
            refused = await at.venue.place(order)
            assert isinstance(refused, Refused), refused
            assert refused.error.kind is VenueErrorKind.PRICE_BAND
            assert at.market.quantity("main", BTC, LONG) == Decimal("0.5")

    run(scenario())


@modes
def test_stops_of_people_are_seen_and_end_with_their_position(hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=hedged) as at:
            at.hold("0.5", stop_loss=Decimal(60000), take_profit=Decimal(70000))
            protection = await at.venue.fetch_protection((BTC,))
            assert protection.problems == ()
            prices = {order.is_stop: order.trigger_price for order in protection.orders}
            assert prices == {True: Decimal(60000), False: Decimal(70000)}
            assert isinstance(await at.venue.place(at.order("0.5")), Accepted)
            assert (await at.venue.fetch_protection((BTC,))).orders == ()

    run(scenario())


@modes
def test_fills_are_told_with_their_kind_fee_and_order(hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=hedged) as at:
            at.hold("0.6")
            placed = await at.venue.place(at.order("0.2"))
            assert isinstance(placed, Accepted), placed
            at.market.close_by_hand("main", BTC, LONG, Decimal("0.1"), Decimal(64000))
            at.market.deleverage("main", BTC, LONG, Decimal("0.1"))
            at.market.liquidate("main", BTC, LONG)
            told = await at.venue.fetch_fills(BTC, now() - timedelta(minutes=1))
            assert isinstance(told, Fills), told
            opened, ours, by_hand, adl, forced = told.fills
            assert opened.side is OrderSide.BUY
            assert {it.side for it in (ours, by_hand, adl, forced)} == {OrderSide.SELL}
            assert {it.position_side for it in told.fills} == {LONG if hedged else None}
            assert (ours.order_id, ours.quantity) == (placed.order_id, Decimal("0.2"))
            assert (ours.fee > 0, ours.fee_currency) == (True, "USDT")
            assert (by_hand.price, by_hand.kind) == (Decimal(64000), FillKind.TRADE)
            assert (adl.kind, forced.kind) == (FillKind.ADL, FillKind.LIQUIDATION)

    run(scenario())


def test_fills_are_whole_over_pages_and_weeks() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            since = now() - timedelta(days=16)
            for number in range(450):
                opened_at = since + timedelta(seconds=1, minutes=50 * number)
                at.market.open_position("main", BTC, LONG, Decimal("0.001"), opened_at=opened_at)
            told = await at.venue.fetch_fills(BTC, since)
            assert isinstance(told, Fills), told
            assert len({fill.fill_id for fill in told.fills}) == 450
            assert list(told.fills) == sorted(told.fills, key=lambda fill: fill.at)

    run(scenario())


@modes
def test_ended_positions_are_told_whole_over_pages(hedged: bool) -> None:
    async def scenario() -> None:
        async with simulated(BITGET, hedged=hedged) as at:
            start = now() - timedelta(days=3)
            for number in range(120):
                opened = start + timedelta(minutes=2 * number)
                at.market.open_position("main", BTC, SHORT, Decimal("0.1"), Decimal(64000), opened)
                at.market.close_by_hand(
                    "main",
                    BTC,
                    SHORT,
                    price=Decimal(63000),
                    closed_at=opened + timedelta(minutes=1),
                )
            at.hold("0.2", SHORT)
            told = await at.venue.closed_positions(BTC, start)
            assert isinstance(told, ClosedPositions), told
            assert len({it.record_id for it in told.records}) == 120
            last = max(told.records, key=lambda it: it.ended_at)
            assert (last.side, last.quantity) == (SHORT, Decimal("0.1"))
            assert (last.entry_price, last.exit_price) == (Decimal(64000), Decimal(63000))
            assert last.realized_pnl is not None
            assert Decimal(90) < last.realized_pnl < Decimal(100)

    run(scenario())


def test_whose_login_it_is_and_what_it_may_do() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            owner = at.market.accounts["main"]
            assert await at.venue.identity() == Identity(id=str(owner.uid), sub_account=False)
            # Which of the authorities withdraws the documentation does not say.
            assert await at.venue.key_rights() == KeyRights(read=True, trade=True)
            owner.can_trade, owner.master = False, 4711
            assert await at.venue.identity() == Identity(
                id=str(owner.uid), sub_account=True, main_id="4711"
            )
            assert await at.venue.key_rights() == KeyRights(read=True, trade=False)

    run(scenario())


def test_prices_come_one_by_one_and_all_at_once() -> None:
    async def scenario() -> None:
        async with simulated(BITGET, settles=("USDT", "USDC", "BTC")) as at:
            quote = await at.venue.fetch_quote(BTC)
            assert isinstance(quote, Quote), quote
            assert quote.bid < quote.last < quote.ask
            prices = await at.venue.fetch_prices(frozenset(PriceKind))
            assert isinstance(prices, Prices), prices
            assert {BTC, "BTC/USDC:USDC", INVERSE} <= set(prices.by_symbol)
            assert prices.damaged == {}
            clock = await at.venue.server_time()
            assert not isinstance(clock, VenueError)
            assert abs(clock - now()) < timedelta(seconds=2)

    run(scenario())


def test_market_rules_are_the_venues_own() -> None:
    async def scenario() -> None:
        async with simulated(BITGET) as at:
            contracts.halt(at.market, BITGET, "ETH/USDT:USDT")
            markets = await at.venue.reload_markets()
            assert isinstance(markets, Markets), markets
            bitcoin = markets.instruments[BTC]
            assert (bitcoin.price_step, bitcoin.amount_step) == (Decimal("0.1"), Decimal("0.001"))
            assert bitcoin.max_market_amount == 120
            assert markets.instruments["ETH/USDT:USDT"].status is InstrumentStatus.HALTED
            dated = [it for it in markets.instruments.values() if it.expires_at is not None]
            assert [it.settle for it in dated] == ["BTC"]

    run(scenario())


def test_a_gateway_that_spaces_its_requests_is_never_refused_for_the_rate() -> None:
    async def scenario() -> None:
        async with simulated(BITGET, limits=True, latency=0.02) as at:
            at.hold("1")
            orders = [
                msgspec.structs.replace(
                    at.order("0.01", client_order_id=f"5e70{number:024x}"),
                    not_after=now() + timedelta(seconds=30),
                )
                for number in range(1, 16)
            ]
            asked: list[Any] = [at.venue.place(order) for order in orders]
            asked += [at.venue.fetch_positions() for _ in range(8)]
            answers = await asyncio.gather(*asked)
            placed: list[Placement] = answers[:15]
            assert [type(it) for it in placed] == [Accepted] * 15
            assert all(it.complete for it in answers[15:])
            assert at.sim.requests.count("order.create") == 15
            assert at.sim.requests.count("positions") == 8

    run(scenario())
