"""KuCoin Futures. Source: the venue's documentation of its futures API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from messages.venue import FillKind, Instrument, VenueErrorKind
from venues.exchanges.base import (
    Exchange,
    Facts,
    Order,
    Row,
    RowReading,
    Session,
    Step,
    codes_by_kind,
    signed_row,
)
from venues.strict import Place


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

    def fill_kind(self, raw: Row, client_order_id: str) -> FillKind:
        named = str(raw.get("tradeType", "")).lower()
        if named == "liquidation":
            return FillKind.LIQUIDATION
        return FillKind.ADL if named == "adl" else FillKind.TRADE
