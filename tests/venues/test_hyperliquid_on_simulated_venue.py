"""The gateway on the simulated Hyperliquid: addresses, signed orders, stops, fills, limits."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from messages.values import LegKey, OrderSide, Secret
from messages.venue import (
    Accepted,
    Canceled,
    ClosedPositions,
    Connected,
    FillKind,
    Fills,
    Identity,
    KeyRights,
    NoSuchOrder,
    OpenOrders,
    OrderRecord,
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
from rules.protection import coverage
from simulator import Exchange, Fault, FaultKind
from simulator.state import Order, OrderSpec
from tests.venues.conftest import now, run
from tests.venues.hyperliquid import (
    ADDRESS,
    BTC,
    OTHER,
    OTHER_KEY,
    OWN,
    OWN_KEY,
    SUB,
    WALLET,
    hyperliquid,
)
from tests.venues.simulated import FIRST_ID, LONG, SHORT
from venues.gateway import open_venue


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_market_close_is_signed_reduce_only_and_its_fill_is_read(side: object) -> None:
    side_ = LONG if side is LONG else SHORT

    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", side_, BTC)
            (position,) = (await at.venue.fetch_positions()).positions
            assert (position.key.side, position.quantity) == (side_, Decimal("0.5"))
            placed = await at.venue.place(at.order("0.2", side=side_, symbol=BTC))
            assert isinstance(placed, Accepted), placed
            record = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.order_id == placed.order_id
            assert record.client_order_id == FIRST_ID
            assert record.side is side_.closing
            assert record.status is OrderStatus.FILLED
            assert record.filled == record.quantity == Decimal("0.2")
            assert record.reduce_only is True
            assert at.market.quantity("main", BTC, side_) == Decimal("0.3")
            assert at.market.quantity("other", BTC, side_) == 0

    run(scenario())


def test_a_close_can_never_open_or_flip_a_leg() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            placed = await at.venue.place(at.order("0.2", symbol=BTC))
            assert isinstance(placed, Refused), placed
            assert placed.error.kind is VenueErrorKind.NOTHING_TO_REDUCE
            assert at.market.quantity("main", BTC, SHORT) == 0

    run(scenario())


def test_refusals_are_told_apart() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            price = Decimal(70000)
            maker = at.order("0.1", OrderType.LIMIT_MAKER, symbol=BTC, price=price)
            assert isinstance(await at.venue.place(maker), Accepted)
            again = await at.venue.place(maker)
            assert isinstance(again, Refused), again
            assert again.error.kind is VenueErrorKind.DUPLICATE_ID
            taking = at.order(
                "0.1",
                OrderType.LIMIT_MAKER,
                symbol=BTC,
                client_order_id="5e70" + "2" * 24,
                price=Decimal(64000),
            )
            refused = await at.venue.place(taking)
            assert isinstance(refused, Refused), refused
            assert refused.error.kind is VenueErrorKind.PRICE_BAND
            far = at.order(
                "0.1",
                OrderType.LIMIT_AGGRESSIVE,
                symbol=BTC,
                client_order_id="5e70" + "3" * 24,
                price=Decimal(66000),
            )
            unmatched = await at.venue.place(far)
            assert isinstance(unmatched, Refused), unmatched
            assert unmatched.error.kind is VenueErrorKind.PRICE_BAND

    run(scenario())


def test_an_aggressive_limit_fills_at_once_and_never_rests() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            at.market.set_book_depth(Exchange.HYPERLIQUID, BTC, Decimal("0.1"))
            quote = await at.venue.fetch_quote(BTC)
            assert isinstance(quote, Quote), quote
            price = (quote.last * Decimal("0.999")).quantize(Decimal(1))
            order = at.order("0.5", OrderType.LIMIT_AGGRESSIVE, symbol=BTC, price=price)
            assert isinstance(await at.venue.place(order), Accepted)
            record = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.status.final
            assert record.status is not OrderStatus.FILLED
            assert record.filled == Decimal("0.1")
            assert await at.venue.open_orders(BTC) == OpenOrders(symbol=BTC, orders=())

    run(scenario())


def test_a_maker_order_rests_is_listed_and_is_cancelled_with_its_record() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            order = at.order("0.5", OrderType.LIMIT_MAKER, symbol=BTC, price=Decimal(65000))
            placed = await at.venue.place(order)
            assert isinstance(placed, Accepted), placed
            resting = await at.venue.open_orders(BTC)
            assert isinstance(resting, OpenOrders), resting
            (found,) = resting.orders
            assert (found.client_order_id, found.price) == (FIRST_ID, Decimal(65000))
            for _ in range(2):
                # The second one comes too late, and the record tells the same.
                cancelled = await at.venue.cancel(BTC, placed.order_id)
                assert isinstance(cancelled, Canceled), cancelled
                assert cancelled.record is not None
                assert cancelled.record.status is OrderStatus.CANCELED
            assert isinstance(await at.venue.cancel(BTC, "9" * 11), NoSuchOrder)

    run(scenario())


def test_cancelling_a_filled_order_tells_of_the_fill_and_not_of_a_cancel() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            placed = await at.venue.place(at.order("0.5", symbol=BTC))
            assert isinstance(placed, Accepted), placed
            ended = await at.venue.cancel(BTC, placed.order_id)
            assert isinstance(ended, Canceled), ended
            assert ended.record is not None
            assert ended.record.status is OrderStatus.FILLED

    run(scenario())


def test_a_scheduled_cancel_is_an_end() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            order = at.order("0.5", OrderType.LIMIT_MAKER, symbol=BTC, price=Decimal(65000))
            assert isinstance(await at.venue.place(order), Accepted)
            account = at.market.accounts["main"]
            (resting,) = account.live_orders("BTC")
            at.market.clearing.end(
                account, resting, type(resting.state).CANCELED, now(), "scheduledCancel"
            )
            record = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.status is OrderStatus.CANCELED

    run(scenario())


def test_a_lost_reply_is_unknown_found_by_its_id_and_never_sent_twice() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            at.sim.faults.order(Fault(kind=FaultKind.DROP_AFTER, endpoint="order.create"))
            placed = await at.venue.place(at.order("0.5", symbol=BTC))
            assert isinstance(placed, OutcomeUnknown), placed
            assert placed.error.kind is VenueErrorKind.NETWORK
            record = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(record, OrderRecord), record
            assert record.filled == Decimal("0.5")
            assert at.sim.requests.count("order.create") == 1

    run(scenario())


def test_an_order_that_never_arrived_is_nowhere() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            at.sim.faults.order(Fault(kind=FaultKind.DROP_BEFORE, endpoint="order.create"))
            placed = await at.venue.place(at.order("0.5", symbol=BTC))
            assert isinstance(placed, OutcomeUnknown), placed
            found = await at.venue.find_order(BTC, FIRST_ID)
            assert found == NoSuchOrder(client_order_id=FIRST_ID)

    run(scenario())


@pytest.mark.parametrize(
    "fault", [FaultKind.EMPTY_BODY, FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.STATUS]
)
def test_damage_never_says_that_nothing_is_there(fault: FaultKind) -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", symbol=BTC)
            at.sim.faults.order(Fault(kind=fault, endpoint="order.find"))
            assert isinstance(await at.venue.find_order(BTC, FIRST_ID), VenueError)
            at.sim.faults.order(Fault(kind=fault, endpoint="positions", account="main"))
            assert not (await at.venue.fetch_positions()).complete
            snapshot = await at.venue.fetch_positions()
            assert [p.quantity for p in snapshot.positions] == [Decimal("0.5")]

    run(scenario())


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_stop_rests_as_protection_and_fires_as_a_fill(side: object) -> None:
    side_ = LONG if side is LONG else SHORT

    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", side_, BTC)
            trigger = Decimal(61000) if side_ is LONG else Decimal(67000)
            order = at.order("0.5", OrderType.STOP_MARKET, side_, BTC, trigger_price=trigger)
            placed = await at.venue.place(order)
            assert isinstance(placed, Accepted), placed
            resting = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(resting, OrderRecord), resting
            assert resting.status is OrderStatus.OPEN
            protection = await at.venue.fetch_protection((BTC,))
            assert protection.problems == ()
            (stop,) = protection.orders
            assert (stop.trigger_price, stop.quantity) == (trigger, Decimal("0.5"))
            assert stop.side is side_.closing
            assert stop.is_stop
            assert stop.reduce_only
            assert stop.client_order_id == FIRST_ID
            (position,) = (await at.venue.fetch_positions()).positions
            assert coverage(position, protection).quantity == Decimal("0.5")
            at.market.set_price(BTC, trigger - 100 * side_.sign)
            fired = await at.venue.find_order(BTC, FIRST_ID)
            assert isinstance(fired, OrderRecord), fired
            assert fired.status is OrderStatus.FILLED
            assert fired.filled == Decimal("0.5")

    run(scenario())


def test_a_stop_is_cancelled() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", SHORT, BTC)
            order = at.order("0.5", OrderType.STOP_MARKET, SHORT, BTC, trigger_price=Decimal(67000))
            placed = await at.venue.place(order)
            assert isinstance(placed, Accepted), placed
            ended = await at.venue.cancel(BTC, placed.order_id, trigger=True)
            assert isinstance(ended, Canceled), ended
            assert (await at.venue.fetch_protection((BTC,))).orders == ()

    run(scenario())


def test_a_stop_of_the_position_covers_it_whatever_its_size() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", LONG, BTC, stop_loss=Decimal(60000), take_profit=Decimal(70000))
            at.hold("0.2", LONG, BTC)
            (position,) = (await at.venue.fetch_positions()).positions
            assert position.quantity == Decimal("0.7")
            protection = await at.venue.fetch_protection((BTC,))
            assert protection.problems == ()
            assert [stop.trigger_price for stop in protection.orders if stop.is_stop] == [
                Decimal(60000)
            ]
            assert coverage(position, protection).quantity == Decimal("0.7")

    run(scenario())


def test_a_stop_of_an_order_that_has_not_filled_protects_nothing_yet() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.hold("0.5", LONG, BTC)
            account = at.market.accounts["main"]
            entry = at.market.place(
                account,
                OrderSpec(
                    symbol_id="BTC",
                    side=OrderSide.BUY,
                    quantity=Decimal("0.5"),
                    price=Decimal(63000),
                ),
            )
            assert isinstance(entry, Order)
            stop = OrderSpec(
                symbol_id="BTC",
                side=OrderSide.SELL,
                quantity=Decimal("0.5"),
                reduce_only=True,
                trigger_price=Decimal(60000),
                trigger_rising=False,
                by_mark=True,
            )
            at.sim.hyperliquid.children.add(account, entry, stop, now())
            (position,) = (await at.venue.fetch_positions()).positions
            protection = await at.venue.fetch_protection((BTC,))
            assert coverage(position, protection).quantity == 0
            at.market.set_price(BTC, Decimal(62900))
            (position,) = (await at.venue.fetch_positions()).positions
            assert position.quantity == Decimal(1)
            protection = await at.venue.fetch_protection((BTC,))
            assert coverage(position, protection).quantity == Decimal("0.5")

    run(scenario())


def test_fills_are_told_with_what_they_closed_and_earned() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            since = now() - timedelta(minutes=1)
            at.hold("0.5", symbol=BTC)
            assert isinstance(await at.venue.place(at.order("0.2", symbol=BTC)), Accepted)
            at.market.close_by_hand("main", BTC, LONG, Decimal("0.1"), Decimal("64000"))
            at.market.liquidate("main", BTC, LONG)
            told = await at.venue.fetch_fills(BTC, since)
            assert isinstance(told, Fills), told
            opened, ours, by_hand, forced = told.fills
            assert opened.side is OrderSide.BUY
            assert opened.closed_quantity == 0
            assert ours.client_order_id == FIRST_ID
            assert ours.closed_quantity == ours.quantity == Decimal("0.2")
            assert ours.fee > 0
            assert ours.fee_currency == "USDC"
            assert by_hand.price == Decimal("64000")
            assert by_hand.realized_pnl == Decimal("-25")
            assert by_hand.kind is FillKind.TRADE
            assert forced.kind is FillKind.LIQUIDATION

    run(scenario())


def test_a_busy_accounts_fills_are_whole_over_several_pages() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            since = now() - timedelta(hours=2)
            for n in range(2600):
                # Another contract's fills stand between this one's.
                symbol = BTC if n % 2 else "ETH/USDC:USDC"
                at.market.open_position(
                    "main",
                    symbol,
                    LONG,
                    Decimal("0.01"),
                    opened_at=since + timedelta(seconds=2 * n),
                )
            told = await at.venue.fetch_fills(BTC, since)
            assert isinstance(told, Fills), told
            assert len(told.fills) == 1300
            assert len({fill.fill_id for fill in told.fills}) == 1300

    run(scenario())


def test_closed_positions_are_read_from_the_fills() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            since = now() - timedelta(minutes=1)
            at.hold("0.5", SHORT, BTC)
            at.market.close_by_hand("main", BTC, SHORT, price=Decimal(64000))
            told = await at.venue.closed_positions(BTC, since)
            assert isinstance(told, ClosedPositions), told
            (closed,) = told.records
            assert (closed.side, closed.quantity) == (SHORT, Decimal("0.5"))
            assert closed.realized_pnl == Decimal(125)

    run(scenario())


def test_prices_of_all_contracts_come_in_one_question() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            at.sim.requests.clear()
            kinds = frozenset({PriceKind.BOOK, PriceKind.MARK})
            prices = await at.venue.fetch_prices(kinds)
            assert isinstance(prices, Prices), prices
            price = prices.by_symbol[BTC]
            assert (price.bid, price.ask, price.mark) == (
                Decimal(64249),
                Decimal(64251),
                Decimal(64250),
            )
            assert len(prices.by_symbol) == 8
            assert len(at.sim.requests.requests) == 1

    run(scenario())


def test_the_key_is_the_accounts_address_and_the_wallet_is_one_of_it() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            assert await at.venue.identity() == Identity(id=ADDRESS, sub_account=False)
        async with hyperliquid(key=WALLET) as at:
            told = await at.venue.identity()
            assert isinstance(told, VenueError)
            assert told.kind is VenueErrorKind.KEY
            assert ADDRESS in told.message

    run(scenario())


@pytest.mark.parametrize("secret", [OTHER_KEY, "0x" + "44" * 32], ids=["anothers", "nobodys"])
def test_a_wallet_of_another_account_is_refused_before_it_signs_anything(secret: str) -> None:
    """Reads go by `key`, orders by who signed: they would reduce a position of somebody else."""

    async def scenario() -> None:
        async with hyperliquid(secret=secret) as at:
            at.hold("0.5", symbol=BTC)
            at.market.open_position("other", BTC, LONG, Decimal("0.5"))
            placed = await at.venue.place(at.order("0.5", symbol=BTC))
            assert isinstance(placed, Refused), placed
            assert placed.error.kind is VenueErrorKind.KEY
            assert secret not in placed.error.message
            assert at.sim.requests.count("order.create") == 0
            assert at.market.quantity("other", BTC, LONG) == Decimal("0.5")
            rights = await at.venue.key_rights()
            assert isinstance(rights, VenueError), rights
            assert rights.kind is VenueErrorKind.KEY

    run(scenario())


def test_an_api_wallet_cannot_withdraw_and_the_accounts_own_key_can() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            told = await at.venue.key_rights()
            assert told == KeyRights(read=True, trade=True, withdraw=False)
        async with hyperliquid(key=OWN, secret=OWN_KEY) as at:
            told = await at.venue.key_rights()
            assert told == KeyRights(read=True, trade=True, withdraw=True)

    run(scenario())


@pytest.mark.parametrize("vault", [False, True], ids=["sub-account", "vault"])
def test_the_orders_of_a_sub_account_or_vault_are_its_own(vault: bool) -> None:
    async def scenario() -> None:
        async with hyperliquid(key=SUB) as at:
            at.market.open_position("sub", BTC, LONG, Decimal("0.5"))
            at.market.open_position("main", BTC, LONG, Decimal("0.5"))
            if vault:
                at.sim.hyperliquid.addresses.vaults.add("sub")
            told = await at.venue.identity()
            main = "" if vault else ADDRESS
            assert told == Identity(id=SUB, sub_account=not vault, main_id=main)
            placed = await at.venue.place(at.order("0.5", symbol=BTC))
            assert isinstance(placed, Accepted), placed
            assert at.market.quantity("sub", BTC, LONG) == 0
            assert at.market.quantity("main", BTC, LONG) == Decimal("0.5")
            maker = at.order(
                "0.1", OrderType.LIMIT_MAKER, SHORT, BTC, "5e70" + "2" * 24, price=Decimal(63000)
            )
            at.market.open_position("sub", BTC, SHORT, Decimal("0.5"))
            rests = await at.venue.place(maker)
            assert isinstance(rests, Accepted), rests
            assert isinstance(await at.venue.cancel(BTC, rests.order_id), Canceled)

    run(scenario())


def test_nothing_is_refused_with_the_venues_own_limits_on() -> None:
    async def scenario() -> None:
        async with hyperliquid(limits=True) as at:
            at.hold("0.5", symbol=BTC)
            for _ in range(20):
                assert (await at.venue.fetch_positions()).complete
            assert (await at.venue.fetch_position(LegKey("main", BTC, LONG))).complete
            assert isinstance(await at.venue.fetch_quote(BTC), Quote)
            assert isinstance(await at.venue.place(at.order("0.5", symbol=BTC)), Accepted)
            assert isinstance(await at.venue.find_order(BTC, FIRST_ID), OrderRecord)

    run(scenario())


def test_a_second_account_shares_the_markets_of_the_first() -> None:
    async def scenario() -> None:
        async with hyperliquid() as at:
            settings = msgspec.structs.replace(
                at.settings, name="other", key=Secret(OTHER), secret=Secret(OTHER_KEY)
            )
            other = open_venue(settings, now=now)
            try:
                connected = await other.connect()
                assert isinstance(connected, Connected), connected
                at.market.open_position("other", BTC, LONG, Decimal("0.5"))
                assert [it.quantity for it in (await other.fetch_positions()).positions] == [
                    Decimal("0.5")
                ]
                assert (await at.venue.fetch_positions()).positions == ()
            finally:
                await other.close()

    run(scenario())
