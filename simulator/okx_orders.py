"""OKX v5's plain orders: placed, changed, cancelled and looked up, one by one and in batches.

Left to others: algo orders (`okx_algo.py`), what a request asks for (`okx_spec.py`), what an order
does (`matching.py`), its rows (`okx_order_rows.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from messages.values import OrderSide
from simulator.market import Market
from simulator.okx_order_rows import bill_id, fill_row, order_row, order_state, order_type
from simulator.okx_rows import SIDES, instrument_type
from simulator.okx_spec import listed, plain_spec, resized, take_margin_mode
from simulator.okx_words import NO_TRADING, UNKNOWN_ORDER, acted, needed, ok, page, within, words_of
from simulator.state import Account, Execution, Order, OrderSpec, Rejection, Slot
from simulator.wire import Call, Params, Refusal, Reply, Route, Row, flat, ms

T = TypeVar("T")

MOST_IN_BATCH = 20
UNFILLED_KEPT = timedelta(hours=2)
RECENT = timedelta(days=7)
ARCHIVE = timedelta(days=90)
FILLS_RECENT = timedelta(days=3)


class OkxOrders:
    """The handlers of the order and fill endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        trade = "/api/v5/trade"
        return {
            ("POST", f"{trade}/order"): Route("order.create", self._create),
            ("POST", f"{trade}/batch-orders"): Route("order.create", self._create_batch),
            ("POST", f"{trade}/cancel-order"): Route("order.cancel", self._cancel),
            ("POST", f"{trade}/cancel-batch-orders"): Route("order.cancel", self._cancel_batch),
            ("POST", f"{trade}/amend-order"): Route("order.amend", self._amend),
            ("POST", f"{trade}/amend-batch-orders"): Route("order.amend", self._amend_batch),
            ("POST", f"{trade}/close-position"): Route("position.close", self._close_position),
            ("GET", f"{trade}/order"): Route("order.find", self._get),
            ("GET", f"{trade}/orders-pending"): Route("order.open", self._pending),
            ("GET", f"{trade}/orders-history"): Route("order.history", self._history),
            ("GET", f"{trade}/orders-history-archive"): Route("order.history", self._archive),
            ("GET", f"{trade}/fills"): Route("fills", self._fills),
            ("GET", f"{trade}/fills-history"): Route("fills", self._fills_history),
        }

    # What changes orders: one row of `data` each, with an `sCode` of its own.

    def _create(self, call: Call) -> Reply:
        return acted(call, [self._placed(call)])

    def _create_batch(self, call: Call) -> Reply:
        return acted(call, [self._placed(it) for it in batch(call)])

    def _cancel(self, call: Call) -> Reply:
        return acted(call, [self._cancelled(call)])

    def _cancel_batch(self, call: Call) -> Reply:
        return acted(call, [self._cancelled(it) for it in batch(call)])

    def _amend(self, call: Call) -> Reply:
        return acted(call, [self._amended(call)])

    def _amend_batch(self, call: Call) -> Reply:
        return acted(call, [self._amended(it) for it in batch(call)])

    def _placed(self, call: Call) -> Row:
        def place() -> Order:
            must_trade(call)
            spec = plain_spec(call, listed(self._market, call))
            return taken(self._market, call.owner, spec)

        row = told(call, "clOrdId", "ordId", place)
        return {**row, "tag": call.params.get("tag", "")}

    def _cancelled(self, call: Call) -> Row:
        def cancel() -> Order:
            must_trade(call)
            ended = self._market.cancel(call.owner, self._named(call))
            if isinstance(ended, Rejection):
                raise Refusal(*words_of(ended))
            return ended

        return told(call, "clOrdId", "ordId", cancel)

    def _amended(self, call: Call) -> Row:
        def amend() -> Order:
            must_trade(call)
            order = self._named(call)
            if order is None or not order.state.live:
                raise Refusal(
                    "51503",
                    "Order modification failed as the order has been filled, canceled or does not "
                    "exist.",
                )
            size, price = resized(call, order.spec)
            changed = self._market.amend(call.owner, order, quantity=size, price=price)
            if isinstance(changed, Rejection):
                raise Refusal(*words_of(changed))
            return changed

        row = told(call, "clOrdId", "ordId", amend)
        return {**row, "reqId": call.params.get("reqId", "")}

    def _close_position(self, call: Call) -> Reply:
        """Closes a whole leg at the market. Refused while orders to close it rest."""
        must_trade(call)
        listing, owner = listed(self._market, call), call.owner
        named = call.params.get("posSide", "") or "net"
        slot = next((slot for slot, side in SIDES.items() if side == named), Slot.BOTH)
        held = owner.position(listing.id, slot)
        if held is None or not held.size or (slot is Slot.BOTH) == owner.hedged:
            raise Refusal("51023", "Position doesn't exist.")
        resting = [
            it
            for it in owner.live_orders(listing.id)
            if it.reduces and not it.conditional and it.spec.slot is slot
        ]
        if resting and not call.flag("autoCxl"):
            raise Refusal("51115", "Cancel all pending close-orders before liquidation.")
        for order in resting:
            self._market.cancel(owner, order)
        spec = OrderSpec(
            symbol_id=listing.id,
            side=OrderSide.SELL if held.size > 0 else OrderSide.BUY,
            quantity=abs(held.size),
            reduce_only=not owner.hedged,
            slot=slot,
            client_id=call.params.get("clOrdId", ""),
            words={"tdMode": needed(call, "mgnMode")},
        )
        taken(self._market, owner, spec)
        row: Row = {"clOrdId": spec.client_id, "instId": listing.id, "posSide": named, "tag": ""}
        return ok([row])

    # What is looked up.

    def _named(self, call: Call) -> Order | None:
        """The plain order that a call names; by a client id the latest of that name."""
        by_id, by_client = call.params.get("ordId", ""), call.params.get("clOrdId", "")
        if not by_id and not by_client:
            raise Refusal("51003", "Either client order ID or order ID is required.")
        listing = listed(self._market, call)
        found = call.owner.orders.get(by_id)
        candidates = [found] if found is not None else []
        if not by_id:
            candidates = call.owner.by_client_id.get(by_client, [])
        fitting = [
            it
            for it in candidates
            if is_plain(it) and it.listing.id == listing.id and (by_id or not it.came_of)
        ]
        return fitting[-1] if fitting else None

    def _get(self, call: Call) -> Reply:
        order = self._named(call)
        if order is None or not kept(order, call.at, ARCHIVE):
            raise Refusal(*UNKNOWN_ORDER)
        return ok([self._row(call.owner, order)])

    def _row(self, owner: Account, order: Order) -> Row:
        return order_row(order, owner, fills_of(owner, order))

    def _pending(self, call: Call) -> Reply:
        found = [it for it in call.owner.orders.values() if is_plain(it) and it.state.live]
        return self._listed(call, found)

    def _history(self, call: Call) -> Reply:
        return self._past(call, RECENT)

    def _archive(self, call: Call) -> Reply:
        return self._past(call, ARCHIVE)

    def _past(self, call: Call, age: timedelta) -> Reply:
        needed(call, "instType")
        past = call.told(call.owner.orders.values(), lambda it: it.updated_at)
        ended = [it for it in past if is_plain(it) and not it.state.live]
        recent = [it for it in ended if kept(it, call.at, age)]
        return self._listed(call, within(call, recent, lambda it: ms(it.created_at)))

    def _listed(self, call: Call, orders: list[Order]) -> Reply:
        wanted: dict[str, Callable[[Order], str]] = {
            "instType": lambda it: instrument_type(it.listing),
            "instId": lambda it: it.listing.id,
            "ordType": order_type,
            "state": order_state,
        }
        fitting = filtered(call, orders, wanted)
        newest = sorted(fitting, key=lambda it: it.sequence, reverse=True)
        rows = page(call, newest, lambda it: int(it.id))
        return ok([self._row(call.owner, it) for it in rows])

    def _fills(self, call: Call) -> Reply:
        return self._executions(call, FILLS_RECENT)

    def _fills_history(self, call: Call) -> Reply:
        needed(call, "instType")
        return self._executions(call, ARCHIVE)

    def _executions(self, call: Call, age: timedelta) -> Reply:
        """Newest first. A page ends with the number that the next one begins after."""
        owner = call.owner
        every = (fill for fills in owner.executions.values() for fill in fills)
        told_ = [it for it in call.told(every, lambda it: it.at) if call.at - it.at <= age]
        wanted: dict[str, Callable[[Execution], str]] = {
            "instType": lambda it: instrument_type(it.listing),
            "instId": lambda it: it.listing.id,
            "ordId": lambda it: it.order_id,
        }
        fitting = within(call, filtered(call, told_, wanted), lambda it: ms(it.at))
        newest = sorted(fitting, key=bill_id, reverse=True)
        rows = [
            fill_row(it, owner.orders[it.order_id].came_of) for it in page(call, newest, bill_id)
        ]
        return ok(rows)


def told(call: Call, client: str, own: str, act: Callable[[], Order]) -> Row:
    """The row that says what became of one order: its ids, or why it was refused."""
    row: Row = {client: call.params.get(client, ""), own: call.params.get(own, "")}
    row |= {"ts": str(ms(call.at)), "sCode": "0", "sMsg": ""}
    try:
        order = act()
    except Refusal as refusal:
        if refusal.code == NO_TRADING[0]:
            raise
        return {**row, "sCode": refusal.code, "sMsg": refusal.message}
    except ValueError as error:
        return {**row, "sCode": "51000", "sMsg": f"Parameter error: {error}"}
    shown = "" if client == "clOrdId" and order.came_of else order.spec.client_id
    return {**row, client: shown, own: order.id}


def taken(market: Market, owner: Account, spec: OrderSpec) -> Order:
    """Place an order. Raises Refusal in the venue's words."""
    placed = market.place(owner, spec)
    if isinstance(placed, Rejection):
        raise Refusal(*words_of(placed, spec))
    take_margin_mode(owner, spec)
    return placed


def must_trade(call: Call) -> None:
    if not call.owner.can_trade:
        raise Refusal(*NO_TRADING)


def batch(call: Call) -> list[Call]:
    """Each member of a body that is a list, as a call of its own."""
    try:
        members = msgspec.json.decode(call.params.get("batch", ""), type=list[msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise Refusal("50002", "JSON syntax error") from error
    if not 1 <= len(members) <= MOST_IN_BATCH:
        raise Refusal("51111", f"Maximum {MOST_IN_BATCH} orders can be placed in bulk.")
    params: list[Params] = [flat(bytes(member)) for member in members]
    return [replace(call, params=it) for it in params]


def is_plain(order: Order) -> bool:
    """Whether it is no algo order; one that came of an algo order is a plain one."""
    return not order.conditional


def kept(order: Order, at: datetime, age: timedelta) -> bool:
    """Whether a history still has an order: one cancelled without a fill only for two hours."""
    if order.state.live:
        return True
    unfilled = order_state(order) == "canceled" and not order.filled
    return at - order.updated_at <= (UNFILLED_KEPT if unfilled else age)


def fills_of(owner: Account, order: Order) -> list[Execution]:
    return [it for it in owner.executions.get(order.listing.id, []) if it.order_id == order.id]


def filtered(call: Call, items: Iterable[T], wanted: Mapping[str, Callable[[T], str]]) -> list[T]:
    """What has, of each parameter that the call names, the value that it names."""
    return [
        it
        for it in items
        if all(call.params.get(name, "") in ("", read(it)) for name, read in wanted.items())
    ]
