"""Active rows are read anew each time, whoever wrote them; only their meaning is remembered."""

from __future__ import annotations

from messages.ledger import PositionRow, RowStatus
from storage import Ledger
from tests.storage.build import close, event, position
from tests.storage.conftest import Clock, OpenLedger
from tests.storage.test_positions import bot_says

CHANGES = (
    "UPDATE positions SET quantity = 7.5 WHERE id = 1",
    "UPDATE positions SET held = '1' WHERE id = 2",
    "UPDATE positions SET opened_at = '2026-01-02 03:04:05+00:00' WHERE id = 1",
    "UPDATE positions SET stop_price = NULL, trailing_active = '1' WHERE id = 3",
    "UPDATE positions SET symbol = 'ETHUSDT', side = 'sell' WHERE id = 1",
    "UPDATE positions SET account = 'bybit-other' WHERE id = 2",
    "UPDATE positions SET status = 'closed' WHERE id = 3",
    "UPDATE positions SET status = 'active' WHERE id = 3",
    "DELETE FROM positions WHERE id = 1",
)


async def as_stored(ledger: Ledger, account: str | None) -> tuple[PositionRow, ...]:
    """The same rows by the ledger's other way to them, which remembers nothing."""
    return (await ledger.rows(account=account, status=RowStatus.ACTIVE))[::-1]


async def test_whatever_another_program_changes_shows_in_the_very_next_read(
    opened: OpenLedger, url: str
) -> None:
    async with opened() as ledger:
        for _ in range(3):
            await ledger.add_position(position())
        for change in CHANGES:
            for account in (None, "bybit-main", "bybit-other"):
                await ledger.active_rows(account)
            await bot_says(url, change)
            for account in (None, "bybit-main", "bybit-other"):
                assert await ledger.active_rows(account) == await as_stored(ledger, account)


async def test_two_ledgers_on_one_database_see_each_others_writes_at_once(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as one, opened() as two:
        for number in range(1, 4):
            row = await one.add_position(position())
            assert len(await two.active_rows("bybit-main")) == number
            clock.advance(seconds=1)
            await two.set_held((row.id,), True)
            assert (await one.active_rows("bybit-main"))[-1].held
        await one.close_rows((close(1), close(3)), event=event())
        assert [row.id for row in await two.active_rows()] == [2]


async def test_rows_that_stay_as_they_are_come_back_as_the_same_objects(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        for _ in range(3):
            await ledger.add_position(position())
        first = await ledger.active_rows("bybit-main")
        assert await ledger.active_rows("bybit-main") is first
        await ledger.set_held((2,), True)
        second = await ledger.active_rows("bybit-main")
        assert [a is b for a, b in zip(first, second, strict=True)] == [True, False, True]
