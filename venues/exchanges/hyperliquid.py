"""Hyperliquid: the main dex's perpetuals. Source: the venue's documentation of /info and /exchange.

The settings' key is the account's address, the secret an API wallet's private key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from messages.venue import FillKind, Instrument, OrderRequest, VenueErrorKind
from venues.exchanges.base import (
    Exchange,
    Facts,
    Order,
    Row,
    RowReading,
    Session,
    Step,
    Trade,
    signed_row,
)
from venues.numbers import decimal_or_none
from venues.strict import Place

_CANONICAL = re.compile(r"[0-9a-f]{28}")
_ID_TAIL = "0000"


async def _no_builder() -> bool:
    """In place of an approval of ccxt's own builder: none is wanted in our orders."""
    return False


class Hyperliquid(Exchange):
    facts = Facts(
        exchange="hyperliquid",
        positions=("/info#clearinghouseState",),
        places=(
            Place("/info#clearinghouseState", ("assetPositions",)),
            Place("/info#frontendOpenOrders", ()),
            Place("/info#openOrders", ()),
            Place("/info#historicalOrders", ()),
            Place("/info#userFills", ()),
            Place("/info#userFillsByTime", ()),
        ),
        options={
            # With a private key ccxt would sign and send a referral and a builder's approval.
            "refSet": True,
            "approvedBuilderFee": False,
            "builderFee": False,
            "fetchMarkets": {"types": ["swap"]},
        },
        # Main dex only: builders' dexes settle in USDC as well, and are not in this read.
        listed_only=True,
        filled_fields=("sz", "origSz"),
        amount_fields=("origSz", "sz"),
        triggers=(),
        wallet=True,
        cancels_by_kind=False,
    )
    phrases = (
        ("reduce only order would increase position", VenueErrorKind.NOTHING_TO_REDUCE),
        ("insufficient margin to place order", VenueErrorKind.MARGIN),
        ("never placed, already canceled, or filled", VenueErrorKind.NO_SUCH_ORDER),
        ("unknownoid", VenueErrorKind.NO_SUCH_ORDER),
        ("user or api wallet", VenueErrorKind.KEY),
        ("minimum value of", VenueErrorKind.SIZE),
        ("invalid size", VenueErrorKind.SIZE),
        ("zero size", VenueErrorKind.SIZE),
        ("divisible by tick size", VenueErrorKind.PRICE_BAND),
        ("could not immediately match", VenueErrorKind.PRICE_BAND),
        ("no liquidity available", VenueErrorKind.PRICE_BAND),
        ("invalid tp/sl price", VenueErrorKind.PRICE_BAND),
        ("post only order would have immediately matched", VenueErrorKind.PRICE_BAND),
        ("away from the reference price", VenueErrorKind.PRICE_BAND),
        ("too many cumulative requests", VenueErrorKind.RATE_LIMIT),
    )

    def adjust(self, exchange: Any) -> None:
        exchange.handle_builder_fee_approval = _no_builder

    def read_row(self, row: Row) -> RowReading | None:
        entry = row.get("position")
        return signed_row(entry, "szi", "", ()) if isinstance(entry, Mapping) else None

    def symbol_of(self, session: Session, name: str) -> str | None:
        return str(session.exchange.coin_to_market_id(name))

    def to_venue_id(self, canonical: str) -> str:
        """0x and 32 hex characters."""
        return f"0x{canonical}{_ID_TAIL}" if _CANONICAL.fullmatch(canonical) else canonical

    def from_venue_id(self, written: str) -> str:
        inner = written.removeprefix("0x")[: -len(_ID_TAIL)]
        return inner if written.endswith(_ID_TAIL) and _CANONICAL.fullmatch(inner) else written

    def leg_params(self, order: OrderRequest) -> dict[str, Any]:
        # One-way only.
        return {}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        async def one() -> list[Order]:
            return await self.one_order(session, instrument, wanted, by_id=by_id)

        return [Step(one)]

    def fill_kind(self, raw: Row, client_order_id: str) -> FillKind:
        return FillKind.LIQUIDATION if raw.get("liquidation") else FillKind.TRADE

    def fill_fee(self, trade: Trade, raw: Row) -> tuple[Any, str | None]:
        # The fee includes the builder's, which ccxt adds once more.
        _, currency = super().fill_fee(trade, raw)
        return decimal_or_none(raw.get("fee")), currency
