"""Reading positions: all pages, all settle currencies, judged by size, mapped to legs.

A snapshot never calls a leg absent that was not read; verdicts are given elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from messages.values import ZERO, LegKey
from messages.venue import (
    Instrument,
    Scope,
    Snapshot,
    VenueError,
    VenueErrorKind,
    VenuePosition,
)
from venues.attached_stops import attached_stops
from venues.client import SHAPES, Client, VenueCallError
from venues.exchanges.base import Exchange
from venues.exchanges.reading import venue_symbol
from venues.exchanges.values import Row, RowReading
from venues.numbers import decimal_or_none, instant_or_none, positive_or_none
from venues.strict import Capture, MalformedReplyError, place_of, rows_at

_MOST_PAGES = 500
"""More pages than any account fills: a cursor that never ends is a damaged read."""


_SAID_OF_UNLISTED = (
    VenueErrorKind.NOT_TRADABLE,
    VenueErrorKind.SIZE,
    VenueErrorKind.MALFORMED,
    VenueErrorKind.OTHER,
)
"""How venues answer who asks by name for a contract that is off the list: "symbol invalid" (which
shares its code with a wrong size somewhere), or with no row where each contract has one."""


@dataclass(slots=True)
class _Read:
    positions: list[VenuePosition] = field(default_factory=list)
    flat: set[LegKey] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)
    problems: list[VenueError] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    none_such: bool = False


async def read_all(client: Client, name: str = "fetch_positions") -> Snapshot:
    """Every open leg in the account's scope. Never raises for what a venue may do."""
    started = client.now()
    read = _Read()
    scope = Scope(frozenset(client.settings.settles))
    try:
        await client.ready()
        scope = _scope(client)
        await _read_once(client, name, read)
        if read.unmapped:
            # A new listing: the markets are older than the position. Once is enough to know.
            await client.load(reload=True)
            scope = _scope(client)
            read = _Read()
            await _read_once(client, name, read)
    except VenueCallError as failed:
        read.problems.append(failed.error)
    return _snapshot(client, read, scope, started)


async def read_symbol(client: Client, key: LegKey) -> Snapshot:
    """One symbol's legs, by the venue's own look-up where it has one; else all legs."""
    if not client.facts.by_symbol:
        return await read_all(client, "fetch_position")
    started = client.now()
    read = _Read()
    scope = Scope(frozenset(client.settings.settles), frozenset((key.symbol,)))
    try:
        await client.ready()
        scope = Scope(_scope(client).settles | {_settle(key)}, frozenset((key.symbol,)))
        if key.symbol not in client.instruments:
            await client.load(reload=True)
        instrument = client.instruments.get(key.symbol)
        if instrument is None:
            read.problems.append(_problem(f"{key.symbol} is not listed"))
        else:
            await _read_by_symbol(client, instrument, read)
            named = key in read.flat or any(key == found.key for found in read.positions)
            if client.facts.names_flat and not named and not read.none_such:
                read.problems.append(_problem(f"the answer does not name {key}"))
    except VenueCallError as failed:
        # Of a contract that is off the list nobody can be asked: the list of legs has to do.
        kind = failed.error.kind
        if kind not in _SAID_OF_UNLISTED or await _is_listed(client, key.symbol):
            read.problems.append(failed.error)
    return _snapshot(client, read, scope, started)


async def _is_listed(client: Client, symbol: str) -> bool:
    """Whether the venue still lists a contract. The rules in use stay as they are."""
    try:
        async with client.call("connect"):
            markets = await client.exchange.fetch_markets(dict(client.facts.market_params))
    except VenueCallError:
        return True
    return any(market.get("symbol") == symbol for market in markets)


def _snapshot(client: Client, read: _Read, scope: Scope, started: Any) -> Snapshot:
    problems = [
        *read.problems,
        *(_problem(f"{symbol!r} is in no market that the venue lists") for symbol in read.unmapped),
    ]
    return Snapshot(
        account=client.settings.name,
        scope=scope,
        started_at=started,
        finished_at=client.now(),
        positions=tuple(read.positions),
        flat=frozenset(read.flat).difference(position.key for position in read.positions),
        apart=frozenset(read.apart),
        problems=tuple(problems),
    )


def _settle(key: LegKey) -> str:
    return key.symbol.partition(":")[2].partition("-")[0]


def _scope(client: Client) -> Scope:
    facts = client.facts
    settles = frozenset(client.settings.settles)
    if facts.one_call_scope:
        settles = frozenset(i.settle for i in client.instruments.values())
    elif facts.settles is not None:
        settles &= facts.settles
    return Scope(settles, frozenset(client.instruments) if facts.listed_only else None)


async def _read_once(client: Client, name: str, read: _Read) -> None:
    for params in client.hooks.position_reads(client.settings.settles):
        try:
            await _read_pages(client, name, params, read)
        except VenueCallError as failed:
            if not (failed.answered and client.hooks.holds_nothing(params, failed.error)):
                raise


async def _read_pages(client: Client, name: str, params: dict[str, Any], read: _Read) -> None:
    facts = client.facts
    extra: dict[str, Any] = {"limit": facts.page_size} if facts.page == "offset" else {}
    cursors: set[str] = set()
    last: Row | None = None
    for _ in range(_MOST_PAGES):
        async with client.call(name) as capture:
            parsed = await _as_ccxt_reads(client, {**params, **extra}, read)
            rows, body = _rows(client, capture)
            new = rows if last is None else _after(client.hooks, last, rows)
            _take(client, new, parsed, read)
            if facts.page == "cursor":
                cursor = _cursor(client, body, full=len(rows) >= facts.page_size)
                if not cursor:
                    return
                if cursor in cursors:
                    raise MalformedReplyError("the pages of positions go round in a circle")
                cursors.add(cursor)
                extra = {"cursor": cursor}
            elif facts.page == "offset" and len(rows) >= facts.page_size:
                # One row comes again: where it is another, rows have moved between the pages.
                last = rows[-1]
                extra["offset"] = extra.get("offset", 0) + len(rows) - 1
            else:
                return
    read.problems.append(_problem(f"positions did not end after {_MOST_PAGES} pages"))


def _after(hooks: Exchange, last: Row, rows: list[Row]) -> list[Row]:
    """A page without the row that it repeats. Raises `MalformedReplyError` where it does not.

    A leg that closes between two pages moves all later ones up, and one would never be shown.
    """
    if not rows or _leg_of(hooks, rows[0]) != _leg_of(hooks, last):
        raise MalformedReplyError("positions have moved between two pages")
    return rows[1:]


def _leg_of(hooks: Exchange, row: Row) -> tuple[str, str, RowReading | None]:
    return venue_symbol(row), str(row.get("mode")), hooks.read_row(row)


async def _as_ccxt_reads(
    client: Client, params: dict[str, Any], read: _Read
) -> list[Mapping[str, Any]]:
    """One page as ccxt reads it. A row that it stumbles over leaves its prices out, and a problem.

    It gives up all rows for one; those of the others are judged by their own words all the same.
    """
    try:
        return list(await client.exchange.fetch_positions(None, params))
    except SHAPES as error:
        read.problems.append(_problem(f"ccxt cannot read a page of positions: {error!r}"))
        return []


async def _read_by_symbol(client: Client, instrument: Instrument, read: _Read) -> None:
    """One symbol, asked for by name. Where flat legs are named, no row is no answer.

    A venue that says that there is no such position has answered all the same.
    """
    try:
        async with client.call("fetch_position"):
            rows, parsed = await client.hooks.rows_by_name(client, instrument)
            strays = [row for row in rows if venue_symbol(row) != instrument.venue_id]
            if strays or (not rows and client.facts.names_flat):
                got = "others" if strays else "no row"
                raise MalformedReplyError(f"asked for {instrument.venue_id}, got {got}")
            _take(client, rows, parsed, read)
    except VenueCallError as failed:
        if not failed.refusal or failed.error.kind is not VenueErrorKind.NOTHING_TO_REDUCE:
            raise
        read.none_such = True


def _rows(client: Client, capture: Capture) -> tuple[list[Row], Any]:
    """The raw rows of the last positions reply. Raises `MalformedReplyError` if none came."""
    for reply in reversed(capture.replies):
        if reply.path.endswith(client.facts.positions):
            place = place_of(client.facts.places, reply.path)
            if place is not None:
                return rows_at(reply.body, place), reply.body
    raise MalformedReplyError("no positions were asked for")


def _cursor(client: Client, body: Any, *, full: bool) -> str:
    cursor = client.hooks.next_cursor(body)
    if cursor is None and full:
        raise MalformedReplyError("a full page of positions does not say whether more follow")
    return cursor or ""


def _take(client: Client, rows: list[Row], parsed: list[Mapping[str, Any]], read: _Read) -> None:
    """Judge every raw row by its size; ccxt's reading of it adds the prices.

    ccxt drops rows (those with no entry price, say), so what it returned is never the measure.
    """
    by_row = {id(position.get("info")): position for position in parsed}
    for row in rows:
        if str(row.get("instType", "")) in ("MARGIN", "OPTION"):
            continue
        reading = client.hooks.read_row(row)
        if reading is None:
            read.problems.append(
                _problem(f"a position of {venue_symbol(row)} has no readable size")
            )
            continue
        position = by_row.get(id(row), {})
        instrument = _instrument(client, position.get("symbol"), row)
        if instrument is not None:
            read.flat.update(
                LegKey(client.settings.name, instrument.symbol, side)
                for side in reading.flat_sides()
            )
            if reading.hedged:
                read.apart.add(instrument.symbol)
        if reading.size == ZERO:
            continue
        if instrument is None:
            read.unmapped.append(venue_symbol(row))
        else:
            found = _position(client, instrument, reading, position, row)
            read.positions.append(found)
            client.margin[found.key] = _margin(position)


def _instrument(client: Client, symbol: Any, row: Row) -> Instrument | None:
    if symbol in client.instruments:
        return client.instruments[str(symbol)]
    # Where ccxt dropped the row, the venue's own name leads to the market.
    name = venue_symbol(row)
    named = client.hooks.symbol_of(client, name)
    return client.by_venue_id(name) if named is None else client.instruments.get(named)


def _position(
    client: Client,
    instrument: Instrument,
    reading: RowReading,
    ccxt: Mapping[str, Any],
    row: Row,
) -> VenuePosition:
    assert reading.side is not None
    size = instrument.contract_size
    in_base = client.facts.size_in_base
    closes = client.hooks.attached_closes(row)
    stop_loss, take_profit = attached_stops(closes, reading.side, ccxt)
    return VenuePosition(
        key=LegKey(client.settings.name, instrument.symbol, reading.side),
        contracts=reading.size / size if in_base else reading.size,
        quantity=reading.size if in_base else reading.size * size,
        entry_price=positive_or_none(ccxt.get("entryPrice")),
        mark_price=positive_or_none(ccxt.get("markPrice")),
        unrealized_pnl=decimal_or_none(ccxt.get("unrealizedPnl")),
        leverage=positive_or_none(ccxt.get("leverage")),
        liquidation_price=positive_or_none(ccxt.get("liquidationPrice")),
        stop_loss=stop_loss,
        take_profit=take_profit,
        hedged=reading.hedged,
        # ccxt's `timestamp` is when a symbol was first ever traded, now, or the last change,
        # venue by venue: a leg's age must not be guessed from it.
        opened_at=instant_or_none(row.get(client.facts.opened)),
        # ccxt calls an `updateTime` the position's time, and no update.
        updated_at=instant_or_none(ccxt.get("lastUpdateTimestamp") or row.get("updateTime")),
    )


def _margin(ccxt: Mapping[str, Any]) -> dict[str, str]:
    """How the leg is margined, for venues that want it repeated in the order that closes it."""
    wanted = {"marginMode": ccxt.get("marginMode"), "leverage": ccxt.get("leverage")}
    return {key: str(value) for key, value in wanted.items() if value}


def _problem(message: str) -> VenueError:
    return VenueError(kind=VenueErrorKind.MALFORMED, message=message)
