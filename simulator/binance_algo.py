"""Binance USD-M's conditional orders, which live at the algo endpoints only since 2025-12-09.

Left to others: plain orders (`binance_orders.py`), what a request asks for (`binance_spec.py`),
when a condition is met (`matching.py`).
"""

from __future__ import annotations

from simulator.binance_order_rows import algo_row
from simulator.binance_orders import find_order, kept, live_orders, past_orders
from simulator.binance_spec import CONDITIONAL, named_listing, read_order
from simulator.binance_words import error, missing, refused
from simulator.market import Market
from simulator.matching import reducible
from simulator.state import Account, Order, OrderSpec, Rejection
from simulator.wire import Call, Reply, Route, Row

NEW_ROW_LACKS = (
    "actualOrderId",
    "actualPrice",
    "actualQty",
    "actualType",
    "tpTriggerPrice",
    "tpPrice",
    "slTriggerPrice",
    "slPrice",
    "tpOrderType",
)
"""What the answer to a new order leaves out of the row that a query gives."""


class BinanceAlgo:
    """The handlers of the conditional orders' endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("POST", "/fapi/v1/algoOrder"): Route("algo.create", self._create),
            ("GET", "/fapi/v1/algoOrder"): Route("algo.find", self._get),
            ("DELETE", "/fapi/v1/algoOrder"): Route("algo.cancel", self._cancel),
            ("DELETE", "/fapi/v1/algoOpenOrders"): Route("algo.cancel_all", self._cancel_all),
            ("GET", "/fapi/v1/openAlgoOrders"): Route("algo.open", self._open),
            ("GET", "/fapi/v1/allAlgoOrders"): Route("algo.history", self._all),
        }

    def _create(self, call: Call) -> Reply:
        if not call.owner.can_trade:
            return error("-2015", "Invalid API-key, IP, or permissions for action.", 401)
        if call.params.get("algoType") != "CONDITIONAL":
            return missing("algoType")
        if call.params.get("type") not in CONDITIONAL:
            return error("-1116", "Invalid orderType.")
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        spec = read_order(call, listing, self._market.prices)
        if isinstance(spec, Reply):
            return spec
        refusal = _check_close_all(call.owner, spec) if spec.close_position else None
        if refusal is not None:
            return refusal
        placed = self._market.place(call.owner, spec)
        if isinstance(placed, Rejection):
            return refused(placed)
        row = self._row(call.owner, placed)
        return Reply({name: it for name, it in row.items() if name not in NEW_ROW_LACKS})

    def _find(self, call: Call) -> Order | None:
        return find_order(call, "algoId", "clientAlgoId", conditional=True)

    def _row(self, owner: Account, order: Order) -> Row:
        return algo_row(order, owner.orders.get(order.triggered_as))

    def _get(self, call: Call) -> Reply:
        order = self._find(call)
        if order is None or not kept(order, call.at):
            return error("-2013", "Order does not exist.")
        return Reply(self._row(call.owner, order))

    def _cancel(self, call: Call) -> Reply:
        ended = self._market.cancel(call.owner, self._find(call))
        if isinstance(ended, Rejection):
            return refused(ended)
        row = algo_row(ended)
        told = {"algoId": row["algoId"], "clientAlgoId": row["clientAlgoId"]}
        return Reply({**told, "code": "200", "msg": "success"})

    def _cancel_all(self, call: Call) -> Reply:
        if not call.params.get("symbol"):
            return missing("symbol")
        for order in live_orders(call, conditional=True):
            self._market.cancel(call.owner, order)
        return Reply({"code": 200, "msg": "The operation of cancel all open order is done."})

    def _open(self, call: Call) -> Reply:
        wanted = call.params.get("algoId")
        live = [it for it in live_orders(call, conditional=True) if wanted in (None, "", it.id)]
        return Reply([self._row(call.owner, it) for it in live], rows=())

    def _all(self, call: Call) -> Reply:
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        found = past_orders(call, "algoId", conditional=True)
        if isinstance(found, Reply):
            return found
        return Reply([self._row(call.owner, it) for it in found], rows=())


def _check_close_all(owner: Account, spec: OrderSpec) -> Reply | None:
    """One closePosition stop and one such take-profit a direction, and only over a position.

    The codes were seen on Binance's testnet; its documentation does not list them.
    """
    if not reducible(owner, spec.symbol_id, spec.slot, spec.side):
        return error(
            "-4509",
            "Time in Force (TIF) GTE can only be used with open positions. "
            "Please ensure that positions are available.",
        )
    twins = [
        it
        for it in owner.live_orders(spec.symbol_id)
        if it.conditional
        and it.spec.close_position
        and (it.spec.slot, it.spec.side) == (spec.slot, spec.side)
        and it.spec.take_profit is spec.take_profit
    ]
    if twins:
        return error(
            "-4130",
            "An open stop or take profit order with GTE and closePosition in the direction is "
            "existing.",
        )
    return None
