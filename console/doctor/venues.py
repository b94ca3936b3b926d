"""The checks of `doctor` at one account's venue: reads only, over the gateway that `run` uses.

What a check is stands in `console.doctor.checks`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from statistics import median

from console.doctor.budget import Budgets
from console.doctor.checks import Check, failure, ok, warning
from console.doctor.logins import Logins
from messages.settings import AccountSettings, Mode
from messages.venue import Connected, KeyRights, VenueError, VenueErrorKind
from venues.gateway import open_venue
from venues.port import Venue

SAMPLES = 5
_SLIGHT = timedelta(seconds=0.5)
# Binance refuses requests that are 1 s ahead of it, whatever the receive window is.
_TOO_MUCH = timedelta(seconds=1)
_SLOW = 0.5

_CURES = {
    VenueErrorKind.KEY: "check key and secret: of this exchange, not expired, not the testnet's",
    VenueErrorKind.RIGHTS: "give the key the right to read and trade derivatives, and this"
    " machine's address to its allow list",
    VenueErrorKind.CLOCK: "synchronise this machine's clock (chrony, systemd-timesyncd)",
    VenueErrorKind.MAINTENANCE: "wait until the exchange is back",
    VenueErrorKind.NETWORK: "check network, name resolution, proxy, and connect and ca_file",
    VenueErrorKind.MALFORMED: "something that is not the exchange answers: check proxy and connect",
    VenueErrorKind.RATE_LIMIT: "wait a minute; find what else uses this key or address",
}
_NOT_TOLD = "see the exchange's own page about its API keys"


async def venue_checks(
    account: AccountSettings,
    mode: Mode,
    logins: Logins,
    budgets: Budgets,
    *,
    now: Callable[[], datetime],
    announce: Callable[[str], None],
) -> AsyncIterator[Check]:
    """Every check of one account. Where its venue can't be reached, only that is told."""
    venue = open_venue(account, now=now)
    try:
        announce(f"{account.name}: asking {account.exchange} for its time")
        reached = True
        async for check in _clock(venue, account.name, now):
            reached = reached and not check.name.endswith("connection")
            yield check
        if not reached:
            return
        announce(f"{account.name}: loading the markets, trying the key")
        connected = await venue.connect()
        if isinstance(connected, VenueError):
            yield _failed(f"{account.name} key", connected)
            return
        rights = await venue.key_rights()
        if isinstance(rights, VenueError):
            yield _failed(f"{account.name} key", rights)
            return
        yield _rights(account, mode, rights)
        yield _position_mode(account.name, connected)
        yield await logins.check(venue, account)
        announce(f"{account.name}: reading positions and stops")
        async for check in _reads(venue, account, connected, logins):
            yield check
        budgets.note(account, venue.budget())
    finally:
        await venue.close()


async def _clock(venue: Venue, name: str, now: Callable[[], datetime]) -> AsyncIterator[Check]:
    """Clock skew and latency, from the sample with the shortest way there and back."""
    samples: list[tuple[float, timedelta]] = []
    # The first call loads the markets, so that its way is no measure.
    first = await venue.server_time()
    if isinstance(first, VenueError):
        yield _failed(f"{name} connection", first)
        return
    loop = asyncio.get_running_loop()
    for _ in range(SAMPLES):
        asked, started = now(), loop.time()
        told = await venue.server_time()
        seconds = loop.time() - started
        if isinstance(told, VenueError):
            yield _failed(f"{name} connection", told)
            return
        samples.append((seconds, told - (asked + timedelta(seconds=seconds / 2))))
    seconds, skew = min(samples)
    said = f"the exchange is {abs(skew).total_seconds():.2f} s {_direction(skew)} this machine"
    cure = _CURES[VenueErrorKind.CLOCK]
    if abs(skew) > _TOO_MUCH:
        yield failure(f"{name} clock", f"{said}: it will refuse orders", cure)
    elif abs(skew) > _SLIGHT:
        yield warning(f"{name} clock", said, cure)
    else:
        yield ok(f"{name} clock", said)
    usual = median(length for length, _ in samples)
    said = f"a request takes {usual * 1000:.0f} ms, no rate limit in {SAMPLES + 1}"
    if usual > _SLOW:
        yield warning(f"{name} latency", said, "run the guard nearer to the exchange")
    else:
        yield ok(f"{name} latency", said)


def _direction(skew: timedelta) -> str:
    return "ahead of" if skew > timedelta(0) else "behind"


def _rights(account: AccountSettings, mode: Mode, rights: KeyRights) -> Check:
    name = f"{account.name} rights"
    if rights.withdraw and not account.allow_withdraw:
        return failure(name, WITHDRAWS, withdrawal_cure(account))
    if rights.trade is False:
        cure = "give the key the right to trade derivatives"
        said = "the key may read and not trade"
        return failure(name, said, cure) if mode is Mode.ENFORCE else warning(name, said, cure)
    if rights.withdraw:
        return warning(name, f"{WITHDRAWS}, as allow_withdraw says", "better make another key")
    if rights.withdraw is None or rights.trade is None:
        return warning(name, "the exchange does not tell what the key may do", _NOT_TOLD)
    return ok(name, "the key may read and trade, and not withdraw")


WITHDRAWS = "the key may withdraw"


def withdrawal_cure(account: AccountSettings) -> str:
    """What to do about a key that may withdraw."""
    return (
        "make a key without that right; or, if it must be, set allow_withdraw = true in"
        f" [accounts.{account.name}]"
    )


def _position_mode(name: str, connected: Connected) -> Check:
    modes = {True: "hedge mode", False: "one-way mode", None: "mode told with each position"}
    said = f"{modes[connected.hedged]}, {len(connected.instruments)} instruments"
    return ok(f"{name} mode", said)


async def _reads(
    venue: Venue, account: AccountSettings, connected: Connected, logins: Logins
) -> AsyncIterator[Check]:
    """A whole read of positions held against the rows, and of the stops of one symbol."""
    snapshot = await venue.fetch_positions()
    if snapshot.problems:
        yield _failed(f"{account.name} positions", snapshot.problems[0])
    else:
        yield ok(f"{account.name} positions", f"{len(snapshot.positions)} legs are open")
        yield logins.compare(account.name, connected, snapshot)
    symbols = sorted({position.key.symbol for position in snapshot.positions})
    if not symbols:
        symbols = [
            one.symbol
            for one in connected.instruments.values()
            if one.active and one.settle in account.settles
        ][:1]
    protection = await venue.fetch_protection(tuple(symbols))
    if protection.problems:
        found = _failed(f"{account.name} stops", protection.problems[0])
        yield failure(found.name, f"stops can't be seen: {found.said}", found.cure)
    else:
        said = f"{len(protection.orders)} working orders are seen beside the positions' own stops"
        yield ok(f"{account.name} stops", said)


def _failed(name: str, error: VenueError) -> Check:
    cure = _CURES.get(error.kind, "look the code up in the exchange's documentation")
    return failure(name, str(error), cure)
