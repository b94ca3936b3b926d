"""A process that commits intents in waves of fifty for ever, for tests that kill it.

Argument: URL. One line `N` for each intent whose asker has been answered.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from storage import open_ledger
from tests.storage.build import intent
from tests.storage.guard_process import now

TOGETHER = 50


async def main(url: str) -> None:
    async with await open_ledger(url, now=now) as ledger:

        async def commit(number: int) -> None:
            await ledger.commit_intent(intent(f"{number}"))
            print(number, flush=True)

        for wave in count():
            begin = wave * TOGETHER
            await asyncio.gather(*(commit(number) for number in range(begin, begin + TOGETHER)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
