"""What an exchange does to contracts and to positions in them, without an order of their owner.

Listings, halts, changed rules, delistings, renames, settlements, deliveries, and positions moved
between accounts. Each with the record that an exchange keeps of it, or without one on demand.
Left to others: trades by hand and the rest of the market (`market.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import msgspec

from messages.values import ZERO, OrderSide, Side
from messages.venue import FillKind, Instrument
from simulator.clearing import Clearing
from simulator.instruments import Exchange, Listing
from simulator.matching import Matching
from simulator.prices import Prices
from simulator.state import Account, Position, Slot, State


class Market(Protocol):
    """What of the market (`simulator.market`) a contract's events need."""

    accounts: dict[str, Account]
    clearing: Clearing
    matching: Matching
    prices: Prices

    def list(self, listing: Listing) -> None: ...

    def unlist(self, listing: Listing) -> None: ...

    def listings(self, exchange: Exchange) -> Iterable[Listing]: ...

    def listing(self, exchange: Exchange, symbol: str) -> Listing: ...

    def find_listing(self, exchange: Exchange, symbol_id: str) -> Listing | None: ...

    def find_symbol(self, exchange: Exchange, symbol: str) -> Listing | None: ...

    def tick(self) -> datetime: ...

    def slot(self, account: Account, side: Side) -> Slot: ...

    def position(self, account: str, symbol: str, side: Side) -> Position | None: ...

    def quantity(self, account: str, symbol: str, side: Side) -> Decimal: ...

    def hand_trade(
        self,
        owner: Account,
        symbol: str,
        side: Side,
        direction: OrderSide,
        quantity: Decimal,
        price: Decimal | None,
        at: datetime,
        kind: FillKind = FillKind.TRADE,
    ) -> Position: ...


def change_instrument(market: Market, listing: Listing, **fields: object) -> Listing:
    """List an instrument anew with other rules; positions and orders in it go along."""
    instrument: Instrument = msgspec.structs.replace(listing.instrument, **fields)
    anew = replace(listing, instrument=instrument)
    market.list(anew)
    return anew


def halt(market: Market, exchange: Exchange, symbol: str) -> Listing:
    """Stop trading in a contract: it is listed, and every order for it is refused."""
    return change_instrument(market, market.listing(exchange, symbol), active=False)


def resume(market: Market, exchange: Exchange, symbol: str) -> Listing:
    return change_instrument(market, market.listing(exchange, symbol), active=True)


def delist(market: Market, exchange: Exchange, symbol: str) -> None:
    """Take a contract off the list. Orders in it end; a position in it stays where it is."""
    listing = market.listing(exchange, symbol)
    at = market.tick()
    for account in _accounts(market, exchange):
        _end_orders(market, account, listing, at, attached=True)
    market.unlist(listing)


def rename(
    market: Market,
    exchange: Exchange,
    symbol: str,
    to: str,
    *,
    venue_id: str,
    ratio: Decimal = Decimal(1),
) -> Listing:
    """Let a contract go on under another name: no order, no fill, the old one is off the list.

    `ratio` is how many new contracts one old becomes; prices are divided by it. What was attached
    to a position goes along, other orders end.
    """
    old = market.listing(exchange, symbol)
    if market.find_symbol(exchange, to) or market.find_listing(exchange, venue_id):
        raise ValueError(f"{to} or {venue_id} is listed already")
    base = to.partition("/")[0]
    at, last = market.tick(), market.prices.last(old)
    new = replace(
        old,
        instrument=msgspec.structs.replace(old.instrument, symbol=to, venue_id=venue_id, base=base),
        price=last / ratio,
        underlying=old.underlying if ratio == 1 else venue_id,
    )
    market.unlist(old)
    market.list(new)
    for account in _accounts(market, exchange):
        for slot in Slot:
            _carry_over(market, account, account.position(old.id, slot), new, ratio, at)
        _end_orders(market, account, old, at, attached=False)
    return new


def settle(
    market: Market,
    exchange: Exchange,
    symbol: str,
    price: Decimal | None = None,
    *,
    kind: FillKind = FillKind.SETTLEMENT,
    recorded: bool = True,
    account: str | None = None,
) -> int:
    """Let the exchange close every position in a contract at a price (None: the last one).

    Says how many it closed. `recorded`: each is in the trade history and the record of ends, under
    its kind (SETTLEMENT or DELIVERY); else the positions are gone and paid out, without a word of
    it anywhere. Orders in the contract end.
    """
    listing = market.listing(exchange, symbol)
    at, closed = market.tick(), 0
    price = price or market.prices.last(listing)
    for owner in _accounts(market, exchange, account):
        _end_orders(market, owner, listing, at, attached=True)
        for position in _held(owner, listing):
            closed += 1
            if recorded:
                market.hand_trade(
                    owner,
                    symbol,
                    _side(position),
                    _side(position).closing,
                    abs(position.size) * listing.instrument.contract_size,
                    price,
                    at,
                    kind,
                )
            else:
                _pay_out(market, owner, position, abs(position.size), price, at)
    return closed


def move_position(
    market: Market,
    account: str,
    symbol: str,
    side: Side,
    *,
    to: str | None,
    quantity: Decimal | None = None,
    price: Decimal | None = None,
    recorded: bool = True,
) -> None:
    """Move a leg, or some of it in base units, to another account of the same exchange.

    It leaves at `price` (None: the last one) and arrives at the same. `recorded`: both accounts
    have an execution of the kind TRANSFER. `to` None: to an account that is not simulated. What
    was attached to it stays behind and ends. Raises ValueError for a leg that is not there.
    """
    owner = market.accounts[account]
    target = None if to is None else market.accounts[to]
    if target is not None and target.exchange is not owner.exchange:
        raise ValueError(f"{to} is at another exchange than {account}")
    held = market.quantity(account, symbol, side)
    if not held:
        raise ValueError(f"{account} holds no {side} {symbol}")
    listing = market.listing(owner.exchange, symbol)
    amount = held if quantity is None else min(quantity, held)
    at, price = market.tick(), price or market.prices.last(listing)
    opening = side.closing.opposite
    if recorded:
        kind = FillKind.TRANSFER
        market.hand_trade(owner, symbol, side, side.closing, amount, price, at, kind)
        if target is not None:
            market.hand_trade(target, symbol, side, opening, amount, price, at, kind)
        return
    contracts = amount / listing.instrument.contract_size
    leaving = market.position(account, symbol, side)
    if leaving is not None:
        _pay_out(market, owner, leaving, contracts, price, at)
    if target is not None:
        arriving = market.clearing.position(target, listing, market.slot(target, side), at)
        signed = contracts if side is Side.LONG else -contracts
        size = arriving.size + signed
        entry = price
        if arriving.size * signed > 0:
            entry = (arriving.entry * arriving.size + price * signed) / size
        market.clearing.put(target, arriving, size, entry, at)


def expire(market: Market, at: datetime) -> None:
    """Deliver what has reached its expiry; the contract then trades no more."""
    for exchange in Exchange:
        for listing in list(market.listings(exchange)):
            expires_at = listing.instrument.expires_at
            if expires_at is not None and expires_at <= at and listing.instrument.active:
                settle(market, exchange, listing.symbol, kind=FillKind.DELIVERY)
                halt(market, exchange, listing.symbol)


def _accounts(market: Market, exchange: Exchange, only: str | None = None) -> list[Account]:
    if only is not None and market.accounts[only].exchange is not exchange:
        raise ValueError(f"{only} is not at {exchange}")
    return [
        it for it in market.accounts.values() if it.exchange is exchange and only in (None, it.name)
    ]


def _held(account: Account, listing: Listing) -> list[Position]:
    of_listing = (account.position(listing.id, slot) for slot in Slot)
    return [it for it in of_listing if it is not None and it.size]


def _side(position: Position) -> Side:
    return Side.LONG if position.size > 0 else Side.SHORT


def _end_orders(
    market: Market, account: Account, listing: Listing, at: datetime, *, attached: bool
) -> None:
    for order in account.live_orders(listing.id):
        if attached or not order.attached:
            market.clearing.end(account, order, State.CANCELED, at, "CancelBySettle")


def _pay_out(
    market: Market,
    account: Account,
    position: Position,
    contracts: Decimal,
    price: Decimal,
    at: datetime,
) -> None:
    """Take contracts out of a position without a record: its profit is in the wallet, no more."""
    settle_coin = position.listing.instrument.settle
    share = contracts / abs(position.size)
    profit = position.unrealized(price) * share
    account.wallet[settle_coin] = account.wallet.get(settle_coin, ZERO) + profit
    left = position.size * (1 - share)
    market.clearing.put(account, position, left, position.entry, at)
    market.matching.follow(account, position, at)


def _carry_over(
    market: Market,
    account: Account,
    position: Position | None,
    new: Listing,
    ratio: Decimal,
    at: datetime,
) -> None:
    """Move a position, and what is attached to it, to another listing at the same value."""
    if position is None or not position.size:
        return
    size, entry, old = position.size, position.entry, position.listing
    moved = market.clearing.position(account, new, position.slot, at)
    moved.leverage, moved.open_fee = position.leverage, position.open_fee
    for name in ("stop_loss", "take_profit", "trailing_stop"):
        order = getattr(position, name)
        if order is None:
            continue
        account.live.get(old.id, {}).pop(order.id, None)
        order.listing = new
        order.quantity *= ratio
        trigger = order.spec.trigger_price
        order.spec = replace(
            order.spec,
            symbol_id=new.id,
            quantity=order.spec.quantity * ratio,
            trigger_price=None if trigger is None else new.to_tick(trigger / ratio),
        )
        account.live.setdefault(new.id, {})[order.id] = order
        setattr(moved, name, order)
        setattr(position, name, None)
    moved.first_at = position.first_at
    market.clearing.put(account, position, ZERO, ZERO, at)
    market.clearing.put(account, moved, size * ratio, entry / ratio, at, position.opened_at)
