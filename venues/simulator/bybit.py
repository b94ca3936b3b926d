"""Bybit v5 over REST, as ccxt 4.5.90's `bybit` speaks it: routes, signatures, paging, codes.

Errors are HTTP 200 with `retCode`. Left to others: rows (`bybit_rows.py`), the market's rules,
faults and sockets.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from messages.values import OrderSide
from venues.simulator.bybit_rows import (
    EXEC_TYPES,
    category,
    execution_row,
    flat_row,
    instrument_row,
    order_row,
    position_row,
    ticker_row,
)
from venues.simulator.bybit_words import CODES
from venues.simulator.checks import available
from venues.simulator.instruments import Exchange, Listing
from venues.simulator.market import Market
from venues.simulator.state import (
    Account,
    Execution,
    Order,
    OrderSpec,
    Position,
    Rejection,
    Slot,
    TimeInForce,
    Why,
)
from venues.simulator.wire import (
    Call,
    HttpRequest,
    Params,
    Reply,
    Route,
    Row,
    flat,
    ms,
    page_start,
    text,
)

WEEK = timedelta(days=7)


class Bybit:
    """Answers decoded calls from the market. `recv_window` default is Bybit's own, 5 s."""

    exchange = Exchange.BYBIT

    def __init__(self, market: Market) -> None:
        self._market = market
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "/v5/market/time"): Route("time", self._time, signed=False),
            ("GET", "/v5/market/instruments-info"): Route(
                "instruments", self._instruments, signed=False
            ),
            ("GET", "/v5/market/tickers"): Route("ticker", self._tickers, signed=False),
            ("GET", "/v5/market/orderbook"): Route("book", self._book, signed=False),
            ("GET", "/v5/asset/coin/query-info"): Route("currencies", self._currencies),
            ("GET", "/v5/user/query-api"): Route("rights", self._rights),
            ("GET", "/v5/account/info"): Route("account", self._account_info),
            ("GET", "/v5/account/wallet-balance"): Route("balance", self._wallet),
            ("GET", "/v5/position/list"): Route("positions", self._positions),
            ("POST", "/v5/position/trading-stop"): Route("attach", self._trading_stop),
            ("POST", "/v5/order/create"): Route("order.create", self._create),
            ("POST", "/v5/order/cancel"): Route("order.cancel", self._cancel),
            ("POST", "/v5/order/cancel-all"): Route("order.cancel_all", self._cancel_all),
            ("GET", "/v5/order/realtime"): Route("order.open", self._realtime),
            ("GET", "/v5/order/history"): Route("order.history", self._history),
            ("GET", "/v5/execution/list"): Route("fills", self._executions),
        }

    def route(self, method: str, path: str) -> Route | None:
        return self._routes.get((method, path))

    def params(self, request: HttpRequest) -> Params:
        if request.method == "POST":
            return flat(request.body)
        return dict(parse_qsl(request.query, keep_blank_values=True))

    def authenticate(
        self,
        request: HttpRequest,
        params: Params,  # noqa: ARG002  # Bybit signs by headers; Binance needs them
        at: datetime,
    ) -> Account | Reply:
        headers = request.headers
        key = headers.get("X-BAPI-API-KEY", "")
        stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "")
        account = self._market.account_of(key)
        if account is None or account.exchange is not self.exchange:
            return self.error("10003", "API key is invalid.")
        signed = request.body.decode() if request.method == "POST" else request.query
        if not _signed(account, f"{stamp}{key}{window}{signed}", headers.get("X-BAPI-SIGN", "")):
            return self.error("10004", "error sign! please check your signature generation")
        if not stamp.isdecimal() or not (window or "5000").isdecimal():
            return self.error("10001", "params error: timestamp invalid")
        late = ms(at) - int(stamp)
        if late > int(window or "5000") or late < -1000:
            return self.error(
                "10002",
                "invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{stamp}],server_timestamp[{ms(at)}],recv_window[{window}]",
            )
        return account

    def error(self, code: str, message: str) -> Reply:
        return Reply(
            {
                "retCode": int(code),
                "retMsg": message,
                "result": {},
                "retExtInfo": {},
                "time": ms(self._market.now()),
            }
        )

    def too_many(self) -> Reply:
        return self.error("10006", "Too many visits. Exceeded the API Rate Limit.")

    def malformed(self, message: str) -> Reply:
        return self.error("10001", f"params error: {message}")

    def _ok(self, call: Call, result: Row, *, rows: str | None = None) -> Reply:
        body: Row = {
            "retCode": 0,
            "retMsg": "OK",
            "result": result,
            "retExtInfo": {},
            "time": ms(call.at),
        }
        return Reply(body, rows=None if rows is None else ("result", rows))

    def _refused(self, rejection: Rejection) -> Reply:
        return self.error(*CODES[rejection.why])

    def _page(
        self,
        call: Call,
        items: Sequence[object],
        row: Callable[[object], Row],
        most: int,
        usual: int,
    ) -> Reply:
        """One page of items as rows, and the cursor of the next while there is one."""
        limit = min(max(1, call.integer("limit", usual)), most)
        start = page_start(call.params)
        cursor = f"page%3A{start + limit}" if start + limit < len(items) else ""
        page = [row(item) for item in items[start : start + limit]]
        result: Row = {
            "category": call.params.get("category", ""),
            "list": page,
            "nextPageCursor": cursor,
        }
        return self._ok(call, result, rows="list")

    def _listed(self, call: Call) -> list[Listing]:
        wanted, symbol = call.params.get("category", ""), call.params.get("symbol")
        listed = self._market.listings(self.exchange)
        return [it for it in listed if category(it) == wanted and symbol in (None, "", it.id)]

    # Public reads.

    def _time(self, call: Call) -> Reply:
        seconds, nanos = int(call.at.timestamp()), ms(call.at) * 1_000_000
        return self._ok(call, {"timeSecond": str(seconds), "timeNano": str(nanos)})

    def _instruments(self, call: Call) -> Reply:
        prelaunch = call.params.get("status") == "PreLaunch"
        items = [] if prelaunch else self._listed(call)
        return self._page(call, items, _row_of(instrument_row), 1000, 500)

    def _tickers(self, call: Call) -> Reply:
        rows = [ticker_row(it, self._market.prices) for it in self._listed(call)]
        if not rows and call.params.get("symbol"):
            return self.error("10001", "params error: symbol invalid")
        return self._ok(call, {"category": call.params["category"], "list": rows}, rows="list")

    def _book(self, call: Call) -> Reply:
        listed, prices = self._listed(call), self._market.prices
        if len(listed) != 1:
            return self.error("10001", "params error: symbol invalid")
        bid, ask = text(prices.bid(listed[0])), text(prices.ask(listed[0]))
        result: Row = {"s": listed[0].id, "b": [[bid, "50"]], "a": [[ask, "50"]]}
        return self._ok(call, {**result, "ts": ms(call.at), "u": 1, "seq": 1, "cts": ms(call.at)})

    # The account.

    def _currencies(self, call: Call) -> Reply:
        rows = [{"name": coin, "coin": coin, "chains": []} for coin in call.owner.wallet]
        return self._ok(call, {"rows": rows}, rows="rows")

    def _rights(self, call: Call) -> Reply:
        owner = call.owner
        result: Row = {
            "id": "1000001",
            "note": owner.name,
            "apiKey": owner.key,
            "readOnly": 0 if owner.can_trade else 1,
            "permissions": {
                "ContractTrade": ["Order", "Position"] if owner.can_trade else [],
                "Spot": [],
                "Wallet": ["Withdraw"] if owner.can_withdraw else [],
                "Options": [],
                "Derivatives": ["DerivativesTrade"] if owner.can_trade else [],
            },
            "ips": ["*"],
            "type": 1,
            "uta": 1,
            "unified": 0,
            "userID": 24617703,
            "inviterID": 0,
            "isMaster": True,
            "expiredAt": "2099-01-01T00:00:00Z",
            "createdAt": "2024-01-01T00:00:00Z",
        }
        return self._ok(call, result)

    def _account_info(self, call: Call) -> Reply:
        info: Row = {"unifiedMarginStatus": 6, "marginMode": "REGULAR_MARGIN", "dcpStatus": "OFF"}
        return self._ok(call, {**info, "updatedTime": str(ms(self._market.started_at))})

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
        return self._ok(call, {"list": [row]}, rows="list")

    def _positions(self, call: Call) -> Reply:
        owner, prices = call.owner, self._market.prices
        wanted = call.params.get("category", "")
        symbol, settle = call.params.get("symbol"), call.params.get("settleCoin")
        if wanted == "linear" and not symbol and not settle:
            return self.error("10001", "Missing some parameters that must be filled in")
        held = (
            list(owner.positions.values()) if call.as_of is None else owner.positions_at(call.as_of)
        )
        if symbol:
            listing = self._market.find_listing(self.exchange, symbol)
            if listing is None or category(listing) != wanted:
                return self.error("10001", "params error: symbol invalid")
            slots = (Slot.LONG, Slot.SHORT) if owner.hedged else (Slot.BOTH,)
            by_slot = {it.slot: it for it in held if it.listing.id == symbol}
            rows = [
                position_row(by_slot[slot], prices)
                if slot in by_slot
                else flat_row(listing, slot, prices, owner.leverage)
                for slot in slots
            ]
            result: Row = {"category": wanted, "list": rows, "nextPageCursor": ""}
            return self._ok(call, result, rows="list")
        shown = [
            it
            for it in held
            if it.size
            and category(it.listing) == wanted
            and settle in (None, "", it.listing.instrument.settle)
        ]
        shown.sort(key=lambda it: (it.listing.id, it.slot))

        def row(item: object) -> Row:
            if not isinstance(item, Position):
                raise TypeError(f"{item!r} is no position")
            return position_row(item, prices)

        return self._page(call, shown, row, 200, 20)

    def _trading_stop(self, call: Call) -> Reply:
        slot = Slot(call.integer("positionIdx", 0))
        held = call.owner.position(call.params.get("symbol", ""), slot)
        if held is None or not held.size:
            return self.error("10001", "can not set tp/sl/ts for zero position")
        stop, profit = call.number("stopLoss"), call.number("takeProfit")
        self._market.attach(call.owner, held, stop_loss=stop, take_profit=profit)
        return self._ok(call, {})

    # Orders.

    def _create(self, call: Call) -> Reply:
        if not call.owner.can_trade:
            return self.error("10005", "Permission denied, please check your API key permissions.")
        if call.params.get("category") == "spot":
            return self.error("170131", "Insufficient balance.")
        listing = self._market.find_listing(self.exchange, call.params.get("symbol", ""))
        if listing is None or category(listing) != call.params.get("category"):
            return self._refused(Rejection(Why.UNKNOWN_SYMBOL))
        placed = self._market.place(call.owner, _spec(call))
        if isinstance(placed, Rejection):
            return self._refused(placed)
        return self._ok(call, {"orderId": placed.id, "orderLinkId": placed.spec.client_id})

    def _cancel(self, call: Call) -> Reply:
        found = self._named(call)
        ended = self._market.cancel(call.owner, found[0] if found else None)
        if isinstance(ended, Rejection):
            return self._refused(ended)
        return self._ok(call, {"orderId": ended.id, "orderLinkId": ended.spec.client_id})

    def _cancel_all(self, call: Call) -> Reply:
        ended: list[Row] = []
        for order in call.owner.live_orders(call.params.get("symbol", "")):
            if not order.attached:
                self._market.cancel(call.owner, order)
                ended.append({"orderId": order.id, "orderLinkId": order.spec.client_id})
        return self._ok(call, {"list": ended, "success": "1"}, rows="list")

    def _named(self, call: Call) -> list[Order] | None:
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
        return [order for order in found if symbol in (None, "", order.listing.id)]

    def _realtime(self, call: Call) -> Reply:
        found = self._named(call)
        if found is None:
            symbol = call.params.get("symbol")
            books = [symbol] if symbol else list(call.owner.live)
            found = [order for book in books for order in call.owner.live_orders(book)]
        return self._orders(call, found)

    def _history(self, call: Call) -> Reply:
        named = self._named(call)
        found = list(call.owner.orders.values()) if named is None else named
        since, until = call.instant("startTime"), call.instant("endTime")
        symbol = call.params.get("symbol")
        return self._orders(
            call,
            [
                order
                for order in found
                if not order.state.live
                and symbol in (None, "", order.listing.id)
                and (since is None or order.created_at >= since)
                and (until is None or order.created_at <= until)
            ],
        )

    def _orders(self, call: Call, orders: list[Order]) -> Reply:
        params = call.params
        wanted, settle, only = (
            params.get("category"),
            params.get("settleCoin"),
            params.get("orderFilter"),
        )
        shown = [
            order
            for order in orders
            if category(order.listing) == wanted
            and settle in (None, "", order.listing.instrument.settle)
            and (not only or order.conditional is (only != "Order"))
        ]
        shown.sort(key=lambda order: order.sequence, reverse=True)
        return self._page(call, shown, _row_of(order_row), 50, 20)

    def _executions(self, call: Call) -> Reply:
        params, owner = call.params, call.owner
        since, until = call.instant("startTime"), call.instant("endTime")
        if since is None:
            since = (until or call.at) - WEEK
        until = until or min(since + WEEK, call.at)
        if until - since > WEEK:
            return self.error(
                "10001", "The time range between startTime and endTime is over 7 days"
            )
        symbol, kind = params.get("symbol"), params.get("execType")
        shown = [
            execution
            for book in ([symbol] if symbol else list(owner.executions))
            for execution in owner.executions.get(book, [])
            if since <= execution.at <= until
            and category(execution.listing) == params.get("category")
            and kind in (None, "", EXEC_TYPES[execution.kind])
            and params.get("orderId") in (None, "", execution.order_id)
            and params.get("orderLinkId") in (None, "", execution.client_id)
        ]
        shown.sort(key=lambda execution: (execution.at, execution.sequence), reverse=True)

        def row(item: object) -> Row:
            if not isinstance(item, Execution):
                raise TypeError(f"{item!r} is no execution")
            return execution_row(item, owner.orders[item.order_id])

        return self._page(call, shown, row, 100, 50)


def _row_of(row: Callable[..., Row]) -> Callable[[object], Row]:
    return row


def _signed(account: Account, payload: str, signature: str) -> bool:
    secret = account.secret.reveal().encode()
    return hmac.compare_digest(
        hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest(), signature
    )


def _spec(call: Call) -> OrderSpec:
    """The order that a call asks for. Raises ValueError for what cannot be read."""
    params = call.params
    quantity = call.number("qty")
    market = params.get("orderType") == "Market"
    price = None if market else call.number("price")
    if params.get("side") not in ("Buy", "Sell") or quantity is None:
        raise ValueError("side or qty invalid")
    if not market and price is None:
        raise ValueError("price invalid")
    direction = params.get("triggerDirection")
    trigger = call.number("triggerPrice")
    if trigger is not None and direction not in ("1", "2"):
        raise ValueError("triggerDirection invalid")
    buying = params["side"] == "Buy"
    return OrderSpec(
        symbol_id=params["symbol"],
        side=OrderSide.BUY if buying else OrderSide.SELL,
        quantity=quantity,
        price=price,
        time_in_force=TimeInForce(params.get("timeInForce") or "GTC"),
        reduce_only=call.flag("reduceOnly"),
        slot=Slot(call.integer("positionIdx", 0)),
        client_id=params.get("orderLinkId", ""),
        trigger_price=trigger,
        trigger_rising=None if trigger is None else direction == "1",
        take_profit=trigger is not None and (direction == "1") is not buying,
    )
