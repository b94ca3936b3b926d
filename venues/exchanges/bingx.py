"""BingX perpetuals. Source: the venue's documentation of its swap API v2."""

from __future__ import annotations

import re
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
    left_of,
    named_side,
    object_at,
    parsed,
    signed_row,
    told_id,
)
from venues.exchanges.values import (
    STABLE,
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
from venues.numbers import instant_or_none, positive_or_none
from venues.strict import CannotTellError, Place, Reply, rows_at

_MARKET = Limit("market", LimitScope.ADDRESS, "requests", 10.0, 500.0)
_ACCOUNT = Limit("account", LimitScope.ADDRESS, "requests", 10.0, 2000.0)
_A_SECOND = {
    "POST trade/order": 10,
    "GET trade/order": 30,
    "POST user/listenKey": 2,
}
_USUAL = 5
"""Requests a second of one user and endpoint."""
_AFTER = re.compile(r"(?:after|until)\D{0,20}(\d{13})", re.IGNORECASE)
_POSITIONS = Place("/swap/v2/user/positions", ("data",))
_CLOSED = Place("/swap/v1/trade/positionHistory", ("data", "positionHistory"), nullable=True)
_CLOSED_PAGE = 100
_FILLS = Place("/swap/v2/trade/allFillOrders", ("data", "fill_orders"), nullable=True)


def _by_endpoint(asked: Asked) -> Limit:
    name = f"{asked.method} {asked.path}"
    unit = "orders" if name == "POST trade/order" else "requests"
    return Limit(name, LimitScope.LOGIN, unit, 1.0, float(_A_SECOND.get(name, _USUAL)))


class Bingx(Exchange):
    facts = Facts(
        exchange="bingx",
        positions=("/swap/v2/user/positions",),
        by_symbol=True,
        places=(
            _POSITIONS,
            Place("/swap/v2/quote/contracts", ("data",)),
            Place("/swap/v2/trade/openOrders", ("data", "orders")),
            _FILLS,
            _CLOSED,
        ),
        success=("code", frozenset({"0"})),
        options={"defaultType": "swap"},
        one_call_scope=False,
        settles=frozenset(STABLE),
        size_in_base=True,
        filled_fields=("executedQty",),
        amount_fields=("origQty", "quantity"),
        triggers=(),
        fill_window=timedelta(days=7),
        keeps_closed=True,
        closed_window=timedelta(days=90),
        late_cancel=frozenset({"80017", "80018"}),
        fill_page=1000,
    )
    codes = codes_by_kind(
        nothing_to_reduce="101205 101290",
        margin="101204 100202 101253",
        rate_limit="100410 109429",
        no_such_order="80016 109414 109421",
        duplicate_id="101400 101481 109201",
        key="100001 100413 100412",
        rights="100004 100419",
        clock="100421",
        maintenance="80012 100500 100503 109500 110500",
        size="109400 110422 110425",
        price_band="100440",
        not_tradable="100490 109418 109425",
    )
    # The codes of inner services are wrapped, and one code stands for many things.
    phrases_first = (
        ("system is busy", VenueErrorKind.MAINTENANCE),
        ("margin is not enough", VenueErrorKind.MARGIN),
        ("minimum order amount", VenueErrorKind.SIZE),
        ("position not exist", VenueErrorKind.NOTHING_TO_REDUCE),
        ("position does not exist", VenueErrorKind.NOTHING_TO_REDUCE),
        ("less than the available amount", VenueErrorKind.REDUCE_ONLY_RESERVED),
    )

    limits = (
        _ACCOUNT,
        _MARKET,
        Limit(
            "POST trade/order",
            LimitScope.LOGIN,
            "orders",
            1.0,
            float(_A_SECOND["POST trade/order"]),
        ),
    )

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """By address: the venue's notice of 16 Oct 2025. By user: each endpoint's own page."""
        if not asked.private:
            return (Charge(_MARKET),)
        return (Charge(_ACCOUNT), Charge(_by_endpoint(asked)))

    def told_use(self, asked: Asked, headers: Mapping[str, str]) -> tuple[Told, ...]:
        """X-RateLimit-Requests-Remain: what is left of the endpoint's window."""
        if not asked.private:
            return ()
        return left_of(_by_endpoint(asked), headers, "x-ratelimit-requests-remain")

    def bars_address(self, reply: Reply) -> bool:
        """100410 and 109429 that name their end are blocks, of the address or of the user."""
        return True

    async def identity(self, session: Session) -> Identity | NotTold:
        """GET /openApi/account/v1/uid: `uid`."""
        body = await session.exchange.accountV1PrivateGetUid()
        return Identity(id=told_id(object_at(body, "data"), "uid"))

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """GET /openApi/swap/v2/quote/ticker and premiumIndex of all contracts."""
        place = Place("/swap/v2/quote/ticker", ("data",))
        fields = {"bid": "bidPrice", "ask": "askPrice", "last": "lastPrice"}
        found = []
        if kinds != {PriceKind.MARK}:
            found.append(PriceList("swapV2PublicGetQuoteTicker", place, "symbol", fields))
        if PriceKind.MARK in kinds:
            marks = Place("/swap/v2/quote/premiumIndex", ("data",))
            mark = {"mark": "markPrice"}
            found.append(PriceList("swapV2PublicGetQuotePremiumIndex", marks, "symbol", mark))
        return found

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        """`status`: 1 online, 25 closed to openings, 5 before its launch, 0 offline."""
        told = str(market["info"].get("status", 1))
        if told == "0":
            return InstrumentStatus.DELISTING
        return InstrumentStatus.HALTED if told == "5" else InstrumentStatus.TRADING

    def read_row(self, row: Row) -> RowReading | None:
        reading = signed_row(row, "positionAmt", "positionSide", ("both",))
        if reading is None:
            return None
        hedged = reading.hedged and not is_true(row.get("onlyOnePosition", ""))
        return RowReading(reading.size, reading.side, hedged)

    async def rows_by_name(
        self, session: Session, instrument: Instrument
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """GET /openApi/swap/v2/user/positions with a symbol: only what is held."""
        body = await session.exchange.swapV2PrivateGetUserPositions({"symbol": instrument.venue_id})
        return parsed(session, instrument, rows_at(body, _POSITIONS))

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /swap/v2/trade/allFillOrders: all of a window in one answer."""
        request = {
            "symbol": instrument.venue_id,
            "tradingUnit": "COIN",
            "startTs": ask.start_ms,
            "endTs": ask.end_ms,
        }
        body = await session.exchange.swapV2PrivateGetTradeAllFillOrders(request)
        rows = rows_at(body, _FILLS)
        if len(rows) >= self.facts.fill_page:
            raise CannotTellError(f"{len(rows)} fills in one answer: there may have been more")
        market = session.exchange.market(instrument.symbol)
        return [session.exchange.parse_trade(row, market) for row in rows], ""

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """GET /swap/v1/trade/positionHistory, by page number."""
        page = int(ask.at or 1)
        body = await session.exchange.swapV1PrivateGetTradePositionHistory(
            {
                "symbol": instrument.venue_id,
                "startTs": ask.start_ms,
                "endTs": ask.end_ms,
                "pageIndex": page,
                "pageSize": _CLOSED_PAGE,
            }
        )
        rows = rows_at(body, _CLOSED)
        records = [
            ending(
                instrument,
                record_id=f"{row.get('positionId')} {row.get('updateTime')}",
                side=named_side(row.get("positionSide")),
                size=row.get("closePositionAmt"),
                ended=row.get("updateTime"),
                entry=row.get("avgPrice"),
                price=row.get("avgClosePrice"),
                pnl=row.get("netProfit"),
                opened=row.get("openTime"),
                whole=is_true(row.get("closeAllPositions")),
            )
            for row in rows
        ]
        return records, str(page + 1) if len(rows) >= _CLOSED_PAGE else ""

    def listens_again(self, reply: Reply, now: datetime) -> datetime | None:
        """100410 and 109429 tell in words when the block ends: "… after time: <Unix ms>"."""
        until = _AFTER.search(reply.text)
        return instant_or_none(until.group(1)) if until else super().listens_again(reply, now)

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        forced = positive_or_none(raw.get("liquidatedPrice")) is not None
        return FillKind.LIQUIDATION if forced else FillKind.TRADE

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        async def one() -> list[Order]:
            # ccxt's fetch_order sends `orderId=None` beside our id.
            name = "orderId" if by_id else "clientOrderId"
            body = await session.exchange.swapV2PrivateGetTradeOrder(
                {"symbol": instrument.venue_id, name: wanted}
            )
            order = body["data"]["order"]
            market = session.exchange.market(instrument.symbol)
            return [session.exchange.parse_order(order, market)]

        return [Step(one)]
