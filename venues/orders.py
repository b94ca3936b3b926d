"""Sending reduce-only orders once, and asking the venue what became of them.

Whatever is not the venue's own refusal leaves the outcome unknown; the order is then looked up by
its id. Whether to send, and whether to send again, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, Inexact, localcontext
from typing import Any

from messages.budget import Lane
from messages.values import ZERO
from messages.venue import (
    Accepted,
    Canceled,
    Instrument,
    NoSuchOrder,
    OpenOrders,
    OrderLookup,
    OrderRecord,
    OrderRequest,
    OrderType,
    OutcomeUnknown,
    Placement,
    Refused,
    Resting,
    VenueError,
    VenueErrorKind,
)
from venues.client import SHAPES, Client, VenueCallError
from venues.limits.limiter import loop_time
from venues.limits.priority import asking
from venues.lookups import all_open, by_client_id, by_order_id, open_pages
from venues.numbers import plain
from venues.order_records import read_record
from venues.strict import MalformedReplyError, is_question

_SHORTEST_WAIT = 0.1
"""Seconds before an order that was refused for its rate is sent again."""
_CANCEL_READS = 5
_CANCEL_PAUSE = 0.1


async def place(client: Client, order: OrderRequest) -> Placement:
    """Send one reduce-only order once.

    Quantity is base units and must be a whole number of the instrument's steps, or nothing is
    sent. Prices off the tick are rounded to it by ccxt. An order that the venue refuses for its
    rate alone is sent again, under its id, when the venue takes it. Past the order's `not_after`
    nothing is sent, and the answer is a refusal of the kind RATE_LIMIT.
    """
    name = "place"
    try:
        await client.ready()
        instrument = instrument_of(client, order.key.symbol)
        contracts = exact_contracts(instrument, order.quantity)
        if contracts is None:
            return Refused(
                error=VenueError(
                    kind=VenueErrorKind.SIZE,
                    message=f"{order.quantity} is no whole number of steps of {instrument.symbol}, "
                    f"{instrument.quantity_step} each; nothing was sent",
                )
            )
        if order.type is OrderType.STOP_MARKET and not client.facts.stops:
            # ccxt would send the order without its trigger: a market close at once.
            return Refused(
                error=VenueError(
                    kind=VenueErrorKind.UNSUPPORTED,
                    message=f"stops are not placed on {client.facts.exchange}; nothing was sent",
                )
            )
        price = order.price
        if price is None and client.facts.wallet:
            price = await _slipping_price(client, order)
    except VenueCallError as failed:
        # Only what comes before the order was asked for: the order itself never left.
        return Refused(error=failed.error)
    amount = plain(contracts)
    client.note_sent(order.client_order_id)
    since = loop_time()
    while True:
        try:
            with asking(Lane.ORDER):
                async with client.call(name, not_after=order.not_after, since=since):
                    reply = await client.exchange.create_order(
                        order.key.symbol,
                        client.hooks.order_kind(order),
                        order.key.side.closing.value,
                        float(amount) if client.facts.amount_as_float else amount,
                        None if price is None else plain(price),
                        client.hooks.order_params(order, client.margin.get(order.key, {})),
                    )
        except VenueCallError as failed:
            if not failed.refusal and _left(failed.sent):
                return OutcomeUnknown(error=failed.error)
            again = _taken_again_in(client, order, failed)
            if again is None:
                return Refused(error=failed.error)
            # Under the same id: the venue has only said that it came too early.
            await asyncio.sleep(again)
        else:
            return _placed(client, order, reply)


def _taken_again_in(client: Client, order: OrderRequest, failed: VenueCallError) -> float | None:
    """Seconds after which an order that was refused for its rate is sent again; None: it is not.

    Only where nothing but the refused request can have done anything, and where it may still leave
    by then. Its place in the limiter's queue is that of the first time.
    """
    if failed.slowed is None or order.not_after is None:
        return None
    acts = [request for request in failed.sent if not is_question(*request)]
    wait = max(failed.slowed, _SHORTEST_WAIT)
    if len(acts) > 1 or client.now() + timedelta(seconds=wait) > order.not_after:
        return None
    return wait


def instrument_of(client: Client, symbol: str) -> Instrument:
    """The listed instrument. Raises `VenueCallError` (NOT_TRADABLE) for an unlisted symbol."""
    found = client.instruments.get(symbol)
    if found is None:
        raise VenueCallError(_unlisted(symbol), refusal=True)
    return found


def _unlisted(symbol: str) -> VenueError:
    return VenueError(kind=VenueErrorKind.NOT_TRADABLE, message=f"{symbol} is not listed")


def exact_contracts(instrument: Instrument, quantity: Decimal) -> Decimal | None:
    """Base units as contracts, or None where that is no positive whole number of steps."""
    with localcontext() as context:
        context.traps[Inexact] = True
        try:
            contracts = quantity / instrument.contract_size
            whole = contracts % instrument.amount_step == ZERO
        except ArithmeticError:
            return None
    return contracts if whole and contracts > ZERO else None


async def _slipping_price(client: Client, order: OrderRequest) -> Decimal:
    """Venues of wallets have no market orders: ccxt sends a limit 5 % through this price.

    A stop goes through its trigger, since it fires there.
    """
    if order.trigger_price is not None:
        return order.trigger_price
    async with client.call("place"):
        ticker = await client.exchange.fetch_ticker(order.key.symbol)
        return Decimal(str(ticker["last"] or ticker["close"]))


def _left(sent: tuple[tuple[str, str], ...]) -> bool:
    """Whether an order may have left: anything was sent but questions."""
    return any(not is_question(*request) for request in sent)


def _placed(client: Client, order: OrderRequest, reply: Any) -> Placement:
    order_id = str(reply.get("id") or "") if isinstance(reply, dict) else ""
    told = reply.get("clientOrderId") if isinstance(reply, dict) else None
    echoed = client.hooks.from_venue_id(told) if told else order.client_order_id
    if not order_id or echoed != order.client_order_id:
        what = "no order id" if not order_id else "another client order id"
        return OutcomeUnknown(
            error=VenueError(
                kind=VenueErrorKind.MALFORMED, message=f"the order's acceptance has {what}"
            )
        )
    end = _told_end(client, order, reply)
    return Accepted(order_id=order_id, client_order_id=order.client_order_id, end=end)


def _told_end(client: Client, order: OrderRequest, reply: Any) -> OrderRecord | None:
    """The order's end where its acceptance tells it: whole, and nothing but this order's.

    Most venues answer with ids only; some tell what became of a market order.
    """
    instrument = client.instruments[order.key.symbol]
    if order.type is OrderType.STOP_MARKET:
        return None
    try:
        record = read_record(client, instrument, client.hooks.corrected(reply))
    except (MalformedReplyError, *SHAPES):
        # It was accepted, that is sure; of its end the record will tell.
        return None
    key = order.key
    ours = (
        record.client_order_id == order.client_order_id
        and record.side is key.side.closing
        and record.position_side in (None, key.side)
        and record.quantity == order.quantity
        and record.filled <= record.quantity
    )
    priced = record.filled == ZERO or record.average is not None
    return record if record.status.final and ours and priced else None


async def find_order(client: Client, symbol: str, client_order_id: str) -> OrderLookup:
    """Look an order up by client id in every place that the venue keeps orders in."""
    try:
        await client.ready()
        instrument = instrument_of(client, symbol)
        found = await by_client_id(client, instrument, client_order_id)
    except VenueCallError as failed:
        return failed.error
    return NoSuchOrder(client_order_id=client_order_id) if found is None else found


async def open_orders(client: Client, symbol: str) -> OpenOrders | VenueError:
    """Resting orders of a symbol, plain and trigger ones, all pages."""
    try:
        await client.ready()
        instrument = instrument_of(client, symbol)
        async with client.call("open_orders"):
            rows = await all_open(client, instrument)
            records = [read_record(client, instrument, row) for row in rows]
    except VenueCallError as failed:
        return failed.error
    resting = tuple(record for record in records if not record.status.final)
    return OpenOrders(symbol=symbol, orders=resting)


async def resting(client: Client, symbols: tuple[str, ...]) -> Resting | VenueError:
    """Resting orders of several symbols: one question for all where that costs less."""
    try:
        await client.ready()
    except VenueCallError as failed:
        return failed.error
    found: dict[str, dict[str, OrderRecord]] = {}
    damaged: dict[str, VenueError] = {}
    for symbol in symbols:
        if symbol in client.instruments:
            found[symbol] = {}
        else:
            damaged[symbol] = _unlisted(symbol)
    reads = client.hooks.resting_order_reads(tuple(found), client.settings.settles)
    lists = await asyncio.gather(*(_listed(client, symbol, how) for symbol, how in reads))
    for (asked, _), rows in zip(reads, lists, strict=True):
        if isinstance(rows, VenueError):
            if asked is None:
                return rows
            damaged[asked] = rows
            continue
        for symbol, record in rows:
            if isinstance(record, VenueError):
                damaged[symbol] = record
            elif symbol in found and not record.status.final:
                found[symbol][record.order_id] = record
    return Resting(
        by_symbol={
            symbol: damaged.get(symbol)
            or OpenOrders(symbol=symbol, orders=tuple(found[symbol].values()))
            for symbol in symbols
        }
    )


async def _listed(
    client: Client, symbol: str | None, how: Mapping[str, Any]
) -> list[tuple[str, OrderRecord | VenueError]] | VenueError:
    """One list of resting orders, each with its symbol.

    A row that does not tell its contract may be of any, so that one damages the list.
    """
    found: list[tuple[str, OrderRecord | VenueError]] = []
    try:
        async with client.call("open_orders"):
            for row in await open_pages(client, symbol, how):
                of = symbol or str(row.get("symbol") or "")
                instrument = client.instruments.get(of)
                if not of:
                    raise MalformedReplyError(f"order {row.get('id')!r} does not tell its contract")
                if instrument is not None:
                    found.append((of, _record_or_damage(client, instrument, row)))
    except VenueCallError as failed:
        return failed.error
    return found


def _record_or_damage(
    client: Client, instrument: Instrument, row: Mapping[str, Any]
) -> OrderRecord | VenueError:
    try:
        return read_record(client, instrument, row)
    except MalformedReplyError as damage:
        return VenueError(kind=VenueErrorKind.MALFORMED, message=str(damage))


async def cancel(
    client: Client, symbol: str, order_id: str, *, trigger: bool
) -> Canceled | NoSuchOrder | VenueError:
    """Cancel and read the record until it rests no more.

    A venue that does not know the order any more is asked what became of it: that may be a fill.
    """
    gone: VenueError | None = None
    try:
        await client.ready()
        instrument = instrument_of(client, symbol)
        try:
            with asking(Lane.ORDER):
                async with client.call("cancel"):
                    params = {"trigger": True} if trigger and client.facts.cancels_by_kind else {}
                    await client.exchange.cancel_order(order_id, symbol, params)
        except VenueCallError as failed:
            if not _may_have_ended(client, failed.error):
                return failed.error
            gone = failed.error
        return await _settled(client, instrument, order_id, trigger=trigger, gone=gone)
    except VenueCallError as failed:
        return failed.error


def _may_have_ended(client: Client, error: VenueError) -> bool:
    late = error.code.upper() in client.facts.late_cancel
    return late or error.kind is VenueErrorKind.NO_SUCH_ORDER


async def _settled(
    client: Client, instrument: Instrument, order_id: str, *, trigger: bool, gone: VenueError | None
) -> Canceled | NoSuchOrder | VenueError:
    record: OrderRecord | None = None
    for _ in range(_CANCEL_READS):
        record = await by_order_id(client, instrument, order_id, trigger=trigger)
        if record is not None and record.status.final:
            return Canceled(record=record)
        if record is None and gone is not None:
            return NoSuchOrder(client_order_id=order_id)
        await asyncio.sleep(_CANCEL_PAUSE)
    if gone is not None:
        return gone
    what = "is still open" if record is not None else "is nowhere to be read"
    return VenueError(
        kind=VenueErrorKind.OTHER,
        message=f"order {order_id} {what} after the venue took the cancel",
    )
