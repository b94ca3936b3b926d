"""KuCoin Futures. Source: the venue's documentation of its futures API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from messages.venue import FillKind, Instrument, VenueErrorKind
from venues.exchanges.base import (
    Ask,
    Exchange,
    Facts,
    Order,
    Row,
    RowReading,
    Session,
    Step,
    Trade,
    codes_by_kind,
    object_at,
    signed_row,
)
from venues.numbers import decimal_or_none
from venues.strict import MalformedReplyError, Place, last_body

_KINDS = {
    "trade": FillKind.TRADE,
    "cancel": FillKind.TRADE,
    "liquid": FillKind.LIQUIDATION,
    "liquidation": FillKind.LIQUIDATION,
    "adl": FillKind.ADL,
    "settlement": FillKind.SETTLEMENT,
}


class KucoinFutures(Exchange):
    facts = Facts(
        exchange="kucoinfutures",
        positions=("/api/v1/positions",),
        opened="openingTimestamp",
        places=(
            Place("/api/v1/positions", ("data",)),
            Place("/api/v1/orders", ("data", "items")),
            Place("/api/v1/stopOrders", ("data", "items")),
            Place("/api/v1/fills", ("data", "items")),
            Place("/api/v1/contracts/active", ("data",)),
        ),
        success=("code", frozenset({"200000"})),
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

    async def prepare(self, session: Session) -> None:
        """Whether the account is unified, which decides where ccxt reads positions."""
        await session.exchange.is_uta_enabled()

    def mode_symbol(self, session: Session) -> str | None:
        return next(iter(session.instruments), None)

    def more_rows(self, body: Any, rows: int) -> bool:
        # Pages are numbered.
        data = body.get("data") if isinstance(body, Mapping) else None
        if isinstance(data, Mapping) and "totalPage" in data:
            return bool(data["totalPage"] != data.get("currentPage") and data["totalPage"])
        return super().more_rows(body, rows)

    def read_row(self, row: Row) -> RowReading | None:
        return signed_row(row, "currentQty", "positionSide", ("both",))

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

    def closes_all(self, raw: Row) -> bool:
        return str(raw.get("closeOrder", "")).lower() == "true"

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        named = str(raw.get("tradeType") or "").lower()
        return _KINDS.get(named, FillKind.OTHER if named else FillKind.TRADE)

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /api/v1/fills by page number, the newest first.

        A question without an end means 24 hours, and one for more than seven days is cut in
        silence: both ends are always given, and the rows are compared with the venue's own total.
        """
        page, before = (int(part) for part in (ask.at or "1 0").split())
        params = {"until": ask.end_ms, "currentPage": page, "pageSize": self.facts.fill_page}
        symbol = instrument.symbol
        trades = await session.exchange.fetch_my_trades(symbol, ask.start_ms, None, params)
        read = before + len(self.rows_taken())
        data = object_at(last_body(), "data")
        total, pages = (decimal_or_none(data.get(key)) for key in ("totalNum", "totalPage"))
        if total is None or pages is None:
            raise MalformedReplyError("a page of fills does not say how many there are")
        if page < pages:
            return list(trades), f"{page + 1} {read}"
        if read < total:
            raise MalformedReplyError(f"the venue tells {total} fills and lists {read}")
        return list(trades), ""
