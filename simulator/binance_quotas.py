"""Binance USD-M's limits: weight an address and minute, orders an account, and bans that grow.

Sources: "LIMITS" on the page "General Info" of Binance's USD-M futures documentation, and each
endpoint's own page for its weight. How many refusals lead to a ban, and how fast bans grow, is not
documented: "IP bans are tracked and scale in duration for repeat offenders, from 2 minutes to 3
days".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.binance_words import MOST_ORDERS_1M, MOST_ORDERS_10S, MOST_WEIGHT, error
from simulator.quotas import FixedWindows
from simulator.wire import Call, Params, Reply, ms

Weight = int | Callable[[Params], int]


def _by_symbol(one: int, all_of_them: int) -> Weight:
    return lambda params: one if params.get("symbol") else all_of_them


def _by_limit(usual: int, *steps: tuple[int, int]) -> Weight:
    """The weight of the first step that a `limit` is below; each is an upper bound and a weight."""

    def weight(params: Params) -> int:
        told = params.get("limit", "")
        limit = int(told) if told.isdecimal() else usual
        return next((it for bound, it in steps if limit < bound), steps[-1][1])

    return weight


_CANDLES = _by_limit(500, (100, 1), (500, 2), (1001, 5), (1501, 10))
WEIGHTS: dict[tuple[str, str], Weight] = {
    ("GET", "/fapi/v1/depth"): _by_limit(500, (51, 2), (101, 5), (501, 10), (1001, 20)),
    ("GET", "/fapi/v1/klines"): _CANDLES,
    ("GET", "/fapi/v1/continuousKlines"): _CANDLES,
    ("GET", "/fapi/v1/indexPriceKlines"): _CANDLES,
    ("GET", "/fapi/v1/markPriceKlines"): _CANDLES,
    ("GET", "/fapi/v1/premiumIndexKlines"): _CANDLES,
    ("GET", "/fapi/v1/ticker/24hr"): _by_symbol(1, 40),
    ("GET", "/fapi/v1/ticker/price"): _by_symbol(1, 2),
    ("GET", "/fapi/v2/ticker/price"): _by_symbol(1, 2),
    ("GET", "/fapi/v1/ticker/bookTicker"): _by_symbol(2, 5),
    ("GET", "/fapi/v1/premiumIndex"): _by_symbol(1, 10),
    ("GET", "/fapi/v1/fundingRate"): 0,
    ("GET", "/fapi/v1/fundingInfo"): 0,
    ("GET", "/fapi/v2/positionRisk"): 5,
    ("GET", "/fapi/v3/positionRisk"): 5,
    ("GET", "/fapi/v2/account"): 5,
    ("GET", "/fapi/v3/account"): 5,
    ("GET", "/fapi/v2/balance"): 5,
    ("GET", "/fapi/v3/balance"): 5,
    ("GET", "/fapi/v1/userTrades"): 5,
    ("GET", "/fapi/v1/income"): 30,
    ("GET", "/fapi/v1/adlQuantile"): 5,
    ("GET", "/fapi/v1/positionSide/dual"): 30,
    ("GET", "/fapi/v1/multiAssetsMargin"): 30,
    ("GET", "/fapi/v1/feeBurn"): 30,
    ("GET", "/fapi/v1/accountConfig"): 5,
    ("GET", "/fapi/v1/symbolConfig"): 5,
    ("GET", "/fapi/v1/commissionRate"): 20,
    ("GET", "/fapi/v1/apiTradingStatus"): _by_symbol(1, 10),
    ("GET", "/fapi/v1/openOrders"): _by_symbol(1, 40),
    ("GET", "/fapi/v1/openAlgoOrders"): _by_symbol(1, 40),
    ("GET", "/fapi/v1/allOrders"): 5,
    ("GET", "/fapi/v1/allAlgoOrders"): 5,
    ("GET", "/fapi/v1/forceOrders"): _by_symbol(20, 50),
    ("POST", "/fapi/v1/order"): 0,
    ("PUT", "/fapi/v1/order"): 0,
    ("POST", "/fapi/v1/algoOrder"): 0,
    ("POST", "/fapi/v1/batchOrders"): 5,
    ("PUT", "/fapi/v1/batchOrders"): 5,
}
"""What an endpoint weighs, where it is not 1."""
ORDERS: dict[tuple[str, str], tuple[int, int]] = {
    ("POST", "/fapi/v1/order"): (1, 1),
    ("PUT", "/fapi/v1/order"): (1, 1),
    ("POST", "/fapi/v1/algoOrder"): (1, 1),
    ("POST", "/fapi/v1/batchOrders"): (5, 1),
    ("PUT", "/fapi/v1/batchOrders"): (5, 1),
}
"""What counts as orders: in the window of 10 seconds, and in that of a minute."""

REFUSALS_BEFORE_BAN = 10
SHORTEST_BAN = timedelta(minutes=2)
LONGEST_BAN = timedelta(days=3)
OWN_POOL = ("/sapi/", "/api/", "/dapi/")
"""Hosts of other products count apart; theirs is not simulated."""


def weight_of(method: str, path: str, params: Params) -> int:
    weight = WEIGHTS.get((method, path), 1)
    return weight if isinstance(weight, int) else weight(params)


@dataclass(slots=True)
class _Offender:
    """An address that went on asking. `refused` counts since it was last let off."""

    refused: int = 0
    bans: int = 0
    until: datetime | None = None


class BinanceQuotas:
    """Counts weight by address and orders by account."""

    def __init__(self) -> None:
        self.enforced = False
        self._weights = FixedWindows(timedelta(minutes=1), MOST_WEIGHT)
        self._orders = (
            FixedWindows(timedelta(seconds=10), MOST_ORDERS_10S),
            FixedWindows(timedelta(minutes=1), MOST_ORDERS_1M),
        )
        self._offenders: dict[str, _Offender] = {}

    def charge(self, call: Call) -> Reply | None:
        if call.path.startswith(OWN_POOL):
            return None
        offender = self._offenders.setdefault(call.address, _Offender())
        if self.enforced and offender.until is not None and call.at < offender.until:
            return self._refuse(offender, call)
        weight = weight_of(call.method, call.path, call.params)
        used = self._weights.add(call.address, weight, call.at)
        if self.enforced and used > self._weights.most:
            return self._refuse(offender, call)
        offender.refused = 0
        return self._count_orders(call)

    def headers(self, call: Call) -> dict[str, str]:
        if call.path.startswith(OWN_POOL):
            return {}
        told = {"X-MBX-USED-WEIGHT-1M": str(self._weights.used(call.address, call.at))}
        if (call.method, call.path) in ORDERS and call.account is not None:
            for name, window in zip(("10S", "1M"), self._orders, strict=True):
                told[f"X-MBX-ORDER-COUNT-{name}"] = str(window.used(call.account.name, call.at))
        return told

    def _refuse(self, offender: _Offender, call: Call) -> Reply:
        """Too much was asked: 429 at first, a ban for whoever goes on, a longer one the next time.

        Asking on during a ban counts as well, and so lengthens it.
        """
        offender.refused += 1
        if offender.refused > REFUSALS_BEFORE_BAN:
            length = min(SHORTEST_BAN * 2**offender.bans, LONGEST_BAN)
            offender.bans += 1
            offender.refused = 0
            offender.until = call.at + length
        if offender.until is not None and call.at < offender.until:
            message = (
                f"Way too many requests; IP({call.address}) banned until {ms(offender.until)}. "
                "Please use the websocket for live updates to avoid bans."
            )
            return _retry_after(error("-1003", message, 418), offender.until, call.at)
        message = (
            f"Too many requests; current limit of IP({call.address}) is {self._weights.most} "
            "requests per minute. Please use the websocket for live updates to avoid polling the "
            "API."
        )
        return _retry_after(error("-1003", message, 429), self._weights.ends_at(), call.at)

    def _count_orders(self, call: Call) -> Reply | None:
        counts = ORDERS.get((call.method, call.path))
        if counts is None or call.account is None:
            return None
        over = [
            window
            for window, count in zip(self._orders, counts, strict=True)
            if window.add(call.account.name, count, call.at) > window.most
        ]
        if not over or not self.enforced:
            return None
        seconds = int(over[0].length.total_seconds())
        span = "MINUTE" if seconds == 60 else f"{seconds} SECONDS"
        message = f"Too many new orders; current limit is {over[0].most} orders per {span}."
        return _retry_after(error("-1015", message, 429), over[0].ends_at(), call.at)


def _retry_after(reply: Reply, until: datetime, at: datetime) -> Reply:
    reply.headers["Retry-After"] = str(max(1, math.ceil((until - at).total_seconds())))
    return reply
