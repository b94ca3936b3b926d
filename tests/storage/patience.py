"""A patient caller for tests: repeats a ledger call until the ledger can be had again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from storage.errors import LedgerUnavailable

T = TypeVar("T")

FIRST_WAIT = 0.25
LAST_WAIT = 5.0


async def patiently(
    call: Callable[[], Awaitable[T]],
    *,
    on_outage: Callable[[LedgerUnavailable, float], None] = lambda _error, _wait: None,
    first: float = FIRST_WAIT,
    last: float = LAST_WAIT,
) -> T:
    """Await `call()` again and again until it doesn't raise LedgerUnavailable.

    Waits double from `first` to `last` seconds; `on_outage` hears of each failure and the wait
    that follows it. Every other exception is raised. Good for all ledger methods but `bump`,
    whose repetition may count twice.
    """
    wait = first
    while True:
        try:
            return await call()
        except LedgerUnavailable as error:
            on_outage(error, wait)
        await asyncio.sleep(wait)
        wait = min(wait * 2, last)
