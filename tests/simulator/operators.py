"""The operators' side of a served venue, over HTTP as anyone would use it."""

from __future__ import annotations

from typing import Any

import msgspec

from simulator import SimulatedVenue
from venues.transport import loopback_session


async def admin(venue: SimulatedVenue, method: str, path: str, **body: object) -> Any:
    """The status and the decoded answer of one command."""
    url = f"https://127.0.0.1:{venue.port}/admin/{path}"
    async with (
        loopback_session(venue.connect, venue.ca_file) as session,
        session.request(method, url, data=msgspec.json.encode(body)) as reply,
    ):
        return reply.status, msgspec.json.decode(await reply.read())


async def done(venue: SimulatedVenue, method: str, path: str, **body: object) -> Any:
    """What a command answered; it must have been taken."""
    status, told = await admin(venue, method, path, **body)
    assert status == 200, told
    return told
