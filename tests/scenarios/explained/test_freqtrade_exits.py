"""9.7 beside freqtrade: its database says a loop later what the venue has filled."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from messages.settings import Mode
from messages.values import OrderSide, Side
from simulator.state import Order, OrderSpec
from storage.mirror import LEFT
from tests.scenarios.test_a_bots_own_ledger import buy, following, rows, sold_by_hand
from tests.scenarios.world import SETTLED_AT_ONCE, XRP, World, ago, now, scenario, until, world
from tests.storage.test_sources import Freqtrade

MISMATCH = "reconciliation_mismatch"


def stamp() -> str:
    return now().strftime("%Y-%m-%d %H:%M:%S.%f")


def freqtrade(folder: Path) -> Freqtrade:
    """With one open trade of 40 XRP, an hour old."""
    bot = Freqtrade(folder / "tradesv3.sqlite")
    buy(bot, 1, "40")
    return bot


async def held(guard: World) -> None:
    guard.market.open_position("bybit-main", XRP, Side.LONG, Decimal(40), Decimal("2.5"), ago(1))


async def sold(guard: World) -> None:
    sold_by_hand(guard, XRP, "40")


@scenario
async def test_9_7_an_exit_that_freqtrade_has_ordered_and_not_yet_booked_is_no_ghost(
    tmp_path: Path,
) -> None:
    bot = freqtrade(tmp_path)
    a_while = msgspec.structs.replace(SETTLED_AT_ONCE, settle=timedelta(seconds=60))
    settings = {**following(bot.file), "verdict": a_while}
    async with world(tmp_path, before=held, **settings) as guard:
        await guard.scan("reconciliation")
        bot.order(1, "sell", None, is_open=True, order_id="exit", date=stamp())
        guard.market.close_by_hand("bybit-main", XRP, Side.LONG)
        for _ in range(2):
            await guard.scan("reconciliation")
        bot.say(
            "UPDATE orders SET filled = 40, ft_is_open = 0, order_filled_date = ?"
            " WHERE order_id = 'exit'",
            stamp(),
        )
        bot.say("UPDATE trades SET is_open = 0")
        await guard.scan("reconciliation")
        assert await guard.alerts(MISMATCH) == ()
        assert await rows(guard) == [(XRP, Decimal(40), LEFT)]


@scenario
async def test_in_observe_mode_a_ghosts_alert_ends_when_freqtrade_closes_its_trade(
    tmp_path: Path,
) -> None:
    bot = freqtrade(tmp_path)
    settings = following(bot.file)
    async with world(tmp_path, mode=Mode.OBSERVE, before=sold, **settings) as guard:
        await guard.scan("reconciliation")
        await guard.alerted(MISMATCH)
        bot.say("UPDATE trades SET is_open = 0")

        async def over() -> bool:
            await guard.scan("reconciliation")
            (alert,) = await guard.alerts(MISMATCH)
            return alert.resolved_at is not None

        await until(over, "nobody is asked for it any more", 20)


def stop_of(guard: World) -> Order:
    placed = guard.market.place(
        guard.market.accounts["bybit-main"],
        OrderSpec(
            symbol_id="XRPUSDT",
            side=OrderSide.SELL,
            quantity=Decimal(40),
            reduce_only=True,
            trigger_price=Decimal("0.4"),
            trigger_rising=False,
        ),
    )
    assert isinstance(placed, Order), placed
    return placed


@scenario
async def test_a_ghost_of_freqtrade_is_buried_once_whatever_becomes_of_its_stop(
    tmp_path: Path,
) -> None:
    """With `stoploss_on_exchange` it replaces its stop, and writes a row for each."""
    bot = freqtrade(tmp_path)
    stops: list[Order] = []

    async def before(guard: World) -> None:
        await sold(guard)
        stops.append(stop_of(guard))
        bot.order(1, "stoploss", None, is_open=True, order_id=stops[0].id, date=stamp())

    async with world(tmp_path, before=before, **following(bot.file)) as guard:
        for _ in range(3):
            await guard.scan("reconciliation")
            bot.say("UPDATE orders SET ft_is_open = 0 WHERE order_id = ?", stops[-1].id)
            stops.append(stop_of(guard))
            bot.order(1, "stoploss", None, is_open=True, order_id=stops[-1].id, date=stamp())
        await guard.scan("reconciliation")
        assert len(await guard.events("reconciliation_ghost_closed")) == 1
        assert len(await guard.alerts(MISMATCH)) == 1
        assert all(stop.state.live for stop in stops)
        assert guard.venue.requests.count("order.cancel") == 0
        assert await rows(guard, "active") == []
