"""Trigger orders as ten venues document them: a stop of a long leg, each in its venue's list.

The stop would sell 0.03 bitcoin at 45000. Left to others: what is made of it.
"""

from __future__ import annotations

from typing import Any

from tests.venues.canned import Answer, CannedVenue, Seen

Json = Any

PATHS = {
    "bybit": "/v5/order/realtime",
    "binanceusdm": "/fapi/v1/openAlgoOrders",
    "okx": "/api/v5/trade/orders-algo-pending",
    "bitget": "/api/v2/mix/order/orders-plan-pending",
    "gate": "/futures/usdt/price_orders",
    "kucoinfutures": "/api/v1/stopOrders",
    "hyperliquid": "/info#frontendOpenOrders",
    "krakenfutures": "/openorders",
    "mexc": "/stoporder/open_orders",
    "bingx": "/swap/v2/trade/openOrders",
}


def listed(exchange: str, rows: list[Json]) -> Json:
    match exchange:
        case "bybit":
            return {"retCode": 0, "retMsg": "OK", "result": {"list": rows, "nextPageCursor": ""}}
        case "okx":
            return {"code": "0", "msg": "", "data": rows}
        case "bitget":
            return {"code": "00000", "data": {"entrustedList": rows, "endId": ""}}
        case "kucoinfutures":
            return {"code": "200000", "data": {"currentPage": 1, "totalPage": 1, "items": rows}}
        case "krakenfutures":
            return {"result": "success", "openOrders": rows}
        case "mexc":
            return {"success": True, "code": 0, "data": rows}
        case "bingx":
            return {"code": 0, "msg": "", "data": {"orders": rows}}
        case _:
            return rows


def install(canned: CannedVenue, exchange: str, rows: list[Json], asked: Any = None) -> None:
    method = "POST" if exchange == "hyperliquid" else "GET"

    def answer(request: Seen) -> Answer:
        shown = asked is None or request.query.get(asked[0]) == asked[1]
        return Answer(body=listed(exchange, rows if shown else []))

    if exchange == "mexc":
        canned.on("GET", "/planorder/list/orders", listed("mexc", []))
    canned.on(method, PATHS[exchange], answer)


STOPS: dict[str, dict[str, Json]] = {}
"""By exchange."""

STOPS["bybit"] = {
    "orderId": "o-1",
    "orderLinkId": "",
    "symbol": "BTCUSDT",
    "category": "linear",
    "side": "Sell",
    "qty": "0.03",
    "cumExecQty": "0",
    "orderStatus": "Untriggered",
    "triggerPrice": "45000",
    "triggerDirection": 2,
    "stopOrderType": "Stop",
    "reduceOnly": True,
    "positionIdx": 1,
    "createdTime": "1700000000000",
}
STOPS["binanceusdm"] = {
    "algoId": 2148627,
    "clientAlgoId": "c-1",
    "algoType": "CONDITIONAL",
    "orderType": "STOP_MARKET",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "positionSide": "LONG",
    "quantity": "0.03",
    "algoStatus": "NEW",
    "triggerPrice": "45000",
    "price": "0.00",
    "closePosition": False,
    "reduceOnly": True,
    "createTime": 1750514941540,
    "updateTime": 1750514941540,
}
STOPS["okx"] = {
    "algoId": "681096944655273984",
    "algoClOrdId": "",
    "clOrdId": "",
    "instId": "BTC-USDT-SWAP",
    "instType": "SWAP",
    "ordType": "conditional",
    "side": "sell",
    "posSide": "long",
    "sz": "3",
    "actualSz": "",
    "closeFraction": "",
    "slTriggerPx": "45000",
    "slOrdPx": "-1",
    "tpTriggerPx": "",
    "tpOrdPx": "",
    "triggerPx": "",
    "moveTriggerPx": "",
    "reduceOnly": "true",
    "state": "live",
    "cTime": "1708658165774",
    "uTime": "1708658165774",
}
STOPS["bitget"] = {
    "planType": "loss_plan",
    "symbol": "BTCUSDT",
    "size": "0.03",
    "orderId": "1",
    "clientOid": "2",
    "price": "0",
    "triggerPrice": "45000",
    "triggerType": "mark_price",
    "planStatus": "live",
    # In hedge mode the side names the leg: this sells.
    "side": "buy",
    "posSide": "long",
    "tradeSide": "close",
    "posMode": "hedge_mode",
    "orderType": "market",
    "stopLossTriggerPrice": "45000",
    "stopSurplusTriggerPrice": None,
    "cTime": "1739196894260",
    "uTime": "1739196894260",
}
STOPS["gate"] = {
    "initial": {
        "contract": "BTC_USDT",
        "size": -300,
        "price": "0",
        "tif": "ioc",
        "text": "api",
        "is_reduce_only": True,
        "is_close": False,
    },
    "trigger": {"strategy_type": 0, "price_type": 0, "price": "45000", "rule": 2},
    "id": 1283293,
    "user": 1234,
    "create_time": 1514764800,
    "status": "open",
    "order_type": "close-long-order",
}
STOPS["kucoinfutures"] = {
    "id": "622076e79f12700001f84138",
    "symbol": "XBTUSDTM",
    "type": "market",
    "side": "sell",
    "price": None,
    "size": 30,
    "filledSize": 0,
    "dealSize": 0,
    "stop": "down",
    "stopPriceType": "TP",
    "stopPrice": "45000",
    "closeOrder": False,
    "reduceOnly": True,
    "isActive": True,
    "cancelExist": False,
    "status": "open",
    "clientOid": None,
    "createdAt": 1646294759000,
}
STOPS["hyperliquid"] = {
    "coin": "BTC",
    "side": "A",
    "limitPx": "42000",
    "sz": "0.03",
    "origSz": "0.03",
    "oid": 123,
    "timestamp": 1737446504435,
    "triggerCondition": "Price below 45000",
    "isTrigger": True,
    "triggerPx": "45000.0",
    "children": [],
    "isPositionTpsl": False,
    "reduceOnly": True,
    "orderType": "Stop Market",
    "tif": None,
    "cloid": None,
}
STOPS["krakenfutures"] = {
    "order_id": "59302619-41d2-4f0b-941f-7e7914760ad3",
    "symbol": "PF_XBTUSD",
    "side": "sell",
    "orderType": "stop",
    "stopPrice": 45000,
    "unfilledSize": 0.03,
    "filledSize": 0,
    "receivedTime": "2019-09-05T17:01:17.410Z",
    "lastUpdateTime": "2019-09-05T17:01:17.410Z",
    "status": "untouched",
    "triggerSignal": "mark",
    "reduceOnly": True,
}
STOPS["mexc"] = {
    "id": 357859177,
    "orderId": "720733527158642176",
    "symbol": "BTC_USDT",
    "positionId": "1027177055",
    "stopLossPrice": 45000,
    "takeProfitPrice": None,
    "state": 1,
    "triggerSide": 0,
    "positionType": 1,
    "vol": 300,
    "isFinished": 0,
}
STOPS["bingx"] = {
    "symbol": "BTC-USDT",
    "orderId": 1733405587011123500,
    "side": "SELL",
    "positionSide": "LONG",
    "type": "STOP_MARKET",
    "origQty": "0.03",
    "price": "0",
    "executedQty": "0",
    "stopPrice": "45000",
    "status": "NEW",
    "time": 1702256915574,
    "updateTime": 1702256915610,
    "clientOrderId": "",
    "stopLoss": {"type": "", "quantity": 0, "stopPrice": 0, "price": 0, "workingType": ""},
    "takeProfit": {"type": "", "quantity": 0, "stopPrice": 0, "price": 0, "workingType": ""},
}
