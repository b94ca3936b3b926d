"""The stream's word of an order's end counts under the id that the venue gave, and no other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from actors.execution.order_news import OrderNews
from messages.values import OrderSide
from messages.venue import OrderHint, OrderRecord, OrderStatus

OURS = "5e70aa"
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def told(order_id: str, *, whole: bool = True) -> OrderHint:
    quantity = Decimal(2)
    end = OrderRecord(
        order_id=order_id,
        client_order_id=OURS,
        symbol="BTC/USDT:USDT",
        side=OrderSide.SELL,
        status=OrderStatus.FILLED,
        quantity=quantity,
        filled=quantity,
        average=Decimal(100),
    )
    return OrderHint(
        symbol=end.symbol,
        order_id=order_id,
        client_order_id=OURS,
        status=end.status,
        filled=quantity,
        at=NOW,
        end=end if whole else None,
    )


def test_an_end_that_was_told_before_the_acceptance_came_is_not_lost() -> None:
    async def story() -> None:
        news = OrderNews()
        with news.of(OURS) as mine:
            news.heard(told("7"))
            end = await mine.end_of("7")
            assert end is not None
            assert end.filled == 2

    asyncio.run(story())


def test_an_end_that_comes_in_time_is_taken_at_once() -> None:
    async def story() -> None:
        news = OrderNews()
        with news.of(OURS) as mine:
            waiting = asyncio.ensure_future(mine.end_of("7"))
            await asyncio.sleep(0)
            news.heard(told("7", whole=False))
            await asyncio.sleep(0)
            assert not waiting.done(), "a hint without the end of it is no end"
            news.heard(told("7"))
            assert await waiting is not None

    asyncio.run(story())


def test_another_orders_end_under_our_client_id_is_none_of_ours() -> None:
    async def story() -> None:
        news = OrderNews()
        with news.of(OURS) as mine:
            news.heard(told("6"))
            assert await mine.end_of("7") is None, "silence is no end either"

    asyncio.run(story())


def test_all_who_wait_for_an_order_hear_of_it_and_nobody_after() -> None:
    async def story() -> None:
        news = OrderNews()
        with news.of(OURS) as one, news.of(OURS) as other:
            news.heard(told("7"))
            assert await one.end_of("7") == await other.end_of("7") is not None
        with news.of(OURS) as later:
            assert await later.end_of("7") is None

    asyncio.run(story())
