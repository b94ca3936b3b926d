"""When an account's monitors come round: each account at a time of its own.

All accounts start together, so without this fifty of them would read their positions in the same
second for ever, and whatever is urgent in that second would wait.
"""

from __future__ import annotations

import zlib
from datetime import timedelta


def initial_delay(account: str, every: timedelta) -> timedelta:
    """The wait before the second round: between half an interval and a whole one.

    It is the same for all monitors of an account that share an interval, so that they go on
    sharing reads, and the same at each start. All later waits are `every`.
    """
    share = zlib.crc32(account.encode()) / 2**32
    return every * (0.5 + share / 2)
