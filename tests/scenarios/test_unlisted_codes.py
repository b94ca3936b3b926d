"""Scenario 6: an order that took effect behind a code that nobody has listed is not sent again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from messages.values import Side
from simulator.faults import FaultKind
from tests.scenarios.world import XRP, scenario, world

SAYS = "Request timed out. Please try again."


@pytest.mark.parametrize(("account", "code"), [("bybit-main", "10404"), ("binance-main", "-9404")])
@pytest.mark.parametrize("text", [SAYS, "something new"])
@pytest.mark.parametrize("seconds", [0, 1])
@scenario
async def test_an_unlisted_code_after_the_effect_is_looked_up_and_not_sent_again(
    tmp_path: Path, account: str, code: str, text: str, seconds: int
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        if seconds:
            guard.market.set_fill_delay(timedelta(seconds=seconds))
        guard.fault(FaultKind.ERROR_AFTER, "order.create", code=code, message=text)
        await guard.scan("aged/scan", account)
        closed = await guard.closed(row, seconds=60)
        assert closed.exit_source == "fill"
        assert len(guard.orders(account)) == 1
        (intent,) = await guard.ledger.intents(account=account)
        assert (intent.state, intent.filled) == ("done", Decimal(10))


@pytest.mark.parametrize(("account", "code"), [("bybit-main", "10404"), ("binance-main", "-9404")])
@scenario
async def test_an_unlisted_code_before_any_effect_ends_in_another_attempt(
    tmp_path: Path, account: str, code: str
) -> None:
    async with world(tmp_path, accounts=(account,)) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        guard.fault(FaultKind.ERROR_CODE, "order.create", code=code, message="something new")
        await guard.scan("aged/scan", account)
        await guard.closed(row, seconds=60)
        first, second = await guard.ledger.intents(account=account)
        assert (first.state, second.state) == ("never_arrived", "done")
