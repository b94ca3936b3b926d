"""No order leaves before it is known whether the key is of the ledger's account (truth.md 5)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from messages.ledger import PositionRow
from messages.values import Side
from simulator.server import SimulatedVenue
from tests.scenarios.explained.looking import ACCOUNTS, scanned_until_alerted, sent
from tests.scenarios.explained.test_suspect_accounts import FIVE, SUSPECT, lead_to_a_stranger
from tests.scenarios.world import SETTLED_AT_ONCE, XRP, World, now, scenario, until, world


async def five_aged_rows(guard: World, account: str) -> list[PositionRow]:
    """Any of them is closed at market as soon as somebody looks."""
    return [
        await guard.both(symbol, Side.LONG, quantity, account=account) for symbol, quantity in FIVE
    ]


def lead_to_a_stranger_who_has_xrp(guard: World, account: str) -> None:
    """One leg of the ledger is there, and it is somebody else's."""
    lead_to_a_stranger(guard, account)
    guard.market.open_position("stranger", XRP, Side.LONG, Decimal(100))


def strangers(guard: World) -> Decimal:
    return guard.market.quantity("stranger", XRP, Side.LONG)


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_wrong_key_at_the_first_start_closes_nothing_that_the_stranger_holds_too(
    tmp_path: Path, account: str
) -> None:
    async def before(guard: World) -> None:
        await five_aged_rows(guard, account)
        lead_to_a_stranger_who_has_xrp(guard, account)

    async with world(
        tmp_path, accounts=(account,), before=before, verdict=SETTLED_AT_ONCE
    ) as guard:
        leg = f"accounts/{account}/aged/XRPUSDT.long"
        await until(lambda: bool(guard.state(leg).get("phase")), "the leg was to be closed")
        await scanned_until_alerted(guard, SUSPECT, account, "reconciliation")
        await until(lambda: "suspect" in guard.state(leg)["status"], "it waits for a person")
        assert strangers(guard) == 100
        assert sent(guard) == []
        # Nothing has failed meanwhile: it only waited.
        assert guard.state(leg)["failures"] == 0
        told = {str(alert.type) for alert in await guard.alerts()}
        assert not told & {"close_failed", "operator_needed"}


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_suspicion_bars_orders_from_the_first_instant_after_a_restart(
    tmp_path: Path, account: str
) -> None:
    async with SimulatedVenue(seed=7) as venue:

        async def before(guard: World) -> None:
            await five_aged_rows(guard, account)
            lead_to_a_stranger_who_has_xrp(guard, account)

        guarded = partial(
            world, tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE, venue=venue
        )
        async with guarded(before=before) as guard:
            await scanned_until_alerted(guard, SUSPECT, account, "reconciliation")
        async with guarded() as guard:
            leg = f"accounts/{account}/aged/XRPUSDT.long"
            await until(lambda: "suspect" in guard.state(leg)["status"], "the leg is barred")
            assert strangers(guard) == 100
            assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_a_key_that_is_led_elsewhere_between_two_passes_closes_nothing_there(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        await five_aged_rows(guard, account)
        # One look while they are all there, as another monitor's.
        await guard.scan("orphans", account)
        lead_to_a_stranger_who_has_xrp(guard, account)
        # Within its window that look would serve the next asker as well.
        state = guard.state(f"accounts/{account}/exchange")
        seen_at = datetime.fromisoformat(str(state["last_read_at"]))
        fresh = guard.settings.verdict.fresh
        await until(lambda: now() - seen_at > fresh, "that look is no longer fresh")
        await guard.scan("aged/scan", account)
        await scanned_until_alerted(guard, SUSPECT, account, "aged/scan")
        assert strangers(guard) == 100
        assert sent(guard) == []


@pytest.mark.parametrize("account", ACCOUNTS)
@scenario
async def test_an_exchange_actor_that_was_restarted_has_the_account_looked_at_and_goes_on(
    tmp_path: Path, account: str
) -> None:
    async with world(tmp_path, accounts=(account,), verdict=SETTLED_AT_ONCE) as guard:
        row = await guard.both(XRP, Side.LONG, "10", account=account)
        await guard.system.restart(f"accounts/{account}/exchange")
        await guard.ready(account)
        await guard.scan("aged/scan", account)
        closed = await guard.closed(row)
        assert closed.exit_source == "fill"
