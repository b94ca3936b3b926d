"""Is the database still the one that was opened? A guard on a file that is gone acts on the past.

A bot's new rows would be in the file that took its place, and each of their positions would look
like an orphan. So the service stops, and says why.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from messages.ledger import LedgerReplaced
from storage import Ledger, LedgerUnavailable

LOOK_EVERY = timedelta(seconds=2)


async def ledger_replaced(ledger: Ledger, every: timedelta = LOOK_EVERY) -> LedgerReplaced:
    """Wait until the database is another one, and say what is there instead."""
    while True:
        await asyncio.sleep(every.total_seconds())
        # That it cannot be asked is an outage, which the ledger actor waits out and tells of.
        try:
            found = await ledger.still_the_same_file()
        except LedgerUnavailable:
            continue
        if found is not None:
            return found
