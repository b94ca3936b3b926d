"""Gate: perpetuals by settle currency, and dated futures. Source: its documentation of API v4."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from messages.values import ZERO, OrderSide, Side
from messages.venue import Instrument, OrderRequest, OrderType
from venues.exchanges.base import (
    Exchange,
    Facts,
    Order,
    Row,
    RowReading,
    Session,
    Step,
    codes_by_kind,
)
from venues.numbers import decimal_or_none
from venues.strict import CannotTellError, Place

_ENDED_PAGE = 100
_ID_PREFIX = "t-"
_CLOSES = re.compile(r"close-(long|short)")


class Gate(Exchange):
    facts = Facts(
        exchange="gate",
        positions=("/positions",),
        opened="open_time",
        places=(
            Place("/positions", ()),
            Place("/orders", ()),
            Place("/my_trades", ()),
            Place("/my_trades_timerange", ()),
            Place("/price_orders", ()),
            Place("/contracts", ()),
        ),
        options={"defaultType": "swap", "fetchMarkets": {"types": ["swap", "future"]}},
        one_call_scope=False,
        page="offset",
        page_size=100,
        filled_fields=("left", "filled_amount"),
        amount_fields=("size", "initial"),
        conditional_fields=("initial",),
        trigger_page=100,
        falling=("rule", {"1": False, "2": True}),
    )
    codes = codes_by_kind(
        nothing_to_reduce="INCREASE_POSITION POSITION_EMPTY POSITION_NOT_FOUND REDUCE_EXCEEDED",
        margin="""BALANCE_NOT_ENOUGH INSUFFICIENT_AVAILABLE MARGIN_BALANCE_NOT_ENOUGH
            FUTURES_BALANCE_NOT_ENOUGH""",
        rate_limit="TOO_MANY_REQUESTS TOO_FAST",
        no_such_order="ORDER_NOT_FOUND AUTO_ORDER_NOT_FOUND",
        duplicate_id="REPEATED_CREATION",
        key="INVALID_KEY INVALID_SIGNATURE INVALID_CREDENTIALS MISSING_REQUIRED_HEADER",
        rights="FORBIDDEN READ_ONLY IP_FORBIDDEN",
        clock="REQUEST_EXPIRED",
        maintenance="INTERNAL SERVER_ERROR TOO_BUSY",
        size="INVALID_PARAM_VALUE SIZE_TOO_LARGE SIZE_TOO_SMALL INVALID_PRECISION",
        price_band="""PRICE_TOO_DEVIATED POC_FILL_IMMEDIATELY ORDER_POC_IMMEDIATE
            PRICE_THRESHOLD_EXCEEDED PRICE_OVER_LIQUIDATION PRICE_OVER_BANKRUPT
            AUTO_TRIGGER_PRICE_LESS_LAST AUTO_TRIGGER_PRICE_GREATE_LAST""",
        not_tradable="CONTRACT_NOT_FOUND CONTRACT_IN_DELISTING",
        other="LIQUIDATE_IMMEDIATELY TOO_MANY_ORDERS POSITION_CROSS_MARGIN",
    )

    def read_row(self, row: Row) -> RowReading | None:
        size = decimal_or_none(row.get("size"))
        if size is None:
            return None
        mode = str(row.get("mode") or "single")
        if size == ZERO:
            return RowReading(ZERO, None, mode != "single")
        if mode in ("dual_long", "dual_short"):
            return RowReading(abs(size), Side.LONG if mode == "dual_long" else Side.SHORT, True)
        return RowReading(abs(size), Side.LONG if size > 0 else Side.SHORT, False)

    def position_reads(self, settles: tuple[str, ...]) -> list[dict[str, Any]]:
        swaps = [{"settle": settle.lower(), "type": "swap", "holding": True} for settle in settles]
        # Dated futures are an exchange of their own there, settled in USDT alone.
        dated = [{"settle": "usdt", "type": "future"}] if "USDT" in settles else []
        return [*swaps, *dated]

    def to_venue_id(self, canonical: str) -> str:
        return f"{_ID_PREFIX}{canonical}"

    def from_venue_id(self, written: str) -> str:
        return written.removeprefix(_ID_PREFIX)

    def order_params(self, order: OrderRequest, margin: Mapping[str, str]) -> dict[str, Any]:
        params = super().order_params(order, margin)
        if order.type is not OrderType.STOP_MARKET:
            # ccxt measures this id before it puts the prefix there by itself.
            params["clientOrderId"] = order.client_order_id
        return params

    def leg_params(self, order: OrderRequest) -> dict[str, Any]:
        # The leg is told by the order's side and reduce-only alone.
        return {}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        exchange, symbol = session.exchange, instrument.symbol

        async def one() -> list[Order]:
            return [await exchange.fetch_order(wanted, symbol)]

        async def ended() -> list[Order]:
            # By its text an ended order is found for a minute only; after that, in the list.
            orders = list(await exchange.fetch_closed_orders(symbol, None, _ENDED_PAGE))
            key = "id" if by_id else "clientOrderId"
            told = {str(order.get(key)).lower() for order in orders}
            if len(orders) >= _ENDED_PAGE and wanted.lower() not in told:
                raise CannotTellError(
                    "the order is not among the last ones, and the venue keeps no index by text"
                )
            return orders

        async def triggers() -> list[Order]:
            return list(
                await exchange.fetch_open_orders(symbol, None, _ENDED_PAGE, {"trigger": True})
            )

        async def ended_triggers() -> list[Order]:
            return list(
                await exchange.fetch_closed_orders(symbol, None, _ENDED_PAGE, {"trigger": True})
            )

        return [
            Step(one, trigger=False),
            Step(ended, trigger=False),
            Step(triggers, trigger=True),
            Step(ended_triggers, trigger=True),
        ]

    def order_side(self, told: Any, raw: Row) -> OrderSide | None:
        # A stop for a whole position has size 0, which ccxt takes for a sell.
        leg = _closed_leg(raw)
        return super().order_side(told, raw) if leg is None else leg.closing

    def position_side(self, raw: Row) -> Side | None:
        return _closed_leg(raw)

    def closes_all(self, raw: Row) -> bool:
        initial = raw.get("initial")
        return isinstance(initial, Mapping) and decimal_or_none(initial.get("size")) == 0

    def fill_closed(self, raw: Row) -> Decimal | None:
        """`close_size` of my_trades: what of a fill closed, signed as the fill is.

        In dual mode nothing else tells a buy that opens a long leg from one that closes a short.
        """
        closed = decimal_or_none(raw.get("close_size"))
        return None if closed is None else abs(closed)


def _closed_leg(raw: Row) -> Side | None:
    """The leg in "plan-close-long-position"."""
    found = _CLOSES.search(str(raw.get("order_type") or "").lower())
    return None if found is None else Side(found.group(1))
