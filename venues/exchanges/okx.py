"""OKX: swaps and dated futures. Source: the venue's documentation of its v5 API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from messages.budget import LimitScope
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
)
from venues.exchanges.base import Exchange
from venues.exchanges.reading import (
    codes_by_kind,
    ending,
    label_of,
    list_at,
    named_side,
    other_id,
    parsed,
    raw_of,
    rows_of,
    signed_row,
    together,
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
    Trade,
)
from venues.numbers import decimal_or_none, milliseconds, positive_or_none
from venues.strict import MalformedReplyError, Place, WrongAccountError, rows_at

_ACCOUNT_ORDERS = Limit("orders", LimitScope.LOGIN, "orders", 2.0, 1000.0)
"""New and amended orders of one account, over all instruments (refused as 50061)."""
_IN_TWO_SECONDS = {
    "trade/order": 60,
    "trade/cancel-order": 60,
    "trade/batch-orders": 300,
    "trade/cancel-batch-orders": 300,
    "trade/order-algo": 20,
    "trade/cancel-algos": 20,
    "trade/orders-pending": 60,
    "trade/orders-algo-pending": 20,
    "trade/orders-algo-history": 20,
    "trade/orders-history": 40,
    "trade/orders-history-archive": 20,
    "trade/fills": 60,
    "trade/fills-history": 10,
    "account/positions": 10,
    "account/positions-history": 10,
    "account/config": 5,
    "public/instruments": 20,
    "public/mark-price": 10,
    "public/time": 10,
    "public/funding-rate": 10,
    "market/ticker": 20,
    "market/tickers": 20,
    "market/books": 40,
}
"""Requests (orders, where they come in batches) of one user; public ones of one address."""
_UNLISTED = 5
_BY_INSTRUMENT = (
    "trade/order",
    "trade/batch-orders",
    "trade/order-algo",
    "trade/cancel-order",
    "trade/cancel-batch-orders",
)
"""What is sent of these counts by user and instrument."""
_KINDS = (
    (range(1, 7), FillKind.TRADE),
    (range(100, 112), FillKind.LIQUIDATION),
    (range(112, 114), FillKind.DELIVERY),
    (range(125, 129), FillKind.ADL),
    (range(204, 210), FillKind.TRADE),
    (range(324, 330), FillKind.TRANSFER),
)
"""`subType` of a fill."""
_FILLS = Place("/api/v5/trade/fills-history", ("data",))

_POSITIONS = Place("/api/v5/account/positions", ("data",))
_CLOSED = Place("/api/v5/account/positions-history", ("data",))
_CLOSED_PAGE = 100
# 1 closed in part, 2 closed, 3 liquidated, 4 liquidated in part, 5 ADL in part, 6 ADL.
_ENDS = {
    "3": FillKind.LIQUIDATION,
    "4": FillKind.LIQUIDATION,
    "5": FillKind.ADL,
    "6": FillKind.ADL,
}
_IN_PART = ("1", "4", "5")
_EFFECTIVE = ("effective", "partially_effective")


def _unfit(config: Row) -> str:
    """Why an account of this kind cannot be guarded; "" where it can.

    The page "Place order": reduceOnly holds in Futures mode and with multi-currency margin, and in
    net mode only. In long/short mode `posSide` keeps a close from opening anything.
    """
    level = str(config.get("acctLv"))
    if level == "1":
        return "the account is in Spot mode, which holds no swaps and no futures"
    if level == "4" and config.get("posMode") == "net_mode":
        return (
            "with portfolio margin OKX heeds no reduce-only order in net mode, so that a close "
            "could open a position; switch the account to long/short mode"
        )
    return ""


def _is_algo(raw: Row) -> bool:
    return "actualSz" in raw


_STREAMED = ("positions", "orders")


_TICKERS = Place("/api/v5/market/tickers", ("data",))
_MARKS = Place("/api/v5/public/mark-price", ("data",))


class Okx(Exchange):
    facts = Facts(
        exchange="okx",
        positions=("/api/v5/account/positions",),
        opened="cTime",
        by_symbol=True,
        places=(
            _POSITIONS,
            Place("/api/v5/trade/orders-pending", ("data",)),
            Place("/api/v5/trade/orders-algo-pending", ("data",)),
            Place("/api/v5/trade/orders-history", ("data",)),
            Place("/api/v5/trade/order", ("data",)),
            Place("/api/v5/trade/fills", ("data",)),
            _FILLS,
            _CLOSED,
            Place("/api/v5/public/instruments", ("data",)),
        ),
        success=("code", frozenset({"0"})),
        options={"defaultType": "swap", "fetchMarkets": {"types": ["swap", "future"]}},
        filled_fields=("accFillSz", "actualSz"),
        amount_fields=("sz", "closeFraction"),
        conditional_fields=("actualSz",),
        triggers=tuple(
            {"trigger": True, "ordType": kind}
            for kind in ("conditional", "oco", "trigger", "move_order_stop")
        ),
        trigger_page=100,
        fill_history=timedelta(days=90),
        late_cancel=frozenset({"51400", "51401", "51402", "51410", "51412", "51603"}),
        newest_first=True,
        keeps_closed=True,
        streams=True,
        stream_topics=2,
    )
    codes = codes_by_kind(
        nothing_to_reduce="51169 51023 51112",
        reduce_only_reserved="51115 51117 51134",
        margin="51008 51131 51119 51127",
        rate_limit="50011 50061",
        no_such_order="51603 51400",
        duplicate_id="51016 51065 50071",
        key="50111 50113 50105 50119",
        rights="50110 50120 50114",
        clock="50102",
        maintenance="50001 50013 50026",
        size="51020 51121 51005 51007 51100 51101 51105 51108 51118 51120 51185 51201 51202 51203 "
        "51252 51275",
        price_band="51006 51137 51138 51046 51047 51031 51109 51116 51122 51135 51136 51250 51277 "
        "51278 51279 51280",
        not_tradable="51001 51027 51028 51087 51021 51022 51029 51030 51015",
        network="50004 51149 51054",
        other="51000 51004 51010 51025 51102 51103 51174 50014 50015 50016",
    )

    limits = (_ACCOUNT_ORDERS, Limit("account/positions", LimitScope.LOGIN, "requests", 2.0, 10.0))

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """Each endpoint's own page, "Rate Limit" and "Rate limit rule". No header tells of them."""
        scope = LimitScope.LOGIN if asked.private else LimitScope.ADDRESS
        name = f"{asked.method} {asked.path}" if asked.path == "trade/order" else asked.path
        if asked.method == "POST" and asked.path in _BY_INSTRUMENT:
            name = f"{name} {asked.param('instId') or ''}".rstrip()
        most = float(_IN_TWO_SECONDS.get(asked.path, _UNLISTED))
        amount = float(len(asked.params)) if isinstance(asked.params, list) else 1.0
        own = Charge(Limit(name, scope, "requests", 2.0, most), amount)
        if asked.method == "POST" and asked.path in ("trade/order", "trade/batch-orders"):
            return (Charge(_ACCOUNT_ORDERS, amount), own)
        return (own,)

    async def identity(self, session: Session) -> Identity | NotTold:
        """GET /api/v5/account/config: `uid`, and `mainUid` of the main account.

        Where an account of its kind cannot be guarded, that is said instead.
        """
        body = await session.exchange.privateGetAccountConfig()
        rows = rows_of(list_at(body, "data"))
        if not rows:
            raise MalformedReplyError("whose login this is, uid, is not told")
        if unfit := _unfit(rows[0]):
            raise WrongAccountError(unfit)
        own, main = told_id(rows[0], "uid"), other_id(rows[0].get("mainUid"))
        return Identity(
            id=own,
            sub_account=main != own if main else None,
            main_id=main if main != own else "",
            label=label_of(rows[0].get("label")),
        )

    async def key_rights(self, session: Session) -> KeyRights:
        """GET /api/v5/account/config: perm is "read_only,trade,withdraw"."""
        body = await session.exchange.privateGetAccountConfig()
        rows = list_at(body, "data")
        if not rows or "perm" not in rows[0]:
            raise MalformedReplyError("the key's permissions are not told")
        granted = str(rows[0]["perm"]).split(",")
        return KeyRights(read=True, trade="trade" in granted, withdraw="withdraw" in granted)

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """GET /api/v5/market/tickers and public/mark-price of all swaps; dated ones go by name."""
        swaps = {"instType": "SWAP"}
        fields = {"bid": "bidPx", "ask": "askPx", "last": "last"}
        found = [PriceList("publicGetMarketTickers", _TICKERS, "instId", fields, swaps)]
        if PriceKind.MARK in kinds:
            marks = {"mark": "markPx"}
            found.append(PriceList("publicGetPublicMarkPrice", _MARKS, "instId", marks, swaps))
        return found if kinds != {PriceKind.MARK} else found[1:]

    def largest_market_order(self, market: Mapping[str, Any]) -> Decimal | None:
        """`maxMktSz`, which ccxt leaves out of a market's limits."""
        return positive_or_none(market["info"].get("maxMktSz"))

    async def prices(self, session: Session, symbol: str) -> dict[str, Any]:
        """GET market/ticker, and public/mark-price, which must be told the kind of contract.

        ccxt asks for a mark price without it.
        """
        exchange = session.exchange
        info = exchange.market(symbol)["info"]
        ticker = await exchange.fetch_ticker(symbol)
        found = {name: ticker.get(name) for name in ("last", "bid", "ask")}
        if not found["bid"] or not found["ask"]:
            book = await exchange.fetch_order_book(symbol, 20)
            found["bid"], found["ask"] = book["bids"][0][0], book["asks"][0][0]
        asked = {"instType": info["instType"], "instId": info["instId"]}
        marks = rows_at(await exchange.publicGetPublicMarkPrice(asked), _MARKS)
        if not marks:
            raise MalformedReplyError(f"the venue tells no mark price of {symbol}")
        found["mark"] = marks[0].get("markPx")
        return found

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        """`state`; an end that is announced stands in a swap's `expTime`."""
        info = market["info"]
        told = str(info.get("state") or "live")
        ends = info.get("instType") == "SWAP" and positive_or_none(info.get("expTime")) is not None
        if told == "expired" or ends:
            return InstrumentStatus.DELISTING
        return InstrumentStatus.TRADING if told == "live" else InstrumentStatus.HALTED

    def read_row(self, row: Row) -> RowReading | None:
        return signed_row(row, "pos", "posSide", ("net",))

    async def rows_by_name(
        self, session: Session, instrument: Instrument
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """GET /api/v5/account/positions with a symbol.

        A row of size 0 comes for 30 days after the leg was closed, and none after that.
        """
        body = await session.exchange.privateGetAccountPositions({"instId": instrument.venue_id})
        return parsed(session, instrument, rows_at(body, _POSITIONS))

    def attached_closes(self, row: Row) -> list[Row] | None:
        """What is attached stands in `closeOrderAlgo`, which ccxt leaves out."""
        algos = row.get("closeOrderAlgo")
        return rows_of(algos) if isinstance(algos, list) else None

    def order_params(self, order: OrderRequest, margin: Mapping[str, str]) -> dict[str, Any]:
        params = super().order_params(order, margin)
        if order.type is OrderType.STOP_MARKET:
            # Algo orders have an id field of their own, which ccxt does not fill.
            params["algoClOrdId"] = order.client_order_id
        return params

    def margin_params(self, margin: Mapping[str, str]) -> dict[str, str]:
        return {name: margin[name] for name in ("marginMode",) if name in margin}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        exchange, symbol = session.exchange, instrument.symbol

        async def one() -> list[Order]:
            return await self.one_order(session, instrument, wanted, by_id=by_id)

        async def algo() -> list[Order]:
            params = {"trigger": True} if by_id else {"trigger": True, "clientOrderId": wanted}
            return [await exchange.fetch_order(wanted, symbol, params)]

        return [Step(one, trigger=False), Step(algo, trigger=True)]

    async def became(self, session: Session, instrument: Instrument, order: Order) -> Order:
        """An effective algo order lives on as orders of its own: those have the fills.

        Its own `actualSz` is the size that was sent, and no fill.
        """
        raw = raw_of(order)
        if not _is_algo(raw) or raw.get("state") not in _EFFECTIVE:
            return order
        listed = raw.get("ordIdList") or [raw.get("ordId")]
        ids = [str(each) for each in listed if each]
        if not ids:
            raise MalformedReplyError("an algo order has fired and does not say as which order")
        fired = [
            self.corrected(await session.exchange.fetch_order(each, instrument.symbol))
            for each in dict.fromkeys(ids)
        ]
        names = {
            "clientOrderId": order.get("clientOrderId"),
            "triggerPrice": order.get("triggerPrice"),
        }
        return {**together(fired), **names}

    def corrected(self, order: Order) -> Order:
        """ccxt takes the id of the algo order that a plain order came of for its own."""
        raw = raw_of(order)
        if not _is_algo(raw):
            own = raw.get("clOrdId") or raw.get("algoClOrdId")
            return {**order, "id": raw.get("ordId") or order.get("id"), "clientOrderId": own}
        own = raw.get("algoClOrdId") or raw.get("clOrdId")
        unfilled = {} if raw.get("state") in _EFFECTIVE else {"filled": "0"}
        return {**order, "id": raw.get("algoId"), "clientOrderId": own, **unfilled}

    def tells_fill(self, raw: Row) -> bool:
        # What has not fired has no fill; whoever reads an effective one follows its orders.
        return _is_algo(raw) or super().tells_fill(raw)

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """GET /api/v5/account/positions-history, the last changed first, older ones by `after`."""
        request: dict[str, Any] = {
            "instType": "FUTURES" if instrument.expires_at else "SWAP",
            "instId": instrument.venue_id,
            "limit": _CLOSED_PAGE,
        }
        if ask.at:
            request["after"] = ask.at
        body = await session.exchange.privateGetAccountPositionsHistory(request)
        rows = rows_at(body, _CLOSED)
        records = [
            ending(
                instrument,
                record_id=f"{row.get('posId')} {row.get('uTime')}",
                side=named_side(row.get("direction")),
                size=row.get("closeTotalPos"),
                ended=row.get("uTime"),
                entry=row.get("openAvgPx"),
                price=row.get("closeAvgPx"),
                pnl=row.get("realizedPnl"),
                opened=row.get("cTime"),
                kind=_ENDS.get(str(row.get("type")), FillKind.TRADE),
                whole=str(row.get("type")) not in _IN_PART,
            )
            for row in rows
        ]
        oldest = min((record.ended_at for record in records), default=ask.start)
        if len(rows) < _CLOSED_PAGE or oldest < ask.start:
            return records, ""
        # That time itself is left out of the older page, and may be that of several records.
        return records, str(milliseconds(oldest) + 1)

    def closes_all(self, raw: Row) -> bool:
        return decimal_or_none(raw.get("closeFraction")) == Decimal(1)

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        written = str(raw.get("subType") or "")
        if not written.isdecimal():
            return FillKind.OTHER if written else FillKind.TRADE
        number = int(written)
        return next((kind for numbers, kind in _KINDS if number in numbers), FillKind.OTHER)

    def fill_pnl(self, raw: Row) -> Decimal | None:
        return decimal_or_none(raw.get("fillPnl"))

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /api/v5/trade/fills-history, the newest first, older ones by `after`."""
        request: dict[str, Any] = {
            "instType": "FUTURES" if instrument.expires_at else "SWAP",
            "instId": instrument.venue_id,
            "begin": ask.start_ms,
            "limit": self.facts.fill_page,
        }
        if ask.at:
            request["after"] = ask.at
        body = await session.exchange.privateGetTradeFillsHistory(request)
        rows = rows_at(body, _FILLS)
        market = session.exchange.market(instrument.symbol)
        trades = [session.exchange.parse_trade(row, market) for row in rows]
        if len(rows) < self.facts.fill_page:
            return trades, ""
        oldest = str(rows[-1].get("billId") or "")
        if not oldest:
            raise MalformedReplyError("a full page of fills does not say where it ends")
        return trades, oldest

    def order_fee(self, raw: Row, settle: str) -> tuple[Decimal, str] | None:
        """`fee` is negative where it costs; an order of the stream is not read by ccxt."""
        fee = decimal_or_none(raw.get("fee"))
        return None if fee is None else (-fee, str(raw.get("feeCcy") or settle))

    def read_push(self, message: Mapping[str, Any]) -> list[LegPush | OrderPush] | None:
        """The channels `positions` and `orders`; an order that came of an algo bears its id."""
        arg = message.get("arg")
        channel = arg.get("channel") if isinstance(arg, Mapping) else None
        if "event" in message or channel not in _STREAMED:
            return None
        rows = rows_of(message.get("data"))
        if channel == "positions":
            named = (
                {"symbol": row.get("instId"), "positionSide": row.get("posSide")} for row in rows
            )
            return [LegPush({**row, **names}) for row, names in zip(rows, named, strict=True)]
        return [
            OrderPush(
                symbol=row.get("instId"),
                order_id=row.get("ordId"),
                client_id=row.get("clOrdId") or row.get("algoClOrdId"),
                status=row.get("state"),
                amount=row.get("sz"),
                filled=row.get("accFillSz"),
                row=row,
                average=row.get("avgPx"),
            )
            for row in rows
        ]

    def confirms_subscription(self, message: Mapping[str, Any]) -> bool:
        arg = message.get("arg")
        channel = arg.get("channel") if isinstance(arg, Mapping) else None
        return message.get("event") == "subscribe" and channel in _STREAMED

    def ends_stream(self, message: Mapping[str, Any]) -> str:
        """Too many sockets of one channel: the venue ends the subscription, not the socket."""
        if message.get("event") != "channel-conn-count-error":
            return ""
        return f"the venue ended {message.get('channel')}: too many sockets follow it"
