"""What closes cost the venue's limits, counted by route at the venue: nine legs at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from messages.ledger import PositionRow
from messages.settings import AgedSettings, OrderSettings, VerdictSettings
from messages.values import Side
from simulator.binance_quotas import WEIGHTS
from simulator.desk import LoggedRequest
from tests.scenarios.world import NEVER, World, scenario, until, world

LEGS = {
    "BTC": "0.01",
    "ETH": "0.1",
    "SOL": "1",
    "AVL": "1000",
    "XRP": "100",
    "DOGE": "1000",
    "LINK": "10",
    "ADA": "100",
    "1000PEPE": "10000",
}
BINANCE, BYBIT = "binance-main", "bybit-main"

both = pytest.mark.parametrize("account", [BINANCE, BYBIT])
with_and_without_stream = pytest.mark.parametrize("stream", [True, False], ids=["stream", "none"])


def weight(request: LoggedRequest) -> int:
    """What a request weighs at Binance."""
    found = WEIGHTS.get((request.method, request.path), 1)
    return found if isinstance(found, int) else found(request.params)


def routes(requests: Iterable[LoggedRequest]) -> Counter[str]:
    """How many requests each route had; `*` marks those for all symbols."""
    return Counter(
        f"{it.method} {it.path}{'' if 'symbol' in it.params else ' *'}" for it in requests
    )


async def nine_legs(guard: World, account: str, hours: float) -> list[PositionRow]:
    return [
        await guard.both(f"{base}/USDT:USDT", Side.LONG, size, account=account, hours=hours)
        for base, size in LEGS.items()
    ]


async def streaming(guard: World, account: str) -> None:
    def stands() -> bool:
        return bool(guard.state(f"accounts/{account}/stream")["status"] == "connected")

    await until(stands, "the stream stands")


async def quiet(guard: World) -> None:
    """Wait until nothing has reached the venue for a while: what was begun is over."""
    loop = asyncio.get_running_loop()
    count, since = -1, loop.time()

    def is_quiet() -> bool:
        nonlocal count, since
        if len(guard.venue.requests.requests) != count:
            count, since = len(guard.venue.requests.requests), loop.time()
        return loop.time() - since > 1.5

    await until(is_quiet, "the venue is asked no more")


@scenario
@both
@with_and_without_stream
async def test_a_close_of_nine_asks_at_most_four_times_each_and_five_without_a_stream(
    tmp_path: Path, account: str, stream: bool
) -> None:
    async with world(
        tmp_path,
        accounts=(account,),
        account={"stream": stream},
        verdict=VerdictSettings(),
        orders=OrderSettings(),
    ) as guard:
        if stream:
            await streaming(guard, account)
        rows = await nine_legs(guard, account, hours=40)
        await quiet(guard)
        guard.venue.requests.clear()
        await guard.scan("aged/scan", account)
        for row in rows:
            closed = await guard.closed(row)
            assert closed.exit_reason == "aged_close_market"
            assert closed.exit_source == "fill"
        await quiet(guard)
        # A socket that is kept open is no close's cost.
        warm = ("/fapi/v1/ping", "/v5/market/time")
        asked = [it for it in guard.venue.requests.requests if it.path not in warm]
        told = routes(asked)
        assert len(guard.orders(account)) == len(LEGS)
        assert len(asked) <= (4 if stream else 5) * len(LEGS), told
        if account == BINANCE and stream:
            assert sum(map(weight, asked)) <= 8 * len(LEGS), told
        intents = await guard.ledger.intents(account=account)
        lacking = [it for it in intents if it.fee <= 0 or it.average is None]
        assert not lacking
        # What our own orders explain is not looked for in a history, nor asked for by name, and
        # prices are asked for all legs at once.
        lists = ("/fapi/v1/allOrders", "/fapi/v2/positionRisk", "/v5/execution/list", "icker")
        assert not [it for it in told if it.endswith(lists)], told
        assert sum(n for route, n in told.items() if "icker" in route) <= 3, told


@scenario
@both
async def test_nine_holding_legs_share_one_list_of_prices_for_each_look(
    tmp_path: Path, account: str
) -> None:
    every = timedelta(seconds=1)
    async with world(
        tmp_path,
        accounts=(account,),
        aged=AgedSettings(
            scan_every=NEVER, validate_every=NEVER, check_every=every, fee=Decimal("0.05")
        ),
    ) as guard:
        await nine_legs(guard, account, hours=4)
        await guard.scan("aged/scan", account)
        prices = next(n.path for n in guard.system.tree() if n.path.startswith("prices/"))

        def reads() -> int:
            return int(guard.state(prices)["reads"])

        await until(partial(_all_hold, guard, account), "all nine hold")
        await quiet_but_for_prices(guard)
        guard.venue.requests.clear()
        began, first = asyncio.get_running_loop().time(), reads()
        await until(lambda: reads() >= first + 5, "five more looks")
        looks = (asyncio.get_running_loop().time() - began) / every.total_seconds()
        told = routes(guard.venue.requests.requests)
        assert len(told) == 1, told
        assert told.total() <= looks + 1, told


def _all_hold(guard: World, account: str) -> bool:
    legs = [n.path for n in guard.system.tree() if n.path.startswith(f"accounts/{account}/aged/")]
    states = [guard.state(path) for path in legs if not path.endswith("/scan")]
    held = [it for it in states if str(it.get("status", "")).startswith("holding")]
    return len(held) == len(LEGS) and all(it["price"] is not None for it in held)


async def quiet_but_for_prices(guard: World) -> None:
    """Wait until a whole look asked for nothing but prices."""

    def others() -> int:
        told = routes(guard.venue.requests.requests)
        return sum(n for route, n in told.items() if "icker" not in route)

    loop = asyncio.get_running_loop()
    count, since = others(), loop.time()

    def is_quiet() -> bool:
        nonlocal count, since
        if others() != count:
            count, since = others(), loop.time()
        return loop.time() - since > 1.5

    await until(is_quiet, "nothing but prices is asked for")
