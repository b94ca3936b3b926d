"""What an onlooker sees of the market: positions, orders, and fills that should not have been."""

from __future__ import annotations

from datetime import datetime

import msgspec

from simulator.market import Market
from simulator.state import Account, Execution, Order, Position
from simulator.wire import text


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """An open leg as the venue holds it. `quantity` is in base units."""

    account: str
    symbol: str
    side: str
    quantity: str
    entry_price: str
    mark_price: str
    unrealized_pnl: str
    opened_at: datetime
    stop_loss: str
    take_profit: str


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order that the venue took. Quantities are in contracts. `by_hand`: no request made it."""

    account: str
    order_id: str
    client_order_id: str
    symbol: str
    side: str
    quantity: str
    filled: str
    average: str
    price: str
    trigger_price: str
    reduce_only: bool
    state: str
    created_at: datetime
    by_hand: bool


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account, whose number `uid` is, and the keys that open it now."""

    name: str
    exchange: str
    uid: int
    master: int
    hedged: bool
    keys: list[str]


def account_views(market: Market) -> list[AccountView]:
    return [
        AccountView(
            name=account.name,
            exchange=account.exchange,
            uid=account.uid,
            master=account.master,
            hedged=account.hedged,
            keys=market.logins.keys_of(account),
        )
        for account in market.accounts.values()
    ]


def position_views(market: Market) -> list[PositionView]:
    """Every open leg of every account."""
    return [
        _position_view(market, account, position)
        for account in market.accounts.values()
        for position in account.positions.values()
        if position.size
    ]


def order_views(market: Market, *, by_hand: bool = True) -> list[OrderView]:
    """Every order the venue took, oldest first; without those made by hand on demand."""
    return [
        _order_view(account, order)
        for account in market.accounts.values()
        for order in account.orders.values()
        if by_hand or not (order.by_hand or order.attached)
    ]


def opening_fills(market: Market, account: str | None = None) -> list[Execution]:
    """Fills of requested orders that opened, added to or flipped a position.

    A guard must never cause one. Trades made by hand are left out.
    """
    return [
        execution
        for owner in market.accounts.values()
        if account in (None, owner.name)
        for history in owner.executions.values()
        for execution in history
        if execution.closed < execution.quantity and not owner.orders[execution.order_id].by_hand
    ]


def _position_view(market: Market, account: Account, position: Position) -> PositionView:
    mark = market.prices.mark(position.listing)
    stop, profit = position.stop_loss, position.take_profit
    return PositionView(
        account=account.name,
        symbol=position.listing.symbol,
        side="long" if position.size > 0 else "short",
        quantity=text(abs(position.size) * position.listing.instrument.contract_size),
        entry_price=text(position.entry),
        mark_price=text(mark),
        unrealized_pnl=text(position.unrealized(mark)),
        opened_at=position.opened_at,
        stop_loss=text(stop.spec.trigger_price) if stop else "",
        take_profit=text(profit.spec.trigger_price) if profit else "",
    )


def _order_view(account: Account, order: Order) -> OrderView:
    return OrderView(
        account=account.name,
        order_id=order.id,
        client_order_id=order.spec.client_id,
        symbol=order.listing.symbol,
        side=order.spec.side,
        quantity=text(order.quantity),
        filled=text(order.filled),
        average=text(order.average),
        price=text(order.spec.price),
        trigger_price=text(order.spec.trigger_price),
        reduce_only=order.reduces,
        state=order.state,
        created_at=order.created_at,
        by_hand=order.by_hand,
    )
