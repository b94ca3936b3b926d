"""The position stream: hints that a leg has changed. REST decides."""

from __future__ import annotations

from collections.abc import Callable

from messages.venue import PositionHint, VenueError, VenueErrorKind
from venues.client import Client


async def watch(
    client: Client,
    on_hint: Callable[[PositionHint], None],
    on_connected: Callable[[], None],
) -> VenueError:
    """Follow the stream until it ends, and say why."""
    del on_hint, on_connected
    return VenueError(
        kind=VenueErrorKind.OTHER,
        message=f"{client.facts.exchange} has no position stream here; REST reads go on",
    )
