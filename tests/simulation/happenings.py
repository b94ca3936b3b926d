"""What went wrong in simulated worlds, in the words of the people who asked for it.

A trouble that was ordered has not happened yet: only what struck is counted here. Left to others:
ordering it (`troubles.py`), and printing the sums (`run.py`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from simulator import Fault, FaultBook, FaultKind

WORDS = {
    FaultKind.STATUS: "error reply",
    FaultKind.EMPTY_BODY: "damaged reply",
    FaultKind.HTML: "damaged reply",
    FaultKind.TRUNCATED: "reply cut short",
    FaultKind.MISSING_LIST: "damaged reply",
    FaultKind.EMPTY_LIST: "lying reply",
    FaultKind.SHORT_LIST: "lying reply",
    FaultKind.STALE: "stale reply",
    FaultKind.DROP_BEFORE: "request lost",
    FaultKind.DROP_AFTER: "reply lost",
    FaultKind.ERROR_AFTER: "reply lost",
    FaultKind.ERROR_CODE: "order rejected",
}
LATE = (FaultKind.DELAY, FaultKind.DELAY_REPLY)

HAPPENINGS = (
    *sorted(set(WORDS.values())),
    "slow reply",
    "timeout",
    "trouble with a read by symbol",
    "request twice",
    "gateway bug",
    "hint late",
    "hint lost",
    "hint out of order",
    "hint twice",
    "lying hint",
    "stream cut",
    "partial fill",
    "trader adds",
    "trader closes",
    "trader flips",
    "orphan opened",
    "bot opens slowly",
    "liquidation",
    "price jump",
    "actor killed",
    "actor crashed",
    "process killed",
    "process restarted",
    "guard paused",
    "database away",
    "clock jump",
    "operator closes",
    "operator holds",
    "operator releases",
    "operator accepts",
    "reload",
)
"""All that a set of schedules must have lived through."""


class CountedFaults(FaultBook):
    """A book of faults that counts those that struck, and tells of them.

    `timeout` is the client's, in seconds.
    """

    def __init__(
        self,
        rng: random.Random,
        happened: Counter[str],
        timeout: float,
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(rng)
        self._tell = tell
        self._happened = happened
        self._timeout = timeout

    def strike(
        self, endpoint: str, account: str, *, path: str = "", page: int = 1
    ) -> tuple[Fault, ...]:
        struck = super().strike(endpoint, account, path=path, page=page)
        for fault in struck:
            self._tell(f"{fault.kind} strikes {path or endpoint} of {account}")
            if fault.kind in LATE:
                late = fault.seconds >= self._timeout
                self._happened["timeout" if late else "slow reply"] += 1
            else:
                self._happened[WORDS[fault.kind]] += 1
            if path == "fetch_position":
                self._happened["trouble with a read by symbol"] += 1
        return struck
