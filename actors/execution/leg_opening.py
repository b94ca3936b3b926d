"""When a leg was opened, from its fills: looked for ever further back, for as long as it pays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from messages.to_exchange import FindOpening, Opening
from messages.venue import Fills
from rules.opening import opened_when
from venues.port import Venue

LOOKS_BACK = (timedelta(days=7), timedelta(days=30), timedelta(days=90))
"""Each further look repeats the nearer ones: most legs are young, and few are asked for."""


async def find_opening(venue: Venue, request: FindOpening, now: Callable[[], datetime]) -> Opening:
    """The leg's opening, or why it is not known. Fills after `seen_at` belong to another leg."""
    position = request.position
    for back in LOOKS_BACK:
        answer = await venue.fetch_fills(position.key.symbol, now() - back)
        if not isinstance(answer, Fills):
            return Opening(why=f"its fills cannot be read: {answer}", failed=True)
        if any(fill.at >= request.seen_at for fill in answer.fills):
            return Opening(why="it is being traded while it is looked at", failed=True)
        at = opened_when(answer.fills, position.key, position.quantity, hedged=position.hedged)
        if at is not None:
            return Opening(at=at)
    return Opening(why=f"its fills of the last {LOOKS_BACK[-1].days} days do not show its opening")
