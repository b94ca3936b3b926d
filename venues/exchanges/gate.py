"""Gate: perpetuals by settle currency, and dated futures. Source: its documentation of API v4."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from messages.budget import LimitScope
from messages.values import ZERO, OrderSide, Side
from messages.venue import (
    ClosedPosition,
    FillKind,
    Identity,
    Instrument,
    InstrumentStatus,
    NotTold,
    OrderRequest,
    OrderType,
    PriceKind,
    VenueError,
)
from venues.exchanges.base import Exchange
from venues.exchanges.reading import (
    codes_by_kind,
    ending,
    is_true,
    left_of,
    named_side,
    parsed,
    raw_of,
    rows_of,
    told_id,
)
from venues.exchanges.values import (
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
from venues.numbers import decimal_or_none, instant_or_none, positive_or_none
from venues.strict import CannotTellError, MalformedReplyError, Place, Reply, rows_at

_RESET = "x-gate-ratelimit-reset-timestamp"
_ENDED_PAGE = 100
_OPEN_PAGE = 1000
"""The longest list; without a limit it is a hundred, and nothing says that there are more."""
_MOST_PAGES = 100
_EARLIER = timedelta(minutes=1)
"""By how much the venue's clock may be behind ours where an order is looked for by its time."""
_ENDS = {"open": "open", "cancelled": "canceled", "failed": "rejected", "expired": "expired"}
"""How a trigger order ended: `finish_as`, or its `status` while it rests."""
_FINISHES = {"open": "open", "filled": "closed", "_new": "open", "_update": "open"}
"""What `finish_as` says of an order; whatever else ended it cancelled what was left."""
_ID_PREFIX = "t-"
_CHANNELS = ("futures.positions", "futures.orders")
_CLOSED = Place("/position_close", ())
_SOURCES = (
    ("liquidat", FillKind.LIQUIDATION),
    ("pm_liquidat", FillKind.LIQUIDATION),
    ("comb_margin_liquidat", FillKind.LIQUIDATION),
    ("scm_liquidat", FillKind.LIQUIDATION),
    ("liq-", FillKind.LIQUIDATION),
    ("hedge-liq", FillKind.LIQUIDATION),
    ("auto_delever", FillKind.ADL),
    ("adl", FillKind.ADL),
    ("settle", FillKind.SETTLEMENT),
    ("clear", FillKind.SETTLEMENT),
    ("delivery", FillKind.DELIVERY),
)
"""Beginnings of `text` where the exchange itself traded; "clear" is a contract's withdrawal."""
_CLOSES = re.compile(r"close-(long|short)")


def _by_endpoint(asked: Asked) -> Limit:
    scope = LimitScope.LOGIN if asked.private else LimitScope.ADDRESS
    name = f"{asked.method} {asked.path}"
    if asked.api[-1] == "delivery":
        # Its paths read as those of perpetuals do, and count apart.
        name = f"{asked.method} delivery/{asked.path}"
        return Limit(name, scope, "requests", 10.0, 500.0)
    if name == _PLACING.name:
        return _PLACING
    # Its general limit for private endpoints; other groups' are higher, or nobody says.
    return Limit(name, scope, "requests", 10.0, 200.0)


_PLACING = Limit("POST {settle}/orders", LimitScope.LOGIN, "orders", 1.0, 100.0)


class Gate(Exchange):
    facts = Facts(
        exchange="gate",
        positions=("/positions",),
        opened="open_time",
        by_symbol=True,
        names_flat=True,
        places=(
            Place("/positions", ()),
            Place("/orders", ()),
            Place("/my_trades", ()),
            Place("/my_trades_timerange", ()),
            Place("/price_orders", ()),
            _CLOSED,
            Place("/contracts", ()),
        ),
        options={"defaultType": "swap", "fetchMarkets": {"types": ["swap", "future"]}},
        one_call_scope=False,
        page="offset",
        page_size=100,
        filled_fields=("left", "filled_amount"),
        amount_fields=("size", "initial"),
        conditional_fields=("initial",),
        triggers=({"trigger": True, "limit": _OPEN_PAGE},),
        trigger_page=_OPEN_PAGE,
        falling=("rule", {"1": False, "2": True}),
        fill_history=timedelta(days=180),
        late_cancel=frozenset({"ORDER_CLOSED", "ORDER_CANCELLED", "ORDER_FINISHED"}),
        newest_first=True,
        keeps_closed=True,
        streams=True,
        stream_topics=2,
    )
    codes = codes_by_kind(
        nothing_to_reduce="INCREASE_POSITION POSITION_EMPTY POSITION_NOT_FOUND REDUCE_EXCEEDED",
        margin="""BALANCE_NOT_ENOUGH INSUFFICIENT_AVAILABLE MARGIN_BALANCE_NOT_ENOUGH
            FUTURES_BALANCE_NOT_ENOUGH""",
        rate_limit="TOO_MANY_REQUESTS TOO_FAST",
        no_such_order="ORDER_NOT_FOUND AUTO_ORDER_NOT_FOUND",
        duplicate_id="REPEATED_CREATION",
        key="INVALID_KEY INVALID_SIGNATURE INVALID_CREDENTIALS MISSING_REQUIRED_HEADER",
        rights="FORBIDDEN READ_ONLY IP_FORBIDDEN",
        clock="REQUEST_EXPIRED",
        maintenance="INTERNAL SERVER_ERROR TOO_BUSY",
        size="INVALID_PARAM_VALUE SIZE_TOO_LARGE SIZE_TOO_SMALL INVALID_PRECISION",
        price_band="""PRICE_TOO_DEVIATED POC_FILL_IMMEDIATELY ORDER_POC_IMMEDIATE
            PRICE_THRESHOLD_EXCEEDED PRICE_OVER_LIQUIDATION PRICE_OVER_BANKRUPT
            AUTO_TRIGGER_PRICE_LESS_LAST AUTO_TRIGGER_PRICE_GREATE_LAST""",
        not_tradable="CONTRACT_NOT_FOUND CONTRACT_IN_DELISTING",
        other="LIQUIDATE_IMMEDIATELY TOO_MANY_ORDERS POSITION_CROSS_MARGIN USER_NOT_FOUND",
    )

    limits = (
        _PLACING,
        Limit("GET {settle}/positions", LimitScope.LOGIN, "requests", 10.0, 200.0),
    )

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """Section "Frequency limit rule": each endpoint by itself, by user or by address."""
        return (Charge(_by_endpoint(asked)),)

    def told_use(self, asked: Asked, headers: Mapping[str, str]) -> tuple[Told, ...]:
        """X-Gate-RateLimit-Requests-Remain, and -Limit."""
        remain, most = "x-gate-ratelimit-requests-remain", "x-gate-ratelimit-limit"
        return left_of(_by_endpoint(asked), headers, remain, most)

    def bars_address(self, reply: Reply) -> bool:
        """A refusal with a reset of its own is one endpoint's."""
        return _RESET not in reply.headers and super().bars_address(reply)

    async def identity(self, session: Session) -> Identity | NotTold:
        """GET /api/v4/account/detail: `user_id`."""
        body = await session.exchange.privateAccountGetDetail()
        return Identity(id=told_id(body, "user_id"))

    def listens_again(self, reply: Reply, now: datetime) -> datetime | None:
        told = super().listens_again(reply, now)
        return told or instant_or_none(reply.headers.get(_RESET))

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """GET /futures/{settle}/tickers: all kinds of all perpetuals; dated ones go by name."""
        fields = {"bid": "highest_bid", "ask": "lowest_ask", "last": "last", "mark": "mark_price"}
        return [
            PriceList(
                "publicFuturesGetSettleTickers",
                Place("/tickers", ()),
                "contract",
                fields,
                {"settle": settle.lower()},
            )
            for settle in settles
        ]

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        info = market["info"]
        told = str(info.get("status") or "trading").lower()
        if is_true(info.get("in_delisting")) or told.startswith("delist"):
            return InstrumentStatus.DELISTING
        return InstrumentStatus.TRADING if told == "trading" else InstrumentStatus.HALTED

    def largest_market_order(self, market: Mapping[str, Any]) -> Decimal | None:
        """`market_order_size_max`; where that is 0, `order_size_max` limits market orders too."""
        info = market["info"]
        names = ("market_order_size_max", "order_size_max")
        return next((it for name in names if (it := positive_or_none(info.get(name)))), None)

    def read_row(self, row: Row) -> RowReading | None:
        size = decimal_or_none(row.get("size"))
        if size is None:
            return None
        mode = str(row.get("mode") or "single")
        if mode in ("dual_long", "dual_short"):
            return RowReading(abs(size), Side.LONG if mode == "dual_long" else Side.SHORT, True)
        if size == ZERO:
            return RowReading(ZERO, None, mode != "single")
        return RowReading(abs(size), Side.LONG if size > 0 else Side.SHORT, False)

    def position_reads(self, settles: tuple[str, ...]) -> list[dict[str, Any]]:
        swaps = [{"settle": settle.lower(), "type": "swap", "holding": True} for settle in settles]
        # Dated futures are an exchange of their own there, settled in USDT alone.
        dated = [{"settle": "usdt", "type": "future"}] if "USDT" in settles else []
        return [*swaps, *dated]

    def holds_nothing(self, params: Mapping[str, Any], error: VenueError) -> bool:
        """An account of dated futures is opened by the first transfer into it; few have one.

        Of perpetuals it would be news, and is an error like any other.
        """
        return params.get("type") == "future" and error.code.upper() == "USER_NOT_FOUND"

    async def rows_by_name(
        self, session: Session, instrument: Instrument
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """GET /futures/{settle}/positions/{contract}: a row, or one a side in dual mode.

        Documented for dual mode is dual_comp/…, which is asked where the first tells one side.
        """
        exchange = session.exchange
        read = (
            exchange.privateFuturesGetSettlePositionsContract
            if instrument.expires_at is None
            else exchange.privateDeliveryGetSettlePositionsContract
        )
        asked = {"settle": instrument.settle.lower(), "contract": instrument.venue_id}
        body = await read(asked)
        if isinstance(body, Mapping) and str(body.get("mode")).startswith("dual"):
            body = await exchange.privateFuturesGetSettleDualCompPositionsContract(asked)
        rows = [body] if isinstance(body, Mapping) else body
        return parsed(session, instrument, rows_at(rows, Place("/positions/{contract}", ())))

    def to_venue_id(self, canonical: str) -> str:
        return f"{_ID_PREFIX}{canonical}"

    def from_venue_id(self, written: str) -> str:
        return written.removeprefix(_ID_PREFIX)

    def order_params(self, order: OrderRequest, margin: Mapping[str, str]) -> dict[str, Any]:
        params = super().order_params(order, margin)
        if order.type is not OrderType.STOP_MARKET:
            # ccxt measures this id before it puts the prefix there by itself.
            params["clientOrderId"] = order.client_order_id
        return params

    def leg_params(self, order: OrderRequest) -> dict[str, Any]:
        # The leg is told by the order's side and reduce-only alone.
        return {}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        exchange, symbol = session.exchange, instrument.symbol
        canonical = self.from_venue_id(wanted)

        async def one() -> list[Order]:
            return [await exchange.fetch_order(wanted, symbol)]

        async def listed(read: Any, *, trigger: bool) -> list[Order]:
            """Pages of a list, newest first, until it holds the order or orders older than it."""
            key, sent = "id" if by_id else "clientOrderId", session.sent_at.get(canonical)
            kind = {"trigger": True} if trigger else {}
            found: list[Order] = []
            for _ in range(_MOST_PAGES):
                params = {**kind, "offset": len(found)} if found else kind
                page = list(await read(symbol, None, _ENDED_PAGE, params))
                found += page
                count = len(self.rows_taken())
                told = {str(order.get(key)).lower() for order in page}
                oldest = instant_or_none(page[0].get("timestamp")) if page else None
                older = sent is not None and oldest is not None and oldest < sent - _EARLIER
                if count < _ENDED_PAGE or wanted.lower() in told or older:
                    return found
            raise CannotTellError(
                "the order is not among the last ones, and the venue keeps no index by text"
            )

        async def ended() -> list[Order]:
            # By its text an ended order is found for a minute only; after that, in the list.
            return await listed(exchange.fetch_closed_orders, trigger=False)

        async def triggers() -> list[Order]:
            return await listed(exchange.fetch_open_orders, trigger=True)

        async def ended_triggers() -> list[Order]:
            return await listed(exchange.fetch_closed_orders, trigger=True)

        return [
            Step(one, trigger=False),
            Step(ended, trigger=False),
            Step(triggers, trigger=True),
            Step(ended_triggers, trigger=True),
        ]

    def more_rows(self, body: Any, rows: int) -> bool:
        """A list of the usual length may be one that took no notice of the limit."""
        return rows == _ENDED_PAGE or rows >= _OPEN_PAGE

    def open_order_reads(self) -> tuple[Mapping[str, Any], ...]:
        return ({"limit": _OPEN_PAGE}, *self.facts.triggers)

    def order_side(self, told: Any, raw: Row) -> OrderSide | None:
        # A stop for a whole position has size 0, which ccxt takes for a sell.
        leg = _closed_leg(raw)
        return super().order_side(told, raw) if leg is None else leg.closing

    def position_side(self, raw: Row) -> Side | None:
        return _closed_leg(raw)

    async def became(self, session: Session, instrument: Instrument, order: Order) -> Order:
        """A trigger order that succeeded lives on as the order of its `trade_id`."""
        raw = raw_of(order)
        if "initial" not in raw or raw.get("finish_as") != "succeeded":
            return order
        fired = str(raw.get("trade_id_string") or raw.get("trade_id") or "0")
        if fired == "0":
            raise MalformedReplyError("a trigger order has fired and does not say as which order")
        found = await session.exchange.fetch_order(fired, instrument.symbol)
        names = {
            "clientOrderId": order.get("clientOrderId"),
            "triggerPrice": order.get("triggerPrice"),
        }
        return {**self.corrected(found), **names}

    def corrected(self, order: Order) -> Order:
        """ccxt knows three ends of an order, and of a trigger order no other than its success.

        It works out a trigger order's fill, of which the row says nothing.
        """
        raw = raw_of(order)
        if "initial" not in raw:
            told = str(raw.get("finish_as") or "")
            return {**order, "status": _FINISHES.get(told, "canceled")} if told else order
        ended = str(raw.get("finish_as") or "") or str(raw.get("status") or "")
        status = _ENDS.get(ended, order.get("status"))
        return {**order, "status": status, "filled": "0" if ended != "succeeded" else None}

    def tells_fill(self, raw: Row) -> bool:
        # What has not fired has no fill; whoever reads one that did follows its trade_id.
        return "initial" in raw or super().tells_fill(raw)

    def closes_all(self, raw: Row) -> bool:
        initial = raw.get("initial")
        return isinstance(initial, Mapping) and decimal_or_none(initial.get("size")) == 0

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /futures/{settle}/my_trades_timerange (dated: /delivery/…/my_trades), by offset.

        A fill that arrives meanwhile moves rows to the next page, where they come again; none is
        passed over.
        """
        offset = int(ask.at or 0)
        params = {"limit": self.facts.fill_page, "offset": offset, "until": ask.end_ms}
        symbol = instrument.symbol
        await session.exchange.fetch_my_trades(symbol, ask.start_ms, None, params)
        trades = self.trades_taken(session, instrument)
        count = len(self.rows_taken())
        return trades, str(offset + count) if count >= self.facts.fill_page else ""

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """GET /futures/{settle}/position_close (dated: /delivery/…), by offset.

        `long_price` and `short_price` are the averages of what was bought and sold.
        """
        offset = int(ask.at or 0)
        request = {
            "settle": instrument.settle.lower(),
            "contract": instrument.venue_id,
            "from": ask.start_ms // 1000,
            "to": ask.end_ms // 1000,
            "limit": self.facts.fill_page,
            "offset": offset,
        }
        exchange = session.exchange
        dated = instrument.expires_at is not None
        read = (
            exchange.privateDeliveryGetSettlePositionClose
            if dated
            else exchange.privateFuturesGetSettlePositionClose
        )
        rows = rows_at(await read(request), _CLOSED)
        records = [_ended(self, instrument, session, row) for row in rows]
        return records, str(offset + len(rows)) if len(rows) >= self.facts.fill_page else ""

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        """`text` names the source where it is not a person or a program of theirs."""
        source = str(raw.get("text") or "").lower()
        return next((kind for word, kind in _SOURCES if source.startswith(word)), FillKind.TRADE)

    def fill_closed(self, raw: Row) -> Decimal | None:
        """`close_size` of my_trades: what of a fill closed, signed as the fill is.

        In dual mode nothing else tells a buy that opens a long leg from one that closes a short.
        """
        closed = decimal_or_none(raw.get("close_size"))
        return None if closed is None else abs(closed)

    def prepare_stream(self, exchange: Any) -> None:
        # A subscription must name the account's number, which only the venue knows.
        subscribe, known = exchange.subscribe_private, asyncio.Lock()

        async def named(*args: Any, **params: Any) -> Any:
            async with known:
                if not exchange.uid:
                    body = await exchange.privateAccountGetDetail()
                    exchange.uid = told_id(body, "user_id")
            return await subscribe(*args, **params)

        exchange.subscribe_private = named

    def read_push(self, message: Mapping[str, Any]) -> list[LegPush | OrderPush] | None:
        """The channels futures.positions and futures.orders."""
        channel = message.get("channel")
        if message.get("event") != "update" or channel not in _CHANNELS:
            return None
        rows = rows_of(message.get("result"))
        if channel == "futures.positions":
            return [LegPush({**row, "symbol": row.get("contract")}) for row in rows]
        return [_pushed(row) for row in rows]

    def confirms_subscription(self, message: Mapping[str, Any]) -> bool:
        result = message.get("result")
        done = isinstance(result, Mapping) and result.get("status") == "success"
        return message.get("event") == "subscribe" and message.get("channel") in _CHANNELS and done


def _pushed(row: Row) -> OrderPush:
    size, left = decimal_or_none(row.get("size")), decimal_or_none(row.get("left"))
    told = str(row.get("finish_as") or row.get("status") or "")
    known = None if size is None or left is None else abs(size) - abs(left)
    side = None if size is None else ("buy" if size > ZERO else "sell")
    return OrderPush(
        symbol=row.get("contract"),
        order_id=row.get("id"),
        client_id=row.get("text"),
        # In ccxt's table of the venue's words, which lacks most ends.
        status={"open": "open", "closed": "filled"}.get(_FINISHES.get(told, ""), "cancelled"),
        amount=None if size is None else abs(size),
        filled=known,
        row={**row, "side": side},
        average=row.get("fill_price"),
    )


def _closed_leg(raw: Row) -> Side | None:
    """The leg in "plan-close-long-position"."""
    found = _CLOSES.search(str(raw.get("order_type") or "").lower())
    return None if found is None else Side(found.group(1))


def _ended(gate: Gate, instrument: Instrument, session: Session, row: Row) -> ClosedPosition:
    side = named_side(row.get("side"))
    size = decimal_or_none(row.get("accum_size") or row.get("max_size"))
    prices = (row.get("long_price"), row.get("short_price"))
    entry, price = prices if side is Side.LONG else prices[::-1]
    parts = ("time", "side", "first_open_time", "pnl", "text")
    return ending(
        instrument,
        # The rows have no id of their own.
        record_id=" ".join(str(row.get(part)) for part in parts),
        side=side,
        size=None if size is None else abs(size),
        ended=row.get("time"),
        entry=entry,
        price=price,
        pnl=row.get("pnl"),
        opened=row.get("first_open_time"),
        kind=gate.fill_kind(session, row, ""),
    )
