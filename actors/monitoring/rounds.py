"""When an account's monitors run again: each account at a time of its own.

All accounts start together. Without this, fifty of them would read their positions in the same
second of each interval, and whatever is urgent in that second would wait.
"""

from __future__ import annotations

import zlib
from datetime import timedelta

NOT_READY_RETRY = timedelta(seconds=1)
"""How soon a round is tried again while the account is still connecting."""


class Rounds:
    """How long one monitor waits after each round.

    A second while the account is not ready; then, once, a share of the interval, which spreads the
    accounts; then the interval.
    """

    def __init__(self, account: str, every: timedelta) -> None:
        self._account = account
        self._every = every
        self._spread = False

    def next_in(self, *, ready: bool = True) -> timedelta:
        """The wait before the next round. `ready` is false where this one found nothing to read."""
        if not ready:
            return min(NOT_READY_RETRY, self._every)
        if self._spread:
            return self._every
        self._spread = True
        return initial_delay(self._account, self._every)


def initial_delay(account: str, every: timedelta) -> timedelta:
    """The wait before the second round: between half an interval and a whole one.

    It is the same for all monitors of an account that share an interval, so that they go on
    sharing reads, and the same at each start. All later waits are `every`.
    """
    share = zlib.crc32(account.encode()) / 2**32
    return every * (0.5 + share / 2)
