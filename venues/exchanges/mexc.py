"""MEXC contracts. Source: the venue's documentation of its contract API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from messages.values import ZERO, OrderSide, Side
from messages.venue import Instrument, OrderRequest, OrderType, ProtectionKind, ProtectiveOrder
from venues.exchanges.base import (
    Exchange,
    Facts,
    FillAsk,
    FillPage,
    Order,
    Row,
    RowReading,
    Session,
    Trade,
    codes_by_kind,
)
from venues.numbers import decimal_or_none, milliseconds, positive_or_none
from venues.strict import MalformedReplyError, Place, rows_at

_DEALS = Place("/order/list/order_deals", ("data",))
# 1 open long, 2 close short, 3 open short, 4 close long; ccxt reads 2 as spot's sell.
_SIDES = {"1": OrderSide.BUY, "2": OrderSide.BUY, "3": OrderSide.SELL, "4": OrderSide.SELL}
_LEGS = {"1": Side.LONG, "2": Side.SHORT, "3": Side.SHORT, "4": Side.LONG}
_IMMEDIATE = 3


class Mexc(Exchange):
    facts = Facts(
        exchange="mexc",
        positions=("/position/open_positions",),
        opened="createTime",
        places=(
            Place("/position/open_positions", ("data",)),
            Place("/contract/detail", ("data",)),
            Place("/order/list/open_orders", ("data",)),
            _DEALS,
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

    def read_row(self, row: Row) -> RowReading | None:
        size = decimal_or_none(row.get("holdVol"))
        side = {"1": Side.LONG, "2": Side.SHORT}.get(str(row.get("positionType")))
        if size is None or (side is None and size != ZERO):
            return None
        return RowReading(abs(size), side, str(row.get("positionMode")) == "1")

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

    async def fill_page(self, session: Session, instrument: Instrument, ask: FillAsk) -> FillPage:
        """GET /api/v1/private/order/list/order_deals, by page number.

        ccxt takes a row without a position mode, as the venue documents it, for one of spot: it
        finds no time in it then, and drops it for being too old.
        """
        page = int(ask.at or 1)
        body = await session.exchange.contractPrivateGetOrderListOrderDeals(
            {
                "symbol": instrument.venue_id,
                "start_time": milliseconds(ask.start),
                "end_time": milliseconds(ask.end),
                "page_num": page,
                "page_size": self.facts.fill_page,
            }
        )
        rows = rows_at(body, _DEALS)
        trades: list[Trade] = []
        for row in rows:
            if row.get("symbol") != instrument.venue_id:
                raise MalformedReplyError(f"asked for {instrument.venue_id}, got others")
            trades.append(
                {
                    "id": row.get("id"),
                    "order": row.get("orderId"),
                    "amount": row.get("vol"),
                    "price": row.get("price"),
                    "timestamp": row.get("timestamp"),
                    "fee": {"cost": row.get("fee"), "currency": row.get("feeCurrency")},
                    "info": row,
                }
            )
        return FillPage(trades, str(page + 1) if len(rows) >= self.facts.fill_page else "")


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
