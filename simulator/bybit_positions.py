"""Bybit v5's positions: their list, their settings, what is attached to them, and how they ended.

Left to others: orders (`bybit_orders.py`), rows (`bybit_rows.py`, `bybit_order_rows.py`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from simulator.bybit_order_rows import EXEC_TYPES, closed_row, execution_row
from simulator.bybit_rows import MOST_LEVERAGE, category, flat_row, position_row
from simulator.bybit_spec import check_sides, trading_stop
from simulator.bybit_words import NOT_MODIFIED, UNIFIED, category_of, error, ok, page
from simulator.instruments import Exchange, Listing
from simulator.market import Market
from simulator.state import Account, Attachment, Position, Slot
from simulator.trailing import Trail
from simulator.wire import Call, Refusal, Reply, Route, Row

WEEK = timedelta(days=7)
MOST_PARTIAL = 20


class BybitPositions:
    """The handlers of the position endpoints, and of the trade history."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("GET", "/v5/position/list"): Route("positions", self._positions),
            ("GET", "/v5/position/closed-pnl"): Route("closed", self._closed),
            ("GET", "/v5/execution/list"): Route("fills", self._executions),
            ("POST", "/v5/position/trading-stop"): Route("attach", self._trading_stop),
            ("POST", "/v5/position/set-leverage"): Route("leverage", self._set_leverage),
            ("POST", "/v5/position/switch-mode"): Route("mode.set", self._switch_mode),
            ("POST", "/v5/position/switch-isolated"): Route("margin.set", _not_unified),
            ("POST", "/v5/position/set-tpsl-mode"): Route("tpsl_mode", _not_unified),
            ("POST", "/v5/position/set-risk-limit"): Route("risk_limit.set", _not_unified),
            ("POST", "/v5/position/set-auto-add-margin"): Route("auto_margin", self._auto_margin),
        }

    def _named(self, call: Call) -> Listing:
        """The symbol that a call must name."""
        listing = self._market.find_listing(Exchange.BYBIT, call.params.get("symbol", ""))
        if listing is None or category(listing) != category_of(call):
            raise Refusal("10001", "params error: symbol invalid")
        return listing

    def _positions(self, call: Call) -> Reply:
        owner, prices = call.owner, self._market.prices
        wanted = category_of(call)
        settle = call.params.get("settleCoin")
        held = (
            list(owner.positions.values()) if call.as_of is None else owner.positions_at(call.as_of)
        )
        if call.params.get("symbol"):
            listing = self._named(call)
            slots = (Slot.LONG, Slot.SHORT) if owner.hedged else (Slot.BOTH,)
            by_slot = {it.slot: it for it in held if it.listing.id == listing.id}
            rows = [
                position_row(by_slot[slot], prices, owner)
                if slot in by_slot
                else flat_row(listing, slot, prices, owner)
                for slot in slots
            ]
            result: Row = {"category": wanted, "list": rows, "nextPageCursor": ""}
            return ok(call, result, rows="list")
        if wanted == "linear" and not settle:
            message = "Missing some parameters that must be filled in, symbol or settleCoin"
            raise Refusal("10001", message)
        shown = [
            it
            for it in held
            if it.size
            and category(it.listing) == wanted
            and settle in (None, "", it.listing.instrument.settle)
        ]
        shown.sort(key=lambda it: (it.listing.id, it.slot))
        return page(call, shown, lambda it: position_row(it, prices, owner), most=200, usual=20)

    def _executions(self, call: Call) -> Reply:
        params, owner, wanted = call.params, call.owner, category_of(call)
        since, until = window(call)
        symbol, kind = params.get("symbol"), params.get("execType")
        settle, base = params.get("settleCoin"), params.get("baseCoin")
        shown = [
            execution
            for book in ([symbol] if symbol else list(owner.executions))
            for execution in call.told(owner.executions.get(book, []), lambda it: it.at)
            if since <= execution.at <= until
            and category(execution.listing) == wanted
            and kind in (None, "", EXEC_TYPES[execution.kind])
            and settle in (None, "", execution.listing.instrument.settle)
            and base in (None, "", execution.listing.instrument.base)
            and params.get("orderId") in (None, "", execution.order_id)
            and params.get("orderLinkId") in (None, "", execution.client_id)
        ]
        shown.sort(key=lambda execution: (execution.at, execution.sequence), reverse=True)
        orders = owner.orders
        return page(
            call, shown, lambda it: execution_row(it, orders[it.order_id]), most=100, usual=50
        )

    def _closed(self, call: Call) -> Reply:
        owner, wanted = call.owner, category_of(call)
        since, until = window(call)
        shown = [
            it
            for it in call.told(owner.closed, lambda it: it.updated_at)
            if since <= it.updated_at <= until
            and category(it.listing) == wanted
            and call.params.get("symbol") in (None, "", it.listing.id)
        ]
        shown.reverse()
        orders = owner.orders
        return page(call, shown, lambda it: closed_row(it, orders[it.order_id]), most=100, usual=50)

    def _trading_stop(self, call: Call) -> Reply:
        owner, listing = call.owner, self._named(call)
        _may_trade(owner)
        held = owner.position(listing.id, Slot(call.integer("positionIdx", 0)))
        if held is None or not held.size:
            raise Refusal("10001", "can not set tp/sl/ts for zero position")
        stop, profit = trading_stop(call)
        for wanted in (stop, profit):
            self._check(held, wanted, stop=wanted is stop)
        trail = self._trail(call, held)
        if not any(it is not None for it in (stop, profit, trail)) or _same(
            held, stop, profit, trail
        ):
            raise Refusal(*NOT_MODIFIED)
        self._check_count(owner, held, stop, profit)
        self._market.attach(owner, held, stop_loss=stop, take_profit=profit, trailing=trail)
        return ok(call, {})

    def _check(self, held: Position, wanted: Attachment | None, *, stop: bool) -> None:
        """Refuse a price that the position has passed: it would fire at once."""
        prices, listing = self._market.prices, held.listing
        if wanted is None:
            return
        by = "MarkPrice" if wanted.by_mark else "LastPrice"
        base = prices.mark(listing) if wanted.by_mark else prices.last(listing)
        long = held.size > 0
        check_sides(base, wanted if stop else None, None if stop else wanted, long=long, by=by)

    def _trail(self, call: Call, held: Position) -> Trail | None:
        distance, activation = call.number("trailingStop"), call.number("activePrice")
        if distance is None:
            return None
        if distance < 0:
            raise Refusal("10001", "params error: trailingStop invalid")
        last, long = self._market.prices.last(held.listing), held.size > 0
        if activation and (activation <= last if long else activation >= last):
            message = f"params error: activePrice {activation} has been reached at {last}"
            raise Refusal("10001", message)
        return Trail(distance=distance, activation=activation or None)

    def _check_count(self, owner: Account, held: Position, *wanted: Attachment | None) -> None:
        new = sum(it is not None and it.quantity is not None for it in wanted)
        there = sum(it.partial for it in owner.live_orders(held.listing.id))
        if new and there + new > MOST_PARTIAL:
            message = "Not allowed to have more than 20 TP/SLs under Partial tpSlMode"
            raise Refusal("110061", message)

    def _set_leverage(self, call: Call) -> Reply:
        owner, listing = call.owner, self._named(call)
        _may_trade(owner)
        buy, sell = call.number("buyLeverage"), call.number("sellLeverage")
        if buy is None or buy != sell:
            raise Refusal("10001", "params error: buyLeverage must equal sellLeverage")
        if not 1 <= buy <= MOST_LEVERAGE:
            raise Refusal("110013", "Cannot set leverage due to risk limit level.")
        if buy == owner.leverage_of(listing.id):
            raise Refusal("110043", "Set leverage has not been modified.")
        self._market.set_leverage(owner, listing, buy)
        return ok(call, {})

    def _switch_mode(self, call: Call) -> Reply:
        owner = call.owner
        _may_trade(owner)
        if call.params.get("symbol"):
            self._named(call)
        elif not call.params.get("coin"):
            raise Refusal("10001", "params error: symbol or coin is required")
        if call.params.get("mode") not in ("0", "3"):
            raise Refusal("10001", "params error: mode invalid")
        hedged = call.params["mode"] == "3"
        if hedged is owner.hedged and not call.params.get("symbol"):
            # By coin freqtrade sends this at each of its starts, and lives with no refusal of it.
            return ok(call, {})
        if hedged is owner.hedged:
            raise Refusal("110025", "Position mode has not been modified.")
        if any(it.size for it in owner.positions.values()):
            message = "You have an existing position, so the position mode cannot be switched."
            raise Refusal("110024", message)
        if any(owner.live.values()):
            message = "You have existing open orders, so the position mode cannot be switched."
            raise Refusal("110028", message)
        self._market.set_mode(owner.name, hedged=hedged)
        return ok(call, {})

    def _auto_margin(self, call: Call) -> Reply:
        self._named(call)
        return ok(call, {})


def _not_unified(call: Call) -> Reply:
    """What exists for other kinds of accounts only; a unified account is told so."""
    return error(call, *UNIFIED)


def _may_trade(owner: Account) -> None:
    if not owner.can_trade:
        raise Refusal("10005", "Permission denied, please check your API key permissions.")


def _same(
    held: Position, stop: Attachment | None, profit: Attachment | None, trail: Trail | None
) -> bool:
    """Whether a position has all of this already."""
    for order, wanted in ((held.stop_loss, stop), (held.take_profit, profit)):
        if wanted is None:
            continue
        if wanted.quantity is not None:
            return False
        price = None if order is None else order.spec.trigger_price
        by_mark = order is not None and order.spec.by_mark
        if (price or 0) != wanted.trigger or (order is not None and by_mark != wanted.by_mark):
            return False
    if trail is None:
        return True
    trailing = None if held.trailing_stop is None else held.trailing_stop.spec.trail
    return (trailing == trail) if trailing is not None else not trail.distance


def window(call: Call) -> tuple[datetime, datetime]:
    """The days that a history is asked for. Raises Refusal for more than seven."""
    since, until = call.instant("startTime"), call.instant("endTime")
    if since is None:
        since = (until or call.at) - WEEK
    until = until or min(since + WEEK, call.at)
    if until - since > WEEK:
        message = "The time range between startTime and endTime is over 7 days"
        raise Refusal("10001", message)
    return since, until
