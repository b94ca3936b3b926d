"""Positions: what a bot writes is read, and closing is one transaction that happens once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from messages.ledger import BookedFill, ExitSource, IntentState, PositionRow, RowStatus
from messages.to_ledger import SetStop
from messages.values import Side
from storage.engine import parse
from tests.storage.build import alert, close, event, intent, position
from tests.storage.conftest import START, Clock, OpenLedger


async def bot_says(url: str, *statements: str) -> None:
    """What a bot does: plain SQL, on a connection of its own."""
    engine = create_async_engine(parse(url))
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))
    await engine.dispose()


def bot_insert(quantity: str = "1", price: str = "100", opened_at: str = "'2026-02-01'") -> str:
    return (
        "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at)"
        f" VALUES ('bybit-main', 'BTCUSDT', 'long', {quantity}, {price}, {opened_at})"
    )


async def test_a_position_comes_back_exactly_as_it_was_added(opened: OpenLedger) -> None:
    new = position(side=Side.SHORT, stop_price=Decimal("70000.5"), trailing_active=True, held=True)
    async with opened() as ledger:
        added = await ledger.add_position(new)
    async with opened() as ledger:
        assert await ledger.row(added.id) == added
        assert await ledger.active_rows() == (added,)
    assert added == PositionRow(
        id=added.id,
        account="bybit-main",
        symbol="BTCUSDT",
        side="short",
        quantity=Decimal("0.123456789012345678"),
        entry_price=Decimal("65000.10"),
        opened_at=START,
        stop_price=Decimal("70000.5"),
        trailing_active=True,
        held=True,
        updated_at=START,
    )


async def test_a_position_requested_twice_is_one_row(opened: OpenLedger) -> None:
    async with opened() as ledger:
        first = await ledger.add_position(position(request_id="adopt-1"), event=event())
        again = await ledger.add_position(position(request_id="adopt-1"), event=event("e2"))
        assert again == first
        assert len(await ledger.active_rows()) == 1
        assert [found.event_id for found in await ledger.events()] == ["e1"]


async def test_a_bot_adds_a_position_with_six_columns(opened: OpenLedger, url: str) -> None:
    async with opened() as ledger:
        before = datetime.now(UTC)
        await bot_says(url, bot_insert("0.25", "65000.5", "'2026-02-01 10:00:00+02:00'"))
        (row,) = await ledger.active_rows("bybit-main")
    assert (row.quantity, row.entry_price) == (Decimal("0.25"), Decimal("65000.5"))
    assert row.opened_at == datetime(2026, 2, 1, 8, tzinfo=UTC)
    assert (row.status, row.held, row.trailing_active) == (RowStatus.ACTIVE, False, False)
    assert (row.exit_price, row.exit_source, row.closed_at, row.stop_price) == (None,) * 4
    assert row.updated_at is not None
    assert before - timedelta(seconds=1) <= row.updated_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0.1", Decimal("0.1")),
        ("5", Decimal(5)),
        ("'0.123456789012345678901'", Decimal("0.123456789012345678901")),
        ("-3", Decimal(-3)),
        ("NULL", None),
        ("'NaN'", None),
        ("1e40", Decimal("1e40")),
        ("1e41", None),
    ],
)
async def test_whatever_number_a_bot_writes_is_read_or_is_none(
    opened: OpenLedger, url: str, written: str, read: Decimal | None
) -> None:
    async with opened() as ledger:
        await bot_says(url, bot_insert(written))
        (row,) = await ledger.active_rows()
    assert row.quantity == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("'2026-02-01T10:00:00Z'", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        ("'2026-02-01 10:00:00.5'", datetime(2026, 2, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("'2026-02-01'", datetime(2026, 2, 1, tzinfo=UTC)),
        ("NULL", None),
    ],
)
async def test_an_opening_time_without_a_zone_is_utc(
    opened: OpenLedger, url: str, written: str, read: datetime | None
) -> None:
    async with opened() as ledger:
        await bot_says(url, bot_insert(opened_at=written))
        (row,) = await ledger.active_rows()
    assert row.opened_at == read


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_sqlite_takes_rubbish_and_the_ledger_reads_it_as_none(
    opened: OpenLedger, url: str
) -> None:
    async with opened() as ledger:
        await bot_says(
            url,
            bot_insert("'lots'", "x'ff00'", "1767225600"),
            bot_insert("9e999", "'1e-7'", "'yesterday'"),
            "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at, held,"
            " trailing_active) VALUES (x'ff', CAST(x'fe' AS TEXT), 3, 1, 1, '2026-01-01', 'yes',"
            " 'false')",
        )
        lots, endless, odd = await ledger.active_rows()
    assert (lots.quantity, lots.entry_price, lots.opened_at) == (None, None, None)
    assert (endless.quantity, endless.entry_price) == (None, Decimal("1e-7"))
    assert endless.opened_at is None
    assert (odd.account, odd.symbol, odd.side) == ("\ufffd", "\ufffd", "3")
    assert (odd.held, odd.trailing_active) == (True, False)


async def test_a_bots_own_update_moves_updated_at_although_it_does_not_name_it(
    opened: OpenLedger, url: str
) -> None:
    async with opened() as ledger:
        added = await ledger.add_position(position())
        assert added.updated_at == START
        await bot_says(url, "UPDATE positions SET quantity = 9")
        row = await ledger.row(added.id)
    assert row is not None
    assert row.quantity == 9
    assert row.updated_at is not None
    assert abs(row.updated_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_bot_whose_clock_or_zone_is_off_does_not_decide_when_its_row_changed(
    opened: OpenLedger, url: str
) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    insert = (
        "INSERT INTO positions (account, symbol, side, quantity, entry_price, opened_at,"
        f" updated_at) VALUES ('a', 'BTCUSDT', 'long', 1, 1, '2026-01-01', '{tomorrow}')"
    )
    async with opened() as ledger:
        await bot_says(url, insert)
        (inserted,) = await ledger.active_rows()
        await bot_says(url, f"UPDATE positions SET quantity = 2, updated_at = '{tomorrow}'")
        (updated,) = await ledger.active_rows()
    for row in (inserted, updated):
        assert row.updated_at is not None
        assert abs(row.updated_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_our_own_writes_are_stamped_by_our_clock_even_twice_in_an_instant(
    opened: OpenLedger, clock: Clock
) -> None:
    async with opened() as ledger:
        added = await ledger.add_position(position())
        clock.advance(minutes=5)
        assert await ledger.set_stop([added.id], Decimal("60000")) == (added.id,)
        assert await ledger.set_stop([added.id], Decimal("60001")) == (added.id,)
        row = await ledger.row(added.id)
    assert row is not None
    assert (row.stop_price, row.updated_at) == (Decimal("60001"), clock.time)


async def test_a_status_that_nobody_knows_is_refused_at_once(opened: OpenLedger, url: str) -> None:
    async with opened() as ledger:
        await bot_says(url, bot_insert())
        with pytest.raises(sa.exc.IntegrityError, match="positions_status"):
            await bot_says(url, "UPDATE positions SET status = 'gone'")
        assert len(await ledger.active_rows()) == 1


async def test_rows_are_found_by_account_symbol_and_status_newest_first(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        first = await ledger.add_position(position())
        second = await ledger.add_position(position(symbol="ETHUSDT"))
        third = await ledger.add_position(position(account="binance"))
        await ledger.close_rows([close(first.id)], event=event())
        found = [
            await ledger.rows(),
            await ledger.rows(limit=1),
            await ledger.rows(account="bybit-main"),
            await ledger.rows(symbol="ETHUSDT"),
            await ledger.rows(status="closed"),
            await ledger.active_rows("bybit-main"),
        ]
        assert await ledger.row(999) is None
    one, two, three = first.id, second.id, third.id
    assert [[row.id for row in rows] for rows in found] == [
        [three, two, one],
        [three],
        [two, one],
        [two],
        [one],
        [two],
    ]


async def test_closing_writes_the_row_its_event_alert_counters_and_intents_together(
    opened: OpenLedger, clock: Clock
) -> None:
    settled = intent(state=IntentState.DONE, filled=Decimal("0.5"), booked=True)
    async with opened() as ledger:
        row = await ledger.add_position(position())
        await ledger.commit_intent(intent())
        clock.advance(seconds=3)
        closed = await ledger.close_rows(
            [
                close(
                    row.id,
                    exit_price=Decimal("64000.5"),
                    exit_source=ExitSource.FILL,
                    realized_pnl=Decimal("-12.345"),
                    closed_at=clock.time,
                )
            ],
            event=event(details={"proof": Decimal("0.5"), "at": START}),
            alert=alert(),
            settles=[settled],
            counters={"ghost_positions_handled": 1},
        )
    assert closed.changed == (row.id,)
    async with opened() as ledger:
        stored = await ledger.row(row.id)
        assert await ledger.intent("sx-1") == settled
        (written,) = await ledger.events()
        (raised,) = await ledger.open_alerts()
        assert await ledger.counters() == {"bybit-main": {"ghost_positions_handled": 1}}
    assert stored is not None
    assert (stored.status, stored.exit_source) == ("closed", "fill")
    assert (stored.exit_price, stored.realized_pnl) == (Decimal("64000.5"), Decimal("-12.345"))
    assert stored.exit_reason == "ghost_detected_aged_close"
    assert (stored.closed_at, stored.updated_at) == (clock.time, clock.time)
    assert written.details == {"proof": "0.5", "at": "2026-03-01T12:00:00.123456Z"}
    assert raised.dedup_key == "ghost 1"


async def test_only_rows_that_are_still_active_are_closed(opened: OpenLedger) -> None:
    async with opened() as ledger:
        one = await ledger.add_position(position())
        two = await ledger.add_position(position())
        await ledger.close_rows([close(one.id, reason="first")], event=event("e1"))
        closed = await ledger.close_rows(
            [close(one.id, reason="second"), close(two.id, reason="second")], event=event("e2")
        )
        assert closed.changed == (two.id,)
        kept = await ledger.row(one.id)
        assert kept is not None
        assert kept.exit_reason == "first"


async def test_a_closing_that_changes_nothing_says_nothing_but_settles_its_intent(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        row = await ledger.add_position(position())
        await ledger.close_rows([close(row.id)], event=event("by hand"))
        closed = await ledger.close_rows(
            [close(row.id)],
            event=event("by us"),
            alert=alert(),
            settles=[intent(state=IntentState.DONE, booked=True)],
            counters={"closes": 1},
        )
        assert closed.changed == ()
        assert [found.event_id for found in await ledger.events()] == ["by hand"]
        assert await ledger.open_alerts() == ()
        assert await ledger.counters() == {}
        settled = await ledger.intent("sx-1")
        assert settled is not None
        assert settled.booked


async def test_a_closing_repeated_after_a_lost_reply_names_the_same_rows_and_adds_nothing(
    opened: OpenLedger,
) -> None:
    async with opened() as ledger:
        rows = [await ledger.add_position(position()) for _ in range(3)]
        closes = [close(row.id) for row in rows]
        answers = [
            await ledger.close_rows(
                closes, event=event(), alert=alert(lasting=False), counters={"closes": 3}
            )
            for _ in range(2)
        ]
        assert answers[0] == answers[1]
        assert answers[0].changed == tuple(row.id for row in rows)
        assert len(await ledger.events()) == len(await ledger.alerts()) == 1
        assert await ledger.counters() == {"bybit-main": {"closes": 3}}


async def test_holding_names_what_changed_and_is_written_once(opened: OpenLedger) -> None:
    async with opened() as ledger:
        row = await ledger.add_position(position())
        assert await ledger.set_held([row.id], True, event=event("hold")) == (row.id,)
        assert await ledger.set_held([row.id], True, event=event("hold again")) == ()
        held = await ledger.row(row.id)
        assert held is not None
        assert held.held
        assert await ledger.set_held([row.id], False, event=event("release")) == (row.id,)
        assert [found.event_id for found in await ledger.events()] == ["hold", "release"]


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-Infinity", "1e999999", "-1e-999999"])
async def test_a_number_that_is_none_is_refused_to_whoever_would_write_it(
    opened: OpenLedger, bad: str
) -> None:
    """Where the message is made, so that it is its sender's trouble and not the ledger's."""
    number = Decimal(bad)
    async with opened() as ledger:
        row = await ledger.add_position(position())
        doors: list[Callable[[], object]] = [
            lambda: position(quantity=number),
            lambda: position(stop_price=number),
            lambda: close(row.id, exit_price=number),
            lambda: close(row.id, realized_pnl=number),
            lambda: intent(quantity=number),
            lambda: intent(average=number),
            lambda: BookedFill(fill_id="f", quantity=number),
            lambda: SetStop(row_ids=(row.id,), price=number),
        ]
        for door in doors:
            with pytest.raises(ValueError, match="no amount"):
                door()
        with pytest.raises(ValueError, match="no amount"):
            await ledger.amend_position("bybit-main", row.id, entry_price=number)
        assert await ledger.active_rows() == (row,)


async def test_a_zero_of_any_exponent_is_zero(opened: OpenLedger) -> None:
    async with opened() as ledger:
        await ledger.add_position(position(stop_price=Decimal("0e-999999")))
        (row,) = await ledger.active_rows()
    assert str(row.stop_price) == "0"
