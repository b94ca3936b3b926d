"""How figures, spans and rows are written for people, and the demo's counting."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from rich.console import Console

from console.cli.tables import as_json, details, event_line, number, rows_table, span
from console.demo.found import Found, count
from messages.ledger import Event, PositionRow
from messages.values import OrderSide
from messages.venue import Fill, FillKind
from messages.verdict import Accounting, Evidence, EvidenceKind, ReadSeen

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def event(seq: int, kind: str, symbol: str = "BTC/USDT:USDT", side: str = "long") -> Event:
    return Event(
        seq=seq, event_id=f"e{seq}", at=AT, kind=kind, account="a", symbol=symbol, side=side
    )


def row(**changes: object) -> PositionRow:
    values: dict[str, object] = {
        "id": 7,
        "account": "bybit-main",
        "symbol": "BTCUSDT",
        "side": "long",
        "quantity": Decimal("0.50"),
        "entry_price": Decimal("60000.0"),
        "opened_at": AT - timedelta(hours=4, minutes=5),
    }
    return PositionRow(**(values | changes))  # type: ignore[arg-type]  # chosen by the test


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.50"), "0.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.000000100"), "0.0000001"),
        (Decimal("-0"), "0"),
        (Decimal("NaN"), "NaN"),
        (None, "-"),
    ],
)
def test_numbers_have_neither_exponent_nor_trailing_zeros(value: Decimal | None, text: str) -> None:
    assert number(value) == text


def test_the_evidence_that_closed_a_row_reads_as_a_sentence() -> None:
    read = ReadSeen(started_at=AT, finished_at=AT)
    later = ReadSeen(started_at=AT + timedelta(seconds=2), finished_at=AT + timedelta(seconds=2))
    left_out = Evidence(
        kind=EvidenceKind.TWO_READS,
        reads=(read, later),
        named_flat_at=AT + timedelta(seconds=3),
        accounting=Accounting(since=AT, needed=Decimal(1), closed=Decimal(1)),
    )
    assert details({"evidence": msgspec.to_builtins(left_out)}) == (
        "evidence=<two complete reads (03:04:05 and 03:04:07 UTC) without it;"
        " named flat by the venue at 03:04:08 UTC>"
    )
    fill = Fill(
        fill_id="f",
        order_id="o",
        symbol="BTC/USDT:USDT",
        side=OrderSide.SELL,
        quantity=Decimal("0.50"),
        price=Decimal("60000.0"),
        at=AT,
        kind=FillKind.LIQUIDATION,
    )
    by_fill = Evidence(
        kind=EvidenceKind.READ_AND_FILL,
        reads=(later,),
        accounting=Accounting(since=AT, needed=Decimal(1), closed=Decimal(1), fills=(fill,)),
    )
    assert details({"evidence": msgspec.to_builtins(by_fill), "why": "so"}) == (
        "evidence=<a complete read (03:04:07 UTC) without it, and the fills that closed it:"
        " sell 0.5 at 60000 (03:04:05 UTC, liquidation)> why=so"
    )


def test_what_is_no_evidence_of_this_version_is_shown_as_it_is() -> None:
    assert details({"evidence": {"kind": "a hunch"}}) == 'evidence={"kind":"a hunch"}'


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (-3.0, "0s"),
        (59.9, "59s"),
        (61.0, "1m 01s"),
        (timedelta(hours=3, minutes=5), "3h 05m"),
        (timedelta(days=2, hours=1), "2d 01h"),
    ],
)
def test_spans_are_told_in_their_two_largest_units(length: float | timedelta, text: str) -> None:
    assert span(length) == text


def test_a_row_with_unusable_values_is_shown_all_the_same() -> None:
    bad = row(quantity=None, entry_price=Decimal("NaN"), opened_at=None)
    shown = io.StringIO()
    Console(file=shown, width=120).print(rows_table([bad], AT))
    assert "bybit-main" in shown.getvalue()
    assert "NaN" in shown.getvalue()


def test_open_rows_leave_out_the_columns_of_an_ending() -> None:
    names = [column.header for column in rows_table([row()], AT).columns]
    assert "reason" not in names
    over = row(closed_at=AT, exit_reason="x", status="closed")
    assert "reason" in [column.header for column in rows_table([over], AT).columns]


def test_an_event_is_one_line_with_its_details() -> None:
    told = Event(
        seq=3, event_id="e", at=AT, kind="close_decided", account="a", details={"n": [1], "w": "b"}
    )
    assert event_line(told).plain == "     3  01-02 03:04:05  close_decided  a  n=[1] w=b"


def test_json_has_exact_decimals_and_utc_instants() -> None:
    assert '"0.50"' in as_json(row())
    assert '"2026-01-01T22:59:05Z"' in as_json(row())


def test_a_leg_that_is_told_of_twice_is_counted_once() -> None:
    events = [
        event(1, "orphan_detected"),
        event(2, "orphan_detected"),
        event(3, "orphan_detected", side="short"),
        event(4, "reconciliation_ghost_closed"),
        event(5, "aged_ghost_position_detected", symbol="ETH/USDT:USDT"),
        event(6, "position_closed"),
        event(7, "close_decided"),
    ]
    assert count(events) == Found(orphan=2, ghost=2, closed=1)
    assert not count(events).all_kinds
