"""Finding an order in all the places where its venue keeps orders, and listing the resting ones.

A None from here means that every place was read well and none holds the order. Which places there
are is the exchange's own (`exchanges/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from messages.venue import Instrument, OrderRecord, VenueErrorKind
from venues.client import Client, VenueCallError
from venues.exchanges.base import Order
from venues.order_records import read_record
from venues.strict import MalformedReplyError, last_body

_MOST_PAGES = 200


async def by_client_id(
    client: Client, instrument: Instrument, canonical: str
) -> OrderRecord | None:
    """The order of a client id. Raises `VenueCallError`."""
    wanted = client.hooks.to_venue_id(canonical)
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
    for step in client.hooks.lookup_steps(client, instrument, wanted, by_id=by_id):
        if trigger is not None and step.trigger is not None and step.trigger != trigger:
            continue
        try:
            async with client.call(name):
                orders = [client.hooks.corrected(order) for order in await step.read()]
                found = _pick(orders, wanted, by_id=by_id)
                if found is not None:
                    order = await client.hooks.became(client, instrument, found)
                    return read_record(client, instrument, order)
        except VenueCallError as failed:
            if failed.error.kind is not VenueErrorKind.NO_SUCH_ORDER:
                raise
    return None


def _pick(orders: list[Order], wanted: str, *, by_id: bool) -> Order | None:
    key = "id" if by_id else "clientOrderId"
    for order in orders:
        told = order.get(key)
        if told is not None and str(told).lower() == wanted.lower():
            return order
    if orders and any(not order.get("id") for order in orders):
        raise MalformedReplyError("an order record without an id")
    return None


async def all_open(client: Client, instrument: Instrument) -> list[Order]:
    """All resting orders of a symbol, trigger orders among them. Run inside `client.call`."""
    orders: list[Order] = []
    for params in client.hooks.open_order_reads():
        orders += await open_pages(client, instrument.symbol, params)
    return list({str(order.get("id")): order for order in orders}.values())


async def open_pages(client: Client, symbol: str | None, params: Mapping[str, Any]) -> list[Order]:
    """Open orders, all pages where the venue has pages. A circling cursor raises."""
    size = client.facts.order_page
    if not size:
        orders = await client.exchange.fetch_open_orders(symbol, None, None, dict(params))
        return [client.hooks.corrected(order) for order in orders]
    found: list[Order] = []
    extra: dict[str, Any] = {}
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        asked = {**params, **extra}
        page = list(await client.exchange.fetch_open_orders(symbol, None, size, asked))
        found += (client.hooks.corrected(order) for order in page)
        cursor = client.hooks.next_cursor(last_body())
        if not cursor or not page:
            return found
        if cursor in seen:
            raise MalformedReplyError("the pages of open orders go round in a circle")
        seen.add(cursor)
        extra = {"cursor": cursor}
    raise MalformedReplyError(f"open orders did not end after {_MOST_PAGES} pages")
