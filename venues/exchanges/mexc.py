"""MEXC contracts. Source: the venue's documentation of its contract API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
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
    ProtectionKind,
    ProtectiveOrder,
)
from venues.exchanges.base import Exchange
from venues.exchanges.reading import codes_by_kind, ending, parsed, told_id
from venues.exchanges.values import (
    Ask,
    Asked,
    Charge,
    Facts,
    Limit,
    Order,
    PriceList,
    Row,
    RowReading,
    Session,
    Trade,
)
from venues.numbers import decimal_or_none, positive_or_none
from venues.strict import Place, rows_at

_SPOT = Limit("spot weight", LimitScope.ADDRESS, "weight", 10.0, 300.0)
_IN_TWO_SECONDS = {
    "order/create": 4,
    "order/submit": 4,
    "planorder/place": 4,
    "position/reverse": 4,
    "position/close_all": 4,
    "stoporder/place": 5,
}
_USUAL = 20
_POSITIONS = Place("/position/open_positions", ("data",))
_DEALS = Place("/order/list/order_deals", ("data",))
# 1 open long, 2 close short, 3 open short, 4 close long; ccxt reads 2 as spot's sell.
_SIDES = {"1": OrderSide.BUY, "2": OrderSide.BUY, "3": OrderSide.SELL, "4": OrderSide.SELL}
_LEGS = {"1": Side.LONG, "2": Side.SHORT, "3": Side.SHORT, "4": Side.LONG}
_CLOSED = Place("/position/list/history_positions", ("data",))
_CLOSED_STATE = "3"
_CLOSING = ("2", "4")
_CATEGORIES = {
    "2": FillKind.LIQUIDATION,
    "3": FillKind.LIQUIDATION,
    "4": FillKind.ADL,
    "5": FillKind.DELIVERY,
    "6": FillKind.LIQUIDATION,
}
_IMMEDIATE = 3


class Mexc(Exchange):
    facts = Facts(
        exchange="mexc",
        positions=("/position/open_positions",),
        opened="createTime",
        by_symbol=True,
        places=(
            _POSITIONS,
            Place("/contract/detail", ("data",)),
            Place("/order/list/open_orders", ("data",)),
            _DEALS,
            _CLOSED,
            Place("/planorder/list/orders", ("data",)),
            Place("/stoporder/open_orders", ("data",)),
        ),
        success=("success", frozenset({"True", "true"})),
        options={
            "defaultType": "swap",
            "fetchMarkets": {"types": {"spot": False, "swap": {"linear": True}}},
        },
        filled_fields=("dealVol",),
        amount_fields=("vol",),
        conditional_fields=("executeCycle",),
        trigger_page=100,
        falling=("triggerType", {"1": False, "2": True}),
        stops=False,
        fill_window=timedelta(days=7),
        keeps_closed=True,
        late_cancel=frozenset({"2040", "2041"}),
    )
    codes = codes_by_kind(
        nothing_to_reduce="2009",
        margin="2005 2018",
        rate_limit="510",
        no_such_order="2040",
        key="401 402 602",
        rights="406 511 701 702 703 704",
        clock="513",
        maintenance="500 501 503 520",
        size="2011 2013 2014 2015",
        price_band="2007 2008 2003 2004",
        not_tradable="1001 1002",
        other="1003 2001 2002 2022",
    )

    limits = (Limit("order/create", LimitScope.ADDRESS, "orders", 2.0, 4.0),)

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """Each endpoint's own page: "Rate limit: 20 times / 2 seconds" mostly.

        Whether an address or a user is meant is not said: the address, then nothing is too much.
        """
        if asked.api[0] == "spot":
            return (Charge(_SPOT, 10.0),)
        if asked.path == "detail":
            return (Charge(Limit("detail", LimitScope.ADDRESS, "requests", 5.0, 1.0)),)
        most = float(_IN_TWO_SECONDS.get(asked.path, _USUAL))
        unit = "orders" if asked.path == "order/create" else "requests"
        return (Charge(Limit(asked.path, LimitScope.ADDRESS, unit, 2.0, most)),)

    async def touch(self, session: Session) -> None:
        """GET /api/v1/contract/ping."""
        await session.exchange.contractPublicGetPing()

    async def identity(self, session: Session) -> Identity | NotTold:
        """GET /api/v3/uid of the spot host, with the same key: `uid`."""
        body = await session.exchange.spotPrivateGetUid()
        return Identity(id=told_id(body if isinstance(body, Mapping) else {}, "uid"))

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """GET /api/v1/contract/ticker: all kinds at once."""
        fields = {"bid": "bid1", "ask": "ask1", "last": "lastPrice", "mark": "fairPrice"}
        place = Place("/contract/ticker", ("data",))
        return [PriceList("contractPublicGetTicker", place, "symbol", fields)]

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        """`state`: 0 enabled, 1 delivery, 2 delivered, 3 offline, 4 paused."""
        told = str(market["info"].get("state", 0))
        if told in ("1", "2", "3"):
            return InstrumentStatus.DELISTING
        return InstrumentStatus.TRADING if told == "0" else InstrumentStatus.HALTED

    def read_row(self, row: Row) -> RowReading | None:
        size = decimal_or_none(row.get("holdVol"))
        side = {"1": Side.LONG, "2": Side.SHORT}.get(str(row.get("positionType")))
        if size is None or (side is None and size != ZERO):
            return None
        return RowReading(abs(size), side, str(row.get("positionMode")) == "1")

    async def rows_by_name(
        self, session: Session, instrument: Instrument
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """GET /api/v1/private/position/open_positions with a symbol: only what is held."""
        body = await session.exchange.contractPrivateGetPositionOpenPositions(
            {"symbol": instrument.venue_id}
        )
        return parsed(session, instrument, rows_at(body, _POSITIONS))

    def order_kind(self, order: OrderRequest) -> str | int:
        return _IMMEDIATE if order.type is OrderType.LIMIT_AGGRESSIVE else super().order_kind(order)

    def immediate_params(self) -> dict[str, Any]:
        # It is an order type of its own.
        return {}

    def leg_params(self, order: OrderRequest) -> dict[str, Any]:
        # 4 closes a long, 2 a short; in hedge mode ccxt has them the other way round.
        side = 4 if order.key.side is Side.LONG else 2
        return {"side": side, **({"hedged": True} if order.hedged else {})}

    def margin_params(self, margin: Mapping[str, str]) -> dict[str, str]:
        return {name: margin[name] for name in ("marginMode", "leverage") if name in margin}

    async def one_order(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Order]:
        if by_id:
            return await super().one_order(session, instrument, wanted, by_id=True)
        # The look-up by our id is a path of its own, which ccxt's fetch_order does not take.
        exchange = session.exchange
        body = await exchange.contractPrivateGetOrderExternalSymbolExternalOid(
            {"symbol": instrument.venue_id, "external_oid": wanted}
        )
        order = exchange.parse_order(body["data"], exchange.market(instrument.symbol))
        return [{**order, "clientOrderId": body["data"].get("externalOid")}]

    async def attached_stops(
        self, session: Session, symbols: tuple[str, ...]
    ) -> tuple[list[ProtectiveOrder], list[str]]:
        """GET stoporder/open_orders: stops of positions, which ccxt does not read.

        `state` 1 is untriggered, `positionType` 1 long and 2 short; `vol` is in contracts.
        """
        found: list[ProtectiveOrder] = []
        unclear: list[str] = []
        for symbol in symbols:
            instrument = session.instruments.get(symbol)
            if instrument is None:
                unclear.append(f"{symbol} is not listed")
                continue
            body = await session.exchange.contractPrivateGetStoporderOpenOrders(
                {"symbol": instrument.venue_id}
            )
            for row in body["data"]:
                if str(row.get("state")) != "1":
                    continue
                stops = _attached(instrument, row)
                if stops is None:
                    unclear.append(f"a stop of a position in {symbol} lacks its side or size")
                else:
                    found += stops
        return found, unclear

    def order_side(self, told: Any, raw: Row) -> OrderSide | None:
        return _SIDES.get(str(raw.get("side")))

    def position_side(self, raw: Row) -> Side | None:
        return _LEGS.get(str(raw.get("side")))

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /api/v1/private/order/list/order_deals, by page number.

        ccxt takes a row without a position mode, as the venue documents it, for one of spot: it
        finds no time in it then, and drops it for being too old.
        """
        page = int(ask.at or 1)
        body = await session.exchange.contractPrivateGetOrderListOrderDeals(
            {
                "symbol": instrument.venue_id,
                "start_time": ask.start_ms,
                "end_time": ask.end_ms,
                "page_num": page,
                "page_size": self.facts.fill_page,
            }
        )
        rows = rows_at(body, _DEALS)
        trades: list[Trade] = []
        for row in rows:
            trades.append(
                {
                    "id": row.get("id"),
                    "side": row.get("side"),
                    "order": row.get("orderId"),
                    "amount": row.get("vol"),
                    "price": row.get("price"),
                    "timestamp": row.get("timestamp"),
                    "fee": {"cost": row.get("fee"), "currency": row.get("feeCurrency")},
                    "info": row,
                }
            )
        return trades, str(page + 1) if len(rows) >= self.facts.fill_page else ""

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """GET /api/v1/private/position/list/history_positions, by page number and of all times."""
        page = int(ask.at or 1)
        body = await session.exchange.contractPrivateGetPositionListHistoryPositions(
            {
                "symbol": instrument.venue_id,
                "page_num": page,
                "page_size": self.facts.fill_page,
            }
        )
        rows = rows_at(body, _CLOSED)
        records = [
            ending(
                instrument,
                record_id=row.get("positionId"),
                side={"1": Side.LONG, "2": Side.SHORT}.get(str(row.get("positionType"))),
                size=row.get("closeVol"),
                ended=row.get("updateTime"),
                entry=row.get("openAvgPrice"),
                price=row.get("closeAvgPrice"),
                pnl=row.get("realised"),
                opened=row.get("createTime"),
            )
            for row in rows
            if str(row.get("state")) == _CLOSED_STATE
        ]
        return records, str(page + 1) if len(rows) >= self.facts.fill_page else ""

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        """`category`: 1 limit order, 2 and 3 taken over or closed by the system's custody."""
        return _CATEGORIES.get(str(raw.get("category")), FillKind.TRADE)

    def fill_closed(self, raw: Row) -> Decimal | None:
        closes = str(raw.get("side")) in _CLOSING
        return positive_or_none(raw.get("vol")) if closes else None

    def fill_pnl(self, raw: Row) -> Decimal | None:
        return decimal_or_none(raw.get("profit")) if str(raw.get("side")) in _CLOSING else None


def _attached(instrument: Instrument, row: Row) -> list[ProtectiveOrder] | None:
    leg = {"1": Side.LONG, "2": Side.SHORT}.get(str(row.get("positionType")))
    volume = positive_or_none(row.get("vol"))
    if leg is None or volume is None or row.get("symbol") != instrument.venue_id:
        return None
    prices = (("stopLossPrice", True), ("takeProfitPrice", False))
    return [
        ProtectiveOrder(
            kind=ProtectionKind.ATTACHED,
            symbol=instrument.symbol,
            side=leg.closing,
            trigger_price=price,
            quantity=volume * instrument.contract_size,
            position_side=leg,
            order_id=str(row.get("id") or ""),
            is_stop=is_stop,
        )
        for name, is_stop in prices
        if (price := positive_or_none(row.get(name))) is not None
    ]
