"""A ban is obeyed to its end by the whole account, told once, and its end once (scenario 9.12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from loguru import logger

from messages.values import Side
from simulator.faults import FaultKind
from tests.scenarios.world import XRP, MovableClock, World, scenario, until, world

ACCOUNTS = ["bybit-main", "binance-main"]
MONITORS = ("reconciliation", "orphans", "aged/scan")
A_MINUTE = 60.0
STATUS = {"bybit-main": 429, "binance-main": 418}


@contextmanager
def lines() -> Iterator[list[str]]:
    """What the log says from now on."""
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="INFO")
    try:
        yield said
    finally:
        logger.remove(sink)


def requests(guard: World, account: str) -> int:
    """How many requests have reached the account's exchange, of whatever kind."""
    exchange = guard.market.accounts[account].exchange.value
    return sum(request.exchange == exchange for request in guard.venue.requests.requests)


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_9_12_a_ban_of_a_minute_is_obeyed_told_once_and_its_end_told_once(
    tmp_path: Path, account: str
) -> None:
    clock = MovableClock()
    other = next(name for name in ACCOUNTS if name != account)
    streams = {"stream": True}
    async with world(tmp_path, accounts=(account, other), clock=clock, account=streams) as guard:
        path = f"accounts/{account}/stream"
        await until(lambda: guard.state(path).get("status") == "connected", "the stream is up")
        aged = await guard.both(XRP, Side.LONG, "10", account=account)
        with lines() as said:
            ban = guard.fault(
                FaultKind.BAN,
                "*",
                account=account,
                seconds=A_MINUTE,
                status=STATUS[account],
                growth=2.0,
            )
            await guard.scan("reconciliation", account)
            (alert,) = await guard.alerted("guard_degraded")
            assert account in alert.title
            before = requests(guard, account)
            guard.fault(FaultKind.CUT_STREAM, "*", account=account)
            for _ in range(11):
                clock.move(timedelta(seconds=5))
                for monitor in MONITORS:
                    await guard.scan(monitor, account)
                assert guard.venue.faults.struck(ban) == 1
                assert requests(guard, account) == before
            assert await guard.same(aged)
            # The other exchange is none of its business.
            assert not (await guard.scan("reconciliation", other)).problem
            guard.venue.faults.clear(ban)
            clock.move(timedelta(seconds=5))
            await guard.scan("aged/scan", account)
            closed = await guard.closed(aged)
            assert closed.exit_source == "fill"
            assert len(guard.orders(account)) == 1
        (alert,) = await guard.alerts()
        assert alert.type == "guard_degraded"
        assert alert.resolved_at is not None
        assert sum(f"Positions of {account} can be read again" in line for line in said) == 1
