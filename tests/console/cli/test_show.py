"""How figures, spans and rows are written for people, and the demo's counting."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from rich.console import Console

from console.cli.evidence_text import leg_lines
from console.cli.tables import (
    as_json,
    details,
    event_line,
    exit_figures,
    number,
    rows_table,
    span,
)
from console.control.replies import LegStory
from console.demo.found import Found, count
from messages.ledger import Event, LastSeen, PositionRow
from messages.values import LegKey, OrderSide, Side
from messages.venue import Fill, FillKind
from messages.verdict import (
    Absent,
    Accounting,
    Evidence,
    EvidenceKind,
    ExplainedBy,
    ReadSeen,
    Unexplained,
    Unknown,
)

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


def test_an_exit_that_nobody_knows_is_called_unknown_and_no_figure_is_shown() -> None:
    ended = {"status": "closed", "closed_at": AT, "exit_price": Decimal("60000.0")}
    gone = row(**ended, realized_pnl=Decimal(0), exit_source="unknown", exit_reason="accepted")
    shown = io.StringIO()
    Console(file=shown, width=200).print(rows_table([gone], AT))
    assert shown.getvalue().splitlines()[1].count("unknown") == 2
    assert exit_figures(gone) == ("unknown", "unknown")
    assert exit_figures(row(**ended, exit_source="fill", realized_pnl=Decimal("-1.50"))) == (
        "60000",
        "-1.5",
    )
    # Programs get the field as it is stored, and where it comes from.
    assert json.loads(as_json(gone))["exit_source"] == "unknown"
    assert details({"exit_price": "60000", "exit_source": "unknown", "realized_pnl": "0"}) == (
        "exit_price=unknown exit_source=unknown realized_pnl=unknown"
    )
    assert details({"exit_price": "60000", "exit_source": "fill"}) == (
        "exit_price=60000 exit_source=fill"
    )


def test_a_leg_that_is_gone_without_a_record_is_told_from_first_to_last() -> None:
    accounting = Accounting(
        since=AT,
        needed=Decimal("0.50"),
        closed=Decimal("0.2"),
        why="0.3 of it has no closing fill",
    )
    read = ReadSeen(started_at=AT, finished_at=AT)
    key = LegKey("bybit-main", "BTC/USDT:USDT", Side.LONG)
    verdict = Unexplained(
        why=accounting.why, since=AT, reads=(read, read), accounting=accounting, named_at=AT
    )
    seen = LastSeen(
        key=key,
        started_at=AT,
        finished_at=AT,
        quantity=Decimal("0.50"),
        entry_price=Decimal("60000.0"),
    )
    story = LegStory(
        key=key, row_ids=(7,), quantity=Decimal("0.50"), last_seen=seen, verdict=verdict
    )
    assert list(leg_lines(story)) == [
        ("ledger", "0.5 in row 7"),
        ("last seen", "01-02 03:04:05 UTC, 0.5 at 60000"),
        (
            "asked",
            "complete reads without it 01-02 03:04:05 UTC and 01-02 03:04:05 UTC; asked by name "
            "01-02 03:04:05 UTC: not there either; not shown since 01-02 03:04:05 UTC",
        ),
        (
            "records",
            "since 01-02 03:04:05 UTC: 0.2 closed and 0 opened, 0.5 needed; they do not explain "
            "it: 0.3 of it has no closing fill",
        ),
        ("verdict", "gone, and nothing says how: 0.3 of it has no closing fill"),
        ("next", "if it is really closed: accept BTC/USDT:USDT"),
    ]


@pytest.mark.parametrize(
    ("verdict", "last"),
    [
        (None, ("verdict", "unknown: the exchange actor is gone")),
        (
            Unknown(why="not shown once", not_shown=True, look_again_at=AT),
            ("next", "it is looked at again 01-02 03:04:05 UTC"),
        ),
        (Unknown(why="timed out", failed=True), ("verdict", "unknown: timed out")),
        (
            Absent(
                evidence=Evidence(
                    kind=EvidenceKind.TWO_READS,
                    reads=(ReadSeen(started_at=AT, finished_at=AT),),
                    accounting=Accounting(
                        since=None,
                        needed=Decimal(1),
                        closed=Decimal(1),
                        explained_by=ExplainedBy.FILLS,
                        ended_at=AT,
                    ),
                ),
                due_at=AT,
            ),
            (
                "next",
                "its bot has until 01-02 03:04:05 UTC to close its row; then we do",
            ),
        ),
    ],
)
def test_each_verdict_ends_with_what_comes_next(
    verdict: Unknown | Absent | None, last: tuple[str, str]
) -> None:
    story = LegStory(
        key=LegKey("bybit-main", "BTC/USDT:USDT", Side.LONG),
        row_ids=(7,),
        quantity=Decimal(1),
        verdict=verdict,
        problem="the exchange actor is gone" if verdict is None else "",
    )
    told = list(leg_lines(story))
    assert told[-1] == last
    assert ("last seen", "never: no complete read has shown it") in told
