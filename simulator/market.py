"""The market in memory: accounts, instruments, prices, and what people do by hand.

Plain synchronous Python without I/O. The clock and the randomness are given, so the same seed
and the same calls make the same market. Left to others: how orders are checked and matched
(`checks.py`, `matching.py`), and every protocol.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from messages.values import OrderSide, Secret, Side
from messages.venue import FillKind
from simulator.checks import check_amendment, check_order
from simulator.clearing import SYSTEM_CLIENT_IDS, Clearing
from simulator.contracts import expire
from simulator.instruments import Exchange, Listing, default_listings
from simulator.logins import Logins
from simulator.matching import Matching
from simulator.prices import Prices
from simulator.state import (
    Account,
    Attachment,
    Listener,
    Order,
    OrderSpec,
    Position,
    Rejection,
    RejectReason,
    Slot,
    State,
)
from simulator.trailing import Trail


class Market:
    """One market that serves both exchanges. Quantities of hand-made positions are base units.

    `rng` seeds prices and ids apart, so that one more order does not change the prices.
    Symbols are ccxt's unified ones here; a KeyError means that the exchange does not list it.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        rng: random.Random,
        listings: Iterable[Listing] | None = None,
        volatility: float = 0.03,
    ) -> None:
        self.now = now
        started = now()
        every = list(default_listings(started) if listings is None else listings)
        self.prices = Prices(every, _branch(rng), started, volatility=volatility)
        self.clearing = Clearing(_branch(rng))
        self.matching = Matching(self.clearing, self.prices)
        self.accounts: dict[str, Account] = {}
        self.started_at = started
        self.logins = Logins()
        self._by_id: dict[tuple[Exchange, str], Listing] = {}
        self._by_symbol: dict[tuple[Exchange, str], Listing] = {}
        self._next_expiry: datetime | None = None
        for listing in every:
            self.list(listing)

    def list(self, listing: Listing) -> None:
        """List an instrument, or list it anew with other rules, which hold for what is open too."""
        self.prices.add([listing])
        known = (listing.exchange, listing.id) in self._by_id
        self._by_id[listing.exchange, listing.id] = listing
        self._by_symbol[listing.exchange, listing.symbol] = listing
        self._next_expiry = self._expiry()
        if known:
            for account in self.accounts.values():
                if account.exchange is listing.exchange:
                    account.relist(listing)

    def unlist(self, listing: Listing) -> None:
        """Take an instrument off the list; positions in it stay where they are."""
        del self._by_id[listing.exchange, listing.id]
        del self._by_symbol[listing.exchange, listing.symbol]

    def listings(self, exchange: Exchange) -> Iterable[Listing]:
        return [listing for (of, _), listing in self._by_id.items() if of is exchange]

    def listing(self, exchange: Exchange, symbol: str) -> Listing:
        return self._by_symbol[exchange, symbol]

    def find_listing(self, exchange: Exchange, symbol_id: str) -> Listing | None:
        return self._by_id.get((exchange, symbol_id))

    def find_symbol(self, exchange: Exchange, symbol: str) -> Listing | None:
        return self._by_symbol.get((exchange, symbol))

    def listen(self, listener: Listener) -> None:
        self.clearing.listen(listener)

    def unlisten(self, listener: Listener) -> None:
        self.clearing.unlisten(listener)

    def add_account(
        self,
        name: str,
        exchange: Exchange,
        *,
        key: str,
        secret: str,
        hedged: bool = False,
        usdt: Decimal = Decimal(1_000_000),
        can_trade: bool = True,
        can_withdraw: bool = False,
        master: str | None = None,
    ) -> Account:
        """Open an account, or a sub-account of `master`, with its first key.

        Raises ValueError where the name or the key is taken, KeyError for an unknown master.
        """
        if name in self.accounts or key in self.logins:
            raise ValueError(f"account {name!r} or its key is there already")
        account = Account(
            name=name,
            exchange=exchange,
            key=key,
            secret=Secret(secret),
            hedged=hedged,
            can_trade=can_trade,
            can_withdraw=can_withdraw,
            wallet={"USDT": usdt, "USDC": usdt, "BTC": Decimal(20)},
            master=0 if master is None else self.accounts[master].uid,
        )
        self.accounts[name] = account
        self.logins.number(account)
        self.logins.add(account, key, account.secret)
        return account

    def set_mode(self, account: str, *, hedged: bool) -> None:
        """Switch between one-way and hedge mode. Raises ValueError with anything open."""
        owner = self.accounts[account]
        if owner.hedged is hedged:
            return
        if any(it.size for it in owner.positions.values()) or any(owner.live.values()):
            raise ValueError(f"{account} has open positions or orders")
        owner.hedged = hedged

    def set_leverage(self, account: Account, listing: Listing, leverage: Decimal) -> None:
        """Set the leverage of a symbol, and of what is open in it."""
        account.leverages[listing.id] = leverage
        for slot in Slot:
            held = account.position(listing.id, slot)
            if held is not None:
                held.leverage = leverage
                self.clearing.changed(account, held, self.now())

    def account_of(self, key: str) -> Account | None:
        found = self.logins.find(key)
        return None if found is None else found.account

    def tick(self) -> datetime:
        """Let the market catch up with the clock; it is called before every request."""
        at = self.now()
        if self._next_expiry is not None and at >= self._next_expiry:
            # First, since a delivery asks for the time as well.
            self._next_expiry = None
            expire(self, at)
            self._next_expiry = self._expiry()
        moved = self.prices.advance(at)
        if moved or self.matching.waiting:
            self.matching.advance(self.accounts.values(), at)
        return at

    def place(self, account: Account, spec: OrderSpec) -> Order | Rejection:
        at = self.tick()
        listing = self.find_listing(account.exchange, spec.symbol_id)
        if listing is None:
            return Rejection(RejectReason.UNKNOWN_SYMBOL, spec.symbol_id)
        expires_at = listing.instrument.expires_at
        if expires_at is not None and at >= expires_at:
            return Rejection(RejectReason.NOT_TRADABLE, f"{listing.id} has expired")
        refusal = check_order(account, spec, listing, self.prices)
        return refusal or self.matching.accept(account, spec, listing, at)

    def amend(
        self,
        account: Account,
        order: Order,
        *,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
    ) -> Order | Rejection:
        """Change quantity (contracts) or price of a live order, as `revise` does."""
        spec = replace(
            order.spec,
            quantity=order.quantity if quantity is None else quantity,
            price=order.spec.price if price is None else price,
        )
        return self.revise(account, order, spec)

    def revise(self, account: Account, order: Order, spec: OrderSpec) -> Order | Rejection:
        """Change a live order to another specification.

        The new order has to pass the checks of a new one; refused, the old one stays as it is.
        """
        at = self.tick()
        if not order.state.live:
            return Rejection(RejectReason.NO_SUCH_ORDER, "order not exists or too late to replace")
        refusal = check_amendment(order, spec, self.prices)
        return refusal or self.matching.amend(account, order, at, spec)

    def cancel(self, account: Account, order: Order | None) -> Order | Rejection:
        at = self.tick()
        if order is None:
            return Rejection(RejectReason.NO_SUCH_ORDER, "order not exists or too late to cancel")
        return self.matching.cancel(account, order, at)

    def attach(
        self,
        account: Account,
        position: Position,
        *,
        stop_loss: Attachment | Decimal | None = None,
        take_profit: Attachment | Decimal | None = None,
        trailing: Trail | None = None,
    ) -> None:
        """Attach a stop, a take-profit or a trailing stop to a position; zero takes it off.

        A price alone covers the whole position. On Binance, which attaches nothing, it becomes an
        algo order with closePosition.
        """
        at, attaching = self.now(), self.matching.attaching
        if stop_loss is not None:
            attaching.stop_loss(account, position, _attachment(stop_loss), at)
        if take_profit is not None:
            attaching.take_profit(account, position, _attachment(take_profit), at)
        if trailing is not None:
            attaching.trailing(account, position, trailing, at)
        self.clearing.changed(account, position, at)

    @staticmethod
    def slot(account: Account, side: Side) -> Slot:
        """Where an account keeps a leg of this side."""
        if not account.hedged:
            return Slot.BOTH
        return Slot.LONG if side is Side.LONG else Slot.SHORT

    def _expiry(self) -> datetime | None:
        active = (it.instrument for it in self._by_id.values() if it.instrument.active)
        return min((it.expires_at for it in active if it.expires_at is not None), default=None)

    def position(self, account: str, symbol: str, side: Side) -> Position | None:
        """The open leg, or None where it is flat or on the other side."""
        owner = self.accounts[account]
        listing = self.listing(owner.exchange, symbol)
        found = owner.position(listing.id, self.slot(owner, side))
        return found if found is not None and found.side is side else None

    def quantity(self, account: str, symbol: str, side: Side) -> Decimal:
        """The leg's size in base units, zero where it is flat."""
        found = self.position(account, symbol, side)
        if found is None:
            return Decimal(0)
        return abs(found.size) * found.listing.instrument.contract_size

    def open_position(
        self,
        account: str,
        symbol: str,
        side: Side,
        quantity: Decimal,
        price: Decimal | None = None,
        opened_at: datetime | None = None,
        *,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        leverage: Decimal | None = None,
    ) -> Position:
        """Open or add to a leg as if the bot had traded; its fill is in the trade history.

        No check of size, margin or price is made. In one-way mode it nets with what is there.
        """
        owner = self.accounts[account]
        at = opened_at or self.tick()
        buy_or_sell = side.closing.opposite
        position = self.hand_trade(owner, symbol, side, buy_or_sell, quantity, price, at)
        if leverage is not None:
            position.leverage = leverage
        if stop_loss is not None or take_profit is not None:
            self.attach(owner, position, stop_loss=stop_loss, take_profit=take_profit)
        return position

    def close_by_hand(
        self,
        account: str,
        symbol: str,
        side: Side,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        *,
        kind: FillKind = FillKind.TRADE,
        closed_at: datetime | None = None,
    ) -> Position:
        """Close a leg, or some of it, in the exchange's own app. Raises ValueError if flat."""
        owner = self.accounts[account]
        held = self.quantity(account, symbol, side)
        if not held:
            raise ValueError(f"{account} holds no {side} {symbol}")
        amount = held if quantity is None else min(quantity, held)
        at = closed_at or self.tick()
        return self.hand_trade(owner, symbol, side, side.closing, amount, price, at, kind)

    def liquidate(self, account: str, symbol: str, side: Side) -> Position:
        """Let the exchange take a leg over: resting orders go, the leg is closed by it."""
        owner = self.accounts[account]
        at = self.tick()
        for order in owner.live_orders(self.listing(owner.exchange, symbol).id):
            if not order.attached:
                self.clearing.end(owner, order, State.CANCELED, at, "CancelAllBeforeLiq")
        return self.close_by_hand(account, symbol, side, kind=FillKind.LIQUIDATION)

    def deleverage(self, account: str, symbol: str, side: Side, quantity: Decimal) -> Position:
        """Let the exchange reduce a winning leg against a loser (ADL). Base units."""
        return self.close_by_hand(account, symbol, side, quantity, kind=FillKind.ADL)

    def set_price(self, symbol: str, price: Decimal, *, mark: Decimal | None = None) -> None:
        """Put a symbol at a price on both exchanges; stops and resting orders follow.

        `mark` puts the mark price elsewhere, and later ones at the same distance; None: nowhere.
        """
        at = self.tick()
        for exchange in Exchange:
            listing = self._by_symbol.get((exchange, symbol))
            if listing is not None:
                self.prices.set(listing, price, at)
                self.prices.set_mark(listing, mark)
        self.matching.advance(self.accounts.values(), at)

    def price(self, exchange: Exchange, symbol: str) -> Decimal:
        return self.prices.last(self.listing(exchange, symbol))

    def set_book_depth(self, exchange: Exchange, symbol: str, quantity: Decimal | None) -> None:
        """Let each order take at most this many base units at once; None lifts the limit."""
        listing = self.listing(exchange, symbol)
        if quantity is None:
            self.matching.depth.pop((exchange, listing.id), None)
        else:
            contracts = quantity / listing.instrument.contract_size
            self.matching.depth[exchange, listing.id] = contracts

    def set_fill_delay(self, delay: timedelta) -> None:
        """Let orders wait this long between being taken and being filled."""
        self.matching.fill_delay = delay

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
    ) -> Position:
        """Execute a trade that no request made, at a price (None: the last one)."""
        listing = self.listing(owner.exchange, symbol)
        closing = direction is side.closing
        spec = OrderSpec(
            symbol_id=listing.id,
            side=direction,
            quantity=quantity / listing.instrument.contract_size,
            slot=self.slot(owner, side),
            reduce_only=closing and not owner.hedged,
            client_id=SYSTEM_CLIENT_IDS.get(kind, ""),
        )
        order = self.clearing.new_order(owner, spec, listing, at)
        order.by_hand, order.kind = True, kind
        self.matching.system_fill(
            owner, order, order.quantity, price or self.prices.last(listing), at
        )
        return owner.positions[listing.id, spec.slot]


def _attachment(wanted: Attachment | Decimal) -> Attachment:
    return wanted if isinstance(wanted, Attachment) else Attachment(trigger=wanted)


def _branch(rng: random.Random) -> random.Random:
    return random.Random(rng.getrandbits(64))  # noqa: S311  # a market's noise, not a secret
