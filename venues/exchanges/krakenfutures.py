"""Kraken Futures. Source: the venue's documentation of its derivatives API v3 and history API v3.

It keeps orders in three places: open ones, those of the last seconds (`POST /orders/status`: open,
or ended in the last 5 seconds), and the history of events (`GET /api/history/v3/orders` and
`/triggers`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from messages.budget import LimitScope
from messages.values import ZERO, Side
from messages.venue import (
    ClosedPosition,
    FillKind,
    Identity,
    Instrument,
    InstrumentStatus,
    Kind,
    NotTold,
    OrderRequest,
    PriceKind,
)
from venues.exchanges.base import Exchange
from venues.exchanges.reading import codes_by_kind, ending, raw_of, signed_row, told_id
from venues.exchanges.values import (
    Ask,
    Asked,
    Charge,
    Facts,
    Limit,
    Order,
    PriceList,
    Row,
    RowReading,
    Session,
    Step,
    Trade,
)
from venues.numbers import decimal_or_none, milliseconds, positive_or_none
from venues.strict import CannotTellError, MalformedReplyError, Place, next_token, rows_at

_DERIVATIVES = Limit("derivatives", LimitScope.LOGIN, "cost", 10.0, 500.0)
_HISTORY = Limit("history", LimitScope.LOGIN, "cost", 600.0, 100.0)
_COSTS = {
    "sendorder": 10,
    "editorder": 10,
    "cancelorder": 10,
    "cancelallorders": 25,
    "accounts": 2,
    "openpositions": 2,
    "openorders": 2,
    "fills": 2,
    "orders/status": 1,
}
_UNLISTED = 10
_LOG_COSTS = ((25, 1.0), (50, 2.0), (1000, 3.0), (5000, 6.0))
"""What the account log costs by how many entries are asked for."""
_ANY_CONTRACT = "PF_XBTUSD"
_LOOK_BACK = timedelta(days=7)
"""How far back the history is read for an order that another process has sent."""
_SLACK = timedelta(minutes=1)
_PAGE, _MOST_PAGES = 500, 100
_ELEMENTS = Place("/api/history/v3", ("elements",))
_STATUSES = {
    "ENTERED_BOOK": "open",
    "TRIGGER_PLACED": "open",
    "FULLY_EXECUTED": "closed",
    "CANCELLED": "canceled",
    "REJECTED": "rejected",
    "TRIGGER_ACTIVATION_FAILURE": "rejected",
}
_KINDS = (
    ("liquidation", FillKind.LIQUIDATION),
    ("unwind", FillKind.ADL),
    ("assign", FillKind.TRANSFER),
    ("settle", FillKind.SETTLEMENT),
)
"""`fillType` of a fill."""
_CLOSES = ("close", "decrease", "reverse")
_CLIENT_IDS = ("cliOrdId", "cli_ord_id", "clientId", "clientOrderId")
_NEVER_RESTS = frozenset({"ioc", "market", "mkt", "immediateorcancel", "fillorkill"})
_ENDED = {
    "OrderCancelled": "canceled",
    "OrderRejected": "rejected",
    "OrderTriggerCancelled": "canceled",
    "OrderTriggerRejected": "rejected",
}


class KrakenFutures(Exchange):
    facts = Facts(
        exchange="krakenfutures",
        positions=("/openpositions",),
        places=(
            Place("/openpositions", ("openPositions",)),
            Place("/openorders", ("openOrders",)),
            Place("/fills", ("fills",)),
            Place("/instruments", ("instruments",)),
        ),
        success=("result", frozenset({"success"})),
        filled_fields=("filledSize", "filled"),
        amount_fields=("quantity", "size", "unfilledSize"),
        triggers=(),
        newest_first=True,
        account_fills=True,
        keeps_closed=True,
    )
    codes = codes_by_kind(
        nothing_to_reduce="WOULDNOTREDUCEPOSITION",
        margin="INSUFFICIENTAVAILABLEFUNDS INSUFFICIENTFUNDS",
        rate_limit="APILIMITEXCEEDED TOOMANYREQUESTS",
        no_such_order="NOTFOUND",
        duplicate_id="CLIENTORDERIDALREADYEXIST",
        key="AUTHENTICATIONERROR",
        clock="NONCEBELOWTHRESHOLD NONCEDUPLICATE",
        maintenance="UNAVAILABLE SERVER_ERROR",
        size="INVALIDSIZE",
        price_band="POSTWOULDEXECUTE INVALIDPRICE OUTSIDEPRICECOLLAR IOCWOULDNOTEXECUTE",
        not_tradable="MARKETSUSPENDED MARKETINACTIVE CONTRACTNOTFOUND MARKETUNAVAILABLE",
        other="""INVALIDORDERTYPE INVALIDSIDE SELFFILL TOOMANYSMALLORDERS MAXPOSITIONVIOLATION
            CLIENTORDERIDTOOLONG WOULDCAUSELIQUIDATION REQUIREDARGUMENTMISSING INVALIDARGUMENT""",
    )

    limits = (_DERIVATIVES, _HISTORY)

    def charges(self, asked: Asked) -> tuple[Charge, ...]:
        """Page "Derivatives Rate Limits": 500 in 10 s; the history 100 in 10 min. Public is free.

        No header tells of them.
        """
        if asked.api[0] == "history":
            count = int(str(asked.param("count") or 500))
            log = next((cost for most, cost in _LOG_COSTS if count <= most), 10.0)
            return (Charge(_HISTORY, log if asked.path == "account-log" else 1.0),)
        if not asked.private:
            return ()
        if asked.path == "fills" and asked.param("lastFillTime"):
            return (Charge(_DERIVATIVES, 25.0),)
        return (Charge(_DERIVATIVES, float(_COSTS.get(asked.path, _UNLISTED))),)

    async def touch(self, session: Session) -> None:
        """GET /instruments/{symbol}/status: there is no question for the time. Public, so free."""
        await session.exchange.publicGetInstrumentsSymbolStatus({"symbol": _ANY_CONTRACT})

    async def identity(self, session: Session) -> Identity | NotTold:
        """GET /api/history/v3/account-log: `accountUid`."""
        body = await session.exchange.historyGetAccountLog({"version": "v3", "count": 1})
        return Identity(id=told_id(body if isinstance(body, Mapping) else {}, "accountUid"))

    def price_lists(self, settles: tuple[str, ...], kinds: frozenset[PriceKind]) -> list[PriceList]:
        """GET /derivatives/api/v3/tickers: all kinds at once."""
        fields = {"bid": "bid", "ask": "ask", "last": "last", "mark": "markPrice"}
        return [PriceList("publicGetTickers", Place("/tickers", ("tickers",)), "symbol", fields)]

    def market_status(self, market: Mapping[str, Any]) -> InstrumentStatus:
        halted = str(market["info"].get("tradeable", "true")).lower() == "false"
        return InstrumentStatus.HALTED if halted else InstrumentStatus.TRADING

    def read_row(self, row: Row) -> RowReading | None:
        reading = signed_row(row, "size", "side", ())
        return None if reading is None else RowReading(reading.size, reading.side, False)

    def leg_params(self, order: OrderRequest) -> dict[str, Any]:
        # One-way only.
        return {}

    def immediate_params(self) -> dict[str, Any]:
        # The comparison is in lower case: `IOC` would rest there as a plain limit order.
        return {"timeInForce": "ioc"}

    def lookup_steps(
        self, session: Session, instrument: Instrument, wanted: str, *, by_id: bool
    ) -> list[Step]:
        """Open orders first: an order that ends while they are read is in the places after them."""

        async def resting() -> list[Order]:
            return await _open_now(session, instrument)

        async def recent() -> list[Order]:
            return await _just_now(session, wanted, by_id=by_id)

        async def history() -> list[Order]:
            return await _from_history(session, instrument, wanted, by_id=by_id)

        async def triggers() -> list[Order]:
            return await _from_triggers(session, instrument, wanted, by_id=by_id)

        return [Step(resting), Step(recent), Step(history), Step(triggers)]

    def corrected(self, order: Order) -> Order:
        """Our id in each of its spellings, and the price of a trigger where ccxt overlooks it."""
        raw = raw_of(order)
        own = order.get("clientOrderId") or next(
            (raw[name] for name in _CLIENT_IDS if raw.get(name)), None
        )
        price = order.get("triggerPrice") or _trigger_price(raw)
        return {**order, "clientOrderId": own, "triggerPrice": price}

    async def fill_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[Trade], str]:
        """GET /fills: the last hundred of the whole account, older ones by `lastFillTime`."""
        params = {"lastFillTime": ask.at} if ask.at else {}
        await session.exchange.fetch_my_trades(instrument.symbol, None, None, params)
        trades = self.trades_taken(session, instrument)
        rows = self.rows_taken()
        times = [_fill_time(row) for row in rows]
        if len(rows) < self.facts.fill_page or min(times) < ask.start:
            return trades, ""
        # That time itself is left out of the older page, and may be that of several fills.
        older = min(times) + timedelta(milliseconds=1)
        return trades, older.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def fill_kind(self, session: Session, raw: Row, client_order_id: str) -> FillKind:
        written = str(raw.get("fillType") or "").lower()
        return next((kind for word, kind in _KINDS if word in written), FillKind.TRADE)

    async def closed_page(
        self, session: Session, instrument: Instrument, ask: Ask
    ) -> tuple[list[ClosedPosition], str]:
        """GET /api/history/v3/positions: each change of a position, the newest first.

        `timestamp` is when it changed; its `fillTime` is that of the opening.
        """
        request: dict[str, Any] = {
            "version": "v3",
            "tradeable": instrument.venue_id,
            "since": ask.start_ms,
            "sort": "desc",
            "count": _PAGE,
        }
        if ask.at:
            request["continuation_token"] = ask.at
        rows = rows_at(await session.exchange.historyGetPositions(request), _ELEMENTS)
        following = next_token()
        records = []
        for row in rows:
            event = row.get("event")
            update = event.get("PositionUpdate") if isinstance(event, Mapping) else None
            if not isinstance(update, Mapping):
                raise MalformedReplyError("the history lists something that is no change")
            if update.get("positionChange") in _CLOSES:
                records.append(_ended(instrument, row, update))
        return records, following

    def fill_size(self, trade: Trade, raw: Row) -> Decimal | None:
        # ccxt leaves the amount of an inverse fill out; the row has it, in contracts.
        return super().fill_size(trade, raw) or positive_or_none(raw.get("size"))

    def fill_fee(self, trade: Trade, raw: Row) -> tuple[Decimal | None, str | None]:
        # The row tells none; what ccxt has is its own estimate.
        return None, None


def _ended(instrument: Instrument, row: Row, update: Row) -> ClosedPosition:
    held, size = (decimal_or_none(update.get(name)) for name in ("oldPosition", "executionSize"))
    if not held:
        raise MalformedReplyError("a change of a position does not say what was held")
    change = update.get("positionChange")
    words = f"{update.get('tradeType')} {update.get('updateReason')}".lower()
    return ending(
        instrument,
        record_id=row.get("uid") or update.get("executionUid"),
        side=Side.LONG if held > 0 else Side.SHORT,
        # A reversal closes all that was held, and opens with the rest.
        size=abs(held) if size is None or change != "decrease" else size,
        ended=update.get("timestamp") or row.get("timestamp"),
        entry=update.get("oldAverageEntryPrice"),
        price=update.get("executionPrice"),
        pnl=update.get("realizedPnL"),
        kind=next((kind for word, kind in _KINDS if word in words), FillKind.TRADE),
        whole=change != "decrease",
    )


def _trigger_price(order: Row) -> Any:
    """A trigger's price, which stands in the order itself or among its options."""
    options = (order.get("priceTriggerOptions"), order.get("triggerOptions"))
    places = [order, *(each for each in options if isinstance(each, Mapping))]
    told = (place.get(name) for place in places for name in ("triggerPrice", "stopPrice"))
    return next((price for price in told if positive_or_none(price) is not None), None)


def _fill_time(row: Row) -> datetime:
    try:
        told = datetime.fromisoformat(str(row.get("fillTime")))
    except ValueError as error:
        raise MalformedReplyError("a fill has no time") from error
    return told if told.tzinfo else told.replace(tzinfo=UTC)


async def _open_now(session: Session, instrument: Instrument) -> list[Order]:
    """Resting orders, stops among them."""
    return list(await session.exchange.fetch_open_orders(instrument.symbol))


async def _just_now(session: Session, wanted: str, *, by_id: bool) -> list[Order]:
    """`POST /orders/status`. ccxt asks it by GET, and always by the venue's id."""
    key = "orderIds" if by_id else "cliOrdIds"
    body = await session.exchange.request("orders/status", ["private"], "POST", {key: wanted})
    rows = body.get("orders", []) if isinstance(body, Mapping) else None
    if not isinstance(rows, list) or body.get("result") != "success":
        raise MalformedReplyError("/orders/status answered without its list of orders")
    found: list[Order] = []
    for row in rows:
        order = row.get("order") if isinstance(row, Mapping) else None
        if not isinstance(order, Mapping):
            raise MalformedReplyError("/orders/status lists something that is no order")
        parsed = session.exchange.parse_order(row)
        quantity, filled = _sizes(order, "orderId")
        # Of a stop nothing is filled before it has become an order.
        info = {**row, "order": {"filled": "0", **order}}
        status = _STATUSES.get(str(row.get("status")))
        sizes = {"amount": _whole(quantity, filled), "filled": str(filled)}
        found.append({**parsed, **sizes, "status": status, "info": info})
    return found


async def _from_history(
    session: Session, instrument: Instrument, wanted: str, *, by_id: bool
) -> list[Order]:
    """The order as its events tell it, with its fills. Empty where there is none of it."""
    since = _since(session, wanted)
    events = await _events(session.exchange.historyGetOrders, since, wanted, by_id=by_id)
    if not events:
        return []
    order = events[0][1]
    filled = max(_sizes(it, "uid")[1] for _, it in events)
    done, average = await _fills(session, instrument, str(order.get("uid")))
    if done < filled:
        # Other fills of the account hide some of its own: the average would be of a part.
        average = None
    filled = max(filled, done)
    whole = max(Decimal(_whole(*_sizes(it, "uid"))) for _, it in events)
    status = next((_ENDED[name] for name, _ in events if name in _ENDED), None)
    if status is None and filled >= whole:
        status = "closed"
    kind = str(order.get("orderType") or "").replace("_", "").replace(" ", "").lower()
    if status is None and kind in _NEVER_RESTS:
        status = "canceled"
    if status is None:
        raise CannotTellError("an order is not open any more, and no event says how it ended")
    return [_as_order(instrument, order, status, str(max(whole, filled)), str(filled), average)]


async def _from_triggers(
    session: Session, instrument: Instrument, wanted: str, *, by_id: bool
) -> list[Order]:
    """A stop that ended without becoming an order. Empty where there is none of it."""
    since = _since(session, wanted)
    events = await _events(session.exchange.historyGetTriggers, since, wanted, by_id=by_id)
    if not events:
        return []
    name, order = events[0]
    if name not in _ENDED:
        raise CannotTellError("a stop rests no more, and no event says what became of it")
    return [_as_order(instrument, order, _ENDED[name], str(_sizes(order, "uid")[0]), "0", None)]


def _since(session: Session, wanted: str) -> datetime:
    """From when on an order's events can be: since it was sent, where this process did that."""
    sent = session.sent_at.get(wanted)
    return session.now() - _LOOK_BACK if sent is None else sent - _SLACK


async def _events(
    read: Callable[[dict[str, Any]], Awaitable[Any]],
    since: datetime,
    wanted: str,
    *,
    by_id: bool,
) -> list[tuple[str, Order]]:
    """The order's events since an instant, the newest first, all pages."""
    keys = ("uid",) if by_id else _CLIENT_IDS
    request: dict[str, Any] = {
        "version": "v3",
        "since": milliseconds(since),
        "sort": "desc",
        "count": _PAGE,
    }
    found: list[tuple[int, str, Order]] = []
    tokens: set[str] = set()
    for _ in range(_MOST_PAGES):
        rows = rows_at(await read(request), _ELEMENTS)
        for row in rows:
            at = decimal_or_none(row.get("timestamp"))
            for name, order in _orders(row):
                if wanted.lower() in (str(order.get(key) or "").lower() for key in keys):
                    if at is None:
                        raise MalformedReplyError("an event of the history has no time")
                    found.append((int(at), name, order))
        token = next_token()
        if not token:
            # A stable sort: of one millisecond, the venue lists the newest first.
            return _one_order([it[1:] for it in sorted(found, key=lambda event: -event[0])])
        if token in tokens:
            raise MalformedReplyError("the pages of the history go round in a circle")
        tokens.add(token)
        request = {**request, "continuation_token": token}
    raise MalformedReplyError(f"the history did not end after {_MOST_PAGES} pages")


def _one_order(events: list[tuple[str, Order]]) -> list[tuple[str, Order]]:
    """Of orders that share our id, the one that the venue took: it refuses the id's second use."""
    refused = {order.get("uid") for name, order in events if name == "OrderRejected"}
    taken = [order.get("uid") for _, order in events if order.get("uid") not in refused]
    chosen = next(iter(taken or [order.get("uid") for _, order in events]), None)
    return [(name, order) for name, order in events if order.get("uid") == chosen]


def _orders(row: Mapping[str, Any]) -> Iterator[tuple[str, Order]]:
    """Each event by its name, with the order as it stood afterwards."""
    events = row.get("event")
    if not isinstance(events, Mapping):
        raise MalformedReplyError("the history lists something that is no event")
    for name, event in events.items():
        if not isinstance(event, Mapping):
            continue
        for key in ("newOrder", "newOrderTrigger", "order", "orderTrigger", "oldOrder"):
            if isinstance(event.get(key), Mapping):
                yield name, event[key]
                break


async def _fills(
    session: Session, instrument: Instrument, order_id: str
) -> tuple[Decimal, str | None]:
    """What the last hundred fills say of an order: how much in contracts, at which average."""
    trades = await session.exchange.fetch_my_trades(instrument.symbol)
    own = [trade for trade in trades if str(trade.get("order")) == order_id]
    parts = [
        (decimal_or_none(trade["info"].get("size")) or ZERO, decimal_or_none(trade.get("price")))
        for trade in own
    ]
    done = sum((size for size, _ in parts), ZERO)
    if not done or instrument.kind is Kind.INVERSE or any(price is None for _, price in parts):
        return done, None
    return done, str(sum((size * price for size, price in parts if price), ZERO) / done)


def _sizes(order: Order, name: str) -> tuple[Decimal, Decimal]:
    """Quantity and fill in contracts. Raises `MalformedReplyError` without a quantity."""
    quantity, filled = decimal_or_none(order.get("quantity")), decimal_or_none(order.get("filled"))
    if quantity is None:
        raise MalformedReplyError(f"order {order.get(name)!r} lacks its quantity")
    return quantity, ZERO if filled is None else filled


def _whole(quantity: Decimal, filled: Decimal) -> str:
    """The order's full size: an event of a filled order has quantity 0, which is what remains."""
    return str(quantity if quantity >= filled else quantity + filled)


def _as_order(
    instrument: Instrument,
    order: Order,
    status: str,
    amount: str,
    filled: str,
    average: str | None,
) -> Order:
    return {
        "id": order.get("uid"),
        "clientOrderId": next((order[name] for name in _CLIENT_IDS if order.get(name)), None),
        "symbol": instrument.symbol,
        "side": str(order.get("direction") or "").lower(),
        "status": status,
        "amount": amount,
        "filled": filled,
        "average": average,
        "price": order.get("limitPrice"),
        "triggerPrice": _trigger_price(order),
        "reduceOnly": order.get("reduceOnly"),
        "timestamp": order.get("timestamp"),
        "lastUpdateTimestamp": order.get("lastUpdateTimestamp"),
        "info": {**order, "filled": filled},
    }
