"""What one exchange is to the gateway: facts, error codes, and hooks that answer one question each.

The defaults are what ccxt's unified calls do. How replies are checked, pages are followed, a scope
is worked out, and an order is sent or looked for is written once, in `venues/`, and asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from messages.settings import AccountSettings
from messages.values import OrderSide, Side
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
    PriceKind,
    ProtectiveOrder,
    VenueError,
    VenueErrorKind,
)
from venues.exchanges.reading import names_one_of, retry_after, venue_symbol
from venues.exchanges.values import (
    LIMITS,
    Ask,
    Asked,
    Charge,
    Facts,
    LegPush,
    Limit,
    Order,
    OrderPush,
    PriceList,
    Row,
    RowReading,
    Session,
    Step,
    Told,
    Trade,
)
from venues.numbers import decimal_or_none, plain, positive_or_none
from venues.strict import MalformedReplyError, Reply, rows_taken


class Exchange:
    """One supported exchange. Hooks without a `session` are pure."""

    facts: ClassVar[Facts]
    codes: ClassVar[Mapping[str, VenueErrorKind]] = {}
    """The venue's own error codes, upper case, and what they mean."""
    phrases_first: ClassVar[tuple[tuple[str, VenueErrorKind], ...]] = ()
    """Lower-case phrases that say more than the code beside them."""
    phrases: ClassVar[tuple[tuple[str, VenueErrorKind], ...]] = ()
    """Lower-case phrases that are read where no code is known."""

    limits: ClassVar[tuple[Limit, ...]] = ()
    """The venue's rate limits that everything here may touch, for whoever wants to see them."""

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

    # Rate limits.

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """What a request costs, of which limits."""
        return ()

    def charges_after(self, asked: Asked, reply: Reply) -> tuple[Charge, ...]:
        """What its answer costs besides, where that goes by what was answered."""
        return ()

    def told_use(self, asked: Asked, headers: Mapping[str, str]) -> tuple[Told, ...]:
        """What an answer's headers (by lower-case name) tell of the limits."""
        return ()

    def bars_address(self, reply: Reply) -> bool:
        """Whether a refusal for the rate, which says when it ends, is one of the whole address.

        Any other is the end of one limit only.
        """
        return reply.status in (403, 418, 429)

    async def touch(self, session: Session) -> None:
        """The cheapest question at the host that takes the orders, to keep its socket open."""
        await session.exchange.fetch_time()

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

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """The lists that together have these kinds of prices of all contracts; none: it has none.

        What is in none of them is asked for by its name.
        """
        return []

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

    def holds_nothing(self, params: Mapping[str, Any], error: VenueError) -> bool:
        """Whether the refusal of one of these reads says that nothing can be held there."""
        return False

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

    def is_of(self, session: Session, instrument: Instrument, row: Row) -> bool:
        """Whether a row is of this instrument, by the name in the row itself.

        ccxt takes a name that it does not know for the instrument that was asked for.
        """
        name = venue_symbol(row)
        symbol = self.symbol_of(session, name)
        if symbol is not None:
            return symbol == instrument.symbol
        return name.upper() == instrument.venue_id.upper()

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

    def resting_order_reads(
        self, symbols: tuple[str, ...], settles: tuple[str, ...]
    ) -> list[tuple[str | None, Mapping[str, Any]]]:
        """What to ask so that all resting orders of these symbols are listed; None: of all."""
        return [(symbol, kind) for symbol in symbols for kind in self.open_order_reads()]

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

    def trades_taken(self, session: Session, instrument: Instrument) -> list[Trade]:
        """The executions in the venue's last answer, in the order in which they came.

        ccxt sorts those of one instant by their ids, which may say nothing of which was first.
        """
        market = session.exchange.market(instrument.symbol)
        return [session.exchange.parse_trade(row, market) for row in self.rows_taken()]

    def next_by_time(self, items: list[Mapping[str, Any]]) -> str:
        """The time of the newest item of a full page, where a history goes forward by time."""
        # What ccxt filtered out still filled the page.
        if len(self.rows_taken()) < self.facts.fill_page:
            return ""
        if not items:
            raise MalformedReplyError("a full page of history shows nothing of what was asked for")
        return str(max(int(item["timestamp"]) for item in items))

    def lists_whole_account(self, session: Session) -> bool:
        """Whether a page of fills has those of all instruments together."""
        return self.facts.account_fills

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
