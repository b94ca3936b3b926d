"""Bybit v5's orders: plain and conditional ones at the same endpoints.

Left to others: what an order does (`matching.py`), its rows (`bybit_rows.py`).
"""

from __future__ import annotations

from messages.values import OrderSide
from simulator.bybit_rows import category, order_row
from simulator.bybit_words import error, ok, page, refused
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Order, OrderSpec, Rejection, RejectReason, Slot, TimeInForce
from simulator.wire import Call, Reply, Route, Row


class BybitOrders:
    """The handlers of the order endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("POST", "/v5/order/create"): Route("order.create", self._create),
            ("POST", "/v5/order/cancel"): Route("order.cancel", self._cancel),
            ("POST", "/v5/order/cancel-all"): Route("order.cancel_all", self._cancel_all),
            ("GET", "/v5/order/realtime"): Route("order.open", self._realtime),
            ("GET", "/v5/order/history"): Route("order.history", self._history),
        }

    def _create(self, call: Call) -> Reply:
        if not call.owner.can_trade:
            return error(call, "10005", "Permission denied, please check your API key permissions.")
        if call.params.get("category") == "spot":
            return error(call, "170131", "Insufficient balance.")
        listing = self._market.find_listing(Exchange.BYBIT, call.params.get("symbol", ""))
        if listing is None or category(listing) != call.params.get("category"):
            return refused(call, Rejection(RejectReason.UNKNOWN_SYMBOL))
        placed = self._market.place(call.owner, _spec(call))
        if isinstance(placed, Rejection):
            return refused(call, placed)
        return ok(call, {"orderId": placed.id, "orderLinkId": placed.spec.client_id})

    def _cancel(self, call: Call) -> Reply:
        found = self._named(call)
        ended = self._market.cancel(call.owner, found[0] if found else None)
        if isinstance(ended, Rejection):
            return refused(call, ended)
        return ok(call, {"orderId": ended.id, "orderLinkId": ended.spec.client_id})

    def _cancel_all(self, call: Call) -> Reply:
        ended: list[Row] = []
        for order in call.owner.live_orders(call.params.get("symbol", "")):
            if not order.attached:
                self._market.cancel(call.owner, order)
                ended.append({"orderId": order.id, "orderLinkId": order.spec.client_id})
        return ok(call, {"list": ended, "success": "1"}, rows="list")

    def _named(self, call: Call) -> list[Order] | None:
        """The orders of the id that a call names, or None where it names none."""
        by_id, by_client = call.params.get("orderId"), call.params.get("orderLinkId")
        if by_id:
            order = call.owner.orders.get(by_id)
            found = [order] if order is not None else []
        elif by_client:
            found = call.owner.by_client_id.get(by_client, [])
        else:
            return None
        symbol = call.params.get("symbol")
        return [order for order in found if symbol in (None, "", order.listing.id)]

    def _realtime(self, call: Call) -> Reply:
        found = self._named(call)
        if found is None:
            symbol = call.params.get("symbol")
            books = [symbol] if symbol else list(call.owner.live)
            found = [order for book in books for order in call.owner.live_orders(book)]
        return self._orders(call, found)

    def _history(self, call: Call) -> Reply:
        named = self._named(call)
        found = list(call.owner.orders.values()) if named is None else named
        since, until = call.instant("startTime"), call.instant("endTime")
        symbol = call.params.get("symbol")
        return self._orders(
            call,
            [
                order
                for order in found
                if not order.state.live
                and symbol in (None, "", order.listing.id)
                and (since is None or order.created_at >= since)
                and (until is None or order.created_at <= until)
            ],
        )

    def _orders(self, call: Call, orders: list[Order]) -> Reply:
        params = call.params
        wanted, settle, only = (
            params.get("category"),
            params.get("settleCoin"),
            params.get("orderFilter"),
        )
        shown = [
            order
            for order in orders
            if category(order.listing) == wanted
            and settle in (None, "", order.listing.instrument.settle)
            and (not only or order.conditional is (only != "Order"))
        ]
        shown.sort(key=lambda order: order.sequence, reverse=True)
        return page(call, shown, order_row, most=50, usual=20)


def _spec(call: Call) -> OrderSpec:
    """The order that a call asks for. Raises ValueError for what cannot be read."""
    params = call.params
    quantity = call.number("qty")
    market = params.get("orderType") == "Market"
    price = None if market else call.number("price")
    if params.get("side") not in ("Buy", "Sell") or quantity is None:
        raise ValueError("side or qty invalid")
    if not market and price is None:
        raise ValueError("price invalid")
    direction = params.get("triggerDirection")
    trigger = call.number("triggerPrice")
    if trigger is not None and direction not in ("1", "2"):
        raise ValueError("triggerDirection invalid")
    buying = params["side"] == "Buy"
    return OrderSpec(
        symbol_id=params["symbol"],
        side=OrderSide.BUY if buying else OrderSide.SELL,
        quantity=quantity,
        price=price,
        time_in_force=TimeInForce(params.get("timeInForce") or "GTC"),
        reduce_only=call.flag("reduceOnly"),
        slot=Slot(call.integer("positionIdx", 0)),
        client_id=params.get("orderLinkId", ""),
        trigger_price=trigger,
        trigger_rising=None if trigger is None else direction == "1",
        take_profit=trigger is not None and (direction == "1") is not buying,
    )
