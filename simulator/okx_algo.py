"""OKX v5's algo orders: conditional, trigger and trailing ones, which are kept apart from orders.

One that fires ends as effective and goes on as a plain order with an id of its own, which has the
fills. Left to others: what a request asks for (`okx_spec.py`), when a condition is met
(`matching.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulator.market import Market
from simulator.okx_order_rows import ALGO_STATES, algo_row, algo_type
from simulator.okx_orders import ARCHIVE, batch, filtered, must_trade, taken, told
from simulator.okx_rows import instrument_type
from simulator.okx_spec import algo_spec, listed
from simulator.okx_words import UNKNOWN_ORDER, acted, needed, ok, page, words_of
from simulator.state import Account, Order, Rejection, State
from simulator.wire import Call, Refusal, Reply, Route, Row

ENTIRE = (
    "51088",
    "You can only place 1 TP/SL order to close an entire position",
)


class OkxAlgo:
    """The handlers of the algo orders' endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        trade = "/api/v5/trade"
        return {
            ("POST", f"{trade}/order-algo"): Route("algo.create", self._create),
            ("POST", f"{trade}/cancel-algos"): Route("algo.cancel", self._cancel),
            ("POST", f"{trade}/amend-algos"): Route("algo.amend", self._amend),
            ("GET", f"{trade}/order-algo"): Route("algo.find", self._get),
            ("GET", f"{trade}/orders-algo-pending"): Route("algo.open", self._pending),
            ("GET", f"{trade}/orders-algo-history"): Route("algo.history", self._history),
        }

    def _create(self, call: Call) -> Reply:
        def place() -> Order:
            must_trade(call)
            listing = listed(self._market, call)
            spec = algo_spec(call, listing, self._market.prices)
            if spec.close_position and _twins(
                call.owner, spec.symbol_id, spec.slot, spec.take_profit
            ):
                raise Refusal(*ENTIRE)
            return taken(self._market, call.owner, spec)

        row = told(call, "algoClOrdId", "algoId", place)
        del row["ts"]
        return acted(call, [{**row, "clOrdId": "", "tag": call.params.get("tag", "")}], timed=False)

    def _cancel(self, call: Call) -> Reply:
        return acted(call, [self._cancelled(it) for it in batch(call)], timed=False)

    def _cancelled(self, call: Call) -> Row:
        def cancel() -> Order:
            must_trade(call)
            ended = self._market.cancel(call.owner, self._named(call))
            if isinstance(ended, Rejection):
                raise Refusal(*words_of(ended))
            return ended

        row = told(call, "algoClOrdId", "algoId", cancel)
        del row["ts"]
        return {**row, "clOrdId": "", "tag": ""}

    def _amend(self, call: Call) -> Reply:
        def amend() -> Order:
            must_trade(call)
            order = self._named(call)
            if order is None or not order.state.live:
                raise Refusal("51503", "Order modification failed as the order does not exist.")
            which = "Tp" if order.spec.take_profit else "Sl"
            kind = algo_type(order)
            name = "newTriggerPx" if kind == "trigger" else f"new{which}TriggerPx"
            spec = replace(
                order.spec,
                quantity=call.number("newSz") or order.quantity,
                trigger_price=call.number(name) or order.spec.trigger_price,
            )
            changed = self._market.revise(call.owner, order, spec)
            if isinstance(changed, Rejection):
                raise Refusal(*words_of(changed, spec))
            return changed

        row = told(call, "algoClOrdId", "algoId", amend)
        del row["ts"]
        return acted(call, [{**row, "reqId": call.params.get("reqId", "")}], timed=False)

    def _named(self, call: Call) -> Order | None:
        by_id, by_client = call.params.get("algoId", ""), call.params.get("algoClOrdId", "")
        if not by_id and not by_client:
            raise Refusal("50015", "Either parameter algoId or algoClOrdId is required")
        found = call.owner.orders.get(by_id)
        candidates = [found] if found is not None else []
        if not by_id:
            candidates = call.owner.by_client_id.get(by_client, [])
        fitting = [it for it in candidates if it.conditional]
        return fitting[-1] if fitting else None

    def _get(self, call: Call) -> Reply:
        order = self._named(call)
        if order is None or call.at - order.updated_at > ARCHIVE:
            raise Refusal(*UNKNOWN_ORDER)
        return ok([self.row(call.owner, order)])

    def row(self, owner: Account, order: Order) -> Row:
        became = owner.orders.get(order.triggered_as)
        return algo_row(order, owner, became, self._market.prices.last(order.listing))

    def _pending(self, call: Call) -> Reply:
        live = [it for it in call.owner.orders.values() if it.conditional and it.state.live]
        return self._listed(call, live)

    def _history(self, call: Call) -> Reply:
        state = call.params.get("state", "")
        if not state and not call.params.get("algoId"):
            raise Refusal("50015", "Either parameter state or algoId is required")
        ended = [
            it
            for it in call.owner.orders.values()
            if it.conditional
            and not it.state.live
            and call.at - it.updated_at <= ARCHIVE
            and state in ("", ALGO_STATES.get(it.state, "canceled"))
        ]
        return self._listed(call, ended)

    def _listed(self, call: Call, orders: list[Order]) -> Reply:
        kinds = needed(call, "ordType").split(",")
        wanted: dict[str, Callable[[Order], str]] = {
            "instType": lambda it: instrument_type(it.listing),
            "instId": lambda it: it.listing.id,
            "algoId": lambda it: it.id,
            "algoClOrdId": lambda it: it.spec.client_id,
        }
        fitting = [it for it in filtered(call, orders, wanted) if algo_type(it) in kinds]
        newest = sorted(fitting, key=lambda it: it.sequence, reverse=True)
        return ok([self.row(call.owner, it) for it in page(call, newest, lambda it: int(it.id))])


def _twins(owner: Account, symbol_id: str, slot: object, take_profit: bool) -> list[Order]:
    return [
        it
        for it in owner.live_orders(symbol_id)
        if it.state is State.UNTRIGGERED
        and it.spec.close_position
        and it.spec.slot is slot
        and it.spec.take_profit is take_profit
    ]
