"""Bitget v2's orders that wait for their price, apart from the plain ones.

Trigger orders (normal_plan), trailing ones (track_plan), and the stops and take-profits of
positions, for a size (loss_plan, profit_plan, moving_plan) or the whole (pos_loss, pos_profit).
One that fires becomes an order of its own. Left to others: what a request asks for
(`bitget_spec.py`), when a condition is met (`matching.py`).
"""

from __future__ import annotations

from messages.values import Side
from simulator.bitget_account import named_listing
from simulator.bitget_order_rows import (
    TPSL,
    order_status,
    pending_row,
    plan_row,
    plan_type,
)
from simulator.bitget_orders import found, ids
from simulator.bitget_rows import is_of
from simulator.bitget_spec import attachment, held_leg, number, plan_spec, required
from simulator.bitget_words import (
    KEPT,
    NO_PLAN,
    NO_TPSL,
    NOTHING_TO_PROTECT,
    PLAN_ENDED,
    may_trade,
    ok,
    page,
    product_of,
    refused,
    window,
    words_of,
)
from simulator.instruments import Listing
from simulator.market import Market
from simulator.state import Attachment, Order, Position, Rejection, RejectReason
from simulator.trailing import Trail
from simulator.wire import Call, Refusal, Reply, Route, Row, batch_of, text

LISTS = {"normal_plan": ("normal_plan",), "track_plan": ("track_plan",), "profit_loss": TPSL}
"""What each `planType` of the two lists shows."""
ALONE = {
    "trigger": "triggerPrice",
    "type": "triggerType",
    "price": "executePrice",
    "size": "size",
    "client_id": "clientOid",
}


class BitgetPlans:
    """The handlers of the plan orders' endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._given = 0

    def routes(self) -> dict[tuple[str, str], Route]:
        at = "/api/v2/mix/order"
        return {
            ("POST", f"{at}/place-plan-order"): Route("algo.create", self._place),
            ("POST", f"{at}/place-tpsl-order"): Route("algo.create", self._place_tpsl),
            ("POST", f"{at}/place-pos-tpsl"): Route("attach", self._place_both),
            ("POST", f"{at}/cancel-plan-order"): Route("algo.cancel", self._cancel),
            ("GET", f"{at}/orders-plan-pending"): Route("algo.open", self._pending),
            ("GET", f"{at}/orders-plan-history"): Route("algo.history", self._history),
            ("GET", f"{at}/plan-sub-order"): Route("algo.find", self._sub_orders),
        }

    def _place(self, call: Call) -> Reply:
        may_trade(call)
        listing = named_listing(self._market, call)
        placed = self._market.place(call.owner, plan_spec(call, listing, self._market.prices))
        if isinstance(placed, Rejection):
            raise Refusal(*words_of(placed))
        return ok(call, ids(placed))

    def _place_tpsl(self, call: Call) -> Reply:
        may_trade(call)
        listing, kind = named_listing(self._market, call), required(call, "planType")
        if kind not in TPSL:
            raise Refusal("40020", "Parameter planType error")
        leg = held_leg(call, call.owner)
        held = self._held(call, listing, leg)
        if kind == "moving_plan":
            rate = number(call, "rangeRate") / 100
            trail = Trail(rate=rate, activation=number(call, "triggerPrice"))
            self._market.attach(call.owner, held, trailing=trail)
            moving = held.trailing_stop
            return ok(call, {} if moving is None else ids(moving))
        wanted = attachment(call, listing, self._market.prices, leg, kind, ALONE)
        return ok(call, ids(self._attached(call, held, wanted, profit="profit" in kind)))

    def _place_both(self, call: Call) -> Reply:
        """A stop and a take-profit of a position at once; one with a size is of that size only."""
        may_trade(call)
        listing, leg = named_listing(self._market, call), held_leg(call, call.owner)
        held = self._held(call, listing, leg)
        rows: list[Row] = []
        for word, kind in (("stopSurplus", "profit"), ("stopLoss", "loss")):
            if not call.params.get(f"{word}TriggerPrice"):
                continue
            names = {
                "trigger": f"{word}TriggerPrice",
                "type": f"{word}TriggerType",
                "price": f"{word}ExecutePrice",
                "size": f"{word}Size",
                "client_id": f"{word}ClientOid",
            }
            named = f"{kind}_plan" if call.params.get(names["size"]) else f"pos_{kind}"
            wanted = attachment(call, listing, self._market.prices, leg, named, names)
            order = self._attached(call, held, wanted, profit=kind == "profit")
            own: Row = {"stopSurplusClientOid": None, "stopLossClientOid": None}
            own[f"{word}ClientOid"] = call.params.get(names["client_id"]) or None
            rows.append({"orderId": order.id, **own})
        if not rows:
            raise Refusal("40019", "Parameter stopLossTriggerPrice cannot be empty")
        return ok(call, rows, rows=())

    def _held(self, call: Call, listing: Listing, leg: Side) -> Position:
        held = call.owner.position(listing.id, self._market.slot(call.owner, leg))
        if held is None or held.side is not leg:
            raise Refusal(*NOTHING_TO_PROTECT)
        return held

    def _attached(self, call: Call, held: Position, wanted: Attachment, *, profit: bool) -> Order:
        """Hang it on the position, and give the order that it is."""
        owner, own = call.owner, wanted.client_id
        if any(it.state.live for it in owner.by_client_id.get(own, [])):
            raise refused(RejectReason.DUPLICATE)
        before = set(owner.orders)
        if profit:
            self._market.attach(owner, held, take_profit=wanted)
        else:
            self._market.attach(owner, held, stop_loss=wanted)
        return next(it for name, it in reversed(owner.orders.items()) if name not in before)

    def _cancel(self, call: Call) -> Reply:
        """Those that are named, or all of the scope that is.

        The documentation answers with what failed; a single one that failed is an error here.
        """
        may_trade(call)
        product, kind = product_of(call), call.params.get("planType", "")
        named = batch_of(call.params.get("orderIdList", ""))
        symbol = call.params.get("symbol", "").upper()
        if named and not symbol:
            raise Refusal("40019", "Parameter symbol cannot be empty")
        done: list[Row] = []
        failed: list[Row] = []
        for asked in named:
            order = self._named(call, asked, kind)
            ended = None if order is None else self._market.cancel(call.owner, order)
            if isinstance(ended, Order):
                done.append(ids(ended))
                continue
            if len(named) == 1 and order is not None:
                raise Refusal(*PLAN_ENDED)
            if len(named) == 1:
                raise Refusal(*(NO_TPSL if kind in TPSL else NO_PLAN))
            own = asked.get("orderId", ""), asked.get("clientOid", "")
            failed.append({"orderId": own[0], "clientOid": own[1], "errorMsg": "notExistend"})
        for book in [] if named else ([symbol] if symbol else list(call.owner.live)):
            for order in call.owner.live_orders(book):
                scope = order.conditional and is_of(order.listing, product)
                if scope and kind in ("", plan_type(order)):
                    self._market.cancel(call.owner, order)
                    done.append(ids(order))
        return ok(call, {"successList": done, "failureList": failed})

    def _named(self, call: Call, asked: dict[str, str], kind: str) -> Order | None:
        owner = call.owner
        if asked.get("orderId"):
            order = owner.orders.get(asked["orderId"])
        else:
            mine = owner.by_client_id.get(asked.get("clientOid", ""), [])
            order = next((it for it in reversed(mine) if it.conditional), None)
        if order is None or not order.conditional:
            return None
        return order if kind in ("", plan_type(order)) else None

    def _pending(self, call: Call) -> Reply:
        owner = call.owner
        shown = self._listed(call, live=True)
        return page(call, shown, lambda it: pending_row(it, owner), lambda it: it.id)

    def _history(self, call: Call) -> Reply:
        owner = call.owner
        shown = self._listed(call, live=False)
        return page(call, shown, lambda it: plan_row(it, owner), lambda it: it.id)

    def _listed(self, call: Call, *, live: bool) -> list[Order]:
        product, kind = product_of(call), required(call, "planType")
        if kind not in LISTS:
            raise Refusal("40020", "Parameter planType error")
        symbol, status = call.params.get("symbol", "").upper(), call.params.get("planStatus", "")
        since, until = window(call, KEPT)
        owner = call.owner
        asked = found(call, conditional=True)
        among = list(owner.orders.values()) if asked is None else asked
        shown = [
            it
            for it in call.told(among, lambda it: it.created_at)
            if it.conditional
            and it.state.live is live
            and plan_type(it) in LISTS[kind]
            and is_of(it.listing, product)
            and symbol in ("", it.listing.id)
            and (live or since <= it.created_at <= until)
            and status in ("", plan_row(it, owner)["planStatus"])
        ]
        shown.sort(key=lambda it: it.sequence, reverse=True)
        return shown

    def _sub_orders(self, call: Call) -> Reply:
        """What a plan became."""
        product_of(call)
        order = call.owner.orders.get(required(call, "planOrderId"))
        if order is None or not order.conditional:
            raise Refusal(*NO_PLAN)
        became = call.owner.orders.get(order.triggered_as)
        rows: list[Row] = []
        if became is not None:
            kind = "market" if became.spec.price is None else "limit"
            status = "success" if order_status(became) == "filled" else "fail"
            price = text(became.spec.price, "0")
            rows = [{"orderId": became.id, "price": price, "type": kind, "status": status}]
        return ok(call, rows, rows=())
