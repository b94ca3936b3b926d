"""What one exchange is to the gateway: facts, error codes, and hooks that answer one question each.

The defaults are what ccxt's unified calls do. How replies are checked, pages are followed, a scope
is worked out, and an order is sent or looked for is written once, in `venues/`, and asks here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Protocol

from messages.settings import AccountSettings
from messages.values import ZERO, OrderSide, Side
from messages.venue import (
    ClosedPosition,
    FillKind,
    Identity,
    Instrument,
    InstrumentStatus,
    KeyRights,
    NotTold,
    OrderRequest,
    OrderType,
    ProtectiveOrder,
    VenueError,
    VenueErrorKind,
)
from venues.numbers import (
    decimal_or_none,
    instant_or_none,
    milliseconds,
    plain,
    positive_or_none,
)
from venues.strict import CannotTellError, MalformedReplyError, Place, Reply, rows_taken

Row = Mapping[str, Any]
"""A position, order or fill as the exchange itself wrote it."""
Order = Mapping[str, Any]
"""An order as ccxt reads it; `info` is the exchange's own row."""
Trade = Mapping[str, Any]
"""An execution as ccxt reads it; `info` is the exchange's own row."""

_LONGEST_BAN = 30 * 86400
"""Seconds; what is longer is no wait but nonsense."""
STABLE = ("USDT", "USDC")
LIMITS = (OrderType.LIMIT_AGGRESSIVE, OrderType.LIMIT_MAKER)


class Session(Protocol):
    """What an exchange's hooks may see of the client of an account."""

    settings: AccountSettings

    @property
    def exchange(self) -> Any:
        """The ccxt instance."""

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """The listed derivatives by unified symbol."""

    @property
    def sent_at(self) -> Mapping[str, datetime]:
        """When each of our own client order ids left."""

    def now(self) -> datetime:
        """The account's clock, aware UTC."""


@dataclass(frozen=True, slots=True)
class RowReading:
    """A position row as the venue wrote it. `size` is unsigned and in the venue's own unit.

    `side` None goes with a size of zero only; `hedged` tells a leg of its own from a net one.
    """

    size: Decimal
    side: Side | None
    hedged: bool

    def flat_sides(self) -> tuple[Side, ...]:
        """The sides that this row says are flat: in one-way mode each but the one it holds."""
        if not self.hedged:
            return tuple(side for side in Side if self.size == ZERO or side is not self.side)
        return (self.side,) if self.size == ZERO and self.side is not None else ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be said of an exchange without code.

    `success` is the envelope's key and the values that mean a good answer. `one_call_scope` says
    that one call covers all that the venue's markets settle in, `settles` that no others are
    covered at all, `listed_only` that a read says nothing of symbols outside the loaded markets.
    `page` names how pages of positions go on: by `cursor`, by `offset`, or not at all.
    `size_in_base` venues write base units, not contracts. Of `filled_fields` and `amount_fields` an
    order record must have one each, since ccxt works out what lacks; `conditional_fields` are what
    only rows of conditional orders have. `triggers` are the parameter sets under which resting
    trigger orders are listed, `trigger_page` how many of them at most (0: all), `order_page` the
    size of a page of open orders that go on by cursor (0: one call has all). `falling` says for one
    field of a trigger order which words mean a falling price. `amount_as_float` is the type in
    which ccxt takes an amount without rounding it; `stops` whether its stop parameter makes a stop.
    `opened` names the field of a position row that says when the leg was opened; empty where none
    does. `fill_window` is the longest span of history that one question may ask for, `fill_page`
    how many fills a page has, `fill_history` how long the venue keeps them (None: nobody says),
    `newest_first` that its pages go backwards, and `nameless_fills` that a fill does not carry the
    client order id. `stream_topics` is how many subscriptions the venue confirms before a stream
    stands; 0: it stands with its socket. `cancels_by_kind` venues cancel trigger orders by a call
    of their own. `keeps_closed` says that the venue keeps a record of closed positions,
    `closed_window` how long a span of it one question may ask for. `late_cancel` are codes of a
    refused cancel that come when the order has ended meanwhile: its record tells what became of it.
    `by_symbol` venues can be asked for the position of one symbol, and `names_flat` ones then
    answer with a row even where it is flat.
    """

    exchange: str
    positions: tuple[str, ...]
    places: tuple[Place, ...]
    success: tuple[str, frozenset[str]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    one_call_scope: bool = True
    settles: frozenset[str] | None = None
    listed_only: bool = False
    page: str = ""
    page_size: int = 0
    size_in_base: bool = False
    filled_fields: tuple[str, ...] = ()
    amount_fields: tuple[str, ...] = ()
    conditional_fields: tuple[str, ...] = ()
    market_params: Mapping[str, Any] = field(default_factory=dict)
    triggers: tuple[Mapping[str, Any], ...] = ({"trigger": True},)
    trigger_page: int = 0
    order_page: int = 0
    falling: tuple[str, Mapping[str, bool]] = ("", {})
    amount_as_float: bool = False
    stops: bool = True
    wallet: bool = False
    streams: bool = False
    stream_topics: int = 0
    by_symbol: bool = False
    names_flat: bool = False
    opened: str = ""
    fill_window: timedelta | None = None
    fill_page: int = 100
    fill_history: timedelta | None = None
    newest_first: bool = False
    nameless_fills: bool = False
    keeps_closed: bool = False
    closed_window: timedelta | None = None
    late_cancel: frozenset[str] = frozenset()
    cancels_by_kind: bool = True


class Step:
    """One place to look for an order. `trigger` tells which kind it holds; None: both."""

    def __init__(
        self, read: Callable[[], Awaitable[list[Order]]], *, trigger: bool | None = None
    ) -> None:
        self.read = read
        self.trigger = trigger


@dataclass(frozen=True, slots=True)
class Ask:
    """Which page of a history is wanted: a window, and what the page before it said of the next.

    `at` is empty for the window's first page.
    """

    start: datetime
    end: datetime
    at: str = ""

    @property
    def start_ms(self) -> int:
        return milliseconds(self.start)

    @property
    def end_ms(self) -> int:
        return milliseconds(self.end)


@dataclass(frozen=True, slots=True)
class LegPush:
    """A stream's word of a position, in the names of the venue's REST row."""

    row: Row


@dataclass(frozen=True, slots=True)
class OrderPush:
    """A stream's word of an order; sizes in contracts, each as the venue wrote it.

    A `conditional` order that rests has no fill to tell. `resting` says that the order rests,
    whatever ccxt makes of `status`.
    """

    symbol: Any
    order_id: Any
    client_id: Any
    status: Any
    amount: Any
    filled: Any
    conditional: bool = False
    resting: bool = False


class Exchange:
    """One supported exchange. Hooks without a `session` are pure."""

    facts: ClassVar[Facts]
    codes: ClassVar[Mapping[str, VenueErrorKind]] = {}
    """The venue's own error codes, upper case, and what they mean."""
    phrases_first: ClassVar[tuple[tuple[str, VenueErrorKind], ...]] = ()
    """Lower-case phrases that say more than the code beside them."""
    phrases: ClassVar[tuple[tuple[str, VenueErrorKind], ...]] = ()
    """Lower-case phrases that are read where no code is known."""

    # The instance and the account behind it.

    def ccxt_options(self, settings: AccountSettings) -> dict[str, Any]:
        """ccxt's `options` for an account."""
        return dict(self.facts.options)

    def adjust(self, exchange: Any) -> None:
        """Change what a new ccxt instance does by itself and nobody here wants."""

    async def prepare(self, session: Session) -> None:
        """Ask what must be known before anything else: the kind of account. Once, at connect."""

    def settles_account_kind(
        self,
        session: Session,
        error: VenueError,
    ) -> bool:
        """Whether the venue's refusal of `prepare` is the answer to it."""
        return False

    def mode_symbol(self, session: Session) -> str | None:
        """The symbol that the question for the position mode must name."""
        return None

    async def identity(self, session: Session) -> Identity | NotTold:
        """Whose login this is, where the venue tells it. Raises `MalformedReplyError`."""
        return NotTold(why=f"{self.facts.exchange} does not tell whose a login is")

    async def key_rights(self, session: Session) -> KeyRights:
        """What the key may do, where the venue tells it."""
        return KeyRights()

    # Errors.

    def meaning_of(self, code: str) -> VenueErrorKind | None:
        """What one of the venue's own codes means; None for one that nobody has listed."""
        return self.codes.get(code.upper())

    def meaning_of_status(self, status: int) -> VenueErrorKind | None:
        """What an HTTP status means where no code says more."""
        if status in (429, 418):
            return VenueErrorKind.RATE_LIMIT
        if status in (408, 504):
            return VenueErrorKind.NETWORK
        if status >= 500:
            return VenueErrorKind.MAINTENANCE
        return VenueErrorKind.KEY if status == 401 else None

    def listens_again(self, reply: Reply, now: datetime) -> datetime | None:
        """When a rate limit or a ban ends that this reply tells of; None where it does not say."""
        return retry_after(reply.headers.get("retry-after", ""), now)

    # Pages.

    def next_cursor(self, body: Any) -> str | None:
        """The cursor of the page after this reply; "" at the end, None where it does not say."""
        return None

    def more_rows(self, body: Any, rows: int) -> bool:
        """Whether a list of trigger orders may go on after this reply with so many rows."""
        return bool(self.facts.trigger_page) and rows >= self.facts.trigger_page

    def rows_taken(self) -> list[Row]:
        """The rows of the venue's last answer, before ccxt filtered any."""
        return rows_taken(self.facts.places)

    # Markets and prices.

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        """Whether it can be traded."""
        halted = market.get("active") is False
        return InstrumentStatus.HALTED if halted else InstrumentStatus.TRADING

    def contract_size(self, market: Mapping[str, Any]) -> Decimal | None:
        """Base units a contract (quote units for inverse)."""
        return positive_or_none(market.get("contractSize"))

    def largest_market_order(self, market: Mapping[str, Any]) -> Decimal | None:
        """The most contracts of one market order; None where there is no limit."""
        limits = market.get("limits") or {}
        return positive_or_none((limits.get("market") or {}).get("max"))

    async def prices(self, session: Session, symbol: str) -> dict[str, Any]:
        """The symbol's `last`, `bid`, `ask` and `mark`, as written."""
        exchange = session.exchange
        ticker = await exchange.fetch_ticker(symbol)
        raw = ticker.get("info") if isinstance(ticker.get("info"), Mapping) else {}
        found = {name: ticker.get(name) for name in ("last", "bid", "ask")}
        found["mark"] = next(
            (raw[k] for k in ("markPrice", "mark_price", "markPx", "fairPrice") if raw.get(k)),
            ticker.get("markPrice"),
        )
        if not found["bid"] or not found["ask"]:
            book = await exchange.fetch_order_book(symbol, 20)
            found["bid"] = book["bids"][0][0]
            found["ask"] = book["asks"][0][0]
        if not found["mark"] and exchange.has.get("fetchMarkPrice"):
            found["mark"] = (await exchange.fetch_mark_price(symbol)).get("markPrice")
        elif not found["mark"] and exchange.has.get("fetchFundingRate"):
            found["mark"] = (await exchange.fetch_funding_rate(symbol)).get("markPrice")
        return found

    # Positions.

    def read_row(self, row: Row) -> RowReading | None:
        """Size, side and kind of a position row; None for one that cannot be read.

        A row is judged by its size, never by being there or by the side it names.
        """
        raise NotImplementedError

    def position_reads(self, settles: tuple[str, ...]) -> list[dict[str, Any]]:
        """The parameter sets of the reads that together cover these settle currencies."""
        return [{}]

    async def rows_by_name(
        self, session: Session, instrument: Instrument
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """The position rows of one symbol, asked for by name, and ccxt's reading of each."""
        return [], []

    def symbol_of(self, session: Session, name: str) -> str | None:
        """The unified symbol of a name in a position row, where ccxt's table of ids lacks it."""
        return None

    def attached_closes(self, row: Row) -> list[Row] | None:
        """The parts of a position that are closed by what is attached to its row.

        Each has `slTriggerPx`, `tpTriggerPx` and `closeFraction`; None where ccxt's reading of the
        row has the prices.
        """
        return None

    # Orders.

    def to_venue_id(self, canonical: str) -> str:
        """Our client order id (28 lower-case hex characters) as the venue wants it."""
        return canonical

    def from_venue_id(self, written: str) -> str:
        """Our canonical id where it is one of ours; a stranger's id as it was written."""
        return written

    def order_kind(self, order: OrderRequest) -> str | int:
        """ccxt's order type."""
        return "limit" if order.type in LIMITS else "market"

    def order_params(self, order: OrderRequest, margin: Mapping[str, str]) -> dict[str, Any]:
        """ccxt's parameters for an order that can only reduce its leg.

        `margin` is how the leg is margined, as its position said: marginMode and leverage.
        """
        params: dict[str, Any] = {
            "clientOrderId": self.to_venue_id(order.client_order_id),
            "reduceOnly": True,
            **self.leg_params(order),
            **self.margin_params(margin),
        }
        if order.type is OrderType.LIMIT_AGGRESSIVE:
            params |= self.immediate_params()
        elif order.type is OrderType.LIMIT_MAKER:
            params["postOnly"] = True
        elif order.type is OrderType.STOP_MARKET and order.trigger_price is not None:
            params["stopLossPrice"] = plain(order.trigger_price)
        return params

    def leg_params(self, order: OrderRequest) -> dict[str, Any]:
        """Which leg is closed, where the venue must be told."""
        return {"hedged": True} if order.hedged else {}

    def margin_params(self, margin: Mapping[str, str]) -> dict[str, str]:
        """What of a position's margin the venue wants repeated in the order that closes it."""
        return {}

    def immediate_params(self) -> dict[str, Any]:
        """Immediate or cancel."""
        return {"timeInForce": "IOC"}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        """The places to look for an order, by the venue's id or by ours as the venue wants it.

        In this order, and each place must be read well: an order that ends while one is read must
        be in a later one.
        """

        async def one() -> list[Order]:
            return await self.one_order(session, instrument, wanted, by_id=by_id)

        return [Step(one, trigger=False)]

    async def one_order(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Order]:
        """A plain order by its id."""
        exchange, symbol = session.exchange, instrument.symbol
        if by_id:
            return [await exchange.fetch_order(wanted, symbol)]
        return [await exchange.fetch_order(None, symbol, {"clientOrderId": wanted})]

    async def became(
        self,
        session: Session,
        instrument: Instrument,
        order: Order,
    ) -> Order:
        """The order that has the fills of this one: a conditional order may have become another."""
        return order

    def open_order_reads(self) -> tuple[Mapping[str, Any], ...]:
        """The parameter sets that together list all resting orders of a symbol."""
        return ({}, *self.facts.triggers)

    def trigger_order_reads(
        self,
        symbols: tuple[str, ...],
        settles: tuple[str, ...],
    ) -> list[tuple[str | None, Mapping[str, Any]]]:
        """What to ask, symbol by symbol, so that all trigger orders of these symbols are listed."""
        return [(symbol, kind) for symbol in symbols for kind in self.facts.triggers or ({},)]

    async def attached_stops(
        self,
        session: Session,
        symbols: tuple[str, ...],
    ) -> tuple[list[ProtectiveOrder], list[str]]:
        """Stops that the venue keeps with positions and lists apart; what of them is unclear."""
        return [], []

    def protecting(self, orders: list[Order]) -> list[Order]:
        """Of listed orders those that wait for their price, and for nothing else before it."""
        return orders

    # Rows of orders.

    def corrected(self, order: Order) -> Order:
        """An order with what ccxt reads wrongly, or not at all, put right."""
        return order

    def order_side(self, told: Any, raw: Row) -> OrderSide | None:
        """Which way an order or fill trades, whatever ccxt `told`; None where nobody says."""
        named = str(told or "").lower()
        return OrderSide(named) if named in ("buy", "sell") else None

    def position_side(self, raw: Row) -> Side | None:
        """The leg that an order or fill names; None in one-way mode or where unsaid."""
        named = str(raw.get("positionSide") or raw.get("posSide") or "").lower()
        return Side(named) if named in ("long", "short") else None

    def closes_all(self, raw: Row) -> bool:
        """Whether an order closes the whole position, whatever its size."""
        return False

    def covers_all(self, raw: Row) -> bool:
        """Whether a stop covers the whole position, whatever its size."""
        return self.closes_all(raw)

    def tells_fill(self, raw: Row) -> bool:
        """Whether the row itself says how much is filled: ccxt works out what lacks."""
        return names_one_of(self.facts.filled_fields, raw)

    def order_fee(self, raw: Row, settle: str) -> tuple[Decimal, str] | None:
        """An order's fee and its currency, where ccxt leaves it out."""
        return None

    # Fills.

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """One page of a symbol's executions of all kinds, and what leads to the next one.

        That is empty where the window ends. A page that may be cut is an error.
        """
        raise NotImplementedError

    def next_by_time(self, items: list[Mapping[str, Any]]) -> str:
        """The time of the newest item of a full page, where a history goes forward by time."""
        # What ccxt filtered out still filled the page.
        if len(self.rows_taken()) < self.facts.fill_page:
            return ""
        if not items:
            raise MalformedReplyError("a full page of history shows nothing of what was asked for")
        return str(max(int(item["timestamp"]) for item in items))

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        """What kind of execution it is."""
        return FillKind.TRADE

    def fill_size(self, trade: Trade, raw: Row) -> Decimal | None:
        """Contracts, unsigned."""
        return positive_or_none(trade.get("amount"))

    def fill_closed(self, raw: Row) -> Decimal | None:
        """How many contracts of a fill reduced a leg, where the venue says."""
        return None

    def fill_pnl(self, raw: Row) -> Decimal | None:
        """The profit that a fill realised, in the settle currency, where the venue says."""
        return None

    def fill_fee(self, trade: Trade, raw: Row) -> tuple[Decimal | None, str | None]:
        """A fill's fee, positive for a cost, and its currency."""
        fee = trade.get("fee")
        fee = fee if isinstance(fee, Mapping) else {}
        return decimal_or_none(fee.get("cost")), str(fee.get("currency") or "") or None

    # Ends of positions.

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """One page of the venue's record of a symbol's closed positions, as `fill_page`."""
        raise NotImplementedError

    # The stream.

    def prepare_stream(self, exchange: Any) -> None:
        """Change a new instance of ccxt.pro before its first subscription."""

    def read_push(
        self,
        message: Mapping[str, Any],
    ) -> list[LegPush | OrderPush] | None:
        """What a stream's message tells of legs and orders; None where it tells of the socket."""
        return None

    def confirms_subscription(self, message: Mapping[str, Any]) -> bool:
        """Whether a message confirms one of the `stream_topics`."""
        return False

    def ends_stream(self, message: Mapping[str, Any]) -> str:
        """Why nothing more will come on a socket that stays open; "" where more will."""
        return ""


def ending(
    instrument: Instrument,
    *,
    record_id: Any,
    side: Side | None,
    size: Any,
    ended: Any,
    entry: Any = None,
    price: Any = None,
    pnl: Any = None,
    opened: Any = None,
    order_id: Any = "",
    kind: FillKind = FillKind.TRADE,
    whole: bool = True,
) -> ClosedPosition:
    """A record of a closed position out of a venue's own words; sizes in contracts.

    Raises `MalformedReplyError` where its id, its side or its end lacks, `CannotTellError` where
    only its size does.
    """
    ended_at, contracts = instant_or_none(ended), positive_or_none(size)
    if not record_id or side is None or ended_at is None:
        symbol = instrument.symbol
        raise MalformedReplyError(f"the end of a position of {symbol} lacks its side or time")
    if contracts is None:
        raise CannotTellError(f"the end of a position of {instrument.symbol} tells no size")
    return ClosedPosition(
        record_id=str(record_id),
        symbol=instrument.symbol,
        side=side,
        quantity=contracts * instrument.contract_size,
        ended_at=ended_at,
        entry_price=positive_or_none(entry),
        exit_price=positive_or_none(price),
        realized_pnl=decimal_or_none(pnl),
        opened_at=instant_or_none(opened),
        order_id=str(order_id or ""),
        kind=kind,
        whole=whole,
    )


def named_side(word: Any) -> Side | None:
    """The side that is called long or short, in any case."""
    text = str(word or "").lower()
    return Side(text) if text in ("long", "short") else None


def together(orders: list[Order]) -> Order:
    """Several orders that came of one condition as one: sizes added, the average weighted."""
    if len(orders) == 1:
        return orders[0]
    amount = filled = paid = ZERO
    for order in orders:
        size, done = decimal_or_none(order.get("amount")), decimal_or_none(order.get("filled"))
        if size is None or done is None:
            raise MalformedReplyError(f"order {order.get('id')!r} lacks its size or its fill")
        price = decimal_or_none(order.get("average"))
        if done and price is None:
            raise MalformedReplyError(f"order {order.get('id')!r} has a fill without a price")
        amount, filled, paid = amount + size, filled + done, paid + done * (price or ZERO)
    resting = next((order for order in orders if order.get("status") == "open"), orders[-1])
    average = str(paid / filled) if filled else None
    return {**resting, "amount": str(amount), "filled": str(filled), "average": average}


def retry_after(written: str, now: datetime) -> datetime | None:
    """The instant of a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date."""
    seconds = decimal_or_none(written)
    if seconds is not None:
        return now + timedelta(seconds=float(seconds)) if 0 <= seconds < _LONGEST_BAN else None
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def codes_by_kind(**kinds: str) -> dict[str, VenueErrorKind]:
    """A table of codes, written by kind: `margin="110007 110012"`."""
    return {code: VenueErrorKind(kind) for kind, codes in kinds.items() for code in codes.split()}


def signed_row(row: Row, size_key: str, side_key: str, net: tuple[str, ...]) -> RowReading | None:
    """A row whose size is signed, or whose side is named; `net` are the names of no leg at all."""
    size = decimal_or_none(row.get(size_key))
    if size is None:
        return None
    named = str(row.get(side_key) or "").lower()
    hedged = bool(named) and named not in net
    if size == ZERO:
        # A flat leg of its own is known by its name only.
        side = Side(named) if hedged and named in ("long", "short") else None
        return RowReading(ZERO, side, hedged)
    if hedged:
        if named not in ("long", "short"):
            return None
        return RowReading(abs(size), Side(named), True)
    return RowReading(abs(size), Side.LONG if size > 0 else Side.SHORT, False)


def names_one_of(fields: tuple[str, ...], raw: Row) -> bool:
    """Whether a row has one of these fields with something in it; true where none is asked for."""
    return not fields or any(raw.get(name) not in (None, "") for name in fields)


def is_true(value: Any) -> bool:
    """Whether a venue's word for yes."""
    return str(value).lower() in ("true", "yes", "1")


def parsed(
    session: Session, instrument: Instrument, rows: list[Row]
) -> tuple[list[Row], list[Mapping[str, Any]]]:
    """Position rows of one symbol with ccxt's reading of each."""
    market = session.exchange.market(instrument.symbol)
    return rows, [session.exchange.parse_position(row, market) for row in rows]


def raw_of(order: Order) -> Row:
    """The venue's own row of an order, with what it wraps in one more object brought up."""
    raw = order.get("info")
    if not isinstance(raw, Mapping):
        return {}
    inner = raw.get("order")
    return {**raw, **inner} if isinstance(inner, Mapping) else raw


def told_id(source: Mapping[str, Any], name: str) -> str:
    """An account's id, which must be there. Raises `MalformedReplyError`."""
    written = source.get(name)
    if written in (None, "", 0, "0") or isinstance(written, Mapping | list | bool):
        raise MalformedReplyError(f"whose login this is, {name}, is not told")
    return str(written)


def rows_of(data: Any) -> list[Row]:
    """The objects of a list, if it is one."""
    return [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []


def object_at(body: Any, key: str) -> Mapping[str, Any]:
    """An object that must be there. Raises `MalformedReplyError`."""
    found = body.get(key) if isinstance(body, Mapping) else None
    if not isinstance(found, Mapping):
        raise MalformedReplyError(f"{key} is not told")
    return found


def list_at(body: Mapping[str, Any], key: str) -> list[Any]:
    """A list, empty where there is none."""
    found = body.get(key)
    return found if isinstance(found, list) else []
