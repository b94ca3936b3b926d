"""What the market refuses, and by which name."""

from __future__ import annotations

import pytest

from messages.values import Side
from simulator import Exchange, Market
from simulator.state import (
    Order,
    OrderSpec,
    RejectReason,
    Slot,
    State,
    TimeInForce,
)
from tests.simulator.conftest import ACCOUNTS, BTC, Clock, dec
from tests.simulator.orders import placed, refused, sell


@pytest.mark.parametrize("account", ACCOUNTS)
def test_reduce_only_with_nothing_to_reduce_is_refused(market: Market, account: str) -> None:
    assert refused(market, account, sell("1")) is RejectReason.NO_POSITION
    market.open_position(account, BTC, Side.SHORT, dec("1"))
    assert refused(market, account, sell("1")) is RejectReason.NO_POSITION


def test_binance_refuses_what_a_resting_reduce_only_order_reserves(market: Market) -> None:
    market.open_position("binance-main", BTC, Side.LONG, dec("1"))
    resting = placed(market, "binance-main", sell("1", price=dec("66000")))
    assert refused(market, "binance-main", sell("0.5")) is RejectReason.RESERVED
    assert isinstance(market.cancel(market.accounts["binance-main"], resting), Order)
    assert placed(market, "binance-main", sell("1")).state is State.FILLED


def test_a_post_only_order_that_would_take_is_cancelled_by_bybit_and_refused_by_binance(
    market: Market,
) -> None:
    for account in ACCOUNTS:
        market.open_position(account, BTC, Side.LONG, dec("1"))
    spec = sell("1", price=dec("64000"), time_in_force=TimeInForce.POST_ONLY)
    assert placed(market, "bybit-main", spec).state is State.CANCELED
    assert refused(market, "binance-main", spec) is RejectReason.WOULD_TAKE


def test_a_stop_that_would_trigger_at_once_is_refused(market: Market) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("1"))
    spec = sell("1", trigger_price=dec("70000"), trigger_rising=False)
    assert refused(market, "bybit-main", spec) is RejectReason.WOULD_TRIGGER


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (sell("0.0015"), RejectReason.STEP),
        (sell("0"), RejectReason.TOO_SMALL),
        (sell("500"), RejectReason.TOO_LARGE),
        (sell("1", price=dec("64250.05")), RejectReason.PRICE_TICK),
        (sell("1", price=dec("50000")), RejectReason.PRICE_BAND),
        (sell("1", slot=Slot.LONG), RejectReason.POSITION_SIDE),
        (sell("1", symbol_id="NOSUCH"), RejectReason.UNKNOWN_SYMBOL),
        (sell("0.001", reduce_only=False, symbol_id="SOLUSDT"), RejectReason.STEP),
        (sell("10", reduce_only=False, symbol_id="AVLUSDT"), RejectReason.MIN_NOTIONAL),
        (sell("119", reduce_only=False, symbol_id="BTCUSDT"), None),
    ],
)
def test_orders_that_break_a_rule_are_refused_by_its_name(
    market: Market, spec: OrderSpec, reason: RejectReason | None
) -> None:
    market.open_position("bybit-main", BTC, Side.LONG, dec("120"), dec("64250"))
    if reason is None:
        placed(market, "bybit-main", spec)
    else:
        assert refused(market, "bybit-main", spec) is reason


def test_an_opening_order_beyond_the_margin_is_refused(market: Market) -> None:
    market.accounts["bybit-main"].wallet["USDT"] = dec("100")
    assert refused(market, "bybit-main", sell("1", reduce_only=False)) is RejectReason.MARGIN


def test_bybit_remembers_client_ids_for_ever_and_binance_while_the_order_is_open(
    market: Market,
) -> None:
    for account in ACCOUNTS:
        market.open_position(account, BTC, Side.LONG, dec("1"))
        placed(market, account, sell("0.1", client_id="once"))
    assert refused(market, "bybit-main", sell("0.1", client_id="once")) is RejectReason.DUPLICATE
    placed(market, "binance-main", sell("0.1", client_id="once"))
    placed(market, "binance-main", sell("0.1", client_id="rest", price=dec("66000")))
    spec = sell("0.1", client_id="rest", price=dec("66000"))
    assert refused(market, "binance-main", spec) is RejectReason.DUPLICATE


def test_an_expired_future_is_not_tradable(market: Market, clock: Clock) -> None:
    listings = market.listings(Exchange.BYBIT)
    (future,) = [it for it in listings if it.instrument.expires_at is not None]
    market.open_position("bybit-main", future.symbol, Side.LONG, dec("1"))
    clock.advance(days=200)
    assert (
        refused(market, "bybit-main", sell("1", symbol_id=future.id)) is RejectReason.NOT_TRADABLE
    )
