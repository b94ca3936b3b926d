"""Facts of the login itself: position mode, clock, rights of the key."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from messages.budget import Lane
from messages.venue import (
    Connected,
    Identity,
    KeyRights,
    Markets,
    NotTold,
    VenueError,
    VenueErrorKind,
)
from venues.client import Client, VenueCallError
from venues.limits.priority import asking
from venues.numbers import instant_or_none
from venues.strict import MalformedReplyError

_WARM_WITHIN = timedelta(seconds=1)
"""For how long a question that only keeps a socket open waits for its turn."""
_FATAL = (VenueErrorKind.KEY, VenueErrorKind.RIGHTS, VenueErrorKind.CLOCK)


async def connected(client: Client) -> Connected | VenueError:
    """What the account is, markets being loaded. A key that is refused is an error at once."""
    hedged: bool | None = None
    if client.exchange.has.get("fetchPositionMode") is True:
        try:
            async with client.call("connect"):
                symbol = client.hooks.mode_symbol(client)
                mode = await client.exchange.fetch_position_mode(symbol)
                told = mode.get("hedged")
                hedged = told if isinstance(told, bool) else None
        except VenueCallError as failed:
            # The mode is also told by the positions themselves; only the key cannot wait.
            if failed.error.kind in _FATAL:
                return failed.error
    return Connected(instruments=dict(client.instruments), hedged=hedged)


async def reload_markets(client: Client) -> Markets | VenueError:
    """The market rules as the venue has them now; all later calls go by them."""
    try:
        await client.load(reload=True)
    except VenueCallError as failed:
        return failed.error
    return Markets(instruments=dict(client.instruments), loaded_at=client.now())


async def identity(client: Client) -> Identity | NotTold | VenueError:
    """Whose login this is, by the venue's own id of the account."""
    try:
        await client.ready()
        async with client.call("identity"):
            return await client.hooks.identity(client)
    except VenueCallError as failed:
        return failed.error


async def server_time(client: Client) -> datetime | VenueError:
    """The venue's clock, for comparison with ours."""
    try:
        await client.ready()
        async with client.call("server_time"):
            instant = instant_or_none(await client.exchange.fetch_time())
            if instant is None:
                raise MalformedReplyError("the venue did not tell its time")
    except VenueCallError as failed:
        return failed.error
    return instant


async def key_rights(client: Client) -> KeyRights | VenueError:
    """What the key may do, where the venue tells it."""
    try:
        await client.ready()
        async with client.call("key_rights"):
            return await client.hooks.key_rights(client)
    except VenueCallError as failed:
        return failed.error


async def keep_warm(client: Client, connections: int) -> VenueError | None:
    """Use so many sockets at once, so that none of them is dropped for being idle."""
    try:
        await client.ready()
    except VenueCallError as failed:
        return failed.error
    with asking(Lane.ROUND):
        ends = await asyncio.gather(*(_touch(client) for _ in range(connections)))
    return next((error for error in ends if error is not None), None)


async def _touch(client: Client) -> VenueError | None:
    try:
        async with client.call("keep_warm", not_after=client.now() + _WARM_WITHIN):
            await client.hooks.touch(client)
    except VenueCallError as failed:
        # One that had no room in the budget was not sent, and fails nothing.
        return failed.error if failed.sent or failed.slowed is not None else None
    return None
