"""Gate's price-triggered orders, which it keeps apart from its orders.

One that fires ends as `succeeded`, and `trade_id` names the order that it became; one that has
nothing left to close ends as `failed`. Left to others: when a condition is met (`matching.py`).
"""

from __future__ import annotations

from simulator.gate_order_rows import trigger_row
from simulator.gate_spec import answered, belongs, named_listing, page_of, read_trigger
from simulator.gate_words import invalid, not_found, read_only, refused
from simulator.market import Market
from simulator.state import Order, Rejection
from simulator.wire import Call, Reply, Route

UNKNOWN = "AUTO_ORDER_NOT_FOUND"


class GateTriggers:
    """The handlers of the price-triggered orders' endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        found: dict[tuple[str, str], Route] = {}
        for root in ("/futures/{settle}", "/delivery/{settle}"):
            one = f"{root}/price_orders/{{order_id}}"
            found |= {
                ("POST", f"{root}/price_orders"): Route("algo.create", self._create),
                ("GET", f"{root}/price_orders"): Route("algo.open", self._list),
                ("DELETE", f"{root}/price_orders"): Route("algo.cancel_all", self._cancel_all),
                ("GET", one): Route("algo.find", self._get),
                ("DELETE", one): Route("algo.cancel", self._cancel),
            }
        return found

    def _create(self, call: Call) -> Reply:
        if (refusal := read_only(call)) is not None:
            return refusal
        listing = named_listing(self._market, call, "initial.contract")
        if isinstance(listing, Reply):
            return listing
        self._market.tick()
        spec = read_trigger(call, listing, self._market.prices.last(listing))
        if isinstance(spec, Reply):
            return spec
        placed = self._market.place(call.owner, spec)
        if isinstance(placed, Rejection):
            return refused(placed)
        return Reply({"id": int(placed.id), "id_string": placed.id}, status=201)

    def _find(self, call: Call) -> Order | None:
        """By its number only: these orders are not found by their text."""
        order = call.owner.orders.get(call.params.get("order_id", ""))
        if order is None or not order.conditional or not belongs(order.listing, call):
            return None
        return order

    def _get(self, call: Call) -> Reply:
        order = self._find(call)
        if order is None:
            return not_found(UNKNOWN)
        return answered(call, trigger_row(order, call.owner))

    def _cancel(self, call: Call) -> Reply:
        if (refusal := read_only(call)) is not None:
            return refusal
        order = self._find(call)
        if order is None or not order.state.live:
            return not_found(UNKNOWN)
        self._market.cancel(call.owner, order)
        return answered(call, trigger_row(order, call.owner))

    def _of(self, call: Call, *, live: bool) -> list[Order]:
        """Newest first."""
        named = call.params.get("contract", "")
        found = [
            it
            for it in call.told(call.owner.orders.values(), lambda order: order.created_at)
            if it.conditional
            and it.state.live is live
            and belongs(it.listing, call)
            and named in ("", it.listing.id)
        ]
        return sorted(found, key=lambda it: it.sequence, reverse=True)

    def _cancel_all(self, call: Call) -> Reply:
        if (refusal := read_only(call)) is not None:
            return refusal
        ended = self._of(call, live=True)
        for order in ended:
            self._market.cancel(call.owner, order)
        return answered(call, [trigger_row(it, call.owner) for it in ended])

    def _list(self, call: Call) -> Reply:
        page, status = page_of(call), call.params.get("status", "")
        if isinstance(page, Reply):
            return page
        if status not in ("open", "finished"):
            return invalid("status")
        found = self._of(call, live=status == "open")
        return answered(call, page.of([trigger_row(it, call.owner) for it in found]))
