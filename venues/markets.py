"""Instruments out of ccxt's markets: exact sizes and steps, derivatives only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from messages.values import ZERO
from messages.venue import Instrument, Kind
from venues.exchanges.base import Exchange
from venues.numbers import decimal_or_none, instant_or_none, positive_or_none


def read_instruments(
    hooks: Exchange, markets: Mapping[str, Mapping[str, Any]]
) -> dict[str, Instrument]:
    """The linear and inverse swaps and futures by unified symbol. Others are left out.

    A market whose contract size or step is unknown is left out too: nothing could be sized by it.
    """
    instruments: dict[str, Instrument] = {}
    for symbol, market in markets.items():
        instrument = _read(hooks, symbol, market)
        if instrument is not None:
            instruments[symbol] = instrument
    return instruments


def _read(hooks: Exchange, symbol: str, market: Mapping[str, Any]) -> Instrument | None:
    linear, inverse = market.get("linear"), market.get("inverse")
    if not market.get("contract") or market.get("option") or not (linear or inverse):
        return None
    precision = market.get("precision") or {}
    limits = market.get("limits") or {}
    contract_size = hooks.contract_size(market)
    amount_step = positive_or_none(precision.get("amount"))
    price_step = positive_or_none(precision.get("price"))
    if contract_size is None or amount_step is None or price_step is None:
        return None
    amounts = limits.get("amount") or {}
    return Instrument(
        symbol=symbol,
        venue_id=str(market["id"]),
        base=str(market["base"]),
        quote=str(market["quote"]),
        settle=str(market["settle"]),
        kind=Kind.LINEAR if linear else Kind.INVERSE,
        contract_size=contract_size,
        amount_step=amount_step,
        min_amount=positive_or_none(amounts.get("min")) or amount_step,
        price_step=price_step,
        min_notional=decimal_or_none((limits.get("cost") or {}).get("min")) or ZERO,
        max_market_amount=hooks.largest_market_order(market),
        expires_at=instant_or_none(market.get("expiry")),
        active=market.get("active") is not False,
        status=hooks.market_status(market),
    )
