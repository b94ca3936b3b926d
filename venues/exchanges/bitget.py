"""Bitget: USDT, USDC and coin futures, classic and unified accounts.

Source: the venue's documentation of its v2 (classic) and v3 (unified) API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from messages.budget import LimitScope
from messages.values import OrderSide, Side
from messages.venue import (
    ClosedPosition,
    FillKind,
    Identity,
    Instrument,
    InstrumentStatus,
    KeyRights,
    NotTold,
    PriceKind,
    VenueError,
    VenueErrorKind,
)
from venues.exchanges.base import Exchange
from venues.exchanges.reading import (
    codes_by_kind,
    ending,
    left_of,
    list_at,
    named_side,
    object_at,
    other_id,
    parsed,
    raw_of,
    rows_of,
    signed_row,
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
    TradePush,
)
from venues.numbers import decimal_or_none, positive_or_none
from venues.strict import MalformedReplyError, Place, last_body, rows_at

_ADDRESS = Limit("address", LimitScope.ADDRESS, "requests", 60.0, 6000.0)
_A_SECOND = {
    "v2/mix/position/all-position": 5,
    "v2/mix/position/history-position": 20,
    "v2/mix/order/close-positions": 1,
    "v2/spot/account/info": 1,
}
_USUAL, _USUAL_PUBLIC = 10, 20
"""Requests a second of one user and endpoint; of public ones, of one address."""
_PRODUCTS = {"USDT": "USDT-FUTURES", "USDC": "USDC-FUTURES"}
_STREAMED = ("USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES")
_WITH = {"positions": ("positions", "positions-history"), "orders": ("orders-algo", "orders")}
"""The channels that are followed where ccxt asks for one."""
_HALTED = ("maintain", "listed", "limit_close")
_SINGLE = Place("/api/v2/mix/position/single-position", ("data",))
_CURRENT = Place("/api/v3/position/current-position", ("data", "list"))
_CLOSED = Place("/position/history-position", ("data", "list"), nullable=True)
_KINDS = (
    ("burst", FillKind.LIQUIDATION),
    ("reduce_", FillKind.LIQUIDATION),
    ("offset_", FillKind.LIQUIDATION),
    ("adl", FillKind.ADL),
    ("delivery", FillKind.DELIVERY),
)
_TPSL = frozenset({"profit_plan", "loss_plan", "moving_plan", "pos_profit", "pos_loss"})
"""Stops and take-profits of a position: they can only reduce it."""
_WRITES = "coow"
"""Of a key's `authorities`: to write futures orders."""
_CLOSES = re.compile(r"close_(long|short)")


def _by_endpoint(asked: Asked) -> Limit:
    scope = LimitScope.LOGIN if asked.private else LimitScope.ADDRESS
    usual = _USUAL if asked.private else _USUAL_PUBLIC
    unit = "orders" if asked.path.endswith("order/place-order") else "requests"
    return Limit(asked.path, scope, unit, 1.0, float(_A_SECOND.get(asked.path, usual)))


class Bitget(Exchange):
    facts = Facts(
        exchange="bitget",
        positions=("/api/v2/mix/position/all-position", "/api/v3/position/current-position"),
        opened="cTime",
        by_symbol=True,
        places=(
            Place("/api/v2/mix/position/all-position", ("data",)),
            _CURRENT,
            _SINGLE,
            Place("/api/v2/mix/order/orders-pending", ("data", "entrustedList"), nullable=True),
            Place(
                "/api/v2/mix/order/orders-plan-pending", ("data", "entrustedList"), nullable=True
            ),
            Place(
                "/api/v2/mix/order/orders-plan-history", ("data", "entrustedList"), nullable=True
            ),
            Place("/api/v2/mix/order/fills", ("data", "fillList"), nullable=True),
            _CLOSED,
            Place("/api/v3/trade/unfilled-strategy-orders", ("data",)),
            Place("/api/v3/trade/unfilled-orders", ("data", "list")),
            Place("/api/v3/trade/fills", ("data", "list")),
            Place("/api/v2/mix/market/contracts", ("data",)),
            Place("/api/v3/market/instruments", ("data",)),
        ),
        success=("code", frozenset({"00000"})),
        options={"defaultType": "swap"},
        one_call_scope=False,
        size_in_base=True,
        filled_fields=("baseVolume", "filledQty", "cumExecQty"),
        amount_fields=("size", "qty"),
        conditional_fields=("planType",),
        triggers=(
            {"trigger": True, "planType": "profit_loss"},
            {"trigger": True, "planType": "normal_plan"},
            {"trigger": True, "planType": "track_plan"},
        ),
        trigger_page=100,
        fill_window=timedelta(days=7),
        fill_history=timedelta(days=90),
        late_cancel=frozenset({"22001", "43004", "43020", "43025", "43026"}),
        newest_first=True,
        streams=True,
        stream_topics=2,
        keeps_closed=True,
        closed_window=timedelta(days=90),
    )
    codes = codes_by_kind(
        nothing_to_reduce="22002 25227",
        margin="40762 43012 40754 40711 40712 25202 25203",
        rate_limit="429 30007",
        no_such_order="40768 43001 40109 25204",
        duplicate_id="40786 40500",
        key="40006 40009 40012 40037",
        rights="40014 40018",
        clock="40008 40005",
        maintenance="40200 40725 45001 40015",
        size="45110 40808 45111 40108 43006 45113",
        price_band="40815 22047 22048 50067 40920 40706 43011 40917 45122",
        not_tradable="40309 40034 22036 40102 40308 41114 43115",
        network="40010",
        other="33013 40774 400172 40017 40019 40020",
    )

    limits = (
        _ADDRESS,
        Limit("v2/mix/order/place-order", LimitScope.LOGIN, "orders", 1.0, float(_USUAL)),
    )

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """Page "Request Interaction": 6,000 a minute an address; each endpoint's own page."""
        return (Charge(_ADDRESS), Charge(_by_endpoint(asked)))

    def told_use(self, asked: Asked, headers: Mapping[str, str]) -> tuple[Told, ...]:
        """x-mbx-used-remain-limit: what is left of the endpoint's second, as has been seen."""
        return left_of(_by_endpoint(asked), headers, "x-mbx-used-remain-limit")

    async def prepare(self, session: Session) -> None:
        """Whether the account is unified.

        ccxt takes any failure of this question for "no", and would then read the positions of a
        unified account where there are none.
        """
        await session.exchange.privateUtaGetV3AccountSettings()
        session.exchange.options["uta"] = True

    def settles_account_kind(self, session: Session, error: VenueError) -> bool:
        # A classic account is refused there with a code that means nothing else to the guard.
        if error.kind is not VenueErrorKind.OTHER:
            return False
        session.exchange.options["uta"] = False
        return True

    async def identity(self, session: Session) -> Identity | NotTold:
        """GET /api/v2/spot/account/info (`userId`), or /api/v3/account/info (`uid`)."""
        exchange = session.exchange
        unified = bool(exchange.options.get("uta"))
        if unified:
            body = await exchange.privateUtaGetV3AccountInfo()
        else:
            body = await exchange.privateSpotGetV2SpotAccountInfo()
        data = object_at(body, "data")
        own = told_id(data, "uid" if unified else "userId")
        parent = other_id(data.get("parentId"))
        below = parent not in ("", own)
        return Identity(id=own, sub_account=below, main_id=parent if below else "")

    async def key_rights(self, session: Session) -> KeyRights:
        """GET /api/v2/spot/account/info (`authorities`). Which of them withdraws nobody says."""
        exchange = session.exchange
        if exchange.options.get("uta"):
            return KeyRights()
        body = await exchange.privateSpotGetV2SpotAccountInfo()
        told = list_at(object_at(body, "data"), "authorities")
        return KeyRights(read=True, trade=_WRITES in told) if told else KeyRights()

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """GET /api/v2/mix/market/tickers of a product type: all kinds at once."""
        fields = {"bid": "bidPr", "ask": "askPr", "last": "lastPr", "mark": "markPrice"}
        products = {_PRODUCTS.get(settle, "COIN-FUTURES") for settle in settles}
        return [
            PriceList(
                "publicMixGetV2MixMarketTickers",
                Place("/api/v2/mix/market/tickers", ("data",)),
                "symbol",
                fields,
                {"productType": product},
            )
            for product in sorted(products)
        ]

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        """`symbolStatus` (`status` of a unified account); `offTime` is when it is taken off."""
        info = market["info"]
        told = str(info.get("symbolStatus") or info.get("status") or "normal").lower()
        if told in ("off", "offline") or positive_or_none(info.get("offTime")) is not None:
            return InstrumentStatus.DELISTING
        return InstrumentStatus.HALTED if told in _HALTED else InstrumentStatus.TRADING

    def largest_market_order(self, market: Mapping[str, Any]) -> Decimal | None:
        """`maxMarketOrderQty` of a contract, in its base coin."""
        told = positive_or_none(market["info"].get("maxMarketOrderQty"))
        return told if told is not None else super().largest_market_order(market)

    def read_row(self, row: Row) -> RowReading | None:
        # The unified account's rows name the same things in other words.
        side_key = "holdSide" if "holdSide" in row else "posSide"
        reading = signed_row(row, "total", side_key, ())
        if reading is None:
            return None
        mode = row.get("posMode") or row.get("holdMode")
        return RowReading(reading.size, reading.side, mode == "hedge_mode")

    def position_reads(self, settles: tuple[str, ...]) -> list[dict[str, Any]]:
        return [
            {"productType": _PRODUCTS.get(settle, "COIN-FUTURES"), "marginCoin": settle}
            for settle in settles
        ]

    async def rows_by_name(
        self, session: Session, instrument: Instrument
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """GET /api/v2/mix/position/single-position; of a unified account, current-position.

        Only what is held is listed.
        """
        product = _PRODUCTS.get(instrument.settle, "COIN-FUTURES")
        named = {"symbol": instrument.venue_id}
        exchange = session.exchange
        if exchange.options.get("uta"):
            asked = {**named, "category": product}
            body = await exchange.privateUtaGetV3PositionCurrentPosition(asked)
            return parsed(session, instrument, rows_at(body, _CURRENT))
        asked = {**named, "productType": product, "marginCoin": instrument.settle}
        body = await exchange.privateMixGetV2MixPositionSinglePosition(asked)
        return parsed(session, instrument, rows_at(body, _SINGLE))

    def margin_params(self, margin: Mapping[str, str]) -> dict[str, str]:
        return {name: margin[name] for name in ("marginMode",) if name in margin}

    def immediate_params(self) -> dict[str, Any]:
        return {"force": "ioc"}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        exchange, symbol = session.exchange, instrument.symbol

        async def one() -> list[Order]:
            return await self.one_order(session, instrument, wanted, by_id=by_id)

        async def triggers() -> list[Order]:
            orders: list[Order] = []
            for params in self.facts.triggers:
                orders += await exchange.fetch_open_orders(symbol, None, None, dict(params))
            return orders

        async def ended_triggers() -> list[Order]:
            orders: list[Order] = []
            for params in self.facts.triggers:
                orders += await exchange.fetch_canceled_and_closed_orders(
                    symbol, None, None, dict(params)
                )
            return orders

        return [
            Step(one, trigger=False),
            Step(triggers, trigger=True),
            Step(ended_triggers, trigger=True),
        ]

    async def became(self, session: Session, instrument: Instrument, order: Order) -> Order:
        """A plan order that was executed lives on as the order of its `executeOrderId`.

        Its own row tells what that filled as well, where the order itself is told no more.
        """
        raw = raw_of(order)
        fired = str(raw.get("executeOrderId") or "")
        if raw.get("planStatus") != "executed" or not fired:
            return order
        try:
            found = await session.exchange.fetch_order(fired, instrument.symbol)
        except Exception as error:
            # ccxt is imported late, so that its classes are known by name only.
            if not any(cls.__name__ == "OrderNotFound" for cls in type(error).__mro__):
                raise
            return order
        names = ("clientOrderId", "triggerPrice")
        return {**found, **{name: order.get(name) for name in names}}

    def corrected(self, order: Order) -> Order:
        """ccxt does not know that a position's stop can only reduce it; in one-way mode the row
        does not say."""
        return {**order, "reduceOnly": True} if raw_of(order).get("planType") in _TPSL else order

    def order_side(self, told: Any, raw: Row) -> OrderSide | None:
        """In hedge mode the side names the leg: "buy" closes a long one (place-order)."""
        if raw.get("posMode") == "hedge_mode":
            leg, does = self.position_side(raw), str(raw.get("tradeSide") or "").lower()
            if leg is not None and "close" in does:
                return leg.closing
            if leg is not None and "open" in does:
                return leg.closing.opposite
        return super().order_side(told, raw)

    def position_side(self, raw: Row) -> Side | None:
        leg = super().position_side(raw)
        if leg is not None:
            return leg
        # A forced close names its leg: "burst_close_short".
        closes = _CLOSES.search(str(raw.get("tradeSide") or "").lower())
        if closes is not None:
            return Side(closes.group(1))
        if raw.get("posMode") == "hedge_mode":
            return {"buy": Side.LONG, "sell": Side.SHORT}.get(str(raw.get("side")).lower())
        return None

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /api/v2/mix/order/fills, or /api/v3/trade/fills: the newest first.

        Older ones are asked for by `idLessThan` (classic) or `cursor` (unified).
        """
        unified = bool(session.exchange.options.get("uta"))
        params: dict[str, Any] = {"endTime": ask.end_ms, "limit": self.facts.fill_page}
        if ask.at:
            params["cursor" if unified else "idLessThan"] = ask.at
        symbol = instrument.symbol
        await session.exchange.fetch_my_trades(symbol, ask.start_ms, None, params)
        trades = self.trades_taken(session, instrument)
        if len(self.rows_taken()) < self.facts.fill_page:
            return trades, ""
        data = object_at(last_body(), "data")
        oldest = str(data.get("cursor" if unified else "endId") or "")
        if not oldest:
            raise MalformedReplyError("a full page of fills does not say where it ends")
        return trades, oldest

    def lists_whole_account(self, session: Session) -> bool:
        # A unified account's fills can be asked for by category only.
        return bool(session.exchange.options.get("uta"))

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        """`tradeSide`: burst_* liquidation, delivery_*, dte_sys_adl_* ADL."""
        does = str(raw.get("tradeSide") or "").lower()
        return next((kind for word, kind in _KINDS if word in does), FillKind.TRADE)

    def fill_pnl(self, raw: Row) -> Decimal | None:
        return decimal_or_none(raw.get("profit", raw.get("execPnl")))

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """GET /api/v2/mix/position/history-position, or /api/v3/position/history-position."""
        unified = bool(session.exchange.options.get("uta"))
        product = _PRODUCTS.get(instrument.settle, "COIN-FUTURES")
        request: dict[str, Any] = {
            "symbol": instrument.venue_id,
            "category" if unified else "productType": product,
            "startTime": ask.start_ms,
            "endTime": ask.end_ms,
            "limit": self.facts.fill_page,
        }
        if ask.at:
            request["cursor" if unified else "idLessThan"] = ask.at
        if unified:
            body = await session.exchange.privateUtaGetV3PositionHistoryPosition(request)
        else:
            body = await session.exchange.privateMixGetV2MixPositionHistoryPosition(request)
        rows = rows_at(body, _CLOSED)
        records = [_ended(instrument, row) for row in rows]
        if len(rows) < self.facts.fill_page:
            return records, ""
        oldest = str(body["data"].get("cursor" if unified else "endId") or "")
        if not oldest:
            raise MalformedReplyError("a full page of positions does not say where it ends")
        return records, oldest

    def prepare_stream(self, exchange: Any) -> None:
        """Follow all product types, and ends of positions, where ccxt asks for one channel.

        A classic account's position that has ended is left out of the channel `positions`.
        """
        watch = exchange.watch

        def widened(url: str, message_hash: str, message: Any = None, *more: Any) -> Any:
            if isinstance(message, dict) and message.get("op") == "subscribe":
                message = {**message, "args": _all_products(message["args"])}
            return watch(url, message_hash, message, *more)

        exchange.watch = widened

    def read_push(self, message: Mapping[str, Any]) -> list[LegPush | OrderPush] | None:
        """Channels `positions`, `positions-history`, `orders` and `orders-algo`.

        A unified account has the topics `position` and `order`.
        """
        arg = message.get("arg")
        if "action" not in message or not isinstance(arg, Mapping):
            return None
        rows, channel = rows_of(message.get("data")), arg.get("channel") or arg.get("topic")
        match channel:
            case "positions" | "position":
                return [LegPush(_leg_row(row)) for row in rows]
            case "positions-history":
                # What ended is this side alone, whatever the mode: a net position may have turned.
                ended = {"total": "0", "posMode": "hedge_mode"}
                return [LegPush({**_leg_row(row), **ended}) for row in rows]
            case "orders" | "order":
                # A unified account's topic tells of spot and margin orders as well.
                return [
                    _order_push(row)
                    for row in rows
                    if "category" not in row or "futures" in str(row["category"]).lower()
                ]
            case "orders-algo":
                return [_plan_push(row) for row in rows]
            case _:
                return []

    def confirms_subscription(self, message: Mapping[str, Any]) -> bool:
        """The last of a channel's product types; the one there is of a unified account's topic."""
        arg = message.get("arg")
        if message.get("event") != "subscribe" or not isinstance(arg, Mapping):
            return False
        lasts = [channels[-1] for channels in _WITH.values()]
        last = arg.get("instType") == _STREAMED[-1] and arg.get("channel") in lasts
        return last or arg.get("instType") == "UTA"

    def closes_all(self, raw: Row) -> bool:
        return raw.get("planType") in ("pos_loss", "pos_profit")


def _all_products(args: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A subscription of ccxt's for all product types, with the channels that belong to it."""
    wide: list[dict[str, Any]] = []
    for arg in args:
        if arg.get("instType") not in _STREAMED:
            wide.append(arg)
            continue
        for channel in _WITH.get(arg["channel"], (arg["channel"],)):
            wide += [{**arg, "channel": channel, "instType": kind} for kind in _STREAMED]
    return wide


def _leg_row(row: Row) -> Row:
    """A position of a stream in the names of the REST row."""
    named = {"symbol": row.get("instId") or row.get("symbol")}
    return {**row, **named, "total": row.get("total", row.get("size"))}


def _order_push(row: Row) -> OrderPush:
    trade = None
    if row.get("tradeId") and row.get("fillFee") is not None:
        fee = decimal_or_none(row["fillFee"])
        trade = TradePush(
            id=row["tradeId"],
            amount=row.get("baseVolume"),
            fee=None if fee is None else -fee,
            fee_currency=row.get("fillFeeCoin"),
        )
    status = row.get("status") or row.get("orderStatus")
    filled = row.get("accBaseVolume", row.get("cumExecQty"))
    return OrderPush(
        symbol=row.get("instId") or row.get("symbol"),
        order_id=row.get("orderId"),
        client_id=row.get("clientOid"),
        status=status,
        amount=row.get("size", row.get("qty")),
        # What rests untouched has no fill to tell, and no field for it.
        filled="0" if filled is None and status == "live" else filled,
        row=row,
        average=row.get("priceAvg", row.get("avgPrice")),
        trade=trade,
    )


def _plan_push(row: Row) -> OrderPush:
    """A plan order; of one that fired, the order that it became tells what that filled."""
    status = row.get("status")
    return OrderPush(
        symbol=row.get("instId"),
        order_id=row.get("orderId"),
        client_id=row.get("clientOid"),
        status=status,
        amount=row.get("size"),
        filled="0" if status in ("live", "cancelled") else None,
        conditional=True,
    )


def _ended(instrument: Instrument, row: Row) -> ClosedPosition:
    """The unified account's rows name the same things in other words."""
    ended = row.get("utime") or row.get("updatedTime")
    side = named_side(row.get("holdSide") or row.get("posSide"))
    own = row.get("positionId") or f"{row.get('ctime') or row.get('createdTime')} {ended} {side}"
    return ending(
        instrument,
        record_id=own,
        side=side,
        size=row.get("closeTotalPos"),
        ended=ended,
        entry=row.get("openAvgPrice") or row.get("openPriceAvg"),
        price=row.get("closeAvgPrice") or row.get("closePriceAvg"),
        pnl=row.get("netProfit"),
        opened=row.get("ctime") or row.get("createdTime"),
    )
