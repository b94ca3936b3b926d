"""Bybit v5: USDT, USDC and inverse contracts. Source: the venue's documentation of its v5 API."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from messages.budget import LimitScope
from messages.settings import AccountSettings
from messages.values import ZERO, Side
from messages.venue import (
    ClosedPosition,
    FillKind,
    Identity,
    Instrument,
    InstrumentStatus,
    KeyRights,
    Kind,
    NotTold,
    OrderRequest,
    PriceKind,
    VenueErrorKind,
)
from venues.exchanges.base import Exchange
from venues.exchanges.reading import (
    codes_by_kind,
    ending,
    label_of,
    left_of,
    list_at,
    object_at,
    other_id,
    rows_of,
    told_id,
)
from venues.exchanges.values import (
    STABLE,
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
from venues.strict import Place, Reply, rows_at

_ADDRESS = Limit("address", LimitScope.ADDRESS, "requests", 5.0, 600.0)
_A_SECOND = {
    "v5/order/create": 10,
    "v5/order/cancel": 10,
    "v5/order/amend": 10,
    "v5/order/cancel-all": 10,
    "v5/position/trading-stop": 10,
    "v5/user/query-api": 10,
    "v5/order/realtime": 50,
    "v5/order/history": 50,
    "v5/execution/list": 50,
    "v5/position/list": 50,
    "v5/position/closed-pnl": 50,
    "v5/account/wallet-balance": 50,
    "v5/account/info": 50,
    "v5/account/transaction-log": 30,
    "v5/asset/coin/query-info": 5,
}
"""Requests a second of one user, by path."""
_UNLISTED = 10
_ADDRESS_BAN = timedelta(minutes=10)
_EXECUTIONS = Place("/v5/execution/list", ("result", "list"))
_CLOSED = Place("/v5/position/closed-pnl", ("result", "list"))
_KINDS = {
    "Trade": FillKind.TRADE,
    "BlockTrade": FillKind.TRADE,
    "FutureSpread": FillKind.TRADE,
    "BustTrade": FillKind.LIQUIDATION,
    "AdlTrade": FillKind.ADL,
    "Settle": FillKind.SETTLEMENT,
    "Delivery": FillKind.DELIVERY,
    "MovePosition": FillKind.TRANSFER,
}
_FUNDING = "Funding"
"""An execution as the venue counts, which trades nothing."""
_TICKERS = Place("/v5/market/tickers", ("result", "list"))


def _by_user(path: str) -> Limit:
    most = float(_A_SECOND.get(path, _UNLISTED))
    unit = "orders" if path == "v5/order/create" else "requests"
    return Limit(path.removeprefix("v5/"), LimitScope.LOGIN, unit, 1.0, most)


class Bybit(Exchange):
    facts = Facts(
        exchange="bybit",
        positions=("/v5/position/list",),
        opened="openTime",
        places=(
            Place("/v5/position/list", ("result", "list")),
            Place("/v5/order/realtime", ("result", "list")),
            Place("/v5/order/history", ("result", "list")),
            _EXECUTIONS,
            _CLOSED,
            Place("/v5/market/tickers", ("result", "list")),
            Place("/v5/market/instruments-info", ("result", "list")),
        ),
        success=("retCode", frozenset({"0"})),
        options={"defaultType": "swap", "defaultSubType": "linear"},
        one_call_scope=False,
        page="cursor",
        page_size=200,
        order_page=50,
        filled_fields=("cumExecQty",),
        amount_fields=("qty",),
        falling=("triggerDirection", {"1": False, "2": True}),
        streams=True,
        # Positions and orders apart, since ccxt asks for each by itself.
        stream_topics=2,
        keeps_closed=True,
        closed_window=timedelta(days=7),
        by_symbol=True,
        names_flat=True,
        fill_window=timedelta(days=7),
        fill_history=timedelta(days=730),
        late_cancel=frozenset({"110001", "110008", "110010"}),
        newest_first=True,
        # Both kinds are cancelled alike, and ccxt would pass the parameter on.
        cancels_by_kind=False,
    )
    codes = codes_by_kind(
        nothing_to_reduce="110017 110034",
        margin="110007 110012 110004 110045 110006 110044 110051 110052 110053",
        wrong_routing="170131",
        rate_limit="10006 10018 170005 170222",
        no_such_order="110001 170213",
        duplicate_id="110072 110030",
        key="10003 10004 33004",
        rights="10005 10010",
        clock="10002",
        maintenance="10016 170001 170032 170146",
        size="10001 110094 110020 110016",
        price_band="110003 30208 30209 110126 110093",
        not_tradable="110074 10029 110023 110092 110063 110066 110070",
        network="10000 170007",
        other="110009 110021 110032 110040 110035",
    )
    # One code, 10001, stands for every bad parameter; these words tell it from a size.
    phrases_first = (
        ("position idx not match", VenueErrorKind.OTHER),
        ("not supported symbols", VenueErrorKind.NOT_TRADABLE),
    )

    limits = (_ADDRESS, *(_by_user(path) for path in ("v5/order/create", "v5/position/list")))

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """Page "Rate Limit": 600 requests in 5 s an address; a user's endpoints each by itself."""
        if not asked.private:
            return (Charge(_ADDRESS),)
        return (Charge(_ADDRESS), Charge(_by_user(asked.path)))

    def told_use(self, asked: Asked, headers: Mapping[str, str]) -> tuple[Told, ...]:
        """X-Bapi-Limit, and -Limit-Status: how many are left of it."""
        if not asked.private:
            return ()
        return left_of(_by_user(asked.path), headers, "x-bapi-limit-status", "x-bapi-limit")

    def bars_address(self, reply: Reply) -> bool:
        """403 is the address's; 10006 tells when one endpoint's second is over."""
        return reply.status == 403

    def ccxt_options(self, settings: AccountSettings) -> dict[str, Any]:
        inverse = any(settle not in STABLE for settle in settings.settles)
        return {
            **self.facts.options,
            "fetchMarkets": {"types": ["linear", "inverse"] if inverse else ["linear"]},
            # Only spot orders differ by account type: two calls before the first order saved.
            "enableUnifiedMargin": False,
            "enableUnifiedAccount": True,
        }

    async def identity(self, session: Session) -> Identity | NotTold:
        """GET /v5/user/query-api: `userID`; a sub-account has a `parentUid`."""
        body = await session.exchange.privateGetV5UserQueryApi()
        result = object_at(body, "result")
        parent = other_id(result.get("parentUid"))
        return Identity(
            id=told_id(result, "userID"),
            sub_account=None if "parentUid" not in result else bool(parent),
            main_id=parent,
            label=label_of(result.get("note")),
        )

    async def key_rights(self, session: Session) -> KeyRights:
        """GET /v5/user/query-api: readOnly 1 is a reading key; Wallet lists Withdraw."""
        body = await session.exchange.privateGetV5UserQueryApi()
        result = object_at(body, "result")
        permissions = object_at(result, "permissions")
        trades = [*list_at(permissions, "ContractTrade"), *list_at(permissions, "Derivatives")]
        return KeyRights(
            read=True,
            trade=str(result.get("readOnly")) == "0" and bool(trades),
            withdraw="Withdraw" in list_at(permissions, "Wallet"),
        )

    def meaning_of(self, code: str) -> VenueErrorKind | None:
        known = super().meaning_of(code)
        if known is None and re.fullmatch(r"170\d{3}", code):
            # All 170xxx are spot's: the order went to the wrong market.
            return VenueErrorKind.WRONG_ROUTING
        return known

    def meaning_of_status(self, status: int) -> VenueErrorKind | None:
        return VenueErrorKind.RATE_LIMIT if status == 403 else super().meaning_of_status(status)

    def listens_again(self, reply: Reply, now: datetime) -> datetime | None:
        """10006: the header says when its second is over. HTTP 403: ten minutes (documented)."""
        told = super().listens_again(reply, now)
        if told is None and reply.status == 403:
            return now + _ADDRESS_BAN
        return told or instant_or_none(reply.headers.get("x-bapi-limit-reset-timestamp"))

    def next_cursor(self, body: Any) -> str | None:
        result = body.get("result") if isinstance(body, Mapping) else None
        cursor = result.get("nextPageCursor") if isinstance(result, Mapping) else None
        return None if cursor is None else str(cursor)

    def contract_size(self, market: Mapping[str, Any]) -> Decimal | None:
        # An inverse contract is one dollar; ccxt takes the least order for its size.
        return Decimal(1) if market.get("inverse") else super().contract_size(market)

    def largest_market_order(self, market: Mapping[str, Any]) -> Decimal | None:
        info = market.get("info")
        lot = info.get("lotSizeFilter") if isinstance(info, Mapping) else None
        if isinstance(lot, Mapping):
            return positive_or_none(lot.get("maxMktOrderQty"))
        return super().largest_market_order(market)

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """GET /v5/market/tickers of a category: all kinds at once."""
        categories = {"linear" if settle in STABLE else "inverse" for settle in settles}
        fields = {"bid": "bid1Price", "ask": "ask1Price", "last": "lastPrice", "mark": "markPrice"}
        return [
            PriceList(
                "publicGetV5MarketTickers", _TICKERS, "symbol", fields, {"category": category}
            )
            for category in sorted(categories)
        ]

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        """`status`; an end that is announced stands in a perpetual's `deliveryTime`."""
        info = market["info"]
        told = str(info.get("status") or "Trading")
        perpetual = str(info.get("contractType", "")).endswith("Perpetual")
        ends = positive_or_none(info.get("deliveryTime")) is not None
        if told in ("Delivering", "Closed") or (perpetual and ends):
            return InstrumentStatus.DELISTING
        return InstrumentStatus.TRADING if told == "Trading" else InstrumentStatus.HALTED

    def read_row(self, row: Row) -> RowReading | None:
        size = decimal_or_none(row.get("size"))
        if size is None:
            return None
        index = str(row.get("positionIdx", "0"))
        if index in ("1", "2"):
            return RowReading(abs(size), Side.LONG if index == "1" else Side.SHORT, True)
        if size == ZERO:
            return RowReading(ZERO, None, False)
        side = {"buy": Side.LONG, "sell": Side.SHORT}.get(str(row.get("side", "")).lower())
        return None if side is None else RowReading(abs(size), side, False)

    def position_reads(self, settles: tuple[str, ...]) -> list[dict[str, Any]]:
        return [
            {"subType": "linear" if settle in STABLE else "inverse", "settleCoin": settle}
            for settle in settles
        ]

    async def rows_by_name(
        self, session: Session, instrument: Instrument
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """GET /v5/position/list with a symbol: a row comes even when flat."""
        read = await session.exchange.fetch_positions([instrument.symbol])
        return self.rows_taken(), list(read)

    def leg_params(self, order: OrderRequest) -> dict[str, Any]:
        if not order.hedged:
            return {}
        # ccxt's `hedged` would leave reduceOnly out of the order.
        return {"positionIdx": 1 if order.key.side is Side.LONG else 2}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        exchange, symbol = session.exchange, instrument.symbol
        params = {"orderId" if by_id else "orderLinkId": wanted}

        async def live() -> list[Order]:
            return list(await exchange.fetch_open_orders(symbol, None, None, params))

        async def history() -> list[Order]:
            return list(await exchange.fetch_canceled_and_closed_orders(symbol, None, None, params))

        async def recent() -> list[Order]:
            # An order may end between the two reads above and be in neither.
            recently = {**params, "openOnly": 1}
            return list(await exchange.fetch_open_orders(symbol, None, None, recently))

        return [Step(live), Step(history), Step(recent)]

    def open_order_reads(self) -> tuple[Mapping[str, Any], ...]:
        # Without an orderFilter all kinds are listed together.
        return ({},)

    def resting_order_reads(
        self, symbols: tuple[str, ...], settles: tuple[str, ...]
    ) -> list[tuple[str | None, Mapping[str, Any]]]:
        if len(symbols) == 1:
            return super().resting_order_reads(symbols, settles)
        return [(None, params) for params in self.position_reads(settles)]

    def trigger_order_reads(
        self,
        symbols: tuple[str, ...],
        settles: tuple[str, ...],
    ) -> list[tuple[str | None, Mapping[str, Any]]]:
        return [(None, {**params, "trigger": True}) for params in self.position_reads(settles)]

    def position_side(self, raw: Row) -> Side | None:
        index = str(raw.get("positionIdx", ""))
        if index in ("1", "2"):
            return Side.LONG if index == "1" else Side.SHORT
        return None

    def closes_all(self, raw: Row) -> bool:
        return str(raw.get("closeOnTrigger", "")).lower() == "true"

    def covers_all(self, raw: Row) -> bool:
        # closeOnTrigger makes room for a stop of a size; that of a position is written 0.
        return False

    def order_fee(self, raw: Row, settle: str) -> tuple[Decimal, str] | None:
        fee = decimal_or_none(raw.get("cumExecFee"))
        return None if fee is None else (fee, settle)

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /v5/execution/list. ccxt's own call asks for plain trades, and hides liquidations."""
        request: dict[str, Any] = {
            "category": instrument.kind.value,
            "symbol": instrument.venue_id,
            "startTime": ask.start_ms,
            "endTime": ask.end_ms,
            "limit": self.facts.fill_page,
        }
        if ask.at:
            request["cursor"] = ask.at
        body = await session.exchange.privateGetV5ExecutionList(request)
        market = session.exchange.market(instrument.symbol)
        trades: list[Trade] = [
            session.exchange.parse_trade(row, market)
            for row in rows_at(body, _EXECUTIONS)
            if row.get("execType") != _FUNDING
        ]
        return trades, self.next_cursor(body) or ""

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        return _KINDS.get(str(raw.get("execType")), FillKind.OTHER)

    def fill_closed(self, raw: Row) -> Decimal | None:
        return decimal_or_none(raw.get("closedSize"))

    def fill_pnl(self, raw: Row) -> Decimal | None:
        return decimal_or_none(raw.get("execPnl"))

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """GET /v5/position/closed-pnl: one record for each closing order, whose side it tells."""
        request: dict[str, Any] = {
            "category": instrument.kind.value,
            "symbol": instrument.venue_id,
            "startTime": ask.start_ms,
            "endTime": ask.end_ms,
            "limit": self.facts.fill_page,
        }
        if ask.at:
            request["cursor"] = ask.at
        body = await session.exchange.privateGetV5PositionClosedPnl(request)
        records = [
            ending(
                instrument,
                record_id=f"{row.get('orderId')} {row.get('createdTime')}",
                side={"Sell": Side.LONG, "Buy": Side.SHORT}.get(str(row.get("side"))),
                size=row.get("closedSize"),
                ended=row.get("updatedTime"),
                entry=row.get("avgEntryPrice"),
                price=row.get("avgExitPrice"),
                pnl=row.get("closedPnl"),
                order_id=row.get("orderId"),
                kind=_KINDS.get(str(row.get("execType")), FillKind.OTHER),
                whole=False,
            )
            for row in rows_at(body, _CLOSED)
        ]
        return records, self.next_cursor(body) or ""

    def prepare_stream(self, exchange: Any) -> None:
        # The documented type of req_id is a string; ccxt counts.
        ids = itertools.count(1)
        exchange.request_id = lambda: str(next(ids))

    def read_push(self, message: Mapping[str, Any]) -> list[LegPush | OrderPush] | None:
        """The topics `position` and `order`."""
        topic = str(message.get("topic", ""))
        if topic.startswith("position"):
            return [LegPush(row) for row in rows_of(message.get("data"))]
        if not topic.startswith("order"):
            return None
        return [
            OrderPush(
                symbol=row.get("symbol"),
                order_id=row.get("orderId"),
                client_id=row.get("orderLinkId"),
                status=row.get("orderStatus"),
                amount=row.get("qty"),
                filled=row.get("cumExecQty"),
                row=row,
                average=row.get("avgPrice"),
            )
            for row in rows_of(message.get("data"))
            # On a unified account the topic tells of spot and options as well, some of which bear
            # the name of a perpetual.
            if row.get("category") in (Kind.LINEAR.value, Kind.INVERSE.value)
        ]

    def confirms_subscription(self, message: Mapping[str, Any]) -> bool:
        return message.get("op") == "subscribe" and message.get("success") is True
