"""Bitget v2's limits: requests a second by account and endpoint, and by address over all.

Source: each endpoint's own page, and "Request Interaction" for the address. Positions are asked for
5 times a second, almost everything else 10 times; public reads 20 times by address. What is refused
gets HTTP 429 with code 429.
"""

from __future__ import annotations

from datetime import timedelta

from simulator.bitget_words import TOO_MANY, error
from simulator.quotas import RollingWindow
from simulator.wire import Call, Reply

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
BY_ADDRESS = 6000
A_SECOND = {
    "/api/v2/mix/position/all-position": 5,
    "/api/v2/mix/position/history-position": 20,
    "/api/v2/mix/order/close-positions": 1,
    "/api/v2/mix/account/set-leverage": 5,
    "/api/v2/mix/account/set-margin-mode": 5,
    "/api/v2/mix/account/set-position-mode": 5,
    "/api/v2/mix/order/batch-place-order": 5,
    "/api/v2/spot/account/info": 1,
}
"""Requests a second of one account, by path."""
USUAL, USUAL_PUBLIC = 10, 20


class BitgetQuotas:
    """Counts requests in rolling windows; refuses where limits are enforced."""

    def __init__(self) -> None:
        self.enforced = False
        self._by_endpoint = RollingWindow(SECOND)
        self._by_address = RollingWindow(MINUTE)

    def charge(self, call: Call) -> Reply | None:
        name = _name(call)
        used = self._by_endpoint.add(name, 1, call.at)
        all_used = self._by_address.add(call.address, 1, call.at)
        if not self.enforced or (used <= _most(call) and all_used <= BY_ADDRESS):
            return None
        # What was refused does not count, or a client that waits would never get through.
        self._by_endpoint.add(name, -1, call.at)
        self._by_address.add(call.address, -1, call.at)
        return error(*TOO_MANY, call.at)

    def headers(self, call: Call) -> dict[str, str]:
        left = _most(call) - self._by_endpoint.used(_name(call), call.at)
        return {"x-mbx-used-remain-limit": str(max(0, left))}


def _name(call: Call) -> str:
    return f"{call.address if call.account is None else call.account.name} {call.path}"


def _most(call: Call) -> int:
    return A_SECOND.get(call.path, USUAL_PUBLIC if call.account is None else USUAL)
