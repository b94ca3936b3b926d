"""Answers in each venue's own shape: one or two instruments, position rows, envelopes.

For it: the least that the real ccxt class of a venue needs to load its markets and to read a
position. Sizes are chosen so that contracts and base units differ wherever the venue lets them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.venues.canned import Answer, CannedVenue, Seen

Json = Any


@dataclass(frozen=True, slots=True)
class VenueBodies:
    """`row(size)` writes a long position of `symbol`, in the venue's own unit of size.

    `listed(rows)` is the positions endpoint's whole answer, `unlisted` the success envelope with
    the list gone, `reads` how many requests make a read. `contract_size` is base units a contract,
    as the markets tell it.
    """

    exchange: str
    symbol: str
    positions: str
    markets: list[tuple[str, str, Json]]
    row: Callable[[str], dict[str, Json]]
    listed: Callable[[list[Json]], Json]
    unlisted: Json
    contract_size: str
    size: str
    quantity: str
    method: str = "GET"
    reads: int = 1
    settles: tuple[str, ...] = ("USDT",)
    stranger: Callable[[dict[str, Json]], dict[str, Json]] = field(
        default=lambda row: {**row, "symbol": "NEVERUSDT"}
    )

    def install(self, venue: CannedVenue) -> None:
        for method, path, body in self.markets:
            venue.on(method, path, body)


def _hyperliquid_role(seen: Seen) -> Answer:
    """The account's address, and the API wallet whose key the tests sign with."""
    account = "0x" + "11" * 20
    if seen.params["user"] == account:
        return Answer(body={"role": "user"})
    return Answer(body={"role": "agent", "data": {"user": account}})


def _bybit(rows: list[Json]) -> Json:
    return {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"category": "linear", "nextPageCursor": "", "list": rows},
    }


def bybit_instrument(name: str = "BTCUSDT", base: str = "BTC") -> Json:
    return {
        "symbol": name,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": base,
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
        "lotSizeFilter": {
            "maxOrderQty": "1190.000",
            "minOrderQty": "0.001",
            "qtyStep": "0.001",
            "maxMktOrderQty": "500.000",
            "minNotionalValue": "5",
        },
    }


def bybit_row(size: str, **other: Json) -> dict[str, Json]:
    return {
        "symbol": "BTCUSDT",
        "side": "Buy",
        "size": size,
        "positionIdx": 0,
        "avgPrice": "50000.5",
        "markPrice": "51000.1",
        "leverage": "10",
        "liqPrice": "45000",
        "unrealisedPnl": "12.5",
        "stopLoss": "49000",
        "takeProfit": "",
        "createdTime": "1700000000000",
        "updatedTime": "1700000100000",
        **other,
    }


def binance_instrument(name: str = "BTCUSDT", base: str = "BTC") -> Json:
    return {
        "symbol": name,
        "pair": name,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.1",
                "maxPrice": "9000000",
                "tickSize": "0.10",
            },
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120"},
            {"filterType": "MIN_NOTIONAL", "notional": "100"},
        ],
    }


def binance_row(size: str, **other: Json) -> dict[str, Json]:
    return {
        "symbol": "BTCUSDT",
        "positionSide": "BOTH",
        "positionAmt": size,
        "entryPrice": "50000.5",
        "breakEvenPrice": "50010",
        "markPrice": "51000.10000000",
        "unRealizedProfit": "12.5",
        "liquidationPrice": "45000",
        "isolatedMargin": "0",
        "notional": str(51000.1 * float(size or 0)),
        "marginAsset": "USDT",
        "isolatedWallet": "0",
        "initialMargin": "100",
        "maintMargin": "10",
        "updateTime": 1700000100000,
        **other,
    }


_OKX_MARKET = {
    "instId": "BTC-USDT-SWAP",
    "instType": "SWAP",
    "instFamily": "BTC-USDT",
    "uly": "BTC-USDT",
    "settleCcy": "USDT",
    "ctVal": "0.01",
    "ctValCcy": "BTC",
    "ctType": "linear",
    "lotSz": "1",
    "minSz": "1",
    "tickSz": "0.1",
    "state": "live",
    "lever": "100",
    "expTime": "",
    "listTime": "1700000000000",
    "instIdCode": 10459,
}

_BITGET_MARKET = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "supportMarginCoins": ["USDT"],
    "minTradeNum": "0.001",
    "priceEndStep": "1",
    "volumePlace": "3",
    "pricePlace": "1",
    "sizeMultiplier": "0.001",
    "symbolType": "perpetual",
    "symbolStatus": "normal",
    "minTradeUSDT": "5",
    "makerFeeRate": "0.0002",
    "takerFeeRate": "0.0006",
    "minLever": "1",
    "maxLever": "125",
}

_GATE_MARKET = {
    "name": "BTC_USDT",
    "type": "direct",
    "quanto_multiplier": "0.0001",
    "order_size_min": 1,
    "order_size_max": 1000000,
    "order_price_round": "0.1",
    "order_price_deviate": "0.5",
    "mark_price": "51000",
    "maker_fee_rate": "0.0002",
    "taker_fee_rate": "0.0005",
    "leverage_min": "1",
    "leverage_max": "100",
    "in_delisting": False,
    "status": "trading",
}

_KUCOIN_MARKET = {
    "symbol": "XBTUSDTM",
    "type": "FFWCSX",
    "baseCurrency": "XBT",
    "quoteCurrency": "USDT",
    "settleCurrency": "USDT",
    "multiplier": 0.001,
    "lotSize": 1,
    "tickSize": 0.1,
    "maxOrderQty": 1000000,
    "maxPrice": 1000000.0,
    "isInverse": False,
    "status": "Open",
    "makerFeeRate": 0.0002,
    "takerFeeRate": 0.0006,
    "nextFundingRateTime": 1000000,
    "maxLeverage": 100,
}

_KRAKEN_MARKET = {
    "symbol": "PF_XBTUSD",
    "type": "flexible_futures",
    "tickSize": 1,
    "contractSize": 1,
    "tradeable": True,
    "contractValueTradePrecision": 4,
    "openingDate": "2022-01-01T00:00:00.000Z",
}

_MEXC_MARKET = {
    "symbol": "BTC_USDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "settleCoin": "USDT",
    "contractSize": 0.0001,
    "minLeverage": 1,
    "maxLeverage": 125,
    "priceUnit": 0.1,
    "volUnit": 1,
    "minVol": 1,
    "maxVol": 1000000,
    "state": 0,
    "takerFeeRate": 0.0006,
    "makerFeeRate": 0.0002,
}

_BINGX_MARKET = {
    "contractId": "100",
    "symbol": "BTC-USDT",
    "quantityPrecision": 4,
    "pricePrecision": 1,
    "tradeMinQuantity": 0.0001,
    "tradeMinUSDT": 2,
    "currency": "USDT",
    "asset": "BTC",
    "status": 1,
    "apiStateOpen": "true",
    "apiStateClose": "true",
}


def _data(code: str) -> Callable[[list[Json]], Json]:
    return lambda rows: {"code": code, "msg": "", "data": rows}


_BYBIT_MARKETS = _bybit([bybit_instrument(), bybit_instrument("ETHUSDT", "ETH")])

ALL = (
    VenueBodies(
        exchange="bybit",
        symbol="BTC/USDT:USDT",
        positions="/v5/position/list",
        markets=[("GET", "/v5/market/instruments-info", _BYBIT_MARKETS)],
        row=bybit_row,
        listed=_bybit,
        unlisted={"retCode": 0, "retMsg": "OK", "result": {}},
        contract_size="1",
        size="0.015",
        quantity="0.015",
    ),
    VenueBodies(
        exchange="binanceusdm",
        symbol="BTC/USDT:USDT",
        positions="/fapi/v3/positionRisk",
        markets=[
            (
                "GET",
                "/fapi/v1/exchangeInfo",
                {"symbols": [binance_instrument(), binance_instrument("ETHUSDT", "ETH")]},
            )
        ],
        row=binance_row,
        listed=lambda rows: rows,
        unlisted={},
        contract_size="1",
        size="0.015",
        quantity="0.015",
    ),
    VenueBodies(
        exchange="okx",
        symbol="BTC/USDT:USDT",
        positions="/api/v5/account/positions",
        markets=[("GET", "/api/v5/public/instruments", _data("0")([_OKX_MARKET]))],
        row=lambda size: {
            "instId": "BTC-USDT-SWAP",
            "instType": "SWAP",
            "pos": size,
            "posSide": "net",
            "avgPx": "50000.5",
            "markPx": "51000.1",
            "mgnMode": "isolated",
            "lever": "10",
            "upl": "12.5",
            "liqPx": "45000",
            "margin": "100",
            "mmr": "1",
            "notionalUsd": "1530",
            "cTime": "1700000000000",
            "uTime": "1700000100000",
        },
        listed=_data("0"),
        unlisted={"code": "0", "msg": ""},
        contract_size="0.01",
        size="3",
        quantity="0.03",
        stranger=lambda row: {**row, "instId": "NEVER-USDT-SWAP"},
    ),
    VenueBodies(
        exchange="bitget",
        symbol="BTC/USDT:USDT",
        positions="/api/v2/mix/position/all-position",
        markets=[
            ("GET", "/api/v2/mix/market/contracts", _data("00000")([_BITGET_MARKET])),
            ("GET", "/api/v2/spot/public/symbols", _data("00000")([])),
            ("GET", "/api/v2/margin/currencies", _data("00000")([])),
            (
                "GET",
                "/api/v3/account/settings",
                {"code": "40084", "msg": "You are in Classic Account mode", "data": None},
            ),
        ],
        row=lambda size: {
            "symbol": "BTCUSDT",
            "marginCoin": "USDT",
            "holdSide": "long",
            "total": size,
            "available": size,
            "openPriceAvg": "50000.5",
            "markPrice": "51000.1",
            "marginMode": "isolated",
            "posMode": "one_way_mode",
            "leverage": "10",
            "marginSize": "100",
            "unrealizedPL": "12.5",
            "liquidationPrice": "45000",
            "keepMarginRate": "0.004",
            "cTime": "1700000000000",
            "uTime": "1700000100000",
        },
        listed=_data("00000"),
        unlisted={"code": "00000", "msg": "success"},
        contract_size="1",
        size="0.015",
        quantity="0.015",
    ),
    VenueBodies(
        exchange="gate",
        symbol="BTC/USDT:USDT",
        positions="/futures/usdt/positions",
        markets=[
            ("GET", "/futures/usdt/contracts", [_GATE_MARKET]),
            ("GET", "/futures/btc/contracts", []),
            ("GET", "/delivery/usdt/contracts", []),
            ("GET", "/delivery/usdt/positions", []),
            ("GET", "/account/detail", {"key": {"mode": 1}}),
        ],
        row=lambda size: {
            "contract": "BTC_USDT",
            "size": int(size),
            "mode": "single",
            "entry_price": "50000.5",
            "mark_price": "51000.1",
            "leverage": "10",
            "liq_price": "45000",
            "value": "76",
            "margin": "7",
            "initial_margin": "7",
            "maintenance_margin": "1",
            "maintenance_rate": "0.004",
            "unrealised_pnl": "12.5",
            "realised_pnl": "0",
            "open_time": 1700000000,
            "update_time": 1700000100,
        },
        listed=lambda rows: rows,
        unlisted={},
        contract_size="0.0001",
        size="15",
        quantity="0.0015",
        reads=2,
        stranger=lambda row: {**row, "contract": "NEVER_USDT"},
    ),
    VenueBodies(
        exchange="kucoinfutures",
        symbol="BTC/USDT:USDT",
        positions="/api/v1/positions",
        markets=[
            ("GET", "/api/v1/contracts/active", _data("200000")([_KUCOIN_MARKET])),
            (
                "GET",
                "/api/ua/v1/account/mode",
                {"code": "200000", "data": {"selfAccountMode": "CLASSIC"}},
            ),
            (
                "GET",
                "/api/v1/hf/accounts/opened",
                {"code": "200000", "data": True},
            ),
        ],
        row=lambda size: {
            "id": "5ce3cda60c19fc0d4e9ae7cd",
            "symbol": "XBTUSDTM",
            "isOpen": True,
            "currentQty": int(size),
            "positionSide": "BOTH",
            "avgEntryPrice": 50000.5,
            "markPrice": 51000.1,
            "markValue": 153.0,
            "marginMode": "ISOLATED",
            "realLeverage": 10.0,
            "posInit": 7.5,
            "posMaint": 1.0,
            "unrealisedPnl": 12.5,
            "liquidationPrice": 45000.0,
            "maintMarginReq": 0.004,
            "openingTimestamp": 1700000000000,
            "currentTimestamp": 1700000100000,
        },
        listed=_data("200000"),
        unlisted={"code": "200000"},
        contract_size="0.001",
        size="3",
        quantity="0.003",
        stranger=lambda row: {**row, "symbol": "NEVERUSDTM"},
    ),
    VenueBodies(
        exchange="hyperliquid",
        symbol="BTC/USDC:USDC",
        positions="/info#clearinghouseState",
        markets=[
            (
                "POST",
                "/info#metaAndAssetCtxs",
                [
                    {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}]},
                    [{"markPx": "51000.1", "midPx": "51000", "oraclePx": "51000"}],
                ],
            ),
            ("POST", "/info#spotMeta", {"tokens": [], "universe": []}),
            ("POST", "/info#userRole", _hyperliquid_role),
        ],
        row=lambda size: {
            "type": "oneWay",
            "position": {
                "coin": "BTC",
                "szi": size,
                "entryPx": "50000.5",
                "positionValue": "765",
                "unrealizedPnl": "12.5",
                "liquidationPx": "45000",
                "marginUsed": "76.5",
                "leverage": {"type": "cross", "value": 10},
            },
        },
        listed=lambda rows: {"assetPositions": rows, "marginSummary": {}, "time": 1700000100000},
        unlisted={"marginSummary": {}, "time": 1700000100000},
        contract_size="1",
        size="0.015",
        quantity="0.015",
        method="POST",
        settles=("USDC",),
        stranger=lambda row: {**row, "position": {**row["position"], "coin": "NEVER"}},
    ),
    VenueBodies(
        exchange="krakenfutures",
        symbol="BTC/USD:USD",
        positions="/derivatives/api/v3/openpositions",
        markets=[
            (
                "GET",
                "/derivatives/api/v3/instruments",
                {"result": "success", "instruments": [_KRAKEN_MARKET]},
            )
        ],
        row=lambda size: {
            "side": "long",
            "symbol": "PF_XBTUSD",
            "price": 50000.5,
            "fillTime": "2023-11-14T22:13:20.000Z",
            "size": float(size),
            "unrealizedFunding": 0.0,
        },
        listed=lambda rows: {"result": "success", "openPositions": rows},
        unlisted={"result": "success"},
        contract_size="1",
        size="0.015",
        quantity="0.015",
        settles=("USD",),
        stranger=lambda row: {**row, "symbol": "PF_NEVERUSD"},
    ),
    VenueBodies(
        exchange="mexc",
        symbol="BTC/USDT:USDT",
        positions="/api/v1/private/position/open_positions",
        markets=[
            (
                "GET",
                "/api/v1/contract/detail",
                {"success": True, "code": 0, "data": [_MEXC_MARKET]},
            ),
            ("GET", "/api/v3/exchangeInfo", {"symbols": []}),
        ],
        row=lambda size: {
            "positionId": 1394650,
            "symbol": "BTC_USDT",
            "positionType": 1,
            "openType": 1,
            "state": 1,
            "holdVol": int(size),
            "openAvgPrice": 50000.5,
            "liquidatePrice": 45000.0,
            "im": 7.5,
            "leverage": 10,
            "createTime": 1700000000000,
            "updateTime": 1700000100000,
        },
        listed=lambda rows: {"success": True, "code": 0, "data": rows},
        unlisted={"success": True, "code": 0},
        contract_size="0.0001",
        size="15",
        quantity="0.0015",
        stranger=lambda row: {**row, "symbol": "NEVER_USDT"},
    ),
    VenueBodies(
        exchange="bingx",
        symbol="BTC/USDT:USDT",
        positions="/openApi/swap/v2/user/positions",
        markets=[
            (
                "GET",
                "/openApi/swap/v2/quote/contracts",
                {"code": 0, "msg": "", "data": [_BINGX_MARKET]},
            ),
            ("GET", "/openApi/cswap/v1/market/contracts", {"code": 0, "msg": "", "data": []}),
            (
                "GET",
                "/openApi/spot/v1/common/symbols",
                {"code": 0, "msg": "", "data": {"symbols": []}},
            ),
        ],
        row=lambda size: {
            "positionId": "1735",
            "symbol": "BTC-USDT",
            "currency": "USDT",
            "positionAmt": size,
            "availableAmt": size,
            "positionSide": "LONG",
            "isolated": False,
            "avgPrice": "50000.5",
            "markPrice": "51000.1",
            "initialMargin": "75",
            "leverage": 10,
            "unrealizedProfit": "12.5",
            "liquidationPrice": 45000,
            "onlyOnePosition": True,
            "updateTime": 1700000100000,
        },
        listed=lambda rows: {"code": 0, "msg": "", "data": rows},
        unlisted={"code": 0, "msg": ""},
        contract_size="1",
        size="0.015",
        quantity="0.015",
        stranger=lambda row: {**row, "symbol": "NEVER-USDT"},
    ),
)

BY_EXCHANGE = {bodies.exchange: bodies for bodies in ALL}
