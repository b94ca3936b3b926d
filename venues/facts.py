"""What differs from venue to venue, as one table: options, scopes, places of lists, row shapes.

For it: every venue goes through the same code and only these facts change. Left to others: what
error codes mean (`errors.py`), forms of client order ids (`ids.py`). Source of each fact is
`ccxt` 4.5.90's own reading of the venue, and the venues' documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from messages.values import ZERO, Side
from venues.numbers import decimal_or_none

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowReading:
    """A position row as the venue wrote it. `size` is unsigned and in the venue's own unit.

    `side` None goes with a size of zero only; `hedged` tells a leg of its own from a net one.
    """

    size: Decimal
    side: Side | None
    hedged: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reply of one endpoint keeps its list; an empty path means the reply is the list.

    `nullable` lists are written as null where they are empty; the key must be there all the same.
    """

    endpoint: str
    path: tuple[str, ...]
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """One venue's row of the table.

    `success` is the envelope's key and the values that mean a good answer. `reads` makes the
    parameter sets that together cover the settle currencies asked for. `one_call_scope` says
    that one call covers all that the venue's markets settle in. `page` names how pages go on:
    by `cursor`, by `offset`, or not at all. `size_in_base` venues write base units, not
    contracts. `filled_fields` are those of which an order record must have one; `triggers` are the
    parameter sets under which resting trigger orders are listed. `amount` is the type in which
    ccxt takes an amount without rounding it; `stops` whether its stop parameter makes a stop.
    """

    exchange: str
    positions: tuple[str, ...]
    read_row: Callable[[Row], RowReading | None]
    places: tuple[Place, ...]
    success: tuple[str, frozenset[str]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    reads: Callable[[tuple[str, ...]], list[dict[str, Any]]] = lambda _settles: [{}]
    one_call_scope: bool = True
    page: str = ""
    page_size: int = 0
    size_in_base: bool = False
    filled_fields: tuple[str, ...] = ()
    market_params: Mapping[str, Any] = field(default_factory=dict)
    triggers: tuple[Mapping[str, Any], ...] = ({"trigger": True},)
    amount: Callable[[str], str | float] = str
    stops: bool = True
    wallet: bool = False
    streams: bool = False
    by_symbol: bool = False


def _signed(row: Row, size_key: str, side_key: str, net: tuple[str, ...]) -> RowReading | None:
    size = decimal_or_none(row.get(size_key))
    if size is None:
        return None
    named = str(row.get(side_key) or "").lower()
    hedged = bool(named) and named not in net
    if size == ZERO:
        return RowReading(ZERO, None, hedged)
    if hedged:
        if named not in ("long", "short"):
            return None
        return RowReading(abs(size), Side(named), True)
    return RowReading(abs(size), Side.LONG if size > 0 else Side.SHORT, False)


def _bybit_row(row: Row) -> RowReading | None:
    size = decimal_or_none(row.get("size"))
    if size is None:
        return None
    index = str(row.get("positionIdx", "0"))
    if index in ("1", "2"):
        return RowReading(abs(size), Side.LONG if index == "1" else Side.SHORT, True)
    if size == ZERO:
        return RowReading(ZERO, None, False)
    side = {"buy": Side.LONG, "sell": Side.SHORT}.get(str(row.get("side", "")).lower())
    return None if side is None else RowReading(abs(size), side, False)


def _binance_row(row: Row) -> RowReading | None:
    return _signed(row, "positionAmt", "positionSide", ("both",))


def _okx_row(row: Row) -> RowReading | None:
    return _signed(row, "pos", "posSide", ("net",))


def _bitget_row(row: Row) -> RowReading | None:
    # The unified account's rows name the same things in other words.
    side_key = "holdSide" if "holdSide" in row else "posSide"
    reading = _signed(row, "total", side_key, ())
    if reading is None:
        return None
    mode = row.get("posMode") or row.get("holdMode")
    return RowReading(reading.size, reading.side, mode == "hedge_mode")


def _gate_row(row: Row) -> RowReading | None:
    size = decimal_or_none(row.get("size"))
    if size is None:
        return None
    mode = str(row.get("mode") or "single")
    if size == ZERO:
        return RowReading(ZERO, None, mode != "single")
    if mode in ("dual_long", "dual_short"):
        return RowReading(abs(size), Side.LONG if mode == "dual_long" else Side.SHORT, True)
    return RowReading(abs(size), Side.LONG if size > 0 else Side.SHORT, False)


def _kucoin_row(row: Row) -> RowReading | None:
    return _signed(row, "currentQty", "positionSide", ("both",))


def _hyperliquid_row(row: Row) -> RowReading | None:
    entry = row.get("position")
    return _signed(entry, "szi", "", ()) if isinstance(entry, Mapping) else None


def _kraken_row(row: Row) -> RowReading | None:
    reading = _signed(row, "size", "side", ())
    return None if reading is None else RowReading(reading.size, reading.side, False)


def _mexc_row(row: Row) -> RowReading | None:
    size = decimal_or_none(row.get("holdVol"))
    side = {"1": Side.LONG, "2": Side.SHORT}.get(str(row.get("positionType")))
    if size is None or (side is None and size != ZERO):
        return None
    return RowReading(abs(size), side, str(row.get("positionMode")) == "1")


def _bingx_row(row: Row) -> RowReading | None:
    reading = _signed(row, "positionAmt", "positionSide", ("both",))
    if reading is None:
        return None
    one_way = str(row.get("onlyOnePosition", "")).lower() == "true"
    return RowReading(reading.size, reading.side, reading.hedged and not one_way)


_STABLE = ("USDT", "USDC")


def _bybit_reads(settles: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"subType": "linear" if settle in _STABLE else "inverse", "settleCoin": settle}
        for settle in settles
    ]


def _bitget_reads(settles: tuple[str, ...]) -> list[dict[str, Any]]:
    products = {"USDT": "USDT-FUTURES", "USDC": "USDC-FUTURES"}
    return [
        {"productType": products.get(settle, "COIN-FUTURES"), "marginCoin": settle}
        for settle in settles
    ]


def _gate_reads(settles: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"settle": settle.lower(), "type": "swap", "holding": True} for settle in settles]


_TABLE = (
    VenueFacts(
        exchange="bybit",
        positions=("/v5/position/list",),
        read_row=_bybit_row,
        places=(
            Place("/v5/position/list", ("result", "list")),
            Place("/v5/order/realtime", ("result", "list")),
            Place("/v5/order/history", ("result", "list")),
            Place("/v5/execution/list", ("result", "list")),
            Place("/v5/market/tickers", ("result", "list")),
            Place("/v5/market/instruments-info", ("result", "list")),
        ),
        success=("retCode", frozenset({"0"})),
        options={"defaultType": "swap", "defaultSubType": "linear"},
        reads=_bybit_reads,
        one_call_scope=False,
        page="cursor",
        page_size=200,
        filled_fields=("cumExecQty",),
        streams=True,
        by_symbol=True,
    ),
    VenueFacts(
        exchange="binanceusdm",
        positions=("/fapi/v3/positionRisk", "/fapi/v2/positionRisk"),
        read_row=_binance_row,
        places=(
            Place("/fapi/v3/positionRisk", ()),
            Place("/fapi/v2/positionRisk", ()),
            Place("/fapi/v1/openOrders", ()),
            Place("/fapi/v1/openAlgoOrders", ()),
            Place("/fapi/v1/allOrders", ()),
            Place("/fapi/v1/userTrades", ()),
            Place("/fapi/v1/exchangeInfo", ("symbols",)),
        ),
        options={
            # The brackets only feed a maintenance margin that nobody here reads; without the
            # preset one more call can fail and take the positions with it.
            "leverageBrackets": {},
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        },
        filled_fields=("executedQty", "actualQty"),
        streams=True,
        by_symbol=True,
    ),
    VenueFacts(
        exchange="okx",
        positions=("/api/v5/account/positions",),
        read_row=_okx_row,
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
        triggers=tuple(
            {"trigger": True, "ordType": kind} for kind in ("conditional", "oco", "trigger")
        ),
    ),
    VenueFacts(
        exchange="bitget",
        positions=("/api/v2/mix/position/all-position", "/api/v3/position/current-position"),
        read_row=_bitget_row,
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
            Place("/api/v2/mix/market/contracts", ("data",)),
            Place("/api/v3/market/instruments", ("data",)),
        ),
        success=("code", frozenset({"00000"})),
        options={"defaultType": "swap"},
        reads=_bitget_reads,
        one_call_scope=False,
        size_in_base=True,
        filled_fields=("baseVolume", "filledQty", "cumExecQty"),
        triggers=(
            {"trigger": True, "planType": "profit_loss"},
            {"trigger": True, "planType": "normal_plan"},
        ),
    ),
    VenueFacts(
        exchange="gate",
        positions=("/positions",),
        read_row=_gate_row,
        places=(
            Place("/positions", ()),
            Place("/orders", ()),
            Place("/my_trades", ()),
            Place("/my_trades_timerange", ()),
            Place("/price_orders", ()),
            Place("/contracts", ()),
        ),
        options={"defaultType": "swap", "fetchMarkets": {"types": ["swap", "future"]}},
        reads=_gate_reads,
        one_call_scope=False,
        page="offset",
        page_size=100,
        filled_fields=("left", "filled_amount"),
    ),
    VenueFacts(
        exchange="kucoinfutures",
        positions=("/api/v1/positions",),
        read_row=_kucoin_row,
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
        amount=float,
        filled_fields=("filledSize", "dealSize"),
    ),
    VenueFacts(
        exchange="hyperliquid",
        positions=("/info#clearinghouseState",),
        read_row=_hyperliquid_row,
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
        filled_fields=("sz", "origSz"),
        triggers=(),
        wallet=True,
    ),
    VenueFacts(
        exchange="krakenfutures",
        positions=("/openpositions",),
        read_row=_kraken_row,
        places=(
            Place("/openpositions", ("openPositions",)),
            Place("/openorders", ("openOrders",)),
            Place("/fills", ("fills",)),
            Place("/instruments", ("instruments",)),
        ),
        success=("result", frozenset({"success"})),
        filled_fields=("filledSize", "filled"),
        triggers=(),
    ),
    VenueFacts(
        exchange="mexc",
        positions=("/position/open_positions",),
        read_row=_mexc_row,
        places=(
            Place("/position/open_positions", ("data",)),
            Place("/contract/detail", ("data",)),
            Place("/order/list/open_orders", ("data",)),
            Place("/order/list/order_deals", ("data",)),
        ),
        success=("success", frozenset({"True", "true"})),
        options={
            "defaultType": "swap",
            "fetchMarkets": {"types": {"spot": False, "swap": {"linear": True}}},
        },
        filled_fields=("dealVol",),
        stops=False,
    ),
    VenueFacts(
        exchange="bingx",
        positions=("/swap/v2/user/positions",),
        read_row=_bingx_row,
        places=(
            Place("/swap/v2/user/positions", ("data",)),
            Place("/swap/v2/quote/contracts", ("data",)),
            Place("/swap/v2/trade/openOrders", ("data", "orders")),
        ),
        success=("code", frozenset({"0"})),
        options={"defaultType": "swap"},
        size_in_base=True,
        filled_fields=("executedQty",),
        triggers=(),
    ),
)

VENUES: Mapping[str, VenueFacts] = {facts.exchange: facts for facts in _TABLE}
"""The supported venues by ccxt exchange id."""
