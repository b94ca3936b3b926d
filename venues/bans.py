"""Bans of an address: while one lasts, no request leaves for that exchange.

A venue that is asked into its ban makes it longer. Accounts of one exchange share an address, so
they share its ban, and it outlives the client that met it. Does not live here: how a venue words
a ban (`venues.exchanges`), and what waits for its end (the actors).
"""

from __future__ import annotations

from datetime import datetime

from messages.settings import AccountSettings
from messages.venue import VenueError, VenueErrorKind

_until: dict[tuple[str, str], datetime] = {}


def ban_of(settings: AccountSettings, now: datetime) -> VenueError | None:
    """The ban that holds now, as the error that a request would have met; None: there is none."""
    until = _until.get(_address(settings))
    if until is None or until <= now:
        return None
    return VenueError(
        kind=VenueErrorKind.RATE_LIMIT,
        message=f"nothing was sent: {settings.exchange} bans this address until "
        f"{until:%Y-%m-%d %H:%M:%S} UTC",
        retry_at=until,
    )


def note_ban(settings: AccountSettings, error: VenueError) -> None:
    """Remember the end of a ban, where the venue's answer names one."""
    if error.kind is not VenueErrorKind.RATE_LIMIT or error.retry_at is None:
        return
    address = _address(settings)
    known = _until.get(address)
    _until[address] = error.retry_at if known is None else max(known, error.retry_at)


def _address(settings: AccountSettings) -> tuple[str, str]:
    # Simulated venues are told apart by where they listen.
    return settings.exchange, settings.connect or ""
