"""Where each venue keeps its orders, and how all of those places are read.

For it: a None from here means that every place was read well and none holds the order. Left to
others: what is made of that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from messages.venue import Instrument, OrderRecord, VenueError, VenueErrorKind
from venues import kraken
from venues.client import Client, VenueCallError
from venues.ids import to_venue
from venues.order_records import read_record
from venues.strict import MalformedReplyError, next_cursor

Order = Mapping[str, Any]
_MOST_PAGES = 200
_GATE_PAGE = 100


async def by_client_id(
    client: Client, instrument: Instrument, canonical: str
) -> OrderRecord | None:
    """The order of a client id. Raises `VenueCallError`."""
    wanted = to_venue(client.facts.exchange, canonical)
    return await _search(client, instrument, wanted, by_id=False, name="find_order")


async def by_order_id(
    client: Client, instrument: Instrument, order_id: str, *, trigger: bool
) -> OrderRecord | None:
    """The order of a venue's id. Raises `VenueCallError`."""
    return await _search(client, instrument, order_id, by_id=True, name="cancel", trigger=trigger)


async def _search(
    client: Client,
    instrument: Instrument,
    wanted: str,
    *,
    by_id: bool,
    name: str,
    trigger: bool | None = None,
) -> OrderRecord | None:
    exchange = client.facts.exchange
    search = _SEARCHES.get(exchange, _search_elsewhere)
    for step in search(client, instrument, wanted, by_id):
        if trigger is not None and step.trigger is not None and step.trigger != trigger:
            continue
        try:
            async with client.call(name):
                found = _pick(await step.read(), wanted, by_id=by_id)
                if found is not None:
                    return await _record(client, instrument, found)
        except VenueCallError as failed:
            if failed.error.kind is not VenueErrorKind.NO_SUCH_ORDER:
                raise
    return None


class Step:
    """One place to look. `trigger` tells which kind of order it holds; None: both."""

    def __init__(
        self, read: Callable[[], Awaitable[list[Order]]], *, trigger: bool | None = None
    ) -> None:
        self.read = read
        self.trigger = trigger


def _pick(orders: list[Order], wanted: str, *, by_id: bool) -> Order | None:
    key = "id" if by_id else "clientOrderId"
    for order in orders:
        told = order.get(key)
        if told is not None and str(told).lower() == wanted.lower():
            return order
    if orders and any(not order.get("id") for order in orders):
        raise MalformedReplyError("an order record without an id")
    return None


async def _record(client: Client, instrument: Instrument, order: Order) -> OrderRecord:
    raw = order.get("info")
    actual = raw.get("actualOrderId") if isinstance(raw, Mapping) else None
    if isinstance(raw, Mapping) and raw.get("algoStatus") is not None:
        if actual:
            # A triggered algo order lives on as an order of its own: that one has the fills.
            fired = await client.exchange.fetch_order(str(actual), instrument.symbol)
            merged = {
                **fired,
                "clientOrderId": order.get("clientOrderId"),
                "triggerPrice": order.get("triggerPrice"),
            }
            return read_record(client, instrument, merged)
        if order.get("status") == "closed":
            raise MalformedReplyError("an algo order has fired and does not say as which order")
    return read_record(client, instrument, order)


def _bybit(client: Client, instrument: Instrument, wanted: str, by_id: bool) -> list[Step]:
    exchange, symbol = client.exchange, instrument.symbol
    params = {"orderId" if by_id else "orderLinkId": wanted}

    async def live() -> list[Order]:
        return list(await exchange.fetch_open_orders(symbol, None, None, params))

    async def history() -> list[Order]:
        return list(await exchange.fetch_canceled_and_closed_orders(symbol, None, None, params))

    async def recent() -> list[Order]:
        # An order may end between the two reads above and be in neither.
        return list(await exchange.fetch_open_orders(symbol, None, None, {**params, "openOnly": 1}))

    return [Step(live), Step(history), Step(recent)]


def _binance(client: Client, instrument: Instrument, wanted: str, by_id: bool) -> list[Step]:
    exchange, symbol = client.exchange, instrument.symbol

    async def plain_order() -> list[Order]:
        params = {} if by_id else {"origClientOrderId": wanted}
        return [await exchange.fetch_order(wanted, symbol, params)]

    async def algo() -> list[Order]:
        params = {"trigger": True} if by_id else {"trigger": True, "clientAlgoId": wanted}
        return [await exchange.fetch_order(wanted, symbol, params)]

    return [Step(plain_order, trigger=False), Step(algo, trigger=True)]


def _gate(client: Client, instrument: Instrument, wanted: str, by_id: bool) -> list[Step]:
    exchange, symbol = client.exchange, instrument.symbol

    async def one() -> list[Order]:
        return [await exchange.fetch_order(wanted, symbol)]

    async def ended() -> list[Order]:
        # By its text an ended order is found for a minute only; after that, in the list.
        orders = list(await exchange.fetch_closed_orders(symbol, None, _GATE_PAGE))
        if len(orders) >= _GATE_PAGE and _pick(orders, wanted, by_id=by_id) is None:
            raise VenueCallError(
                VenueError(
                    kind=VenueErrorKind.OTHER,
                    message="the order is not among the last ones, and gate keeps no index by text",
                )
            )
        return orders

    async def triggers() -> list[Order]:
        return list(await exchange.fetch_open_orders(symbol, None, _GATE_PAGE, {"trigger": True}))

    async def ended_triggers() -> list[Order]:
        return list(await exchange.fetch_closed_orders(symbol, None, _GATE_PAGE, {"trigger": True}))

    return [
        Step(one, trigger=False),
        Step(ended, trigger=False),
        Step(triggers, trigger=True),
        Step(ended_triggers, trigger=True),
    ]


def _kraken(client: Client, instrument: Instrument, wanted: str, by_id: bool) -> list[Step]:
    """Open orders first: an order that ends while they are read is in the places after them."""

    async def open_now() -> list[Order]:
        return await kraken.open_now(client, instrument)

    async def just_now() -> list[Order]:
        return await kraken.just_now(client, wanted, by_id=by_id)

    async def history() -> list[Order]:
        return await kraken.from_history(client, instrument, wanted, by_id=by_id)

    async def triggers() -> list[Order]:
        return await kraken.from_triggers(client, instrument, wanted, by_id=by_id)

    return [Step(open_now), Step(just_now), Step(history), Step(triggers)]


def _bingx(client: Client, instrument: Instrument, wanted: str, by_id: bool) -> list[Step]:
    exchange, symbol = client.exchange, instrument.symbol

    async def one() -> list[Order]:
        # ccxt's fetch_order sends `orderId=None` beside our id.
        name = "orderId" if by_id else "clientOrderId"
        body = await exchange.swapV2PrivateGetTradeOrder(
            {"symbol": instrument.venue_id, name: wanted}
        )
        order = body["data"]["order"]
        return [exchange.parse_order(order, exchange.market(symbol))]

    return [Step(one)]


def _search_elsewhere(
    client: Client, instrument: Instrument, wanted: str, by_id: bool
) -> list[Step]:
    exchange, symbol = client.exchange, instrument.symbol
    name = client.facts.exchange

    async def one() -> list[Order]:
        if by_id:
            return [await exchange.fetch_order(wanted, symbol)]
        if name == "mexc":
            # Its look-up by our id is a path of its own, which ccxt's fetch_order does not take.
            body = await exchange.contractPrivateGetOrderExternalSymbolExternalOid(
                {"symbol": instrument.venue_id, "external_oid": wanted}
            )
            order = exchange.parse_order(body["data"], exchange.market(symbol))
            return [{**order, "clientOrderId": body["data"].get("externalOid")}]
        return [await exchange.fetch_order(None, symbol, {"clientOrderId": wanted})]

    async def okx_algo() -> list[Order]:
        params = {"trigger": True} if by_id else {"trigger": True, "clientOrderId": wanted}
        return [await exchange.fetch_order(wanted, symbol, params)]

    async def triggers() -> list[Order]:
        orders: list[Order] = []
        for params in client.facts.triggers:
            orders += list(await exchange.fetch_open_orders(symbol, None, None, dict(params)))
        return orders

    async def ended_triggers() -> list[Order]:
        orders: list[Order] = []
        for params in client.facts.triggers:
            orders += await exchange.fetch_canceled_and_closed_orders(
                symbol, None, None, dict(params)
            )
        return orders

    steps = [Step(one, trigger=None if name == "hyperliquid" else False)]
    if name == "okx":
        steps.append(Step(okx_algo, trigger=True))
    elif name in ("bitget", "kucoinfutures"):
        steps.append(Step(triggers, trigger=True))
    if name == "bitget":
        steps.append(Step(ended_triggers, trigger=True))
    return steps


_SEARCHES: Mapping[str, Callable[[Client, Instrument, str, bool], list[Step]]] = {
    "bybit": _bybit,
    "binanceusdm": _binance,
    "gate": _gate,
    "krakenfutures": _kraken,
    "bingx": _bingx,
}


async def all_open(client: Client, instrument: Instrument) -> list[Order]:
    """All resting orders of a symbol, trigger orders among them. Run inside `client.call`."""
    exchange, symbol = client.exchange, instrument.symbol
    if client.facts.exchange == "bybit":
        return await bybit_pages(client, symbol, {})
    orders = list(await exchange.fetch_open_orders(symbol))
    for params in client.facts.triggers:
        orders += list(await exchange.fetch_open_orders(symbol, None, None, dict(params)))
    return list({str(order.get("id")): order for order in orders}.values())


async def bybit_pages(client: Client, symbol: str | None, params: dict[str, Any]) -> list[Order]:
    """Bybit's open orders, all pages of 50. A circling cursor raises."""
    orders: list[Order] = []
    extra: dict[str, Any] = {}
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        page = list(await client.exchange.fetch_open_orders(symbol, None, 50, {**params, **extra}))
        orders += page
        cursor = next_cursor()
        if not cursor or not page:
            return orders
        if cursor in seen:
            raise MalformedReplyError("the pages of open orders go round in a circle")
        seen.add(cursor)
        extra = {"cursor": cursor}
    raise MalformedReplyError(f"open orders did not end after {_MOST_PAGES} pages")
