"""The default world: one market, one account at each exchange, and no positions."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from simulator.instruments import WHOLE
from simulator.market import Market


def demo_market(now: Callable[[], datetime], seed: int, *, volatility: float = 0.03) -> Market:
    """A market with `bybit-main` and `binance-main`. `volatility` is a day's deviation; 0: still.

    Keys are `demo-bybit-key` and `demo-binance-key`, secrets `demo-bybit-secret` and
    `demo-binance-secret`; they open nothing but this market.
    """
    rng = random.Random(seed)  # noqa: S311  # a market's noise, not a secret
    market = Market(now=now, rng=rng, volatility=volatility)
    for exchange in WHOLE:
        name = exchange.removesuffix("usdm")
        market.add_account(
            f"{name}-main", exchange, key=f"demo-{name}-key", secret=f"demo-{name}-secret"
        )
    return market
