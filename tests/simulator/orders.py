"""Orders for tests, and the two ways in which the market answers one."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from messages.values import LegKey, OrderSide, Side
from messages.venue import OrderRequest, OrderType
from simulator import Market
from simulator.state import Order, OrderSpec, Rejection, RejectReason
from tests.simulator.conftest import BTC, dec

LONG = LegKey("bybit-main", BTC, Side.LONG)


def sell(quantity: str, **changes: object) -> OrderSpec:
    fields: dict[str, object] = {
        "symbol_id": "BTCUSDT",
        "side": OrderSide.SELL,
        "quantity": dec(quantity),
        "reduce_only": True,
    }
    return OrderSpec(**(fields | changes))  # type: ignore[arg-type]  # the changes are typed there


def placed(market: Market, account: str, spec: OrderSpec) -> Order:
    order = market.place(market.accounts[account], spec)
    assert isinstance(order, Order), order
    return order


def refused(market: Market, account: str, spec: OrderSpec) -> RejectReason:
    rejection = market.place(market.accounts[account], spec)
    assert isinstance(rejection, Rejection), rejection
    return rejection.reason


def close(quantity: str = "1", client_id: str = "5e70", **changes: object) -> OrderRequest:
    order = OrderRequest(
        key=LONG, client_order_id=client_id, type=OrderType.MARKET, quantity=dec(quantity)
    )
    return msgspec.structs.replace(order, **changes)


def held(market: Market) -> Decimal:
    return market.quantity("bybit-main", BTC, Side.LONG)
