"""OKX: swaps and dated futures. Source: the venue's documentation of its v5 API."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from messages.venue import FillKind, Instrument, KeyRights, OrderRequest, OrderType
from venues.exchanges.base import (
    Exchange,
    Facts,
    Order,
    Row,
    RowReading,
    Session,
    Step,
    codes_by_kind,
    list_at,
    rows_of,
    signed_row,
)
from venues.numbers import decimal_or_none
from venues.strict import MalformedReplyError, Place

_LIQUIDATION = frozenset(str(number) for number in range(100, 108))
_ADL = frozenset(str(number) for number in range(125, 129))


class Okx(Exchange):
    facts = Facts(
        exchange="okx",
        positions=("/api/v5/account/positions",),
        opened="cTime",
        places=(
            Place("/api/v5/account/positions", ("data",)),
            Place("/api/v5/trade/orders-pending", ("data",)),
            Place("/api/v5/trade/orders-algo-pending", ("data",)),
            Place("/api/v5/trade/orders-history", ("data",)),
            Place("/api/v5/trade/order", ("data",)),
            Place("/api/v5/trade/fills", ("data",)),
            Place("/api/v5/trade/fills-history", ("data",)),
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
    )
    codes = codes_by_kind(
        nothing_to_reduce="51169 51023 51112",
        reduce_only_reserved="51115 51117 51134",
        margin="51008 51131 51119 51127",
        rate_limit="50011 50061 50013",
        no_such_order="51603 51400",
        duplicate_id="51016",
        key="50111 50113 50105 50119",
        rights="50110 50120 50114",
        clock="50102",
        maintenance="50001 50026",
        size="51020 51121 51005 51007 51100 51101 51105 51108 51118 51120 51185",
        price_band="51006 51137 51138 51046 51047 51031 51109 51116 51122 51135 51136 51250",
        not_tradable="51001 51027 51028 51087 51021 51022 51029 51030 51015",
        network="50004 51149 51054",
        other="51000 51004 51010 51025 51102 51103 51174 50014 50015 50016",
    )

    async def key_rights(self, session: Session) -> KeyRights:
        """GET /api/v5/account/config: perm is "read_only,trade,withdraw"."""
        body = await session.exchange.privateGetAccountConfig()
        rows = list_at(body, "data")
        if not rows or "perm" not in rows[0]:
            raise MalformedReplyError("the key's permissions are not told")
        granted = str(rows[0]["perm"]).split(",")
        return KeyRights(read=True, trade="trade" in granted, withdraw="withdraw" in granted)

    def read_row(self, row: Row) -> RowReading | None:
        return signed_row(row, "pos", "posSide", ("net",))

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

    def closes_all(self, raw: Row) -> bool:
        return decimal_or_none(raw.get("closeFraction")) == Decimal(1)

    def fill_kind(self, raw: Row, client_order_id: str) -> FillKind:
        sub = str(raw.get("subType", ""))
        if sub in _LIQUIDATION:
            return FillKind.LIQUIDATION
        return FillKind.ADL if sub in _ADL else FillKind.TRADE
