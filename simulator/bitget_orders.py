"""Bitget v2's plain orders: place, cancel, record, lists, batches, and closing at once.

Left to others: orders that wait for their price (`bitget_plans.py`), what a request asks for
(`bitget_spec.py`), rows (`bitget_order_rows.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from messages.values import OrderSide
from simulator.bitget_account import WEEK, named_listing
from simulator.bitget_order_rows import client_id, detail_row, listed_row
from simulator.bitget_rows import closable, is_of
from simulator.bitget_spec import order_spec
from simulator.bitget_words import (
    NOT_IN_DETAIL,
    NOT_TO_CANCEL,
    may_trade,
    ok,
    page,
    product_of,
    refused,
    window,
    words_of,
)
from simulator.market import Market
from simulator.state import Order, OrderSpec, Rejection, RejectReason, Slot
from simulator.wire import Call, Refusal, Reply, Route, Row, batch_of

MOST_IN_BATCH = 50


def found(call: Call, *, conditional: bool) -> list[Order] | None:
    """The orders that a call names by `orderId` or `clientOid`; None where it names none.

    What a plan became has an id of its own, and is not found by the plan's.
    """
    params, owner = call.params, call.owner
    named = params.get("symbol", "").upper()
    if order_id := params.get("orderId"):
        orders = [owner.orders[order_id]] if order_id in owner.orders else []
    elif own := params.get("clientOid"):
        orders = [it for it in owner.by_client_id.get(own, []) if not it.came_of]
        # An id may come again once its order has ended: the last one is meant.
        orders = orders[::-1]
    else:
        return None
    return [it for it in orders if it.conditional is conditional and named in ("", it.listing.id)]


def ids(order: Order) -> Row:
    return {"orderId": order.id, "clientOid": client_id(order)}


class BitgetOrders:
    """The handlers of the plain orders' endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        at = "/api/v2/mix/order"
        return {
            ("POST", f"{at}/place-order"): Route("order.create", self._place),
            ("POST", f"{at}/batch-place-order"): Route("order.create_batch", self._place_batch),
            ("POST", f"{at}/cancel-order"): Route("order.cancel", self._cancel),
            ("POST", f"{at}/batch-cancel-orders"): Route("order.cancel_batch", self._cancel_batch),
            ("POST", f"{at}/cancel-all-orders"): Route("order.cancel_all", self._cancel_batch),
            ("POST", f"{at}/close-positions"): Route("position.close", self._close),
            ("GET", f"{at}/detail"): Route("order.find", self._detail),
            ("GET", f"{at}/orders-pending"): Route("order.open", self._pending),
            ("GET", f"{at}/orders-history"): Route("order.history", self._history),
        }

    def _place(self, call: Call) -> Reply:
        return ok(call, ids(self._placed(call)))

    def _placed(self, call: Call) -> Order:
        """The order that a call makes. Raises Refusal where it makes none."""
        may_trade(call)
        listing = named_listing(self._market, call)
        return self._sent(call, order_spec(call, listing))

    def _sent(self, call: Call, spec: OrderSpec) -> Order:
        held = call.owner.position(spec.symbol_id, spec.slot)
        closes = spec.slot is not Slot.BOTH and spec.reduce_only
        if closes and (held is None or closable(call.owner, held) <= 0):
            raise refused(RejectReason.NO_POSITION)
        placed = self._market.place(call.owner, spec)
        if isinstance(placed, Rejection):
            raise Refusal(*words_of(placed))
        return placed

    def _cancel(self, call: Call) -> Reply:
        return ok(call, ids(self._canceled(call)))

    def _canceled(self, call: Call) -> Order:
        may_trade(call)
        named_listing(self._market, call)
        orders = found(call, conditional=False)
        if orders is None:
            raise Refusal("40019", "Parameter orderId cannot be empty")
        if not orders:
            raise Refusal(*NOT_TO_CANCEL)
        ended = self._market.cancel(call.owner, orders[0])
        if isinstance(ended, Rejection):
            raise Refusal(*words_of(ended))
        return ended

    def _place_batch(self, call: Call) -> Reply:
        each = batch_of(call.params.get("orderList", ""))
        return self._batch(call, each, self._placed)

    def _cancel_batch(self, call: Call) -> Reply:
        """Those that are named, or all of the product type, or of a symbol of it."""
        may_trade(call)
        each = batch_of(call.params.get("orderIdList", ""))
        if not each:
            named, symbol = product_of(call), call.params.get("symbol", "").upper()
            each = [
                {"symbol": it.listing.id, "orderId": it.id}
                for book in ([symbol] if symbol else list(call.owner.live))
                for it in call.owner.live_orders(book)
                if not it.conditional and is_of(it.listing, named)
            ]
        return self._batch(call, each, self._canceled)

    def _batch(self, call: Call, each: list[dict[str, str]], act: Callable[[Call], Order]) -> Reply:
        if len(each) > MOST_IN_BATCH:
            raise Refusal("40306", "Batch processing orders can only process up to 50")
        done: list[Row] = []
        failed: list[Row] = []
        common = {name: it for name, it in call.params.items() if not name.endswith("List")}
        for params in each:
            try:
                order = act(replace(call, params=common | params))
                done.append(ids(order))
            except Refusal as refusal:
                failed.append(
                    {
                        "orderId": params.get("orderId", ""),
                        "clientOid": params.get("clientOid", ""),
                        "errorMsg": refusal.message,
                        "errorCode": refusal.code,
                    }
                )
        return ok(call, {"successList": done, "failureList": failed})

    def _close(self, call: Call) -> Reply:
        """Close at the market's price: a symbol's positions, or a leg of them, or all."""
        may_trade(call)
        named, symbol = product_of(call), call.params.get("symbol", "").upper()
        leg = call.params.get("holdSide", "").lower()
        done: list[Row] = []
        failed: list[Row] = []
        for held in list(call.owner.positions.values()):
            side = held.side
            if side is None or not is_of(held.listing, named):
                continue
            if symbol not in ("", held.listing.id) or leg not in ("", side.value):
                continue
            spec = OrderSpec(
                symbol_id=held.listing.id,
                side=OrderSide(side.closing),
                quantity=abs(held.size),
                reduce_only=True,
                slot=held.slot,
            )
            try:
                done.append(ids(self._sent(call, spec)) | {"symbol": held.listing.id})
            except Refusal as refusal:
                words = {"errorMsg": refusal.message, "errorCode": refusal.code}
                failed.append({"orderId": "", "clientOid": "", "symbol": held.listing.id, **words})
        if not done and not failed:
            raise refused(RejectReason.NO_POSITION)
        return ok(call, {"successList": done, "failureList": failed})

    def _detail(self, call: Call) -> Reply:
        named_listing(self._market, call)
        orders = found(call, conditional=False)
        if orders is None:
            raise Refusal("40019", "Parameter orderId cannot be empty")
        if not orders:
            raise Refusal(*NOT_IN_DETAIL)
        return ok(call, detail_row(orders[0], call.owner))

    def _pending(self, call: Call) -> Reply:
        return self._orders(call, live=True)

    def _history(self, call: Call) -> Reply:
        return self._orders(call, live=False)

    def _orders(self, call: Call, *, live: bool) -> Reply:
        owner, named = call.owner, product_of(call)
        symbol = call.params.get("symbol", "").upper()
        since, until = window(call, WEEK)
        asked = found(call, conditional=False)
        among = list(owner.orders.values()) if asked is None else asked
        shown = [
            it
            for it in call.told(among, lambda it: it.created_at)
            if it.state.live is live
            and not it.conditional
            and is_of(it.listing, named)
            and symbol in ("", it.listing.id)
            # What rests is listed whole; only the record of what has ended has an end.
            and (live or since <= it.created_at <= until)
        ]
        shown.sort(key=lambda it: it.sequence, reverse=True)
        return page(call, shown, lambda it: listed_row(it, owner), lambda it: it.id)
