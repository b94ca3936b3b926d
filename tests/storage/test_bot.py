"""The bot's side of the ledger, and the same ledger seen by the guard."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from messages.ledger import ExitSource, RowStatus
from messages.values import Side
from storage.bot import open_book
from tests.storage.build import close, event
from tests.storage.conftest import START, Clock, OpenLedger


async def test_a_bot_opens_updates_and_closes_a_position_that_the_guard_sees(
    opened: OpenLedger, url: str, clock: Clock
) -> None:
    async with opened() as guard, await open_book(url, "bybit-main", now=clock) as book:
        held = await book.open("BTCUSDT", Side.LONG, Decimal("0.5"), Decimal(65000))
        assert await book.positions() == await guard.active_rows() == (held,)
        assert held.opened_at == START
        clock.advance(minutes=1)
        changed = await book.update(
            held.id, quantity=Decimal("0.4"), stop_price=Decimal(63000), trailing_active=True
        )
        assert changed is not None
        assert (changed.quantity, changed.stop_price, changed.trailing_active) == (
            Decimal("0.4"),
            Decimal(63000),
            True,
        )
        assert (changed.entry_price, changed.updated_at) == (Decimal(65000), clock.time)
        bare = await book.update(held.id, stop_price=None)
        assert bare is not None
        assert (bare.stop_price, bare.quantity) == (None, Decimal("0.4"))
        for _ in range(2):
            assert await book.close(
                held.id, exit_price=Decimal(66000), realized_pnl=Decimal("395.5")
            )
        row = await guard.row(held.id)
        assert row is not None
        assert (row.status, row.exit_source) == (RowStatus.CLOSED, ExitSource.FILL)
        assert (row.exit_price, row.realized_pnl) == (Decimal(66000), Decimal("395.5"))
        assert row.closed_at == START + timedelta(minutes=1)
        (told,) = await guard.events()
        assert (told.kind, told.details["position_id"]) == ("position_closed_by_bot", held.id)
        assert await book.update(held.id, quantity=Decimal(1)) is None


async def test_a_bots_repeated_order_is_one_position_and_accounts_do_not_collide(
    url: str,
) -> None:
    async with await open_book(url, "one") as book, await open_book(url, "two") as other:
        what = ("BTCUSDT", Side.SHORT, Decimal(1), Decimal(100))
        first = await book.open(*what, request_id="order-1")
        assert await book.open(*what, request_id="order-1") == first
        elsewhere = await other.open(*what, request_id="order-1")
        assert elsewhere.id != first.id
        assert len(await book.positions()) == len(await other.positions()) == 1


async def test_a_bot_changes_nothing_of_another_account_or_of_what_the_guard_closed(
    opened: OpenLedger, url: str, clock: Clock
) -> None:
    async with opened() as guard, await open_book(url, "one", now=clock) as book:
        async with await open_book(url, "two", now=clock) as other:
            held = await book.open("BTCUSDT", Side.LONG, Decimal(1), Decimal(100))
            assert await other.update(held.id, quantity=Decimal(9)) is None
            assert not await other.close(held.id, exit_price=Decimal(1), realized_pnl=Decimal(0))
        assert await guard.active_rows() == (held,)
        await guard.close_rows([close(held.id, reason="by the guard")], event=event())
        assert not await book.close(held.id, exit_price=Decimal(1), realized_pnl=Decimal(0))
        row = await guard.row(held.id)
        assert row is not None
        assert row.exit_reason == "by the guard"
