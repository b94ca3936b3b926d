"""Writes to a ledger on a disk that fills up, in a process of its own, for a test.

Arguments: SQLite URL, and how many bytes a file may have ("0": as many as the disk holds). Writes
events until the ledger says that it can't, and prints the error, and how many are to be read.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from datetime import UTC, datetime

from messages.ledger import EventDraft
from storage import LedgerUnavailable, open_ledger

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def main(url: str, limit: str) -> None:
    written = 0
    async with await open_ledger(url, now=lambda: NOW) as ledger:
        if int(limit):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
        try:
            while True:
                details: dict[str, object] = {"text": "x" * 20_000}
                await ledger.append_event(
                    EventDraft(event_id=f"e{written}", at=NOW, kind="k", details=details)
                )
                written += 1
        except LedgerUnavailable as error:
            print(written, len(await ledger.events(limit=10_000)), error, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
