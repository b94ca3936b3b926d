"""The market's own rules, without any protocol."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from messages.values import Side
from messages.venue import FillKind
from simulator import Exchange, Market, demo_market, opening_fills
from simulator.instruments import WHOLE, quarter_end
from simulator.state import (
    Account,
    RejectReason,
    Slot,
    State,
    TimeInForce,
)
from tests.simulator.conftest import ACCOUNTS, BTC, ETH, START, Clock, dec
from tests.simulator.orders import placed, refused, sell


def size(market: Market, account: str, symbol: str = BTC) -> Decimal:
    owner = market.accounts[account]
    listing = market.listing(owner.exchange, symbol)
    held = owner.position(listing.id, Slot.BOTH)
    return held.size if held else dec("0")


def wallet(account: Account) -> Decimal:
    return account.wallet["USDT"]


def test_a_long_that_closes_higher_earns_the_difference_less_both_fees(market: Market) -> None:
    owner = market.accounts["bybit-main"]
    before = wallet(owner)
    market.open_position("bybit-main", BTC, Side.LONG, dec("2"), dec("60000"))
    market.close_by_hand("bybit-main", BTC, Side.LONG, price=dec("61000"))
    fees = (dec("120000") + dec("122000")) * dec("0.00055")
    assert wallet(owner) - before == dec("2000") - fees
    closing = owner.executions["BTCUSDT"][-1]
    assert (closing.closed, closing.pnl) == (dec("2"), dec("2000"))


def test_a_short_that_closes_higher_loses_the_difference(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.SHORT, dec("1"), dec("60000"))
    market.close_by_hand("bybit-main", BTC, Side.SHORT, price=dec("61000"))
    assert market.accounts["bybit-main"].executions["BTCUSDT"][-1].pnl == dec("-1000")


def test_an_inverse_contract_earns_in_base_currency(market: Market) -> None:
    market.open_position("bybit-main", "BTC/USD:BTC", Side.LONG, dec("100000"), dec("50000"))
    market.close_by_hand("bybit-main", "BTC/USD:BTC", Side.LONG, price=dec("62500"))
    # 100,000 USD bought 2 BTC at 50,000 and are worth 1.6 BTC at 62,500.
    assert market.accounts["bybit-main"].executions["BTCUSD"][-1].pnl == dec("0.4")


def test_adding_to_a_position_averages_its_entry(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"), dec("60000"))
    position = market.open_position("bybit-main", BTC, Side.LONG, dec("3"), dec("64000"))
    assert (position.size, position.entry) == (dec("4"), dec("63000"))


def test_a_trade_through_zero_starts_a_new_position_at_its_own_price(
    market: Market, clock: Clock
) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"), dec("60000"))
    clock.advance(hours=1)
    position = market.open_position("bybit-main", BTC, Side.SHORT, dec("3"), dec("64000"))
    assert (position.size, position.entry) == (dec("-2"), dec("64000"))
    assert position.opened_at == START + timedelta(hours=1)


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_reduce_only_order_never_flips_a_position(market: Market, account: str) -> None:
    market.open_position(account, BTC, Side.LONG, dec("0.4"))
    order = placed(market, account, sell("1"))
    assert size(market, account) == 0
    assert order.filled == dec("0.4")
    assert not order.state.live


@pytest.mark.parametrize("account", ACCOUNTS)
def test_resting_reduce_only_orders_are_trimmed_and_ended_with_the_position(
    market: Market, account: str
) -> None:
    market.open_position(account, BTC, Side.LONG, dec("1"))
    resting = placed(market, account, sell("1", price=dec("66000")))
    market.close_by_hand(account, BTC, Side.LONG, dec("0.6"))
    assert resting.quantity == dec("0.4")
    market.close_by_hand(account, BTC, Side.LONG)
    assert resting.state is State.CANCELED


def test_a_thin_book_fills_a_market_order_in_part_and_drops_its_rest(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    market.set_book_depth(Exchange.BYBIT, BTC, dec("0.3"))
    order = placed(market, "bybit-main", sell("1"))
    assert (order.filled, order.state) == (dec("0.3"), State.EXPIRED)
    market.set_book_depth(Exchange.BYBIT, BTC, None)
    assert placed(market, "bybit-main", sell("0.7")).state is State.FILLED


def test_a_limit_rests_until_the_price_comes_and_pays_the_maker_fee(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    order = placed(market, "bybit-main", sell("1", price=dec("65000")))
    assert order.state.live
    market.set_price(BTC, dec("65010"))
    assert order.state is State.FILLED
    assert order.fee == dec("65000") * dec("0.0002")


def test_an_immediate_order_away_from_the_market_ends_unfilled(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    order = placed(
        market, "bybit-main", sell("1", price=dec("65000"), time_in_force=TimeInForce.IOC)
    )
    assert order.state is State.EXPIRED
    assert not order.filled


def test_orders_wait_when_fills_are_delayed_and_fill_when_the_time_has_come(
    market: Market, clock: Clock
) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    market.set_fill_delay(timedelta(seconds=3))
    order = placed(market, "bybit-main", sell("1"))
    clock.advance(seconds=2.9)
    market.tick()
    assert order.state.live
    clock.advance(seconds=0.1)
    market.tick()
    assert order.state is State.FILLED


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_stop_loss_closes_its_position_when_the_price_falls_through(
    market: Market, account: str
) -> None:
    market.open_position(account, BTC, Side.LONG, dec("1"), stop_loss=dec("60000"))
    market.set_price(BTC, dec("60001"))
    assert size(market, account) == 1
    market.set_price(BTC, dec("60000"))
    assert size(market, account) == 0


def test_a_take_profit_of_a_short_waits_below_the_price(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.SHORT, dec("1"), take_profit=dec("60000"))
    market.set_price(BTC, dec("60000"))
    assert size(market, "bybit-main") == 0


def test_an_attached_stop_goes_with_its_position_and_a_stop_order_stays(market: Market) -> None:
    owner = market.accounts["bybit-main"]
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"), stop_loss=dec("60000"))
    own = placed(market, "bybit-main", sell("1", trigger_price=dec("59000"), trigger_rising=False))
    market.close_by_hand("bybit-main", BTC, Side.LONG)
    assert owner.live_orders("BTCUSDT") == [own]


def test_a_triggered_stop_without_a_position_changes_nothing(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    stop = placed(market, "bybit-main", sell("1", trigger_price=dec("59000"), trigger_rising=False))
    market.close_by_hand("bybit-main", BTC, Side.LONG)
    market.set_price(BTC, dec("58000"))
    assert stop.state is State.CANCELED
    assert size(market, "bybit-main") == 0


def test_hedge_mode_keeps_two_legs_apart(clock: Clock) -> None:
    market = Market(now=clock, rng=random.Random(1), volatility=0.0)
    market.add_account("hedge", Exchange.BYBIT, key="k", secret="s", hedged=True)
    market.open_position("hedge", BTC, Side.LONG, dec("1"))
    market.open_position("hedge", BTC, Side.SHORT, dec("1"))
    placed(market, "hedge", sell("1", reduce_only=False, slot=Slot.LONG))
    assert market.quantity("hedge", BTC, Side.LONG) == 0
    assert market.quantity("hedge", BTC, Side.SHORT) == 1
    spec = sell("1", reduce_only=False, slot=Slot.LONG)
    assert refused(market, "hedge", spec) is RejectReason.NO_POSITION


def test_a_liquidation_takes_the_leg_and_its_resting_orders(market: Market) -> None:
    owner = market.accounts["bybit-main"]
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    placed(market, "bybit-main", sell("1", price=dec("66000")))
    market.liquidate("bybit-main", BTC, Side.LONG)
    assert size(market, "bybit-main") == 0
    assert owner.live_orders("BTCUSDT") == []
    assert owner.executions["BTCUSDT"][-1].kind is FillKind.LIQUIDATION


def test_deleveraging_takes_some_of_a_leg(market: Market) -> None:
    market.open_position("binance-main", BTC, Side.SHORT, dec("1"))
    market.deleverage("binance-main", BTC, Side.SHORT, dec("0.4"))
    assert size(market, "binance-main") == dec("-0.6")
    assert market.accounts["binance-main"].executions["BTCUSDT"][-1].kind is FillKind.ADL


def test_positions_can_be_read_as_they_were(market: Market, clock: Clock) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    clock.advance(minutes=10)
    market.close_by_hand("bybit-main", BTC, Side.LONG)
    owner = market.accounts["bybit-main"]
    assert owner.positions_at(START - timedelta(seconds=1)) == []
    assert [it.size for it in owner.positions_at(START + timedelta(minutes=5))] == [1]
    assert [it.size for it in owner.positions_at(clock())] == [0]


def test_a_position_dated_back_was_opened_then_and_its_fill_is_in_the_history(
    market: Market,
) -> None:
    opened = START - timedelta(hours=5)
    market.open_position("bybit-main", ETH, Side.LONG, dec("1"), opened_at=START)
    position = market.open_position("bybit-main", BTC, Side.LONG, dec("1"), opened_at=opened)
    owner = market.accounts["bybit-main"]
    assert position.opened_at == opened
    assert [it.at for it in owner.executions["BTCUSDT"]] == [opened]
    assert [at for at, _ in owner.journal] == [opened, START]


def test_the_same_seed_and_the_same_moments_make_the_same_prices(clock: Clock) -> None:
    def walk(seed: int) -> list[Decimal]:
        clock.at = START
        market = demo_market(clock, seed)
        prices = []
        for _ in range(50):
            clock.advance(seconds=30)
            market.tick()
            prices.append(market.price(Exchange.BYBIT, BTC))
        return prices

    assert walk(3) == walk(3)
    assert walk(3) != walk(4)
    assert len(set(walk(3))) > 10


def test_a_price_set_on_one_exchange_is_the_price_on_both(market: Market) -> None:
    market.set_price("AVL/USDT:USDT", dec("0.3"))
    prices = {market.price(exchange, "AVL/USDT:USDT") for exchange in WHOLE}
    assert prices == {dec("0.3")}


def test_a_key_or_name_cannot_be_taken_twice(market: Market) -> None:
    with pytest.raises(ValueError, match="is there already"):
        market.add_account("other", Exchange.BYBIT, key="demo-bybit-key", secret="s")


def test_closing_by_hand_what_is_not_there_says_so(market: Market) -> None:
    with pytest.raises(ValueError, match="holds no long"):
        market.close_by_hand("bybit-main", BTC, Side.LONG)


@pytest.mark.parametrize(
    ("now", "expires"),
    [
        (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 27, 8, tzinfo=UTC)),
        (datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 6, 26, 8, tzinfo=UTC)),
        (datetime(2026, 12, 20, tzinfo=UTC), datetime(2027, 3, 26, 8, tzinfo=UTC)),
    ],
)
def test_the_dated_future_expires_on_a_quarter_s_last_friday(
    now: datetime, expires: datetime
) -> None:
    assert quarter_end(now) == expires


def test_fills_that_opened_are_told_from_those_that_closed(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    placed(market, "bybit-main", sell("1"))
    assert opening_fills(market) == []
    placed(market, "bybit-main", sell("0.5", reduce_only=False))
    (opening,) = opening_fills(market)
    assert (opening.quantity, opening.closed) == (dec("0.5"), dec("0"))
