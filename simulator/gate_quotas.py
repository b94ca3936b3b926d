"""Gate's limits: each endpoint by itself, by user where it is signed, else by address.

Source: the section "Frequency limit rule" of Gate's API v4 documentation: 200 requests in 10
seconds an endpoint; orders of perpetuals 100 a second to place and change, 200 a second to cancel;
the delivery API 500 in 10 seconds an endpoint.
"""

from __future__ import annotations

from datetime import timedelta

from simulator.gate_rows import seconds
from simulator.gate_words import error
from simulator.quotas import RollingWindow
from simulator.wire import Call, Reply

SECOND, TEN = timedelta(seconds=1), timedelta(seconds=10)
PLACING = frozenset({"order.create", "order.create_batch", "order.amend"})
CANCELING = frozenset({"order.cancel", "order.cancel_batch", "order.cancel_all"})


class GateQuotas:
    """Counts requests in rolling windows; refuses where limits are enforced."""

    def __init__(self) -> None:
        self.enforced = False
        self._windows = {length: RollingWindow(length) for length in (SECOND, TEN)}

    def charge(self, call: Call) -> Reply | None:
        name, most, length = _limit(call)
        window = self._windows[length]
        if window.add(name, 1, call.at) <= most or not self.enforced:
            return None
        # What was refused does not count, or a client that waits would never get through.
        window.add(name, -1, call.at)
        return too_many()

    def headers(self, call: Call) -> dict[str, str]:
        name, most, length = _limit(call)
        window = self._windows[length]
        used = window.used(name, call.at)
        resets = window.frees_at(name, call.at) if used >= most else call.at
        return {
            "X-Gate-RateLimit-Requests-Remain": str(max(0, most - used)),
            "X-Gate-RateLimit-Limit": str(most),
            "X-Gate-RateLimit-Reset-Timestamp": str(seconds(resets)),
        }


def too_many() -> Reply:
    return error("TOO_MANY_REQUESTS", "Request Rate limit Exceeded (203)")


def _limit(call: Call) -> tuple[str, int, timedelta]:
    """The window that a request counts in, what that may hold, and how long it is."""
    who = call.address if call.account is None else call.account.name
    root = call.path.removeprefix("/api/v4/").partition("/")[0]
    if root == "futures" and call.endpoint in PLACING:
        return f"{who} placing", 100, SECOND
    if root == "futures" and call.endpoint in CANCELING:
        return f"{who} canceling", 200, SECOND
    return f"{who} {call.method} {root} {call.endpoint}", 500 if root == "delivery" else 200, TEN
