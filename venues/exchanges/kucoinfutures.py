"""KuCoin Futures. Source: the venue's documentation of its futures API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from messages.budget import LimitScope
from messages.venue import (
    ClosedPosition,
    FillKind,
    Identity,
    Instrument,
    InstrumentStatus,
    NotTold,
    PriceKind,
    VenueErrorKind,
)
from venues.exchanges.base import Exchange
from venues.exchanges.reading import (
    codes_by_kind,
    ending,
    is_true,
    label_of,
    left_of,
    named_side,
    object_at,
    parsed,
    signed_row,
    told_id,
)
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
    Step,
    Told,
    Trade,
)
from venues.numbers import decimal_or_none
from venues.strict import CannotTellError, MalformedReplyError, Place, Reply, last_body, rows_at

_FUTURES = Limit("futures", LimitScope.LOGIN, "weight", 30.0, 2000.0)
_MANAGEMENT = Limit("management", LimitScope.LOGIN, "weight", 30.0, 2000.0)
_PUBLIC = Limit("public", LimitScope.ADDRESS, "weight", 30.0, 2000.0)
_WEIGHTS = {
    "POST orders": 2,
    "POST st-orders": 2,
    "DELETE orders/{orderId}": 1,
    "DELETE orders/client-order/{clientOid}": 1,
    "DELETE orders": 10,
    "DELETE stopOrders": 15,
    "GET orders": 2,
    "GET orders/{orderId}": 5,
    "GET orders/byClientOid": 5,
    "GET stopOrders": 6,
    "GET position": 2,
    "GET positions": 2,
    "GET history-positions": 2,
    "GET fills": 5,
    "GET recentFills": 3,
    "GET position/getPositionMode": 2,
    "GET contracts/active": 3,
    "GET contracts/{symbol}": 3,
    "GET mark-price/{symbol}/current": 3,
    "GET level2/depth20": 5,
    "GET ticker": 2,
    "GET allTickers": 5,
    "GET timestamp": 2,
    "GET user/api-key": 20,
    "GET account/mode": 30,
}
_UNLISTED = 10
_HALTED = ("Init", "Paused")
_CLOSED = Place("/api/v1/history-positions", ("data", "items"))
_ENDS = {
    "LIQUID": FillKind.LIQUIDATION,
    "ADL": FillKind.ADL,
    "SETTLE": FillKind.SETTLEMENT,
}
_KINDS = {
    "trade": FillKind.TRADE,
    "normal": FillKind.TRADE,
    "cancel": FillKind.TRADE,
    "liquid": FillKind.LIQUIDATION,
    "liquidation": FillKind.LIQUIDATION,
    "adl": FillKind.ADL,
    "settlement": FillKind.SETTLEMENT,
}


def _pool(asked: Asked) -> Limit:
    if not asked.private:
        return _PUBLIC
    return _FUTURES if asked.api[0] == "futuresPrivate" else _MANAGEMENT


def _weight(asked: Asked) -> int:
    return _WEIGHTS.get(f"{asked.method} {asked.path}", _UNLISTED)


class KucoinFutures(Exchange):
    facts = Facts(
        exchange="kucoinfutures",
        positions=("/api/v1/positions",),
        opened="openingTimestamp",
        by_symbol=True,
        names_flat=True,
        places=(
            Place("/api/v1/positions", ("data",)),
            Place("/api/v1/orders", ("data", "items")),
            Place("/api/v1/stopOrders", ("data", "items")),
            Place("/api/v1/fills", ("data", "items")),
            Place("/order/execution", ("data", "items")),
            _CLOSED,
            Place("/api/v1/contracts/active", ("data",)),
        ),
        success=("code", frozenset({"200000", "200"})),
        options={
            "defaultType": "swap",
            "fetchMarkets": {"types": ["swap", "future"]},
            "hf": True,
        },
        market_params={"marginables": False},
        amount_as_float=True,
        filled_fields=("filledSize", "dealSize"),
        amount_fields=("size",),
        falling=("stop", {"up": False, "down": True}),
        fill_window=timedelta(days=7),
        fill_history=timedelta(days=90),
        late_cancel=frozenset({"100004"}),
        newest_first=True,
        keeps_closed=True,
        closed_window=timedelta(days=7),
    )
    codes = codes_by_kind(
        nothing_to_reduce="300009",
        margin="300003 200005 200004 330008",
        rate_limit="429000 1015",
        no_such_order="100001",
        duplicate_id="300018",
        key="400003 400004 400005 400006 400007 400001",
        clock="400002",
        maintenance="500000",
        size="300000",
        price_band="300007 300008 300011 300012",
        not_tradable="400000",
        other="330005 330012",
    )
    phrases = (("position does not exist", VenueErrorKind.NOTHING_TO_REDUCE),)

    limits = (_FUTURES, _PUBLIC)

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """Page "Rate Limit": pools of 2,000 in 30 s from the first request (level VIP0)."""
        return (Charge(_pool(asked), float(_weight(asked))),)

    def told_use(self, asked: Asked, headers: Mapping[str, str]) -> tuple[Told, ...]:
        """gw-ratelimit-remaining, -limit and -reset (milliseconds), of the pool that was asked."""
        left, most = "gw-ratelimit-remaining", "gw-ratelimit-limit"
        reset = decimal_or_none(headers.get("gw-ratelimit-reset"))
        resets = None if reset is None or reset < 0 else float(reset) / 1000
        return left_of(_pool(asked), headers, left, most, resets=resets)

    def bars_address(self, reply: Reply) -> bool:
        """What tells when its pool is full again is that pool's refusal."""
        return "gw-ratelimit-reset" not in reply.headers and super().bars_address(reply)

    async def touch(self, session: Session) -> None:
        """GET /api/v1/timestamp, weight 2."""
        await session.exchange.futuresPublicGetTimestamp()

    async def prepare(self, session: Session) -> None:
        """Whether the account is unified, which decides where ccxt reads positions."""
        await session.exchange.is_uta_enabled()

    def mode_symbol(self, session: Session) -> str | None:
        return next(iter(session.instruments), None)

    def listens_again(self, reply: Reply, now: datetime) -> datetime | None:
        """`gw-ratelimit-reset` is how many milliseconds the pool takes to be full again."""
        told = super().listens_again(reply, now)
        left = decimal_or_none(reply.headers.get("gw-ratelimit-reset"))
        if told is None and left is not None and left >= 0:
            return now + timedelta(milliseconds=float(left))
        return told

    def more_rows(self, body: Any, rows: int) -> bool:
        # Pages are numbered.
        data = body.get("data") if isinstance(body, Mapping) else None
        if isinstance(data, Mapping) and "totalPage" in data:
            return bool(data["totalPage"] != data.get("currentPage") and data["totalPage"])
        return super().more_rows(body, rows)

    async def identity(self, session: Session) -> Identity | NotTold:
        """GET /api/v1/user/api-key of the spot host: `uid`; a sub-account has a `subName`."""
        body = await session.exchange.privateGetUserApiKey()
        data = object_at(body, "data")
        master = data.get("isMaster")
        return Identity(
            id=told_id(data, "uid"),
            sub_account=not is_true(master) if master is not None else None,
            label=label_of(data.get("subName") or data.get("remark")),
        )

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """GET /api/v1/allTickers; the mark prices are with the contracts."""
        place = Place("/api/v1/allTickers", ("data",))
        fields = {"bid": "bestBidPrice", "ask": "bestAskPrice", "last": "price"}
        found = []
        if kinds != {PriceKind.MARK}:
            found.append(PriceList("futuresPublicGetAllTickers", place, "symbol", fields))
        if PriceKind.MARK in kinds:
            marks = Place("/api/v1/contracts/active", ("data",))
            mark = {"mark": "markPrice"}
            found.append(PriceList("futuresPublicGetContractsActive", marks, "symbol", mark))
        return found

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        told = str(market["info"].get("status") or "Open")
        if told in ("BeingSettled", "Settled", "Closed"):
            return InstrumentStatus.DELISTING
        return InstrumentStatus.HALTED if told in _HALTED else InstrumentStatus.TRADING

    def read_row(self, row: Row) -> RowReading | None:
        return signed_row(row, "currentQty", "positionSide", ("both",))

    async def rows_by_name(
        self, session: Session, instrument: Instrument
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """GET /api/v1/position: one row, of size 0 where it is flat.

        Of a symbol that was never held the venue says that the position does not exist.
        """
        if session.exchange.options.get("uta"):
            raise CannotTellError("a position of a unified account is not asked for by name")
        body = await session.exchange.futuresPrivateGetPosition({"symbol": instrument.venue_id})
        data = body.get("data") if isinstance(body, Mapping) else None
        rows = [data] if isinstance(data, Mapping) else data
        return parsed(session, instrument, rows_at(rows, Place("/api/v1/position", ())))

    def margin_params(self, margin: Mapping[str, str]) -> dict[str, str]:
        return {name: margin[name] for name in ("marginMode", "leverage") if name in margin}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        exchange, symbol = session.exchange, instrument.symbol

        async def one() -> list[Order]:
            return await self.one_order(session, instrument, wanted, by_id=by_id)

        async def triggers() -> list[Order]:
            return list(await exchange.fetch_open_orders(symbol, None, None, {"trigger": True}))

        return [Step(one, trigger=False), Step(triggers, trigger=True)]

    async def _unified_fills(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /api/ua/v1/unified/order/execution: the newest first, older ones by `lastId`."""
        params: dict[str, Any] = {"until": ask.end_ms, "pageSize": self.facts.fill_page}
        if ask.at:
            params["lastId"] = ask.at
        await session.exchange.fetch_my_trades(instrument.symbol, ask.start_ms, None, params)
        trades = self.trades_taken(session, instrument)
        if len(trades) < self.facts.fill_page:
            return trades, ""
        last = str(object_at(last_body(), "data").get("lastId") or "")
        if not last:
            raise MalformedReplyError("a full page of fills does not say where it ends")
        return trades, last

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """GET /api/v1/history-positions by page number; at times without sizes and prices."""
        if session.exchange.options.get("uta"):
            raise CannotTellError("the closed positions of a unified account are not read")
        page = int(ask.at or 1)
        body = await session.exchange.futuresPrivateGetHistoryPositions(
            {
                "symbol": instrument.venue_id,
                "from": ask.start_ms,
                "to": ask.end_ms,
                "limit": self.facts.fill_page,
                "pageId": page,
            }
        )
        records = []
        for row in rows_at(body, _CLOSED):
            why, _, side = str(row.get("type") or "").rpartition("_")
            records.append(
                ending(
                    instrument,
                    record_id=row.get("closeId"),
                    side=named_side(row.get("side")) or named_side(side),
                    size=row.get("closeSize"),
                    ended=row.get("closeTime"),
                    entry=row.get("openPrice"),
                    price=row.get("closePrice"),
                    pnl=row.get("pnl"),
                    opened=row.get("openTime"),
                    kind=_ENDS.get(why, FillKind.TRADE),
                )
            )
        pages = decimal_or_none(object_at(body, "data").get("totalPage"))
        if pages is None:
            raise MalformedReplyError("a page of positions does not say how many there are")
        return records, str(page + 1) if page < pages else ""

    def closes_all(self, raw: Row) -> bool:
        return str(raw.get("closeOrder", "")).lower() == "true"

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        named = str(raw.get("tradeType") or raw.get("fillType") or "").lower()
        return _KINDS.get(named, FillKind.OTHER if named else FillKind.TRADE)

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /api/v1/fills by page number, the newest first.

        A question without an end means 24 hours, and one for more than seven days is cut in
        silence: both ends are always given, and the rows are compared with the venue's own total.
        """
        if session.exchange.options.get("uta"):
            return await self._unified_fills(session, instrument, ask)
        page, before = (int(part) for part in (ask.at or "1 0").split())
        params = {"until": ask.end_ms, "currentPage": page, "pageSize": self.facts.fill_page}
        symbol = instrument.symbol
        await session.exchange.fetch_my_trades(symbol, ask.start_ms, None, params)
        trades = self.trades_taken(session, instrument)
        read = before + len(self.rows_taken())
        data = object_at(last_body(), "data")
        total, pages = (decimal_or_none(data.get(key)) for key in ("totalNum", "totalPage"))
        if total is None or pages is None:
            raise MalformedReplyError("a page of fills does not say how many there are")
        if page < pages:
            return trades, f"{page + 1} {read}"
        if read < total:
            raise MalformedReplyError(f"the venue tells {total} fills and lists {read}")
        return trades, ""
