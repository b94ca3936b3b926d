"""Refuses, before anything acts, one login under two names: each would close the other's positions.

`console.doctor` looks at the same before going live. A venue that can't be asked now is asked again
by its account's exchange actor, which sends nothing but reads where the login is another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from loguru import logger

from console.service.key_rights import PATIENCE, KeyRefusedError
from messages.settings import AccountSettings, Settings
from messages.venue import Identity
from venues.gateway import open_venue


async def refuse_shared_logins(settings: Settings, *, now: Callable[[], datetime]) -> None:
    """Raises KeyRefusedError. An exchange that can't be asked keeps the guard from nothing."""
    refused = await shared_logins(settings.accounts, now=now)
    if refused:
        raise KeyRefusedError("\n".join(f"{name}: {why}" for name, why in refused.items()))


async def shared_logins(
    accounts: Sequence[AccountSettings],
    *,
    now: Callable[[], datetime],
    new: Collection[str] | None = None,
) -> dict[str, str]:
    """The accounts that are the same login as an earlier one, by name: why, and the cure.

    `new` are the names that came last (None: all of `accounts` as they stand); where it names none
    that shares its exchange with another, nobody is asked.
    """
    fresh = {account.name for account in accounts} if new is None else set(new)
    groups: dict[tuple[str, str], list[AccountSettings]] = {}
    for account in accounts:
        groups.setdefault(_exchange_of(account), []).append(account)
    asked = [
        account
        for group in groups.values()
        if len(group) > 1 and fresh.intersection(one.name for one in group)
        for account in group
    ]
    told = await asyncio.gather(*(_identity(account, now) for account in asked))
    owners: dict[tuple[tuple[str, str], str], str] = {}
    refused: dict[str, str] = {}
    known = sorted(zip(asked, told, strict=True), key=lambda one: one[0].name in fresh)
    for account, identity in known:
        if not identity:
            continue
        owner = owners.setdefault((_exchange_of(account), identity), account.name)
        if owner != account.name and account.name in fresh:
            refused[account.name] = (
                f"it is the same login as {owner} ({identity}): take one of the two out, or give"
                " it its own key"
            )
    return refused


def _exchange_of(account: AccountSettings) -> tuple[str, str]:
    # Simulated venues are told apart by where they listen.
    return account.exchange, account.connect or ""


async def _identity(account: AccountSettings, now: Callable[[], datetime]) -> str:
    # A venue of its own: the guard's is its exchange actor's alone.
    venue = open_venue(account, now=now)
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await venue.identity()
    except TimeoutError:
        answer = None
    finally:
        await venue.close()
    if isinstance(answer, Identity):
        return answer.id
    logger.info(f"{account.name}: its exchange does not say whose login it is yet")
    return ""
