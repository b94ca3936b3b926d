"""Messages of the private streams, as documented and damaged. Left to others: who hears them."""

from __future__ import annotations

from typing import Any

from simulator import Exchange
from tests.venues.simulated import FIRST_ID


def bybit_order(**changes: Any) -> dict[str, Any]:
    """A row of the topic `order` as Bybit's documentation has it, for a linear perpetual."""
    row = {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderId": "5cf98598-39a7-459e-97bf-76ca765ee020",
        "orderLinkId": FIRST_ID,
        "side": "Sell",
        "orderType": "Market",
        "orderStatus": "Rejected",
        "rejectReason": "EC_NoImmediateQtyToFill",
        "cancelType": "UNKNOWN",
        "price": "0",
        "qty": "0.2",
        "leavesQty": "0",
        "cumExecQty": "0",
        "cumExecValue": "0",
        "avgPrice": "",
        "positionIdx": 0,
        "reduceOnly": True,
        "updatedTime": "1672364262457",
    }
    return {**row, **changes}


def bybit_message(*rows: Any) -> dict[str, Any]:
    return {
        "id": "5923240c6880ab",
        "topic": "order",
        "creationTime": 1672364262474,
        "data": [*rows],
    }


def binance_message(**changes: Any) -> dict[str, Any]:
    """ORDER_TRADE_UPDATE as Binance's documentation has it."""
    order = {
        "s": "BTCUSDT",
        "c": FIRST_ID,
        "S": "SELL",
        "o": "MARKET",
        "f": "GTC",
        "q": "0.2",
        "p": "0",
        "ap": "0",
        "sp": "0",
        "x": "REJECTED",
        "X": "REJECTED",
        "i": 8886774,
        "l": "0",
        "z": "0",
        "L": "0",
        "T": 1568879465651,
        "t": 0,
        "R": True,
        "ps": "BOTH",
        "cp": False,
        "rp": "0",
    }
    body = {**order, **changes}
    return {"e": "ORDER_TRADE_UPDATE", "E": 1568879465651, "T": 1568879465650, "o": body}


def algo_message(**changes: Any) -> dict[str, Any]:
    """ALGO_UPDATE as Binance's documentation has it."""
    order = {
        "caid": FIRST_ID,
        "aid": 2148719,
        "at": "CONDITIONAL",
        "o": "STOP_MARKET",
        "s": "BTCUSDT",
        "S": "SELL",
        "ps": "BOTH",
        "f": "GTC",
        "q": "0.2",
        "X": "FINISHED",
        "ai": "8886774",
        "ap": "60000",
        "aq": "0.2",
        "tp": "60100",
        "R": True,
    }
    body = {**order, **changes}
    return {"e": "ALGO_UPDATE", "E": 1750515742303, "T": 1750515742297, "o": body}


DOCUMENTED = {
    Exchange.BYBIT: [
        (bybit_message(bybit_order()), ("rejected", "0")),
        (
            bybit_message(bybit_order(orderStatus="PartiallyFilled", cumExecQty="0.1")),
            ("open", "0.1"),
        ),
        (
            bybit_message(bybit_order(orderStatus="PartiallyFilledCanceled", cumExecQty="0.1")),
            ("canceled", "0.1"),
        ),
        (bybit_message(bybit_order(orderStatus="Deactivated")), ("canceled", "0")),
        (bybit_message(bybit_order(orderStatus="Untriggered")), ("open", "0")),
    ],
    Exchange.BINANCE: [
        (binance_message(), ("rejected", "0")),
        (binance_message(X="PARTIALLY_FILLED", z="0.1"), ("open", "0.1")),
        (binance_message(X="EXPIRED_IN_MATCH", z="0.1"), ("expired", "0.1")),
        (algo_message(), ("filled", "0.2")),
        (algo_message(aq="0.1"), ("canceled", "0.1")),
        (algo_message(X="TRIGGERED", aq=""), ("open", "0")),
        (algo_message(X="REJECTED", aq="0.0"), ("rejected", "0.0")),
    ],
}


_ANY: list[Any] = ["", "{", "null", "[]", "7", '"ok"', "[" * 100_000, "pong", "\u0000"]
DAMAGED: dict[Exchange, list[Any]] = {
    Exchange.BYBIT: [
        *_ANY,
        {"topic": "order"},
        {"topic": "order", "data": None},
        {"topic": "order", "data": "junk"},
        {"topic": "position", "data": {"size": 1}},
        bybit_message("junk", None, 5, []),
        bybit_message(bybit_order(symbol="NEVERUSDT")),
        bybit_message(bybit_order(symbol={"a": []})),
        # A spot order of the same name is no order of this perpetual.
        bybit_message(bybit_order(category="spot")),
        bybit_message(bybit_order(orderStatus="Dreaming")),
        bybit_message(bybit_order(orderStatus=["Filled"])),
        bybit_message(bybit_order(cumExecQty="much")),
        bybit_message(bybit_order(cumExecQty="1e999999", qty="NaN")),
        bybit_message(bybit_order(orderId=None)),
        bybit_message({"symbol": "BTCUSDT", "category": "linear"}),
        {"topic": "position", "data": [{"symbol": "BTCUSDT", "size": "1e999999", "side": "Buy"}]},
    ],
    Exchange.BINANCE: [
        *_ANY,
        {"e": "ORDER_TRADE_UPDATE"},
        {"e": "ORDER_TRADE_UPDATE", "o": None},
        {"e": "ORDER_TRADE_UPDATE", "o": [{}]},
        {"e": "ALGO_UPDATE", "o": "junk"},
        {"e": "ACCOUNT_UPDATE", "a": {"P": 5}},
        {"e": "ACCOUNT_UPDATE", "a": {"P": {"s": "BTCUSDT"}}},
        {"e": "ACCOUNT_UPDATE", "a": {"P": ["junk", {"s": "BTCUSDT", "pa": "x", "ps": "BOTH"}]}},
        {"e": ["x"]},
        binance_message(s="NEVERUSDT"),
        binance_message(X="DREAMING"),
        binance_message(X=None),
        binance_message(z="much"),
        binance_message(z=None),
        binance_message(i=None),
        # What it filled was left out, so that nothing can be said of it.
        algo_message(aq=None),
    ],
}
