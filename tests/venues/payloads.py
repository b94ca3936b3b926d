"""The payloads that venues document, and markets for the instruments that they name.

The folder is outside the repository; tests that read it are skipped where it is missing. Left to
others: what an independent reader makes of each.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from messages.values import Side
from tests.venues.bodies import BY_EXCHANGE, bybit_instrument

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
here = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the payloads are not here")

Json = Any
Market = Callable[[], tuple[str, str, Json]]
FILES = {"binanceusdm": "binance"}


def payload(exchange: str, name: str) -> Json:
    entries = json.loads((FIXTURES / f"{FILES.get(exchange, exchange)}.json").read_text())
    return next(entry["body"] for entry in entries if entry["name"] == name)


def market_row(exchange: str, **changes: Json) -> tuple[str, str, Json]:
    """The venue's own market body of `bodies.py`, with another instrument in it."""
    method, path, body = copy.deepcopy(BY_EXCHANGE[exchange].markets[0])
    rows = body if isinstance(body, list) else body.get("data") or body.get("instruments")
    rows[0].update(changes)
    return method, path, body


def adapted(body: Json, **changes: Json) -> Json:
    """The payload with some values of its rows replaced, wherever they stand.

    Some venues document their derivatives by a spot order: only its instrument is changed.
    """
    if isinstance(body, list):
        return [adapted(item, **changes) for item in body]
    if not isinstance(body, dict):
        return body
    return {key: changes.get(key, adapted(value, **changes)) for key, value in body.items()}


def exact(value: Json) -> Decimal:
    return Decimal(str(value))


def long_if(condition: bool) -> Side:
    return Side.LONG if condition else Side.SHORT


def inverse_bybit() -> tuple[str, str, Json]:
    row = {
        **bybit_instrument("BTCUSD", "BTC"),
        "contractType": "InversePerpetual",
        "quoteCoin": "USD",
        "settleCoin": "BTC",
        # A least order of its own, so that it is not taken for the size of a contract.
        "lotSizeFilter": {"minOrderQty": "5", "maxOrderQty": "1000000", "qtyStep": "1"},
    }
    body = {"retCode": 0, "result": {"category": "inverse", "list": [row]}}
    return "GET", "/v5/market/instruments-info", body


def kraken() -> tuple[str, str, Json]:
    method, path, body = market_row("krakenfutures")
    (flexible,) = body["instruments"]
    inverse = {**flexible, "symbol": "PI_XBTUSD", "type": "futures_inverse"}
    dated = {
        **inverse,
        "symbol": "FI_XBTUSD_201225",
        "lastTradingTime": "2020-12-25T16:00:00.000Z",
    }
    body["instruments"] = [inverse, dated, {**flexible, "symbol": "PF_DEFIUSD"}]
    return method, path, body


KRAKEN_SYMBOLS = {
    "PI_XBTUSD": "BTC/USD:BTC",
    "FI_XBTUSD_201225": "BTC/USD:BTC-201225",
    "PF_DEFIUSD": "DEFI/USD:USD",
}


def usdc_bybit() -> tuple[str, str, Json]:
    row = {
        **bybit_instrument("ETHPERP", "ETH"),
        "quoteCoin": "USDC",
        "settleCoin": "USDC",
    }
    body = {"retCode": 0, "result": {"category": "linear", "list": [row]}}
    return "GET", "/v5/market/instruments-info", body


def avax() -> tuple[str, str, Json]:
    universe = {"universe": [{"name": "AVAX", "szDecimals": 2, "maxLeverage": 10}]}
    prices = [{"markPx": "18.4", "midPx": "18.4", "oraclePx": "18.4"}]
    return "POST", "/info#metaAndAssetCtxs", [universe, prices]


def inverse_kucoin() -> tuple[str, str, Json]:
    return market_row(
        "kucoinfutures",
        symbol="XBTUSDM",
        quoteCurrency="USD",
        settleCurrency="XBT",
        multiplier=-1.0,
        isInverse=True,
    )
