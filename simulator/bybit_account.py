"""Bybit v5's reads of an account: positions, executions, balances, rights; and attached stops.

Left to others: orders (`bybit_orders.py`), rows (`bybit_rows.py`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from simulator.bybit_rows import (
    EXEC_TYPES,
    category,
    closed_row,
    execution_row,
    flat_row,
    position_row,
)
from simulator.bybit_words import error, ok, page
from simulator.checks import available
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Slot
from simulator.wire import Call, Reply, Route, Row, ms, text

WEEK = timedelta(days=7)
CATEGORIES = ("linear", "inverse")


class BybitAccount:
    """The handlers of the account's own endpoints."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("GET", "/v5/asset/coin/query-info"): Route("currencies", self._currencies),
            ("GET", "/v5/user/query-api"): Route("rights", self._rights),
            ("GET", "/v5/account/info"): Route("account", self._account_info),
            ("GET", "/v5/account/wallet-balance"): Route("balance", self._wallet),
            ("GET", "/v5/position/list"): Route("positions", self._positions),
            ("POST", "/v5/position/trading-stop"): Route("attach", self._trading_stop),
            ("GET", "/v5/execution/list"): Route("fills", self._executions),
            ("GET", "/v5/position/closed-pnl"): Route("closed", self._closed),
        }

    def _currencies(self, call: Call) -> Reply:
        rows = [{"name": coin, "coin": coin, "chains": []} for coin in call.owner.wallet]
        return ok(call, {"rows": rows}, rows="rows")

    def _rights(self, call: Call) -> Reply:
        owner = call.owner
        result: Row = {
            "id": "1000001",
            "note": owner.name,
            "apiKey": call.headers.get("X-BAPI-API-KEY", owner.key),
            "readOnly": 0 if owner.can_trade else 1,
            "permissions": {
                "ContractTrade": ["Order", "Position"] if owner.can_trade else [],
                "Spot": [],
                "Wallet": ["Withdraw"] if owner.can_withdraw else [],
                "Options": [],
                "Derivatives": ["DerivativesTrade"] if owner.can_trade else [],
            },
            "ips": ["*"],
            "deadlineDay": 85,
            "type": 1,
            "uta": 1,
            "unified": 0,
            "affiliateID": 0,
            "rsaPublicKey": "",
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "userID": owner.uid,
            "inviterID": 0,
            "isMaster": not owner.master,
            "parentUid": str(owner.master),
            "expiredAt": "2099-01-01T00:00:00Z",
            "createdAt": "2024-01-01T00:00:00Z",
        }
        return ok(call, result)

    def _account_info(self, call: Call) -> Reply:
        info: Row = {"unifiedMarginStatus": 6, "marginMode": "REGULAR_MARGIN", "dcpStatus": "OFF"}
        return ok(call, {**info, "updatedTime": str(ms(self._market.started_at))})

    def _wallet(self, call: Call) -> Reply:
        owner, prices = call.owner, self._market.prices
        coins: list[Row] = [
            {
                "coin": coin,
                "equity": text(balance),
                "walletBalance": text(balance),
                "availableToWithdraw": text(available(owner, coin, prices)),
                "locked": "0",
            }
            for coin, balance in owner.wallet.items()
        ]
        row: Row = {"accountType": "UNIFIED", "totalEquity": "", "coin": coins}
        return ok(call, {"list": [row]}, rows="list")

    def _positions(self, call: Call) -> Reply:
        owner, prices = call.owner, self._market.prices
        wanted = call.params.get("category", "")
        symbol, settle = call.params.get("symbol"), call.params.get("settleCoin")
        if wanted == "linear" and not symbol and not settle:
            return error(call, "10001", "Missing some parameters that must be filled in")
        held = (
            list(owner.positions.values()) if call.as_of is None else owner.positions_at(call.as_of)
        )
        if symbol:
            listing = self._market.find_listing(Exchange.BYBIT, symbol)
            if listing is None or category(listing) != wanted:
                return error(call, "10001", "params error: symbol invalid")
            slots = (Slot.LONG, Slot.SHORT) if owner.hedged else (Slot.BOTH,)
            by_slot = {it.slot: it for it in held if it.listing.id == symbol}
            rows = [
                position_row(by_slot[slot], prices)
                if slot in by_slot
                else flat_row(listing, slot, prices, owner.leverage)
                for slot in slots
            ]
            result: Row = {"category": wanted, "list": rows, "nextPageCursor": ""}
            return ok(call, result, rows="list")
        shown = [
            it
            for it in held
            if it.size
            and category(it.listing) == wanted
            and settle in (None, "", it.listing.instrument.settle)
        ]
        shown.sort(key=lambda it: (it.listing.id, it.slot))

        return page(call, shown, lambda it: position_row(it, prices), most=200, usual=20)

    def _trading_stop(self, call: Call) -> Reply:
        slot = Slot(call.integer("positionIdx", 0))
        held = call.owner.position(call.params.get("symbol", ""), slot)
        if held is None or not held.size:
            return error(call, "10001", "can not set tp/sl/ts for zero position")
        stop, profit = call.number("stopLoss"), call.number("takeProfit")
        self._market.attach(call.owner, held, stop_loss=stop, take_profit=profit)
        return ok(call, {})

    def _closed(self, call: Call) -> Reply:
        params = call.params
        if params.get("category") not in CATEGORIES:
            return error(call, "10001", "params error: category invalid")
        window = _window(call)
        if window is None:
            return error(
                call, "10001", "The time range between startTime and endTime is over 7 days"
            )
        since, until = window
        shown = [
            it
            for it in call.told(call.owner.closed, lambda it: it.updated_at)
            if since <= it.updated_at <= until
            and category(it.listing) == params["category"]
            and params.get("symbol") in (None, "", it.listing.id)
        ]
        shown.reverse()
        orders = call.owner.orders
        return page(call, shown, lambda it: closed_row(it, orders[it.order_id]), most=100, usual=50)

    def _executions(self, call: Call) -> Reply:
        params, owner = call.params, call.owner
        window = _window(call)
        if window is None:
            return error(
                call, "10001", "The time range between startTime and endTime is over 7 days"
            )
        since, until = window
        symbol, kind = params.get("symbol"), params.get("execType")
        shown = [
            execution
            for book in ([symbol] if symbol else list(owner.executions))
            for execution in call.told(owner.executions.get(book, []), lambda it: it.at)
            if since <= execution.at <= until
            and category(execution.listing) == params.get("category")
            and kind in (None, "", EXEC_TYPES[execution.kind])
            and params.get("orderId") in (None, "", execution.order_id)
            and params.get("orderLinkId") in (None, "", execution.client_id)
        ]
        shown.sort(key=lambda execution: (execution.at, execution.sequence), reverse=True)

        return page(
            call,
            shown,
            lambda it: execution_row(it, owner.orders[it.order_id]),
            most=100,
            usual=50,
        )


def _window(call: Call) -> tuple[datetime, datetime] | None:
    """The days that a history is asked for, or None where they are more than seven."""
    since, until = call.instant("startTime"), call.instant("endTime")
    if since is None:
        since = (until or call.at) - WEEK
    until = until or min(since + WEEK, call.at)
    return None if until - since > WEEK else (since, until)
