"""Refuses, before anything acts, a key that may take money out of the account.

`console.doctor` looks at the same before going live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from loguru import logger

from console.doctor.venues import WITHDRAWS, withdrawal_cure
from messages.settings import AccountSettings, Mode, Settings
from messages.venue import KeyRights, VenueError
from venues.gateway import open_venue

PATIENCE = 15.0
"""Seconds for all accounts together; who has not answered then is taken as not telling."""


class KeyRefusedError(Exception):
    """A key may withdraw, and its account does not allow that by name. One line for each."""


async def refuse_withdrawal_keys(settings: Settings, *, now: Callable[[], datetime]) -> None:
    """Raises KeyRefusedError in enforce mode. An exchange that can't be asked is only logged."""
    refused = await withdrawal_keys(settings.accounts, settings.mode, now=now)
    if refused:
        raise KeyRefusedError("\n".join(f"{name}: {why}" for name, why in refused.items()))


async def withdrawal_keys(
    accounts: Iterable[AccountSettings], mode: Mode, *, now: Callable[[], datetime]
) -> dict[str, str]:
    """The accounts whose key is not to act, by name: why, and the cure."""
    asked = [account for account in accounts if not account.allow_withdraw]
    if mode is not Mode.ENFORCE:
        return {}
    if asked:
        names = ", ".join(account.name for account in asked)
        logger.info(f"Asking whether keys may withdraw: {names}")
    found = await asyncio.gather(*(_rights(account, now) for account in asked))
    return {
        account.name: f"{WITHDRAWS}: {withdrawal_cure(account)}"
        for account, rights in zip(asked, found, strict=True)
        if rights is not None and rights.withdraw
    }


async def _rights(account: AccountSettings, now: Callable[[], datetime]) -> KeyRights | None:
    # A venue of its own: the guard's is its exchange actor's alone.
    venue = open_venue(account, now=now)
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await venue.key_rights()
    except TimeoutError:
        answer = None
    finally:
        await venue.close()
    if isinstance(answer, KeyRights) and answer.withdraw is not None:
        return answer
    why = f": {answer}" if isinstance(answer, VenueError) else ""
    logger.warning(f"{account.name}: not known whether its key may withdraw{why}")
    return None
