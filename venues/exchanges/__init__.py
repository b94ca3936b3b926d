"""The supported exchanges: one file each, and the registry.

What differs from exchange to exchange lives here and nowhere else in the project. What is the same
for all (strict replies, pages, scopes, placing and finding orders) lives in `venues/` and asks.
"""

from __future__ import annotations

from collections.abc import Mapping

from venues.exchanges.base import Exchange
from venues.exchanges.binanceusdm import BinanceUsdm
from venues.exchanges.bingx import Bingx
from venues.exchanges.bitget import Bitget
from venues.exchanges.bybit import Bybit
from venues.exchanges.gate import Gate
from venues.exchanges.hyperliquid import Hyperliquid
from venues.exchanges.krakenfutures import KrakenFutures
from venues.exchanges.kucoinfutures import KucoinFutures
from venues.exchanges.mexc import Mexc
from venues.exchanges.okx import Okx

_ALL: tuple[Exchange, ...] = (
    Bybit(),
    BinanceUsdm(),
    Okx(),
    Bitget(),
    Gate(),
    KucoinFutures(),
    Hyperliquid(),
    KrakenFutures(),
    Mexc(),
    Bingx(),
)

EXCHANGES: Mapping[str, Exchange] = {each.facts.exchange: each for each in _ALL}
"""The supported exchanges by ccxt exchange id."""
