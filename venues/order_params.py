"""How each venue is told the same thing: reduce-only, immediate-or-cancel, post-only, a stop.

For it: parameters for ccxt's `create_order`. Left to others: sending. Each line that names a
venue stands where ccxt's unified parameter does not do there what it says.
"""

from __future__ import annotations

from typing import Any

from messages.values import Side
from messages.venue import OrderRequest, OrderType
from venues.client import Client
from venues.ids import to_venue
from venues.numbers import plain

_LIMITS = (OrderType.LIMIT_AGGRESSIVE, OrderType.LIMIT_MAKER)


def order_kind(client: Client, order: OrderRequest) -> str | int:
    """ccxt's order type: "market" or "limit"; MEXC's own number for immediate-or-cancel."""
    if client.facts.exchange == "mexc" and order.type is OrderType.LIMIT_AGGRESSIVE:
        return 3
    return "limit" if order.type in _LIMITS else "market"


def order_params(client: Client, order: OrderRequest) -> dict[str, Any]:
    """ccxt's parameters for an order that can only reduce its leg."""
    exchange = client.facts.exchange
    params: dict[str, Any] = {
        "clientOrderId": to_venue(exchange, order.client_order_id),
        "reduceOnly": True,
        **_leg(exchange, order),
        **_margin(client, order),
    }
    if exchange == "gate" and order.type is not OrderType.STOP_MARKET:
        # ccxt measures this id before it puts the prefix there by itself.
        params["clientOrderId"] = order.client_order_id
    if order.type is OrderType.LIMIT_AGGRESSIVE and exchange == "bitget":
        params["force"] = "ioc"
    elif order.type is OrderType.LIMIT_AGGRESSIVE and exchange != "mexc":
        # Kraken's comparison is in lower case: `IOC` would rest there as a plain limit order.
        params["timeInForce"] = "ioc" if exchange == "krakenfutures" else "IOC"
    elif order.type is OrderType.LIMIT_MAKER:
        params["postOnly"] = True
    elif order.type is OrderType.STOP_MARKET and order.trigger_price is not None:
        params["stopLossPrice"] = plain(order.trigger_price)
        if exchange == "okx":
            # Its algo orders have an id field of their own, which ccxt does not fill.
            params["algoClOrdId"] = order.client_order_id
    return params


def _leg(exchange: str, order: OrderRequest) -> dict[str, Any]:
    """Which leg is closed, where the venue must be told."""
    long = order.key.side is Side.LONG
    if exchange == "mexc":
        # 4 closes a long, 2 a short; in hedge mode ccxt has them the other way round.
        return {"side": 4 if long else 2, **({"hedged": True} if order.hedged else {})}
    if not order.hedged or exchange in ("gate", "krakenfutures", "hyperliquid"):
        # These tell the leg by the order's side and reduce-only alone.
        return {}
    if exchange == "bybit":
        # ccxt's `hedged` would leave reduceOnly out of the order.
        return {"positionIdx": 1 if long else 2}
    return {"hedged": True}


def _margin(client: Client, order: OrderRequest) -> dict[str, Any]:
    """The position's own margin mode, which some venues want repeated in what closes it."""
    known = client.margin.get(order.key, {})
    wanted = {
        "okx": ("marginMode",),
        "bitget": ("marginMode",),
        "kucoinfutures": ("marginMode", "leverage"),
        "mexc": ("marginMode", "leverage"),
    }.get(client.facts.exchange, ())
    return {name: known[name] for name in wanted if name in known}
