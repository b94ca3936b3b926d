"""Fills are stored with the row that they ended, and rows that were closed are found again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from messages.ledger import BookedFill, EventDraft
from tests.storage.build import KEY, close, event, position
from tests.storage.conftest import START, Clock, OpenLedger
from tests.storage.test_positions import bot_insert, bot_says

HOUR = timedelta(hours=1)


def fill(fill_id: str = "f1", quantity: str = "0.4") -> BookedFill:
    return BookedFill(fill_id=fill_id, quantity=Decimal(quantity), order_id="o1")


def of_leg(event_id: str = "e1") -> EventDraft:
    return event(event_id, symbol=KEY.symbol, side=KEY.side.value)


async def test_the_fills_that_ended_a_row_are_stored_with_it(opened: OpenLedger) -> None:
    async with opened() as ledger:
        one, two = [await ledger.add_position(position()) for _ in range(2)]
        await ledger.close_rows(
            [
                close(one.id, fills=(fill("f1", "0.4"), fill("f2", "0.1"))),
                close(two.id, fills=(fill("f2", "0.2"),)),
            ],
            event=of_leg(),
        )
    async with opened() as ledger:
        assert await ledger.booked_fills(KEY, START) == (
            BookedFill(fill_id="f1", quantity=Decimal("0.4"), order_id="o1", row_id=one.id),
            BookedFill(fill_id="f2", quantity=Decimal("0.1"), order_id="o1", row_id=one.id),
            BookedFill(fill_id="f2", quantity=Decimal("0.2"), order_id="o1", row_id=two.id),
        )


async def test_a_closing_that_changes_nothing_books_nothing(opened: OpenLedger) -> None:
    async with opened() as ledger:
        row = await ledger.add_position(position())
        for number in range(3):  # the first one closes it, the same again, and one that is late
            event_id = "first" if number < 2 else "late"
            fills = (fill("f1"),) if number < 2 else (fill("f9"),)
            await ledger.close_rows([close(row.id, fills=fills)], event=of_leg(event_id))
        moved = await ledger.add_position(position())
        judged = close(moved.id, fills=(fill("f8"),), changed_at=START - HOUR)
        assert (await ledger.close_rows([judged], event=of_leg("e2"))).moved == (moved.id,)
        found = await ledger.booked_fills(KEY, START)
    assert [(it.fill_id, it.quantity) for it in found] == [("f1", Decimal("0.4"))]


async def test_fills_are_found_by_leg_and_by_when_their_row_was_closed(
    opened: OpenLedger, clock: Clock
) -> None:
    other_side = event("short", symbol=KEY.symbol, side="short")
    async with opened() as ledger:
        for number, told in enumerate((of_leg("e0"), of_leg("e1"), other_side)):
            row = await ledger.add_position(position())
            ended = close(row.id, fills=(fill(f"f{number}"),), closed_at=clock.time)
            await ledger.close_rows([ended], event=told)
            clock.advance(hours=1)
        late = [it.fill_id for it in await ledger.booked_fills(KEY, START + HOUR)]
        assert late == ["f1"]
        assert len(await ledger.booked_fills(KEY, START)) == 2
        assert await ledger.booked_fills(KEY, clock.time) == ()


async def test_a_row_that_was_opened_again_has_both_parts_of_its_fill(
    opened: OpenLedger, url: str
) -> None:
    async with opened() as ledger:
        row = await ledger.add_position(position())
        await ledger.close_rows([close(row.id, fills=(fill("f1", "0.1"),))], event=of_leg("e1"))
        await bot_says(url, "UPDATE positions SET status = 'active'")
        await ledger.close_rows([close(row.id, fills=(fill("f1", "0.2"),))], event=of_leg("e2"))
        (found,) = await ledger.booked_fills(KEY, START)
    assert found.quantity == Decimal("0.3")


async def test_rows_that_anybody_has_closed_since_are_found_newest_first(
    opened: OpenLedger, url: str, clock: Clock
) -> None:
    clock.time = datetime.now(UTC) - HOUR
    async with opened() as ledger:
        old, ours = [await ledger.add_position(position()) for _ in range(2)]
        other = await ledger.add_position(position(account="binance"))
        await ledger.close_rows([close(old.id, closed_at=clock.time)], event=event("old"))
        clock.advance(minutes=30)
        since = clock.time
        for number, row in enumerate((ours, other)):
            await ledger.close_rows([close(row.id)], event=event(f"e{number}"))
        await bot_says(url, bot_insert(), "UPDATE positions SET status = 'closed' WHERE id = 4")
        await bot_says(url, bot_insert())
        found = await ledger.closed_since("bybit-main", since)
        everything = await ledger.closed_since("bybit-main", since - HOUR)
    assert [row.id for row in found] == [4, ours.id]
    assert [row.id for row in everything] == [4, ours.id, old.id]
    assert found[0].closed_at is None
