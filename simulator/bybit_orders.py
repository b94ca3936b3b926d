"""Bybit v5's orders: plain, conditional and attached ones at the same endpoints, and batches.

Left to others: what an order asks for (`bybit_spec.py`), what it does (`matching.py`), its rows
(`bybit_order_rows.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from simulator.bybit_order_rows import NO_ORDERS, order_row, order_status
from simulator.bybit_positions import window
from simulator.bybit_rows import category
from simulator.bybit_spec import amended_spec, check_attached, order_spec
from simulator.bybit_words import MISSING_SCOPE, category_of, ok, page, words_of
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import Order, Rejection, RejectReason, State
from simulator.wire import Call, Refusal, Reply, Route, Row, batch_of, ms

MOST_ACTIVE = 500
MOST_CONDITIONAL = 10
MOST_IN_BATCH = 20
CLOSED_SHOWN = 500
"""How many ended orders `openOnly=1` shows at most."""
FILTERS = ("", "Order", "StopOrder", "OpenOrder", "tpslOrder", "OcoOrder", "BidirectionalTpslOrder")


class BybitOrders:
    """The handlers of the order endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("POST", "/v5/order/create"): Route("order.create", self._create),
            ("POST", "/v5/order/amend"): Route("order.amend", self._amend),
            ("POST", "/v5/order/cancel"): Route("order.cancel", self._cancel),
            ("POST", "/v5/order/cancel-all"): Route("order.cancel_all", self._cancel_all),
            ("POST", "/v5/order/create-batch"): Route("order.create_batch", self._create_batch),
            ("POST", "/v5/order/amend-batch"): Route("order.amend_batch", self._amend_batch),
            ("POST", "/v5/order/cancel-batch"): Route("order.cancel_batch", self._cancel_batch),
            ("POST", "/v5/order/pre-check"): Route("order.check", self._pre_check),
            ("GET", "/v5/order/realtime"): Route("order.open", self._realtime),
            ("GET", "/v5/order/history"): Route("order.history", self._history),
        }

    def _create(self, call: Call) -> Reply:
        return ok(call, _ids(self._placed(call)))

    def _placed(self, call: Call) -> Order:
        """The order that a call makes. Raises Refusal where it makes none."""
        _may_trade(call)
        if call.params.get("category") == "spot":
            raise Refusal("170131", "Insufficient balance.")
        listing = self._listed(call)
        spec = order_spec(call, listing, self._market.prices)
        live = call.owner.live_orders(listing.id)
        if spec.conditional:
            stops = sum(it.conditional and not it.attached for it in live)
            if stops >= MOST_CONDITIONAL:
                message = "The number of stop orders exceeds the maximum allowable limit"
                raise Refusal("110009", message)
        elif sum(not it.conditional for it in live) >= MOST_ACTIVE:
            raise Refusal("110020", "Not allowed to have more than 500 active orders.")
        placed = self._market.place(call.owner, spec)
        if isinstance(placed, Rejection):
            raise Refusal(*words_of(placed, falling=spec.trigger_rising is False))
        return placed

    def _listed(self, call: Call) -> Listing:
        listing = self._market.find_listing(Exchange.BYBIT, call.params.get("symbol", ""))
        if listing is None or category(listing) != category_of(call):
            raise Refusal(*words_of(Rejection(RejectReason.UNKNOWN_SYMBOL)))
        return listing

    def _amend(self, call: Call) -> Reply:
        return ok(call, _ids(self._amended(call)))

    def _amended(self, call: Call) -> Order:
        _may_trade(call)
        order = self._named(call)
        if order is None or not order.state.live:
            raise Refusal("110001", "order not exists or too late to replace")
        asked = amended_spec(call, order.spec, order.quantity)
        if asked.quantity <= order.filled:
            raise Refusal("10001", "params error: qty is not above what has been filled")
        check_attached(asked, order.listing, self._market.prices)
        revised = self._market.revise(call.owner, order, asked)
        if isinstance(revised, Rejection):
            raise Refusal(*words_of(revised, falling=asked.trigger_rising is False))
        return revised

    def _cancel(self, call: Call) -> Reply:
        return ok(call, _ids(self._canceled(call)))

    def _canceled(self, call: Call) -> Order:
        _may_trade(call)
        if not call.params.get("symbol"):
            raise Refusal("10001", "params error: symbol invalid")
        ended = self._market.cancel(call.owner, self._named(call))
        if isinstance(ended, Rejection):
            raise Refusal(*words_of(ended))
        return ended

    def _cancel_all(self, call: Call) -> Reply:
        """Everything in the scope that is named, attached stops too unless filtered out."""
        _may_trade(call)
        params, wanted = call.params, category_of(call)
        symbol, base = params.get("symbol"), params.get("baseCoin")
        settle, only = params.get("settleCoin"), params.get("orderFilter", "")
        if not (symbol or base or settle):
            raise Refusal(*MISSING_SCOPE)
        if only not in FILTERS:
            raise Refusal("10001", "params error: orderFilter invalid")
        ended: list[Row] = []
        for book in [symbol] if symbol else list(call.owner.live):
            for order in call.owner.live_orders(book):
                plain_stop = order.conditional and not order.attached
                if (
                    category(order.listing) != wanted
                    # By base coin the whole category goes, says the documentation.
                    or (settle and not symbol and settle != order.listing.instrument.settle)
                    or (only in ("Order", "OpenOrder") and order.conditional)
                    or (only == "StopOrder" and not order.conditional)
                    or (params.get("stopOrderType") == "Stop" and not plain_stop)
                ):
                    continue
                self._market.cancel(call.owner, order)
                ended.append(_ids(order))
        return ok(call, {"list": ended, "success": "1"}, rows="list")

    def _create_batch(self, call: Call) -> Reply:
        def create(each: Call) -> Row:
            order = self._placed(each)
            return {**_ids(order), "createAt": str(ms(order.created_at))}

        return self._batch(call, create, {"createAt": ""})

    def _amend_batch(self, call: Call) -> Reply:
        return self._batch(call, lambda each: _ids(self._amended(each)), {})

    def _cancel_batch(self, call: Call) -> Reply:
        return self._batch(call, lambda each: _ids(self._canceled(each)), {})

    def _batch(self, call: Call, act: Callable[[Call], Row], nothing: Row) -> Reply:
        """Do each request by itself: `retExtInfo` says in the same order how it went."""
        _may_trade(call)
        named = category_of(call)
        requests = batch_of(call.params.get("request", ""))
        if not 0 < len(requests) <= MOST_IN_BATCH:
            raise Refusal("10001", "params error: request must hold 1 to 20 orders")
        done: list[Row] = []
        codes: list[Row] = []
        for params in requests:
            head: Row = {"category": named, "symbol": params.get("symbol", "")}
            try:
                told = act(replace(call, params=params | {"category": named}))
                codes.append({"code": 0, "msg": "OK"})
            except ValueError as refusal:
                client_id = params.get("orderLinkId", "")
                told = {"orderId": params.get("orderId", ""), "orderLinkId": client_id, **nothing}
                code = refusal.code if isinstance(refusal, Refusal) else "10001"
                codes.append({"code": int(code), "msg": str(refusal)})
            done.append(head | told)
        reply = ok(call, {"list": done}, rows="list")
        if isinstance(reply.body, dict):
            reply.body["retExtInfo"] = {"list": codes}
        return reply

    def _pre_check(self, call: Call) -> Reply:
        """What an order would do to the margin rates; no order is made of it."""
        _may_trade(call)
        order_spec(call, self._listed(call), self._market.prices)
        ids: Row = {"orderId": "", "orderLinkId": call.params.get("orderLinkId", "")}
        return ok(call, {**ids, "preImrE4": 0, "preMmrE4": 0, "postImrE4": 0, "postMmrE4": 0})

    def _found(self, call: Call) -> list[Order] | None:
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
        return [it for it in found if symbol in (None, "", it.listing.id)]

    def _named(self, call: Call) -> Order | None:
        """The order that a call must name; None where there is no such order."""
        found = self._found(call)
        if found is None:
            raise Refusal("10001", "params error: orderId or orderLinkId is required")
        return found[0] if found else None

    def _realtime(self, call: Call) -> Reply:
        params, owner = call.params, call.owner
        symbol = params.get("symbol")
        scope = symbol or params.get("baseCoin") or params.get("settleCoin")
        if category_of(call) == "linear" and not scope:
            raise Refusal(*MISSING_SCOPE)
        found = self._found(call)
        if found is None and params.get("openOnly") == "1":
            ended = (it for it in reversed(owner.orders.values()) if not it.state.live)
            found = list(islice(ended, CLOSED_SHOWN))
        elif found is None:
            books = [symbol] if symbol else list(owner.live)
            found = [order for book in books for order in owner.live_orders(book)]
        return self._orders(call, found)

    def _history(self, call: Call) -> Reply:
        named = self._found(call)
        if named is not None:
            return self._orders(call, [it for it in named if not it.state.live])
        since, until = window(call)
        status = call.params.get("orderStatus")
        return self._orders(
            call,
            [
                order
                for order in call.told(call.owner.orders.values(), lambda it: it.created_at)
                if not order.state.live
                and since <= order.created_at <= until
                and status in (None, "", order_status(order))
            ],
        )

    def _orders(self, call: Call, orders: list[Order]) -> Reply:
        params, wanted = call.params, category_of(call)
        symbol, base = params.get("symbol"), params.get("baseCoin")
        settle, only = params.get("settleCoin"), params.get("orderFilter")
        shown = [
            order
            for order in orders
            if category(order.listing) == wanted
            and order.kind not in NO_ORDERS
            and order.state is not State.TRIGGERED
            and symbol in (None, "", order.listing.id)
            and base in (None, "", order.listing.instrument.base)
            and settle in (None, "", order.listing.instrument.settle)
            and (not only or order.conditional is (only != "Order"))
        ]
        shown.sort(key=lambda order: order.sequence, reverse=True)
        return page(call, shown, order_row, most=50, usual=20)


def _ids(order: Order) -> Row:
    return {"orderId": order.id, "orderLinkId": order.spec.client_id}


def _may_trade(call: Call) -> None:
    if not call.owner.can_trade:
        raise Refusal("10005", "Permission denied, please check your API key permissions.")
