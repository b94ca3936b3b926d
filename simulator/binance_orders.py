"""Binance USD-M's plain orders: LIMIT and MARKET, one by one and in batches, and their changes.

Left to others: conditional orders (`binance_algo.py`), what a request asks for
(`binance_spec.py`), what an order does (`matching.py`), its rows (`binance_rows.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from simulator.binance_order_rows import accepted_row, order_row
from simulator.binance_spec import CONDITIONAL, PLAIN, named_listing, read_order
from simulator.binance_words import error, missing, refused
from simulator.market import Market
from simulator.state import Account, Order, Rejection, RejectReason, State
from simulator.wire import Call, Reply, Route, Row, flat, ms, text

MOST_IN_BATCH = 5
MOST_CANCELED = 10
WEEK = timedelta(days=7)
UNFILLED_KEPT = timedelta(days=3)
KEPT = timedelta(days=90)


class BinanceOrders:
    """The handlers of the order endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._amendments: dict[str, list[Row]] = {}

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("POST", "/fapi/v1/order"): Route("order.create", self._create),
            ("POST", "/fapi/v1/order/test"): Route("order.test", self._test),
            ("PUT", "/fapi/v1/order"): Route("order.amend", self._amend),
            ("GET", "/fapi/v1/order"): Route("order.find", self._get),
            ("DELETE", "/fapi/v1/order"): Route("order.cancel", self._cancel),
            ("POST", "/fapi/v1/batchOrders"): Route("order.create_batch", self._create_batch),
            ("PUT", "/fapi/v1/batchOrders"): Route("order.amend_batch", self._amend_batch),
            ("DELETE", "/fapi/v1/batchOrders"): Route("order.cancel_batch", self._cancel_batch),
            ("GET", "/fapi/v1/openOrder"): Route("order.find", self._get_open),
            ("GET", "/fapi/v1/openOrders"): Route("order.open", self._open),
            ("DELETE", "/fapi/v1/allOpenOrders"): Route("order.cancel_all", self._cancel_all),
            ("GET", "/fapi/v1/allOrders"): Route("order.history", self._all),
            ("GET", "/fapi/v1/orderAmendment"): Route("order.amendments", self._amendment_history),
            ("GET", "/fapi/v1/forceOrders"): Route("order.forced", self._forced),
        }

    def _create(self, call: Call) -> Reply:
        if not call.owner.can_trade:
            return error("-2015", "Invalid API-key, IP, or permissions for action.", 401)
        kind = call.params.get("type", "")
        if kind in CONDITIONAL:
            return error("-4120", "Order type not supported for this endpoint. Use Algo Order API.")
        if kind not in PLAIN:
            return error("-1116", "Invalid orderType.") if kind else missing("type")
        answer = call.params.get("newOrderRespType") or "ACK"
        if answer not in ("ACK", "RESULT"):
            return error("-1136", "Invalid newOrderRespType.")
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        spec = read_order(call, listing, self._market.prices)
        if isinstance(spec, Reply):
            return spec
        placed = self._market.place(call.owner, spec)
        if isinstance(placed, Rejection):
            return refused(placed)
        return Reply(order_row(placed) if answer == "RESULT" else accepted_row(placed))

    def _test(self, call: Call) -> Reply:
        """Reads an order as one to be placed, and places none."""
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        # This endpoint still names a trigger as it was named before the algo endpoints.
        told = {"triggerPrice": call.params.get("stopPrice", "")} | call.params
        spec = read_order(replace(call, params=told), listing, self._market.prices)
        return spec if isinstance(spec, Reply) else Reply({})

    def _amend(self, call: Call) -> Reply:
        """Both quantity and price must be sent; only limit orders can be changed."""
        if not call.owner.can_trade:
            return error("-2015", "Invalid API-key, IP, or permissions for action.", 401)
        order, quantity, price = self._find(call), call.number("quantity"), call.number("price")
        if order is None or not order.state.live:
            return error("-2013", "Order does not exist.")
        if quantity is None or price is None:
            return missing("quantity" if quantity is None else "price")
        if order.spec.price is None:
            return error("-5025", "Only limit order is supported.")
        if call.flag("reduceOnly") and not order.spec.reduce_only:
            return error("-5047", "The original order is not a reduce-only order")
        if (quantity, price) == (order.quantity, order.spec.price):
            return error("-5027", "No need to modify the order.")
        if not call.flag("reduceOnly") and quantity * price < order.listing.instrument.min_notional:
            least = text(order.listing.instrument.min_notional)
            return error("-5029", f"Order's notional must be no smaller than {least}")
        before = order.quantity, order.spec.price
        if order.filled and quantity <= order.filled:
            self._market.cancel(call.owner, order)
            return Reply(self._amended_row(call, order))
        changed = self._market.amend(call.owner, order, quantity=quantity, price=price)
        if isinstance(changed, Rejection):
            if changed.reason is not RejectReason.WOULD_TAKE:
                return refused(changed)
            # A post-only order that its new price would fill is cancelled, not refused.
            self._market.cancel(call.owner, order)
            return Reply(self._amended_row(call, order))
        self._note(call, order, before)
        return Reply(self._amended_row(call, order))

    def _amended_row(self, call: Call, order: Order) -> Row:
        row = order_row(order)
        if call.params.get("modifyId"):
            row["modifyId"] = call.integer("modifyId", 0)
        return row

    def _note(self, call: Call, order: Order, before: tuple[Decimal, Decimal | None]) -> None:
        past = self._amendments.setdefault(order.id, [])
        row = order_row(order)
        amendment: Row = {
            "price": {"before": text(before[1]), "after": text(order.spec.price)},
            "origQty": {"before": text(before[0]), "after": text(order.quantity)},
            "count": len(past) + 1,
        }
        if call.params.get("modifyId"):
            amendment["modifyId"] = call.integer("modifyId", 0)
        past.append(
            {
                "amendmentId": 5000 + len(past) + int(order.id) % 1000,
                **{name: row[name] for name in ("symbol", "pair", "orderId", "clientOrderId")},
                "time": ms(call.at),
                "amendment": amendment,
                "priceMatch": row["priceMatch"],
            }
        )

    def _amendment_history(self, call: Call) -> Reply:
        """Newest first, as the documentation shows it."""
        order = self._find(call)
        if order is None:
            return error("-2013", "Order does not exist.")
        limit = min(max(1, call.integer("limit", 50)), 100)
        return Reply(self._amendments.get(order.id, [])[::-1][:limit], rows=())

    def _create_batch(self, call: Call) -> Reply:
        return self._each(call, self._create)

    def _amend_batch(self, call: Call) -> Reply:
        return self._each(call, self._amend)

    def _each(self, call: Call, do: Callable[[Call], Reply]) -> Reply:
        """Each member of a batch as a call of its own; a refusal stands in its place."""
        try:
            members = msgspec.json.decode(
                call.params.get("batchOrders", ""), type=list[msgspec.Raw]
            )
        except msgspec.MsgspecError:
            return missing("batchOrders")
        if not 1 <= len(members) <= MOST_IN_BATCH:
            return error("-4082", "Invalid number of batch place orders.")
        replies = [do(replace(call, params=flat(bytes(member)))) for member in members]
        return Reply([it.body for it in replies if isinstance(it.body, dict)], rows=())

    def _cancel_batch(self, call: Call) -> Reply:
        names = ("orderId", call.params.get("orderIdList", ""))
        if not names[1]:
            names = ("origClientOrderId", call.params.get("origClientOrderIdList", ""))
        try:
            ids = msgspec.json.decode(names[1], type=list[str | int])
        except msgspec.MsgspecError:
            return missing("orderIdList")
        if not 1 <= len(ids) <= MOST_CANCELED:
            return error("-4032", "Exceed maximum cancel order size.")
        symbol = call.params.get("symbol", "")
        calls = [replace(call, params={"symbol": symbol, names[0]: str(it)}) for it in ids]
        bodies = [self._cancel(it).body for it in calls]
        return Reply([it for it in bodies if isinstance(it, dict)], rows=())

    def _find(self, call: Call) -> Order | None:
        return find_order(call, "orderId", "origClientOrderId", conditional=False)

    def _get(self, call: Call) -> Reply:
        order = self._find(call)
        if order is None or not kept(order, call.at):
            return error("-2013", "Order does not exist.")
        return Reply(order_row(order))

    def _get_open(self, call: Call) -> Reply:
        order = self._find(call)
        if order is None or not order.state.live:
            return error("-2013", "Order does not exist.")
        return Reply(order_row(order))

    def _cancel(self, call: Call) -> Reply:
        ended = self._market.cancel(call.owner, self._find(call))
        return refused(ended) if isinstance(ended, Rejection) else Reply(order_row(ended))

    def _cancel_all(self, call: Call) -> Reply:
        listing = named_listing(self._market, call)
        if isinstance(listing, Reply):
            return listing
        for order in live_orders(call, conditional=False):
            self._market.cancel(call.owner, order)
        return Reply({"code": 200, "msg": "The operation of cancel all open order is done."})

    def _open(self, call: Call) -> Reply:
        return Reply([order_row(it) for it in live_orders(call, conditional=False)], rows=())

    def _all(self, call: Call) -> Reply:
        found = past_orders(call, "orderId", conditional=False)
        return found if isinstance(found, Reply) else Reply([*map(order_row, found)], rows=())

    def _forced(self, call: Call) -> Reply:
        """Liquidations and deleveragings, newest first."""
        wanted, symbol = call.params.get("autoCloseType", ""), call.params.get("symbol")
        found = [
            it
            for it in call.owner.orders.values()
            if it.kind in (("liquidation", "adl") if not wanted else (wanted.lower(),))
            and symbol in (None, "", it.listing.id)
        ]
        limit = min(max(1, call.integer("limit", 50)), 100)
        return Reply([{**order_row(it), "cumBase": "0"} for it in found[::-1][:limit]], rows=())


def find_order(call: Call, id_name: str, client_name: str, *, conditional: bool) -> Order | None:
    """The order that a call names by either id. Raises ValueError where it names none."""
    by_id, by_client = call.params.get(id_name), call.params.get(client_name)
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


def live_orders(call: Call, *, conditional: bool) -> list[Order]:
    """What rests of a symbol, or of all where the call names none, oldest first."""
    owner: Account = call.owner
    symbol = call.params.get("symbol")
    books = [symbol] if symbol else list(owner.live)
    live = [order for book in books for order in owner.live_orders(book)]
    fitting = [order for order in live if order.conditional is conditional]
    return sorted(fitting, key=lambda order: order.sequence)


def kept(order: Order, at: datetime) -> bool:
    """Whether Binance still knows an order: unfilled ended ones for 3 days, all for 90."""
    age = at - order.created_at
    ended = order.state in (State.CANCELED, State.EXPIRED) and not order.filled
    return age <= (UNFILLED_KEPT if ended else KEPT)


def past_orders(call: Call, id_name: str, *, conditional: bool) -> list[Order] | Reply:
    """The last week's orders, or those of a window of at most a week, oldest first."""
    since, until = call.instant("startTime"), call.instant("endTime")
    first = call.integer(id_name, 0)
    limit = min(max(1, call.integer("limit", 500)), 1000)
    if since is not None and until is not None and until - since > WEEK:
        return error("-4166", "Search window is restricted to recent 7 days only.")
    newest_first = since is None and not first
    if not first:
        since = since or (until or call.at) - WEEK
        until = until or since + WEEK
    symbol = call.params.get("symbol")
    found = [
        order
        for order in call.owner.orders.values()
        if symbol in (None, "", order.listing.id)
        and order.conditional is conditional
        and int(order.id) >= first
        and (since is None or order.created_at >= since)
        and (until is None or order.created_at <= until)
        and kept(order, call.at)
    ]
    return found[-limit:] if newest_first else found[:limit]
