"""The venue's own record of positions that ended: every page since an instant, or an error."""

from __future__ import annotations

from datetime import datetime

from messages.venue import ClosedPosition, ClosedPositions, NotTold, VenueError
from venues.client import Client, VenueCallError
from venues.exchanges.base import Ask
from venues.orders import instrument_of
from venues.pages import read_pages, windows


async def closed_positions(
    client: Client, symbol: str, since: datetime
) -> ClosedPositions | NotTold | VenueError:
    """Ends of positions since an instant (aware UTC), oldest first; quantities in base units."""
    span = client.facts.closed_window
    if not client.facts.keeps_closed:
        return NotTold(why=f"{client.facts.exchange} keeps no record of closed positions")
    records: dict[str, ClosedPosition] = {}
    try:
        await client.ready()
        instrument = instrument_of(client, symbol)

        async def page(ask: Ask) -> tuple[list[ClosedPosition], str]:
            return await client.hooks.closed_page(client, instrument, ask)

        async with client.call("closed_positions"):
            for start, end in windows(client.now(), since, span):
                found = await read_pages(page, start, end, lambda record: record.record_id)
                records.update((record.record_id, record) for record in found)
    except VenueCallError as failed:
        return failed.error
    ended = sorted(records.values(), key=lambda record: record.ended_at)
    return ClosedPositions(
        symbol=symbol,
        since=since,
        records=tuple(record for record in ended if record.ended_at >= since),
    )
