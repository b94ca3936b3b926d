"""What a venue says, and what it is asked: the types that leave and enter the gateway.

A venue's refusal, a timeout or a damaged reply are values here (`VenueError`,
`Snapshot.problems`, `OutcomeUnknown`); nothing here is ever made from a guess.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from messages.values import ZERO, LegKey, OrderSide, Side


class Kind(StrEnum):
    """How a derivative is margined."""

    LINEAR = "linear"
    INVERSE = "inverse"


class InstrumentStatus(StrEnum):
    """Whether an instrument can be traded, as its venue says.

    HALTED: not now (paused, or not begun). DELISTING: its end is announced or has come; until then
    it may still trade.
    """

    TRADING = "trading"
    HALTED = "halted"
    DELISTING = "delisting"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One listed derivative.

    `contract_size` is base units a contract (quote units for inverse); `amount_step` and
    `min_amount` are in contracts, `min_notional` in quote currency (zero: none is known).
    `expires_at` is set for dated futures only.
    """

    symbol: str
    venue_id: str
    base: str
    quote: str
    settle: str
    kind: Kind
    contract_size: Decimal
    amount_step: Decimal
    min_amount: Decimal
    price_step: Decimal
    min_notional: Decimal = ZERO
    max_market_amount: Decimal | None = None
    expires_at: datetime | None = None
    active: bool = True
    status: InstrumentStatus = InstrumentStatus.TRADING

    @property
    def quantity_step(self) -> Decimal:
        """The smallest difference in `quantity` that this instrument can express."""
        return self.amount_step * self.contract_size

    @property
    def min_quantity(self) -> Decimal:
        return self.min_amount * self.contract_size


class VenueErrorKind(StrEnum):
    """What a venue's error means, by the venue's own code (`docs/spec/venues.md` section 3).

    UNSUPPORTED is the gateway's own word: it does not do this at this venue, and nothing was sent.
    """

    NOTHING_TO_REDUCE = "nothing_to_reduce"
    REDUCE_ONLY_RESERVED = "reduce_only_reserved"
    MARGIN = "margin"
    WRONG_ROUTING = "wrong_routing"
    RATE_LIMIT = "rate_limit"
    NO_SUCH_ORDER = "no_such_order"
    DUPLICATE_ID = "duplicate_id"
    KEY = "key"
    RIGHTS = "rights"
    CLOCK = "clock"
    MAINTENANCE = "maintenance"
    SIZE = "size"
    PRICE_BAND = "price_band"
    NOT_TRADABLE = "not_tradable"
    NETWORK = "network"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    OTHER = "other"


class VenueError(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is not the one asked for. `code` is the venue's own, as it wrote it.

    `retry_at` (aware UTC) is when a rate limit or a ban ends, where the venue tells it: before that
    no request of the account should leave.
    """

    kind: VenueErrorKind
    message: str
    code: str = ""
    http_status: int | None = None
    retry_at: datetime | None = None

    def __str__(self) -> str:
        code = f" {self.code}" if self.code else ""
        return f"{self.kind}{code}: {self.message}"


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """Markets are loaded. `hedged` is None where the venue's position mode cannot be read."""

    instruments: dict[str, Instrument]
    hedged: bool | None = None


class Markets(msgspec.Struct, frozen=True, kw_only=True):
    """The listed derivatives by unified symbol, as they were at `loaded_at` (account's clock)."""

    instruments: dict[str, Instrument]
    loaded_at: datetime


class NotTold(msgspec.Struct, frozen=True, kw_only=True):
    """The venue keeps or tells no such thing. No error, and no evidence either."""

    why: str = ""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a login is, in the venue's own words; never worked out from anything else.

    `id` is the venue's stable id of the account: a user id, an alias, an address in lower case.
    `main_id` is the main account's where this is a sub-account and the venue tells it;
    `sub_account` None: not told. `label` is for people only.
    """

    id: str
    sub_account: bool | None = None
    main_id: str = ""
    label: str = ""


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An open leg as the venue reports it. `quantity` is never negative and never zero.

    `stop_loss` and `take_profit` are prices attached to the position itself; orders that protect
    it are read by `fetch_protection`.
    """

    key: LegKey
    contracts: Decimal
    quantity: Decimal
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    leverage: Decimal | None = None
    liquidation_price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    hedged: bool = False
    opened_at: datetime | None = None
    updated_at: datetime | None = None


class Scope(msgspec.Struct, frozen=True):
    """What a read covers. It may say absent only for symbols inside it.

    `symbols` is set for a read of single symbols: it says nothing of any other. None: all.
    """

    settles: frozenset[str]
    symbols: frozenset[str] | None = None

    def covers(self, symbol: str) -> bool:
        """Whether a unified symbol, and its settle currency, was asked for."""
        if self.symbols is not None and symbol not in self.symbols:
            return False
        settle = symbol.partition(":")[2].partition("-")[0]
        return settle in self.settles


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One read of all open legs of an account.

    A leg that is shown is there, even in a damaged read. A leg that is not shown is absent only
    where `complete` is true and `scope` covers it. `started_at` is when the request left,
    `finished_at` when the last page was in. `problems` says why a read is not complete. `flat` are
    the legs that the venue named with a size of zero, which says more than leaving them out.
    `apart` are the symbols whose sides are legs of their own by the venue's word (hedge mode), also
    where both are flat.
    """

    account: str
    scope: Scope
    started_at: datetime
    finished_at: datetime
    positions: tuple[VenuePosition, ...] = ()
    flat: frozenset[LegKey] = frozenset()
    apart: frozenset[str] = frozenset()
    problems: tuple[VenueError, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.problems

    def find(self, key: LegKey) -> VenuePosition | None:
        return next((p for p in self.positions if p.key == key), None)


class PriceKind(StrEnum):
    """What is asked for: the best of the book, the last trade's price, or the mark price."""

    BOOK = "book"
    LAST = "last"
    MARK = "mark"


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of one symbol in quote currency; None are those that nobody asked for.

    `bid` and `ask` are the best of the book. `at` is when the question for them left.
    """

    symbol: str
    at: datetime
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    mark: Decimal | None = None


class Quote(Price, frozen=True, kw_only=True):
    """All prices of one symbol."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    mark: Decimal


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of all contracts of an exchange, of these `kinds`, by one look at its lists.

    `damaged` are contracts whose row could not be read, and why; one that is in neither is in no
    list.
    """

    at: datetime
    kinds: frozenset[PriceKind]
    by_symbol: dict[str, Price]
    damaged: dict[str, str] = {}


class OrderType(StrEnum):
    """The rungs of the order ladder (`docs/spec/mission.md` B4), and the protective stop."""

    MARKET = "market"
    LIMIT_AGGRESSIVE = "limit_aggressive"
    LIMIT_MAKER = "limit_maker"
    STOP_MARKET = "stop_market"


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order about to be sent. Always reduce-only: there is no field to say otherwise.

    `price` goes with the limit types, `trigger_price` with the stop. `hedged` makes the gateway
    pass the venue's position side. `not_after` is the last instant (aware UTC) at which the
    request may leave; one that is held up longer, by the rate limiter say, is not sent at all.
    """

    key: LegKey
    client_order_id: str
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    hedged: bool = False
    not_after: datetime | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's own refusal: no order of this id exists because of this request."""

    error: VenueError


class OutcomeUnknown(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody knows whether the order exists. It is looked up by client order id, never re-sent."""

    error: VenueError


class OrderStatus(StrEnum):
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        return self is not OrderStatus.OPEN


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue's own record has it. `fee` is in `fee_currency`, None if not told."""

    order_id: str
    client_order_id: str
    symbol: str
    side: OrderSide
    status: OrderStatus
    quantity: Decimal
    filled: Decimal
    average: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool | None = None
    position_side: Side | None = None
    fee: Decimal | None = None
    fee_currency: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The venue took the order. That is not a fill.

    `end` is the order's end where the acceptance itself tells it, whole and of our ids.
    """

    order_id: str
    client_order_id: str
    end: OrderRecord | None = None


Placement = Accepted | Refused | OutcomeUnknown


class NoSuchOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Every place that the venue keeps orders in was read, and none has this id."""

    client_order_id: str


OrderLookup = OrderRecord | NoSuchOrder | VenueError


class FillKind(StrEnum):
    """Why an execution happened. Funding is none: it trades nothing.

    SETTLEMENT and DELIVERY end a contract, TRANSFER moves a position between accounts; OTHER is
    what the venue names and nobody here has listed.
    """

    TRADE = "trade"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    SETTLEMENT = "settlement"
    DELIVERY = "delivery"
    TRANSFER = "transfer"
    OTHER = "other"


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution from the venue's trade history.

    `closed_quantity` is how much of the fill reduced a leg, where the venue says (Bybit
    closedSize). `fee` is positive for a cost. `realized_pnl` excludes fees where the venue
    tells it.
    """

    fill_id: str
    order_id: str
    symbol: str
    side: OrderSide
    quantity: Decimal
    price: Decimal
    at: datetime
    client_order_id: str | None = None
    position_side: Side | None = None
    closed_quantity: Decimal | None = None
    realized_pnl: Decimal | None = None
    fee: Decimal = ZERO
    fee_currency: str | None = None
    kind: FillKind = FillKind.TRADE


class Fills(msgspec.Struct, frozen=True, kw_only=True):
    """Fills of one symbol since an instant, oldest first. Complete, or it is a VenueError."""

    symbol: str
    since: datetime
    fills: tuple[Fill, ...]


class ClosedPosition(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's own record of a position's end, or of a part of it that was closed.

    `side` is the position's, `quantity` what this record closed, in base units; `realized_pnl` is
    in the settle currency, as the venue counts it. `whole` False: the venue keeps one record for
    each closing order or part, and the position may have gone on. `order_id` is the closing
    order's, where the record names it.
    """

    record_id: str
    symbol: str
    side: Side
    quantity: Decimal
    ended_at: datetime
    entry_price: Decimal | None = None
    exit_price: Decimal | None = None
    realized_pnl: Decimal | None = None
    opened_at: datetime | None = None
    order_id: str = ""
    kind: FillKind = FillKind.TRADE
    whole: bool = True


class ClosedPositions(msgspec.Struct, frozen=True, kw_only=True):
    """Ends of positions of one symbol since an instant, oldest first. Complete, or an error."""

    symbol: str
    since: datetime
    records: tuple[ClosedPosition, ...]


class ProtectionKind(StrEnum):
    ATTACHED = "attached"
    TRIGGER = "trigger"
    ALGO = "algo"


class ProtectiveOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A working order or attachment that would reduce a leg at a trigger price.

    `quantity` None means the whole position. `position_side` None means that the venue did not
    say (one-way mode): `side` decides then.
    """

    kind: ProtectionKind
    symbol: str
    side: OrderSide
    trigger_price: Decimal
    quantity: Decimal | None = None
    position_side: Side | None = None
    reduce_only: bool = True
    order_id: str = ""
    client_order_id: str = ""
    is_stop: bool = True


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """All working stops and take-profits of an account's symbols, or why they can't be seen."""

    started_at: datetime
    orders: tuple[ProtectiveOrder, ...] = ()
    problems: tuple[VenueError, ...] = ()


class OpenOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Resting orders of one symbol, trigger orders among them."""

    symbol: str
    orders: tuple[OrderRecord, ...]


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """What rests for each symbol that was asked for; damage costs the symbol that it is in."""

    by_symbol: dict[str, OpenOrders | VenueError]


class Canceled(msgspec.Struct, frozen=True, kw_only=True):
    """The venue confirmed that the order rests no more. `record` says what it had filled."""

    record: OrderRecord | None = None


class PositionHint(msgspec.Struct, frozen=True, kw_only=True):
    """What the position stream said of a leg. A hint: REST decides. Zero means flat."""

    key: LegKey
    quantity: Decimal
    at: datetime


class OrderHint(msgspec.Struct, frozen=True, kw_only=True):
    """What the order stream said of an order. A hint: of an order whose outcome is unknown only the
    venue's own record decides.

    `client_order_id` is empty where the order has none. `filled` is in base units. `end` is the
    order's end where the message tells all of it; its fee is None where not all of it was heard.
    """

    symbol: str
    order_id: str
    client_order_id: str
    status: OrderStatus
    filled: Decimal
    at: datetime
    end: OrderRecord | None = None


Hint = PositionHint | OrderHint


class KeyRights(msgspec.Struct, frozen=True, kw_only=True):
    """What an API key may do. None: the venue doesn't say."""

    read: bool | None = None
    trade: bool | None = None
    withdraw: bool | None = None
