"""Hyperliquid's limits: a weight of 1,200 a minute by address of the client, and no headers.

Source: the page "Rate limits and user limits" of its documentation. An action weighs one and one
more for each forty of its batch; most questions twenty, some two, `userRole` sixty; twenty rows of
a history weigh one more.
"""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import msgspec

from simulator.quotas import RollingWindow
from simulator.wire import Body, Call, Reply

MINUTE = timedelta(minutes=1)
MOST = 1200
USUAL = 20
WEIGHTS = {
    "userRole": 60,
    **dict.fromkeys(
        (
            "l2Book",
            "allMids",
            "clearinghouseState",
            "orderStatus",
            "spotClearinghouseState",
            "exchangeStatus",
        ),
        2,
    ),
}
BY_LENGTH = frozenset(
    ("recentTrades", "historicalOrders", "userFills", "userFillsByTime", "userFunding")
)
ROWS_OF_ONE = 20
BATCH_OF_ONE = 40


def too_many() -> Reply:
    return Reply(cast(Body, None), status=429)


class HyperliquidQuotas:
    """Counts weights in a rolling minute; refuses where limits are enforced."""

    def __init__(self) -> None:
        self.enforced = False
        self._used = RollingWindow(MINUTE)

    def charge(self, call: Call) -> Reply | None:
        weight = _weight(call)
        used = self._used.add(call.address, weight, call.at)
        if used <= MOST or not self.enforced:
            return None
        # What was refused does not count, or a client that waits would never get through.
        self._used.add(call.address, -weight, call.at)
        return too_many()

    def charge_rows(self, call: Call, reply: Reply) -> None:
        """What an answer weighs by its length."""
        if call.params.get("type") in BY_LENGTH and isinstance(reply.body, list):
            self._used.add(call.address, len(reply.body) // ROWS_OF_ONE, call.at)

    def headers(self, call: Call) -> dict[str, str]:  # noqa: ARG002  # other venues tell here
        return {}


def _weight(call: Call) -> int:
    kind = call.params.get("type", "")
    if not call.path.startswith("/exchange"):
        return WEIGHTS.get(kind, USUAL)
    action = msgspec.json.decode(call.params.get("action", "{}"), type=dict[str, object])
    batch = next((it for it in action.values() if isinstance(it, list)), [])
    return 1 + len(batch) // BATCH_OF_ONE
