"""What comes after a close, or after a life of the guard: another position is another position."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from messages.values import Side
from rules.ids import is_ours
from simulator import Exchange
from simulator.state import MarketEvent, PositionChanged
from tests.simulation.scene import BYBIT
from tests.simulation.templates import Template
from tests.simulation.test_found_bugs import told
from tests.simulation.world import World, until

XRP = "XRP/USDT:USDT"
AVL = "AVL/USDT:USDT"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template(tmp_path_factory.mktemp("lives"))


def open_alerts(world: World) -> list[str]:
    return [key for _, key, still in world.alerts() if still]


def test_a_leg_that_is_there_again_after_our_fill_is_not_closed_a_second_time(
    template: Template,
) -> None:
    async def story(world: World) -> None:
        trade = world.open(BYBIT, XRP, Side.LONG, hours=40.0, quantity=Decimal(4000))
        again: list[bool] = []

        def enter(event: MarketEvent) -> None:
            if isinstance(event, PositionChanged) and not event.position.size and not again:
                again.append(True)
                loop = asyncio.get_running_loop()
                loop.call_soon(world.market.open_position, BYBIT, XRP, Side.LONG, Decimal(3000))

        world.market.listen(enter)
        await world.start_guard()
        needed = f"operator:{trade.key}"
        await until(lambda: needed in open_alerts(world), 600, "a person is asked for")
        await asyncio.sleep(300)
        fills = [
            it for it in world.market.accounts[BYBIT].executions["XRPUSDT"] if is_ours(it.client_id)
        ]
        assert sum(fill.quantity for fill in fills) == 4000
        assert world.held(trade.key) == 3000

    told(template, story)


def test_a_person_who_was_needed_for_a_leg_is_not_needed_for_the_next_one(
    template: Template,
) -> None:
    async def story(world: World) -> None:
        dust = world.open(BYBIT, AVL, Side.LONG, hours=40.0, quantity=Decimal("0.4"))
        await world.start_guard()
        needed = f"operator:{dust.key}"
        await until(lambda: needed in open_alerts(world), 600, "a person is asked for")
        await world.stop_guard()
        world.market.close_by_hand(BYBIT, AVL, Side.LONG)
        world.truth.execute("UPDATE positions SET status = 'closed'")
        world.open(BYBIT, AVL, Side.LONG, hours=40.0, quantity=Decimal(4000))
        await world.start_guard()
        await until(lambda: not world.active_rows(), 600, "the next leg's row is closed")
        assert not world.held(dust.key)
        await until(lambda: needed not in open_alerts(world), 60, "the old alert is resolved")

    told(template, story)


def test_what_we_closed_of_a_leg_that_was_more_than_its_row_is_booked_as_ours(
    template: Template,
) -> None:
    """A trader adds to the leg; we close more than the row, and he closes what is left."""

    async def story(world: World) -> None:
        market = world.market
        trade = world.open(BYBIT, XRP, Side.LONG, hours=40.0, quantity=Decimal(4000))
        market.open_position(BYBIT, XRP, Side.LONG, Decimal(1000))
        market.set_book_depth(Exchange.BYBIT, XRP, Decimal(4500))

        def close_the_rest(event: MarketEvent) -> None:
            if isinstance(event, PositionChanged) and event.position.size == 500:
                asyncio.get_running_loop().call_soon(market.close_by_hand, BYBIT, XRP, Side.LONG)

        market.listen(close_the_rest)
        await world.start_guard()
        await until(lambda: not world.active_rows(), 600, "the row is closed")
        assert not world.held(trade.key)
        ((reason,),) = world.truth.execute("SELECT exit_reason FROM positions")
        assert reason == "aged_close_market"

    told(template, story)
