"""What the market remembers: orders, executions, positions, accounts, and what it refuses.

Plain data. How it changes is `clearing.py`'s and `matching.py`'s work. Sizes are in contracts,
prices in quote currency, fees and profits in settle currency, instants aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

from messages.values import ZERO, OrderSide, Secret, Side
from messages.venue import FillKind
from simulator.instruments import Exchange, Listing
from simulator.records import ClosedTrade
from simulator.trailing import Trail


class Slot(IntEnum):
    """Which position of a symbol: the only one in one-way mode, or one of hedge mode's two."""

    BOTH = 0
    LONG = 1
    SHORT = 2


class State(StrEnum):
    """Where an order stands. TRIGGERED is final: a stop whose order went on under another id."""

    UNTRIGGERED = "untriggered"
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    TRIGGERED = "triggered"

    @property
    def live(self) -> bool:
        return self in (State.UNTRIGGERED, State.OPEN)


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    POST_ONLY = "PostOnly"
    GTD = "GTD"


class RejectReason(StrEnum):
    """Why an exchange refuses a request; each exchange words these in its own codes."""

    NO_POSITION = "no_position"
    RESERVED = "reserved"
    MARGIN = "margin"
    STEP = "step"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    MIN_NOTIONAL = "min_notional"
    PRICE_BAND = "price_band"
    PRICE_TICK = "price_tick"
    DUPLICATE = "duplicate"
    NOT_TRADABLE = "not_tradable"
    UNKNOWN_SYMBOL = "unknown_symbol"
    POSITION_SIDE = "position_side"
    WOULD_TAKE = "would_take"
    WOULD_TRIGGER = "would_trigger"
    NO_SUCH_ORDER = "no_such_order"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A refusal: nothing was changed by the request."""

    reason: RejectReason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A stop or take-profit to hang on a position. `trigger` zero takes one off.

    `quantity` (contracts) None covers the whole position and follows it; zero covers what is there
    now; in an order, any but None says that what is filled is covered fill by fill. `price` is a
    limit, None a market order. `by_mark`: the mark price triggers it, not the last. `client_id` is
    its own, where the exchange gives what is attached one.
    """

    trigger: Decimal
    quantity: Decimal | None = None
    price: Decimal | None = None
    by_mark: bool = False
    client_id: str = ""
    words: Mapping[str, str] = field(default_factory=dict)

    def sized(self, quantity: Decimal) -> Attachment:
        return replace(self, quantity=quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSpec:
    """An order as asked for. `price` None is a market order; a trigger makes it conditional.

    `by_mark`: the mark price triggers it, not the last. `stop_loss` and `take_profit` are attached
    to the position that it opens. `good_till` is when a GTD order ends by itself. `words` are
    what the exchange says back of the order although the market does not act on it, in the
    exchange's own names.
    """

    symbol_id: str
    side: OrderSide
    quantity: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    close_position: bool = False
    slot: Slot = Slot.BOTH
    client_id: str = ""
    trigger_price: Decimal | None = None
    trigger_rising: bool | None = None
    take_profit: bool = False
    trail: Trail | None = None
    by_mark: bool = False
    stop_loss: Attachment | None = None
    take_profit_at: Attachment | None = None
    good_till: datetime | None = None
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def conditional(self) -> bool:
        return self.trigger_price is not None or self.trail is not None


@dataclass(slots=True, kw_only=True, eq=False)
class Order:
    """An order the exchange took. `cost` is the sum of its fills' quantity times price."""

    id: str
    spec: OrderSpec
    listing: Listing
    quantity: Decimal
    state: State
    created_at: datetime
    updated_at: datetime
    sequence: int
    active_from: datetime
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    fee: Decimal = ZERO
    attached: bool = False
    partial: bool = False
    """Of an attached order: it has a size of its own, and does not follow the position's."""
    by_hand: bool = False
    triggered_as: str = ""
    amended: int = 0
    """How often its quantity or price was changed."""
    came_of: str = ""
    """The id of the conditional order that this one came of, where that goes on as another."""
    peak: Decimal | None = None
    """The best price that a trailing stop has followed since it became active."""
    cancel_reason: str = ""
    last_price: Decimal | None = None
    """What the market was at when it was taken."""
    kind: FillKind = FillKind.TRADE
    closing: ClosedTrade | None = None
    """The record of what its fills closed, once one did."""

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal | None:
        return self.cost / self.filled if self.filled else None

    @property
    def conditional(self) -> bool:
        return self.spec.conditional

    @property
    def reduces(self) -> bool:
        """Whether it may only reduce: by its flag, or by its side in hedge mode."""
        slot, side = self.spec.slot, self.spec.side
        closes_long = slot is Slot.LONG and side is OrderSide.SELL
        closes_short = slot is Slot.SHORT and side is OrderSide.BUY
        return self.spec.reduce_only or self.spec.close_position or closes_long or closes_short


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill. `closed` is how much of it reduced a position, `pnl` what that realised."""

    id: str
    sequence: int
    order_id: str
    client_id: str
    listing: Listing
    side: OrderSide
    slot: Slot
    quantity: Decimal
    price: Decimal
    at: datetime
    closed: Decimal
    pnl: Decimal
    fee: Decimal
    maker: bool
    kind: FillKind


@dataclass(slots=True, kw_only=True, eq=False)
class Position:
    """One slot of one symbol. `size` is signed, in contracts; it stays, at zero, when flat.

    `first_at` is when the slot was first ever traded, `opened_at` when it was last flat before.
    """

    listing: Listing
    slot: Slot
    leverage: Decimal
    size: Decimal = ZERO
    entry: Decimal = ZERO
    first_at: datetime
    opened_at: datetime
    updated_at: datetime
    realized: Decimal = ZERO
    added_margin: Decimal = ZERO
    """What was put into an isolated position beyond its initial margin."""
    open_fee: Decimal = ZERO
    """What was paid to open what is open now; a closing takes its share of it."""
    stop_loss: Order | None = None
    take_profit: Order | None = None
    trailing_stop: Order | None = None
    liquidation_price: Decimal | None = None

    @property
    def side(self) -> Side | None:
        if not self.size:
            return None
        return Side.LONG if self.size > 0 else Side.SHORT

    def unrealized(self, mark: Decimal) -> Decimal:
        """Profit at a mark price, in settle currency."""
        if not self.size:
            return ZERO
        return self.listing.profit(self.size, self.entry, mark)

    def copy(self) -> Position:
        return replace(self)


@dataclass(frozen=True, slots=True)
class PositionChanged:
    account: Account
    position: Position
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderChanged:
    account: Account
    order: Order
    execution: Execution | None
    at: datetime


MarketEvent = PositionChanged | OrderChanged
Listener = Callable[[MarketEvent], None]
PositionKey = tuple[str, Slot]


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """One account of an exchange: a wallet, its positions, orders and records.

    `uid` is the number that the exchange knows it by; `master` is the main account's number where
    this is a sub-account. `key` and `secret` are its first API key; `logins.py` has all of them.
    `wallet` is the balance by settle currency, before unrealised profit.
    """

    name: str
    exchange: Exchange
    key: str
    secret: Secret
    uid: int = 0
    master: int = 0
    hedged: bool = False
    can_trade: bool = True
    can_withdraw: bool = False
    leverage: Decimal = Decimal(10)
    """Of every symbol that `leverages` does not name."""
    leverages: dict[str, Decimal] = field(default_factory=dict)
    isolated: set[str] = field(default_factory=set)
    """Ids of symbols with isolated margin; all others are crossed."""
    margin_mode: str = "REGULAR_MARGIN"
    """How the whole account is margined, where an exchange sets that (Bybit)."""
    wallet: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[PositionKey, Position] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    by_client_id: dict[str, list[Order]] = field(default_factory=dict)
    live: dict[str, dict[str, Order]] = field(default_factory=dict)
    """Orders that rest, by symbol id and order id."""
    executions: dict[str, list[Execution]] = field(default_factory=dict)
    """By symbol id, oldest first."""
    closed: list[ClosedTrade] = field(default_factory=list)
    """What each closing order realised, oldest first: the exchange's own record of ends."""
    journal: list[tuple[datetime, Position]] = field(default_factory=list)
    """Every state that a position had, so that a read of an earlier moment can be shown."""

    def position(self, symbol_id: str, slot: Slot) -> Position | None:
        return self.positions.get((symbol_id, slot))

    def leverage_of(self, symbol_id: str) -> Decimal:
        return self.leverages.get(symbol_id, self.leverage)

    def relist(self, listing: Listing) -> None:
        """Let what is open in an instrument follow its new rules."""
        for slot in Slot:
            if (held := self.positions.get((listing.id, slot))) is not None:
                held.listing = listing
        for order in self.live.get(listing.id, {}).values():
            order.listing = listing

    def live_orders(self, symbol_id: str) -> list[Order]:
        return list(self.live.get(symbol_id, {}).values())

    def positions_at(self, instant: datetime) -> list[Position]:
        """All slots as they were at an earlier instant."""
        then: dict[PositionKey, Position] = {}
        for at, position in self.journal:
            if at > instant:
                break
            then[position.listing.id, position.slot] = position
        return list(then.values())
