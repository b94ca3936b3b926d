"""Gate's orders: one by one and in batches, their records, changes and cancels.

Left to others: price-triggered orders (`gate_triggers.py`), what a request asks for
(`gate_spec.py`), what an order does (`matching.py`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from messages.values import OrderSide
from simulator.gate_order_rows import order_row
from simulator.gate_public import instant
from simulator.gate_rows import seconds
from simulator.gate_spec import answered, belongs, named_listing, page_of, read_order
from simulator.gate_words import error, invalid, not_found, read_only, refused
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Order, OrderSpec, Rejection, RejectReason, TimeInForce
from simulator.wire import Call, Reply, Route, Row, flat

MOST_IN_BATCH = 10
MOST_CANCELED = 20
TEXT_KEPT = timedelta(seconds=60)
"""For how long an order that ended unfilled is found by its `text`; a filled one is for ever."""
UNFILLED_KEPT = timedelta(minutes=10)
"""For how long an order that ended unfilled is found at all."""


class GateOrders:
    """The handlers of the order endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        found: dict[tuple[str, str], Route] = {}
        for root in ("/futures/{settle}", "/delivery/{settle}"):
            found |= {
                ("POST", f"{root}/orders"): Route("order.create", self._create),
                ("GET", f"{root}/orders"): Route("order.history", self._list),
                ("DELETE", f"{root}/orders"): Route("order.cancel_all", self._cancel_all),
                ("GET", f"{root}/orders/{{order_id}}"): Route("order.find", self._get),
                ("DELETE", f"{root}/orders/{{order_id}}"): Route("order.cancel", self._cancel),
            }
        root = "/futures/{settle}"
        return found | {
            ("PUT", f"{root}/orders/{{order_id}}"): Route("order.amend", self._amend),
            ("GET", f"{root}/orders_timerange"): Route("order.history", self._of_range),
            ("POST", f"{root}/batch_orders"): Route("order.create_batch", self._create_batch),
            ("POST", f"{root}/batch_cancel_orders"): Route(
                "order.cancel_batch", self._cancel_batch
            ),
        }

    def _create(self, call: Call) -> Reply:
        placed = self._place(call)
        if isinstance(placed, Reply):
            return placed
        return answered(call, order_row(placed, call.owner), status=201)

    def _place(self, call: Call) -> Order | Reply:
        if (refusal := read_only(call)) is not None:
            return refusal
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        spec = read_order(call, listing)
        if isinstance(spec, Reply):
            return spec
        if self._takes(spec):
            return refused(Rejection(RejectReason.WOULD_TAKE, "order would match at once"))
        placed = self._market.place(call.owner, spec)
        return refused(placed) if isinstance(placed, Rejection) else placed

    def _takes(self, spec: OrderSpec) -> bool:
        """Whether a post-only order would take: Gate refuses it outright."""
        self._market.tick()
        listing = self._market.find_listing(Exchange.GATE, spec.symbol_id)
        if spec.price is None or spec.time_in_force is not TimeInForce.POST_ONLY or not listing:
            return False
        prices = self._market.prices
        if spec.side is OrderSide.BUY:
            return spec.price >= prices.ask(listing)
        return spec.price <= prices.bid(listing)

    def _create_batch(self, call: Call) -> Reply:
        """Each member as a call of its own; a refusal stands in its place."""
        try:
            members = msgspec.json.decode(call.params.get("batch", ""), type=list[msgspec.Raw])
        except msgspec.MsgspecError:
            return error("INVALID_REQUEST_BODY", "a list of orders is expected")
        if not 1 <= len(members) <= MOST_IN_BATCH:
            return invalid(f"1 to {MOST_IN_BATCH} orders")
        rows: list[Row] = []
        for member in members:
            params = flat(bytes(member))
            own = replace(call, params=params | {"settle": call.params["settle"]})
            placed = self._place(own)
            if isinstance(placed, Order):
                rows.append({"succeeded": True, **order_row(placed, call.owner)})
            elif isinstance(placed.body, dict):
                told = placed.body
                text = params.get("text", "")
                failed: Row = {"succeeded": False, "label": told["label"], "text": text}
                rows.append(failed | {"detail": told["message"]})
        return answered(call, rows)

    def _find(self, call: Call) -> Order | None:
        """The order that a call names by its number or by its `text`."""
        named = call.params.get("order_id", "")
        if named.startswith("t-"):
            known = call.owner.by_client_id.get(named, [])
        else:
            known = [it for it in (call.owner.orders.get(named),) if it is not None]
        kept = TEXT_KEPT if named.startswith("t-") else UNFILLED_KEPT
        found = [
            it
            for it in known
            if not it.conditional and belongs(it.listing, call) and _kept(it, call.at, kept)
        ]
        return found[-1] if found else None

    def _get(self, call: Call) -> Reply:
        order = self._find(call)
        return not_found() if order is None else answered(call, order_row(order, call.owner))

    def _cancel(self, call: Call) -> Reply:
        if (refusal := read_only(call)) is not None:
            return refusal
        order = self._find(call)
        if order is None:
            return not_found()
        if not order.state.live:
            return error("ORDER_FINISHED", "order finished")
        self._market.cancel(call.owner, order)
        return answered(call, order_row(order, call.owner))

    def _amend(self, call: Call) -> Reply:
        """`size` is the new size of the whole order, signed as it was."""
        if (refusal := read_only(call)) is not None:
            return refusal
        order, size, price = self._find(call), call.number("size"), call.number("price")
        if order is None:
            return not_found()
        if not order.state.live:
            return error("ORDER_FINISHED", "order finished")
        if size is not None and (size > 0) is not (order.spec.side is OrderSide.BUY):
            return invalid("size")
        quantity = None if size is None else abs(size)
        changed = self._market.amend(call.owner, order, quantity=quantity, price=price)
        if isinstance(changed, Rejection):
            return refused(changed)
        if call.params.get("amend_text"):
            words = dict(order.spec.words) | {"amend_text": call.params["amend_text"]}
            order.spec = replace(order.spec, words=words)
        return answered(call, order_row(order, call.owner))

    def _live(self, call: Call) -> list[Order]:
        named = call.params.get("contract", "")
        return [
            order
            for book in call.owner.live.values()
            for order in book.values()
            if not order.conditional
            and belongs(order.listing, call)
            and named in ("", order.listing.id)
        ]

    def _cancel_all(self, call: Call) -> Reply:
        if (refusal := read_only(call)) is not None:
            return refusal
        side = {"bid": OrderSide.BUY, "ask": OrderSide.SELL}.get(call.params.get("side", ""))
        ended = [it for it in self._live(call) if side in (None, it.spec.side)]
        for order in ended:
            self._market.cancel(call.owner, order)
        return answered(call, [order_row(it, call.owner) for it in ended])

    def _cancel_batch(self, call: Call) -> Reply:
        try:
            ids = msgspec.json.decode(call.params.get("batch", ""), type=list[str])
        except msgspec.MsgspecError:
            return error("INVALID_REQUEST_BODY", "a list of ids is expected")
        if not 1 <= len(ids) <= MOST_CANCELED:
            return invalid(f"1 to {MOST_CANCELED} ids")
        rows: list[Row] = []
        for named in ids:
            own = replace(call, params=call.params | {"order_id": named})
            done = self._cancel(own)
            told = done.body if isinstance(done.body, dict) else {}
            failed = done.status >= 400
            message = str(told.get("label", "")) if failed else ""
            rows.append(
                {
                    "user_id": call.owner.uid,
                    "id": named,
                    "succeeded": not failed,
                    "message": message,
                }
            )
        return Reply(rows, rows=())

    def _list(self, call: Call) -> Reply:
        """Newest first; `last_id` goes on after an order of the list before."""
        page, status = page_of(call), call.params.get("status", "")
        if isinstance(page, Reply):
            return page
        if status not in ("open", "finished"):
            return invalid("status")
        found = self._live(call) if status == "open" else self._ended(call)
        found.sort(key=lambda it: it.sequence, reverse=True)
        last = call.params.get("last_id", "")
        if last:
            found = [it for it in found if int(it.id) < int(last)]
        return answered(call, page.of([order_row(it, call.owner) for it in found]))

    def _ended(self, call: Call) -> list[Order]:
        named = call.params.get("contract", "")
        return [
            it
            for it in call.told(call.owner.orders.values(), lambda order: order.created_at)
            if not it.state.live
            and not it.conditional
            and belongs(it.listing, call)
            and named in ("", it.listing.id)
            and _kept(it, call.at, UNFILLED_KEPT)
        ]

    def _of_range(self, call: Call) -> Reply:
        page = page_of(call)
        if isinstance(page, Reply):
            return page
        until = instant(call.integer("to", seconds(call.at) + 1))
        since = instant(call.integer("from", 0))
        found = [it for it in self._ended(call) if since <= it.created_at <= until]
        found.sort(key=lambda it: it.sequence, reverse=True)
        return answered(call, page.of([order_row(it, call.owner) for it in found]))


def _kept(order: Order, at: datetime, unfilled: timedelta) -> bool:
    return order.state.live or bool(order.filled) or at - order.updated_at <= unfilled
