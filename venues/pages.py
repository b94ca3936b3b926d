"""Histories as venues page them: in windows of time, page by page, to the end or an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from venues.exchanges.base import Ask
from venues.strict import MalformedReplyError

Item = TypeVar("Item")

_MOST_PAGES = 500
_AHEAD = timedelta(minutes=1)
"""The venue's clock may be before ours."""


def windows(
    now: datetime, since: datetime, span: timedelta | None
) -> list[tuple[datetime, datetime]]:
    """The time from `since` to now, in parts of at most `span`."""
    found: list[tuple[datetime, datetime]] = []
    start, end = since, now + _AHEAD
    while start < end:
        stop = end if span is None else min(start + span - timedelta(seconds=1), end)
        found.append((start, stop))
        start = stop
    return found


async def read_pages(
    read: Callable[[Ask], Awaitable[tuple[list[Item], str]]],
    start: datetime,
    end: datetime,
    key: Callable[[Item], str],
) -> list[Item]:
    """All items of one window, in the order in which they came.

    Raises `MalformedReplyError` where the pages do not come to an end.
    """
    found: dict[str, Item] = {}
    seen: set[str] = set()
    at = ""
    for _ in range(_MOST_PAGES):
        items, following = await read(Ask(start, end, at))
        new = {key(item): item for item in items if key(item) not in found}
        found |= new
        if not following:
            return list(found.values())
        if following in seen or (items and not new):
            raise MalformedReplyError("the pages of a history go round in a circle")
        seen.add(following)
        at = following
    raise MalformedReplyError(f"a history did not end after {_MOST_PAGES} pages")
