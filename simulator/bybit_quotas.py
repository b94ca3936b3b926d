"""Bybit v5's limits: requests a second by account and endpoint, and by address over all.

Source: the page "Rate Limit Rules" of Bybit's v5 documentation. An address over its limit gets
HTTP 403 and should stay away for ten minutes; a batch counts each of its orders.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from simulator.bybit_words import envelope
from simulator.quotas import RollingWindow
from simulator.wire import Call, Reply, batch_of, ms

SECOND = timedelta(seconds=1)
BY_ADDRESS = 600
ADDRESS_WINDOW = timedelta(seconds=5)
BAN = timedelta(minutes=10)
TOO_MANY = ("10006", "Too many visits. Exceeded the API Rate Limit.")

A_SECOND: dict[str, int] = {
    **dict.fromkeys(
        (
            "/v5/order/create",
            "/v5/order/amend",
            "/v5/order/cancel",
            "/v5/order/cancel-all",
            "/v5/order/create-batch",
            "/v5/order/amend-batch",
            "/v5/order/cancel-batch",
            "/v5/order/pre-check",
            "/v5/position/set-leverage",
            "/v5/position/switch-mode",
            "/v5/position/trading-stop",
            "/v5/user/query-api",
        ),
        10,
    ),
    **dict.fromkeys(
        (
            "/v5/order/realtime",
            "/v5/order/history",
            "/v5/execution/list",
            "/v5/position/list",
            "/v5/position/closed-pnl",
            "/v5/account/wallet-balance",
            "/v5/account/info",
            "/v5/account/collateral-info",
        ),
        50,
    ),
    "/v5/account/transaction-log": 30,
    "/v5/account/fee-rate": 10,
    "/v5/asset/coin/query-info": 5,
}
"""Requests a second of one account, by path."""
USUAL = 50
BATCHES = ("/v5/order/create-batch", "/v5/order/amend-batch", "/v5/order/cancel-batch")


class BybitQuotas:
    """Counts requests in rolling windows; refuses where limits are enforced."""

    def __init__(self) -> None:
        self.enforced = False
        self._by_account = RollingWindow(SECOND)
        self._by_address = RollingWindow(ADDRESS_WINDOW)
        self._banned: dict[str, datetime] = {}

    def charge(self, call: Call) -> Reply | None:
        banned = self._banned.get(call.address)
        if self.enforced and banned is not None and call.at < banned:
            return _forbidden(call)
        if self._by_address.add(call.address, 1, call.at) > BY_ADDRESS and self.enforced:
            self._banned[call.address] = call.at + BAN
            return _forbidden(call)
        if call.account is None:
            return None
        used = self._by_account.add(_name(call), _cost(call), call.at)
        if used <= _most(call) or not self.enforced:
            return None
        # What was refused does not count, or a client that waits would never get through.
        self._by_account.add(_name(call), -_cost(call), call.at)
        return envelope(*TOO_MANY, ms(call.at))

    def headers(self, call: Call) -> dict[str, str]:
        if call.account is None:
            return {}
        most, name = _most(call), _name(call)
        used = self._by_account.used(name, call.at)
        over = used + _cost(call) > most
        resets = self._by_account.frees_at(name, call.at) if over else call.at
        return {
            "X-Bapi-Limit": str(most),
            "X-Bapi-Limit-Status": str(max(0, most - used)),
            "X-Bapi-Limit-Reset-Timestamp": str(ms(resets)),
        }


def _forbidden(call: Call) -> Reply:
    reply = envelope("10018", "403, access too frequent", ms(call.at))
    reply.status = 403
    return reply


def _name(call: Call) -> str:
    return f"{'' if call.account is None else call.account.name} {call.path}"


def _most(call: Call) -> int:
    return A_SECOND.get(call.path, USUAL)


def _cost(call: Call) -> int:
    if call.path not in BATCHES:
        return 1
    try:
        return max(1, len(batch_of(call.params.get("request", ""))))
    except ValueError:
        return 1
