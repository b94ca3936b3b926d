"""A guard in a process of its own, for tests: takes a lease, then writes under it for ever.

Arguments: URL, holder, lease seconds. One line for each thing that happens goes to standard
output: `held TOKEN`, `waits HOLDER`, `wrote N`, `stale N`. Each event's kind is its token.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from messages.ledger import EventDraft, Lease
from storage import Ledger, StaleLease, open_ledger

ACCOUNT = "shared"


def now() -> datetime:
    return datetime.now(UTC)


async def take(ledger: Ledger, holder: str, duration: timedelta) -> Lease:
    while True:
        answer = await ledger.acquire_lease(ACCOUNT, holder, duration)
        if isinstance(answer, Lease):
            return answer
        print("waits", answer.holder, flush=True)
        await asyncio.sleep(0.05)


async def main(url: str, holder: str, seconds: str) -> None:
    duration = timedelta(seconds=float(seconds))
    async with await open_ledger(url, now=now) as ledger:
        lease = await take(ledger, holder, duration)
        print("held", lease.token, flush=True)
        number = 0
        while True:
            number += 1
            draft = EventDraft(
                event_id=f"{holder}-{number}", at=now(), kind=str(lease.token), account=ACCOUNT
            )
            try:
                await ledger.append_event(draft, lease=lease)
            except StaleLease:
                print("stale", number, flush=True)
                return
            print("wrote", number, flush=True)
            if now() > lease.expires_at - duration / 2:
                await ledger.renew_lease(lease, duration)
                lease = Lease(
                    account=ACCOUNT, holder=holder, token=lease.token, expires_at=now() + duration
                )
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
