"""OKX v5's limits: requests in two seconds, of a user or of an address, endpoint by endpoint.

Orders are counted by contract as well, and 1000 of one user over all of them. No header tells of
any of it. Source: "Rate Limits" and each endpoint's own page in the documentation of OKX's v5 API.
"""

from __future__ import annotations

from datetime import timedelta

from simulator.okx_orders import batch
from simulator.okx_words import envelope
from simulator.quotas import RollingWindow
from simulator.wire import Call, Refusal, Reply

WINDOW = timedelta(seconds=2)
TOO_MANY = (
    "50011",
    "Rate limit reached. Please refer to API documentation and throttle requests accordingly.",
)
TOO_MANY_ORDERS = ("50061", "You've reached the maximum order rate limit for this account.")
ACCOUNT_ORDERS = 1000
USUAL = 10
IN_TWO_SECONDS = {
    "trade/order": 60,
    "trade/amend-order": 60,
    "trade/cancel-order": 60,
    "trade/batch-orders": 300,
    "trade/amend-batch-orders": 300,
    "trade/cancel-batch-orders": 300,
    "trade/close-position": 20,
    "trade/order-algo": 20,
    "trade/amend-algos": 20,
    "trade/cancel-algos": 20,
    "trade/orders-pending": 60,
    "trade/orders-history": 40,
    "trade/orders-history-archive": 20,
    "trade/orders-algo-pending": 20,
    "trade/orders-algo-history": 20,
    "trade/fills": 60,
    "trade/fills-history": 10,
    "account/balance": 10,
    "account/positions": 10,
    "account/positions-history": 10,
    "account/config": 5,
    "account/leverage-info": 20,
    "account/set-leverage": 40,
    "account/set-position-mode": 5,
    "account/position/margin-balance": 20,
    "account/trade-fee": 5,
    "account/max-size": 20,
    "account/max-avail-size": 20,
    "account/instruments": 20,
    "asset/currencies": 12,
    "public/instruments": 20,
    "public/time": 10,
    "public/mark-price": 10,
    "public/price-limit": 20,
    "public/open-interest": 20,
    "public/funding-rate": 10,
    "public/funding-rate-history": 10,
    "public/position-tiers": 10,
    "market/ticker": 20,
    "market/tickers": 20,
    "market/books": 40,
    "market/trades": 100,
    "market/candles": 40,
    "market/history-candles": 20,
}
BATCHES = ("batch-orders", "amend-batch-orders", "cancel-batch-orders")
BY_CONTRACT = frozenset(
    f"trade/{name}" for name in ("order", "amend-order", "cancel-order", "order-algo", *BATCHES)
)
COUNTED_ORDERS = frozenset({"trade/order", "trade/batch-orders", "trade/amend-order"})


class OkxQuotas:
    """Counts requests in rolling windows; refuses where limits are enforced."""

    def __init__(self) -> None:
        self.enforced = False
        self._used = RollingWindow(WINDOW)
        self._orders = RollingWindow(WINDOW)

    def charge(self, call: Call) -> Reply | None:
        # What was refused does not count, or a client that waits would never get through.
        path, cost = call.path.removeprefix("/api/v5/"), _cost(call)
        name = f"{self._who(call)} {call.method} {path} {_contract(call, path)}"
        if self._used.add(name, cost, call.at) > _most(path, cost) and self.enforced:
            self._used.add(name, -cost, call.at)
            return envelope(*TOO_MANY)
        if call.account is None or call.method != "POST" or path not in COUNTED_ORDERS:
            return None
        counted = self._orders.add(call.account.name, cost, call.at)
        if counted > ACCOUNT_ORDERS and self.enforced:
            self._orders.add(call.account.name, -cost, call.at)
            return envelope(*TOO_MANY_ORDERS)
        return None

    def headers(self, call: Call) -> dict[str, str]:  # noqa: ARG002  # nothing is told of limits
        return {}

    @staticmethod
    def _who(call: Call) -> str:
        return call.address if call.account is None else call.account.name


def _contract(call: Call, path: str) -> str:
    if call.method == "POST" and path in BY_CONTRACT:
        return call.params.get("instId", "")
    return ""


def _most(path: str, cost: int) -> int:
    """A batch of one counts as a single order."""
    single = path.replace("batch-order", "order").removesuffix("s")
    if cost == 1 and path.endswith(BATCHES):
        return IN_TWO_SECONDS[single]
    return IN_TWO_SECONDS.get(path, USUAL)


def _cost(call: Call) -> int:
    if not call.path.endswith(BATCHES):
        return 1
    try:
        return max(1, len(batch(call)))
    except (Refusal, ValueError):
        return 1
