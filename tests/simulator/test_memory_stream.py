"""The stream of the in-process venue: orders beside positions, the same for the same seed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from messages.values import LegKey, Side
from messages.venue import (
    Accepted,
    Canceled,
    Hint,
    OrderHint,
    OrderRequest,
    OrderStatus,
    OrderType,
    PositionHint,
)
from simulator import Exchange, Market, MemoryVenue, demo_market
from simulator.instruments import WHOLE
from tests.simulator.conftest import ACCOUNTS, BTC, START, Clock, dec
from tests.simulator.orders import close

both = pytest.mark.parametrize("account", ACCOUNTS)


def order(account: str, quantity: str, client_id: str = "5e70", **changes: object) -> OrderRequest:
    key = LegKey(account, BTC, Side.LONG)
    return msgspec.structs.replace(close(quantity, client_id), key=key, **changes)


class Following:
    """A watch of one account in a world of its own, and all that it told so far."""

    def __init__(self, account: str) -> None:
        self.clock = Clock()
        self.market: Market = demo_market(self.clock, seed=7, volatility=0.0)
        self.market.open_position(account, BTC, Side.LONG, dec("1"))
        self.venue = MemoryVenue(self.market, account)
        self.told: list[Hint] = []
        self._watching: asyncio.Task[object] | None = None

    async def __aenter__(self) -> Following:
        stands = asyncio.Event()
        self._watching = asyncio.create_task(self.venue.watch(self.told.append, stands.set))
        await stands.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._watching is not None
        await self.venue.close()
        await self._watching

    async def orders(self) -> list[OrderHint]:
        """What was told of orders by now: the queue is emptied without the clock's help."""
        seen = -1
        while seen != len(self.told):
            seen = len(self.told)
            await asyncio.sleep(0)
        return [hint for hint in self.told if isinstance(hint, OrderHint)]


@both
async def test_a_close_is_told_as_taken_and_filled_before_the_leg_is_told_flat(
    account: str,
) -> None:
    async with Following(account) as world:
        placed = await world.venue.place(order(account, "1"))
        assert isinstance(placed, Accepted)
        assert [(it.status, it.filled) for it in await world.orders()] == [
            (OrderStatus.OPEN, 0),
            (OrderStatus.FILLED, dec("1")),
        ]
        (_, filled) = await world.orders()
        assert (filled.symbol, filled.order_id) == (BTC, placed.order_id)
        assert (filled.client_order_id, filled.at) == ("5e70", START)
        flat = PositionHint(key=LegKey(account, BTC, Side.LONG), quantity=dec("0"), at=START)
        assert world.told.index(filled) < world.told.index(flat)


@both
async def test_a_part_of_an_order_and_its_cancellation_are_told(account: str) -> None:
    async with Following(account) as world:
        price = world.market.price(Exchange.BYBIT, BTC) + 100
        maker = order(account, "0.3", type=OrderType.LIMIT_MAKER, price=price)
        placed = await world.venue.place(maker)
        assert isinstance(placed, Accepted)
        for exchange in WHOLE:
            world.market.set_book_depth(exchange, BTC, dec("0.1"))
        world.market.set_price(BTC, price)
        assert isinstance(await world.venue.cancel(BTC, placed.order_id), Canceled)
        assert [(it.status, it.filled) for it in await world.orders()] == [
            (OrderStatus.OPEN, 0),
            (OrderStatus.OPEN, dec("0.1")),
            (OrderStatus.CANCELED, dec("0.1")),
        ]


@both
async def test_a_stop_that_fires_is_never_told_as_ended_before_its_order_is(account: str) -> None:
    async with Following(account) as world:
        price = world.market.price(Exchange.BYBIT, BTC)
        stop = order(account, "1", type=OrderType.STOP_MARKET, trigger_price=price - 100)
        assert isinstance(await world.venue.place(stop), Accepted)
        world.market.set_price(BTC, price - 200)
        told = [(it.status, it.filled) for it in await world.orders()]
        assert told[-1] == (OrderStatus.FILLED, dec("1"))
        assert set(told[:-1]) == {(OrderStatus.OPEN, dec("0"))}


async def test_nothing_is_told_of_another_account_s_orders() -> None:
    async with Following("bybit-main") as world:
        other = MemoryVenue(world.market, "binance-main")
        world.market.open_position("binance-main", BTC, Side.LONG, dec("1"))
        assert isinstance(await other.place(order("binance-main", "1")), Accepted)
        assert await world.orders() == []


@both
async def test_the_same_seed_and_the_same_doings_tell_the_same(account: str) -> None:
    async def doings() -> list[Hint]:
        async with Following(account) as world:
            await world.venue.place(order(account, "0.4"))
            world.clock.at += timedelta(seconds=5)
            world.market.close_by_hand(account, BTC, Side.LONG, dec("0.1"))
            await world.venue.place(order(account, "0.5", client_id="5e71"))
            await world.orders()
            return world.told

    first = await doings()
    assert len(first) == 11
    assert first == await doings()
