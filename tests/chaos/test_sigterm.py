"""Scenario 6.9: SIGTERM amid ten closes is orderly, and the next start finishes them."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import ccxt.async_support  # noqa: F401  # imported once, before guards are forked
import msgspec
import pytest

from messages.ledger import IntentState, NewPosition, PositionRow
from messages.values import Secret, Side
from simulator.faults import Fault, FaultKind
from simulator.server import SimulatedVenue
from storage import open_ledger
from tests.chaos.guard_process import start_guard
from tests.scenarios.world import ago, now, settings_for, until

ACCOUNT = "bybit-main"
BASES = ("SOL", "XRP", "DOGE", "LINK", "ADA", "AVL")
LEGS = tuple((f"{base}/USDT:USDT", side) for base in BASES[:5] for side in Side)
QUANTITY = Decimal(1000)

pytestmark = pytest.mark.timeout(120)


def test_sigterm_in_the_middle_of_ten_closes_loses_none_and_repeats_none(tmp_path: Path) -> None:
    async def story() -> None:
        async with SimulatedVenue(seed=3, volatility=0) as venue:
            venue.market.accounts[ACCOUNT].hedged = True
            settings = settings_for(tmp_path, venue, (ACCOUNT,))
            settings = msgspec.structs.replace(
                settings,
                storage=msgspec.structs.replace(
                    settings.storage,
                    url=Secret(f"sqlite:///{tmp_path}/sexton.db"),
                    lease=timedelta(seconds=2),
                ),
            )
            ledger = await open_ledger(settings.storage.url, now=now, data_dir=tmp_path)
            rows = [await ledger.add_position(due(venue, *leg)) for leg in LEGS]
            # Some orders are filled with nobody told of it, and some are still on their way.
            venue.faults.order(
                Fault(kind=FaultKind.DELAY_REPLY, endpoint="order.create", count=None, seconds=20)
            )
            first = start_guard(settings, sites=tmp_path / "first")
            await until(lambda: len(venue.requests.orders(ACCOUNT)) >= 4, "closes are under way")
            first.terminate()
            await until(lambda: not first.is_alive(), "the guard stops", 30)
            assert first.exitcode == 0
            left = await ledger.active_rows(ACCOUNT)
            assert left, "the guard was to be stopped in the middle"
            assert "Traceback" not in (tmp_path / "guard.log").read_text(encoding="utf-8")
            venue.faults.clear()
            second = start_guard(settings, sites=tmp_path / "second")

            async def all_closed() -> bool:
                return not await ledger.active_rows(ACCOUNT)

            await until(all_closed, "the second guard closes what was open", 60)
            second.terminate()
            await until(lambda: not second.is_alive(), "the second guard stops", 30)
            ended = [await ledger.row(row.id) for row in rows]
            stands(venue, [row for row in ended if row is not None])
            intents = await ledger.intents(account=ACCOUNT)
            assert all(intent.state.final for intent in intents)
            done = Counter(i.key for i in intents if i.state is IntentState.DONE)
            assert set(done.values()) == {1}
            await ledger.close()

    asyncio.run(story())


def due(venue: SimulatedVenue, symbol: str, side: Side) -> NewPosition:
    """A position that must be closed at once, opened at the venue as well."""
    price = venue.market.price(venue.market.accounts[ACCOUNT].exchange, symbol)
    venue.market.open_position(ACCOUNT, symbol, side, QUANTITY, price, ago(40))
    return NewPosition(
        account=ACCOUNT,
        symbol=symbol,
        side=side,
        quantity=QUANTITY,
        entry_price=price,
        opened_at=ago(40),
    )


def stands(venue: SimulatedVenue, rows: list[PositionRow]) -> None:
    """Ten closes by ten orders, each row with the fill that closed it, and nothing held."""
    assert len(rows) == len(LEGS)
    assert {row.status for row in rows} == {"closed"}
    assert {row.exit_source for row in rows} == {"fill"}
    assert {row.exit_reason for row in rows} == {"aged_close_market"}
    orders = venue.requests.orders(ACCOUNT)
    sent = Counter((it.params["symbol"], it.params["side"]) for it in orders)
    assert set(sent.values()) == {1}
    assert len(sent) == len(LEGS)
    assert not any(venue.market.quantity(ACCOUNT, *leg) for leg in LEGS)
