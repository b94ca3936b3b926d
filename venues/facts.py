"""What differs from venue to venue, as one table: options, scopes, places of lists, row shapes.

For it: every venue goes through the same code and only these facts change. Left to others: how
position rows are read (`rows.py`), what error codes mean (`error_codes.py`), ids (`ids.py`).
Sources: ccxt 4.5.90's own reading of each venue, and the venues' documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from venues.rows import (
    Row,
    RowReading,
    binance_row,
    bingx_row,
    bitget_row,
    bybit_row,
    gate_row,
    hyperliquid_row,
    kraken_row,
    kucoin_row,
    mexc_row,
    okx_row,
)


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
    that one call covers all that the venue's markets settle in, `settles` that no others are
    covered at all, `listed_only` that a read says nothing of symbols outside the loaded markets.
    `page` names how pages go on: by `cursor`, by `offset`, or not at all. `size_in_base` venues
    write base units, not contracts. Of `filled_fields` and `amount_fields` an order record must
    have one each, since ccxt works out what lacks; `triggers` are the parameter sets under which
    resting trigger orders are listed, `trigger_page` how many of them at most (0: all).
    `amount` is the type in which ccxt takes an amount without
    rounding it; `stops` whether its stop parameter makes a stop. `opened` names the field of a
    position row that says when the leg was opened; empty where none does.
    """

    exchange: str
    positions: tuple[str, ...]
    read_row: Callable[[Row], RowReading | None]
    places: tuple[Place, ...]
    success: tuple[str, frozenset[str]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    reads: Callable[[tuple[str, ...]], list[dict[str, Any]]] = lambda _settles: [{}]
    one_call_scope: bool = True
    settles: frozenset[str] | None = None
    listed_only: bool = False
    page: str = ""
    page_size: int = 0
    size_in_base: bool = False
    filled_fields: tuple[str, ...] = ()
    amount_fields: tuple[str, ...] = ()
    market_params: Mapping[str, Any] = field(default_factory=dict)
    triggers: tuple[Mapping[str, Any], ...] = ({"trigger": True},)
    trigger_page: int = 0
    amount: Callable[[str], str | float] = str
    stops: bool = True
    wallet: bool = False
    streams: bool = False
    by_symbol: bool = False
    opened: str = ""


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
    swaps = [{"settle": settle.lower(), "type": "swap", "holding": True} for settle in settles]
    # Dated futures are an exchange of their own there, settled in USDT alone.
    dated = [{"settle": "usdt", "type": "future"}] if "USDT" in settles else []
    return [*swaps, *dated]


_TABLE = (
    VenueFacts(
        exchange="bybit",
        positions=("/v5/position/list",),
        opened="openTime",
        read_row=bybit_row,
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
        amount_fields=("qty",),
        streams=True,
        by_symbol=True,
    ),
    VenueFacts(
        exchange="binanceusdm",
        positions=("/fapi/v3/positionRisk", "/fapi/v2/positionRisk"),
        read_row=binance_row,
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
        amount_fields=("origQty", "quantity"),
        streams=True,
        by_symbol=True,
    ),
    VenueFacts(
        exchange="okx",
        positions=("/api/v5/account/positions",),
        opened="cTime",
        read_row=okx_row,
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
        triggers=tuple(
            {"trigger": True, "ordType": kind}
            for kind in ("conditional", "oco", "trigger", "move_order_stop")
        ),
        trigger_page=100,
    ),
    VenueFacts(
        exchange="bitget",
        positions=("/api/v2/mix/position/all-position", "/api/v3/position/current-position"),
        opened="cTime",
        read_row=bitget_row,
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
        reads=_bitget_reads,
        one_call_scope=False,
        size_in_base=True,
        filled_fields=("baseVolume", "filledQty", "cumExecQty"),
        amount_fields=("size", "qty"),
        triggers=(
            {"trigger": True, "planType": "profit_loss"},
            {"trigger": True, "planType": "normal_plan"},
            {"trigger": True, "planType": "track_plan"},
        ),
        trigger_page=100,
    ),
    VenueFacts(
        exchange="gate",
        positions=("/positions",),
        opened="open_time",
        read_row=gate_row,
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
        amount_fields=("size", "initial"),
        trigger_page=100,
    ),
    VenueFacts(
        exchange="kucoinfutures",
        positions=("/api/v1/positions",),
        opened="openingTimestamp",
        read_row=kucoin_row,
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
        amount_fields=("size",),
    ),
    VenueFacts(
        exchange="hyperliquid",
        positions=("/info#clearinghouseState",),
        read_row=hyperliquid_row,
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
    ),
    VenueFacts(
        exchange="krakenfutures",
        positions=("/openpositions",),
        read_row=kraken_row,
        places=(
            Place("/openpositions", ("openPositions",)),
            Place("/openorders", ("openOrders",)),
            Place("/fills", ("fills",)),
            Place("/instruments", ("instruments",)),
        ),
        success=("result", frozenset({"success"})),
        filled_fields=("filledSize", "filled"),
        amount_fields=("quantity", "size", "unfilledSize"),
        triggers=(),
    ),
    VenueFacts(
        exchange="mexc",
        positions=("/position/open_positions",),
        opened="createTime",
        read_row=mexc_row,
        places=(
            Place("/position/open_positions", ("data",)),
            Place("/contract/detail", ("data",)),
            Place("/order/list/open_orders", ("data",)),
            Place("/order/list/order_deals", ("data",)),
            Place("/planorder/list/orders", ("data",)),
            Place("/stoporder/open_orders", ("data",)),
        ),
        success=("success", frozenset({"True", "true"})),
        options={
            "defaultType": "swap",
            "fetchMarkets": {"types": {"spot": False, "swap": {"linear": True}}},
        },
        filled_fields=("dealVol",),
        amount_fields=("vol",),
        trigger_page=100,
        stops=False,
    ),
    VenueFacts(
        exchange="bingx",
        positions=("/swap/v2/user/positions",),
        read_row=bingx_row,
        places=(
            Place("/swap/v2/user/positions", ("data",)),
            Place("/swap/v2/quote/contracts", ("data",)),
            Place("/swap/v2/trade/openOrders", ("data", "orders")),
        ),
        success=("code", frozenset({"0"})),
        options={"defaultType": "swap"},
        one_call_scope=False,
        settles=frozenset(_STABLE),
        size_in_base=True,
        filled_fields=("executedQty",),
        amount_fields=("origQty", "quantity"),
        triggers=(),
    ),
)

VENUES: Mapping[str, VenueFacts] = {facts.exchange: facts for facts in _TABLE}
"""The supported venues by ccxt exchange id."""
