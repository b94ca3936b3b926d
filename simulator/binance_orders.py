"""Binance USD-M's orders: plain ones, and conditional ones, which live at algo endpoints only.

Left to others: what an order does (`matching.py`), its rows (`binance_rows.py`).
"""

from __future__ import annotations

from decimal import Decimal

from messages.values import ZERO, OrderSide
from simulator.binance_rows import algo_row, order_row
from simulator.binance_words import error, refused
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Order, OrderSpec, Rejection, Slot, TimeInForce
from simulator.wire import Call, Reply, Route

SLOTS = {"": Slot.BOTH, "BOTH": Slot.BOTH, "LONG": Slot.LONG, "SHORT": Slot.SHORT}
IN_FORCE = {
    "": TimeInForce.GTC,
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTX": TimeInForce.POST_ONLY,
}
CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")


class BinanceOrders:
    """The handlers of the order endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("POST", "/fapi/v1/order"): Route("order.create", self._create),
            ("GET", "/fapi/v1/order"): Route("order.find", self._get),
            ("DELETE", "/fapi/v1/order"): Route("order.cancel", self._cancel),
            ("GET", "/fapi/v1/openOrders"): Route("order.open", self._open),
            ("DELETE", "/fapi/v1/allOpenOrders"): Route("order.cancel_all", self._cancel_all),
            ("GET", "/fapi/v1/allOrders"): Route("order.history", self._all, weight=5),
            ("POST", "/fapi/v1/algoOrder"): Route("algo.create", self._create_algo),
            ("GET", "/fapi/v1/algoOrder"): Route("algo.find", self._get_algo),
            ("DELETE", "/fapi/v1/algoOrder"): Route("algo.cancel", self._cancel_algo),
            ("GET", "/fapi/v1/openAlgoOrders"): Route("algo.open", self._open_algo),
            ("GET", "/fapi/v1/allAlgoOrders"): Route("algo.history", self._all_algo, weight=5),
        }

    def _create(self, call: Call) -> Reply:
        if not call.owner.can_trade:
            return error("-2015", "Invalid API-key, IP, or permissions for action.", 401)
        if call.params.get("type") in CONDITIONAL:
            return error("-4120", "Order type not supported for this endpoint. Use Algo Order API.")
        placed = self._market.place(call.owner, _spec(call))
        return refused(placed) if isinstance(placed, Rejection) else Reply(order_row(placed))

    def _create_algo(self, call: Call) -> Reply:
        if not call.owner.can_trade:
            return error("-2015", "Invalid API-key, IP, or permissions for action.", 401)
        if call.params.get("type") not in CONDITIONAL or not call.params.get("triggerPrice"):
            raise ValueError("malformed: type, triggerPrice")
        placed = self._market.place(call.owner, _spec(call))
        return refused(placed) if isinstance(placed, Rejection) else Reply(algo_row(placed))

    def _find(self, call: Call, *, conditional: bool) -> Order | None:
        by_id = call.params.get("algoId" if conditional else "orderId")
        by_client = call.params.get("clientAlgoId" if conditional else "origClientOrderId")
        if by_id:
            order = call.owner.orders.get(by_id)
            found = [order] if order is not None else []
        elif by_client:
            found = call.owner.by_client_id.get(by_client, [])
        else:
            raise ValueError("malformed: an order id")
        symbol = call.params.get("symbol")
        fitting = [
            order
            for order in found
            if order.conditional is conditional and symbol in (None, "", order.listing.id)
        ]
        return fitting[-1] if fitting else None

    def _get(self, call: Call) -> Reply:
        order = self._find(call, conditional=False)
        return error("-2013", "Order does not exist.") if order is None else Reply(order_row(order))

    def _get_algo(self, call: Call) -> Reply:
        order = self._find(call, conditional=True)
        return error("-2013", "Order does not exist.") if order is None else Reply(algo_row(order))

    def _cancel(self, call: Call) -> Reply:
        ended = self._market.cancel(call.owner, self._find(call, conditional=False))
        return refused(ended) if isinstance(ended, Rejection) else Reply(order_row(ended))

    def _cancel_algo(self, call: Call) -> Reply:
        ended = self._market.cancel(call.owner, self._find(call, conditional=True))
        if isinstance(ended, Rejection):
            return refused(ended)
        row = algo_row(ended)
        kept = {"algoId": row["algoId"], "clientAlgoId": row["clientAlgoId"]}
        return Reply({**kept, "code": "200", "msg": "success"})

    def _cancel_all(self, call: Call) -> Reply:
        for order in self._live(call, conditional=False):
            self._market.cancel(call.owner, order)
        message = "The operation of cancel all open order is done."
        return Reply({"code": 200, "msg": message})

    def _live(self, call: Call, *, conditional: bool) -> list[Order]:
        symbol = call.params.get("symbol")
        books = [symbol] if symbol else list(call.owner.live)
        live = [order for book in books for order in call.owner.live_orders(book)]
        fitting = [order for order in live if order.conditional is conditional]
        return sorted(fitting, key=lambda order: order.sequence)

    def _open(self, call: Call) -> Reply:
        return Reply([order_row(it) for it in self._live(call, conditional=False)], rows=())

    def _open_algo(self, call: Call) -> Reply:
        return Reply([algo_row(it) for it in self._live(call, conditional=True)], rows=())

    def _past(self, call: Call, *, conditional: bool) -> list[Order]:
        symbol = call.params.get("symbol", "")
        if self._market.find_listing(Exchange.BINANCE, symbol) is None:
            raise ValueError("malformed: symbol")
        since, until = call.instant("startTime"), call.instant("endTime")
        limit = min(max(1, call.integer("limit", 500)), 1000)
        found = [
            order
            for order in call.owner.orders.values()
            if order.listing.id == symbol
            and order.conditional is conditional
            and (since is None or order.created_at >= since)
            and (until is None or order.created_at <= until)
        ]
        return found[-limit:] if since is None else found[:limit]

    def _all(self, call: Call) -> Reply:
        return Reply([order_row(it) for it in self._past(call, conditional=False)], rows=())

    def _all_algo(self, call: Call) -> Reply:
        return Reply([algo_row(it) for it in self._past(call, conditional=True)], rows=())


def _spec(call: Call) -> OrderSpec:
    """The order that a call asks for. Raises ValueError for what cannot be read."""
    params = call.params
    kind = params.get("type", "")
    side, slot = params.get("side"), SLOTS.get(params.get("positionSide", ""))
    in_force = IN_FORCE.get(params.get("timeInForce", ""))
    whole, quantity = call.flag("closePosition"), call.number("quantity")
    if side not in ("BUY", "SELL") or slot is None or in_force is None:
        raise ValueError("malformed: side, positionSide or timeInForce")
    if (quantity is None) is not whole:
        raise ValueError("malformed: quantity")
    market = kind in ("MARKET", "STOP_MARKET", "TAKE_PROFIT_MARKET")
    price = None if market else call.number("price")
    if not market and price is None:
        raise ValueError("malformed: price")
    trigger = call.number("triggerPrice") if kind in CONDITIONAL else None
    profit = kind.startswith("TAKE_PROFIT")
    client_id = params.get("clientAlgoId" if kind in CONDITIONAL else "newClientOrderId", "")
    return OrderSpec(
        symbol_id=params.get("symbol", ""),
        side=OrderSide.BUY if side == "BUY" else OrderSide.SELL,
        quantity=_held(call, slot) if quantity is None else quantity,
        price=price,
        time_in_force=in_force,
        reduce_only=call.flag("reduceOnly"),
        close_position=whole,
        slot=slot,
        client_id=client_id,
        trigger_price=trigger,
        trigger_rising=None if trigger is None else (side == "BUY") is not profit,
        take_profit=profit,
    )


def _held(call: Call, slot: Slot) -> Decimal:
    position = call.owner.position(call.params.get("symbol", ""), slot)
    return ZERO if position is None else abs(position.size)
