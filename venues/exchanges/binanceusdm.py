"""Binance USD-M futures. Source: the venue's documentation of its USD-M API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from messages.budget import LimitScope
from messages.venue import (
    FillKind,
    Identity,
    Instrument,
    InstrumentStatus,
    KeyRights,
    NotTold,
    PriceKind,
)
from venues.exchanges.base import Exchange
from venues.exchanges.reading import codes_by_kind, rows_of, signed_row, told_id, window_left
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
from venues.numbers import decimal_or_none, instant_or_none, positive_or_none
from venues.strict import MalformedReplyError, Place, Reply, rows_at

_BANNED_UNTIL = re.compile(r"banned until (\d{13})", re.IGNORECASE)
_ENDING = ("PRE_SETTLE", "SETTLING", "PRE_DELIVERING", "DELIVERING", "DELIVERED", "CLOSE")
_NEVER = 4_000_000_000_000
"""Unix milliseconds; a perpetual without an end has the year 2100."""
_BALANCE = Place("/fapi/v3/balance", ())
_WEIGHT = Limit("weight", LimitScope.ADDRESS, "weight", 60.0, 2400.0)
_OTHER_HOST = Limit("wallet weight", LimitScope.ADDRESS, "weight", 60.0, 12000.0)
"""The rights of a key are asked of another host, which counts by itself."""
_ORDERS = (
    Limit("orders 10s", LimitScope.LOGIN, "orders", 10.0, 300.0),
    Limit("orders 1m", LimitScope.LOGIN, "orders", 60.0, 1200.0),
)
_WEIGHTS = {
    "positionRisk": (5, 5),
    "balance": (5, 5),
    "account": (5, 5),
    "userTrades": (5, 5),
    "allOrders": (5, 5),
    "allAlgoOrders": (5, 5),
    "openOrders": (1, 40),
    "openAlgoOrders": (1, 40),
    "premiumIndex": (1, 10),
    "ticker/24hr": (1, 40),
    "ticker/price": (1, 2),
    "ticker/bookTicker": (2, 5),
    "depth": (2, 2),
    "positionSide/dual": (30, 30),
    "multiAssetsMargin": (30, 30),
    "income": (30, 30),
    "commissionRate": (20, 20),
    "accountConfig": (5, 5),
    "symbolConfig": (5, 5),
}
"""What a GET weighs for one symbol and for all, where it is not 1."""
_CHEAPER_ONE_BY_ONE = 40
"""Symbols up to which orders are asked for one by one: one for all symbols weighs 40."""
_LISTS = {
    PriceKind.BOOK: PriceList(
        "fapiPublicGetTickerBookTicker",
        Place("/fapi/v1/ticker/bookTicker", ()),
        "symbol",
        {"bid": "bidPrice", "ask": "askPrice"},
    ),
    PriceKind.LAST: PriceList(
        "fapiPublicGetTickerPrice",
        Place("/fapi/v1/ticker/price", ()),
        "symbol",
        {"last": "price"},
    ),
    PriceKind.MARK: PriceList(
        "fapiPublicGetPremiumIndex",
        Place("/fapi/v1/premiumIndex", ()),
        "symbol",
        {"mark": "markPrice"},
    ),
}


class BinanceUsdm(Exchange):
    facts = Facts(
        exchange="binanceusdm",
        positions=("/fapi/v3/positionRisk", "/fapi/v2/positionRisk"),
        places=(
            Place("/fapi/v3/positionRisk", ()),
            Place("/fapi/v2/positionRisk", ()),
            Place("/fapi/v1/openOrders", ()),
            Place("/fapi/v1/openAlgoOrders", ()),
            Place("/fapi/v1/allOrders", ()),
            Place("/fapi/v1/userTrades", ()),
            Place("/fapi/v1/exchangeInfo", ("symbols",)),
            _BALANCE,
        ),
        options={
            # The brackets only feed a maintenance margin that nobody here reads; without the
            # preset one more call can fail and take the positions with it.
            "leverageBrackets": {},
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        },
        filled_fields=("executedQty", "actualQty"),
        amount_fields=("origQty", "quantity"),
        streams=True,
        by_symbol=True,
        names_flat=True,
        fill_window=timedelta(days=7),
        fill_page=1000,
        fill_history=timedelta(days=90),
        nameless_fills=True,
    )
    codes = codes_by_kind(
        nothing_to_reduce="-2022 -2024",
        reduce_only_reserved="-4118",
        margin="-2019 -2018 -2027 -2028",
        rate_limit="-1003 -1015",
        no_such_order="-2013 -2011",
        duplicate_id="-4116 -4111",
        key="-2014 -2015 -1022",
        clock="-1021",
        maintenance="-1008 -1001 -1000",
        size="-4164 -1111 -4003 -4004 -4005 -4023 -1013",
        price_band="-4016 -4024 -4131 -5022 -4184 -4183 -2021 -4001 -4002 -4013 -4014 -5021",
        not_tradable="-1121 -4140 -4108 -4141 -4144",
        network="-1007 -1006",
        other="-1014 -1102 -1106 -1116 -1130 -2010 -2020 -2025 -2026 -4045 -4061 -4120",
    )

    limits = (_WEIGHT, *_ORDERS)

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """Page "General Info", LIMITS, and each endpoint's own for its weight.

        A new order weighs nothing for its address, and counts as one of its account's.
        """
        if not asked.api[0].startswith("fapi"):
            return (Charge(_OTHER_HOST),)
        if asked.method == "POST" and asked.path in ("order", "algoOrder"):
            return (Charge(_WEIGHT, 0.0), *(Charge(limit) for limit in _ORDERS))
        if asked.method != "GET":
            return (Charge(_WEIGHT),)
        one, everything = _WEIGHTS.get(asked.path, (1, 1))
        return (Charge(_WEIGHT, float(one if asked.param("symbol") else everything)),)

    def told_use(self, asked: Asked, headers: Mapping[str, str]) -> tuple[Told, ...]:
        """X-MBX-USED-WEIGHT-1M, which is wrong on the book ticker; X-MBX-ORDER-COUNT-10S, -1M.

        They count from zero with each minute, or each ten seconds, of the venue's clock.
        """
        if not asked.api[0].startswith("fapi"):
            return ()
        names = [(_ORDERS[0], "x-mbx-order-count-10s"), (_ORDERS[1], "x-mbx-order-count-1m")]
        if asked.path != "ticker/bookTicker":
            names.append((_WEIGHT, "x-mbx-used-weight-1m"))
        told = [(limit, decimal_or_none(headers.get(name))) for limit, name in names]
        return tuple(
            Told(limit, float(used), resets=window_left(headers, limit.seconds))
            for limit, used in told
            if used is not None
        )

    def bars_address(self, reply: Reply) -> bool:
        """-1015 is one account's orders; all else that is refused for its rate is the address's."""
        return reply.status in (418, 429) and "-1015" not in reply.text

    async def touch(self, session: Session) -> None:
        """GET /fapi/v1/ping, weight 1."""
        await session.exchange.fapiPublicGetPing()

    async def identity(self, session: Session) -> Identity | NotTold:
        """GET /fapi/v3/balance: each row has the account's `accountAlias`."""
        body = await session.exchange.fapiPrivateV3GetBalance()
        aliases = {told_id(row, "accountAlias") for row in rows_at(body, _BALANCE)}
        if len(aliases) > 1:
            raise MalformedReplyError("the balances name several accounts")
        if not aliases:
            return NotTold(why="an account without any balance does not tell its alias")
        return Identity(id=aliases.pop())

    async def key_rights(self, session: Session) -> KeyRights:
        """GET /sapi/v1/account/apiRestrictions."""
        body = await session.exchange.sapiGetAccountApiRestrictions()
        if "enableReading" not in body or "enableWithdrawals" not in body:
            raise MalformedReplyError("the key's restrictions are not told")
        return KeyRights(
            read=bool(body["enableReading"]),
            trade=bool(body.get("enableFutures")),
            withdraw=bool(body["enableWithdrawals"]),
        )

    def listens_again(self, reply: Reply, now: datetime) -> datetime | None:
        """418: "banned until <Unix ms>" in the message, which says more than Retry-After."""
        until = _BANNED_UNTIL.search(reply.text)
        if until is not None:
            return instant_or_none(until.group(1))
        return super().listens_again(reply, now)

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """GET bookTicker, ticker/price, premiumIndex: they weigh 5, 2 and 10 for all symbols."""
        return [_LISTS[kind] for kind in sorted(kinds)]

    async def prices(self, session: Session, symbol: str) -> dict[str, Any]:
        """The 24-hour ticker of futures has neither book nor mark: two more calls."""
        exchange = session.exchange
        ticker = await exchange.fetch_ticker(symbol)
        market = {"symbol": exchange.market(symbol)["id"]}
        book = await exchange.fapiPublicGetTickerBookTicker(market)
        mark = await exchange.fapiPublicGetPremiumIndex(market)
        return {
            "last": ticker.get("last"),
            "bid": book.get("bidPrice"),
            "ask": book.get("askPrice"),
            "mark": mark.get("markPrice"),
        }

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        """`status`; an end that is announced stands in a perpetual's `deliveryDate`."""
        info = market["info"]
        told = str(info.get("status") or "TRADING")
        date = positive_or_none(info.get("deliveryDate"))
        ends = info.get("contractType") == "PERPETUAL" and date is not None and date < _NEVER
        if told in _ENDING or ends:
            return InstrumentStatus.DELISTING
        return InstrumentStatus.TRADING if told == "TRADING" else InstrumentStatus.HALTED

    def read_row(self, row: Row) -> RowReading | None:
        return signed_row(row, "positionAmt", "positionSide", ("both",))

    async def rows_by_name(
        self, session: Session, instrument: Instrument
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """GET /fapi/v2/positionRisk with a symbol: a row comes even when flat."""
        # Without the id ccxt asks for every symbol, and filters here; v3 leaves flat legs out.
        params = {"symbol": instrument.venue_id, "useV2": True}
        read = await session.exchange.fetch_positions([instrument.symbol], params)
        return self.rows_taken(), list(read)

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        exchange, symbol = session.exchange, instrument.symbol

        async def plain_order() -> list[Order]:
            params = {} if by_id else {"origClientOrderId": wanted}
            return [await exchange.fetch_order(wanted, symbol, params)]

        async def algo() -> list[Order]:
            params = {"trigger": True} if by_id else {"trigger": True, "clientAlgoId": wanted}
            return [await exchange.fetch_order(wanted, symbol, params)]

        return [Step(plain_order, trigger=False), Step(algo, trigger=True)]

    async def became(self, session: Session, instrument: Instrument, order: Order) -> Order:
        """A triggered algo order lives on as an order of its own: that one has the fills."""
        raw = order.get("info")
        if not isinstance(raw, Mapping) or raw.get("algoStatus") is None:
            return order
        if raw.get("actualOrderId"):
            fired = await session.exchange.fetch_order(str(raw["actualOrderId"]), instrument.symbol)
            return {
                **fired,
                "clientOrderId": order.get("clientOrderId"),
                "triggerPrice": order.get("triggerPrice"),
            }
        if order.get("status") == "closed":
            raise MalformedReplyError("an algo order has fired and does not say as which order")
        return order

    def resting_order_reads(
        self, symbols: tuple[str, ...], settles: tuple[str, ...]
    ) -> list[tuple[str | None, Mapping[str, Any]]]:
        if len(symbols) <= _CHEAPER_ONE_BY_ONE:
            return super().resting_order_reads(symbols, settles)
        return [(None, kind) for kind in self.open_order_reads()]

    def trigger_order_reads(
        self, symbols: tuple[str, ...], settles: tuple[str, ...]
    ) -> list[tuple[str | None, Mapping[str, Any]]]:
        if 0 < len(symbols) <= _CHEAPER_ONE_BY_ONE:
            return super().trigger_order_reads(symbols, settles)
        return [(None, kind) for kind in self.facts.triggers]

    def closes_all(self, raw: Row) -> bool:
        return str(raw.get("closePosition", "")).lower() == "true"

    def tells_fill(self, raw: Row) -> bool:
        # An algo order has no fills of its own; whoever reads it follows actualOrderId.
        return raw.get("algoStatus") is not None or super().tells_fill(raw)

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /fapi/v1/userTrades, the oldest first."""
        at = int(ask.at or ask.start_ms)
        until = {"endTime": ask.end_ms, "limit": self.facts.fill_page}
        trades = await session.exchange.fetch_my_trades(instrument.symbol, at, None, until)
        return list(trades), self.next_by_time(trades)

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        """The venue marks its own forced orders by the client order id (ORDER_TRADE_UPDATE)."""
        if client_order_id.startswith("adl_autoclose"):
            return FillKind.ADL
        if client_order_id.startswith("autoclose-"):
            return FillKind.LIQUIDATION
        if client_order_id.startswith("settlement_autoclose-"):
            return FillKind.SETTLEMENT
        return FillKind.TRADE

    def fill_pnl(self, raw: Row) -> Decimal | None:
        return decimal_or_none(raw.get("realizedPnl"))

    def read_push(self, message: Mapping[str, Any]) -> list[LegPush | OrderPush] | None:
        """ACCOUNT_UPDATE, ORDER_TRADE_UPDATE and ALGO_UPDATE."""
        event = message.get("e")
        if event == "ACCOUNT_UPDATE":
            account = message.get("a")
            rows = rows_of(account.get("P")) if isinstance(account, Mapping) else []
            return [
                LegPush(
                    {
                        "symbol": row.get("s"),
                        "positionAmt": row.get("pa"),
                        "positionSide": row.get("ps"),
                    }
                )
                for row in rows
            ]
        order = message.get("o")
        if event not in ("ORDER_TRADE_UPDATE", "ALGO_UPDATE"):
            return None
        if not isinstance(order, Mapping):
            return []
        return [_algo(order) if event == "ALGO_UPDATE" else _order(order)]

    def ends_stream(self, message: Mapping[str, Any]) -> str:
        return "the stream's listen key expired" if message.get("e") == "listenKeyExpired" else ""


def _order(row: Row) -> OrderPush:
    return OrderPush(
        symbol=row.get("s"),
        order_id=row.get("i"),
        client_id=row.get("c"),
        status=row.get("X"),
        amount=row.get("q"),
        filled=row.get("z"),
        row={"side": row.get("S"), "positionSide": row.get("ps"), "reduceOnly": row.get("R")},
        average=row.get("ap"),
        trade=TradePush(row.get("t"), row.get("l"), row.get("n"), row.get("N"))
        if row.get("x") == "TRADE"
        else None,
    )


def _algo(row: Row) -> OrderPush:
    return OrderPush(
        symbol=row.get("s"),
        order_id=row.get("aid"),
        client_id=row.get("caid"),
        status=row.get("X"),
        amount=row.get("q"),
        filled=row.get("aq"),
        conditional=True,
        # Its order has just begun; ccxt calls the condition closed.
        resting=row.get("X") == "TRIGGERED",
    )
