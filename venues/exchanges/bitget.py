"""Bitget: USDT, USDC and coin futures, classic and unified accounts.

Source: the venue's documentation of its v2 (classic) and v3 (unified) API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from messages.values import OrderSide, Side
from messages.venue import Instrument, VenueError, VenueErrorKind
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

_PRODUCTS = {"USDT": "USDT-FUTURES", "USDC": "USDC-FUTURES"}
_CLOSES = re.compile(r"close_(long|short)")


class Bitget(Exchange):
    facts = Facts(
        exchange="bitget",
        positions=("/api/v2/mix/position/all-position", "/api/v3/position/current-position"),
        opened="cTime",
        places=(
            Place("/api/v2/mix/position/all-position", ("data",)),
            Place("/api/v3/position/current-position", ("data", "list")),
            Place("/api/v2/mix/order/orders-pending", ("data", "entrustedList"), nullable=True),
            Place(
                "/api/v2/mix/order/orders-plan-pending", ("data", "entrustedList"), nullable=True
            ),
            Place(
                "/api/v2/mix/order/orders-plan-history", ("data", "entrustedList"), nullable=True
            ),
            Place("/api/v2/mix/order/fills", ("data", "fillList"), nullable=True),
            Place("/api/v3/trade/unfilled-strategy-orders", ("data",)),
            Place("/api/v3/trade/unfilled-orders", ("data", "list")),
            Place("/api/v3/trade/fills", ("data", "list")),
            Place("/api/v2/mix/market/contracts", ("data",)),
            Place("/api/v3/market/instruments", ("data",)),
        ),
        success=("code", frozenset({"00000"})),
        options={"defaultType": "swap"},
        one_call_scope=False,
        size_in_base=True,
        filled_fields=("baseVolume", "filledQty", "cumExecQty"),
        amount_fields=("size", "qty"),
        conditional_fields=("planType",),
        triggers=(
            {"trigger": True, "planType": "profit_loss"},
            {"trigger": True, "planType": "normal_plan"},
            {"trigger": True, "planType": "track_plan"},
        ),
        trigger_page=100,
    )
    codes = codes_by_kind(
        nothing_to_reduce="22002 25227",
        margin="40762 43012 40754 40711 40712 25202 25203",
        rate_limit="429 30007",
        no_such_order="40768 43001 40109 25204",
        duplicate_id="40786 40500",
        key="40006 40009 40012 40037",
        rights="40014 40018",
        clock="40008 40005",
        maintenance="40200 40725 45001 40015",
        size="45110 40808 45111 40108 43006 45113",
        price_band="40815 22047 22048 50067 40920 40706 43011 40917 45122",
        not_tradable="40309 40034 22036 40102",
        network="40010",
        other="33013 40774 400172 40017 40019 40020",
    )

    async def prepare(self, session: Session) -> None:
        """Whether the account is unified.

        ccxt takes any failure of this question for "no", and would then read the positions of a
        unified account where there are none.
        """
        await session.exchange.privateUtaGetV3AccountSettings()
        session.exchange.options["uta"] = True

    def settles_account_kind(self, session: Session, error: VenueError) -> bool:
        # A classic account is refused there with a code that means nothing else to the guard.
        if error.kind is not VenueErrorKind.OTHER:
            return False
        session.exchange.options["uta"] = False
        return True

    def read_row(self, row: Row) -> RowReading | None:
        # The unified account's rows name the same things in other words.
        side_key = "holdSide" if "holdSide" in row else "posSide"
        reading = signed_row(row, "total", side_key, ())
        if reading is None:
            return None
        mode = row.get("posMode") or row.get("holdMode")
        return RowReading(reading.size, reading.side, mode == "hedge_mode")

    def position_reads(self, settles: tuple[str, ...]) -> list[dict[str, Any]]:
        return [
            {"productType": _PRODUCTS.get(settle, "COIN-FUTURES"), "marginCoin": settle}
            for settle in settles
        ]

    def margin_params(self, margin: Mapping[str, str]) -> dict[str, str]:
        return {name: margin[name] for name in ("marginMode",) if name in margin}

    def immediate_params(self) -> dict[str, Any]:
        return {"force": "ioc"}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        exchange, symbol = session.exchange, instrument.symbol

        async def one() -> list[Order]:
            return await self.one_order(session, instrument, wanted, by_id=by_id)

        async def triggers() -> list[Order]:
            orders: list[Order] = []
            for params in self.facts.triggers:
                orders += await exchange.fetch_open_orders(symbol, None, None, dict(params))
            return orders

        async def ended_triggers() -> list[Order]:
            orders: list[Order] = []
            for params in self.facts.triggers:
                orders += await exchange.fetch_canceled_and_closed_orders(
                    symbol, None, None, dict(params)
                )
            return orders

        return [
            Step(one, trigger=False),
            Step(triggers, trigger=True),
            Step(ended_triggers, trigger=True),
        ]

    def order_side(self, told: Any, raw: Row) -> OrderSide | None:
        """In hedge mode the side names the leg: "buy" closes a long one (place-order)."""
        if raw.get("posMode") == "hedge_mode":
            leg, does = self.position_side(raw), str(raw.get("tradeSide") or "").lower()
            if leg is not None and "close" in does:
                return leg.closing
            if leg is not None and "open" in does:
                return leg.closing.opposite
        return super().order_side(told, raw)

    def position_side(self, raw: Row) -> Side | None:
        leg = super().position_side(raw)
        if leg is not None:
            return leg
        # A forced close names its leg: "burst_close_short".
        closes = _CLOSES.search(str(raw.get("tradeSide") or "").lower())
        if closes is not None:
            return Side(closes.group(1))
        if raw.get("posMode") == "hedge_mode":
            return {"buy": Side.LONG, "sell": Side.SHORT}.get(str(raw.get("side")).lower())
        return None

    def closes_all(self, raw: Row) -> bool:
        return raw.get("planType") in ("pos_loss", "pos_profit")
